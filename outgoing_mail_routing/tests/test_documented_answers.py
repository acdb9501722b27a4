from odoo.tests import tagged

from .common import RoutingCase

ACCOUNT = "office@account.example"


@tagged("post_install", "-at_install")
class TestDocumentedAnswers(RoutingCase):
    """What the README advises against refusals of an account that sends as itself only.

    Microsoft 365, Gmail and others compare From and envelope sender with the login.
    """

    def setUp(self):
        super().setUp()
        self.anna.own_mail_server_ids = False
        (self.company_a | self.company_b).mail_server_ids = False
        self.env["ir.mail_server"].search([]).active = False
        self.account = self._create_server(ACCOUNT)

    def test_account_assigned_to_company_sends_as_itself_only(self):
        self.company_a.mail_server_ids = self.account
        self.assertRoute(
            self.post(self.ben, self.customer_a),
            ACCOUNT,
            f"Ben <{ACCOUNT}>",
            ACCOUNT,
            "Ben <catchall@a.example>",
        )

    def test_account_assigned_to_nobody_needs_two_policies(self):
        received = self.post(self.ben, self.customer_a)
        self.assertRoute(
            received, ACCOUNT, "Ben <notifications@a.example>", "bounce@a.example"
        )
        self.forget_received()
        self.account.write({"from_policy": "login", "bounce_policy": "from"})
        self.assertRoute(
            self.post(self.ben, self.customer_a), ACCOUNT, f"Ben <{ACCOUNT}>", ACCOUNT
        )

    def test_account_sends_as_aliases_in_its_filter_and_as_nothing_else(self):
        self.anna.own_mail_server_ids = self.account
        self.account.from_filter = f"{ACCOUNT}, sales@a.example"
        cases = (
            ("Sales <sales@a.example>", "Sales <sales@a.example>", "sales@a.example"),
            (None, f"Anna <{ACCOUNT}>", ACCOUNT),
        )
        for email_from, sent_from, envelope in cases:
            with self.subTest(email_from=email_from):
                self.forget_received()
                received = self.post(self.anna, self.customer_a, email_from=email_from)
                self.assertRoute(received, ACCOUNT, sent_from, envelope)

    def test_account_of_several_users_keeps_the_name_of_who_wrote(self):
        self.account.own_user_ids = self.anna | self.ben
        for user in self.account.own_user_ids:
            with self.subTest(user=user.name):
                self.forget_received()
                received = self.post(user, self.customer_a)
                self.assertRoute(received, ACCOUNT, f"{user.name} <{ACCOUNT}>", ACCOUNT)

    def test_record_of_no_company_counts_for_the_company_that_is_open(self):
        self.relay_a.active = self.relay_b.active = True
        self.company_a.mail_server_ids = self.relay_a
        self.company_b.mail_server_ids = self.relay_b
        shared = self.customer_a.copy(
            {"company_id": False, "email": "shared@customer.example"}
        )
        for company, login in (
            (self.company_a, "relay-a"),
            (self.company_b, "relay-b"),
        ):
            with self.subTest(company=company.name):
                self.forget_received()
                opened = company + (self.company_a + self.company_b - company)
                record = shared.with_context(allowed_company_ids=opened.ids)
                self.assertEqual(self.post(self.clara, record).login, login)
