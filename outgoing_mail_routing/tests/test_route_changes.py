import time

from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import tagged

from .common import RoutingCase


@tagged("post_install", "-at_install")
class TestRouteChanges(RoutingCase):
    """Which of the last mails would take another route, before a form is saved."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._create_administrator()
        cls.env["mail.mail"].search([]).unlink()
        cls.env["mail.message"].search([]).unlink()

    def _changes(self, record, user=None, **changes):
        """What the web client is answered for a form with these unsaved changes."""
        preview = self.env["mail.routing.preview"].with_user(user or self.administrator)
        return preview.get_changes(record._name, record.id, changes)

    def _routes(self, answer):
        return {row["subject"]: (row["now"], row["then"]) for row in answer["rows"]}

    def _send(self, user, record, subject):
        """A message that is sent; Odoo keeps it and deletes its ``mail.mail``."""
        self.post(user, record, subject=subject)
        self.forget_received()
        self.assertFalse(self.env["mail.mail"].search([("subject", "=", subject)]))

    def test_server_taken_from_user_form_lists_the_users_mails(self):
        self._send(self.anna, self.customer_a, "Of Anna")
        self._send(self.ben, self.customer_a, "Of Ben")
        answer = self._changes(
            self.anna, own_mail_server_ids=[Command.unlink(self.mailbox.id)]
        )
        self.assertEqual(answer["total"], 2)
        now, then = self._routes(answer).pop("Of Anna")
        self.assertIn("Office@mailbox.example as office@mailbox.example", now)
        self.assertIn("Relay-a as anna@a.example", then)
        self.assertEqual(len(answer["rows"]), 1)
        self.assertEqual(self.anna.own_mail_server_ids, self.mailbox)

    def test_own_servers_switched_off_lists_the_users_mails(self):
        self._send(self.anna, self.customer_a, "Of Anna")
        answer = self._changes(self.anna, use_own_mail_servers=False)
        self.assertEqual(list(self._routes(answer)), ["Of Anna"])
        self.assertTrue(self.anna.use_own_mail_servers)

    def test_server_on_company_form_lists_the_companys_mails(self):
        self._send(self.clara, self.customer_a, "Of A")
        self._send(self.clara, self.customer_b, "Of B")
        commands = [Command.unlink(self.relay_a.id), Command.link(self.shared.id)]
        answer = self._changes(self.company_a, mail_server_ids=commands)
        now, then = self._routes(answer).pop("Of A")
        self.assertIn("Relay-a", now)
        self.assertIn("Shared", then)
        self.assertEqual(answer["total"], 2)
        self.assertEqual(len(answer["rows"]), 1)

    def test_policies_on_server_form_list_headers_that_change(self):
        self._send(self.anna, self.customer_a, "Of Anna")
        self._send(self.ben, self.customer_a, "Of Ben")
        answer = self._changes(self.mailbox, bounce_policy="odoo")
        now, then = self._routes(answer)["Of Anna"]
        self.assertIn("Return-Path: office@mailbox.example", now)
        self.assertIn("Return-Path: bounce@a.example", then)
        self.assertEqual(len(answer["rows"]), 1)

    def test_priority_on_server_form_counts(self):
        self.shared.sender_email = "second@mailbox.example"
        self.anna.own_mail_server_ids = self.mailbox | self.shared
        self._send(self.anna, self.customer_a, "Of Anna")
        self.assertFalse(self._changes(self.mailbox, sequence=2)["rows"])
        answer = self._changes(self.shared, sequence=0, name="Now First")
        self.assertIn("Now First", self._routes(answer)["Of Anna"][1])

    def test_server_not_saved_yet_counts(self):
        self._send(self.ben, self.customer_a, "Of Ben")
        answer = self._changes(
            self.env["ir.mail_server"],
            name="New",
            own_user_ids=[Command.link(self.ben.id)],
        )
        self.assertIn("New as ben@a.example", self._routes(answer)["Of Ben"][1])

    def test_queued_and_forced_mail_counts_as_it_is(self):
        forced = self.mail(
            self.anna, mail_server_id=self.shared.id, subject="Forced on a server"
        )
        waiting = self.mail(self.anna, subject="Waiting")
        answer = self._changes(
            self.anna, own_mail_server_ids=[Command.unlink(self.mailbox.id)]
        )
        self.assertEqual(answer["total"], 2)
        self.assertEqual(list(self._routes(answer)), ["Waiting"])
        self.assertEqual((forced | waiting).mapped("state"), ["outgoing"] * 2)

    def test_announced_route_is_the_one_after_saving(self):
        mail = self.mail(self.anna, subject="Waiting")
        commands = [Command.set(self.shared.ids)]
        answer = self._changes(self.anna, own_mail_server_ids=commands)
        _now, then = self._routes(answer)["Waiting"]
        self.anna.own_mail_server_ids = commands
        received = self.deliver(mail)
        self.assertEqual(received.login, "shared")
        self.assertIn("Shared as anna@a.example", then)

    def test_form_that_changes_nothing_lists_nothing(self):
        self._send(self.anna, self.customer_a, "Of Anna")
        for record, changes in (
            (self.anna, {"name": "Another"}),
            (self.company_a, {"name": "Another"}),
            (self.mailbox, {"name": "Another", "smtp_host": "elsewhere"}),
        ):
            with self.subTest(record=record):
                self.assertFalse(self._changes(record, **changes)["rows"])

    def test_plain_user_is_refused(self):
        with self.assertRaises(AccessError):
            self._changes(self.anna, user=self.ben, use_own_mail_servers=False)

    def test_statements_do_not_grow_with_mails(self):
        def statements(name, number):
            users = self.env["res.users"].concat(
                *(
                    self._create_user(f"{name}{place}", self.company_a)
                    for place in range(number)
                )
            )
            for user in users:
                self._send(user, self.customer_a, f"Of {user.login}")
            count, answer = self.counted(
                lambda: self._changes(self.company_a, mail_server_ids=False)
            )
            return count, answer["total"]

        statements("first", 2)
        few, total = statements("second", 2)
        self.assertEqual(total, 4)
        many, total = statements("third", 20)
        self.assertEqual(total, 24)
        self.assertLess(many - few, 5)  # what Odoo keeps may be read anew

    def test_five_hundred_mails_take_about_a_second(self):
        values = {"email_to": "customer@customer.example", "subject": "Many"}
        self.env["mail.mail"].with_user(self.anna).sudo().create([values] * 600)
        self.env.flush_all()
        self.env.invalidate_all()
        started = time.process_time()
        answer = self._changes(self.anna, use_own_mail_servers=False)
        seconds = time.process_time() - started
        self.assertEqual((answer["total"], len(answer["rows"])), (500, 500))
        # on a busy machine; about a third of a second on an idle one
        self.assertLess(seconds, 2)
