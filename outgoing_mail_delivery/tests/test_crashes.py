"""A run that dies at any step: the next one comes to what is true, by itself."""

from odoo.tests import tagged

from odoo.addons.outgoing_mail_routing.tests.smtp_server import Answer, Stage

from ..bridge.claims import Claims
from ..bridge.journal import JournalWriter
from ..bridge.run import Run
from ..bridge.settlement import Settlement
from .common import DeliveryCase
from .workers import Worker, after, before, held, run_queue

MAILS = 5


def _intends(_writer, sheet, *_answer):
    return any(row["outcome"] == "sending" for row in sheet.new)


def _answers(_writer, sheet, *_answer):
    return bool(sheet.answers)


@tagged("post_install", "-at_install")
class TestKilled(DeliveryCase):
    def setUp(self):
        super().setUp()
        # one after the other, so that a test knows what is under way
        self.serve(max_connections=1)
        self.ids = [self.mail(f"m{number}") for number in range(MAILS)]

    def _kill_at(self, hold):
        """Kill a run at a step, have the next one run, and compare the books.

        :return: the states of the mails, and how many had arrived by the kill
        """
        with held(self, hold):
            arrived = len(self.received())
        self.run_queue()
        self.assertBooks()
        self.assertNothingLeft()
        return [
            self.values(id_, "state", "delivery_state") for id_ in self.ids
        ], arrived

    def assertAllSent(self, states):
        self.assertEqual(states, [("sent", False)] * MAILS)
        self.assertEqual(len(self.received()), MAILS)

    def test_after_the_claim(self):
        states, _arrived = self._kill_at(after(Claims, "take", lambda _c, _m, ids: ids))
        self.assertAllSent(states)

    def test_after_the_build(self):
        states, _arrived = self._kill_at(after(Run, "build"))
        self.assertAllSent(states)

    def test_after_the_intent(self):
        states, arrived = self._kill_at(after(JournalWriter, "_execute", _intends))
        self.assertEqual(arrived, 0)
        self.assertEqual(states.count(("exception", "unknown")), 1)
        self.assertEqual(states.count(("sent", False)), MAILS - 1)

    def test_in_the_text(self):
        slow = Answer(bytes_per_second=1)
        self.smtp["a"].script.at(Stage.DATA, slow, times=1)
        with held(self, after(JournalWriter, "_execute", _intends)) as worker:
            worker.go_on()
            self.assertEqual(self.attempts("outcome"), [("sending",)])
        self.run_queue()
        self.assertBooks()
        self.assertStates(
            m0="exception unknown", m1="sent", m2="sent", m3="sent", m4="sent"
        )
        self.assertNothingLeft()

    def test_after_the_dot(self):
        silent = Answer(silent=True, keeps=True)
        self.smtp["a"].script.at(Stage.END_OF_DATA, silent, times=1)
        worker = Worker(self, run_queue)
        self.smtp["a"].wait_for(1)
        worker.kill()
        self.run_queue()
        self.assertBooks()
        self.assertStates(
            m0="exception unknown", m1="sent", m2="sent", m3="sent", m4="sent"
        )
        self.assertNothingLeft()

    def test_after_the_answer_and_before_its_commit(self):
        states, arrived = self._kill_at(before(JournalWriter, "_execute", _answers))
        self.assertGreater(arrived, 0)
        # what was accepted and not written down may have arrived, that much is said
        unknown = states.count(("exception", "unknown"))
        self.assertEqual(unknown, 1)
        self.assertEqual(states.count(("sent", False)), MAILS - 1)

    def test_after_the_intent_with_nothing_left_of_the_run(self):
        """Whoever removes runs by hand has nothing sent twice."""
        with held(self, after(JournalWriter, "_execute", _intends)):
            pass
        with self.records() as env:
            env.cr.execute("DELETE FROM mail_delivery_run")
        self.run_queue()
        self.assertStates(
            m0="exception unknown", m1="sent", m2="sent", m3="sent", m4="sent"
        )
        self.assertBooks()
        self.assertNothingLeft()

    def test_before_settling(self):
        states, _arrived = self._kill_at(before(Settlement, "settle"))
        self.assertAllSent(states)

    def test_amid_settling(self):
        states, arrived = self._kill_at(after(Settlement, "_mark_settled"))
        self.assertEqual(arrived, MAILS)
        self.assertAllSent(states)

    def test_after_settling(self):
        states, arrived = self._kill_at(after(Run, "_settle"))
        self.assertEqual(arrived, MAILS)
        self.assertAllSent(states)

    def test_before_the_end(self):
        states, _arrived = self._kill_at(before(Claims, "end"))
        self.assertAllSent(states)
