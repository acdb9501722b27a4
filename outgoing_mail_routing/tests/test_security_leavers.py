"""Who is deleted while something waits limits it as before: nobody is rid of a wall.

PostgreSQL empties ``create_uid`` of what a deleted user made. Each case is sent three
times: the user is still there, archived, or deleted, alone or with an accomplice.
"""

from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from ..bridge.carrier import Incoming
from .test_security_callers import CallerCase
from .test_security_later import ReminderCase
from .test_security_walls import MailingCase

# What users have a hand in that leave by the relay of company A only, as they do
MINE = {"body": "Mine", "subject": "Mine"}
OF_B = {"email_from": "sales@b.example", "model": "res.partner"}


class LeaverCase(CallerCase):
    """Users of company A who leave, and Bob of company B whose mail they touch.

    All of them write as company B: nothing but the company leads to the relay of A.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bob.email = "bob@b.example"

    def new_user(self, company=None):
        login = f"leaver{next(self.numbers)}"
        company = company or self.company_a
        return self._create_user(login, company, email=f"{login}@b.example")

    def leave(self, *users):
        """Let an accomplice delete users, at once."""
        self.env["res.users"].union(*users).sudo().unlink()
        self.env.flush_all()
        self.env.invalidate_all()

    def archive(self, *users):
        self.env["res.users"].union(*users).sudo().action_archive()
        self.env.invalidate_all()

    def assertLimited(self, scene, logins, ways=("stays", "archived", "deleted")):
        """Check that a text leaves through the same accounts, whoever leaves before.

        :param scene: called with a user who is going to leave, makes what waits, and
            answers what sends it, or nothing where jobs do; others who leave, too
        """
        acts = {"archived": self.archive, "deleted": self.leave}
        for way in ways:
            with self.subTest(way):
                user = self.new_user()
                send = scene(user)
                self.env.flush_all()
                acts.get(way, lambda *users: None)(user)
                self.assertEqual(self.carrying(send or (lambda: None)), logins)

    def carrying(self, send):
        """The accounts through which what waits leaves."""
        _refused, logins = self.attempt(send)
        return logins

    def later(self, user, record=None, **values):
        """A message whose mails are made later, posted where a user was let in."""
        record = record or self.customer
        return (
            record.with_user(user)
            .sudo()
            .message_post(
                **{
                    **{"body": "x", "subject": "x", "message_type": "comment"},
                    "partner_ids": self.customer.ids,
                    "subtype_xmlid": "mail.mt_comment",
                    "scheduled_date": self.tomorrow(),
                    **values,
                }
            )
        )

    def schedule(self, user, record=None, **values):
        record = record or self.customer
        scheduled = self.env["mail.scheduled.message"].with_user(user).sudo()
        return scheduled.create(
            {
                **{"model": record._name, "res_id": record.id, **MINE},
                "author_id": user.partner_id.id,
                "partner_ids": self.customer.ids,
                "scheduled_date": self.tomorrow(),
                **values,
            }
        )

    def unsettle(self, mails):
        """Let mails be as what was made before anything was configured."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "UPDATE mail_mail SET settled_company_id = NULL WHERE id = ANY(%s)",
                mails.ids,
            )
        )
        self.env.invalidate_all()

    def hands(self, record):
        hands = self.env["mail.routing.hand"]
        return hands._of(record).get(record.id, hands)


@tagged("post_install", "-at_install")
class TestMessages(LeaverCase):
    """Messages and mails that wait for Odoo's jobs."""

    def test_who_changed_a_waiting_mail_lends_no_relay(self):
        def scene(user):
            mail = self.queue(self.bob, self.customer, body="His")
            mail.mail_message_id.with_user(user).sudo().write(MINE)

        self.assertLimited(scene, {"relay-a"})

    def test_who_changed_what_is_notified_later_lends_no_relay(self):
        def scene(user):
            self.later(self.bob, self.customer_b).with_user(user).sudo().write(MINE)

        self.assertLimited(scene, {"relay-a"})

    def test_who_made_a_mail_that_is_not_settled_lends_no_relay(self):
        def scene(user):
            self.unsettle(self.mail(user, **OF_B, **MINE, res_id=self.customer_b.id))

        self.assertLimited(scene, {"relay-a"})

    def test_own_mail_leaves_for_its_company(self):
        for record in (self.customer_a, self.customer_b):
            for settled in (True, False):
                with self.subTest(record=record.name, settled=settled):

                    def scene(user, record=record, settled=settled):
                        user.company_ids += self.company_b
                        mail = self.queue(user, record, **MINE)
                        if not settled:
                            self.unsettle(mail)

                    login = "relay-a" if record == self.customer_a else "relay-b"
                    self.assertLimited(scene, {login})

    def test_who_made_what_is_notified_later_lends_no_relay(self):
        def scene(user):
            self.later(user, self.customer_b, **MINE)

        self.assertLimited(scene, {"relay-a"})

    def test_who_had_a_mail_made_of_anothers_message_lends_no_relay(self):
        """What they changed and what they made counts, where the mail is settled."""

        def scene(user):
            of_b = {**OF_B, "res_id": self.customer_b.id}
            message = self.mail(self.bob, **of_b).mail_message_id
            self.unsettle(self.mail(user, mail_message_id=message.id, **MINE))

        self.assertLimited(scene, {"relay-a"})

    def test_who_scheduled_a_message_lends_no_relay(self):
        def scene(user):
            self.schedule(user, self.customer_b)

        self.assertLimited(scene, {"relay-a"}, ways=("stays", "deleted"))

    def test_who_changed_a_scheduled_message_lends_no_relay(self):
        def scene(user):
            scheduled = self.schedule(self.bob, body="His", subject="His")
            scheduled.with_user(user).sudo().write(MINE)

        self.assertLimited(scene, {"relay-a"})

    def test_what_a_deleted_user_scheduled_is_not_its_authors(self):
        """Core posts it as OdooBot, which lends what it makes to its author."""
        self.mailbox.delegation = "odoo"

        def scene(user):
            self.schedule(user, author_id=self.anna.partner_id.id)

        self.assertLimited(scene, {"relay-a"}, ways=("deleted",))

    def test_what_was_scheduled_before_anybody_was_noted_is_not_its_authors(self):
        self.mailbox.delegation = "odoo"

        def scene(user):
            scheduled = self.schedule(user, author_id=self.anna.partner_id.id)
            self.env.flush_all()
            self.env.cr.execute(
                "UPDATE mail_scheduled_message SET create_uid = NULL WHERE id = %s",
                scheduled.ids,
            )
            self.env.invalidate_all()

        self.assertLimited(scene, {"relay-a"}, ways=("stays",))

    def test_who_asked_for_what_code_made_as_another_lends_no_relay(self):
        def scene(user):
            customer = self.asked_by(user, self.bob, "res.partner")
            self.queue(self.bob, customer.browse(self.customer.id), **MINE)
            self.begin_request(None)

        self.assertLimited(scene, {"relay-a"})

    def test_makers_and_changers_who_leave_together_limit_it_as_before(self):
        def scene(user):
            maker = self.new_user(self.company_b)
            mail = self.queue(maker, self.customer, body="His")
            mail.mail_message_id.with_user(user).sudo().write(MINE)
            self.env.flush_all()
            self.leave(maker)

        self.assertLimited(scene, {"relay-a"})

    def test_maker_who_leaves_keeps_what_others_changed_since(self):
        """The last one to touch it, whose company it is, is still the last."""
        maker = self.new_user(self.company_b)
        mail = self.queue(maker, self.customer, body="His")
        mail.mail_message_id.with_user(self.ben).sudo().write(MINE)
        self.env.flush_all()
        self.leave(maker)
        self.assertFalse(mail.mail_message_id.asked_by_others)
        self.assertEqual(self.attempt(lambda: None)[1], {"relay-a"})

    def test_portal_user_who_leaves_answers_for_the_documents_company(self):
        self.portal_user.company_ids = self.portal_user.company_id = self.company_a
        self.later(self.portal_user, self.customer_b, **MINE)
        self.leave(self.portal_user)
        self.assertEqual(self.attempt(lambda: None)[1], {"relay-b"})

    def test_company_that_is_deleted_after_its_user_loses_no_mail(self):
        company = self._create_lone_company("Gone")
        user = self.new_user(company)
        mail = self.queue(self.bob, self.customer, body="His")
        mail.mail_message_id.with_user(user).sudo().write(MINE)
        self.leave(user)
        company.unlink()
        self.env.invalidate_all()
        [leaver] = self.hands(mail.mail_message_id).leaver_id
        self.assertFalse(leaver.company_id | leaver.company_ids)
        _refused, logins = self.attempt(lambda: None)
        self.assertEqual(len(logins), 1)
        self.assertNotIn("relay-b", logins)


@tagged("post_install", "-at_install")
class TestServers(LeaverCase):
    """A server set by hand is open to those who left as it was to them."""

    def through(self, server, user):
        self.mail(
            user,
            mail_server_id=server.id,
            email_from="sales@b.example",
            model="res.partner",
            res_id=self.customer_a.id,
            **MINE,
        )

    def test_server_of_their_company_carries_their_mail(self):
        chosen = self._create_server("chosen")
        self.company_a.mail_server_ids += chosen
        self.assertLimited(lambda user: self.through(chosen, user), {"chosen"})

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_server_closed_to_them_carries_nothing(self):
        vip = self._create_vip()
        for closed in (vip, self.mailbox, self.relay_b):
            with self.subTest(closed.name):
                self.assertLimited(
                    lambda user, closed=closed: self.through(closed, user), set()
                )

    def test_administrators_server_carries_their_mail(self):
        vip = self._create_vip()

        def scene(user):
            user.group_ids += self.env.ref("base.group_system")
            self.through(vip, user)

        self.assertLimited(scene, {"vip"})

    def test_server_an_administrator_set_carries_mail_of_who_left(self):
        vip = self._create_vip()
        administrator = self._create_administrator()

        def scene(user):
            mail = self.queue(user, self.customer, **MINE)
            mail.mail_message_id.with_user(administrator).mail_server_id = vip

        self.assertLimited(scene, {"vip"})

    def test_server_of_a_template_carries_what_was_made_of_it(self):
        template = self._create_vip_template()

        def queue(user):
            template.with_user(user).sudo().send_mail(self.customer.id)

        def schedule(user):
            composers = self.env["mail.compose.message"].with_user(user)
            self.schedule_from(template, composers)

        self.assertLimited(queue, {"vip"})
        self.assertLimited(schedule, {"vip"}, ways=("stays", "deleted"))


@tagged("post_install", "-at_install")
class TestMailings(LeaverCase, MailingCase):
    """Mailings to a contact of company B, with Bob as their responsible."""

    def of_bob(self, maker, **values):
        return self.mailing(
            maker,
            mailing_domain=[("id", "=", self.customer_b.id)],
            email_from="sales@b.example",
            **{"user_id": self.bob.id, **values},
        )

    def sending_of(self, mailing):
        def send():
            mailing.with_user(self.root).write({"state": "in_queue"})
            mailing.with_user(self.root).action_send_mail()

        return send

    def test_who_made_a_mailing_lends_no_relay(self):
        self.assertLimited(lambda user: self.sending_of(self.of_bob(user)), {"relay-a"})

    def test_who_changed_a_mailing_lends_no_relay(self):
        def scene(user):
            mailing = self.of_bob(self.bob, subject="His")
            mailing.with_user(user).sudo().subject = "Mine"
            return self.sending_of(mailing)

        self.assertLimited(scene, {"relay-a"})

    def test_responsible_who_leaves_gives_it_to_nobody_else(self):
        def scene(user):
            return self.sending_of(self.of_bob(self.marketer, user_id=user.id))

        self.assertLimited(scene, {"relay-a"}, ways=("deleted",))

    def test_who_made_what_odoo_copies_lends_no_relay(self):
        """As the winner of an A/B test, after its maker was deleted."""
        mailing = self.of_bob(user := self.new_user())
        self.launch(mailing)
        self.leave(user)
        winner = mailing.with_user(self.root).copy()
        self.assertIn(user.id, self.hands(winner).mapped("noted_id"))
        self.assertEqual(self.launch(winner), {"relay-a"})


@tagged("post_install", "-at_install")
class TestEvents(LeaverCase, ReminderCase):
    """Reminders of Bob's event leave for company B, as long as nobody else wrote."""

    def assertReminds(self, scene, logins):
        """Check that reminders leave through the same accounts, whoever leaves."""

        def invite(user):
            self.env["calendar.event"].search([]).unlink()
            self.alarm = self.create_alarm(self.root)
            self.event = self.create_event(self.bob)
            scene(user)

        self.assertLimited(invite, logins)

    def carrying(self, send):
        return self.reminding()

    def test_who_changed_an_event_lends_no_relay(self):
        def scene(user):
            self.event.with_user(user).sudo().name = "Mine"

        self.assertReminds(scene, {"relay-a"})

    def test_who_added_an_attendee_lends_no_relay(self):
        def scene(user):
            attendees = self.env["calendar.attendee"].with_user(user).sudo()
            attendees = attendees.with_context(no_mail_to_attendees=True)
            attendees.create({"event_id": self.event.id, "partner_id": self.other.id})

        self.assertReminds(scene, {"relay-a"})

    def test_who_made_an_event_lends_no_relay(self):
        def scene(user):
            self.event.unlink()
            self.create_event(user).sudo().user_id = self.bob

        self.assertReminds(scene, {"relay-a"})

    def test_event_of_an_organizer_who_leaves_stays_their_companys(self):
        def scene(user):
            self.event.unlink()
            self.create_event(user)

        self.root.company_id = self.company_b
        self.assertReminds(scene, {"relay-a"})

    def test_organizer_who_leaves_lets_nobody_in(self):
        def scene(user):
            user.write(
                {
                    "company_ids": [Command.set(self.company_b.ids)],
                    "company_id": self.company_b.id,
                }
            )
            self.event.with_user(self.root).user_id = user
            self.event.with_user(self.plain).sudo().name = "Mine"

        self.assertReminds(scene, {"relay-a"})

    def test_who_wrote_a_template_or_reminder_lends_no_relay(self):
        def made(user):
            self.alarm.mail_template_id = self.create_template(user)

        def changed(user):
            self.alarm.mail_template_id = self.create_template(self.bob)
            self.alarm.mail_template_id.with_user(user).sudo().subject = "Mine"

        def reminder(user):
            self.alarm.with_user(user).sudo().name = "Mine"

        for scene in (made, changed, reminder):
            with self.subTest(scene.__name__):
                self.assertReminds(scene, {"relay-a"})

    def test_template_of_an_administrator_who_left_is_the_organizers(self):
        def scene(user):
            user.group_ids += self.env.ref("base.group_system")
            self.alarm.mail_template_id = self.create_template(user)
            self.alarm.with_user(user).name = "Theirs"

        self.assertReminds(scene, {"relay-b"})


@tagged("post_install", "-at_install")
class TestNoted(LeaverCase):
    """What is noted of users who are deleted: no more than mail depends on."""

    def leavers(self):
        return self.env["mail.routing.leaver"].sudo().search([])

    def test_who_had_a_hand_in_nothing_is_not_remembered(self):
        self.leave(self.new_user())
        self.assertFalse(self.leavers())

    def test_companies_are_those_they_had_when_they_left(self):
        user = self.new_user()
        message = self.later(user)
        user.write(
            {
                "company_ids": [Command.set((self.company_a | self.company_b).ids)],
                "company_id": self.company_b.id,
            }
        )
        self.leave(user)
        [hand] = self.hands(message)
        self.assertTrue(hand.made_it)
        self.assertFalse(hand.user_id)
        leaver = hand.leaver_id
        self.assertEqual(leaver.id, user.id)
        self.assertEqual(leaver.company_id, self.company_b)
        self.assertEqual(leaver.company_ids, self.company_a | self.company_b)
        self.assertFalse(leaver.share or leaver.was_administrator)

    def test_message_that_is_sent_is_not_noted(self):
        user = self.new_user()
        with self.sending():
            sent = self.customer.with_user(user).message_post(
                body="x", message_type="comment", partner_ids=self.customer.ids
            )
        note = self.customer.with_user(user).message_post(body="x")
        waiting = self.queue(user, self.customer).mail_message_id
        self.leave(user)
        self.assertFalse(self.hands(sent) | self.hands(note))
        self.assertTrue(self.hands(waiting).made_it)

    def test_what_an_incoming_mail_made_in_their_name_is_not_theirs(self):
        user = self.new_user()
        customer = Incoming().on(self.customer)
        mail = self.queue(user, customer)
        self.assertTrue(mail.sudo().mail_message_id.made_by_gateway)
        self.leave(user)
        [hand] = self.hands(mail.mail_message_id)
        self.assertEqual((hand.noted_id, hand.made_it), (0, False))

    def test_somebody_who_cannot_be_told_has_changed_what_a_leaver_made(self):
        user = self.new_user()
        message = self.later(user)
        self.leave(user)
        Incoming().on(message).sudo().subject = "Mine"
        self.assertEqual(self.hands(message).mapped("noted_id"), [user.id, 0])
        self.assertTrue(message.sudo().changed_by_others)

    def test_who_is_told_by_no_hand_any_more_is_forgotten(self):
        user = self.new_user()
        message = self.later(user)
        self.leave(user)
        hands = self.env["mail.routing.hand"]
        hands._gc_hands()
        self.assertEqual(self.leavers().ids, user.ids)
        message.sudo().unlink()
        hands._gc_hands()
        self.assertFalse(self.leavers())

    def test_statements_are_as_many_however_much_waits(self):
        def delete(number):
            users = [self.new_user() for _n in range(number)]
            for user in users:
                self.later(user)
                for _n in range(number):
                    self.queue(user, self.customer)
            self.env.flush_all()
            note = self.env["mail.routing.leaver"]._note_leaving
            return self.counted(lambda: note(self.env["res.users"].union(*users)))[0]

        delete(1)
        self.assertEqual(delete(1), delete(4))

    def test_mails_of_leavers_are_split_in_as_many_statements(self):
        def split(number):
            users = [self.new_user() for _n in range(2)]
            mails = self.env["mail.mail"]
            for user in users:
                for _n in range(number):
                    mails |= self.queue(user, self.customer)
            self.leave(*users)
            mails = mails.with_user(self.root)
            return self.counted(lambda: list(mails._split_by_mail_configuration()))[0]

        split(1)
        self.assertEqual(split(2), split(10))

    def test_mailbox_of_who_left_carries_nothing(self):
        mail = self.queue(self.anna, self.customer, **MINE)
        self.leave(self.anna)
        self.assertFalse(mail.sudo()._get_maker())
        self.assertEqual(self.attempt(lambda: None)[1], {"relay-a"})
