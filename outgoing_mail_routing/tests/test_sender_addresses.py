"""What a server may send as where its form leaves it open; what an address is."""

from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..bridge.directory_source import DirectorySource
from .common import RoutingCase

RELAY_LOGINS = ("AKIAIOSFODNN7EXAMPLE", "apikey", False)
NO_FILTERS = {
    "corp.example;other.example": "commas",
    "corp.example other.example": "commas",
    "*.corp.example": "wildcards",
    "http://corp.example": "without a link",
    "corp.example.": "dot",
    ".corp.example": "dot",
    "@corp.example": "Leave out the @",
    "corp": None,
    "a.example, corp..example": "such as example.com",
    "<info@corp.example>": "such as example.com",
}


@tagged("post_install", "-at_install")
class TestRelayWithoutFilter(RoutingCase):
    """A relay of a company, whose login is a key, sends as nobody else's domain."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company_a.email = "info@a-shop.example"
        cls.relay_a.from_filter = False
        cls.visitor = cls._create_user(
            "vera", cls.company_a, email="vera@elsewhere.example"
        )

    def _header_from(self, user, **values):
        self.forget_received()
        received = self.post(user, self.customer_a, **values)
        self.assertEqual(received.login, "relay-a")
        return received.header("From")

    def test_addresses_of_others_are_never_sent_as(self):
        for user, values, expected in (
            (self.ben, {}, "Ben <ben@a.example>"),
            (self.visitor, {}, "Vera <notifications@a.example>"),
            (
                self.ben,
                {"email_from": '"Shop" <shop@a-shop.example>'},
                "Shop <shop@a-shop.example>",
            ),
        ):
            with self.subTest(user=user.name, **values):
                self.assertEqual(self._header_from(user, **values), expected)

    def test_customer_in_the_portal_is_no_sender_of_the_relay(self):
        self.customer_a.message_subscribe(self.ben.partner_id.ids)
        with self.sending():
            self._message_post(
                self.customer_a.with_user(self.portal_user).sudo(),
                author_id=self.portal_user.partner_id.id,
                partner_ids=self.ben.partner_id.ids,
            )
        received = self.mail_to(self.ben.email)
        self.assertEqual(received.header("From"), "Paul <notifications@a.example>")

    def test_address_of_the_company_stands_in_where_it_has_no_domain(self):
        self.company_a.alias_domain_id = False
        self.assertEqual(self._header_from(self.visitor), "Vera <info@a-shop.example>")

    def test_branch_sends_as_its_own_domain_through_its_parents_relay(self):
        domain = self.env["mail.alias.domain"].create({"name": "branch.example"})
        branch = self.env["res.company"].create(
            {
                "name": "Branch",
                "parent_id": self.company_a.id,
                "alias_domain_id": domain.id,
            }
        )
        bruno = self._create_user("bruno", branch, email="bruno@branch.example")
        received = self.post(bruno, self._create_customer(branch))
        self.assertEqual(received.login, "relay-a")
        self.assertEqual(received.header("From"), "Bruno <bruno@branch.example>")

    def test_policy_set_by_hand_and_changed_domains_count_at_once(self):
        self.relay_a.from_policy = "any"
        self.assertEqual(
            self._header_from(self.visitor), "Vera <vera@elsewhere.example>"
        )
        self.relay_a.from_policy = "auto"
        self.assertEqual(
            self._header_from(self.visitor), "Vera <notifications@a.example>"
        )
        self.company_a.email = "info@elsewhere.example"
        self.assertEqual(
            self._header_from(self.visitor), "Vera <vera@elsewhere.example>"
        )

    def test_login_that_is_no_address_is_no_sender_address(self):
        mail = self.queue(self.visitor, self.customer_a)
        for login in RELAY_LOGINS:
            with self.subTest(login):
                self.relay_a.smtp_user = login
                self.assertFalse(self.relay_a.sender_email)
                route = mail._get_mail_routes()[mail.id]
                self.assertEqual(route.mail_server, self.relay_a)
                self.assertEqual(route.email_from, "Vera <notifications@a.example>")

    def test_form_asks_for_a_filter(self):
        self.assertIn("no FROM filter", self.relay_a.routing_warning)
        self.assertIn("a-shop.example, a.example", self.relay_a.routing_warning)
        self.relay_a.from_filter = "a.example"
        self.assertFalse(self.relay_a.routing_warning)


@tagged("post_install", "-at_install")
class TestFromFilters(RoutingCase):
    """A filter is a list of domains and addresses, or it is refused."""

    def test_filter_that_admits_nothing_is_refused_with_its_remedy(self):
        for text, remedy in NO_FILTERS.items():
            with self.subTest(text):
                if remedy is None:
                    self.shop.from_filter = text
                    continue
                with self.assertRaisesRegex(ValidationError, remedy) as refused:
                    self.shop.from_filter = text
                self.assertIn(
                    text.rpartition(", ")[2].split()[0], str(refused.exception)
                )
        with self.assertRaises(ValidationError):
            self._create_server("x", from_filter="*.corp.example")

    def _store(self, server, text):
        """Write a filter as it is in databases of before."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE ir_mail_server SET from_filter = %s WHERE id = %s",
            (text, server.id),
        )
        self.env.invalidate_all()

    def test_filter_that_is_there_already_admits_nothing_and_warns(self):
        for text, remedy in NO_FILTERS.items():
            if remedy is None or ", " in text:
                continue
            with self.subTest(text):
                self._store(self.relay_a, text)
                self.forget_received()
                received = self.post(self.ben, self.customer_a)
                self.assertNotEqual(received.login, "relay-a")
                self.assertNotIn("corp.example", received.header("From"))
                self.assertFalse(self.relay_a.sender_email)
                self.assertRegex(self.relay_a.routing_warning, remedy)
                self.relay_a.name = "Edited otherwise"

    def test_international_domain_is_the_same_in_both_spellings(self):
        unicode, ascii_ = "müller.example", "xn--mller-kva.example"
        for written, used in ((unicode, ascii_), (ascii_, unicode)):
            with self.subTest(filter=written):
                self.forget_received()
                self.shop.from_filter = written
                mail = self.mail(
                    self.ben, email_from=f"ben@{used}", email_to="c@c.example"
                )
                self.assertEqual(self.deliver(mail).login, "shop")

    def test_international_domain_of_a_user_is_their_own_from(self):
        self.ben.email = "ben@müller.example"
        mail = self.mail(
            self.ben, email_from="ben@xn--mller-kva.example", email_to="c@c.example"
        )
        self.relay_a.from_filter = "xn--mller-kva.example"
        self.assertRule(mail, "company")
        self.assertEqual(self.deliver(mail).login, "relay-a")


@tagged("post_install", "-at_install")
class TestSeveralAddresses(RoutingCase):
    """A field with two addresses is read everywhere as it is sent: by its first."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.two = cls._create_user(
            "two", cls.company_a, email="two@a.example, second@a.example"
        )
        cls.company_a.email = "info@a.example, second@a.example"

    def test_sending_preferences_and_forms_take_the_first(self):
        received = self.post(self.two, self.customer_a)
        self.assertEqual(received.header("From"), "Two <two@a.example>")
        self.assertIn("two@a.example", self.two.outgoing_mail_summary)
        self.assertIn("info@a.example", self.company_a.outgoing_mail_summary)
        self.assertNotIn("no address", self.company_a.mail_routing_warning or "")
        self.mailbox.own_user_ids = self.two
        self.assertIn("two@a.example", self.mailbox.routing_summary)

    def test_suggestion_takes_the_first(self):
        server = self._create_server("two@a.example")
        wizards = self.env["mail.routing.assignment"]
        wizard = wizards.create({"user_ids": self.two.ids})
        wizard.action_suggest()
        self.assertEqual(wizard.line_ids.after, server.name)

    def test_colleague_is_found_by_the_first(self):
        self.mailbox.own_user_ids = self.two
        self.mailbox.delegation = "colleagues"
        mail = self.queue(
            self.ben,
            self.customer_a,
            author_id=self.two.partner_id.id,
            email_from=self.two.email_formatted,
        )
        self.assertEqual(self.deliver(mail).login, "office@mailbox.example")


@tagged("post_install", "-at_install")
class TestLoginThatIsNotUsed(RoutingCase):
    """A user name left over from before is no sender address."""

    def _set_authentication(self, authentication):
        values = {"smtp_authentication": authentication, "smtp_encryption": "starttls"}
        if authentication == "certificate":
            values["smtp_ssl_certificate"] = values["smtp_ssl_private_key"] = b"eA=="
        self.mailbox.write(values)

    def test_login_counts_only_where_it_is_used_to_log_in(self):
        for authentication, expected in (
            ("login", "office@mailbox.example"),
            ("certificate", False),
            ("cli", False),
        ):
            with self.subTest(authentication):
                self._set_authentication(authentication)
                self.assertEqual(self.mailbox.sender_email, expected)
                directory = DirectorySource(self.env).get()
                profile = directory.get(self.mailbox.id)
                self.assertEqual(profile.sender_email, expected or "")

    def test_typed_address_stays_and_can_be_searched_for(self):
        self.mailbox.sender_email = "Team@mailbox.example"
        self._set_authentication("certificate")
        self.assertEqual(self.mailbox.sender_email, "team@mailbox.example")
        servers = self.env["ir.mail_server"]
        found = servers.search([("sender_email", "=", "team@mailbox.example")])
        self.assertEqual(found, self.mailbox)
        self.mailbox.sender_email = False
        self.assertFalse(self.mailbox.sender_email)
