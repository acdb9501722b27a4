from datetime import timedelta

from odoo import fields
from odoo.fields import Command
from odoo.tests import HttpCase, tagged

from .sources import SourceCase, source

MAILBOX = "office@mailbox.example"


@tagged("post_install", "-at_install")
class TestChatterSources(SourceCase, HttpCase):
    """What people write on a document, by the calls that their browsers make."""

    def chat(self, user, record, **post_data):
        """Write below a document in the web client or the portal."""
        self.authenticate(user.login, user.login)
        return self.make_jsonrpc_request(
            "/mail/message/post",
            {
                "thread_model": record._name,
                "thread_id": record.id,
                "post_data": {
                    "body": "Hello",
                    "message_type": "comment",
                    "subtype_xmlid": "mail.mt_comment",
                    **post_data,
                },
            },
        )

    @source("Message in the chatter")
    def test_message_leaves_through_mailbox_of_who_writes(self):
        with self.watching() as decisions:
            self.chat(self.anna, self.customer_a, partner_ids=self.customer_a.ids)
        self.assertRoute(self.one_received(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.outcome(decisions, self.anna, self.company_a, "who writes")

    @source("Internal note that mentions a colleague")
    def test_note_of_user_without_server_leaves_through_company(self):
        with self.watching() as decisions:
            self.chat(
                self.ben,
                self.customer_a,
                partner_ids=self.anna.partner_id.ids,
                subtype_xmlid="mail.mt_note",
            )
        self.assertRoute(
            self.one_received(), "relay-a", "Ben <ben@a.example>", "bounce@a.example"
        )
        return self.outcome(decisions, self.ben, self.company_a, "who writes")

    @source("Notification of followers")
    def test_followers_of_record_are_told_through_its_company(self):
        self.customer_b.message_subscribe((self.bea + self.ada).partner_id.ids)
        with self.watching() as decisions:
            self.chat(self.clara, self.customer_b)
        self.assertEqual(
            sorted(received.rcpt_tos for received in self.received()),
            [("ada@a.example",), ("bea@b.example",)],
        )
        for received in self.received():
            self.assertRoute(
                received,
                "relay-b",
                "Clara <notifications@b.example>",
                "bounce@b.example",
            )
        return self.outcome(decisions, self.clara, self.company_b, "who writes")

    @source("Out-of-office reply to a colleague")
    def test_absent_colleague_answers_not_through_their_mailbox(self):
        self.anna.write(
            {
                "out_of_office_from": fields.Datetime.now() - timedelta(days=1),
                "out_of_office_message": "<p>Away</p>",
            }
        )
        with self.watching() as decisions:
            self.chat(self.ben, self.customer_a, partner_ids=self.anna.partner_id.ids)
        replies = [mail for mail in self.received() if "ben@a.example" in mail.rcpt_tos]
        self.assertEqual(len(replies), 1, self.received())
        self.assertEqual(replies[0].header("Auto-Submitted"), "auto-replied")
        self.assertRoute(
            replies[0], "relay-a", "Anna <anna@a.example>", "bounce@a.example"
        )
        return self.outcome(decisions, self.ben, self.company_a, "who wrote to them")


@tagged("post_install", "-at_install")
class TestButtonSources(SourceCase):
    """What people send by buttons of a document."""

    def written_outcome(self, decisions, user, company):
        return self.outcome(decisions, user, company, "who sends")

    def composer(self, user, records, mode="comment", **values):
        return (
            self.env["mail.compose.message"]
            .with_user(user)
            .with_context(
                default_model=records._name,
                default_res_ids=records.ids,
                default_composition_mode=mode,
            )
            .create({"subject": "Hello", "body": "Hello", **values})
        )

    @source("Composer on one document")
    def test_composer_comment_leaves_through_company_of_the_record(self):
        composer = self.composer(
            self.clara, self.customer_b, partner_ids=self.customer_b.ids
        )
        with self.watching() as decisions:
            composer.action_send_mail()
        self.assertRoute(
            self.one_received(),
            "relay-b",
            "Clara <notifications@b.example>",
            "bounce@b.example",
        )
        return self.written_outcome(decisions, self.clara, self.company_b)

    @source("Composer on several documents")
    def test_mass_composer_leaves_through_mailbox_of_who_sends(self):
        records = self.customer_a + self.customer_a.copy({"email": "c@c.example"})
        composer = self.composer(self.anna, records, mode="mass_mail")
        with self.watching() as decisions:
            composer.action_send_mail()
            self.send_queue()
        self.assertEqual(len(self.received()), 2)
        for received in self.received():
            self.assertRoute(received, MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.written_outcome(decisions, self.anna, self.company_a)

    def test_mass_composer_on_records_of_two_companies_leaves_through_each(self):
        records = self.customer_a + self.customer_b
        composer = self.composer(self.clara, records, mode="mass_mail")
        with self.sending():
            composer.action_send_mail()
        self.assertEqual(
            sorted((mail.login, *mail.rcpt_tos) for mail in self.received()),
            [
                ("relay-a", "customer.a@customer.example"),
                ("relay-b", "customer.b@customer.example"),
            ],
        )

    @source("Invitation to follow")
    def test_invitation_to_follow_leaves_through_mailbox_of_who_invites(self):
        wizard = (
            self.env["mail.followers.edit"]
            .with_user(self.anna)
            .create(
                {
                    "res_model": "res.partner",
                    "res_ids": str(self.customer_a.ids),
                    "partner_ids": [Command.set(self.ben.partner_id.ids)],
                    "notify": True,
                }
            )
        )
        with self.watching() as decisions:
            wizard.edit_followers()
        self.assertRoute(self.one_received(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.written_outcome(decisions, self.anna, self.company_a)

    @source("Assignment of a document")
    def test_assignment_leaves_through_mailbox_of_who_assigns(self):
        with self.watching() as decisions:
            self.customer_a.with_user(self.anna).with_context(
                tracking_disable=False
            ).user_id = self.ben
        self.assertRoute(self.one_received(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.written_outcome(decisions, self.anna, self.company_a)

    @source("Assignment of an activity")
    def test_activity_leaves_through_company_of_the_record(self):
        with self.watching() as decisions:
            self.customer_b.with_user(self.clara).activity_schedule(
                "mail.mail_activity_data_todo", user_id=self.bea.id
            )
        self.assertRoute(
            self.one_received(),
            "relay-b",
            "Clara <notifications@b.example>",
            "bounce@b.example",
        )
        return self.written_outcome(decisions, self.clara, self.company_b)

    @source("Request to install an app", "base_install_request")
    def test_install_request_leaves_through_mailbox_of_who_asks(self):
        module = self.env["ir.module.module"].search(
            [("state", "=", "uninstalled")], limit=1
        )
        administrators = self.env.ref("base.group_system").all_user_ids
        administrators.write({"email": "administrator@a.example"})
        request = (
            self.env["base.module.install.request"]
            .with_user(self.anna)
            .create({"module_id": module.id, "body_html": "<p>Please</p>"})
        )
        with self.watching() as decisions:
            request.action_send_request()
        self.assertEqual(len(self.received()), len(administrators))
        for received in self.received():
            self.assertRoute(received, MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.outcome(
            decisions, self.anna, self.company_a, "who sends", of="the sender's"
        )
