from odoo.tests import tagged
from odoo.tools import mute_logger

from ..routing import Reason
from .common import RoutingCase, sentence

MAILBOX = "office@mailbox.example"


@tagged("post_install", "-at_install")
class TestChatterRoutes(RoutingCase):
    """What people write in the chatter, received by real SMTP servers."""

    def test_chatter_of_mailbox_user_leaves_through_their_mailbox(self):
        received = self.post(self.anna, self.customer_a)
        self.assertRoute(
            received,
            login=MAILBOX,
            email_from=f"Anna <{MAILBOX}>",
            envelope=MAILBOX,
            reply_to="Anna <catchall@a.example>",
        )

    def test_chatter_of_relay_user_leaves_through_company_with_from_untouched(self):
        received = self.post(self.ben, self.customer_a)
        self.assertRoute(received, "relay-a", "Ben <ben@a.example>", "bounce@a.example")

    def test_chatter_on_record_of_other_company_leaves_through_that_company(self):
        record = self.customer_b.with_context(
            allowed_company_ids=[self.company_a.id, self.company_b.id]
        )
        received = self.post(self.clara, record)
        self.assertRoute(
            received, "relay-b", "Clara <notifications@b.example>", "bounce@b.example"
        )

    def test_template_from_of_shop_leaves_through_shop_whoever_sends(self):
        for user in (self.anna, self.ben, self.clara):
            with self.subTest(user=user.name):
                self.forget_received()
                received = self.post(
                    user, self.customer_a, email_from='"Shop" <shop@shop.example>'
                )
                self.assertEqual(received.login, "shop")
                self.assertEqual(received.header("From"), "Shop <shop@shop.example>")

    def test_from_that_nothing_may_send_as_is_rewritten_and_keeps_its_name(self):
        unknown = '"Press" <press@elsewhere.example>'
        received = self.post(self.anna, self.customer_a, email_from=unknown)
        self.assertRoute(received, MAILBOX, f"Press <{MAILBOX}>", MAILBOX)
        self.forget_received()
        received = self.post(self.ben, self.customer_a, email_from=unknown)
        self.assertRoute(
            received, "relay-a", "Press <notifications@a.example>", "bounce@a.example"
        )

    def test_queue_run_by_cron_gives_the_answers_of_sending_at_once(self):
        cases = (
            (self.anna, self.customer_a, {}),
            (self.ben, self.customer_a, {}),
            (self.clara, self.customer_b, {}),
            (self.anna, self.customer_a, {"email_from": "press@elsewhere.example"}),
            (self.ben, self.customer_a, {"email_from": "shop@shop.example"}),
        )
        for user, record, values in cases:
            with self.subTest(user=user.name, **values):
                self.forget_received()
                at_once = self.post(user, record, **values)
                self.forget_received()
                queued = self.deliver(self.queue(user, record, **values))
                self.assertEqual(queued.login, at_once.login)
                self.assertEqual(queued.mail_from, at_once.mail_from)
                for header in ("From", "Reply-To", "Return-Path"):
                    self.assertEqual(queued.header(header), at_once.header(header))

    def test_one_queue_keeps_all_senders_and_companies_apart(self):
        mails = (
            self.queue(self.anna, self.customer_a)
            + self.queue(self.ben, self.customer_a)
            + self.queue(self.clara, self.customer_b)
            + self.queue(self.ben, self.customer_a, email_from="shop@shop.example")
        )
        with self.sending():
            self.env["mail.mail"].process_email_queue(mails.ids)
        self.assertEqual(
            sorted(received.login for received in self.received()),
            [MAILBOX, "relay-a", "relay-b", "shop"],
        )
        self.assertFalse(mails.exists().filtered(lambda mail: mail.state != "sent"))

    def test_mail_deleted_by_another_process_does_not_stop_the_queue(self):
        gone = self.queue(self.anna, self.customer_a)
        mail = self.queue(self.ben, self.customer_a)
        gone_id = gone.id
        gone.unlink()
        mails = self.env["mail.mail"].browse([gone_id, mail.id])
        self.assertEqual(
            [ids for *_key, ids in mails._split_by_mail_configuration()], [(mail.id,)]
        )


@tagged("post_install", "-at_install")
class TestOwnServers(RoutingCase):
    """Whose servers are asked, and when they step aside."""

    def test_own_servers_switched_off_leave_it_to_the_company(self):
        self.anna.use_own_mail_servers = False
        received = self.post(self.anna, self.customer_a)
        self.assertRoute(
            received, "relay-a", "Anna <anna@a.example>", "bounce@a.example"
        )
        self.assertEqual(self.anna.own_mail_server_ids, self.mailbox)

    def test_own_server_archived_behind_our_back_leaves_it_to_the_company(self):
        # core refuses to archive a server in use; neutralising does it by SQL
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE ir_mail_server SET active = false WHERE id = %s", self.mailbox.ids
        )
        self.env.invalidate_all()
        received = self.post(self.anna, self.customer_a)
        self.assertEqual(received.login, "relay-a")

    def test_own_server_barred_for_the_company_leaves_it_to_the_company(self):
        self.clara.own_mail_server_ids = self._create_server(
            "clara@mailbox.example", company_ids=self.company_a.ids
        )
        self.assertEqual(
            self.post(self.clara, self.customer_a).login, "clara@mailbox.example"
        )
        self.forget_received()
        self.assertEqual(self.post(self.clara, self.customer_b).login, "relay-b")

    def test_two_own_servers_serve_one_company_each(self):
        for company in (self.company_a, self.company_b):
            self.clara.own_mail_server_ids += self._create_server(
                f"clara@{company.name.lower()}.example", company_ids=company.ids
            )
        for record, address in (
            (self.customer_a, "clara@a.example"),
            (self.customer_b, "clara@b.example"),
        ):
            with self.subTest(address=address):
                self.forget_received()
                received = self.post(self.clara, record)
                self.assertEqual(received.login, address)
                self.assertEqual(received.header("From"), f"Clara <{address}>")

    def test_users_with_the_same_from_keep_their_own_servers(self):
        twin = self._create_user("twin", self.company_a, email=self.anna.email)
        twin.own_mail_server_ids = self._create_server("twin@mailbox.example")
        mails = self.queue(self.anna, self.customer_a, email_from="anna@a.example")
        mails += self.queue(twin, self.customer_a, email_from="anna@a.example")
        with self.sending():
            mails.send()
        self.assertEqual(
            sorted(received.login for received in self.received()),
            [MAILBOX, "twin@mailbox.example"],
        )

    def test_companies_with_the_same_alias_domain_keep_their_own_relays(self):
        self.company_b.alias_domain_id = self.company_a.alias_domain_id
        mails = self.queue(self.ben, self.customer_a)
        mails += self.queue(self.clara, self.customer_b)
        with self.sending():
            mails.send()
        self.assertEqual(
            sorted(received.login for received in self.received()),
            ["relay-a", "relay-b"],
        )

    def test_server_of_a_user_is_nobody_elses_fallback(self):
        self.company_a.mail_server_ids = False
        self.relay_a.from_filter = "other.example"
        mail = self.queue(self.ben, self.customer_a, email_from="x@elsewhere.example")
        self.assertRule(mail, "priority")
        self.assertEqual(self.deliver(mail).login, "shared")
        self.env["ir.mail_server"].search([("id", "!=", self.mailbox.id)]).write(
            {"reserved": True}
        )
        mail = self.queue(self.ben, self.customer_a, email_from="x@elsewhere.example")
        self.assertRule(mail, "system")

    def test_reserved_server_attracts_nobody_elses_mail(self):
        values = {"email_from": "shop@shop.example"}
        self.company_b.mail_server_ids += self.shop
        mail = self.queue(self.ben, self.customer_a, **values)
        self.assertRule(mail, "from_filter")
        self.shop.reserved = True
        self.assertEqual(self.deliver(mail).login, "relay-a")
        self.forget_received()
        mail = self.queue(self.clara, self.customer_b, **values)
        self.assertRule(mail, "company")
        self.assertEqual(self.deliver(mail).login, "shop")


@tagged("post_install", "-at_install")
class TestColleagues(RoutingCase):
    """Mail in somebody else's name."""

    def setUp(self):
        super().setUp()
        self.in_annas_name = {
            "author_id": self.anna.partner_id.id,
            "email_from": '"Anna" <anna@a.example>',
        }

    def test_post_in_colleagues_name_avoids_their_mailbox(self):
        received = self.post(self.ben, self.customer_a, **self.in_annas_name)
        self.assertRoute(
            received, "relay-a", "Anna <anna@a.example>", "bounce@a.example"
        )

    def test_post_in_colleagues_name_uses_their_mailbox_if_they_allow_it(self):
        self.mailbox.delegation = "colleagues"
        received = self.post(self.ben, self.customer_a, **self.in_annas_name)
        self.assertRoute(received, MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)

    def test_from_of_mailbox_is_for_colleagues_only_if_they_may(self):
        for from_filter in (False, MAILBOX):
            with self.subTest(from_filter=from_filter):
                self.forget_received()
                self.mailbox.write({"from_filter": from_filter, "delegation": "nobody"})
                mail = self.queue(self.ben, self.customer_a, email_from=MAILBOX)
                self.assertRule(mail, "company")
                self.assertEqual(self.deliver(mail).login, "relay-a")
                self.forget_received()
                self.mailbox.delegation = "colleagues"
                mail = self.queue(self.ben, self.customer_a, email_from=MAILBOX)
                self.assertRule(mail, "user")
                self.assertEqual(self.deliver(mail).login, MAILBOX)

    def test_lent_mailbox_attracts_no_mail_in_other_names(self):
        self.mailbox.write({"from_filter": "a.example", "delegation": "colleagues"})
        self.company_a.mail_server_ids = False
        self.relay_a.active = False
        mail = self.queue(self.ben, self.customer_a)
        self.assertNotEqual(self.deliver(mail).login, MAILBOX)

    def test_colleague_who_switched_their_servers_off_lends_none(self):
        self.mailbox.delegation = "colleagues"
        self.anna.use_own_mail_servers = False
        received = self.post(self.ben, self.customer_a, **self.in_annas_name)
        self.assertEqual(received.login, "relay-a")

    def test_portal_customer_leaves_through_company_under_its_address(self):
        with self.sending():
            self._message_post(
                self.customer_a.with_user(self.portal_user).sudo(),
                author_id=self.portal_user.partner_id.id,
                partner_ids=self.ben.partner_id.ids,
            )
        received = self.one_received()
        self.assertRoute(
            received, "relay-a", "Paul <notifications@a.example>", "bounce@a.example"
        )

    def test_odoo_writing_in_somebodys_name_uses_their_mailbox_where_it_may(self):
        for delegation, rule, login in (
            ("nobody", "company", "relay-a"),
            ("odoo", "user", MAILBOX),
            ("colleagues", "user", MAILBOX),
        ):
            with self.subTest(delegation=delegation):
                self.forget_received()
                self.mailbox.delegation = delegation
                mail = self.mail(
                    self.env.ref("base.user_root"),
                    author_id=self.anna.partner_id.id,
                    email_from=self.anna.email_formatted,
                )
                self.assertRule(mail, rule)
                self.assertEqual(self.deliver(mail).login, login)

    def test_odoobots_own_mail_is_nobodys(self):
        root = self.env.ref("base.user_root")
        mail = self.mail(
            root,
            author_id=root.partner_id.id,
            email_from="bot@a.example",
            model="res.partner",
            res_id=self.customer_a.id,
        )
        self.assertRule(mail, "company")
        self.assertEqual(self.deliver(mail).login, "relay-a")


@tagged("post_install", "-at_install")
class TestCoreRules(RoutingCase):
    """What is left to core: forced servers, and a company without servers."""

    def test_company_without_servers_follows_filter_priority_and_system(self):
        self.company_b.mail_server_ids = False
        (self.relay_a + self.shop).reserved = True
        mail = self.queue(self.clara, self.customer_b, email_from="x@b.example")
        self.assertRule(mail, "from_filter")
        self.assertEqual(self.deliver(mail).login, "relay-b")
        self.forget_received()
        self.relay_b.from_filter = "other.example"
        mail = self.queue(self.clara, self.customer_b)
        self.assertRule(mail, "priority")
        received = self.deliver(mail)
        self.assertEqual(received.login, "shared")
        self.assertEqual(received.header("From"), "Clara <notifications@b.example>")
        (self.relay_b + self.shared).unlink()
        self.assertRule(self.queue(self.clara, self.customer_b), "system")

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_system_rule_never_falls_into_a_barred_server(self):
        self.env["ir.mail_server"].search([]).write(
            {"company_ids": self.company_a.ids, "default_company_ids": False}
            | {"own_user_ids": False}
        )
        mail = self.queue(self.clara, self.customer_b)
        self.assertRule(mail, "system")
        with self.sending():
            mail.send()
        self.assertFalse(self.received())
        self.assertEqual(mail.state, "exception")

    def test_server_forced_by_template_wins_before_everything(self):
        mail = self.template_mail(
            self.anna,
            self.customer_a,
            email_from="{{ user.email_formatted }}",
            mail_server_id=self.shared.id,
        )
        self.assertRule(mail, "forced")
        received = self.deliver(mail)
        self.assertEqual(received.login, "shared")
        self.assertEqual(received.header("From"), "Anna <anna@a.example>")

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_forced_server_barred_for_company_is_refused_with_the_reason(self):
        self.shared.company_ids = self.company_a
        mail = self.queue(self.clara, self.customer_b, mail_server_id=self.shared.id)
        self.assertTrue(mail._get_mail_routes()[mail.id].refused)
        with self.sending():
            mail.send()
        self.assertFalse(self.received())
        self.assertEqual(mail.state, "exception")
        barred = sentence(Reason.FORCED_BARRED, server="Shared", company="B")
        self.assertIn(barred, mail.failure_reason)
        self.shared.company_ids += self.company_b
        mail.mark_outgoing()
        self.assertEqual(self.deliver(mail).login, "shared")

    def test_message_sent_directly_is_sent_for_the_calling_user(self):
        for user, login in ((self.anna, MAILBOX), (self.ben, "relay-a")):
            with self.subTest(user=user.name), self.sending():
                self.forget_received()
                servers = self.env["ir.mail_server"].with_user(user).sudo()
                servers.send_email(
                    servers._build_email__(
                        user.email_formatted, ["x@customer.example"], "Hi", "Hi"
                    )
                )
                self.assertEqual(self.one_received().login, login)

    def test_message_sent_directly_through_a_server_takes_its_policies(self):
        self.shared.write({"from_policy": "login", "bounce_policy": "from"})
        self.shared.sender_email = "shared@shared.example"
        servers = self.env["ir.mail_server"].with_user(self.ben).sudo()
        with self.sending():
            servers.send_email(
                servers._build_email__(
                    self.ben.email_formatted, ["x@customer.example"], "Hi", "Hi"
                ),
                mail_server_id=self.shared.id,
            )
        self.assertRoute(
            self.one_received(),
            "shared",
            "Ben <shared@shared.example>",
            "shared@shared.example",
            "Ben <ben@a.example>",
        )
