"""Who may change a mail that a run has, and where runs end for good."""

from psycopg2.errors import SerializationFailure

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.outgoing_mail_routing.tests.smtp_server import Answer, Stage

from ..bridge.claims import Claims
from ..bridge.journal import JournalWriter
from ..bridge.settlement import Settlement
from .common import DeliveryCase
from .workers import Worker, after, before, held, run_queue

CLAIMED = after(Claims, "take", lambda _claims, _most, ids: ids)
CHANGES = {
    "write": lambda mail: mail.write({"subject": "other"}),
    "cancel": lambda mail: mail.cancel(),
    "try now": lambda mail: mail.action_try_now(),
    "delete": lambda mail: mail.unlink(),
}


def _intends(_writer, sheet, *_answer):
    return any(row["outcome"] == "sending" for row in sheet.new)


@tagged("post_install", "-at_install")
class TestGuards(DeliveryCase):
    def setUp(self):
        super().setUp()
        self.serve(max_connections=1)
        self.id = self.mail("m0")

    def test_a_mail_that_is_claimed_is_changed_by_nobody(self):
        with held(self, CLAIMED) as worker:
            for name, change in CHANGES.items():
                with self.subTest(name), self.records() as env:
                    with self.assertRaisesRegex(UserError, "m0.*being sent"):
                        change(env["mail.mail"].browse(self.id))
                    env.cr.rollback()
            self.assertState(self.id, "outgoing", "sending")
            worker.go_on()
            worker.wait_until_done()
        self.assertState(self.id, "sent")
        self.assertBooks()

    @mute_logger("odoo.sql_db")
    def test_whoever_began_before_the_claim_has_to_try_again(self):
        for name, change in CHANGES.items():
            with self.subTest(name), self.records() as env:
                mail = env["mail.mail"].browse(self.id)
                self.assertEqual(mail.state, "outgoing")
                with held(self, CLAIMED):
                    with self.assertRaises(SerializationFailure):
                        change(mail)
                    env.cr.rollback()

    def test_a_mail_that_somebody_changes_is_passed_over(self):
        other = self.mail("m1")
        with self.records() as env:
            env["mail.mail"].browse(self.id).subject = "changed"
            env.flush_all()
            worker = Worker(self, run_queue)
            worker.wait_until_done()
            self.assertEqual(self.received(), {"m1@c.example": 1})
        self.assertState(other, "sent")
        self.assertState(self.id, "outgoing", "waiting")
        self.run_queue()
        self.assertEqual(self.values(self.id, "subject", "state"), ("changed", "sent"))
        self.assertBooks()

    def test_a_mail_that_is_claimed_is_not_sent_directly(self):
        for auto_commit in (False, True):
            with self.subTest(auto_commit=auto_commit), held(self, CLAIMED) as worker:
                with self.records() as env:
                    env["mail.mail"].browse(self.id).send(auto_commit=auto_commit)
                self.assertFalse(self.received())
                worker.kill()
        self.run_queue()
        self.assertState(self.id, "sent")
        self.assertBooks()

    def test_a_mail_that_is_sent_directly_is_not_claimed(self):
        with self.records() as env:
            env["mail.mail"].browse(self.id).send()
            worker = Worker(self, run_queue)
            worker.wait_until_done()
        self.run_queue()
        self.assertState(self.id, "sent")
        self.assertEqual(self.received(), {"m0@c.example": 1})
        self.assertNothingLeft()

    def test_posting_wakes_the_queue(self):
        with self.records() as env:
            env["ir.cron"].search([]).nextcall = "2100-01-01"
            env["mail.mail"].browse(self.id).send_after_commit()
            cron = env.ref("mail.ir_cron_mail_scheduler_action")
            self.assertTrue(
                env["ir.cron.trigger"].search_count([("cron_id", "=", cron.id)])
            )
        self.assertFalse(self.received())


@tagged("post_install", "-at_install")
class TestEnds(DeliveryCase):
    """Switched off, uninstalled, or copied: what waits goes on, and nothing twice."""

    def setUp(self):
        super().setUp()
        self.serve(max_connections=1)
        self.ids = [self.mail(f"m{number}") for number in range(4)]

    def _switch_off(self):
        with self.records() as env:
            env["ir.config_parameter"].set_param("mail_delivery.off", "True")

    def _send_by_core(self):
        self._switch_off()
        self.run_queue()

    def test_switched_off_core_sends_the_rest(self):
        later = Answer("450 4.2.0 Not now")
        self.smtp["a"].script.at(Stage.RCPT, later, matching="m1@", times=1)
        with held(self, after(JournalWriter, "_execute", _intends)):
            pass
        with self.records() as env:
            env["mail.delivery.run"]._process([self.ids[1]])
        self.assertStates(
            m0="exception unknown",
            m1="outgoing deferred",
            m2="outgoing waiting",
            m3="outgoing waiting",
        )
        self._send_by_core()
        self.assertEqual(self.values(self.ids[1], "state"), "outgoing")
        self.make_due()
        self._send_by_core()
        for mail_id in self.ids[1:]:
            self.assertEqual(self.values(mail_id, "state"), "sent")
        self.assertEqual(max(self.received().values()), 1)

    def test_switched_off_while_a_run_is_at_work(self):
        """What the run has is its own until its end."""
        with held(self, CLAIMED) as worker:
            self._send_by_core()
            worker.go_on()
            worker.wait_until_done()
        self._send_by_core()
        self.assertStates(m0="sent", m1="sent", m2="sent", m3="sent")
        self.assertEqual(sorted(self.received().values()), [1, 1, 1, 1])

    def test_switched_off_after_a_run_was_killed(self):
        """What a dead run was transmitting, or had sent, is not sent by core."""
        with held(self, before(Settlement, "settle")):
            pass
        self.assertEqual(len(self.received()), 4)
        self._send_by_core()
        self.assertStates(m0="sent", m1="sent", m2="sent", m3="sent")
        self.assertEqual(sorted(self.received().values()), [1, 1, 1, 1])

    def test_uninstalled_while_a_run_is_at_work(self):
        with held(self, after(JournalWriter, "_execute", _intends)) as worker:
            with self.records() as env:
                env["mail.delivery.run"]._end_for_good()
            self.assertStates(
                m0="exception unknown",
                m1="outgoing waiting",
                m2="outgoing waiting",
                m3="outgoing waiting",
            )
            self._send_by_core()
            worker.go_on()
            worker.wait()
        self.assertEqual(max(self.received().values()), 1)
        self.assertEqual(set(self.received()), {f"m{n}@c.example" for n in range(4)})

    def test_uninstalled_with_mail_that_waits(self):
        later = Answer("450 4.2.0 Not now")
        self.smtp["a"].script.at(Stage.RCPT, later, matching="m1@", times=1)
        self.run_queue()
        with self.records() as env:
            env["mail.delivery.run"]._end_for_good()
        self._send_by_core()
        self.assertStates(m0="sent", m1="sent", m2="sent", m3="sent")
        self.assertEqual(sorted(self.received().values()), [1, 1, 1, 1])

    def test_a_copy_of_the_database_has_no_runs(self):
        def set_uuid(uuid):
            with self.records() as env:
                parameters = env["ir.config_parameter"]
                before = parameters.get_param("database.uuid")
                parameters.set_param("database.uuid", uuid)
            return before

        with held(self, after(JournalWriter, "_execute", _intends)):
            before = set_uuid("that of the copy")
            self.addCleanup(set_uuid, before)
            self.run_queue()
            self.assertStates(m0="exception unknown", m1="sent", m2="sent", m3="sent")
        self.assertNothingLeft()
