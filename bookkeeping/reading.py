"""Reads the two books: what the servers noted, and what Odoo's database says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import getaddresses
from typing import Any

from workbench.postgres import Databases
from workbench.smtp_service import SmtpService

from .ledger import Accepted, Entry, Planned, Said, State
from .plan import Plan

MAILS = """
SELECT message.message_id, mail.state, mail.failure_reason,
       concat_ws(',', mail.email_to, mail.email_cc),
       array(
           SELECT partner.email FROM mail_mail_res_partner_rel AS rel
           JOIN res_partner AS partner ON partner.id = rel.res_partner_id
           WHERE rel.mail_mail_id = mail.id
       )
FROM mail_mail AS mail JOIN mail_message AS message
ON message.id = mail.mail_message_id ORDER BY mail.id
"""
STATES = {
    "outgoing": State.WAITING,
    "sent": State.SENT,
    "received": State.SENT,
    "exception": State.FAILED,
    "cancel": State.FAILED,
}

HAS_ATTEMPTS = "SELECT 1 FROM pg_class WHERE relname = 'mail_delivery_attempt'"
#: The last attempt for each recipient.
ATTEMPTS = """
SELECT DISTINCT ON (message_id, recipient) message_id, recipient, outcome,
       code, reply, run_id_int, mail_server_name,
       extract(epoch FROM started_at)::float8, duration::float8
FROM mail_delivery_attempt ORDER BY message_id, recipient, id DESC
"""
OUTCOMES = {
    "sending": State.SENDING,
    "sent": State.SENT,
    "bounced": State.SENT,
    "refused": State.FAILED,
    "unknown": State.UNKNOWN,
}
#: Who waits for an answer learns so much later at most that none comes, in seconds.
SOON = 2.0


@dataclass(frozen=True)
class Attempt:
    """The columns of an attempt that tell what became of it."""

    outcome: str
    code: int
    reply: str | None
    run_id: int
    server: str
    started_at: float
    duration: float | None


@dataclass(frozen=True)
class Death:
    """Something that was killed while messages may have been transmitted.

    :param since: when that began, by the database's clock, in seconds
    :param until: when it was done
    :param sessions: with one server, that it may have interrupted
    :param run_ids: the runs that were under way, where it was theirs
    :param server: the server that was ended, where it was one
    """

    name: str
    since: float
    until: float
    sessions: int
    run_ids: Collection[int] = ()
    server: str = ""

    def explains(self, attempt: Attempt) -> bool:
        """Whether it may have interrupted an attempt."""
        if not self.server:
            return attempt.run_id in self.run_ids
        ended_at = attempt.started_at + (attempt.duration or 0.0)
        began_before = attempt.started_at <= self.until + SOON
        under_way = began_before and ended_at >= self.since - SOON
        return self.server == attempt.server and under_way


def planned(plan: Plan, message_ids: Mapping[str, str]) -> dict[Entry, Planned]:
    """Return all that was made."""
    return {
        Entry(message_ids[str(mail.number)], recipient): Planned(
            plan.servers[mail.server].name, mail.impossible
        )
        for mail in plan.mails
        for recipient in mail.recipients
    }


def accepted(services: Iterable[SmtpService]) -> Iterator[Accepted]:
    """Yield what the servers accepted."""
    for service in services:
        for noted in service.noted("received.jsonl"):
            for entry in _entries(noted):
                yield Accepted(noted["server"], entry)


def forsaken(services: Iterable[SmtpService]) -> set[Entry]:
    """Return the entries whose answer a server kept to itself."""
    return {
        entry
        for service in services
        for noted in service.noted("forsaken.jsonl")
        for entry in _entries(noted)
    }


def _entries(noted: Mapping[str, Any]) -> Iterator[Entry]:
    for recipient in noted["rcpt_tos"]:
        yield Entry(noted["message_id"], recipient)


def said(
    databases: Databases, database: str, deaths: Sequence[Death]
) -> dict[Entry, Said]:
    """Return what Odoo says of each entry: by its mail, and by its last attempt.

    Without the delivery addon there are no attempts, and all of a mail fares alike.
    """
    has_attempts = databases.query(HAS_ATTEMPTS, database)
    rows = databases.query(ATTEMPTS, database) if has_attempts else []
    attempts = {Entry(*row[:2]): Attempt(*row[2:]) for row in rows}
    found = {entry: _said(attempt, deaths) for entry, attempt in attempts.items()}
    for message_id, state, reason, addresses, emails in databases.query(
        MAILS, database
    ):
        names = [address for _name, address in getaddresses([addresses])]
        for recipient in [*emails, *filter(None, names)] or [""]:
            entry = Entry(message_id, recipient)
            by_mail = Said(STATES[state], reason or "")
            found[entry] = together(by_mail, found.get(entry))
    return found


def _said(attempt: Attempt, deaths: Sequence[Death]) -> Said:
    """What an attempt says of its recipient."""
    reason = f"{attempt.code} {attempt.reply}" if attempt.code else attempt.reply
    died = next((death.name for death in deaths if death.explains(attempt)), "")
    state = OUTCOMES.get(attempt.outcome, State.WAITING)
    return Said(state, reason or "", died if state is State.UNKNOWN else "")


def together(mail: Said, attempt: Said | None) -> Said:
    """What Odoo says, by a mail and by the last attempt for one of its recipients.

    The mail tells what will happen. Where it is done, each recipient fared in a way of
    its own; one that nobody looks after any more is what the mail says.
    """
    if attempt is None:
        return mail
    agreeing = {
        State.WAITING: (State.SENDING,),
        State.SENT: (State.SENT, State.FAILED),
        State.FAILED: (State.UNKNOWN, State.FAILED, State.SENDING),
    }
    return attempt if attempt.state in agreeing[mail.state] else mail
