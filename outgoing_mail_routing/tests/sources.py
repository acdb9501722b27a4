"""Scenarios of sources: each has its row in readme/SOURCES.csv, which it keeps true."""

import csv
import functools
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tools import SQL

from .common import RoutingCase

TABLE = Path(__file__).parents[1] / "readme" / "SOURCES.csv"

#: Names of the sources that have a scenario, filled when the test modules are loaded
SCENARIOS = set()

NOBODY = "nobody"


def read_table():
    """``{source: (sent for, company, rule)}``, as the README has it."""
    with TABLE.open(newline="") as lines:
        return {row[0]: tuple(row[1:]) for row in list(csv.reader(lines))[1:]}


def source(name, *modules):
    """Make a scenario a test: what it returns has to be the row of its source.

    :param str name: first column of the table
    :param str modules: modules that have to be installed besides ``mail``
    """
    SCENARIOS.add(name)

    def decorate(scenario):
        @functools.wraps(scenario)
        def test(self):
            self.require(*modules)
            self.assertEqual(scenario(self), read_table()[name])

        return test

    return decorate


class SourceCase(RoutingCase):
    """Everybody who must not be taken for a sender has a server that could carry it.

    Ada, who administers both companies, and Bea of company B have mailboxes that may
    send as every address of their companies, and Bea lends hers. Both companies have
    addresses that core puts into the From of its own mails.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company_a.email = "info@a.example"
        cls.company_b.email = "info@b.example"
        cls.ada = cls._create_user("ada", cls.company_a, cls.company_b)
        cls.ada.group_ids = [Command.link(cls.env.ref("base.group_system").id)]
        cls.ada.own_mail_server_ids = cls._create_server(
            "ada@mailbox.example", from_filter="a.example,b.example"
        )
        cls.bea = cls._create_user("bea", cls.company_b, email="bea@b.example")
        cls.bea.own_mail_server_ids = cls._create_server(
            "bea@mailbox.example", from_filter="b.example"
        )

    def setUp(self):
        super().setUp()
        self.forget_queue()

    def forget_queue(self):
        """What waits already is no part of the scenario."""
        self.env["mail.mail"].search([("state", "=", "outgoing")]).unlink()

    def as_user(self, user, records):
        """The same records as a user's web client calls them, with their company."""
        return records.with_env(self.env(user=user, context={}))

    @contextmanager
    def watching(self):
        """Send, and note every decision that is taken in doing so.

        :return: list of ``(routing.Request, routing.Decision)``
        """
        decisions = []
        routing = type(self.env["mail.routing"])
        decide = routing._decide_to_send  # previews do not count

        def noting_decide(self, request, directory):
            routed = decide(self, request, directory)
            decisions.append((request, routed.decision))
            return routed

        patcher = patch.object(routing, "_decide_to_send", noting_decide)
        with self.sending(), patcher:
            yield decisions

    def run_job(self, xml_id):
        """Run a scheduled action as an administrator does by its button."""
        with self.enter_registry_test_mode():
            self.env.ref(xml_id).method_direct_trigger()

    def let_pass(self, record, field_name, **time):
        """Put the time in a field back, as if that much had passed since."""
        moved = (record[field_name] or fields.Datetime.now()) - timedelta(**time)
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "UPDATE %s SET %s = %s WHERE id = %s",
                SQL.identifier(record._table),
                SQL.identifier(field_name),
                moved,
                record.id,
            )
        )
        self.env.invalidate_all()

    def send_queue(self):
        """What waits in the queue leaves by the scheduled action."""
        self.run_job("mail.ir_cron_mail_scheduler_action")

    def outcome(self, decisions, sender, company, sent_for, of="the document's"):
        """Check for whom the mails were, and put it into the words of the table.

        :param res.users sender: whom the table means by ``sent_for``; empty: nobody
        :param res.company company: whose servers the table means by ``of``
        :return: a row of the table
        """
        facts = {
            (
                request.sender.id if request.sender else False,
                request.company.id,
                decision.rule.value,
            )
            for request, decision in decisions
        }
        self.assertEqual(len(facts), 1, decisions)
        sender_id, company_id, rule = facts.pop()
        self.assertEqual(sender_id, sender.id if sender else False)
        self.assertEqual(company_id, company.id)
        return sent_for, of, rule
