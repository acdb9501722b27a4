"""What becomes of mail by what servers answer: each answer through a whole run."""

from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.outgoing_mail_routing.tests.smtp_server import (
    Answer,
    Close,
    SmtpServer,
    Stage,
)

from .common import DeliveryCase

GONE = Answer(close=Close.RESET)
#: Stage and answer, and how the mail and the server are doing then.
SERVERS = [
    (Stage.CONNECT, "554 5.7.1 Service unavailable", "deferred", "ok"),
    (Stage.CONNECT, "421 4.3.2 Too busy", "deferred", "suspended"),
    (Stage.AUTH, "535 5.7.8 Wrong password", "deferred", "stopped"),
    (Stage.AUTH, "454 4.7.0 Temporary failure", "deferred", "suspended"),
    (
        Stage.MAIL,
        "530 5.7.0 Must issue a STARTTLS command first",
        "deferred",
        "stopped",
    ),
    (Stage.MAIL, "452 4.3.1 Insufficient system storage", "deferred", "suspended"),
    (Stage.RCPT, "554 5.7.1 Relay access denied", "deferred", "stopped"),
    (
        Stage.END_OF_DATA,
        "550 5.4.5 Daily user sending limit exceeded",
        "deferred",
        None,
    ),
]
MAILS = [
    (Stage.MAIL, "553 5.7.1 Sender address rejected: not owned by user", "identity"),
    (Stage.RCPT, "550 5.1.1 No such user", "address"),
    (Stage.END_OF_DATA, "552 5.3.4 Message too large", "content"),
    (Stage.END_OF_DATA, "554 5.7.1 Message rejected as spam", None),
]


@tagged("post_install", "-at_install")
class TestAnswers(DeliveryCase):
    def _run_with(self, stage, reply):
        self._remove_all()
        server_id = self.serve()
        self.smtp["a"].script.at(stage, Answer(reply))
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertNothingLeft()
        return mail_id, server_id

    def test_trouble_of_the_server_uses_up_no_try(self):
        for stage, reply, told, state in SERVERS:
            with self.subTest(f"{stage.name}: {reply}"):
                mail_id, server_id = self._run_with(stage, reply)
                self.assertState(mail_id, "outgoing", told)
                self.assertEqual(self.values(mail_id, "delivery_tries"), 0)
                words = reply.partition(" ")[2]
                self.assertIn(words, self.values(mail_id, "failure_reason"))
                self.assertGreater(
                    self.values(mail_id, "scheduled_date"), fields.Datetime.now()
                )
                if state not in (None, "ok"):
                    self.assertEqual(self.health(server_id), (state, words))
                self.smtp["a"].script.clear()
                with self.records() as env:
                    healths = env["mail.delivery.health"].search([])
                    healths.action_resume()
                self.make_due()
                self.run_queue()
                self.assertState(mail_id, "sent")
                self.assertBooks()

    def test_a_refusal_is_not_tried_again(self):
        for stage, reply, cause in MAILS:
            with self.subTest(f"{stage.name}: {reply}"):
                mail_id, server_id = self._run_with(stage, reply)
                self.assertState(mail_id, "exception")
                words = reply.partition(" ")[2]
                self.assertIn(words, self.values(mail_id, "failure_reason"))
                [(outcome, told, code)] = self.attempts("outcome", "cause", "code")
                self.assertEqual((outcome, code), ("refused", int(reply[:3])))
                if cause:
                    self.assertEqual(told, cause)
                self.assertEqual(self.health(server_id)[0], "ok")
                self.make_due()
                self.run_queue()
                self.assertEqual(len(self.attempts("id")), 1)

    def test_put_off_for_its_recipient(self):
        server_id = self.serve()
        later = Answer("450 4.2.0 Greylisted, try again in 900 seconds")
        self.smtp["a"].script.at(Stage.RCPT, later, matching="m0@", times=1)
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertState(mail_id, "outgoing", "deferred")
        at, tries, reason = self.values(
            mail_id, "scheduled_date", "delivery_tries", "failure_reason"
        )
        self.assertEqual(tries, 1)
        self.assertIn("Greylisted", reason)
        self.assertGreater(at, fields.Datetime.now() + timedelta(seconds=880))
        names = ("outcome", "scope", "phase", "code", "enhanced_code", "number", "wait")
        self.assertEqual(
            self.attempts(*names),
            [("deferred", "recipient", "rcpt", 450, "4.2.0", 1, 900)],
        )
        self.assertEqual(self.attempts("next_attempt_at"), [(at,)])
        self.assertEqual(self.health(server_id)[0], "ok")
        self.run_queue()
        self.assertEqual(len(self.attempts("id")), 1)
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "sent")
        self.assertEqual(self.outcomes(), {"m0@c.example": ["deferred", "sent"]})
        self.assertEqual(self.attempts("number"), [(1,), (2,)])
        self.assertBooks()

    def test_given_up_when_it_is_too_old(self):
        self.serve()
        self.smtp["a"].script.at(Stage.RCPT, Answer("450 4.2.0 Not now"))
        mail_id = self.mail("m0")
        self.run_queue()
        with self.records() as env:
            env["mail.mail"].browse(mail_id).delivery_since = fields.Datetime.subtract(
                fields.Datetime.now(), days=5
            )
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "exception")
        self.assertIn("Not now", self.values(mail_id, "failure_reason"))
        self.assertEqual(self.outcomes()["m0@c.example"], ["deferred", "deferred"])

    def test_given_up_when_its_server_is_down_for_too_long(self):
        self.serve()
        self.smtp["a"].script.at(Stage.CONNECT, GONE)
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertState(mail_id, "outgoing", "deferred")
        with self.records() as env:
            env["mail.mail"].browse(mail_id).delivery_since = fields.Datetime.subtract(
                fields.Datetime.now(), days=5
            )
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "exception")

    def test_what_may_have_arrived_is_held(self):
        self.serve()
        keeps = Answer(close=Close.RESET, keeps=True)
        self.smtp["a"].script.at(Stage.END_OF_DATA, keeps, times=1)
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertState(mail_id, "exception", "unknown")
        self.assertEqual(self.values(mail_id, "failure_type"), "unknown")
        self.assertEqual(self.outcomes(), {"m0@c.example": ["unknown"]})
        self.make_due()
        self.run_queue()
        self.assertBooks()
        self.assertEqual(self.received(), {"m0@c.example": 1})

    def test_what_may_have_arrived_is_sent_again_where_that_is_set(self):
        self.serve(when_unknown="send_again")
        lost = Answer(close=Close.RESET)
        self.smtp["a"].script.at(Stage.END_OF_DATA, lost, times=1)
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertState(mail_id, "outgoing", "deferred")
        self.assertEqual(self.values(mail_id, "delivery_tries"), 1)
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "sent")
        self.assertEqual(self.outcomes(), {"m0@c.example": ["unknown", "sent"]})

    def test_odd_bytes_in_an_answer(self):
        self.serve()
        odd = Answer("550 5.1.1 N\x00o such \udcff user \U0001f600")
        self.smtp["a"].script.at(Stage.RCPT, odd)
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertNotEqual(self.values(mail_id, "state"), "sent")
        self.assertNothingLeft()


@tagged("post_install", "-at_install")
class TestTriedAgainByHand(DeliveryCase):
    """What was decided before somebody sent a mail again decides nothing any more."""

    def _send_again(self, mail_id):
        with self.records() as env:
            env["mail.mail"].browse(mail_id).write({"state": "outgoing"})

    def test_server_that_somebody_suspended_says_whom_it_waits_for(self):
        server_id = self.serve()
        with self.records() as env:
            env["mail.delivery.health"]._suspend([server_id])
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertState(mail_id, "outgoing", "deferred")
        self.assertIn("until somebody", self.values(mail_id, "failure_reason"))
        with self.records() as env:
            env["mail.delivery.health"]._resume([server_id])
        self.run_queue()
        self.assertState(mail_id, "sent")

    def test_refused_and_then_its_server_is_down(self):
        self.serve()
        script = self.smtp["a"].script
        script.at(Stage.RCPT, Answer("550 5.1.1 No such user"), times=1)
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertState(mail_id, "exception")
        self._send_again(mail_id)
        self.assertState(mail_id, "outgoing", "waiting")
        script.at(Stage.CONNECT, GONE, times=1)
        self.run_queue()
        self.assertState(mail_id, "outgoing", "deferred")
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "sent")

    def test_sent_and_then_its_server_is_down(self):
        self.serve()
        mail_id = self.mail("m0")
        self.run_queue()
        with self.records() as env:
            env["mail.mail"].browse(mail_id).state = "outgoing"
        self.smtp["a"].script.at(Stage.CONNECT, GONE, times=1)
        self.run_queue()
        self.assertState(mail_id, "outgoing", "deferred")
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "sent")
        self.assertEqual(self.received(), {"m0@c.example": 2})

    def test_unknown_and_then_its_server_is_down(self):
        self.serve()
        script = self.smtp["a"].script
        script.at(Stage.END_OF_DATA, Answer(close=Close.RESET), times=1)
        mail_id = self.mail("m0")
        self.run_queue()
        self._send_again(mail_id)
        self.make_due()
        script.at(Stage.CONNECT, GONE, times=1)
        self.run_queue()
        self.assertState(mail_id, "outgoing", "deferred")
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "sent")

    def test_put_off_and_then_its_server_is_down(self):
        """The server's trouble uses up no try of the mail's own."""
        self.serve()
        script = self.smtp["a"].script
        script.at(Stage.RCPT, Answer("450 4.2.0 Not now"), times=1)
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertEqual(self.values(mail_id, "delivery_tries"), 1)
        script.at(Stage.CONNECT, GONE, times=1)
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "outgoing", "deferred")
        self.assertEqual(self.values(mail_id, "delivery_tries"), 1)
        self.make_due()
        self.run_queue()
        self.assertState(mail_id, "sent")


@tagged("post_install", "-at_install")
class TestBreaker(DeliveryCase):
    def test_a_server_that_refuses_everybody_in_the_same_words(self):
        server_id = self.serve(max_connections=1)
        self.smtp["a"].script.at(Stage.RCPT, Answer("550 5.7.1 We do not want you"))
        ids = [self.mail(f"m{number}") for number in range(8)]
        self.run_queue()
        for mail_id in ids:
            self.assertState(mail_id, "outgoing", "deferred")
        self.assertEqual(self.health(server_id)[0], "suspended")
        self.smtp["a"].script.clear()
        self.make_due()
        self.run_queue()
        for mail_id in ids:
            self.assertState(mail_id, "sent")
        self.assertEqual(self.health(server_id)[0], "ok")
        self.assertBooks()

    def test_a_relay_that_has_forgotten_our_password(self):
        smtp = SmtpServer({"a": "another"}).start()
        self.addCleanup(smtp.stop)
        server_id = self.serve(smtp=smtp)
        ids = [self.mail(f"m{number}") for number in range(8)]
        self.run_queue()
        for mail_id in ids:
            self.assertState(mail_id, "outgoing", "deferred")
        self.assertEqual(self.health(server_id)[0], "stopped")
        self.run_queue()
        self.assertFalse(self.received())
        with self.records() as env:
            env["ir.mail_server"].browse(server_id).smtp_pass = "another"
        self.assertEqual(self.health(server_id)[0], "ok")
        self.run_queue()
        for mail_id in ids:
            self.assertState(mail_id, "sent")
        self.assertBooks()

    def test_a_server_that_is_stopped_goes_on_after_its_test(self):
        smtp = SmtpServer({"a": "another"}).start()
        self.addCleanup(smtp.stop)
        server_id = self.serve(smtp=smtp)
        mail_id = self.mail("m0")
        self.run_queue()
        self.assertEqual(self.health(server_id)[0], "stopped")
        smtp.accounts["a"] = "a"
        with self.records() as env:
            env["ir.mail_server"].browse(server_id).test_smtp_connection()
        self.run_queue()
        self.assertState(mail_id, "sent")
