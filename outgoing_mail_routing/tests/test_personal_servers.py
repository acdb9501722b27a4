from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo.exceptions import ValidationError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from ..bridge.directory_source import DirectorySource
from ..routing import Reason
from .common import RoutingCase, sentence

MAILBOX = "office@mailbox.example"
RELAY = "relay-a"


class PersonalServerCase(RoutingCase):
    """Anna connected a personal server (core's), beside her assigned mailbox."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["mail.mail"].search([("state", "=", "outgoing")]).unlink()
        cls.parameters = cls.env["ir.config_parameter"]
        cls.parameters.set_param("base_setup.default_external_email_server", True)
        cls.personal = cls._create_personal(cls.anna)

    @classmethod
    def _create_personal(cls, user, **values):
        """A personal server as core's own set-up makes one, connected and in use."""
        return cls._create_server(
            user.email,
            **{
                "name": f"{user.name}'s outgoing email",
                "owner_user_id": user.id,
                "from_filter": user.email,
                **values,
            },
        )

    def _disconnect(self, user):
        """What choosing the default server in the preferences calls."""
        user.with_user(user).action_setup_outgoing_mail_server("default")

    def assertLeaves(self, mail, login):
        """Run the queue and check that one mail arrived, through this account."""
        self.forget_received()
        self.run_queue()
        self.assertEqual(self.one_received().login, login)
        self.assertEqual(mail.exists().state or "sent", "sent")


@tagged("post_install", "-at_install")
class TestPersonalServers(PersonalServerCase):
    """Core's personal servers beside assigned ones."""

    def test_own_from_leaves_through_personal_server_before_all_others(self):
        received = self.post(self.anna, self.customer_a)
        self.assertEqual(received.login, self.anna.email)
        self.assertEqual(received.header("From"), "Anna <anna@a.example>")
        self.assertEqual(received.mail_from, "anna@a.example")
        self.assertLeaves(self.queue(self.anna, self.customer_a), self.anna.email)
        self._disconnect(self.anna)
        self.assertLeaves(self.queue(self.anna, self.customer_a), MAILBOX)

    def test_any_other_from_passes_the_personal_server_by_and_says_so(self):
        for email_from, login in (
            ("shop@shop.example", "shop"),
            (MAILBOX, MAILBOX),
            ("ben@a.example", RELAY),
        ):
            with self.subTest(email_from=email_from):
                mail = self.queue(self.anna, self.customer_a, email_from=email_from)
                steps = self.explained(mail)
                passed_by = sentence(
                    Reason.PERSONAL_NOT_FOR_FROM,
                    server=self.personal.name,
                    email=email_from,
                )
                self.assertIn(passed_by, steps)
                none_own = sentence(Reason.NO_OWN_SERVERS, user="Anna")
                self.assertNotIn(none_own, steps)
                self.assertLeaves(mail, login)

    def test_mail_queued_before_the_server_ceased_to_fit_takes_the_next_rule(self):
        mailbox, itself = "mailbox", "personal server"
        only_b = self.company_b.ids
        for number, (what, values, login) in enumerate(
            (
                ("server", {"active": False}, mailbox),
                ("server", {"smtp_user": "x@elsewhere.example"}, mailbox),
                ("server", {"from_filter": "x@elsewhere.example"}, mailbox),
                ("server", {"owner_user_id": self.ben.id}, mailbox),
                ("server", {"company_ids": only_b}, mailbox),
                ("user", {"use_own_mail_servers": False}, RELAY),
                ("partner", {"email": "x@elsewhere.example"}, RELAY),
                ("user", {"active": False}, itself),
            )
        ):
            with self.subTest(what, **values):
                user = self._create_user(f"user{number}", self.company_a)
                user.own_mail_server_ids = self._create_server(f"box{number}@x.example")
                server = self._create_personal(user)
                logins = {mailbox: f"box{number}@x.example", itself: user.email}
                mail = self.queue(user, self.customer_a)
                self.assertRule(mail, "user")
                changed = {"server": server, "user": user, "partner": user.partner_id}
                changed[what].write(values)
                self.assertLeaves(mail, logins.get(login, login))

    def test_mail_queued_before_the_owner_disconnected_takes_the_next_rule(self):
        mail = self.queue(self.anna, self.customer_a)
        self._disconnect(self.anna)
        self.assertFalse(self.personal.exists())
        self.assertLeaves(mail, MAILBOX)

    def test_personal_servers_disabled_for_all_take_the_next_rule(self):
        mail = self.queue(self.anna, self.customer_a)
        self.parameters.set_param("mail.disable_personal_mail_servers", True)
        self.assertLeaves(mail, MAILBOX)
        self.parameters.set_param("mail.disable_personal_mail_servers", False)
        self.assertLeaves(self.queue(self.anna, self.customer_a), self.anna.email)

    def test_personal_server_of_a_colleague_is_neither_used_nor_named(self):
        as_anna = {
            "author_id": self.anna.partner_id.id,
            "email_from": self.anna.email_formatted,
        }
        her_from = {"email_from": self.anna.email}
        root = self.env.ref("base.user_root")
        self.company_a.mail_server_ids = False
        self.relay_a.reserved = True
        for lent, name, mail, login in (
            (
                "colleagues",
                "Ben",
                self.queue(self.ben, self.customer_a, **as_anna),
                MAILBOX,
            ),
            ("odoo", "Ben", self.queue(self.ben, self.customer_a, **as_anna), "shared"),
            ("nobody", "her address", self.mail(self.ben, **her_from), "shared"),
            ("odoo", "Odoo", self.mail(root, **as_anna), MAILBOX),
            ("nobody", "Odoo", self.mail(root, **as_anna), "shared"),
            ("colleagues", "portal", self.mail(self.portal_user, **as_anna), "shared"),
        ):
            with self.subTest(name, lent=lent):
                self.mailbox.delegation = lent
                route = mail._get_mail_routes()[mail.id]
                self.assertNotEqual(route.mail_server, self.personal)
                self.assertNotIn("outgoing email", "\n".join(self.explained(mail)))
                self.assertEqual(self.deliver(mail).login, login)
                self.forget_received()

    def test_policies_set_on_a_personal_server_never_change_its_from(self):
        self.personal.write({"from_policy": "login", "sender_email": "x@a.example"})
        received = self.post(self.anna, self.customer_a)
        self.assertEqual(received.login, self.anna.email)
        self.assertEqual(received.header("From"), "Anna <anna@a.example>")

    def test_bulk_mail_avoids_personal_servers_once_something_is_assigned(self):
        if "mailing.mailing" not in self.env:
            self.skipTest("needs the module mass_mailing")
        mailing = self.env["mailing.mailing"].create(
            {
                "subject": "News",
                "mailing_model_id": self.env.ref("base.model_res_partner").id,
            }
        )
        values = {"mailing_id": mailing.id, "email_from": self.anna.email_formatted}
        self.assertLeaves(self.mail(self.anna, **values), RELAY)
        self.anna.own_mail_server_ids = False
        (self.company_a + self.company_b).mail_server_ids = False
        self.mailbox.reserved = False
        self.assertLeaves(self.mail(self.anna, **values), self.anna.email)


@tagged("post_install", "-at_install")
class TestForcedPersonalServers(PersonalServerCase):
    """A personal server set on a mail by hand."""

    def _forced(self, **values):
        return self.queue(
            self.anna, self.customer_a, mail_server_id=self.personal.id, **values
        )

    def assertFails(self, mail):
        """Check that the mail fails, says why to anybody, and stops no other."""
        self.assertTrue(mail._get_mail_routes()[mail.id].refused)
        self.assertLeaves(self.queue(self.ben, self.customer_a), RELAY)
        self.assertEqual(mail.state, "exception")
        self.assertIn(sentence(Reason.FORCED_PERSONAL), mail.failure_reason)
        self.assertIn("Choose another server", mail.failure_reason)
        self.assertNotIn("outgoing email", mail.failure_reason)

    def test_own_server_set_by_hand_carries_the_mail_though_switched_off(self):
        self.anna.use_own_mail_servers = False
        mail = self._forced()
        self.assertRule(mail, "forced")
        self.assertLeaves(mail, self.anna.email)

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_own_server_set_by_hand_for_another_from_fails_with_the_reason(self):
        mail = self._forced(email_from="shop@shop.example")
        self.assertFails(mail)
        mail.write({"email_from": self.anna.email, "state": "outgoing"})
        self.assertLeaves(mail, self.anna.email)

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_own_server_set_by_hand_and_disabled_since_fails_with_the_reason(self):
        mail = self._forced()
        self.parameters.set_param("mail.disable_personal_mail_servers", True)
        self.assertFails(mail)
        self.parameters.set_param("mail.disable_personal_mail_servers", False)
        mail.mark_outgoing()
        self.assertLeaves(mail, self.anna.email)

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_server_set_by_hand_that_became_somebodys_since_fails_unnamed(self):
        self._disconnect(self.anna)
        server = self._create_server("anna@a.example", name="Anna's outgoing email")
        mail = self.queue(
            self.ben,
            self.customer_a,
            mail_server_id=server.id,
            email_from=self.anna.email,
        )
        server.write({"owner_user_id": self.anna.id, "from_filter": self.anna.email})
        self.assertFails(mail)
        mail.write({"mail_server_id": False, "state": "outgoing"})
        self.assertLeaves(mail, RELAY)

    def test_server_set_by_hand_and_disconnected_since_takes_the_next_rule(self):
        mail = self._forced()
        self._disconnect(self.anna)
        self.assertLeaves(mail, MAILBOX)


@tagged("post_install", "-at_install")
class TestPersonalServerLimit(PersonalServerCase):
    """Core's limit for a minute, through the queue."""

    def setUp(self):
        super().setUp()
        self.now = datetime(2026, 3, 2, 10, 0, 20)

    def _run_queue_at(self, minute):
        """The logins that carried mails in this minute."""
        self.forget_received()
        with freeze_time(self.now + timedelta(minutes=minute)):
            self.run_queue()
        return sorted(received.login for received in self.received())

    def _queue(self, count, user=None, **values):
        with freeze_time(self.now):
            return self.env["mail.mail"].concat(
                *(
                    self.mail(user or self.anna, **values, subject=f"Mail {number}")
                    for number in range(count)
                )
            )

    def test_mails_over_the_limit_wait_for_the_same_server(self):
        self.parameters.set_param("mail.server.personal.limit.minutes", "2")
        anna = self.anna.email
        mails = self._queue(5, email_from=anna)
        self._queue(1, user=self.ben, email_from=self.ben.email)
        self.assertEqual(self._run_queue_at(0), [anna, anna, RELAY])
        waiting = mails.exists().filtered(lambda mail: mail.state == "outgoing")
        self.assertEqual(len(waiting), 3)
        self.assertEqual(
            sorted(waiting.mapped("scheduled_date")),
            [self.now.replace(second=0, minute=minute) for minute in (1, 1, 2)],
        )
        self.assertEqual(self._run_queue_at(0), [], "the minute is used up")
        self.assertEqual(self._run_queue_at(1), [anna, anna])
        self.assertEqual(self._run_queue_at(2), [anna])
        self.assertEqual(self._run_queue_at(3), [])

    def test_limit_is_thirty_if_nothing_is_said(self):
        self.parameters.set_param("mail.server.personal.limit.minutes", False)
        self._queue(31, email_from=self.anna.email)
        self.assertEqual(self._run_queue_at(0), [self.anna.email] * 30)
        self.assertEqual(self._run_queue_at(1), [self.anna.email])

    def test_recipients_over_the_limit_get_the_mail_later(self):
        self.parameters.set_param("mail.server.personal.limit.minutes", "2")
        partners = self.env["res.partner"].create(
            [{"name": n, "email": f"{n}@customer.example"} for n in "abc"]
        )
        self._queue(
            1,
            email_from=self.anna.email,
            email_to=False,
            recipient_ids=[(6, 0, partners.ids)],
        )
        recipients = []
        for minute, count in ((0, 2), (1, 1)):
            self.assertEqual(self._run_queue_at(minute), [self.anna.email] * count)
            recipients += [rcpt for mail in self.received() for rcpt in mail.rcpt_tos]
        self.assertEqual(sorted(recipients), sorted(partners.mapped("email")))

    def test_waiting_mails_take_the_next_rule_if_the_server_is_gone(self):
        self.parameters.set_param("mail.server.personal.limit.minutes", "1")
        self._queue(2, email_from=self.anna.email)
        self.assertEqual(self._run_queue_at(0), [self.anna.email])
        self._disconnect(self.anna)
        self.assertEqual(self._run_queue_at(1), [MAILBOX])


@tagged("post_install", "-at_install")
class TestPersonalServerLife(PersonalServerCase):
    """Assigning, disconnecting, cleaning up, and what the owner reads."""

    def _clean_up(self):
        self.env["res.users"]._gc_personal_mail_servers()

    def test_personal_server_cannot_be_assigned_connected_or_not(self):
        cases = (
            (self.ben, "own_mail_server_ids", self.personal),
            (self.anna, "own_mail_server_ids", self.personal),
            (self.company_a, "mail_server_ids", self.personal),
            (self.personal, "own_user_ids", self.ben),
            (self.personal, "default_company_ids", self.company_a),
        )
        for active in (True, False):
            self.personal.active = active
            for record, field, assigned in cases:
                with (
                    self.subTest(record=record, field=field, active=active),
                    self.refused(ValidationError, "personal mail server of Anna"),
                ):
                    record[field] += assigned

    def test_assigned_server_cannot_become_personal(self):
        for server in self.mailbox + self.relay_a:
            with self.refused(ValidationError, "cannot be assigned"):
                server.owner_user_id = self.ben

    def test_clean_up_deletes_personal_servers_out_of_use_and_nothing_else(self):
        assigned = self.mailbox + self.relay_a
        self.mailbox.write({"smtp_user": "anna@a.example"})
        pending = self._create_personal(self.ben, active=False)
        self._clean_up()
        self.assertFalse(pending.exists())
        self.assertTrue(self.personal.exists())
        self.anna.email = "anna.new@a.example"
        self._clean_up()
        self.assertFalse(self.personal.exists())
        self.assertEqual(assigned.exists(), assigned)
        self.assertEqual(self.anna.own_mail_server_ids, self.mailbox)

    def test_deleted_personal_server_leaves_nothing_behind(self):
        for name, delete in (
            ("disconnected", lambda: self._disconnect(self.anna)),
            (
                "cleaned up",
                lambda: (self.anna.write({"email": "new@x.y"}), self._clean_up()),
            ),
        ):
            with self.subTest(name):
                server = self.anna.outgoing_mail_server_id
                server = server or self._create_personal(self.anna)
                server.company_ids = self.company_a
                server_id = server.id
                template = self.env["mail.template"].create(
                    {"name": "Forced", "mail_server_id": server_id}
                )
                mail = self.queue(self.anna, self.customer_a, mail_server_id=server_id)
                delete()
                self.env.invalidate_all()
                self.assertFalse(server.exists())
                self.assertFalse(template.mail_server_id)
                self.assertFalse(mail.mail_server_id)
                self.assertFalse(self.anna.outgoing_mail_server_id)
                directory = DirectorySource(self.env).get()
                self.assertIsNone(directory.get(server_id))

    def test_owner_reads_where_their_mail_leaves_in_each_state(self):
        anna = self.anna.with_user(self.anna)
        mailbox = "A: through Office@mailbox.example as office@mailbox.example"
        personal = "A: through Anna's outgoing email as anna@a.example"
        relay = "A: through Relay-a as anna@a.example"
        disabled = "mail.disable_personal_mail_servers"
        for name, change, line in (
            ("connected", lambda: None, personal),
            ("pending", lambda: self.personal.write({"active": False}), mailbox),
            ("again", lambda: self.personal.write({"active": True}), personal),
            ("disabled", lambda: self.parameters.set_param(disabled, 1), mailbox),
            ("enabled", lambda: self.parameters.set_param(disabled, False), personal),
            ("off", lambda: self.anna.write({"use_own_mail_servers": False}), relay),
            ("on", lambda: self.anna.write({"use_own_mail_servers": True}), personal),
            (
                "barred",
                lambda: self.personal.write({"company_ids": self.company_b.ids}),
                mailbox,
            ),
            ("open", lambda: self.personal.write({"company_ids": False}), personal),
            ("disconnected", lambda: self._disconnect(self.anna), mailbox),
        ):
            with self.subTest(name):
                change()
                self.env.invalidate_all()
                self.assertEqual(
                    anna.outgoing_mail_summary,
                    f"{line}; answers to catchall@a.example reach Odoo",
                )
                self.assertFalse(self.anna.with_user(self.ben).outgoing_mail_summary)
                ben = self.ben.with_user(self.ben)
                self.assertNotIn("Anna", ben.outgoing_mail_summary)

    def test_administrator_switches_off_who_has_but_a_personal_server(self):
        self.anna.own_mail_server_ids = False
        admin = self.env.ref("base.user_admin")
        with Form(self.anna.with_user(admin), "base.view_users_form") as form:
            form.use_own_mail_servers = False
        mail = self.queue(self.anna, self.customer_a)
        steps = self.explained(mail)
        self.assertIn(sentence(Reason.OWN_SERVERS_OFF, user="Anna"), steps)
        self.assertLeaves(mail, RELAY)
