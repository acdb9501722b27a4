import re
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import Form, tagged
from odoo.tools import email_normalize

from ..routing import Reason
from .common import RoutingCase, sentence

MAILBOX = "office@mailbox.example"
_POLICIES = (
    {},
    {"from_policy": "any"},
    {"from_policy": "login", "sender_email": "team@a.example"},
    {"from_policy": "filter", "from_filter": "a.example"},
    {"from_filter": "relay.example", "sender_email": "desk@relay.example"},
    {"reply_to_policy": "odoo", "bounce_policy": "odoo"},
    {"reply_to_policy": "from", "bounce_policy": "from"},
    {"reply_to_policy": "custom", "reply_to_email": "answers@x.example"},
    {"from_policy": "any", "bounce_policy": "from", "reply_to_policy": "from"},
)


class ServerFormCase(RoutingCase):
    """The form of a server, as an administrator of company A has it open."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._create_administrator()
        cls.company_a.email = "info@a.example"
        cls.odoobot = cls.env.ref("base.user_root")

    def opened(self, server):
        return server.with_user(self.administrator)

    def lines(self, server):
        self.env.invalidate_all()
        return self.opened(server).routing_summary.splitlines()

    def effect(self, received):
        """How the form says what really arrived."""
        answers = received.header("Reply-To") or received.header("From")
        return (
            f"leaves as {received.header('From')}; answers go to "
            f"{email_normalize(answers)}; bounces go to {received.mail_from}."
        )

    def company_mail(self, company, customer):
        return self.deliver(
            self.mail(
                self.odoobot,
                email_from=company.email_formatted,
                model="res.partner",
                res_id=customer.id,
            )
        )


@tagged("post_install", "-at_install")
class TestServerSummary(ServerFormCase):
    """The form says what really happens to mail, before it happens."""

    def test_sentence_has_the_addresses_of_mail_that_is_sent(self):
        incoming = self.env["fetchmail.server"].create(
            {"name": "Incoming", "server_type": "imap", "state": "done"}
        )
        linked = {"fetchmail_server_id": incoming.id}
        for server in (self.mailbox, self.relay_a):
            defaults = server.read([*self._changed()], load=None)[0]
            defaults.pop("id")
            for values in (*_POLICIES, linked, {"sequence": 99}):
                with self.subTest(server=server.name, values=values):
                    server.write({**defaults, **values})
                    self._check_lines(server, self.lines(server))

    def _changed(self):
        return {"fetchmail_server_id", "sequence"}.union(*_POLICIES)

    def _check_lines(self, server, lines):
        if server == self.mailbox:
            users = "Mail of its users, such as Anna (anna@a.example), "
            received = self.post(self.anna, self.customer_a)
            self.assertEqual(lines, [users + self.effect(received)])
            self.assertEqual(received.login, MAILBOX)
        else:
            company = "Mail of its companies, such as A (info@a.example), "
            own = self.effect(self.company_mail(self.company_a, self.customer_a))
            self.forget_received()
            users = "Mail of its companies' users, such as Ben (ben@a.example), "
            received = self.post(self.ben, self.customer_a)
            expected = [company + own, users + self.effect(received)]
            self.assertEqual(lines, expected)
            self.assertEqual(received.login, "relay-a")
        self.forget_received()

    def test_sentence_follows_what_is_edited(self):
        with Form(self.opened(self.mailbox)) as form:
            self.assertIn(f"leaves as Anna <{MAILBOX}>", form.routing_summary)
            form.sender_email = "team@mailbox.example"
            self.assertIn("leaves as Anna <team@mailbox.example>", form.routing_summary)
            form.from_policy = "any"
            self.assertIn("leaves as Anna <anna@a.example>", form.routing_summary)
            form.reply_to_policy = "custom"
            form.reply_to_email = "answers@x.example"
            self.assertIn("answers go to answers@x.example;", form.routing_summary)
            form.own_user_ids.remove(self.anna.id)
            form.own_user_ids.add(self.ben)
            self.assertIn("such as Ben (ben@a.example)", form.routing_summary)
            edited = form.routing_summary
        self.assertEqual(self.lines(self.mailbox), edited.splitlines())

    def test_new_server_says_what_it_will_do(self):
        servers = self.env["ir.mail_server"]
        with Form(servers.with_user(self.administrator)) as form:
            form.name = "New"
            form.smtp_host = "127.0.0.1"
            form.smtp_user = "new@mailbox.example"
            form.own_user_ids.add(self.ben)
            expected = (
                "such as Ben (ben@a.example), leaves as Ben <new@mailbox.example>"
            )
            self.assertIn(expected, form.routing_summary)
            edited = form.routing_summary
        self.assertEqual(self.lines(form.record), edited.splitlines())

    def test_server_that_comes_later_names_the_one_before_it(self):
        later = self._create_server("later@mailbox.example", sequence=9)
        later.own_user_ids = self.anna
        received = self.post(self.anna, self.customer_a)
        self.assertEqual(received.login, MAILBOX)
        self.assertEqual(
            self.lines(later),
            [
                "Mail of Anna (anna@a.example) leaves through “Office@mailbox.example” "
                f"as {received.header('From')} instead: "
                + sentence(Reason.OWN_LATER, server=later.name, user="Anna")
            ],
        )

    def test_user_whose_mail_leaves_through_it_goes_before_others(self):
        self.anna.use_own_mail_servers = False
        self.mailbox.own_user_ids += self.ben
        users = "Mail of its users, such as Ben (ben@a.example), "
        self.assertRegex(self.lines(self.mailbox)[0], f"^{re.escape(users)}")
        self.mailbox.default_company_ids = self.company_a
        self.assertRegex(self.lines(self.mailbox)[0], f"^{re.escape(users)}")

    def test_user_of_its_company_is_told_from_its_own_user(self):
        self.relay_a.own_user_ids = self.anna
        self.anna.use_own_mail_servers = False
        self.ben.active = self.clara.active = False
        lines = self.lines(self.relay_a)
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], "^Mail of its companies' users, such as Anna ")
        self.assertRegex(lines[1], "^Mail of its companies, such as A ")

    def test_server_of_nobody_says_what_it_attracts(self):
        by_hand = (
            "It is assigned to nobody: only mail on which it is set by hand leaves "
            "through it."
        )
        filtered = (
            "It is assigned to nobody: mail From shop@shop.example leaves through it, "
            "unless its sender or its company has a server for it."
        )
        fallback = "Mail that no other server takes leaves through it."
        self.assertEqual(self.lines(self.shop)[0], filtered)
        self.assertEqual(self.lines(self.shared)[0], fallback)
        later = self._create_server("later", sequence=9)
        self.assertEqual(self.lines(later)[0], by_hand)
        self.shop.reserved = True
        self.assertEqual(self.lines(self.shop)[0], by_hand)
        (self.shared | later).active = False
        self.assertEqual(
            self.lines(self.shared), ["It is archived: no mail leaves through it."]
        )

    def test_fallback_only_has_mail_of_companies_without_servers(self):
        fallback = "Mail that no other server takes leaves through it."
        self.assertIn(fallback, self.lines(self.shared))
        self.shared.company_ids = self.company_a
        self.assertNotIn(fallback, self.lines(self.shared))

    def test_server_of_nobody_has_the_addresses_of_mail_that_is_sent(self):
        company = self._create_company("C", "c.example")
        customer = self._create_customer(company)
        (self.shop | self.shared).company_ids = company
        for server, values, email in (
            (self.shop, {}, "shop@shop.example"),
            (self.shop, {"from_policy": "login"}, "shop@shop.example"),
            (self.shop, {"bounce_policy": "from"}, "shop@shop.example"),
            (self.shared, {}, "somebody@elsewhere.invalid"),
            (
                self.shared,
                {"from_policy": "login", "sender_email": "shared@x.example"},
                "somebody@elsewhere.invalid",
            ),
        ):
            with self.subTest(server=server.name, values=values):
                self.forget_received()
                server.write({"from_policy": "auto", "bounce_policy": "auto", **values})
                line = self.lines(server)[-1]
                mail = self.mail(
                    self.odoobot,
                    email_from=email,
                    model="res.partner",
                    res_id=customer.id,
                    record_alias_domain_id=company.alias_domain_id.id,
                )
                received = self.deliver(mail)
                self.assertEqual(received.login, server.smtp_user)
                effect = self.effect(received)
                self.assertEqual(
                    line, f"Such mail of C, From {email} for example, {effect}"
                )

    def test_server_set_by_hand_has_the_addresses_of_mail_that_is_sent(self):
        self.shop.write(
            {"reserved": True, "from_policy": "filter", "reply_to_policy": "from"}
        )
        line = self.lines(self.shop)[-1]
        received = self.post(
            self.administrator, self.customer_a, mail_server_id=self.shop.id
        )
        self.assertEqual(received.login, "shop")
        self.assertIn(self.effect(received), line)

    def test_list_of_servers_does_not_compute_it(self):
        servers = self.opened(self.mailbox).browse()
        views = servers.get_views([(False, "list"), (False, "kanban")])
        fields = views["models"]["ir.mail_server"]["fields"]
        listed = self.env.ref("outgoing_mail_routing.ir_mail_server_view_list")
        self.assertNotIn("routing_summary", listed.arch)
        specification = {
            name: {}
            for name in fields
            if f'name="{name}"' in views["views"]["list"]["arch"]
        }
        computing = patch.object(
            type(servers), "_describe_effect", side_effect=AssertionError
        )
        with computing:
            rows = servers.web_search_read([], specification)
        self.assertGreater(rows["length"], 4)


@tagged("post_install", "-at_install")
class TestServerConnection(ServerFormCase):
    """The connection is tested with the addresses that mail really leaves with."""

    def setUp(self):
        super().setUp()
        for smtp in self.smtp.values():
            smtp.senders = None

    def accept(self, server, *senders):
        """Let the SMTP server behind a server take these senders only."""
        self.smtp[server.smtp_user].senders = set(senders)

    def press(self, server):
        """Press the button.

        :return: the message of success
        """
        with self.sending():
            result = self.opened(server).test_smtp_connection()
        self.assertTrue(server.tested_date)
        return result["params"]["message"]

    def assertTested(self, server, *addresses):
        """Check that exactly these addresses are tried, and said."""
        self.accept(server, *addresses)
        self.assertEqual(
            self.press(server),
            f"Connection Test Successful! Tested as {', '.join(addresses)}.",
        )
        for refused in addresses:
            self.accept(server, *(set(addresses) - {refused}))
            with self.refused(UserError, refused):
                self.press(server)

    def test_mailbox_is_tested_as_its_sender_address(self):
        self.assertTested(self.mailbox, MAILBOX)
        self.mailbox.sender_email = "team@mailbox.example"
        self.assertTested(self.mailbox, "team@mailbox.example")

    def test_mailbox_is_tested_for_a_user_who_uses_it(self):
        self.anna.use_own_mail_servers = False
        self.mailbox.own_user_ids += self.ben
        self.assertTested(self.mailbox, MAILBOX)

    def test_mailbox_that_may_send_as_its_user_is_tested_as_them(self):
        self.mailbox.write({"from_policy": "any", "bounce_policy": "from"})
        self.assertTested(self.mailbox, "anna@a.example")

    def test_bounce_address_is_tested_too_where_mail_leaves_with_it(self):
        self.assertTested(self.relay_a, "info@a.example", "bounce@a.example")
        self.relay_a.bounce_policy = "from"
        self.assertTested(self.relay_a, "info@a.example")

    def test_tested_addresses_are_those_of_mail_that_is_sent(self):
        for values in _POLICIES:
            with self.subTest(values=values):
                self.mailbox.write(
                    {"from_policy": "auto", "bounce_policy": "auto", **values}
                )
                message = self.press(self.mailbox)
                received = self.post(self.anna, self.customer_a)
                sent = [email_normalize(received.header("From")), received.mail_from]
                said = message.partition("Tested as ")[2].rstrip(".").split(", ")
                self.assertEqual(said, list(dict.fromkeys(sent)))
                self.forget_received()

    def test_server_of_nobody_with_a_policy_is_tested_as_its_sender_address(self):
        self.shared.write({"from_policy": "login", "sender_email": "s@x.example"})
        self.assertTested(self.shared, "s@x.example", "bounce@a.example")
        self.shared.bounce_policy = "from"
        self.assertTested(self.shared, "s@x.example")

    def test_archived_server_is_tested_as_if_it_were_active(self):
        self.mailbox.own_user_ids = False
        self.mailbox.active = False
        self.mailbox.own_user_ids = self.anna
        self.assertTested(self.mailbox, MAILBOX)

    def test_server_without_assignment_or_policy_is_tested_as_core_does(self):
        for server, address in (
            (self.shared, self.administrator.email),
            (self.shop, "shop@shop.example"),
        ):
            with self.subTest(server=server.name):
                self.accept(server, address)
                self.assertEqual(self.press(server), "Connection Test Successful!")
                self.accept(server)
                with self.refused(UserError, address):
                    self.press(server)

    def test_personal_server_is_tested_as_core_does(self):
        login = self.ben.email
        personal = self._create_server(
            login, owner_user_id=self.ben.id, from_filter=login
        )
        self.accept(personal, login)
        self.assertEqual(self.press(personal), "Connection Test Successful!")

    def test_several_servers_are_tested_each_as_its_own(self):
        self.accept(self.mailbox, MAILBOX)
        self.accept(self.shop, "shop@shop.example")
        servers = self.mailbox | self.shop
        with self.sending():
            result = self.opened(servers).test_smtp_connection()
        self.assertIn(f"Tested as {MAILBOX}.", result["params"]["message"])

    def test_each_of_many_is_tested_whatever_becomes_of_the_others(self):
        self.accept(self.mailbox, MAILBOX)
        self.accept(self.relay_a)
        self.accept(self.shop, "shop@shop.example")
        servers = self.relay_a | self.mailbox | self.shop
        with self.sending():
            answer = self.opened(servers).action_test_connections()["params"]
        refused, *passed = answer["message"].splitlines()
        success = "Connection Test Successful!"
        self.assertRegex(refused, f"^{self.relay_a.name}: .*refused the sender address")
        self.assertEqual(
            passed,
            [
                f"{self.mailbox.name}: {success} Tested as {MAILBOX}.",
                f"{self.shop.name}: {success}",
            ],
        )
        self.assertEqual((answer["type"], answer["sticky"]), ("danger", True))
        self.assertTrue(self.mailbox.tested_date and self.shop.tested_date)
        self.assertFalse(self.relay_a.tested_date)

    def test_many_that_pass_are_said_to(self):
        self.accept(self.mailbox, MAILBOX)
        with self.sending():
            answer = self.opened(self.mailbox).action_test_connections()["params"]
        self.assertEqual((answer["type"], answer["sticky"]), ("success", False))

    def test_size_is_detected_as_the_sender_address(self):
        self.accept(self.mailbox, MAILBOX)
        with self.sending():
            self.opened(self.mailbox).action_retrieve_max_email_size()
        self.assertTrue(self.mailbox.max_email_size)

    def test_context_of_a_client_changes_no_address(self):
        self.accept(self.relay_a, "info@a.example", "bounce@a.example")
        key = "outgoing_mail_routing_tested"
        relay = self.relay_a.with_context(**{key: True})
        message = self.press(relay)
        self.assertIn("Tested as info@a.example, bounce@a.example.", message)
        address = self.opened(relay)._get_test_email_from()
        self.assertEqual(address, "info@a.example")
