"""A field that names a user sends nothing through their mailbox, unless they allow it.

What Odoo makes by itself tells its sender by a field of a record, and whoever may write
that record could have written it.
"""

from datetime import timedelta

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from .test_security_senders import MAILBOX
from .test_security_walls import TO, WallCase

CALENDAR_JOB = "calendar.ir_cron_scheduler_alarm"


class NamedCase(WallCase):
    """Anna has the mailbox; whoever names her in a record wants to use it."""

    def logins(self, *jobs):
        """Run scheduled actions, then the queue.

        :return: the accounts that carried a text of the attacker's
        """
        with self.enter_registry_test_mode():
            for xml_id in jobs:
                job = self.env.ref(xml_id)
                job.lastcall = fields.Datetime.now() - timedelta(hours=1)
                job.method_direct_trigger()
        return self.attempt(lambda: None)[1]

    def assertDelegated(self, make, *jobs):
        """Check that the mailbox carries what Odoo makes only as it allows."""
        for delegation, login in (
            ("nobody", "relay-a"),
            ("odoo", MAILBOX),
            ("colleagues", MAILBOX),
        ):
            with self.subTest(delegation=delegation):
                self.mailbox.delegation = delegation
                self.env["mail.mail"].search([]).unlink()
                make()
                self.assertEqual(self.logins(*jobs), {login})


@tagged("post_install", "-at_install")
class TestNamedByField(NamedCase):
    """Odoo writes in the name of whom a field says."""

    def _meeting(self, **values):
        start = fields.Datetime.now() + timedelta(minutes=30)
        return {
            "name": "Mine",
            "start": fields.Datetime.to_string(start),
            "stop": fields.Datetime.to_string(start + timedelta(hours=1)),
            "alarm_ids": [Command.set(self._alarm().ids)],
            **values,
        }

    def _alarm(self):
        template = self.env.ref("calendar.calendar_template_meeting_reminder")
        return self.env["calendar.alarm"].create(
            {
                "name": "Reminder",
                "alarm_type": "email",
                "interval": "hours",
                "duration": 1,
                "mail_template_id": template.id,
            }
        )

    def test_meeting_with_a_colleague_as_its_organizer(self):
        self.require("calendar")
        guest = self.env["res.partner"].create({"name": "Guest", "email": TO})

        def make():
            values = self._meeting(
                user_id=self.anna.id, partner_ids=[Command.set(guest.ids)]
            )
            with self.sending():
                self.call(self.plain, "calendar.event", "create", values)
                self.run_jobs()
            self.env["mail.mail"].search([]).unlink()

        self.assertDelegated(make, CALENDAR_JOB)

    def test_meeting_that_arrives_by_mail(self):
        """From is hers, and proves nothing; the job only knows the organizer."""
        self.require("calendar")
        event = self.env["calendar.event"].with_user(self.anna)
        guest = self.env["res.partner"].create({"name": "Guest", "email": TO})
        gateway = self.env.ref("base.user_root")
        message = (
            f'From: "Anna" <{self.anna.email}>\r\nTo: meetings@a.example\r\n'
            "Subject: Mine\r\nMessage-Id: <{number}@mail.example>\r\n\r\nMine\r\n"
        )

        def make():
            number = self.env["calendar.event"].search_count([])
            values = self._meeting(partner_ids=[Command.set(guest.ids)])
            with self.sending():
                thread = self.env["mail.thread"].with_user(gateway)
                event_id = thread.message_process(
                    event._name, message.format(number=number), custom_values=values
                )
                self.run_jobs()
            arrived = event.sudo().browse(event_id)
            arrived.user_id = self.anna
            self.env["mail.mail"].search([]).unlink()

        self.assertDelegated(make, CALENDAR_JOB)

    def test_mail_of_odoo_with_a_colleague_as_its_author(self):
        """As of automations, jobs, and documents confirmed by a public link."""
        root = self.env.ref("base.user_root")
        as_anna = {"author_id": self.anna.partner_id.id, "subject": "Mine"}
        for name, values in (
            ("her e-mail", {"email_from": self.anna.email_formatted}),
            ("the address of her mailbox", {"email_from": MAILBOX}),
            ("no author", {"email_from": self.anna.email, "author_id": False}),
        ):
            with self.subTest(name):
                self.assertDelegated(
                    lambda values=values: self.queue(
                        root, self.customer_a, body="Mine", **{**as_anna, **values}
                    )
                )


@tagged("post_install", "-at_install")
class TestColleagues(NamedCase):
    """A colleague writes in the name of the mailbox user."""

    def test_colleague_needs_the_servers_and_the_companys_consent(self):
        bert = self._create_user("bert", self.company_b, email="bert@b.example")
        cleo = self._create_user("cleo", self.company_a, self.company_b)
        as_anna = {"email_from": self.anna.email_formatted, "subject": "Mine"}
        for delegation, user, customer, uses_mailbox in (
            ("nobody", self.ben, self.customer_a, False),
            ("odoo", self.ben, self.customer_a, False),
            ("colleagues", self.ben, self.customer_a, True),
            ("colleagues", cleo, self.customer_a, True),
            ("colleagues", cleo, self.customer_b, False),
            ("colleagues", bert, self.customer_b, False),
        ):
            name = f"{delegation}, {user.name} about {customer.name}"
            with self.subTest(name):
                self.mailbox.delegation = delegation
                self.queue(user, customer, body="Mine", **as_anna)
                self.assertEqual(MAILBOX in self.logins(), uses_mailbox)

    def test_what_users_scheduled_is_theirs(self):
        """Odoo posts and sends it, in nobody's name but theirs."""
        later = fields.Datetime.now() + timedelta(hours=1)
        values = {
            "body": "Mine",
            "subject": "Mine",
            "partner_ids": self.customer_a.ids,
        }
        customer = self.customer_a.with_user(self.anna)

        def schedule_message():
            self.env["mail.scheduled.message"].with_user(self.anna).create(
                {
                    **values,
                    "model": customer._name,
                    "res_id": customer.id,
                    "author_id": self.anna.partner_id.id,
                    "scheduled_date": later,
                }
            )

        def send_later():
            composers = self.env["mail.compose.message"].with_user(self.anna)
            composers.create(
                {
                    **values,
                    "composition_mode": "mass_mail",
                    "model": customer._name,
                    "res_ids": repr(customer.ids),
                    "scheduled_date": later,
                }
            ).action_send_mail()

        for name, schedule in (
            ("a scheduled message", schedule_message),
            (
                "a later notification",
                lambda: customer.message_post(
                    **values,
                    message_type="comment",
                    subtype_xmlid="mail.mt_comment",
                    scheduled_date=later,
                ),
            ),
            ("send later", send_later),
        ):
            with self.subTest(name):
                schedule()
                self.assertEqual(self.logins(), {MAILBOX})
