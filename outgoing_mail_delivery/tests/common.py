"""What tests of runs need: real runs commit, so that what tests make is removed again.

A run takes what is committed, and commits after each step; no test cursor bears that.
Here tests commit what they make, in the database of their process, and each removes it
in the end. Workers that are killed are processes of their own: :mod:`.workers`.
"""

from collections import Counter
from contextlib import contextmanager
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.modules import module
from odoo.modules.registry import Registry
from odoo.tests import BaseCase
from odoo.tests.common import get_db_name
from odoo.tools import config

from odoo.addons.outgoing_mail_routing.tests.smtp_server import SmtpServer

#: A test begins and ends without anything in these tables.
TABLES = (
    *("mail_delivery_attempt", "mail_delivery_claim", "mail_delivery_run"),
    *("mail_mail", "mail_delivery_health", "ir_mail_server", "ir_cron_trigger"),
)
QUEUE = "odoo.addons.outgoing_mail_delivery.models.mail_mail.queue"


class DeliveryCase(BaseCase):
    """Tests whose mail leaves by real runs, to SMTP servers on loopback.

    Mails are named by the subject that a test gives them, and recipients by theirs:
    each recipient is of one mail, so that the books tell whoever got something twice.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Registry(get_db_name())
        cls.startClassPatcher(patch.dict(config.options, {"smtp_server": ""}))

    def setUp(self):
        super().setUp()
        # as in a process of Odoo's: with it, nothing is sent
        self.startPatcher(patch.object(module, "current_test", False))
        self.smtp = {}
        self._made = []
        self._remove_all()
        self.addCleanup(self._remove_all)

    def _remove_all(self):
        """Remove what the test made, or a process that was killed amid another one."""
        with self.records() as env:
            for table in TABLES:
                env.cr.execute(f"DELETE FROM {table}")
            for model, ids in reversed(self._made):
                env[model].browse(ids).exists().unlink()
            env.cr.execute(
                "DELETE FROM ir_config_parameter WHERE key LIKE 'mail_delivery.%'"
            )
            env.registry.clear_all_caches()

    @contextmanager
    def records(self):
        """An environment of the superuser; what is done in it is committed."""
        with self.registry.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def make(self, model, *values):
        """Make records that are removed after the test; return their ids."""
        with self.records() as env:
            ids = env[model].create(list(values)).ids
        self._made.append((model, ids))
        return ids

    # ------------------------------------------------------------------
    # Servers
    # ------------------------------------------------------------------

    def serve(self, name="a", smtp=None, **values):
        """A mail server that carries what is from its own domain, ``NAME.example``.

        :param smtp: what is behind it; an SMTP server that behaves where none is given
        :return: its id
        """
        if smtp is None:
            smtp = SmtpServer({name: name}).start()
            self.addCleanup(smtp.stop)
        self.smtp[name] = smtp
        [server_id] = self.make(
            "ir.mail_server",
            {
                "name": name,
                "smtp_host": smtp.host,
                "smtp_port": smtp.port,
                "smtp_user": name,
                "smtp_pass": name,
                "smtp_encryption": "none",
                "from_filter": f"{name}.example",
                **values,
            },
        )
        return server_id

    def health(self, server_id):
        """The state of a server, and its words."""
        with self.records() as env:
            healths = env["mail.delivery.health"]
            found = healths.search([("mail_server_id", "=", server_id)])
            return found.state or "ok", found.words or ""

    # ------------------------------------------------------------------
    # Mails
    # ------------------------------------------------------------------

    def mail(self, subject="m", server="a", /, **values):
        """A mail in the queue; to ``SUBJECT@c.example`` where nobody is named."""
        if not {"email_to", "recipient_ids", "email_cc"}.intersection(values):
            values["email_to"] = f"{subject}@c.example"
        with self.records() as env:
            mail = env["mail.mail"].create(
                {
                    "subject": subject,
                    "body_html": "<p>Hello</p>",
                    "email_from": f"sender@{server}.example",
                    **values,
                }
            )
            return mail.id

    def partner(self, name, email=None):
        """A contact; return its id."""
        email = f"{name}@c.example" if email is None else email
        return self.make("res.partner", {"name": name, "email": email})[0]

    def run_queue(self, mail_ids=()):
        """Run the queue once, in a transaction of its own, as the cron does."""
        with self.assertNoLogs(QUEUE, "ERROR"), self.records() as env:
            env["mail.mail"].process_email_queue(mail_ids)

    def make_due(self):
        """Let the time pass until all that waits is due, and all servers tried."""
        with self.records() as env:
            now = "now() AT TIME ZONE 'UTC'"
            env.cr.execute(
                f"UPDATE mail_mail SET scheduled_date = {now}"
                f" WHERE state = 'outgoing' AND scheduled_date > {now}"
            )
            env.cr.execute(
                f"UPDATE mail_delivery_health SET until = {now} WHERE until > {now}"
            )

    def values(self, mail_id, *names):
        """The values of some fields of a mail."""
        with self.records() as env:
            mail = env["mail.mail"].browse(mail_id)
            values = [mail[name] for name in names]
        return values[0] if len(names) == 1 else tuple(values)

    def states(self):
        """The states of all mails of the test, by subject.

        :return: ``{subject: [(state, delivery_state)]}``
        """
        states = {}
        with self.records() as env:
            for mail in env["mail.mail"].search([], order="id"):
                state = (mail.state, mail.delivery_state)
                states.setdefault(mail.subject, []).append(state)
        return states

    def assertState(self, mail_id, state, delivery_state=False):
        self.assertEqual(
            self.values(mail_id, "state", "delivery_state"), (state, delivery_state)
        )

    def assertStates(self, **states):
        """Check the states of all mails by subject; ``sent`` is short for what it is.

        :param states: ``state`` or ``state delivery_state``, one or more for each
        """
        found = {
            subject: [f"{state} {told or ''}".strip() for state, told in mails]
            for subject, mails in self.states().items()
        }
        wanted = {
            subject: [told] if isinstance(told, str) else list(told)
            for subject, told in states.items()
        }
        self.assertEqual(found, wanted)

    def attempts(self, *names, **values):
        """The attempts of the test in their order.

        :param names: of fields, for tuples of their values
        :param values: of fields, that an attempt has to have
        """
        domain = [(name, "=", value) for name, value in values.items()]
        with self.records() as env:
            found = env["mail.delivery.attempt"].search(domain, order="id")
            return [tuple(each[name] for name in names) for each in found]

    # ------------------------------------------------------------------
    # The books
    # ------------------------------------------------------------------

    def received(self):
        """How often each address got something, by the servers' own books."""
        return Counter(
            address
            for smtp in self.smtp.values()
            for mail in smtp.received
            for address in mail.rcpt_tos
        )

    def outcomes(self):
        """The outcomes of all attempts by recipient, in their order."""
        outcomes = {}
        for recipient, outcome in self.attempts("recipient", "outcome"):
            outcomes.setdefault(recipient, []).append(outcome)
        return outcomes

    def assertBooks(self):
        """Compare what servers have with what Odoo says, recipient by recipient.

        Nobody got anything twice; whoever is said to have got something has it, and
        whoever has got something is said to have, or maybe to have.
        """
        received, outcomes = self.received(), self.outcomes()
        self.assertFalse([who for who, count in received.items() if count > 1])
        for recipient in {*received, *outcomes}:
            told = outcomes.get(recipient, [])
            has = {"sent", "bounced"}.intersection(told)
            doubtful = {"sending", "unknown"}.intersection(told)
            if received[recipient]:
                self.assertTrue(has or doubtful, (recipient, told))
            else:
                self.assertFalse(has, (recipient, told))

    def assertNothingLeft(self):
        """Check that no run has anything any more, and all is settled."""
        with self.records() as env:
            self.assertFalse(env["mail.delivery.claim"].search([]))
            self.assertFalse(env["mail.delivery.run"].search([]))
        self.assertFalse(self.attempts("recipient", "outcome", settled=False))
