"""What the demonstration does, and what has to come of it; demo_scenario.csv has it.

The names are the XML ids of the addon's demonstration data.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

MAILBOX = "office.anna@mailbox.example"
ALDER, BIRCH = "office@alder.example", "office@birch.example"
SHOP, SHARED = "shop@shop.example", "shared@provider.example"
#: The SMTP server and the login behind each of Odoo's outgoing mail servers: a hosting
#: provider may hold accounts of several customers.
MAIL_SERVERS = {
    "mail_server_mailbox": ("mailbox", MAILBOX),
    "mail_server_relay_alder": ("alder", ALDER),
    "mail_server_relay_birch": ("birch", BIRCH),
    "mail_server_shop": ("hosting", SHOP),
    "mail_server_shared": ("hosting", SHARED),
}


@dataclass(frozen=True)
class Person:
    """A demonstration user."""

    name: str
    email: str
    what: str


#: By login, which is the password, too.
PEOPLE = {
    "anna": Person("Anna Ash", "anna@alder.example", "Alder, with a mailbox"),
    "ben": Person("Ben Beech", "ben@alder.example", "Alder, without a mailbox"),
    "clara": Person("Clara Cherry", "clara@alder.example", "Alder and Birch"),
    "paul": Person("Paul Poplar", "paul@customer.example", "portal customer"),
}
#: How a mail leaves: what is known of it, and the titles.
ROUTE = {
    "rule": "rule",
    "login": "SMTP login",
    "envelope_sender": "envelope sender",
    "email_from": "From",
    "reply_to": "Reply-To",
    "return_path": "Return-Path",
}


@dataclass(frozen=True)
class Row:
    """One mail: who makes it how, on which record, to whom; then its expected route.

    A ``template`` is sent from the composer, or, ``queued``, as code sends one; without
    a template it is a message in the chatter. ``open_companies`` are those ticked in
    the web client, the active one first. ``named`` is whom the sender gives as author
    and From in their place. Who ``follows`` gets the answers to what they wrote;
    what ``answers`` the row before goes to the followers.
    """

    sender: str
    record: str
    company: str
    to: str
    what: str
    template: str
    queued: str
    named: str
    open_companies: str
    follows: str
    answers: str
    rule: str
    login: str
    envelope_sender: str
    email_from: str
    reply_to: str
    return_path: str

    @property
    def subject(self) -> str:
        """The subject, by which the mail is found again."""
        queued = " (queued)" if self.queued else ""
        return f"{PEOPLE[self.sender].name} {self.what}{queued}"

    @property
    def expected(self) -> dict[str, str]:
        """How the mail has to leave."""
        return {name: getattr(self, name) for name in ROUTE}


# Sent by code, a template's mail has no reply address of Odoo's, and no company is
# noted on it: in the queue Odoo gives it the bounce address of OdooBot's company, which
# stays where Odoo decides the headers. A route by user or company puts it right.
with open(Path(__file__).with_suffix(".csv"), newline="") as _file:
    ROWS = tuple(Row(**cells) for cells in csv.DictReader(_file))
