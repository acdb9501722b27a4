"""What the demonstration shows of delivery: a server that is down, a worker killed.

Nobody does anything about either: the mail waits with its reason and leaves by itself,
and the books of servers and Odoo agree in the end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from workbench.demo_play import Player
from workbench.odoo_server import OdooServer
from workbench.smtp_service import SmtpService
from workbench.steps import StepFailed, say, step

from . import ledger, reading
from .workers import Worker

SUBJECT = "Anna in the chatter, while no server answers"
#: Longer than a server is left alone at first, and Odoo's scheduled actions sleep.
BY_ITSELF_SECONDS = 240.0
POLL = 0.5
#: So many mails are queued, and so often is anything written down before the kill.
QUEUED, WRITTEN = 40, 12
STEP = "odoo.addons.outgoing_mail_delivery.bridge.journal.JournalWriter.note"
FIELDS = ("state", "delivery_state", "failure_reason", "scheduled_date")
ATTEMPT = ("mail_server_name", "outcome", "reply", "number")


def play(odoo: OdooServer, player: Player, smtp: SmtpService, database: str) -> bool:
    """Show both; return whether all came right."""
    waited = show_outage(player, smtp)
    return show_kill(odoo, player, smtp, database) and waited


# ----------------------------------------------------------------------
# A server is down
# ----------------------------------------------------------------------


def show_outage(player: Player, smtp: SmtpService) -> bool:
    """Take the servers down, post, bring them back, and wait."""
    with step("Take every SMTP server down"):
        smtp.stop()
    with step("Post a message as Anna"):
        player.post("anna", SUBJECT)
    waiting = _wait_for(player, "Wait until it is put off", delivery_state="deferred")
    say(f"    It waits: {waiting['failure_reason']}")
    say(f"    Next try: {waiting['scheduled_date']} (UTC)")
    smtp.start_again()
    _wait_for(player, "Wait until it has left, by itself", state="sent")
    for attempt in _attempts(player):
        say("    " + ", ".join(str(attempt[name]) for name in ATTEMPT if attempt[name]))
    count = sum(mail.header("Subject") == SUBJECT for mail in smtp.received())
    say(f"    It arrived {count} times." if count != 1 else "    It arrived once.")
    return count == 1


def _wait_for(player: Player, title: str, **values: str) -> dict[str, Any]:
    """Wait until the mail is in a state; return what Odoo says of it."""
    until = time.monotonic() + BY_ITSELF_SECONDS
    found: list[dict[str, Any]] = []
    with step(title):
        while time.monotonic() < until:
            domain = [("subject", "=", SUBJECT)]
            found = player.administer("mail.mail", "search_read", domain, FIELDS)
            if found and all(found[0][name] == it for name, it in values.items()):
                return found[0]
            time.sleep(POLL)
        raise StepFailed(title, f"Odoo says of it: {found}", "Odoo's log says more.")


def _attempts(player: Player) -> list[dict[str, Any]]:
    domain = [("subject", "=", SUBJECT)]
    found = player.administer(
        "mail.delivery.attempt", "search_read", domain, ATTEMPT, order="id"
    )
    return list(found)


# ----------------------------------------------------------------------
# A worker is killed
# ----------------------------------------------------------------------


def show_kill(
    odoo: OdooServer, player: Player, smtp: SmtpService, database: str
) -> bool:
    """Kill a worker amid its run, have the next one go on, and print the books."""
    with step(f"Queue {QUEUED} mails"):
        planned = _queue(player)
    with step("Kill a worker amid its run"):
        options = (f"--hold-after={STEP}", f"--skip={WRITTEN}")
        worker = Worker(odoo, database, "killed", "--once", *options)
        worker.wait_until_held()
        worker.kill()
    player.run_queue()
    report = ledger.compare(
        ledger.Facts(
            planned,
            [it for it in reading.accepted([smtp]) if it.entry in planned],
            reading.said(odoo.databases, database, [_death(odoo, database)]),
            set(),
            {KILL: SESSIONS},
            (),
        )
    )
    say(f"\n{report.table()}\n")
    for fault in report.faults:
        say(f"Wrong: {fault.kind.value}: {fault}")
    if report.right:
        say("Nothing is double, nothing is lost. What is unknown may have arrived: the")
        say("worker was transmitting it when it was killed, and somebody is to decide.")
    return report.right


KILL, SESSIONS = "kill of a worker", 2


def _queue(player: Player) -> Mapping[ledger.Entry, ledger.Planned]:
    """Make mails as an application does that leaves them to the queue."""
    values = [
        {
            "subject": f"Queued {number}",
            "body_html": "<p>Hello</p>",
            "email_from": '"Alder" <office@alder.example>',
            "email_to": f"customer.{number}@customer.example",
        }
        for number in range(QUEUED)
    ]
    ids = player.administer("mail.mail", "create", values)
    mails = player.administer("mail.mail", "read", ids, ["message_id", "email_to"])
    return {
        ledger.Entry(mail["message_id"], mail["email_to"]): ledger.Planned("alder")
        for mail in mails
    }


def _death(odoo: OdooServer, database: str) -> reading.Death:
    """The kill, with the runs that what is unknown belongs to."""
    unknown = "SELECT run_id_int FROM mail_delivery_attempt WHERE outcome = 'unknown'"
    run_ids = [run_id for (run_id,) in odoo.databases.query(unknown, database)]
    return reading.Death(KILL, 0.0, 0.0, SESSIONS, run_ids)
