"""What Odoo sends later is of everybody who had a hand in it meanwhile.

Reminders of events leave for the organizer's company as long as nobody of another one
wrote any of what they say, and a scheduled message as its maker's.
"""

from contextlib import contextmanager, suppress
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..bridge.carrier import Incoming
from ..bridge.origin import Origin, origin_of
from .test_security_callers import CallerCase
from .test_security_walls import TO

# Where core and this addon look whether they may commit
_SCHEDULED = "models.mail_scheduled_message.modules"
_JOB = "calendar.ir_cron_scheduler_alarm"
_REMINDER = "calendar.calendar_template_meeting_reminder"


class ReminderCase(CallerCase):
    """Bob of company B invites a guest, who is reminded by mail."""

    def setUp(self):
        super().setUp()
        self.require("calendar")
        self.alarm = self.create_alarm(self.root)
        self.guest = self.env["res.partner"].create({"name": "Guest", "email": TO})
        self.other = self.env["res.partner"].create({"name": "x", "email": "x@x.test"})
        self.event = self.create_event(self.bob)

    def create_alarm(self, user):
        return (
            self.env["calendar.alarm"]
            .with_user(user)
            .create(
                {
                    "name": "Reminder",
                    "alarm_type": "email",
                    "interval": "hours",
                    "duration": 1,
                    "mail_template_id": self.env.ref(_REMINDER).id,
                }
            )
        )

    def create_event(self, user):
        start = fields.Datetime.now() + timedelta(minutes=30)
        events = self.env["calendar.event"].with_user(user)
        event = events.with_context(dont_notify=True).create(
            {
                "name": "His",
                "user_id": user.id,
                "start": start,
                "stop": start + timedelta(hours=1),
                "partner_ids": [Command.set(self.guest.ids)],
                "alarm_ids": [Command.set(self.alarm.ids)],
            }
        )
        self.forget_mails()
        return event.with_user(self.root)

    def create_template(self, user):
        values = {
            "name": "x",
            "model_id": self.env["ir.model"]._get_id("calendar.attendee"),
            "subject": "Theirs",
            "body_html": "<p>Theirs</p>",
            "email_from": "sales@b.example",
        }
        return self.env["mail.template"].with_user(user).create(values)

    def forget_mails(self):
        self.env["mail.mail"].search([]).unlink()
        self.forget_received()

    def reminding(self):
        """The accounts by which the reminders of a run leave."""
        self.forget_mails()
        job = self.env.ref(_JOB)
        with self.sending(), self.enter_registry_test_mode():
            job.lastcall = fields.Datetime.now() - timedelta(hours=1)
            job.method_direct_trigger()
        self.env.invalidate_all()
        with self.sending():
            self.run_jobs()
        return {mail.login for mail in self.received()}


@tagged("post_install", "-at_install")
class TestReminders(ReminderCase):
    """They are the organizer's as long as nobody else's hand is in them."""

    def as_plain(self, model, method, *args):
        silent = {"dont_notify": True, "no_mail_to_attendees": True}
        return self.call(self.plain, model, method, *args, context=silent)

    def test_reminder_of_what_nobody_else_touched_is_the_organizers(self):
        self.assertEqual(self.reminding(), {"relay-b"})

    def test_text_of_a_colleagues_template_is_not_the_organizers(self):
        template = self.create_template(self.plain)
        values = {"mail_template_id": template.id}
        self.as_plain("calendar.alarm", "write", self.alarm.ids, values)
        self.assertEqual(self.reminding(), {"relay-a"})

    def test_template_of_a_colleague_that_stood_on_the_reminder_before_counts(self):
        self.alarm.mail_template_id = self.create_template(self.plain)
        self.assertEqual(self.reminding(), {"relay-a"})

    def test_change_of_the_reminder_or_its_template_counts(self):
        template = self.env.ref(_REMINDER)
        for record, values in (
            (self.alarm, {"name": "Mine"}),
            (template, {"subject": "Mine"}),
            (template, {"body_html": "<p>Mine</p>"}),
            (
                self.env["ir.attachment"].create(
                    {"name": "a.txt", "raw": b"a", "res_model": "mail.template"}
                ),
                {"raw": b"Mine"},
            ),
        ):
            with self.subTest(record=record._name, values=values):
                self.env["mail.routing.hand"].search([]).sudo().unlink()
                if record._name == "ir.attachment":
                    template.attachment_ids = record
                self.assertEqual(self.reminding(), {"relay-b"})
                record.with_user(self.plain).sudo().write(values)
                self.assertEqual(self.reminding(), {"relay-a"})

    def test_maker_of_a_reminder_counts_once_they_change_it(self):
        """Who chose it saw what it was called then."""
        self.event.unlink()
        self.alarm = self.create_alarm(self.plain)
        self.create_event(self.bob)
        self.assertEqual(self.reminding(), {"relay-b"})
        self.as_plain("calendar.alarm", "write", self.alarm.ids, {"name": "Mine"})
        self.assertEqual(self.reminding(), {"relay-a"})

    def test_translation_of_the_reminder_counts(self):
        texts = {"en_US": "Mine"}
        self.as_plain(
            "calendar.alarm", "update_field_translations", self.alarm.ids, "name", texts
        )
        self.assertEqual(self.alarm.name, "Mine")
        self.assertEqual(self.reminding(), {"relay-a"})

    def test_administrators_template_is_the_organizers(self):
        administrator = self._create_administrator()
        administrator.company_ids = self.company_a
        self.alarm.mail_template_id = self.create_template(administrator)
        self.alarm.with_user(administrator).name = "Theirs"
        self.assertEqual(self.reminding(), {"relay-b"})

    def test_attendee_by_whatever_way_counts(self):
        new = {"partner_id": self.other.id}
        attendees, events = "calendar.attendee", "calendar.event"
        for name, attack in {
            "made": lambda event, theirs: self.as_plain(
                attendees, "create", {"event_id": event.id, **new}
            ),
            "made by a command": lambda event, theirs: self.as_plain(
                events, "write", event.ids, {"attendee_ids": [[0, 0, new]]}
            ),
            "moved": lambda event, theirs: self.as_plain(
                attendees, "write", theirs.ids, {"event_id": event.id}
            ),
            "moved by a command": lambda event, theirs: self.as_plain(
                events, "write", event.ids, {"attendee_ids": [[4, theirs.id]]}
            ),
            "called something": lambda event, theirs: self.as_plain(
                attendees, "write", event.attendee_ids.ids, {"common_name": "Mine"}
            ),
            "replaced": lambda event, theirs: self.as_plain(
                attendees, "write", event.attendee_ids.ids, new
            ),
            "called something by a command": lambda event, theirs: self.as_plain(
                *(events, "write", event.ids),
                {"attendee_ids": [[1, event.attendee_ids.id, {"common_name": "x"}]]},
            ),
        }.items():
            with self.subTest(name):
                event = self.create_event(self.bob)
                theirs = self.create_event(self.plain).attendee_ids
                attack(event, theirs)
                company = self.env["mail.mail"].sudo()._get_company_of_event(event)
                self.assertEqual(company, self.company_a)

    def test_attendee_of_a_colleague_is_no_mail_of_the_organizers(self):
        values = {"event_id": self.event.id, "partner_id": self.other.id}
        self.as_plain("calendar.attendee", "create", values)
        self.assertEqual(self.reminding(), {"relay-a"})

    def test_answer_and_same_values_again_leave_it_the_organizers(self):
        """As attendees answer, and synchronized calendars write."""
        attendee = self.event.attendee_ids
        self.as_plain("calendar.attendee", "write", attendee.ids, {"state": "accepted"})
        self.as_plain(
            *("calendar.event", "write", self.event.ids),
            {
                "name": self.event.name,
                "start": fields.Datetime.to_string(self.event.start),
                "stop": self.event.stop.isoformat(" "),
                "description": str(self.event.description),
                "location": "",
                "user_id": self.bob.id,
                "partner_ids": [[6, 0, self.guest.ids]],
                "attendee_ids": [[1, attendee.id, {"state": "declined"}]],
            },
        )
        again = [[4, attendee.id], [1, attendee.id, {"state": "accepted"}]]
        values = {"attendee_ids": again}
        self.as_plain("calendar.event", "write", self.event.ids, values)
        self.assertEqual(attendee.state, "accepted")
        self.assertFalse(self.env["mail.routing.hand"]._of(self.event))
        self.assertEqual(self.reminding(), {"relay-b"})

    def test_event_made_by_an_incoming_mail_is_nobodys(self):
        """Nothing proves that it is of whom its From names."""
        events = self.env["calendar.event"].with_user(self.bob)
        event = (
            Incoming()
            .on(events)
            .create(
                {
                    "name": "x",
                    "start": "2030-01-01 10:00:00",
                    "stop": "2030-01-01 11:00:00",
                }
            )
        )
        [hand] = self.env["mail.routing.hand"]._of(event)[event.id]
        self.assertFalse(hand.user_id)


@tagged("post_install", "-at_install")
class TestScheduled(CallerCase):
    """Between two scheduled messages the job commits: others act meanwhile."""

    def schedule(self, user, body, model=None, **values):
        scheduled = self.env["mail.scheduled.message"] if model is None else model
        return scheduled.with_user(user).create(
            {
                "model": "res.partner",
                "res_id": self.customer.id,
                "author_id": user.partner_id.id,
                "body": body,
                "subject": body,
                "partner_ids": self.customer.ids,
                "scheduled_date": self.tomorrow(),
                **values,
            }
        )

    @contextmanager
    def committing(self):
        """The job commits between two messages, as it does outside of tests."""
        outside = SimpleNamespace(module=SimpleNamespace(current_test=None))
        with (
            patch(f"odoo.addons.mail.{_SCHEDULED}", outside),
            patch(f"odoo.addons.outgoing_mail_routing.{_SCHEDULED}", outside),
        ):
            yield

    def run_twice(self, administrator):
        """Let an administrator run the job twice, once all messages are due."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mail_scheduled_message"
            " SET scheduled_date = now() - interval '1 day'"
        )
        self.env.invalidate_all()
        job = self.env.ref("mail.ir_cron_post_scheduled_message")
        with self.sending(), self.committing():
            for _run in range(2):
                self.call(administrator, "ir.cron", "method_direct_trigger", job.ids)
        self.env.invalidate_all()

    def meanwhile(self, posted, act):
        """Let something happen once a message was posted, before the next one is."""
        registered = type(posted)
        hook = registered._message_created_hook

        def hook_and_act(scheduled, message):
            hook(scheduled, message)
            if scheduled.id == posted.id:
                act()
                self.env.flush_all()
                self.env.invalidate_all()

        return patch.object(registered, "_message_created_hook", hook_and_act)

    def test_message_changed_while_the_job_posts_another_is_nobodys(self):
        first, hers = self.schedule(self.ben, "First"), self.schedule(self.anna, "Hers")
        changed = hers.with_user(self.ben).sudo()
        change = {"body": "Mine", "subject": "Mine"}
        with self.meanwhile(first, lambda: changed.write(change)):
            _refused, logins = self.attempt(lambda: None)
        self.assertEqual(logins, {"relay-a"})

    def test_savepoint_that_is_rolled_back_hides_no_hand(self):
        """Core takes one for each record that may fail, and empties the cache by it."""
        hers = self.schedule(self.anna, "Hers")
        hers.with_user(self.ben).sudo().body = "Mine"
        registered = type(self.customer)
        message_post = registered.message_post

        def post(records, **kwargs):
            with suppress(ZeroDivisionError), records.env.cr.savepoint():
                raise ZeroDivisionError
            return message_post(records, **kwargs)

        with patch.object(registered, "message_post", post), self.sending():
            hers.with_user(self.root)._post_message()
        self.assertEqual(self.one_received().login, "relay-a")

    def test_what_is_posted_amid_another_post_ends_with_it(self):
        with Origin(scheduled_by=5).during(self.env):
            with Origin(scheduled_by=6).during(self.env):
                self.assertEqual(origin_of(self.env).scheduled_by, 6)
            self.assertEqual(origin_of(self.env).scheduled_by, 5)
        self.assertFalse(origin_of(self.env).scheduled_by)

    def test_message_cancelled_while_the_job_posts_another_stops_no_other(self):
        first, second = self.schedule(self.ben, "1"), self.schedule(self.ben, "2")
        self.schedule(self.ben, "Mine")
        with self.meanwhile(first, second.with_user(self.root).unlink):
            _refused, logins = self.attempt(lambda: None)
        self.assertEqual(logins, {"relay-a"})
        self.assertFalse(self.customer.message_ids.filtered(lambda m: m.body == "2"))

    def test_message_that_an_incoming_mail_scheduled_is_nobodys(self):
        model = self.env["mail.scheduled.message"]
        model = Incoming().on(model)
        self.schedule(self.anna, "Mine", model)
        self.assertEqual(self.attempt(lambda: None)[1], {"relay-a"})

    def test_server_of_a_template_carries_what_code_schedules_of_it_for_a_user(self):
        """Who only asked for it has not changed it once it is posted."""
        template = self._create_vip_template()
        composers = self.asked_by(self.ben, self.root, "mail.compose.message")
        self.schedule_from(template, composers)
        self.assertEqual(self.attempt(lambda: None)[1], {"vip"})
        [message] = self.customer.message_ids.filtered(lambda m: "Mine" in m.body)
        self.assertTrue(message.sudo().asked_by_others)
        self.assertFalse(message.sudo().changed_by_others)

    @mute_logger("odoo.http", "odoo.addons.base.models.ir_cron", "odoo.sql_db")
    def test_process_that_dies_after_posting_leaves_nothing_to_be_posted_again(self):
        """In core's own deletion, which comes after its commit."""
        administrator = self._create_administrator()
        scheduled = self.schedule(self.anna, "Hers")
        registered = type(scheduled)
        unlink, posted, killed = registered.unlink, [], []

        def die_once_posted(records):
            if posted and not killed:
                killed.append(records)
                raise RuntimeError("killed")
            return unlink(records)

        with (
            patch.object(registered, "unlink", die_once_posted),
            self.meanwhile(scheduled, lambda: posted.append(scheduled)),
        ):
            self.run_twice(administrator)
        self.assertTrue(killed)
        self.assertFalse(scheduled.exists())
        kept = self.customer.message_ids.filtered(lambda m: "Hers" in m.body)
        self.assertEqual(len(kept), 1)

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_scheduled_message")
    def test_message_before_one_that_fails_is_posted_once(self):
        administrator = self._create_administrator()
        self.root.company_id = self.company_b
        self.plain.email = TO
        self.plain.group_ids += self.env.ref("base.group_partner_manager")
        hers = self.schedule(self.anna, "Hers")
        fails = {"notification_parameters": '{"message_type": "user_notification"}'}
        failing = self.schedule(self.plain, "Mine", **fails)
        self.run_twice(administrator)
        self.assertFalse((hers | failing).exists())
        posted = self.customer.message_ids.filtered(lambda m: "Hers" in m.body)
        self.assertEqual(len(posted), 1)
        self.run_jobs()
        logins = {m.login for m in self.received() if "Mine" in self._text(m)}
        self.assertNotIn("relay-b", logins)

    def test_message_is_gone_with_the_commit_that_keeps_what_was_posted(self):
        """A process that dies after it leaves nothing to be posted again."""
        scheduled = self.schedule(self.anna, "Hers", partner_ids=[])
        posted = self.customer.message_ids
        left = []

        def commit():
            self.env.flush_all()
            now = self.customer.message_ids - posted
            left.append((len(now), bool(scheduled.sudo().exists())))

        with self.committing(), patch.object(self.env.cr, "commit", commit):
            scheduled.with_user(self.root)._post_message()
        self.assertEqual(left[0], (1, False))
        self.assertEqual(set(left), {(1, False)})


@tagged("post_install", "-at_install")
class TestNotedOnce(CallerCase):
    """A user, and nobody, has one hand in a message however often they change it."""

    def test_somebody_who_cannot_be_told_is_noted_once(self):
        message = self.customer.with_user(self.anna).message_post(body="x")
        gateway = Incoming().on(message).sudo()
        for number in range(3):
            gateway.subject = f"{number}"
        [hand] = self.env["mail.routing.hand"]._of(message)[message.id]
        self.assertFalse(hand.user_id)

    def test_users_who_are_deleted_stay_somebody(self):
        message = self.customer.with_user(self.anna).message_post(body="x")
        users = self.env["res.users"]
        for number in range(2):
            user = self._create_user(f"leaving{number}", self.company_a)
            message.with_user(user).sudo().subject = user.login
            users += user
        users.unlink()
        Incoming().on(message).sudo().subject = "x"
        hands = self.env["mail.routing.hand"]._of(message)[message.id]
        self.assertEqual(len(hands), 3)
        self.assertFalse(hands.user_id)
        self.assertTrue(message.sudo().changed_by_others)
