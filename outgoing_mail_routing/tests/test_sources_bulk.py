from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from .sources import NOBODY, SourceCase, source

MAILBOX = "office@mailbox.example"


@tagged("post_install", "-at_install")
class TestDigestSources(SourceCase):
    """Digests: of their company, whoever made Odoo send them."""

    def digest(self, **values):
        self.require("digest")
        self.env["digest.digest"].search([]).unlink()
        return self.env["digest.digest"].create(
            {
                "name": "Digest",
                "company_id": self.company_b.id,
                "user_ids": [Command.set(self.anna.ids)],
                "next_run_date": fields.Date.today(),
                "state": "activated",
                **values,
            }
        )

    def digest_outcome(self, decisions):
        self.assertRoute(
            self.one_received(), "relay-b", "B <info@b.example>", "bounce@b.example"
        )
        return self.outcome(decisions, None, self.company_b, NOBODY, of="the digest's")

    @source("Digest by its scheduled action", "digest")
    def test_digest_of_scheduled_action_leaves_through_its_company(self):
        self.digest()
        self.run_job("digest.ir_cron_digest_scheduler_action")
        with self.watching() as decisions:
            self.send_queue()
        return self.digest_outcome(decisions)

    @source("Digest by its button", "digest")
    def test_digest_of_button_avoids_mailbox_of_who_presses_it(self):
        self.as_user(self.ada, self.digest()).action_send_manual()
        with self.watching() as decisions:
            self.send_queue()
        return self.digest_outcome(decisions)

    def test_digest_without_company_is_still_nobodys(self):
        self.company_a.email = False
        digest = self.as_user(self.anna, self.digest(company_id=False))
        digest.sudo().action_send_manual()
        with self.watching() as decisions:
            self.send_queue()
        self.assertEqual(self.one_received().login, "relay-a")
        self.outcome(decisions, None, self.company_a, NOBODY, of="")


@tagged("post_install", "-at_install")
class TestMailingSources(SourceCase):
    """Campaigns: nobody's, so that no mailbox of a user ever carries one."""

    def mailing(self, **values):
        """A campaign of Anna's to the customer of company A, with her From."""
        self.require("mass_mailing")
        self.anna.group_ids += self.env.ref("mass_mailing.group_mass_mailing_user")
        return self.as_user(self.anna, self.env["mailing.mailing"]).create(
            {
                "subject": "News",
                "body_html": "<p>News</p>",
                "mailing_model_id": self.env.ref("base.model_res_partner").id,
                "mailing_domain": [("id", "=", self.customer_a.id)],
                "email_from": self.anna.email_formatted,
                "keep_archives": True,
                **values,
            }
        )

    def launch(self, mailing):
        mailing.action_launch()
        with self.watching() as decisions:
            self.run_job("mass_mailing.ir_cron_mass_mailing_queue")
            self.send_queue()
        return decisions

    @source("Mailing", "mass_mailing")
    def test_mailing_leaves_through_company_not_the_mailbox(self):
        self.mailbox.from_filter = f"a.example,{MAILBOX}"
        decisions = self.launch(self.mailing())
        self.assertRoute(
            self.one_received(), "relay-a", "Anna <anna@a.example>", "bounce@a.example"
        )
        return self.outcome(
            decisions, None, self.company_a, NOBODY, of="the recipient's"
        )

    def test_mail_of_a_deleted_mailing_leaves_through_no_mailbox(self):
        mailing = self.mailing()
        self.mailbox.from_filter = f"a.example,{MAILBOX}"
        mailing.action_launch()
        keep = patch.object(self.env.registry["mail.mail"], "send", lambda *_, **__: 0)
        with keep:
            self.run_job("mass_mailing.ir_cron_mass_mailing_queue")
        [mail] = self.env["mail.mail"].search([("mailing_id", "=", mailing.id)])
        mail.write({"made_in_bulk": False})  # nobody may
        mailing.sudo().unlink()
        self.env.invalidate_all()
        self.assertFalse(mail.mailing_id)
        with self.sending():
            self.send_queue()
        self.assertEqual(self.one_received().login, "relay-a")

    @source("Mailing to contacts of no company", "mass_mailing")
    def test_mailing_to_list_leaves_through_company_of_its_responsible(self):
        contacts = self.env["mailing.list"].create(
            {
                "name": "List",
                "contact_ids": [
                    Command.create({"name": "C", "email": "c@customer.example"})
                ],
            }
        )
        mailing = self.mailing(
            mailing_model_id=self.env.ref("mass_mailing.model_mailing_list").id,
            mailing_domain=[("list_ids", "in", contacts.ids)],
            contact_list_ids=contacts.ids,
            email_from="press@elsewhere.example",
        )
        decisions = self.launch(mailing)
        self.assertEqual(self.one_received().login, "relay-a")
        return self.outcome(
            decisions, None, self.company_a, NOBODY, of="the responsible's"
        )

    @source("Mailing with a dedicated server", "mass_mailing")
    def test_mailing_with_dedicated_server_leaves_through_it(self):
        params = self.env["ir.config_parameter"]
        params.set_param("mass_mailing.outgoing_mail_server", True)
        params.set_param("mass_mailing.mail_server_id", self.shared.id)
        decisions = self.launch(self.mailing())
        received = self.one_received()
        self.assertEqual(received.login, "shared")
        self.assertEqual(received.header("From"), "Anna <anna@a.example>")
        return self.outcome(
            decisions, None, self.company_a, NOBODY, of="the recipient's"
        )

    @source("Test of a mailing", "mass_mailing")
    def test_test_of_mailing_leaves_through_company_not_the_mailbox(self):
        mailing = self.mailing(email_from=f'"News" <{MAILBOX}>')
        # the first record of all is the sample
        self.customer_a.name = "0 Sample"
        wizard = self.env["mailing.mailing.test"].with_env(mailing.env)
        wizard = wizard.create(
            {"email_to": "test@customer.example", "mass_mailing_id": mailing.id}
        )
        with self.watching() as decisions:
            wizard.send_mail_test()
        self.assertRoute(
            self.one_received(),
            "relay-a",
            "News <notifications@a.example>",
            "bounce@a.example",
        )
        return self.outcome(decisions, None, self.company_a, NOBODY, of="the sample's")

    @source("Figures of a mailing after a day", "mass_mailing")
    def test_figures_of_mailing_leave_through_company_as_its_responsible(self):
        mailing = self.mailing()
        self.launch(mailing)
        self.forget_received()
        self.env["ir.config_parameter"].set_param(
            "mass_mailing.mass_mailing_reports", True
        )
        self.let_pass(mailing, "sent_date", days=2)
        self.run_job("mass_mailing.ir_cron_mass_mailing_queue")
        with self.watching() as decisions:
            self.send_queue()
        self.assertRoute(
            self.one_received(),
            "relay-a",
            "Anna <anna@a.example>",
            "bounce@a.example",
        )
        return self.outcome(
            decisions,
            self.anna,
            self.company_a,
            "its responsible",
            of="the responsible's",
        )
