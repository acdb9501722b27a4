"""Several runs at once, and such that were only thought dead."""

from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.outgoing_mail_routing.tests.smtp_server import Answer, Stage

from ..bridge import claims
from ..bridge.claims import Claims
from ..bridge.journal import JournalWriter
from ..bridge.run import Run
from ..bridge.settlement import Settlement
from .common import DeliveryCase
from .workers import Worker, after, before, held, run_queue


def _answers(_writer, sheet, *_answer):
    return bool(sheet.answers)


@tagged("post_install", "-at_install")
class TestParallelRuns(DeliveryCase):
    def test_each_mail_leaves_by_one_of_them(self):
        for name in "ab":
            self.serve(name)
        for number in range(60):
            self.mail(f"m{number}", "ab"[number % 2])
        with patch("odoo.addons.outgoing_mail_delivery.bridge.run.TAKEN_AT_ONCE", 7):
            workers = [Worker(self, run_queue) for _number in range(3)]
            for worker in workers:
                worker.wait_until_done()
        self.assertBooks()
        self.assertEqual(len(self.received()), 60)
        self.assertEqual(set(self.states()), {f"m{n}" for n in range(60)})
        self.assertEqual(
            {state for states in self.states().values() for state in states},
            {("sent", False)},
        )
        self.assertNothingLeft()

    def test_what_a_dead_run_sent_is_taken_by_nobody_before_it_is_settled(self):
        """Another run is past that point already when the first one dies."""
        self.serve()
        with held(self, after(Run, "settle_what_others_left")) as late:
            self.mail("m0")
            with held(self, before(Settlement, "settle")):
                pass
            self.assertEqual(self.outcomes(), {"m0@c.example": ["sent"]})
            with held(self, after(Claims, "_bury")):
                late.go_on()
                late.wait_until_done()
                self.assertBooks()
        self.run_queue()
        self.assertBooks()
        self.assertStates(m0="sent")
        self.assertNothingLeft()

    def test_a_mail_that_somebody_edits_holds_up_no_run_that_takes_over(self):
        self.serve()
        mail_id = self.mail("m0")
        with held(self, before(Settlement, "settle")):
            pass
        with self.records() as env:
            # a claim for a moment, in a transaction that goes on
            env.cr.execute("DELETE FROM mail_delivery_claim")
            env.cr.commit()
            env["mail.mail"].browse(mail_id).write({"subject": "m1"})
            env.flush_all()
            worker = Worker(self, run_queue)
            worker.wait_until_done()
        self.run_queue()
        self.assertStates(m1="sent")
        self.assertBooks()
        self.assertNothingLeft()


@tagged("post_install", "-at_install")
class TestPausedRuns(DeliveryCase):
    """A run that is stopped for longer than its lease, and goes on then."""

    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(claims, "LEASE", 0))
        self.serve(max_connections=1)

    def _take_over_from(self, hold, count=3):
        """Have another run take over from one that is held, and that go on then."""
        for number in range(count):
            self.mail(f"m{number}")
        with held(self, hold) as worker:
            with patch.object(claims, "LEASE", 300):
                self.run_queue()
            self.between = self.states()
            worker.go_on()
            worker.wait_until_done()
        self.run_queue()
        self.assertBooks()
        self.assertNothingLeft()

    def test_after_the_claim(self):
        self._take_over_from(after(Claims, "take", lambda _c, _m, ids: ids))
        self.assertStates(m0="sent", m1="sent", m2="sent")
        self.assertEqual(len(self.received()), 3)

    def test_after_the_build(self):
        self._take_over_from(after(Run, "build"))
        self.assertStates(m0="sent", m1="sent", m2="sent")
        self.assertEqual(len(self.received()), 3)

    def test_the_answer_that_comes_late_is_what_counts(self):
        self._take_over_from(before(JournalWriter, "_execute", _answers))
        self.assertEqual(self.between["m0"], [("exception", "unknown")])
        self.assertEqual(self.outcomes()["m0@c.example"], ["sent"])
        self.assertStates(m0="sent", m1="sent", m2="sent")

    def test_the_answer_that_comes_late_is_known_before_it_is_sent_again(self):
        with self.records() as env:
            env["ir.mail_server"].search([]).when_unknown = "send_again"
        self.mail("m0")
        with held(self, before(JournalWriter, "_execute", _answers)) as worker:
            with patch.object(claims, "LEASE", 300):
                self.run_queue()
            self.assertStates(m0="outgoing deferred")
            self.make_due()
            with (
                patch.object(claims, "LEASE", 300),
                held(self, after(Run, "settle_what_others_left")) as late,
            ):
                worker.go_on()
                worker.wait_until_done()
                self.assertEqual(self.outcomes(), {"m0@c.example": ["sent"]})
                late.go_on()
                late.wait_until_done()
        self.run_queue()
        self.assertBooks()
        self.assertStates(m0="sent")
        self.assertNothingLeft()

    def test_before_settling(self):
        self._take_over_from(before(Settlement, "settle"))
        self.assertStates(m0="sent", m1="sent", m2="sent")

    def test_amid_settling(self):
        """Whoever is quicker settles; the other one finds that it is done."""
        self._take_over_from(before(Settlement, "_mark_settled"))
        self.assertStates(m0="sent", m1="sent", m2="sent")


@tagged("post_install", "-at_install")
class TestLostConnections(DeliveryCase):
    """PostgreSQL is restarted: every connection of a run ends at once."""

    def _disconnect(self, worker):
        with self.records() as env:
            env.cr.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = %s",
                [f"odoo-{worker.pid}"],
            )

    def test_while_a_message_is_transmitted(self):
        self.serve(max_connections=1)
        slow = Answer(delay=1)
        self.smtp["a"].script.at(Stage.END_OF_DATA, slow, times=1)
        for number in range(3):
            self.mail(f"m{number}")
        with held(self, after(JournalWriter, "_execute")) as worker:
            self._disconnect(worker)
            self.run_queue()
            self.assertBooks()
            worker.go_on()
            self.assertTrue(worker.wait())
        self.run_queue()
        self.assertBooks()
        self.assertStates(m0="exception unknown", m1="sent", m2="sent")
        self.assertNothingLeft()
