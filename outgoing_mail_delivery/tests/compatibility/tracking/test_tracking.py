from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import config

from odoo.addons.outgoing_mail_routing.tests.smtp_server import Answer, Stage

from ....bridge.claims import Claims
from ...common import DeliveryCase
from ...workers import after, held

REFUSED = Answer("550 5.1.1 No such user")
LATER = Answer("450 4.2.2 Mailbox full")
HELLO = "Hello"


@tagged("post_install", "-at_install")
class TestTracking(DeliveryCase):
    """``mail_tracking`` writes its states when ``send_email`` returns.

    A run builds messages by it and transmits them later: *Sent* says that a message was
    built, once for each time it was; what became of it is told by the attempts.
    """

    def setUp(self):
        super().setUp()
        self.serve()
        with self.records() as env:
            env["mail.tracking.email"].search([]).unlink()

    def _trackings(self):
        with self.records() as env:
            trackings = env["mail.tracking.email"].search([], order="id")
            return [(each.recipient_address, each.state) for each in trackings]

    def test_mail_that_is_accepted_is_sent_and_opened(self):
        self.mail("m0")
        self.run_queue()
        self.assertStates(m0="sent")
        self.assertEqual(self._trackings(), [("m0@c.example", "sent")])
        with self.records() as env:
            tracking = env["mail.tracking.email"].search([])
            [mail] = self.smtp["a"].received
            body = mail.message.get_body(("html",)).get_content()
            self.assertIn(f"/{tracking.id}/{tracking.token}/blank.gif", body)
            self.assertEqual(mail.header("X-Odoo-MailTracking-ID"), str(tracking.id))
            tracking.event_create("open", {})
        self.assertEqual(self._trackings(), [("m0@c.example", "opened")])

    def test_mail_that_is_refused_counts_as_sent_there_and_as_refused_here(self):
        self.smtp["a"].script.at(Stage.RCPT, REFUSED)
        self.mail("m0")
        self.run_queue()
        self.assertStates(m0="exception")
        self.assertEqual(self._trackings(), [("m0@c.example", "sent")])
        self.assertEqual(self.outcomes(), {"m0@c.example": ["refused"]})

    def test_mail_that_is_put_off_has_a_tracking_for_each_attempt(self):
        self.smtp["a"].script.at(Stage.RCPT, LATER, times=1)
        self.mail("m0")
        self.run_queue()
        self.make_due()
        self.run_queue()
        self.assertStates(m0="sent")
        self.assertEqual(self._trackings(), [("m0@c.example", "sent")] * 2)
        self.assertBooks()

    def test_mail_without_a_valid_address_is_an_error_there_too(self):
        self.mail("m0", email_to="no address")
        self.run_queue()
        self.assertStates(m0="exception")
        [(_address, state)] = self._trackings()
        self.assertEqual(state, "error")

    def test_mail_that_is_sent_directly_has_its_own_states(self):
        self.smtp["a"].script.at(Stage.RCPT, REFUSED)
        mail_id = self.mail("m0")
        with self.records() as env:
            env["mail.mail"].browse(mail_id).send()
        self.assertEqual(self._trackings(), [("m0@c.example", "error")])


@tagged("post_install", "-at_install")
class TestPostDefer(DeliveryCase):
    """``mail_post_defer`` has a message wait half a minute before its mail is made."""

    def setUp(self):
        super().setUp()
        self.serve()
        self.startPatcher(patch.dict(config.options, {"test_enable": False}))
        model = self.registry["mail.mail"]
        self.startPatcher(patch.object(model, "_sends_at_once", lambda self: False))
        self.partner_id = self.partner("who")
        with self.records() as env:
            partner = env["res.partner"].browse(self.partner_id)
            message = partner.message_post(
                body=HELLO,
                subtype_xmlid="mail.mt_comment",
                message_type="comment",
                email_from="sender@a.example",
                partner_ids=[self.partner_id],
            )
            self.message_id = message.id

    def _let_the_time_pass(self):
        """Have the message's mail made; it waits for the queue then."""
        with self.records() as env:
            schedules = env["mail.message.schedule"].search([])
            schedules.scheduled_datetime = fields.Datetime.now() - timedelta(minutes=1)
            schedules._send_notifications_cron()

    def _edit(self):
        with self.records() as env:
            message = env["mail.message"].browse(self.message_id)
            thread = env["res.partner"].browse(self.partner_id)
            thread._message_update_content(message, body="Edited")

    def test_message_is_mailed_once_after_its_time(self):
        self.run_queue()
        self.assertFalse(self.received())
        self._let_the_time_pass()
        self.run_queue()
        self.assertEqual(dict(self.received()), {"who@c.example": 1})

    def test_message_that_is_edited_before_its_mail_leaves_is_mailed_as_edited(self):
        self._let_the_time_pass()
        self._edit()
        self.run_queue()
        self.assertFalse(self.received())
        self._let_the_time_pass()
        self.run_queue()
        [mail] = self.smtp["a"].received
        body = mail.message.get_body(("html",)).get_content()
        self.assertIn("Edited", body)
        self.assertNotIn("Hello", body)

    def test_message_whose_mail_is_being_sent_cannot_be_edited_meanwhile(self):
        self._let_the_time_pass()
        hold = after(Claims, "take", lambda _claims, _most, ids: ids)
        with held(self, hold) as worker:
            with self.assertRaisesRegex(UserError, "is being sent right now"):
                self._edit()
            worker.go_on()
            worker.wait_until_done()
        self.assertEqual(dict(self.received()), {"who@c.example": 1})
