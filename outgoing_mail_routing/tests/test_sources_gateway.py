from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .sources import NOBODY, SourceCase, source

MAILBOX = "office@mailbox.example"


class GatewayCase(SourceCase):
    """A message on a customer of A, and mail that comes in by Ada's account."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        marketing = cls.env.ref(
            "mass_mailing.group_mass_mailing_user", raise_if_not_found=False
        )
        cls.ada.group_ids += marketing or cls.env["res.groups"]
        cls.message = cls.customer_a.with_user(cls.anna).message_post(
            body="Hello", message_type="comment", subtype_xmlid="mail.mt_comment"
        )
        cls.customer_a.message_subscribe(cls.ben.partner_id.ids)

    def receive(self, email_from, email_to="catchall@a.example", answer=True):
        """A mail reaches the gateway that Ada's account feeds, and she has no part."""
        threads = self.as_user(self.ada, self.env["mail.thread"])
        references = self.message.message_id if answer else "<elsewhere@c.example>"
        threads.message_process(
            None,
            f"From: {email_from}\r\nTo: {email_to}\r\nSubject: Re: Hello\r\n"
            f"Message-ID: <incoming@c.example>\r\nReferences: {references}\r\n"
            "Content-Type: text/plain\r\n\r\nAn answer\r\n",
        )


@tagged("post_install", "-at_install")
class TestGatewaySources(GatewayCase):
    """Mail that comes in makes Odoo send mail: to followers, and back."""

    @source("Customer's mail to followers")
    def test_customers_mail_keeps_the_name_and_leaves_through_company(self):
        with self.watching() as decisions:
            self.receive('"Customer" <customer.a@customer.example>')
        for received in self.received():
            self.assertRoute(
                received,
                "relay-a",
                "Customer <notifications@a.example>",
                "bounce@a.example",
            )
            self.assertIn("catchall@a.example", received.header("Reply-To"))
        self.assertIn(
            ("ben@a.example",), [received.rcpt_tos for received in self.received()]
        )
        return self.outcome(decisions, None, self.company_a, NOBODY)

    @source("Colleague's mail to followers")
    def test_colleagues_mail_leaves_through_company(self):
        """Anybody can write her address into From: it is not known to be hers."""
        with self.watching() as decisions:
            self.receive('"Anna" <anna@a.example>')
        self.assertRoute(
            *(self.one_received(), "relay-a"),
            *("Anna <anna@a.example>", "bounce@a.example"),
        )
        return self.outcome(decisions, None, self.company_a, NOBODY)

    @source("Out-of-office reply to a customer")
    def test_absent_user_answers_customer_through_company(self):
        self.customer_a.message_unsubscribe(self.ben.partner_id.ids)
        self.anna.write(
            {
                "notification_type": "inbox",
                "out_of_office_from": fields.Datetime.now() - timedelta(days=1),
                "out_of_office_message": "<p>Away</p>",
            }
        )
        with self.watching() as decisions:
            self.receive('"Customer" <customer.a@customer.example>')
        received = self.one_received()
        self.assertRoute(
            received,
            "relay-a",
            "Anna <anna@a.example>",
            "bounce@a.example",
        )
        self.assertEqual(received.header("Auto-Submitted"), "auto-replied")
        self.assertEqual(received.rcpt_tos, ("customer.a@customer.example",))
        return self.outcome(decisions, self.anna, self.company_a, "who is away")

    def bounce_outcome(self, decisions):
        self.assertRoute(
            self.one_received(),
            "relay-a",
            "MAILER-DAEMON <bounce@a.example>",
            "bounce@a.example",
        )
        return self.outcome(
            decisions, None, self.company_a, NOBODY, of="that written to"
        )

    @source("Bounce of mail to the catchall address")
    def test_bounce_avoids_mailbox_of_the_gateways_account(self):
        with self.watching() as decisions:
            self.receive("stranger@customer.example", answer=False)
        return self.bounce_outcome(decisions)

    @source("Bounce of mail to an alias that refuses it")
    def test_bounce_of_alias_avoids_mailbox_of_the_gateways_account(self):
        self.env["mail.alias"].create(
            {
                "alias_name": "partners",
                "alias_domain_id": self.company_a.alias_domain_id.id,
                "alias_contact": "partners",
                "alias_model_id": self.env.ref("base.model_res_partner").id,
            }
        )
        with self.watching() as decisions:
            self.receive(
                "stranger@customer.example", "partners@a.example", answer=False
            )
        return self.bounce_outcome(decisions)


@tagged("post_install", "-at_install")
class TestWrittenTo(GatewayCase):
    """What goes back to a stranger is of the company that they wrote to."""

    def _alias(self, domain):
        self.env["mail.alias"].create(
            {
                "alias_name": "partners",
                "alias_domain_id": domain.id,
                "alias_contact": "partners",
                "alias_model_id": self.env.ref("base.model_res_partner").id,
            }
        )

    def _bounce(self, email_to):
        self.forget_received()
        with self.sending():
            self.receive("stranger@customer.example", email_to, answer=False)
        return self.one_received()

    def test_bounce_leaves_as_the_company_written_to(self):
        self._alias(self.company_b.alias_domain_id)
        self.relay_b.company_ids = self.company_b
        for email_to in (
            "catchall@b.example",
            "partners@b.example",
            '"B" <Partners@B.Example>, "Else" <x@elsewhere.example>',
        ):
            with self.subTest(to=email_to):
                self.assertRoute(
                    self._bounce(email_to),
                    "relay-b",
                    "MAILER-DAEMON <bounce@b.example>",
                    "bounce@b.example",
                )

    def test_bounce_of_a_domain_of_several_companies_is_the_gateways(self):
        self.company_a.alias_domain_id = self.company_b.alias_domain_id
        with self.watching() as decisions:
            self.receive(
                "stranger@customer.example", "catchall@b.example", answer=False
            )
        self.assertEqual(
            {request.company.id for request, _decision in decisions},
            {self.company_a.id},
        )


@tagged("post_install", "-at_install")
class TestDirectSources(SourceCase):
    """What other code hands to the mail server itself."""

    @source("Message handed to ir.mail_server.send_email")
    def test_direct_message_leaves_through_mailbox_of_the_caller(self):
        servers = self.as_user(self.anna, self.env["ir.mail_server"]).sudo()
        message = servers._build_email__(
            self.anna.email_formatted, ["x@customer.example"], "Hello", "Hello"
        )
        with self.watching() as decisions:
            servers.send_email(message)
        received = self.one_received()
        self.assertRoute(received, MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
        return self.outcome(
            decisions, self.anna, self.company_a, "who calls it", of="the sender's"
        )
