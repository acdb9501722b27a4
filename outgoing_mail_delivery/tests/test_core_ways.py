"""What core and other code do about mail goes on beside runs, and without them."""

import time
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from odoo.addons.outgoing_mail_routing.tests.smtp_server import (
    Answer,
    SmtpServer,
    Stage,
)

from ..bridge.claims import Claims
from ..bridge.journal import JournalWriter
from ..bridge.settlement import Settlement
from .common import DeliveryCase
from .workers import after, before, held

LATER = Answer("451 4.3.0 Try again later")


def _intends(_writer, sheet, *_answer):
    return any(row["outcome"] == "sending" for row in sheet.new)


@tagged("post_install", "-at_install")
class TestOtherCallers(DeliveryCase):
    """``process_email_queue`` as other code calls it."""

    def setUp(self):
        super().setUp()
        self.serve()
        self.ids = [self.mail(f"m{number}") for number in range(3)]

    def test_named_mails_alone(self):
        self.run_queue([self.ids[1]])
        self.assertStates(m0="outgoing waiting", m1="sent", m2="outgoing waiting")

    def test_filtered_mails_alone(self):
        with self.records() as env:
            filters = [("email_to", "in", ["m0@c.example", "m2@c.example"])]
            queue = env["mail.mail"].with_context(filters=filters)
            queue.process_email_queue()
        self.assertStates(m0="sent", m1="outgoing waiting", m2="sent")

    def test_filtered_mails_among_named_ones(self):
        with self.records() as env:
            filters = [("email_to", "in", ["m0@c.example", "m2@c.example"])]
            queue = env["mail.mail"].with_context(filters=filters)
            queue.process_email_queue(email_ids=self.ids[:2], batch_size=10)
        self.assertStates(m0="sent", m1="outgoing waiting", m2="outgoing waiting")

    def test_what_its_caller_has_just_made_is_due_as_well(self):
        with self.records() as env:
            mail = env["mail.mail"].create(
                {
                    "subject": "new",
                    "email_from": "sender@a.example",
                    "email_to": "new@c.example",
                }
            )
            mail.process_email_queue()
            self.assertEqual(mail.state, "sent")


@tagged("post_install", "-at_install")
class TestScheduled(DeliveryCase):
    """What has a date leaves by then, and by runs."""

    def setUp(self):
        super().setUp()
        self.serve()
        # without a server of Odoo's, scheduled actions of the database are late
        model = self.registry["mail.mail"]
        self.startPatcher(patch.object(model, "_sends_at_once", lambda self: False))
        self.partner_id = self.partner("who")

    def _values(self):
        return {
            "body": "Hello",
            "subtype_xmlid": "mail.mt_comment",
            "message_type": "comment",
            "email_from": "sender@a.example",
            "partner_ids": [self.partner_id],
        }

    def _check_that_it_waits_for_the_queue(self):
        self.assertFalse(self.received())
        with self.records() as env:
            [mail] = env["mail.mail"].search([])
            self.assertEqual(mail.delivery_state, "waiting")
            queue = env.ref("mail.ir_cron_mail_scheduler_action")
            self.assertIn(queue, env["ir.cron.trigger"].search([]).cron_id)
        self.run_queue()
        self.assertEqual(dict(self.received()), {"who@c.example": 1})

    def test_mail_with_a_date_leaves_by_then(self):
        tomorrow = fields.Datetime.now() + timedelta(days=1)
        mail_id = self.mail(scheduled_date=tomorrow)
        self.run_queue()
        self.assertState(mail_id, "outgoing", "waiting")
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "sent")

    def test_posting_leaves_mail_to_the_queue(self):
        with self.records() as env:
            env["res.partner"].browse(self.partner_id).message_post(**self._values())
        self._check_that_it_waits_for_the_queue()

    def test_message_whose_notifications_are_scheduled(self):
        tomorrow = fields.Datetime.now() + timedelta(days=1)
        with self.records() as env:
            partner = env["res.partner"].browse(self.partner_id)
            partner.message_post(**self._values(), scheduled_date=tomorrow)
            self.assertFalse(env["mail.mail"].search([]))
            schedule = env["mail.message.schedule"]
            schedule.search([]).scheduled_datetime = fields.Datetime.now()
            schedule._send_notifications_cron()
        self.run_queue()
        self.assertEqual(dict(self.received()), {"who@c.example": 1})

    def test_message_that_is_posted_later(self):
        with self.records() as env:
            scheduled = env["mail.scheduled.message"].create(
                {
                    "body": "Hello",
                    "author_id": env.user.partner_id.id,
                    "model": "res.partner",
                    "res_id": self.partner_id,
                    "partner_ids": [Command.link(self.partner_id)],
                    "scheduled_date": fields.Datetime.now() + timedelta(days=1),
                }
            )
            self._made.append((scheduled._name, scheduled.ids))
            env.cr.execute(
                "UPDATE mail_scheduled_message"
                " SET scheduled_date = now() AT TIME ZONE 'UTC' - interval '1 day'"
            )
            env.invalidate_all()
        self._send_as_any()
        with self.records() as env:
            env["mail.scheduled.message"]._post_messages_cron()
        self.run_queue()
        self.assertEqual(dict(self.received()), {"who@c.example": 1})

    def _send_as_any(self):
        """Have the server carry what is from anybody."""
        with self.records() as env:
            env["ir.mail_server"].search([]).from_filter = False


@tagged("post_install", "-at_install")
class TestSwitchedOff(DeliveryCase):
    """Core's queue goes on where ours stopped, and sends nothing again."""

    def setUp(self):
        super().setUp()
        self.serve(max_connections=1)

    def _switch_off(self):
        with self.records() as env:
            env["ir.config_parameter"].set_param("mail_delivery.off", "True")

    def test_core_sends_what_waits(self):
        self.smtp["a"].script.at(Stage.RCPT, LATER, matching="later@", times=1)
        self.mail("now")
        self.mail("later")
        self.run_queue()
        self._switch_off()
        self.make_due()
        self.run_queue()
        self.assertStates(now="sent", later="sent")
        self.assertEqual(self.received(), {"now@c.example": 1, "later@c.example": 1})
        self.assertEqual(self.outcomes()["later@c.example"], ["deferred"])

    def test_what_a_dead_run_has_sent_is_settled_before(self):
        self.mail("m0")
        with held(self, before(Settlement, "settle")):
            self.assertEqual(len(self.received()), 1)
        self._switch_off()
        self.run_queue()
        self.assertStates(m0="sent")
        self.assertEqual(len(self.received()), 1)
        self.assertNothingLeft()

    def test_run_that_is_under_way_ends(self):
        """It counts as dead, and transmits nothing any more when it goes on."""
        for number in range(3):
            self.mail(f"m{number}")
        with held(self, after(Claims, "take", lambda _c, _m, ids: ids)) as worker:
            self._switch_off()
            self.run_queue()
            self.assertStates(m0="sent", m1="sent", m2="sent")
            worker.go_on()
            worker.wait_until_done()
        self.assertEqual(set(self.received().values()), {1})

    def test_what_a_run_has_is_sent_by_no_button(self):
        mail_id = self.mail("m0")
        with held(self, after(Claims, "take", lambda _c, _m, ids: ids)) as worker:
            self._switch_off()
            with self.records() as env:
                env["mail.mail"].browse(mail_id).send()
            self.assertFalse(self.received())
            worker.go_on()
            worker.wait_until_done()
        self.assertEqual(len(self.received()), 1)

    def test_uninstalled_it_leaves_core_what_waits(self):
        self.smtp["a"].script.at(Stage.RCPT, LATER, matching="later@", times=1)
        self.mail("now")
        self.mail("later")
        self.run_queue()
        with self.records() as env:
            env["mail.delivery.run"]._end_for_good()
        self.assertEqual(self.read_later("scheduled_date", "failure_reason"), (0, 0))
        self._switch_off()
        self.run_queue()
        self.assertEqual(self.received(), {"now@c.example": 1, "later@c.example": 1})

    def test_scheduled_actions_of_parallel_runs_leave_nothing_behind(self):
        with self.records() as env:
            actions = env["ir.actions.server"].search([])
            env["mail.delivery.run"]._keep_crons(3)
            self.assertEqual(len(env["ir.actions.server"].search([]) - actions), 2)
            env["mail.delivery.run"]._end_for_good()
            self.assertEqual(env["ir.actions.server"].search([]), actions)

    def read_later(self, *names):
        with self.records() as env:
            [mail] = env["mail.mail"].search([("state", "=", "outgoing")])
            return tuple(mail[name] for name in names)


@tagged("post_install", "-at_install")
class TestCopies(DeliveryCase):
    """A database that was copied while a run was under way, and has its own name."""

    def test_copy_knows_nothing_of_the_runs_of_the_other(self):
        self.serve(max_connections=1)
        for number in range(3):
            self.mail(f"m{number}")
        hold = after(JournalWriter, "_execute", _intends)
        with (
            held(self, hold),
            patch.object(Claims, "__init__", _with_another_name(Claims.__init__)),
        ):
            self.run_queue()
            self.assertStates(m0="exception unknown", m1="sent", m2="sent")
            self.assertNothingLeft()


def _with_another_name(initialize):
    def of_a_copy(claims, cr, uuid, only_ids=None):
        initialize(claims, cr, f"copy of {uuid}", only_ids)

    return of_a_copy


@tagged("post_install", "-at_install")
class TestPersonalServers(DeliveryCase):
    """Connected Gmail and Outlook accounts, as many mails a minute as core allows."""

    def setUp(self):
        super().setUp()
        with self.records() as env:
            names = env["ir.mail_server"]._fields
            if not {"google_gmail_access_token", "microsoft_outlook_uri"} & set(names):
                self.skipTest("needs the modules google_gmail and microsoft_outlook")

    def _connect(self, name, authentication, prefix):
        """A user with a connected account; return the user's id."""
        email = f"{name}@white.example"
        self.smtp[name] = SmtpServer({}, tokens={email: f"token of {name}"}).start()
        self.addCleanup(self.smtp[name].stop)
        with self.records() as env:
            user = new_test_user(
                env, f"{name}.personal", groups="base.group_user", email=email
            )
            self._made.append(("res.partner", user.partner_id.ids))
            self._made.append(("res.users", user.ids))
            env["ir.mail_server"].create(
                {
                    "name": email,
                    "owner_user_id": user.id,
                    "from_filter": email,
                    "smtp_host": self.smtp[name].host,
                    "smtp_port": self.smtp[name].port,
                    "smtp_user": email,
                    "smtp_encryption": "starttls",
                    "smtp_authentication": authentication,
                    f"{prefix}_access_token": f"token of {name}",
                    f"{prefix}_access_token_expiration": int(time.time()) + 3600,
                }
            )
            return user.id

    def _write(self, user_id, subject, *addresses):
        """A mail of a user, with a message of its own for each address."""
        partner_ids = [self.partner(*each.split("@")[:1]) for each in addresses]
        with self.records() as env:
            user = env["res.users"].browse(user_id)
            env["mail.mail"].with_user(user).sudo().create(
                {
                    "subject": subject,
                    "email_from": user.email_formatted,
                    "recipient_ids": [Command.set(partner_ids)],
                }
            )

    def test_as_many_a_minute_as_core_allows(self):
        model = self.registry["ir.mail_server"]
        limit = "_get_personal_mail_servers_limit"
        self.startPatcher(patch.object(model, limit, lambda self: 3))
        for name, authentication, prefix in (
            ("gina", "gmail", "google_gmail"),
            ("olaf", "outlook", "microsoft_outlook"),
        ):
            user_id = self._connect(name, authentication, prefix)
            for number in range(2):
                self._write(user_id, "one", f"{name}{number}@c.example")
            self._write(user_id, "four", *(f"{name}of{n}@c.example" for n in range(4)))
        for minutes in range(2):
            with self.subTest(minutes=minutes):
                self.run_queue()
                for smtp in self.smtp.values():
                    self.assertEqual(len(smtp.received), 3 * (minutes + 1))
                self._let_a_minute_pass()
        self.assertEqual(set(self.received().values()), {1})
        self.assertEqual(set(self.states()), {"one", "four"})
        for states in self.states().values():
            self.assertEqual(set(states), {("sent", False)})

    def _let_a_minute_pass(self):
        with self.records() as env:
            env.cr.execute(
                "UPDATE ir_mail_server"
                " SET owner_limit_time = owner_limit_time - interval '1 minute'"
            )
        self.make_due()


@tagged("post_install", "-at_install")
class TestTextMessages(DeliveryCase):
    """SMS have a queue and notifications of their own."""

    def test_their_notifications_stay_as_they_are(self):
        with self.records() as env:
            if "sms.sms" not in env:
                self.skipTest("needs the module sms")
        self.serve()
        partner_id, other_id = self.partner("who"), self.partner("other")
        self.smtp["a"].script.at(Stage.RCPT, LATER, times=1)
        with self.records() as env:
            message = env["mail.message"].create(
                {"model": "res.partner", "res_id": partner_id, "body": "Hello"}
            )
            mail = env["mail.mail"].create(
                {
                    "mail_message_id": message.id,
                    "is_notification": True,
                    "email_from": "sender@a.example",
                    "recipient_ids": [Command.link(partner_id)],
                }
            )
            env["mail.notification"].create(
                [
                    {
                        "mail_message_id": message.id,
                        "mail_mail_id": mail.id,
                        "res_partner_id": each_id,
                        "notification_type": kind,
                        "notification_status": "exception",
                    }
                    for each_id, kind in ((partner_id, "email"), (other_id, "sms"))
                ]
            )
            message_id = message.id
            mail.send()
        self.assertEqual(
            self._status(message_id), {"email": "ready", "sms": "exception"}
        )
        self.make_due()
        self.run_queue()
        self.assertEqual(
            self._status(message_id), {"email": "sent", "sms": "exception"}
        )

    def _status(self, message_id):
        with self.records() as env:
            notifications = env["mail.message"].browse(message_id).notification_ids
            return {n.notification_type: n.notification_status for n in notifications}
