from datetime import timedelta

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from .sources import NOBODY, SourceCase, source

MAILBOX = "office@mailbox.example"


@tagged("post_install", "-at_install")
class TestScheduledSources(SourceCase):
    """What people wrote, and scheduled actions send later."""

    @source("Scheduled message")
    def test_scheduled_message_leaves_through_mailbox_of_who_wrote_it(self):
        scheduled = (
            self.env["mail.scheduled.message"]
            .with_user(self.anna)
            .create(
                {
                    "model": "res.partner",
                    "res_id": self.customer_a.id,
                    "author_id": self.anna.partner_id.id,
                    "body": "Hello",
                    "partner_ids": self.customer_a.ids,
                    "scheduled_date": fields.Datetime.now() + timedelta(hours=1),
                }
            )
        )
        self.let_pass(scheduled, "scheduled_date", hours=2)
        with self.watching() as decisions:
            self.run_job("mail.ir_cron_post_scheduled_message")
        self.assertRoute(self.one_received(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.outcome(decisions, self.anna, self.company_a, "who wrote it")

    @source("Message with a later notification")
    def test_later_notification_leaves_through_company_of_the_record(self):
        message = self.customer_b.with_user(self.clara).message_post(
            body="Hello",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            partner_ids=self.customer_b.ids,
            scheduled_date=fields.Datetime.now() + timedelta(hours=1),
        )
        self.assertFalse(message.sudo().mail_ids)
        schedule = self.env["mail.message.schedule"].search(
            [("mail_message_id", "=", message.id)]
        )
        self.let_pass(schedule, "scheduled_datetime", hours=2)
        with self.watching() as decisions:
            self.run_job("mail.ir_cron_send_scheduled_message")
            self.send_queue()
        self.assertRoute(
            self.one_received(),
            "relay-b",
            "Clara <notifications@b.example>",
            "bounce@b.example",
        )
        return self.outcome(decisions, self.clara, self.company_b, "who wrote it")


@tagged("post_install", "-at_install")
class TestTemplateSources(SourceCase):
    """Templates that code, server actions and automations send."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partner_model = cls.env.ref("base.model_res_partner")
        cls.template = cls.env["mail.template"].create(
            {
                "name": "Template",
                "model_id": cls.partner_model.id,
                "email_from": '"Shop" <shop@shop.example>',
                "partner_to": "{{ object.id }}",
                "subject": "Template",
                "body_html": "<p>Template</p>",
            }
        )
        cls.customers = cls.customer_a + cls.customer_b

    def server_action(self, method="email", **values):
        """A server action that sends the template."""
        return self.env["ir.actions.server"].create(
            {
                "name": "Send",
                "model_id": self.partner_model.id,
                "state": "mail_post",
                "mail_post_method": method,
                "template_id": self.template.id,
                **values,
            }
        )

    def automation(self, method="email", **values):
        """An automation rule that sends the template to the customers."""
        self.require("base_automation")
        action = self.server_action(method, usage="base_automation")
        return self.env["base.automation"].create(
            {
                "name": "Automation",
                "model_id": self.partner_model.id,
                "filter_domain": [("id", "in", self.customers.ids)],
                "action_server_ids": [Command.set(action.ids)],
                **values,
            }
        )

    @source("Template sent by code")
    def test_template_leaves_through_company_of_the_record(self):
        self.template.email_from = "{{ user.email_formatted }}"
        self.template.with_user(self.clara).sudo().send_mail(self.customer_b.id)
        with self.watching() as decisions:
            self.send_queue()
        self.assertRoute(
            self.one_received(),
            "relay-b",
            "Clara <notifications@b.example>",
            "bounce@b.example",
        )
        return self.outcome(decisions, self.clara, self.company_b, "who sends")

    def test_batch_of_templates_leaves_through_company_of_each_record(self):
        self.template.email_from = "{{ user.email_formatted }}"
        mails = self.template.with_user(self.clara).sudo()
        mails.send_mail_batch(self.customers.ids)
        with self.sending():
            self.send_queue()
        self.assertEqual(
            sorted((mail.login, *mail.rcpt_tos) for mail in self.received()),
            [
                ("relay-a", "customer.a@customer.example"),
                ("relay-b", "customer.b@customer.example"),
            ],
        )

    @source("Server action that sends a template")
    def test_server_action_of_template_with_from_leaves_through_shop(self):
        action = self.server_action().with_user(self.anna)
        action.sudo().with_context(
            active_model="res.partner", active_id=self.customer_a.id
        ).run()
        with self.watching() as decisions:
            self.send_queue()
        received = self.one_received()
        self.assertEqual(received.login, "shop")
        self.assertEqual(received.header("From"), "Shop <shop@shop.example>")
        return self.outcome(decisions, self.anna, self.company_a, "who runs it")

    @source("Server action that posts a template")
    def test_server_action_that_posts_leaves_through_mailbox_of_who_runs_it(self):
        self.template.email_from = "{{ user.email_formatted }}"
        action = self.server_action("comment").with_user(self.anna)
        with self.watching() as decisions:
            action.sudo().with_context(
                active_model="res.partner", active_id=self.customer_a.id
            ).run()
            self.send_queue()
        self.assertRoute(self.one_received(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.outcome(decisions, self.anna, self.company_a, "who runs it")

    @source("Automation after a change", "base_automation")
    def test_automation_after_change_leaves_through_mailbox_of_who_changed(self):
        self.template.email_from = "{{ user.email_formatted }}"
        self.automation(
            trigger="on_create_or_write",
            trigger_field_ids=[
                Command.set(self.env.ref("base.field_res_partner__comment").ids)
            ],
        )
        self.customer_a.with_user(self.anna).comment = "Changed"
        with self.watching() as decisions:
            self.send_queue()
        self.assertRoute(self.one_received(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.outcome(
            decisions, self.anna, self.company_a, "who changed the document"
        )

    def timed(self, email_from, method="email"):
        """Let the scheduled action of timed automations run over customer B."""
        self.template.email_from = email_from
        automation = self.automation(
            method,
            trigger="on_time_created",
            trg_date_range=1,
            trg_date_range_type="hour",
            trg_date_range_mode="after",
            filter_domain=[("id", "=", self.customer_b.id)],
        )
        self.let_pass(self.customer_b, "create_date", hours=2)
        self.let_pass(automation, "last_run", hours=3)
        self.run_job("base_automation.ir_cron_data_base_automation_check")

    @source("Automation at a time", "base_automation")
    def test_timed_automation_leaves_through_company_of_the_record(self):
        self.timed("{{ object.company_id.email_formatted }}")
        with self.watching() as decisions:
            self.send_queue()
        self.assertRoute(
            self.one_received(), "relay-b", "B <info@b.example>", "bounce@b.example"
        )
        return self.outcome(decisions, None, self.company_b, NOBODY)

    @source("Automation at a time that posts", "base_automation")
    def test_timed_automation_that_posts_leaves_through_company(self):
        self.customer_b.user_id = self.bea
        self.timed("{{ object.user_id.email_formatted }}", method="comment")
        with self.watching() as decisions:
            self.send_queue()
        self.assertRoute(
            self.one_received(),
            "relay-b",
            "Bea <bea@b.example>",
            "bounce@b.example",
        )
        return self.outcome(decisions, self.bea, self.company_b, "whom its From names")
