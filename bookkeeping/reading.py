"""Reads the two books: what the servers noted, and what Odoo's database says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from email.utils import getaddresses
from typing import Any

from workbench.postgres import Databases
from workbench.smtp_service import SmtpService

from .ledger import Accepted, Entry, Planned, Said, State
from .plan import Plan

MAILS = """
SELECT message.message_id, mail.state, mail.failure_type, mail.failure_reason,
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


def said(databases: Databases, database: str) -> dict[Entry, Said]:
    """Return what core's queue says of each entry: the same of all of a mail."""
    found = {}
    for message_id, state, _type, reason, addresses, emails in databases.query(
        MAILS, database
    ):
        names = [address for _name, address in getaddresses([addresses])]
        for recipient in [*emails, *filter(None, names)] or [""]:
            found[Entry(message_id, recipient)] = Said(STATES[state], reason or "")
    return found
