from datetime import timedelta

from odoo import fields
from odoo.fields import Command
from odoo.tests import Form, HttpCase, tagged

from .sources import NOBODY, SourceCase, source

CUSTOMER = "paul@customer.example"
MAILBOX = "office@mailbox.example"
PIXEL = "R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="


@tagged("post_install", "-at_install")
class TestSaleSources(SourceCase, HttpCase):
    """A quotation of Anna's, whose template has the salesperson in From."""

    def order(self, salesperson=None):
        self.require("sale_management", "portal")
        (self.anna + self.ben).group_ids += self.env.ref(
            "sales_team.group_sale_salesman_all_leads"
        )
        product = self.env["product.product"].create({"name": "P", "list_price": 1})
        customer = self.portal_user.partner_id
        return (
            self.env["sale.order"]
            .with_company(self.company_a)
            .create(
                {
                    "partner_id": customer.id,
                    "company_id": self.company_a.id,
                    "user_id": (salesperson or self.anna).id,
                    "require_signature": True,
                    "require_payment": False,
                    "order_line": [Command.create({"product_id": product.id})],
                }
            )
        )

    def send_by_email(self, order, user):
        """The button of a quotation, and the one of the composer that it opens."""
        order = self.as_user(user, order)
        action = order.action_quotation_send()
        form = Form(
            self.env[action["res_model"]]
            .with_env(order.env)
            .with_context(**action["context"])
        )
        form.save().action_send_mail()

    def order_outcome(self, decisions, sender, sent_for):
        return self.outcome(decisions, sender, self.company_a, sent_for)

    @source("Quotation sent by an assistant", "sale_management")
    def test_quotation_by_assistant_leaves_through_company_as_salesperson(self):
        order = self.order()
        with self.watching() as decisions:
            self.send_by_email(order, self.ben)
        self.assertRoute(
            self.mail_to(CUSTOMER),
            "relay-a",
            "Anna <anna@a.example>",
            "bounce@a.example",
        )
        return self.order_outcome(decisions, self.ben, "who sends")

    @source("Quotation sent by an assistant who may", "sale_management")
    def test_quotation_by_assistant_leaves_through_lent_mailbox(self):
        self.mailbox.delegation = "colleagues"
        order = self.order()
        with self.watching() as decisions:
            self.send_by_email(order, self.ben)
        self.assertRoute(self.mail_to(CUSTOMER), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.order_outcome(decisions, self.ben, "who sends")

    @source("Quotation sent by its salesperson", "sale_management")
    def test_quotation_by_salesperson_leaves_through_their_mailbox(self):
        order = self.order()
        with self.watching() as decisions:
            self.send_by_email(order, self.anna)
        self.assertRoute(self.mail_to(CUSTOMER), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.order_outcome(decisions, self.anna, "who sends")

    @source("Message of a portal customer", "sale_management")
    def test_portal_customer_is_passed_on_through_company(self):
        order = self.order(self.ben)
        order.message_subscribe(self.ben.partner_id.ids)
        order._portal_ensure_token()
        self.authenticate("paul", "paul")
        with self.watching() as decisions:
            self.make_jsonrpc_request(
                "/mail/message/post",
                {
                    "thread_model": order._name,
                    "thread_id": order.id,
                    "post_data": {
                        "body": "Hello",
                        "message_type": "comment",
                        "subtype_xmlid": "mail.mt_comment",
                    },
                    "token": order.access_token,
                },
            )
        self.assertRoute(
            self.one_received(),
            "relay-a",
            "Paul <notifications@a.example>",
            "bounce@a.example",
        )
        return self.order_outcome(decisions, None, NOBODY)

    @source("Confirmation of an order signed on the portal", "sale_management")
    def test_signed_order_is_confirmed_through_company_as_salesperson(self):
        order = self.order()
        order.action_quotation_sent()
        order._portal_ensure_token()
        self.authenticate(None, None)
        with self.watching() as decisions:
            self.make_jsonrpc_request(
                f"/my/orders/{order.id}/accept",
                {
                    "access_token": order.access_token,
                    "name": "Paul",
                    "signature": PIXEL,
                },
            )
        self.assertRoute(
            self.mail_to(CUSTOMER),
            "relay-a",
            "Anna <anna@a.example>",
            "bounce@a.example",
        )
        return self.order_outcome(decisions, self.anna, "whom its From names")

    @source("Sharing a document", "sale_management")
    def test_shared_document_leaves_through_mailbox_of_who_shares(self):
        order = self.order(self.ben)
        wizard = (
            self.as_user(self.anna, self.env["portal.share"])
            .with_context(active_model="sale.order", active_id=order.id)
            .create({"partner_ids": self.customer_a.ids})
        )
        with self.watching() as decisions:
            wizard.action_send_mail()
        self.assertRoute(self.one_received(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.order_outcome(decisions, self.anna, "who sends")


@tagged("post_install", "-at_install")
class TestInvoiceSources(SourceCase):
    """Invoices of Anna's, sent from company A and by a scheduled action."""

    def invoice(self):
        self.require("account")
        company = self.company_a
        charts = self.env["account.chart.template"].with_company(company)
        charts.try_loading("generic_coa", company=company, install_demo=False)
        (self.anna + self.ben).group_ids += self.env.ref(
            "account.group_account_invoice"
        )
        invoice = (
            self.env["account.move"]
            .with_company(company)
            .create(
                {
                    "move_type": "out_invoice",
                    "partner_id": self.customer_a.id,
                    "invoice_user_id": self.anna.id,
                    "invoice_date": fields.Date.today(),
                    "invoice_line_ids": [
                        Command.create({"name": "P", "price_unit": 1, "tax_ids": False})
                    ],
                }
            )
        )
        invoice.action_post()
        return self.as_user(self.ben, invoice)

    def invoice_outcome(self, decisions, sender, sent_for):
        return self.outcome(decisions, sender, self.company_a, sent_for)

    @source("Invoice sent by a colleague", "account")
    def test_invoice_by_colleague_leaves_through_company_as_salesperson(self):
        invoice = self.invoice()
        action = invoice.action_invoice_sent()
        wizard = self.env[action["res_model"]].with_env(invoice.env)
        with self.watching() as decisions:
            wizard.with_context(**action["context"]).create({}).action_send_and_print()
        self.assertRoute(
            self.mail_to(self.customer_a.email),
            "relay-a",
            "Anna <anna@a.example>",
            "bounce@a.example",
        )
        return self.invoice_outcome(decisions, self.ben, "who sends")

    @source("Invoices sent by a scheduled action", "account")
    def test_invoice_of_scheduled_action_leaves_through_company(self):
        invoice = self.invoice()
        other = invoice.copy(
            {"invoice_date": fields.Date.today(), "invoice_user_id": self.anna.id}
        )
        other.action_post()
        invoices = invoice + other
        self.env["account.move.send.batch.wizard"].with_env(invoice.env).with_context(
            active_model="account.move", active_ids=invoices.ids
        ).create({}).action_send_and_print()
        self.forget_queue()
        with self.watching() as decisions:
            self.run_job("account.ir_cron_account_move_send")
            self.send_queue()
        to_customer = [
            mail for mail in self.received() if self.customer_a.email in mail.rcpt_tos
        ]
        self.assertEqual(len(to_customer), 2, self.received())
        for received in self.received():
            self.assertRoute(
                received,
                "relay-a",
                "Anna <anna@a.example>",
                "bounce@a.example",
            )
        return self.invoice_outcome(decisions, self.anna, "whom its From names")


@tagged("post_install", "-at_install")
class TestCalendarSources(SourceCase):
    """Meetings, which belong to no company."""

    def meeting(self, organizer, **values):
        self.require("calendar")
        start = fields.Datetime.now() + timedelta(minutes=30)
        return self.as_user(organizer, self.env["calendar.event"]).create(
            {
                "name": "Meeting",
                "start": start,
                "stop": start + timedelta(hours=1),
                "partner_ids": [Command.set(self.customer_a.ids)],
                **values,
            }
        )

    @source("Invitation to a meeting", "calendar")
    def test_invitation_leaves_through_mailbox_of_organizer(self):
        with self.watching() as decisions:
            self.meeting(self.anna)
        self.assertRoute(self.one_received(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.outcome(
            decisions, self.anna, self.company_a, "who sends", of="the organizer's"
        )

    @source("Reminder of a meeting", "calendar")
    def test_reminder_leaves_through_company_of_organizer(self):
        alarm = self.env["calendar.alarm"].create(
            {
                "name": "Reminder",
                "alarm_type": "email",
                "interval": "hours",
                "duration": 1,
                "mail_template_id": self.env.ref(
                    "calendar.calendar_template_meeting_reminder"
                ).id,
            }
        )
        self.meeting(self.ben, alarm_ids=[Command.set(alarm.ids)])
        self.forget_queue()
        job = self.env.ref("calendar.ir_cron_scheduler_alarm")
        job.lastcall = fields.Datetime.now() - timedelta(hours=1)
        with self.watching() as decisions:
            self.run_job("calendar.ir_cron_scheduler_alarm")
            self.send_queue()
        self.assertRoute(
            self.mail_to(self.customer_a.email),
            "relay-a",
            "Ben <ben@a.example>",
            "bounce@a.example",
        )
        return self.outcome(
            decisions, self.ben, self.company_a, "its organizer", of="the organizer's"
        )

    def test_event_is_its_organizers_companys_whatever_is_open(self):
        self.relay_b.company_ids = self.company_b
        bert = self._create_user("bert", self.company_b, email="bert@b.example")
        root = self.env.ref("base.user_root")
        a, b = self.company_a, self.company_b
        for name, maker, organizer, opened, login in (
            ("in a colleague's name, by a job", root, bert, a, "relay-b"),
            ("with another company open", self.clara, self.clara, b, "relay-a"),
            ("by somebody of another company", self.ben, bert, b, "relay-a"),
        ):
            with self.subTest(name):
                self.forget_received()
                values = {"user_id": organizer.id, "partner_ids": []}
                event = self.meeting(maker, **values).with_company(opened)
                with self.sending():
                    event.sudo().message_notify(
                        body="Moved",
                        partner_ids=self.customer_a.ids,
                        email_from="somebody@elsewhere.example",
                    )
                    self.send_queue()
                self.assertEqual(self.mail_to(self.customer_a.email).login, login)
