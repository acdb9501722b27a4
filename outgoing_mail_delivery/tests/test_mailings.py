"""Mailings: what their statistics say is what became of each mail."""

import re

from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.outgoing_mail_routing.tests.smtp_server import Answer, Close, Stage

from .common import DeliveryCase

REFUSED = Answer("550 5.1.1 No such user")
LATER = Answer("450 4.2.2 Mailbox full")
LINK = re.compile(r"https?://[^\"' <>]+/r/\w+/m/(\d+)")


@tagged("post_install", "-at_install")
class TestMailings(DeliveryCase):
    def setUp(self):
        super().setUp()
        with self.records() as env:
            if "mailing.mailing" not in env:
                self.skipTest("needs the module mass_mailing")
        self.serve()

    def _mailing(self, *names, **values):
        """A mailing to contacts of a list of its own; return its id."""
        [list_id] = self.make(
            "mailing.list",
            {
                "name": "List",
                "contact_ids": [
                    Command.create({"name": name, "email": f"{name}@c.example"})
                    for name in names
                ],
            },
        )
        with self.records() as env:
            self._made.append(
                ("mailing.contact", env["mailing.list"].browse(list_id).contact_ids.ids)
            )
            model_id = env["ir.model"]._get_id("mailing.list")
        return self.make(
            "mailing.mailing",
            {
                "subject": "News",
                "body_html": '<p><a href="https://shop.example/new">New</a> '
                '<a href="/unsubscribe_from_list">No more</a></p>',
                "mailing_model_id": model_id,
                "contact_list_ids": [Command.set([list_id])],
                "email_from": "Shop <shop@a.example>",
                "keep_archives": True,
                **values,
            },
        )[0]

    def _launch(self, *mailing_ids):
        """Launch mailings, as their scheduled action sends them."""
        with self.records() as env:
            env["mailing.mailing"].browse(mailing_ids).action_launch()
        with self.records() as env:
            env["mailing.mailing"]._process_mass_mailing_queue()

    def _traces(self, mailing_id):
        """How many traces there are in each state, and the statistics."""
        with self.records() as env:
            traces = env["mailing.trace"]
            found = traces._read_group(
                [("mass_mailing_id", "=", mailing_id)], ["trace_status"], ["__count"]
            )
            mailing = env["mailing.mailing"].browse(mailing_id)
            return dict(found), (mailing.state, mailing.sent, mailing.failed)

    def test_traces_say_what_became_of_each_mail(self):
        """Sent at once up to 100 contacts, and by the queue beyond."""
        for count in (50, 110):
            with self.subTest(count):
                script = self.smtp["a"].script
                script.at(Stage.RCPT, REFUSED, matching="bad")
                script.at(Stage.RCPT, LATER, matching="full")
                # no five in a row, or the server would count as in trouble
                kinds = ("n", "bad", "n", "full", "n")
                names = [f"{n:03}{kinds[n % 5]}of{count}" for n in range(25)]
                names += [f"{n:03}nof{count}" for n in range(25, count)]
                mailing_id = self._mailing(*names)
                self._launch(mailing_id)
                self.run_queue()
                traces, (state, sent, failed) = self._traces(mailing_id)
                self.assertEqual(
                    traces, {"sent": count - 10, "error": 5, "outgoing": 5}
                )
                self.assertEqual((state, failed), ("done", 5))
                script.clear()
                self.make_due()
                self.run_queue()
                traces, _statistics = self._traces(mailing_id)
                self.assertEqual(traces, {"sent": count - 5, "error": 5})
                self.assertBooks()
                self.assertNothingLeft()

    def test_addresses_that_are_all_refused_alike_wait_with_the_rest(self):
        """Five in a row look like trouble of the server: nobody is lost to it."""
        self.smtp["a"].script.at(Stage.RCPT, REFUSED, matching="bad")
        names = [f"bad{n}" if 5 <= n < 15 else f"n{n}" for n in range(60)]
        mailing_id = self._mailing(*names)
        self._launch(mailing_id)
        self.run_queue()
        self.assertNothingLeft()
        self.smtp["a"].script.clear()
        self.make_due()
        self.run_queue()
        self.run_queue()
        self.assertBooks()
        traces, _statistics = self._traces(mailing_id)
        self.assertEqual(traces.get("outgoing", 0), 0)

    def test_links_are_of_each_recipient(self):
        """The trace of a tracked link, and the list to be taken off from."""
        mailing_id = self._mailing("one", "two")
        self._launch(mailing_id)
        self.run_queue()
        with self.records() as env:
            traces = env["mailing.trace"].search([("mass_mailing_id", "=", mailing_id)])
            traced = {trace.email: str(trace.id) for trace in traces}
        for mail in self.smtp["a"].received:
            text = mail.message.get_body(("html",)).get_content()
            [address] = mail.rcpt_tos
            self.assertEqual(LINK.findall(text), [traced[address]])
            self.assertIn(f"/mailing/{mailing_id}/confirm_unsubscribe?", text)
            self.assertIn(
                f"/mailing/{mailing_id}/unsubscribe_oneclick?",
                mail.header("List-Unsubscribe"),
            )
            self.assertEqual(mail.header("Precedence"), "list")
        self.assertEqual(len(self.received()), 2)

    def test_versions_of_a_mailing_go_to_different_contacts(self):
        names = [f"ab{number}" for number in range(20)]
        first = self._mailing(*names, ab_testing_enabled=True, ab_testing_pc=25)
        with self.records() as env:
            mailing = env["mailing.mailing"].browse(first)
            second = mailing.copy({"subject": "Other", "ab_testing_pc": 25})
            second.contact_list_ids = mailing.contact_list_ids
            self._made.append(("mailing.mailing", second.ids))
            self._made.append(("utm.campaign", mailing.campaign_id.ids))
        self._launch(first, second.id)
        self.run_queue()
        self.assertEqual(len(self.received()), 10)
        with self.records() as env:
            winner = env["mailing.mailing"].browse(first)
            answer = winner.action_select_as_winner()
            final_id = answer["res_id"]
            self._made.append(("mailing.mailing", [final_id]))
        with self.records() as env:
            env["mailing.mailing"]._process_mass_mailing_queue()
        self.run_queue()
        self.assertEqual(set(self.received().values()), {1})
        self.assertEqual(len(self.received()), 20)

    def test_button_that_tests_a_mailing_says_what_became_of_it(self):
        self.smtp["a"].script.at(Stage.RCPT, LATER, matching="full@")
        self.smtp["a"].script.at(Stage.RCPT, REFUSED, matching="bad@")
        mailing_id = self._mailing("somebody")
        with self.records() as env:
            env["mailing.mailing.test"].create(
                {
                    "mass_mailing_id": mailing_id,
                    "email_to": "well@c.example\nfull@c.example\nbad@c.example",
                }
            ).send_mail_test()
            mailing = env["mailing.mailing"].browse(mailing_id)
            told = mailing.message_ids[0].body
            left = env["mail.mail"].search([("mailing_id", "=", mailing_id)])
        self.assertIn("successfully sent to well@c.example", told)
        self.assertIn("could not be sent to full@c.example", told)
        self.assertIn("could not be sent to bad@c.example", told)
        self.assertFalse(left)
        self.assertEqual(list(self.received()), ["well@c.example"])

    def test_mailing_of_a_server_that_is_down_waits_for_it(self):
        self.smtp["a"].script.at(Stage.CONNECT, Answer(close=Close.RESET))
        mailing_id = self._mailing("one", "two")
        self._launch(mailing_id)
        self.run_queue()
        traces, _statistics = self._traces(mailing_id)
        self.assertEqual(traces, {"outgoing": 2})
        self.assertStates(News=["outgoing deferred"] * 2)

    def test_mail_of_a_mailing_is_bulk(self):
        mailing_id = self._mailing("one")
        self._launch(mailing_id)
        self.run_queue()
        self.assertEqual(self.attempts("lane", "outcome"), [("bulk", "sent")])
