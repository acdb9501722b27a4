"""What can go wrong is told where it is caused, and nothing where nothing can."""

from odoo.tests import tagged

from .common import RoutingCase
from .test_security_senders import MAILBOX


class WarningCase(RoutingCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._create_administrator()
        cls.env["fetchmail.server"].search([]).active = False
        cls.env["mail.message"].search([("message_type", "=", "email")]).unlink()

    def warning(self, record):
        """What a form warns an administrator of."""
        self.env.invalidate_all()
        record = record.with_user(self.administrator)
        servers = record._name == "ir.mail_server"
        name = "routing_warning" if servers else "mail_routing_warning"
        return record[name] or ""

    def incoming(self, **values):
        return self.env["fetchmail.server"].create(
            {"name": "Incoming", "server_type": "local", **values}
        )


@tagged("post_install", "-at_install")
class TestServerWarnings(WarningCase):
    def test_mailbox_that_is_nobodys_is_everybodys(self):
        sentence = f"anybody's mail may leave through the mailbox {MAILBOX}"
        self.mailbox.write({"own_user_ids": False, "reserved": False})
        self.assertIn(sentence, self.warning(self.mailbox))
        overview = self.env["mail.routing.overview"].with_user(self.administrator)
        issues = [
            issue["message"]
            for card in overview.get_overview()["others"]
            if card["server_ids"] == self.mailbox.ids
            for issue in card["issues"]
        ]
        self.assertTrue([issue for issue in issues if sentence in issue])
        for name, values in {
            "reserved": {"reserved": True},
            "filter": {"from_filter": MAILBOX, "reserved": False},
            "a key": {"from_filter": False, "smtp_user": "apikey"},
        }.items():
            with self.subTest(name):
                self.mailbox.write(values)
                self.assertNotIn(sentence, self.warning(self.mailbox))
        self.assertNotIn("may leave", self.warning(self.shared), "its login is a key")

    def test_custom_replies_that_nobody_collects(self):
        self.mailbox.write(
            {"reply_to_policy": "custom", "reply_to_email": "back@a.example"}
        )
        sentence = "Answers go to back@a.example, which no incoming mail server"
        self.assertIn(sentence, self.warning(self.mailbox))
        self.incoming(user="back@a.example")
        self.assertNotIn(sentence, self.warning(self.mailbox))

    def test_bounces_that_nobody_collects(self):
        sentence = f"Bounces go to {MAILBOX}, which no incoming mail server collects"
        self.assertIn(sentence, self.warning(self.mailbox))
        self.assertNotIn("Bounces", self.warning(self.relay_a), "its filter admits B")
        for name, values in {
            "Odoo's": {"bounce_policy": "odoo"},
            "admitted": {"bounce_policy": "auto", "from_policy": "any"},
        }.items():
            with self.subTest(name):
                self.mailbox.write(values)
                self.assertNotIn("Bounces", self.warning(self.mailbox))
        self.mailbox.write({"bounce_policy": "from", "from_policy": "auto"})
        self.assertIn(sentence, self.warning(self.mailbox))
        self.incoming(user=MAILBOX)
        self.assertNotIn("Bounces", self.warning(self.mailbox))


@tagged("post_install", "-at_install")
class TestCompanyWarnings(WarningCase):
    def test_address_that_nobody_gave(self):
        self.company_a.email = "info@elsewhere.example"
        self.company_a.alias_domain_id.default_from = "news@third.example"
        self.relay_a.from_filter = "relay.example"
        warning = self.warning(self.company_a)
        self.assertIn(
            "“Relay-a” sends mail of info@elsewhere.example as "
            "notifications@relay.example, an address that nobody gave it.",
            warning,
        )
        self.relay_a.sender_email = "office@relay.example"
        self.assertNotIn("nobody gave", self.warning(self.company_a))


@tagged("post_install", "-at_install")
class TestAnswers(WarningCase):
    """Answers reach Odoo where something is known to bring them in."""

    def summary(self):
        self.env.invalidate_all()
        return self.ben.with_user(self.ben).outgoing_mail_summary

    def test_answers_to_odoos_address_reach_it_where_something_fetches_them(self):
        lost = "answers go to catchall@a.example"
        reached = "answers to catchall@a.example reach Odoo"
        self.assertIn(lost, self.summary())
        self.assertIn("catchall@a.example", self.ben.uncollected_replies_warning)
        private = self.incoming(replies_only=True, server_type="imap", state="done")
        self.assertIn(lost, self.summary(), "it takes answers to one mailbox only")
        private.active = False
        whole = self.incoming()
        self.assertIn(reached, self.summary())
        whole.active = False
        self.assertIn(lost, self.summary())
        self.customer_a.message_post(body="Hello", message_type="email")
        self.assertIn(reached, self.summary(), "one came in, by whatever way")


@tagged("post_install", "-at_install")
class TestNothingConfigured(WarningCase):
    def test_nothing_is_warned_of_where_nothing_changes(self):
        self.env["ir.mail_server"].search([]).write(
            {
                "own_user_ids": False,
                "default_company_ids": False,
                "reserved": False,
            }
        )
        self.assertFalse(self.env["ir.mail_server"]._is_configured())
        for record in (self.mailbox, self.shared, self.company_a, self.anna):
            with self.subTest(record):
                self.assertFalse(self.warning(record))
        self.assertFalse(self.ben.with_user(self.ben).uncollected_replies_warning)
        settings = self.env["res.config.settings"].with_user(self.administrator)
        settings = settings.new({"company_id": self.company_a.id})
        self.assertFalse(settings.mail_routing_warning)
