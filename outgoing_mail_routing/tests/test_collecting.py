from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from .common import RoutingCase

MAILBOX = "office@mailbox.example"


class CollectingCase(RoutingCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["fetchmail.server"].search([]).active = False

    def _collect(self, mail_server, **values):
        """The incoming server that the button of the form creates, confirmed."""
        mail_server.action_collect_replies()
        mail_server.fetchmail_server_id.write({"state": "done", **values})
        return mail_server.fetchmail_server_id


@tagged("post_install", "-at_install")
class TestCollectReplies(CollectingCase):
    """The button on the form of an outgoing server."""

    def test_button_creates_and_opens_the_same_account(self):
        self.mailbox.smtp_host = "smtp.mailbox.example"
        action = self.mailbox.action_collect_replies()
        incoming = self.mailbox.fetchmail_server_id
        self.assertEqual(
            (action["res_model"], action["res_id"]), (incoming._name, incoming.id)
        )
        self.assertNotIn("secret", str(action), "the password stays on the server")
        self.assertRecordValues(
            incoming,
            [
                {
                    "name": self.mailbox.name,
                    "server_type": "imap",
                    "server": "imap.mailbox.example",
                    "port": 993,
                    "is_ssl": True,
                    "user": MAILBOX,
                    "password": f"secret of {MAILBOX}",
                    "replies_only": True,
                    "state": "draft",
                    "object_id": False,
                }
            ],
        )
        self.assertEqual(incoming.outgoing_mail_server_ids, self.mailbox)
        again = self.mailbox.action_collect_replies()
        self.assertEqual(again["res_id"], incoming.id)

    def test_button_creates_none_for_what_is_no_mailbox(self):
        for values in (
            {"smtp_user": "apikey", "smtp_host": "smtp.sendgrid.net"},
            {"smtp_user": MAILBOX, "smtp_host": "email-smtp.eu.amazonaws.com"},
            {"smtp_user": False, "smtp_host": "10.0.0.1"},
        ):
            with self.subTest(values):
                self.shared.write({"from_filter": "a.example", **values})
                with self.refused(UserError, "only sends mail"):
                    self.shared.action_collect_replies()
                self.assertFalse(self.shared.fetchmail_server_id)

    def test_replies_only_is_off_elsewhere(self):
        self.assertFalse(
            self.env["fetchmail.server"].create({"name": "X"}).replies_only
        )

    def test_button_takes_over_what_a_connected_account_has(self):
        if "google_gmail_refresh_token" not in self.mailbox._fields:
            self.skipTest("needs the modules google_gmail and microsoft_outlook")
        self.mailbox.write({"smtp_pass": False, "smtp_encryption": "starttls"})
        for kind, host, token in (
            ("gmail", "imap.gmail.com", "token of google"),
            ("outlook", "imap.outlook.com", False),
        ):
            with self.subTest(kind):
                self.mailbox.write(
                    {
                        "smtp_authentication": kind,
                        "smtp_host": f"smtp.{kind}.com",
                        "google_gmail_refresh_token": token,
                        "microsoft_outlook_refresh_token": "for sending only",
                        "fetchmail_server_id": False,
                    }
                )
                self.mailbox.action_collect_replies()
                incoming = self.mailbox.fetchmail_server_id
                self.assertEqual(incoming.server_type, kind)
                self.assertEqual((incoming.server, incoming.port), (host, 993))
                self.assertEqual(incoming.google_gmail_refresh_token, token)
                self.assertFalse(incoming.microsoft_outlook_refresh_token)
                self.assertFalse(incoming.password)

    def test_button_is_for_administrators(self):
        with self.assertRaises(AccessError):
            self.mailbox.with_user(self.anna).action_collect_replies()
        self.assertFalse(self.mailbox.fetchmail_server_id)

    def test_button_refuses_a_personal_server(self):
        self.shared.owner_user_id = self.ben
        with self.refused(UserError, "personal mail server of Ben"):
            self.shared.action_collect_replies()

    def test_existing_server_can_be_chosen(self):
        incoming = self._collect(self.mailbox)
        admin = self.env.ref("base.user_admin")
        with Form(self.shared.with_user(admin)) as form:
            form.fetchmail_server_id = incoming
        self.assertEqual(incoming.outgoing_mail_server_ids, self.mailbox + self.shared)

    def test_warnings_tell_what_keeps_answers_away(self):
        incoming = self._collect(self.mailbox)
        self.assertFalse(self.mailbox.routing_warning)
        for values, expected in (
            ({"state": "draft"}, "not confirmed"),
            ({"active": False}, "archived"),
            ({"user": "other@mailbox.example"}, "collects the mailbox other@"),
            ({"user": "technical"}, False),
            ({"state": "draft", "server_type": "local"}, False),
        ):
            with self.subTest(**values):
                kept = {name: incoming[name] for name in values}
                incoming.write(values)
                warning = self.mailbox.routing_warning
                self.assertRegex(warning or "", expected or "^$")
                incoming.write(kept)


@tagged("post_install", "-at_install")
class TestBothDirections(CollectingCase):
    """What a user reads on their own mail, out and back."""

    def _read(self, user):
        values = user.with_user(user).read(
            ["outgoing_mail_summary", "uncollected_replies_warning"]
        )[0]
        user.invalidate_recordset()
        return values["outgoing_mail_summary"], values["uncollected_replies_warning"]

    def test_line_names_who_collects_answers(self):
        self._collect(self.mailbox, name="Incoming of Anna")
        way = f"A: through Office@mailbox.example as {MAILBOX}"
        collected = f"{way}; answers to {MAILBOX} are collected by Incoming of Anna"
        odoo = f"{way}; answers to catchall@a.example reach Odoo"
        for values, expected in (
            ({}, collected),
            ({"reply_to_policy": "odoo"}, odoo),
            ({"reply_to_policy": "from"}, collected),
        ):
            with self.subTest(**values):
                self.mailbox.write(values)
                self.assertEqual(self._read(self.anna), (expected, False))

    def test_answers_that_nothing_collects_are_warned_of(self):
        self.mailbox.reply_to_policy = "from"
        line, warning = self._read(self.anna)
        self.assertTrue(line.endswith(f"; answers go to {MAILBOX}"))
        self.assertIn(f"No incoming mail server collects {MAILBOX}", warning)
        self.mailbox.write(
            {"reply_to_policy": "custom", "reply_to_email": "x@y.example"}
        )
        self.assertIn("x@y.example", self._read(self.anna)[1])
        self._collect(self.shared, user="x@y.example")
        self.assertFalse(self._read(self.anna)[1])

    def test_without_a_reply_address_of_odoo_answers_go_to_the_author(self):
        self.company_a.alias_domain_id = False
        line, warning = self._read(self.ben)
        self.assertIn("answers go to ben@a.example", line)
        self.assertIn("ben@a.example", warning)

    def test_line_says_what_a_mail_does(self):
        """The address in the line is the one in the mail that leaves."""
        for policy in ("auto", "odoo", "from"):
            for incoming in (True, False):
                with self.subTest(policy=policy, incoming=incoming):
                    self.forget_received()
                    self.mailbox.reply_to_policy = policy
                    self.mailbox.fetchmail_server_id = False
                    if incoming:
                        self._collect(self.mailbox)
                    received = self.post(self.anna, self.customer_a)
                    address = received.message["Reply-To"].addresses[0].addr_spec
                    self.assertRegex(self._read(self.anna)[0], f"answers .*{address}")

    def test_nobody_else_reads_it_and_nothing_of_the_account_is_told(self):
        self._collect(self.mailbox, server="imap.secret.example", user="login")
        self.mailbox.reply_to_policy = "from"
        line, _warning = self._read(self.anna)
        for secret in ("imap.secret.example", "login", "secret of"):
            self.assertNotIn(secret, line)
        anna = self.anna.with_user(self.ben)
        self.assertFalse(anna.outgoing_mail_summary)
        self.assertFalse(anna.uncollected_replies_warning)
