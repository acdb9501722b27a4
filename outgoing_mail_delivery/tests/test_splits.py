"""Mails whose recipients fare differently: each part in one true state."""

from odoo.tests import tagged

from odoo.addons.outgoing_mail_routing.tests.smtp_server import Answer, Close, Stage

from .common import DeliveryCase

LATER = Answer("450 4.2.0 Not now")
GONE = Answer("550 5.1.1 No such user")


@tagged("post_install", "-at_install")
class TestSplits(DeliveryCase):
    def setUp(self):
        super().setUp()
        self.serve(max_connections=1)

    def _put_off(self, matching, times=1):
        self.smtp["a"].script.at(Stage.RCPT, LATER, matching=matching, times=times)

    def _refuse(self, matching):
        self.smtp["a"].script.at(Stage.RCPT, GONE, matching=matching)

    def _run_again(self):
        self.make_due()
        self.run_queue()
        self.assertNothingLeft()

    def _parts(self):
        """What the mails of the test are for, and how far each got."""
        with self.records() as env:
            return [
                (
                    mail.email_to or "",
                    mail.email_cc or "",
                    mail.recipient_ids.mapped("email"),
                    mail.state,
                    mail.delivery_state or "",
                )
                for mail in env["mail.mail"].search([], order="id")
            ]

    def test_addresses_of_one_message(self):
        self._put_off("two@", times=2)
        self._refuse("three@")
        self.mail(
            "m",
            email_to="one@c.example, Two <two@c.example>",
            email_cc="three@c.example, four@c.example",
        )
        self.run_queue()
        [done, rest] = self._parts()
        self.assertEqual(done[3:], ("sent", ""))
        self.assertIn("two@c.example", rest[0])
        self.assertNotIn("one@", rest[0])
        self.assertEqual(rest[1:], ("", [], "outgoing", "deferred"))
        self._run_again()  # put off once more
        self.assertEqual([part[3:] for part in self._parts()][1:], [rest[3:]])
        self._run_again()
        self.assertEqual([part[3] for part in self._parts()], ["sent", "sent"])
        self.assertEqual(
            self.received(),
            {"one@c.example": 1, "two@c.example": 1, "four@c.example": 1},
        )
        self.assertBooks()
        first, second = (mail.message for mail in self.smtp["a"].received)
        for header in ("Message-ID", "To", "From", "Subject"):
            self.assertEqual(first[header], second[header], header)

    def test_contacts(self):
        self._put_off("later@")
        self._refuse("gone@")
        partner_ids = [self.partner(name) for name in ("now", "later", "gone")]
        self.mail("m", recipient_ids=[(6, 0, partner_ids)])
        self.run_queue()
        [done, rest] = self._parts()
        self.assertEqual(done[3:], ("sent", ""))
        self.assertEqual(rest[2:], (["later@c.example"], "outgoing", "deferred"))
        self._run_again()
        self.assertEqual([part[3] for part in self._parts()], ["sent", "sent"])
        self.assertBooks()
        self.assertEqual(self.received(), {"now@c.example": 1, "later@c.example": 1})

    def test_a_contact_with_two_addresses(self):
        self._put_off("second@", times=2)
        partner_id = self.partner("both", "first@c.example, second@c.example")
        self.mail("m", recipient_ids=[(6, 0, [partner_id])])
        self.run_queue()
        self.assertEqual(self.received(), {"first@c.example": 1})
        self._run_again()
        self._run_again()
        self.assertEqual({part[3] for part in self._parts()}, {"sent"})
        self.assertBooks()
        self.assertEqual(self.received(), {"first@c.example": 1, "second@c.example": 1})

    def test_all_fates_at_once(self):
        self._put_off("later@")
        self._refuse("gone@")
        lost = Answer(close=Close.RESET)
        self.smtp["a"].script.at(Stage.END_OF_DATA, lost, matching="doubtful@", times=1)
        names = ("now", "later", "gone", "doubtful")
        partner_ids = [self.partner(name) for name in names]
        self.mail("m", recipient_ids=[(6, 0, partner_ids)])
        self.run_queue()
        for _again in range(3):  # what the server lost suspended it
            self._run_again()
        parts = {tuple(part[2]): part[3:] for part in self._parts()}
        self.assertEqual(parts[("doubtful@c.example",)], ("exception", "unknown"))
        self.assertEqual(parts[("later@c.example",)][0], "sent")
        self.assertEqual(self.received(), {"now@c.example": 1, "later@c.example": 1})
        self.assertBooks()

    def test_all_refused(self):
        self._refuse("@c.example")
        partner_ids = [self.partner(name) for name in ("one", "two")]
        mail_id = self.mail("m", recipient_ids=[(6, 0, partner_ids)])
        self.run_queue()
        self.assertState(mail_id, "exception")
        self.assertEqual(len(self._parts()), 1)

    def test_contacts_beside_an_address_and_one_without(self):
        self._put_off("later@")
        partner_ids = [self.partner("later"), self.partner("none", False)]
        self.mail("m", recipient_ids=[(6, 0, partner_ids)], email_to="one@c.example")
        self.run_queue()
        self._run_again()
        self.assertEqual(self.received(), {"one@c.example": 1, "later@c.example": 1})
        self.assertEqual({part[3] for part in self._parts()}, {"sent"})
        self.assertBooks()

    def test_notifications_follow_their_part(self):
        self._put_off("later@")
        self._refuse("gone@")
        partner_ids = [self.partner(name) for name in ("now", "later", "gone")]
        with self.records() as env:
            partner = env["res.partner"].browse(partner_ids[0])
            message = partner.with_context(mail_notify_force_send=False).message_post(
                body="Hello",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                email_from="sender@a.example",
                partner_ids=partner_ids,
            )
            message_id = message.id
            message.mail_ids.auto_delete = False

        def statuses():
            with self.records() as env:
                found = env["mail.message"].browse(message_id).notification_ids
                return {
                    each.res_partner_id.name: (
                        each.notification_status,
                        each.failure_type or "",
                    )
                    for each in found
                }

        self.run_queue()
        self.assertEqual(
            statuses(),
            {
                "now": ("sent", ""),
                "later": ("ready", ""),
                "gone": ("exception", "mail_email_invalid"),
            },
        )
        self._run_again()
        self.assertEqual(statuses()["later"], ("sent", ""))
        self.assertEqual(statuses()["gone"], ("exception", "mail_email_invalid"))
        self.assertBooks()

    def test_mail_that_is_deleted_once_it_is_sent(self):
        self._put_off("later@")
        partner_ids = [self.partner(name) for name in ("now", "later")]
        self.mail("m", recipient_ids=[(6, 0, partner_ids)], auto_delete=True)
        self.run_queue()
        self.assertEqual(
            [part[2:] for part in self._parts()],
            [(["later@c.example"], "outgoing", "deferred")],
        )
        self._run_again()
        self.assertFalse(self._parts())
        self.assertBooks()
        self.assertEqual(self.received(), {"now@c.example": 1, "later@c.example": 1})
