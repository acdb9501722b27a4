"""One server, one recipient or one mail in trouble holds up nothing else."""

from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.outgoing_mail_routing.tests.smtp_server import Answer, Close, Stage

from ..bridge import run
from ..bridge.building import MessageBuilder
from ..bridge.claims import Claims
from ..bridge.run import Run
from ..bridge.settlement import Settlement
from .common import DeliveryCase
from .workers import Worker, after, before, held, run_queue


@tagged("post_install", "-at_install")
class TestIsolation(DeliveryCase):
    def setUp(self):
        super().setUp()
        self.serve()

    def _sql(self, statement, *values):
        with self.records() as env:
            env.cr.execute(statement, values)
            env.invalidate_all(flush=False)
            env.registry.clear_all_caches()

    # ------------------------------------------------------------------
    # Servers
    # ------------------------------------------------------------------

    def test_a_server_that_hangs_with_all_that_is_in_front(self):
        """Mail of a server that does not move is not all that a run takes."""
        self.serve("b")
        silent = Answer(silent=True)
        self.smtp["b"].script.at(Stage.END_OF_DATA, silent)
        for number in range(12):
            self.mail(f"b{number}", "b")
        for number in range(3):
            self.mail(f"a{number}", "a")
        with (
            patch.object(run, "TAKEN", 4),
            patch.object(run, "TAKEN_AT_ONCE", 4),
            patch.object(run, "LONGEST", 6),
            patch("odoo.addons.outgoing_mail_delivery.bridge.watch.STUCK", 1),
        ):
            worker = Worker(self, run_queue)
            self.assertEqual(len(self.smtp["a"].wait_for(3, timeout=20)), 3)
            worker.wait_until_done()
        self.assertBooks()
        # what waited for an answer at the very end may have arrived
        self.assertNothingLeft()
        self.assertFalse(self.attempts("recipient", outcome="sending"))
        self.assertTrue(self.attempts("recipient", outcome="unknown"))

    def test_a_server_without_a_host(self):
        server_id = self.serve("b")
        self._sql("UPDATE ir_mail_server SET smtp_host = NULL WHERE id = %s", server_id)
        mail_ids = [self.mail("b0", "b"), self.mail("a0", "a")]
        self.run_queue()
        self.assertState(mail_ids[1], "sent")
        self.assertState(mail_ids[0], "outgoing", "deferred")
        self.assertTrue(self.values(mail_ids[0], "failure_reason"))

    def test_a_server_that_is_deleted_under_a_run(self):
        for hold in (
            after(Claims, "take", lambda _c, _m, ids: ids),
            after(Run, "route"),
            after(Run, "build"),
            before(Settlement, "settle"),
        ):
            with self.subTest(hold):
                self._remove_all()
                self.serve("a")
                server_id = self.serve("b", max_connections=1)
                mail_ids = [self.mail("b0", "b"), self.mail("a0", "a")]
                with held(self, hold) as worker:
                    self._sql("DELETE FROM ir_mail_server WHERE id = %s", server_id)
                    worker.go_on()
                    worker.wait_until_done()
                self.make_due()
                self.run_queue()
                self.assertState(mail_ids[1], "sent")
                self.assertBooks()
                self.assertNothingLeft()

    def test_a_server_that_is_deleted_while_it_is_in_trouble(self):
        for hold in (after(Run, "route"), before(Settlement, "settle")):
            with self.subTest(hold):
                self._remove_all()
                self.serve("a")
                server_id = self.serve("b", max_connections=1)
                refused = Answer("421 4.3.2 Too busy", close=Close.PLAIN)
                self.smtp["b"].script.at(Stage.CONNECT, refused)
                mail_ids = [self.mail("b0", "b"), self.mail("a0", "a")]
                with held(self, hold) as worker:
                    self._sql("DELETE FROM ir_mail_server WHERE id = %s", server_id)
                    worker.go_on()
                    worker.wait_until_done()
                self.assertState(mail_ids[1], "sent")
                self.assertEqual(self.values(mail_ids[0], "state"), "outgoing")
                self.assertNothingLeft()

    # ------------------------------------------------------------------
    # Mails
    # ------------------------------------------------------------------

    def test_a_mail_that_is_deleted_with_its_message_under_a_run(self):
        """The database deletes it then, without asking whether it may."""
        for hold in (
            after(Claims, "take", lambda _c, _m, ids: ids),
            after(Run, "route"),
            after(MessageBuilder, "groups"),
            after(Run, "build"),
            before(Settlement, "settle"),
        ):
            with self.subTest(hold):
                self._remove_all()
                self.serve("a", max_connections=1)
                gone, stays = self.mail("m0"), self.mail("m1")
                with held(self, hold) as worker:
                    self._sql(
                        "DELETE FROM mail_message WHERE id ="
                        " (SELECT mail_message_id FROM mail_mail WHERE id = %s)",
                        gone,
                    )
                    worker.go_on()
                    worker.wait_until_done()
                self.run_queue()
                self.assertState(stays, "sent")
                self.assertBooks()
                self.assertNothingLeft()

    def test_a_mail_that_is_changed_under_a_run_by_sql(self):
        """What cannot be guarded is tried again, not lost."""
        for hold in (after(Run, "route"), before(Settlement, "_mark_settled")):
            with self.subTest(hold):
                self._remove_all()
                self.serve("a", max_connections=1)
                mail_id = self.mail("m0")
                with held(self, hold) as worker:
                    self._sql(
                        "UPDATE res_partner SET write_date = now() WHERE id IN"
                        " (SELECT partner_id FROM res_users WHERE id = 1)"
                    )
                    worker.go_on()
                    worker.wait_until_done()
                self.assertState(mail_id, "sent")

    def test_bad_mail_tells_what_is_wrong_with_it(self):
        bad = {
            "nobody": {"email_to": False},
            "blank": {"email_to": "  "},
            "no_address": {"email_to": "not an address"},
            "bad_from": {"email_from": "sender of nothing"},
            "odd_from": {"email_from": "sënder@a.example"},
            "no_from": {"email_from": False},
            "header": {"headers": "{'X-Bad\\nHeader': 'x'}"},
            "value": {"headers": "{'X-Bad': '\\ud800'}"},
            "no_headers": {"headers": "{'X"},
            "numbers": {"headers": "{'X-Bad': 3}"},
            "long": {"subject": "x" * (1 << 20)},
            "lines": {"subject": "one\ntwo\r\nthree"},
            "half": {"email_to": "who@c.example, not an address"},
            "refused": {"email_to": "a..b@c..example"},
            "domain": {"email_to": f"who@{'x' * 300}.example"},
            "local": {"email_to": f"{'x' * 400}@c.example"},
        }
        ids = {name: self.mail(name, **values) for name, values in bad.items()}
        good = self.mail("good")
        self.run_queue()
        self.assertState(good, "sent")
        self.assertNothingLeft()
        for name, mail_id in ids.items():
            with self.subTest(name):
                state, reason = self.values(mail_id, "state", "failure_reason")
                self.assertIn(state, ("sent", "exception"))
                if state == "exception":
                    self.assertTrue(reason)
        self.assertState(ids["nobody"], "exception")
        self.assertEqual(
            self.values(ids["nobody"], "failure_type"), "mail_email_missing"
        )

    def test_a_mail_for_very_many(self):
        """It is built in parts, others between them; one for more is refused."""
        count = 25
        partners = [
            {"name": f"p{number}", "email": f"p{number}@c.example"}
            for number in range(count)
        ]
        partner_ids = self.make("res.partner", *partners)
        crowd = "odoo.addons.outgoing_mail_delivery.models.mail_mail.splitting.CROWD"
        self.mail("m", recipient_ids=[(6, 0, partner_ids)], email_to="m@c.example")
        with patch(crowd, 10):
            self.run_queue()
        self.assertEqual(self.states(), {"m": [("sent", False)] * 3})
        self.assertEqual(len(self.received()), count + 1)
        self.assertBooks()
        self.assertEqual(
            len({mail.header("Message-ID") for mail in self.smtp["a"].received}), 1
        )
        most = "odoo.addons.outgoing_mail_delivery.bridge.building.MOST"
        with patch(most, 20):
            refused = self.mail("x", recipient_ids=[(6, 0, partner_ids)])
            many = ", ".join(f"x{number}@c.example" for number in range(count))
            refused_too = self.mail("y", email_to=many)
            self.run_queue()
        for mail_id in (refused, refused_too):
            self.assertState(mail_id, "exception")
            self.assertIn("20 recipients", self.values(mail_id, "failure_reason"))
        self.assertBooks()

    def test_a_mail_whose_building_raises(self):
        bad, good = self.mail("bad"), self.mail("good")
        mails = self.registry["mail.mail"]
        original = mails._prepare_outgoing_list

        def prepare_outgoing_list(mail, *args, **kwargs):
            if mail.subject == "bad":
                raise ValueError("an addon's mistake")
            return original(mail, *args, **kwargs)

        with patch.object(mails, "_prepare_outgoing_list", prepare_outgoing_list):
            self.run_queue()
        self.assertState(good, "sent")
        self.assertState(bad, "exception")
        self.assertIn("an addon's mistake", self.values(bad, "failure_reason"))

    def test_a_mail_whose_settling_raises(self):
        """What was accepted is sent, and what was put off is tried again."""
        later = Answer("450 4.2.0 Not now")
        self.smtp["a"].script.at(Stage.RCPT, later, matching="later@", times=1)
        partner_ids = [self.partner("now"), self.partner("later")]
        bad = self.mail("bad", recipient_ids=[(6, 0, partner_ids)])
        good = self.mail("good")
        mails = self.registry["mail.mail"]
        original = mails._postprocess_sent_message

        def postprocess(some, *args, **kwargs):
            if "bad" in some.mapped("subject"):
                raise ValueError("an addon's mistake")
            return original(some, *args, **kwargs)

        with patch.object(mails, "_postprocess_sent_message", postprocess):
            self.run_queue()
        self.assertState(good, "sent")
        self.assertState(bad, "sent")
        self.make_due()
        self.run_queue()
        self.assertEqual(
            self.received(),
            {"now@c.example": 1, "later@c.example": 1, "good@c.example": 1},
        )
        self.assertBooks()
        self.assertNothingLeft()
