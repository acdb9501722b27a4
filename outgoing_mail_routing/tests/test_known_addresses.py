"""What is known of addresses, and that the quick way to read them is core's."""

import logging
import random

from odoo.tests import tagged
from odoo.tools.mail import email_split_and_normalize

from ..bridge import addresses
from ..bridge.directory_source import DirectorySource
from ..bridge.kept_values import kept_values
from ..bridge.known_addresses import KnownAddresses
from .common import RoutingCase

_logger = logging.getLogger(__name__)

CASES, SEED = 20_000, 20261128
_PIECES = (
    *("a", "Z", "9", "anna", "Sender 5", " ", ".", "-", "_", "+", "@", "@a.example"),
    *('"', "<", ">", ",", "(", ")", "é", "xn--mller-kva", "a..b", "\t", "=?utf-8?q?"),
    *("anna@a.example", '"Anna" <', "Anna B <", "<anna@a.example>"),
)


@tagged("post_install", "-at_install")
class TestPlainAddresses(RoutingCase):
    """Whatever the quick way answers is what core's parser does."""

    def assertAsCore(self, text):
        """Check one text; tell whether the quick way took it."""
        addresses._contacts.cache_clear()
        expected = [(n or "", e) for n, e in email_split_and_normalize(text)]
        self.assertEqual(list(addresses._contacts(text)), expected, text)
        return bool(addresses._PLAIN.fullmatch(text))

    def test_plain_headers_are_read_the_quick_way(self):
        for text in (
            *("anna@a.example", "a@b", "anna.b+c_d-e@a-b.example"),
            *('"Anna" <anna@a.example>', "Anna Bee 5 <anna@a.example>"),
        ):
            self.assertTrue(self.assertAsCore(text), text)

    def test_random_headers_are_read_as_core_reads_them(self):
        _logger.info("%s random headers, seed %s", CASES, SEED)
        chance = random.Random(SEED)
        plain = sum(
            self.assertAsCore("".join(chance.choices(_PIECES, k=chance.randint(1, 5))))
            for _case in range(CASES)
        )
        self.assertGreater(plain, CASES // 100)


@tagged("post_install", "-at_install")
class TestKnownAddresses(RoutingCase):
    """Users by their addresses, and addresses that Odoo receives, in one statement."""

    def _learned(self, *headers, **kwargs):
        known = KnownAddresses(self.env, DirectorySource(self.env).get())
        known.learn(headers, **kwargs)
        return known

    def test_users_are_found_by_their_email_in_any_spelling(self):
        self.anna.email = "anna@müller.example"
        for text in ("anna@müller.example", '"A" <ANNA@xn--mller-kva.example>'):
            with self.subTest(text):
                self.assertEqual(self._learned(text).users_with(text), self.anna)

    def test_users_are_named_by_the_sender_address_of_their_servers(self):
        office = self.mailbox.sender_email
        known = self._learned(office)
        self.assertFalse(known.users_with(office))
        self.assertEqual(known.named_by(office), self.mailbox.own_user_ids)
        self.mailbox.own_user_ids.active = False
        self.assertFalse(self._learned(office).named_by(office))

    def test_who_cannot_be_a_sender_is_not_found(self):
        portal = self._create_user("portal", self.company_a)
        portal.group_ids = self.env.ref("base.group_portal")
        leaver = self._create_user("leaver", self.company_a)
        leaver.active = False
        odoobot = self.env.ref("base.user_root")
        for user in (portal, leaver, odoobot):
            with self.subTest(user.login):
                email = user.partner_id.email
                self.assertFalse(self._learned(email).users_with(email))

    def test_one_statement_finds_all(self):
        headers = [self.anna.email, self.ben.email, "catchall@a.example", "x@x.test"]
        self.env.flush_all()
        known = KnownAddresses(self.env, DirectorySource(self.env).get())
        with self.assertQueryCount(1):
            known.learn(headers)
        with self.assertQueryCount(0):
            known.learn(headers)
        self.assertEqual(known.received, {"catchall@a.example"})
        self.assertEqual(known.users_with(self.ben.email), self.ben)

    def test_nobody_is_looked_up_where_it_does_not_matter_whose_they_are(self):
        known = self._learned(self.anna.email, "catchall@a.example", whose=False)
        self.assertFalse(known.named_by(self.anna.email))
        self.assertTrue(known.is_received("catchall@a.example"))


@tagged("post_install", "-at_install")
class TestKeptValues(RoutingCase):
    def test_values_are_those_of_the_records_stored_or_not(self):
        users = self.anna + self.ben
        self.env.flush_all()
        self.env.invalidate_all()
        names = ["login", "partner_id", "signature", "company_ids"]
        new = self.env["res.users"].new({"login": "new"})
        for records in (users, new):
            kept = kept_values(records, names)
            self.assertEqual(list(kept), list(records._ids))
            for record in records:
                login, partner_id, signature, company_ids = kept[record.id]
                self.assertEqual(login, record.login)
                self.assertEqual([partner_id], [*record.partner_id._ids])
                self.assertEqual(signature or False, record.signature)
                self.assertEqual(company_ids, record.company_ids._ids)
