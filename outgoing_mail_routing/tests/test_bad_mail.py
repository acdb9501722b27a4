"""Whatever is wrong with one mail fails that mail alone, and says why."""

from unittest.mock import patch

import psycopg2

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ..models.mail_mail import company
from .test_security_senders import MAILBOX, SenderCase

_LOGGERS = (
    "odoo.addons.outgoing_mail_routing.models.mail_mail.failing",
    "odoo.addons.outgoing_mail_routing.models.mail_mail.company",
    "odoo.addons.mail.models.mail_mail",
    "odoo.sql_db",
)


class Injected(Exception):
    """Nothing that any code expects."""


@tagged("post_install", "-at_install")
class TestOneBadMail(SenderCase):
    # Each step of routing that is taken for one mail
    STEPS = (
        *("_get_maker", "_get_sender", "_get_colleagues", "_get_company"),
        *("_get_persons", "_is_forced_server_open", "_is_nobodys"),
    )

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dora = cls._create_user("dora", cls.company_a)
        cls.emil = cls._create_user("emil", cls.company_a)

    def _mails(self, count=5):
        """Mails of a user each, to a customer of their own."""
        users = (self.anna, self.ben, self.clara, self.dora, self.emil)
        return self.env["mail.mail"].concat(
            *(
                self.mail(
                    users[number],
                    email_to=f"customer{number}@x.example",
                    email_from=users[number].email_formatted,
                    model="res.partner",
                    res_id=self.customer.id,
                )
                for number in range(count)
            )
        )

    def _send(self, mails, **kwargs):
        self.env.invalidate_all()
        with self.sending():
            mails.with_user(self.root).send(**kwargs)
        return {mail.rcpt_tos[0] for mail in self.received()}

    def assertFailsAlone(self, mails, bad, reason):
        """Check that all but one left, and that it tells why it did not."""
        good = mails - bad
        self.forget_received()
        arrived = self._send(mails)
        self.assertEqual(arrived, set(good.mapped("email_to")))
        self.assertEqual(set(good.mapped("state")), {"sent"})
        self.assertEqual(bad.state, "exception")
        self.assertIn("could not be found out", bad.failure_reason)
        self.assertIn(reason, bad.failure_reason)

    def _failing(self, step, bad, reason=None):
        """Let a step raise for one mail, for a reason."""
        registered = type(self.env["mail.mail"])
        method = getattr(registered, step)

        def fail(mails, *args, **kwargs):
            if mails.ids == bad.ids:
                raise Injected(reason or f"in {step}")
            return method(mails, *args, **kwargs)

        return patch.object(registered, step, fail)

    @mute_logger(*_LOGGERS)
    def test_error_at_any_step_fails_that_mail_alone(self):
        for step in self.STEPS:
            for place in (0, 2, 4):
                with self.subTest(step, place=place):
                    mails = self._mails()
                    with self._failing(step, mails[place]):
                        self.assertFailsAlone(mails, mails[place], f"in {step}")

    @mute_logger(*_LOGGERS)
    def test_error_of_the_decision_fails_that_mail_alone(self):
        for model, step in (
            ("ir.mail_server", "_find_mail_server"),
            ("mail.routing", "_route"),
            ("mail.routing", "_decide"),
            ("mail.routing", "_accept_answer"),
            ("mail.routing", "_as_routed_from"),
        ):
            registered = type(self.env[model])
            method = getattr(registered, step)

            def fail(records, first, *args, step=step, method=method, **kwargs):
                if "bad@a.example" in str(getattr(first, "email_from", first)):
                    raise Injected(f"in {step}")
                return method(records, first, *args, **kwargs)

            with self.subTest(step):
                mails = self._mails()
                mails[1].email_from = "bad@a.example"
                with patch.object(registered, step, fail):
                    self.assertFailsAlone(mails, mails[1], f"in {step}")

    @mute_logger(*_LOGGERS)
    def test_error_of_the_database_fails_that_mail_alone(self):
        mails = self._mails()
        registered = type(self.env["mail.mail"])
        method = registered._get_company

        def fail(mail, *args):
            if mail.id == mails[3].id:
                mail.env.cr.execute("SELECT nothing FROM nowhere")
            return method(mail, *args)

        with patch.object(registered, "_get_company", fail):
            self.assertFailsAlone(mails, mails[3], "nowhere")

    @mute_logger(*_LOGGERS)
    def test_bad_values_of_a_user_fail_that_mail_alone(self):
        """What a plain user can put into a mail by a template's values."""
        values_of = {
            "a model without a table": {"model": "account.root", "res_id": 1},
            "a model that is gone": {"model": "gone.model", "res_id": 1},
            "an abstract model": {"model": "mail.thread", "res_id": 1},
            "a record that is gone": {"res_id": 2**31 - 1},
            "nested parentheses in From": {"email_from": "(" * 3000},
            "no address in From": {"email_from": "<>@@\n"},
            "nested parentheses in Reply-To": {"reply_to": "(" * 3000},
            "headers that are none": {"headers": "{" * 500},
            "references that are none": {"references": "<" * 5000},
        }
        for name, values in values_of.items():
            with self.subTest(name):
                mails = self._mails(3)
                self.send_template(self.ben, {**values, "subject": "Bad"})
                bad = self.env["mail.mail"].search([], order="id desc", limit=1)
                bad.write({"state": "outgoing", "auto_delete": False})
                self.assertLessEqual(
                    {f"customer{number}@x.example" for number in range(3)},
                    self._send(bad + mails),
                )
                self.assertIn(bad.state, ("sent", "exception"))
                self.assertTrue(bad.state == "sent" or bad.failure_reason)
                self.forget_received()

    @mute_logger(*_LOGGERS)
    def test_administrator_can_delete_whatever_users_made(self):
        administrator = self._create_administrator()
        for model in ("account.root", "gone.model"):
            with self.subTest(model):
                values = {"model": model, "res_id": 1, "subject": "Bad"}
                self.send_template(self.ben, values)
                bad = self.env["mail.mail"].search([("model", "=", model)])
                bad.write({"state": "outgoing"})
                self.call(administrator, "mail.mail", "unlink", bad.ids)
                self.assertFalse(bad.exists())

    @mute_logger(*_LOGGERS)
    def test_company_that_cannot_be_found_stops_nobody_from_making_a_mail(self):
        failing = patch.object(company.MailMail, "_get_companies", side_effect=Injected)
        with failing:
            mail = self.mail(self.anna)
        self.assertFalse(mail.settled_company_id)
        self.assertEqual(self.deliver(mail).login, MAILBOX)

    @mute_logger(*_LOGGERS)
    def test_company_that_cannot_be_found_is_missing_on_that_mail_alone(self):
        about = {"model": "res.partner", "res_id": self.customer_a.id}
        registered = type(self.env["mail.mail"])
        method = registered._get_company
        for bad in (0, 2, 4):
            addresses = [f"{number}@x.example" for number in range(5)]

            def fail(mail, *args, bad=addresses[bad]):
                if mail.email_to == bad:
                    mail.env.cr.execute("SELECT nothing FROM nowhere")
                return method(mail, *args)

            with self.subTest(bad=bad), patch.object(registered, "_get_company", fail):
                mails = self.env["mail.mail"].create(
                    [{**about, "email_to": address} for address in addresses]
                )
                self.assertEqual(
                    [mail.settled_company_id for mail in mails],
                    [
                        self.env["res.company"] if number == bad else self.company_a
                        for number in range(5)
                    ],
                )

    @mute_logger(*_LOGGERS)
    def test_who_asked_for_an_error_gets_it_before_any_mail_is_sent(self):
        """The transaction of the caller is rolled back: all would be sent again."""
        mails = self._mails()
        for bad in (mails[0], mails[2], mails[4]):
            with self.subTest(bad=bad.email_to), self._failing("_get_sender", bad):
                with self.assertRaises(MailDeliveryException):
                    self._send(mails, raise_exception=True)
                self.assertFalse(self.received())

    def test_mail_that_is_gone_stops_no_other(self):
        """Another process has sent and deleted it."""
        for context in ({}, {"allowed_company_ids": self.company_a.ids}):
            with self.subTest(context):
                self.forget_received()
                mails = self._mails(3)
                gone = mails[1]
                addresses = set((mails - gone).mapped("email_to"))
                self.env.flush_all()
                self.env.cr.execute("DELETE FROM mail_mail WHERE id = %s", [gone.id])
                self.assertEqual(self._send(mails.with_context(**context)), addresses)

    @mute_logger(*_LOGGERS)
    def test_what_no_mail_is_to_blame_for_fails_none(self):
        mails = self._mails(2)
        for error in (MemoryError, psycopg2.OperationalError):
            failing = patch.object(
                type(self.env["mail.mail"]), "_get_sender", side_effect=error
            )
            with self.subTest(error.__name__), failing, self.assertRaises(error):
                list(mails.with_user(self.root)._split_by_mail_configuration())
            self.assertEqual(set(mails.mapped("state")), {"outgoing"})

    @mute_logger(*_LOGGERS)
    def test_mail_that_is_sent_or_cancelled_stays_so(self):
        for state in ("sent", "cancel", "received"):
            mail = self._mails(1)
            mail.write({"state": state, "email_from": "(" * 3000})
            with self.subTest(state):
                self.assertFalse(self._send(mail))
                self.assertEqual(mail.state, state)

    @mute_logger(*_LOGGERS)
    def test_whatever_an_error_says_is_kept(self):
        mails = self._mails(3)
        with self._failing("_get_sender", mails[0], "zero\x00byte"):
            self.assertFailsAlone(mails, mails[0], "zero")

    @mute_logger(*_LOGGERS)
    def test_what_waited_to_be_written_and_fails_is_no_fault_of_a_mail(self):
        mails = self._mails(2)
        currency = self.env["res.currency"].create({"name": "XQX", "symbol": "q"})
        self.env.flush_all()
        with self.assertRaises(psycopg2.IntegrityError), self.env.cr.savepoint():
            currency.rounding = -1
            list(mails.with_user(self.root)._split_by_mail_configuration())
        self.assertEqual(set(mails.mapped("state")), {"outgoing"})

    def test_no_mail_is_sent_as_in_core(self):
        self.call(self.ben, "mail.mail", "send", [])
        self.assertFalse(self.received())

    @mute_logger(*_LOGGERS)
    def test_nothing_configured_one_bad_From_fails_that_mail_alone(self):
        self.env["ir.mail_server"].search([]).write(
            {
                "own_user_ids": False,
                "default_company_ids": False,
                "reserved": False,
            }
        )
        mails = self._mails(3)
        mails[1].email_from = "(" * 3000
        self.assertFailsAlone(mails, mails[1], "recursion")
