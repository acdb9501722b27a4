"""Mail that is sent right away, in core's way: none is lost to a passing trouble."""

from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.base.models.ir_mail_server import MailDeliveryException
from odoo.addons.outgoing_mail_routing.tests.smtp_server import Answer, Close, Stage

from .common import DeliveryCase

LATER = Answer("451 4.3.0 Try again later")


@tagged("post_install", "-at_install")
class TestDirect(DeliveryCase):
    def setUp(self):
        super().setUp()
        self.serve()

    def _post(self, name="who"):
        """Post to a contact, whose mail is sent in the transaction of who posts.

        :return: ``(partner id, message id)``
        """
        partner_id = self.partner(name)
        with self.records() as env:
            message = (
                env["res.partner"]
                .browse(partner_id)
                .with_context(mail_notify_force_send=False)
                .message_post(
                    body="Hello",
                    message_type="comment",
                    subtype_xmlid="mail.mt_comment",
                    email_from="sender@a.example",
                    partner_ids=[partner_id],
                )
            )
            message.mail_ids.auto_delete = False
            message.mail_ids.send()
        return partner_id, message.id

    def _notification(self, message_id):
        with self.records() as env:
            notifications = env["mail.message"].browse(message_id).notification_ids
            return [(n.notification_status, n.failure_type) for n in notifications]

    def test_mail_that_is_accepted_is_sent_and_noted(self):
        _partner_id, message_id = self._post()
        self.assertEqual(self._notification(message_id), [("sent", False)])
        self.assertEqual(self.attempts("outcome", "settled"), [("sent", True)])

    def test_mail_that_is_deleted_once_it_is_sent_is_noted(self):
        """So are passwords: the message goes with its mail."""
        with self.records() as env:
            mail = env["mail.mail"].create(
                {
                    "subject": "Password",
                    "body_html": "<p>Reset it</p>",
                    "email_from": "sender@a.example",
                    "email_to": "user@c.example",
                    "auto_delete": True,
                }
            )
            mail.send(raise_exception=True)
            self.assertFalse(mail.exists())
        noted = self.attempts("outcome", "subject", mail_message_id=False)
        self.assertEqual(noted, [("sent", "Password")])

    def test_mail_that_is_put_off_waits_for_the_queue(self):
        self.smtp["a"].script.at(Stage.END_OF_DATA, LATER, times=1)
        _partner_id, message_id = self._post()
        self.assertEqual(self._notification(message_id), [("ready", False)])
        [(outcome, settled, next_at)] = self.attempts(
            "outcome", "settled", "next_attempt_at"
        )
        self.assertEqual((outcome, settled), ("deferred", True))
        self.assertTrue(next_at)
        self.make_due()
        self.run_queue()
        self.assertEqual(self._notification(message_id), [("sent", False)])
        self.assertBooks()

    def test_mail_whose_server_is_down_waits_for_the_queue(self):
        self.smtp["a"].script.at(Stage.CONNECT, Answer(close=Close.RESET))
        _partner_id, message_id = self._post()
        self.assertEqual(self._notification(message_id), [("ready", False)])

    def test_mail_that_is_refused_fails(self):
        self.smtp["a"].script.at(Stage.RCPT, Answer("550 5.1.1 No such user"))
        _partner_id, message_id = self._post()
        [(status, _failure_type)] = self._notification(message_id)
        self.assertEqual(status, "exception")
        [answer] = self.attempts("outcome", "phase", "code", "reply")
        self.assertEqual(answer, ("refused", "rcpt", 550, "5.1.1 No such user"))

    def test_mail_without_a_valid_address_is_no_failure_of_the_one_before(self):
        partner_ids = [self.partner("one"), self.partner("two", "no address")]
        mail_id = self.mail(recipient_ids=[Command.set(partner_ids)])
        with self.records() as env:
            env["mail.mail"].browse(mail_id).send()
        self.assertEqual(
            self.attempts("recipient", "outcome"), [("one@c.example", "sent")]
        )

    def test_who_asks_for_errors_gets_them(self):
        self.smtp["a"].script.at(Stage.END_OF_DATA, LATER)
        mail_id = self.mail()
        with self.records() as env, self.assertRaises(MailDeliveryException):
            env["mail.mail"].browse(mail_id).send(raise_exception=True)
        with self.records() as env:
            self.assertFalse(env["mail.delivery.claim"].search([]))

    def test_what_may_be_committed_is_delivered_by_a_run(self):
        self.smtp["a"].script.at(Stage.RCPT, LATER, matching="later@")
        ids = [self.mail("now"), self.mail("later")]
        with self.records() as env:
            env["mail.mail"].browse(ids).send(auto_commit=True)
        self.assertStates(now="sent", later="outgoing deferred")
        self.assertTrue(all(run for [run] in self.attempts("run_id_int")))
        self.assertBooks()

    def test_callback_is_told_what_a_run_had(self):
        told = []
        mail_id = self.mail()
        with self.records() as env:
            mail = env["mail.mail"].browse(mail_id)
            mail.send(auto_commit=True, post_send_callback=told.extend)
        self.assertEqual(told, [mail_id])

    def test_mail_of_tomorrow_that_somebody_sends_now_is_sent(self):
        mail_id = self.mail(scheduled_date="2100-01-01 00:00:00")
        with self.records() as env:
            env["mail.mail"].browse(mail_id).send(auto_commit=True)
        self.assertState(mail_id, "sent")
