from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import RoutingCase

MAILBOX = "office@mailbox.example"
RELAY_SENDER = "notifications@a.example"
BOUNCE = "bounce@a.example"


@tagged("post_install", "-at_install")
class TestReplyTo(RoutingCase):
    """The Reply-To header under every policy, as an SMTP server receives it."""

    def _incoming_server(self, **values):
        return self.env["fetchmail.server"].create(
            {
                "name": "Incoming",
                "server_type": "imap",
                "server": "imap.invalid",
                "state": "done",
                **values,
            }
        )

    def _received_reply_to(self, user, **values):
        self.forget_received()
        return self.post(user, self.customer_a, **values).header("Reply-To")

    def test_reply_to_under_each_policy(self):
        catchall = {self.anna: "Anna <catchall@a.example>"}
        catchall[self.ben] = "Ben <catchall@a.example>"
        for user, server, final_from in (
            (self.anna, self.mailbox, f"Anna <{MAILBOX}>"),
            (self.ben, self.relay_a, "Ben <ben@a.example>"),
        ):
            server.reply_to_email = '"Front Desk" <desk@a.example>'
            for policy, expected in (
                ("auto", catchall[user]),
                ("odoo", catchall[user]),
                ("from", final_from),
                ("custom", "Front Desk <desk@a.example>"),
            ):
                with self.subTest(user=user.name, policy=policy):
                    server.reply_to_policy = policy
                    self.assertEqual(self._received_reply_to(user), expected)

    def test_reply_to_auto_follows_a_linked_incoming_server(self):
        self.mailbox.fetchmail_server_id = self._incoming_server()
        self.assertEqual(self._received_reply_to(self.anna), f"Anna <{MAILBOX}>")

    def test_reply_to_auto_follows_no_server_that_brings_nothing_back(self):
        self.mailbox.fetchmail_server_id = incoming = self._incoming_server()
        for values, follows in (
            ({"active": False}, False),
            ({"active": True}, True),
            ({"state": "draft"}, False),
            ({"server_type": "local"}, True),
        ):
            with self.subTest(**values):
                incoming.write(values)
                address = MAILBOX if follows else "catchall@a.example"
                reply_to = self._received_reply_to(self.anna)
                self.assertEqual(reply_to, f"Anna <{address}>")

    def test_reply_to_auto_keeps_odoos_where_from_is_not_the_collected_address(self):
        self.relay_a.sender_email = "desk@a.example"
        self.relay_a.fetchmail_server_id = self._incoming_server()
        self.assertEqual(self._received_reply_to(self.ben), "Ben <catchall@a.example>")
        unknown = {"email_from": "press@elsewhere.example"}
        self.assertEqual(
            self._received_reply_to(self.ben, **unknown), "Ben <desk@a.example>"
        )

    def test_reply_to_auto_where_it_was_just_the_from(self):
        """Own mailbox: answers come to it. Company's relay: to the person."""
        for user, reply_to, expected in (
            (self.anna, "anna@a.example", f"Anna <{MAILBOX}>"),
            (self.ben, "press@elsewhere.example", "press@elsewhere.example"),
        ):
            with self.subTest(user=user.name):
                received = self._received_reply_to(
                    user, email_from=reply_to, reply_to=reply_to
                )
                self.assertEqual(received, expected)

    def test_reply_to_auto_keeps_from_that_is_an_alias_of_odoo(self):
        self.env["mail.alias"].create(
            {
                "alias_name": "anna",
                "alias_domain_id": self.company_a.alias_domain_id.id,
                "alias_model_id": self.env.ref("base.model_res_partner").id,
            }
        )
        received = self._received_reply_to(
            self.anna, email_from="anna@a.example", reply_to="anna@a.example"
        )
        self.assertEqual(received, "anna@a.example")

    def test_mails_of_one_queue_run_keep_their_own_reply_to(self):
        """One user writes as themselves, and from an alias whose answers Odoo gets."""
        self.env["mail.alias"].create(
            {
                "alias_name": "desk",
                "alias_domain_id": self.company_a.alias_domain_id.id,
                "alias_model_id": self.env.ref("base.model_res_partner").id,
            }
        )
        own = {"email_from": "anna@a.example", "reply_to": "anna@a.example"}
        of_alias = {"email_from": "desk@a.example", "reply_to": "desk@a.example"}
        by_hand = {"mail_server_id": self.mailbox.id, "email_to": "c@c.example"}
        for first, second in ((own, of_alias), (of_alias, own)):
            with self.subTest(first=first["email_from"]):
                self.forget_received()
                mails = self.env["mail.mail"]
                for values in (first, second):
                    mails |= self.mail(self.anna, **by_hand, **values)
                with self.sending():
                    mails.send()
                answers = [mail.header("Reply-To") for mail in self.received()]
                self.assertEqual({mail.login for mail in self.received()}, {MAILBOX})
                self.assertIn("desk@a.example", answers)
                self.assertIn(MAILBOX, " ".join(answers))

    def test_reply_to_that_the_author_chose_is_kept(self):
        received = self._received_reply_to(self.anna, reply_to="desk@other.example")
        self.assertEqual(received, "desk@other.example")


@tagged("post_install", "-at_install")
class TestReturnPath(RoutingCase):
    """Return-Path equals the envelope sender, under every policy."""

    def test_return_path_under_each_policy(self):
        for user, server, policy, expected in (
            (self.anna, self.mailbox, "auto", MAILBOX),
            (self.anna, self.mailbox, "odoo", BOUNCE),
            (self.anna, self.mailbox, "from", MAILBOX),
            (self.ben, self.relay_a, "auto", BOUNCE),
            (self.ben, self.relay_a, "odoo", BOUNCE),
            (self.ben, self.relay_a, "from", "ben@a.example"),
        ):
            with self.subTest(user=user.name, policy=policy):
                self.forget_received()
                server.bounce_policy = policy
                received = self.post(user, self.customer_a)
                self.assertEqual(received.mail_from, expected)
                self.assertEqual(received.header("Return-Path"), expected)

    def test_bounces_of_mail_without_noted_domain_go_to_its_company(self):
        """As of a template: the queue is run by OdooBot, for another company."""
        root = self.env.ref("base.user_root")
        root.company_id = self._create_company("C", "c.example")
        for model, record in (("res.partner", self.customer_a), (False, None)):
            with self.subTest(model=model):
                self.forget_received()
                mail = self.mail(
                    self.ben,
                    email_from=self.ben.email_formatted,
                    model=model,
                    res_id=record and record.id,
                )
                self.assertFalse(mail.record_alias_domain_id)
                received = self.deliver(mail)
                self.assertEqual(received.mail_from, BOUNCE)
                self.assertEqual(received.header("Return-Path"), BOUNCE)

    def test_bounces_go_to_the_company_that_the_mail_is_decided_for(self):
        """Core notes the alias domain of whatever company is open."""
        root = self.env.ref("base.user_root")
        root.company_id = self.company_a
        nobodys = self.env["res.partner"].create({"name": "Contact of no company"})
        bert = self._create_user("bert", self.company_b, email="bert@b.example")
        in_his_name = {"author_id": bert.partner_id.id, "email_from": "bert@b.example"}
        noted_a = {
            "record_company_id": self.company_a.id,
            "record_alias_domain_id": self.company_a.alias_domain_id.id,
        }
        of_mailing = {}
        if "mailing.mailing" in self.env:
            of_mailing["mailing_id"] = (
                self.env["mailing.mailing"]
                .with_user(root)
                .create(
                    {
                        "subject": "News",
                        "user_id": bert.id,
                        "mailing_model_id": self.env.ref("base.model_res_partner").id,
                    }
                )
                .id
            )
        for name, values in (
            ("a job in their name", {**in_his_name, **noted_a}),
            ("a mailing of theirs", {**in_his_name, **noted_a, **of_mailing}),
        ):
            with self.subTest(name):
                self.forget_received()
                mail = self.mail(root, model="res.partner", res_id=nobodys.id, **values)
                received = self.deliver(mail)
                self.assertRoute(
                    received, "relay-b", "bert@b.example", "bounce@b.example"
                )
                self.assertEqual(received.header("Return-Path"), "bounce@b.example")

    def test_return_path_is_the_envelope_sender_wherever_anything_is_decided(self):
        """Where the envelope sender is left to core too: it leaves them unequal."""
        values = {"mail_server_id": self.shop.id}
        self.deliver(self.queue(self.ben, self.customer_a, **values))
        unequal = self.one_received()
        self.assertNotEqual(unequal.header("Return-Path"), unequal.mail_from)
        for name, policies in (
            ("its sender address only", {"from_policy": "login"}),
            ("addresses of its filter", {"from_policy": "filter"}),
            ("answers to From", {"reply_to_policy": "from"}),
        ):
            with self.subTest(name):
                self.forget_received()
                self.shop.write({"from_policy": "auto", "reply_to_policy": "auto"})
                self.shop.write(policies)
                mail = self.queue(self.ben, self.customer_a, **values)
                received = self.deliver(mail)
                self.assertEqual(received.header("Return-Path"), received.mail_from)
                self.assertEqual(received.login, "shop")

    def test_policy_set_by_hand_applies_on_every_route_to_the_server(self):
        shop = {"email_from": "shop@shop.example"}
        mail = self.queue(self.ben, self.customer_a, **shop)
        core = self.deliver(mail)
        self.assertEqual(core.mail_from, "shop@shop.example")
        self.assertEqual(core.header("Return-Path"), BOUNCE, "core leaves it unequal")
        self.forget_received()
        self.shop.bounce_policy = "from"
        received = self.deliver(self.queue(self.ben, self.customer_a, **shop))
        self.assertEqual(received.mail_from, "shop@shop.example")
        self.assertEqual(received.header("Return-Path"), "shop@shop.example")

    def test_forced_server_keeps_core_headers_until_a_policy_is_set(self):
        values = {"mail_server_id": self.shared.id}
        received = self.deliver(self.queue(self.ben, self.customer_a, **values))
        self.assertEqual(received.header("From"), "Ben <ben@a.example>")
        self.forget_received()
        self.shared.from_policy = "login"
        self.shared.sender_email = "shared@shared.example"
        received = self.deliver(self.queue(self.ben, self.customer_a, **values))
        self.assertEqual(received.header("From"), "Ben <shared@shared.example>")


@tagged("post_install", "-at_install")
class TestAddresses(RoutingCase):
    """Filters and names as people type them."""

    def test_filter_with_spaces_and_capitals_matches(self):
        self.shop.from_filter = " news.example ,  Shop@SHOP.example , B.Example"
        for email_from in ("SHOP@shop.example", "x@News.Example"):
            with self.subTest(email_from=email_from):
                self.forget_received()
                received = self.post(self.ben, self.customer_a, email_from=email_from)
                self.assertEqual(received.login, "shop")

    def test_filter_with_international_domain_matches_and_envelope_is_ascii(self):
        self.relay_a.from_filter = "müller.example"
        self.relay_a.bounce_policy = "from"
        received = self.post(
            self.ben, self.customer_a, email_from='"Müller" <post@müller.example>'
        )
        self.assertEqual(received.login, "relay-a")
        self.assertEqual(received.mail_from, "post@xn--mller-kva.example")
        self.assertEqual(received.header("Return-Path"), received.mail_from)

    def test_display_name_survives_rewriting(self):
        for name in (
            "Müller, Anna",
            'Anna "The Boss" Müller',
            "Анна 安娜",
            "Anna (Sales) <Team>",
            "a@b.example, c@d.example",
        ):
            with self.subTest(name=name):
                self.forget_received()
                self.anna.partner_id.name = name
                received = self.post(self.anna, self.customer_a)
                address = received.message["From"].addresses
                self.assertEqual(len(address), 1)
                self.assertEqual(address[0].addr_spec, MAILBOX)
                self.assertEqual(address[0].display_name, name)

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_line_break_in_a_name_never_makes_a_header(self):
        for separator in ("\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028"):
            for user in (self.anna, self.ben):
                with self.subTest(separator=separator, user=user.name):
                    self.forget_received()
                    mail = self.queue(
                        user,
                        self.customer_a,
                        email_from=f'"X{separator}Bcc: spy@evil.example" <x@a.example>',
                    )
                    with self.sending():
                        mail.send()
                    for received in self.received():
                        self.assertFalse(received.header("Bcc"))
                        self.assertEqual(received.rcpt_tos, (self.customer_a.email,))
                    # cleaned and sent, or refused and kept: never lost
                    kept = mail.exists().state == "exception"
                    self.assertEqual(len(self.received()), 0 if kept else 1)

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_second_address_in_from_never_reaches_the_header(self):
        mail = self.queue(
            self.anna, self.customer_a, email_from="x@a.example, y@elsewhere.example"
        )
        received = self.deliver(mail)
        self.assertEqual(len(received.message["From"].addresses), 1)
