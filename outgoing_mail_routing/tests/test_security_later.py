"""What Odoo sends later is of everybody who had a hand in it meanwhile.

Reminders of events leave for the organizer's company as long as nobody of another one
wrote any of what they say, and a scheduled message as its maker's.
"""

from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models.mail_routing_hand import GATEWAY, GATEWAY_KEY
from .test_security_callers import _SCHEDULED, CallerCase


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
        change = {"body": "Mine", "subject": "Mine"}
        with self.meanwhile(first, lambda: hers.with_user(self.ben).sudo().write(change)):
            _refused, logins = self.attempt(lambda: None)
        self.assertEqual(logins, {"relay-a"})

    def test_message_cancelled_while_the_job_posts_another_stops_no_other(self):
        first, second = self.schedule(self.ben, "1"), self.schedule(self.ben, "2")
        self.schedule(self.ben, "Mine")
        with self.meanwhile(first, second.with_user(self.root).unlink):
            _refused, logins = self.attempt(lambda: None)
        self.assertEqual(logins, {"relay-a"})
        self.assertFalse(self.customer.message_ids.filtered(lambda m: m.body == "2"))

    def test_message_that_an_incoming_mail_scheduled_is_nobodys(self):
        model = self.env["mail.scheduled.message"]
        model = model.with_context(**{GATEWAY_KEY: GATEWAY})
        self.schedule(self.anna, "Mine", model)
        self.assertEqual(self.attempt(lambda: None)[1], {"relay-a"})

    def test_server_of_a_template_carries_what_code_schedules_of_it_for_a_user(self):
        """Who only asked for it has not changed it once it is posted."""
        vip = self._create_server("vip", reserved=True, from_filter="shop.example")
        template = self._create_template(
            subject="Mine",
            body_html="<p>Mine</p>",
            email_from="vip@shop.example",
            mail_server_id=vip.id,
        )
        composer = self.asked_by(self.ben, self.root, "mail.compose.message")
        composer = composer.with_context(
            default_model="res.partner",
            default_res_ids=self.customer.ids,
            default_template_id=template.id,
        ).create({"scheduled_date": self.tomorrow()})
        composer.action_schedule_message()
        self.assertEqual(self.attempt(lambda: None)[1], {"vip"})
        [message] = self.customer.message_ids.filtered(lambda m: "Mine" in m.body)
        self.assertTrue(message.sudo().asked_by_others)
        self.assertFalse(message.sudo().changed_by_others)

    @mute_logger("odoo.http", "odoo.addons.base.models.ir_cron", "odoo.sql_db")
    def test_process_that_dies_after_posting_leaves_nothing_to_be_posted_again(self):
        """In core's own deletion, which comes after its commit."""
        administrator = self._create_administrator()
        scheduled = self.schedule(self.anna, "Hers")
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mail_scheduled_message"
            " SET scheduled_date = now() - interval '1 day'"
        )
        self.env.invalidate_all()
        job = self.env.ref("mail.ir_cron_post_scheduled_message")
        outside = SimpleNamespace(module=SimpleNamespace(current_test=None))
        registered = type(scheduled)
        unlink, posted, killed = registered.unlink, [], []

        def die_once_posted(records):
            if posted and not killed:
                killed.append(records)
                raise RuntimeError("killed")
            return unlink(records)

        with (
            self.sending(),
            patch(f"odoo.addons.mail.{_SCHEDULED}", outside),
            patch(f"odoo.addons.outgoing_mail_routing.{_SCHEDULED}", outside),
            patch.object(registered, "unlink", die_once_posted),
            self.meanwhile(scheduled, lambda: posted.append(scheduled)),
        ):
            for _run in range(2):
                self.call(administrator, "ir.cron", "method_direct_trigger", job.ids)
        self.env.invalidate_all()
        self.assertTrue(killed)
        self.assertFalse(scheduled.exists())
        kept = self.customer.message_ids.filtered(lambda m: "Hers" in m.body)
        self.assertEqual(len(kept), 1)


@tagged("post_install", "-at_install")
class TestNotedOnce(CallerCase):
    """A user, and nobody, has one hand in a message however often they change it."""

    def test_somebody_who_cannot_be_told_is_noted_once(self):
        message = self.customer.with_user(self.anna).message_post(body="x")
        gateway = message.with_context(**{GATEWAY_KEY: GATEWAY}).sudo()
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
        message.with_context(**{GATEWAY_KEY: GATEWAY}).sudo().subject = "x"
        hands = self.env["mail.routing.hand"]._of(message)[message.id]
        self.assertEqual(len(hands), 3)
        self.assertFalse(hands.user_id)
        self.assertTrue(message.sudo().changed_by_others)
