"""What the demonstration does, and what has to come of it; demo_scenario.csv has it.

The names are the XML ids of the addon's demonstration data.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

MAILBOX = "office.anna@mailbox.example"
ALDER = "office@alder.example"
BIRCH = "office@birch.example"
SHOP = "shop@shop.example"
SHARED = "shared@provider.example"

#: Logins by SMTP server: a hosting provider may hold accounts of several customers.
SMTP_SERVERS = {
    "mailbox": (MAILBOX,),
    "alder": (ALDER,),
    "birch": (BIRCH,),
    "hosting": (SHOP, SHARED),
}
#: The SMTP server and the login behind each of Odoo's outgoing mail servers.
MAIL_SERVERS = {
    "mail_server_mailbox": ("mailbox", MAILBOX),
    "mail_server_relay_alder": ("alder", ALDER),
    "mail_server_relay_birch": ("birch", BIRCH),
    "mail_server_shop": ("hosting", SHOP),
    "mail_server_shared": ("hosting", SHARED),
}


@dataclass(frozen=True)
class Person:
    """A demonstration user; the password is the login."""

    xmlid: str
    login: str
    name: str
    email: str
    what: str


ANNA = Person(
    "user_anna", "anna", "Anna Ash", "anna@alder.example", "Alder, with a mailbox"
)
BEN = Person(
    "user_ben", "ben", "Ben Beech", "ben@alder.example", "Alder, without a mailbox"
)
CLARA = Person(
    "user_clara", "clara", "Clara Cherry", "clara@alder.example", "Alder and Birch"
)
PAUL = Person(
    "user_paul", "paul", "Paul Poplar", "paul@customer.example", "portal customer"
)
PEOPLE = (ANNA, BEN, CLARA, PAUL)


@dataclass(frozen=True)
class Record:
    """A contact with a chatter, and its company."""

    xmlid: str
    company: str


RECORDS = (
    Record("partner_customer_alder", "Alder Furniture"),
    Record("partner_customer_birch", "Birch Trading"),
    Record("partner_paul", "Alder Furniture"),
)


@dataclass(frozen=True)
class Route:
    """How a mail left, or has to leave: the rule, the login, the envelope, headers."""

    rule: str
    login: str
    envelope_sender: str
    email_from: str
    reply_to: str
    return_path: str


@dataclass(frozen=True)
class Row:
    """One mail: who makes it how, on which record, to whom, and its expected route.

    A ``template`` is sent from the composer, or, ``queued``, as code sends one; without
    a template it is a message in the chatter. ``open_companies`` are those ticked in
    the web client, the active one first. ``named`` is whom the sender gives as author
    and From in their place. Who ``follows`` gets the answers to what they wrote;
    what ``answers`` the row before goes to the followers.
    """

    sender: Person
    record: Record
    to: str
    what: str
    expected: Route
    template: str = ""
    queued: bool = False
    named: Person | None = None
    open_companies: tuple[str, ...] = ()
    follows: bool = False
    answers: bool = False

    @property
    def subject(self) -> str:
        """The subject, by which the mail is found again."""
        return f"{self.sender.name} {self.what}{' (queued)' if self.queued else ''}"


def _rows() -> Iterator[Row]:
    """Read the rows; empty cells stand for what a row has not."""
    people = {person.login: person for person in PEOPLE}
    records = {record.xmlid: record for record in RECORDS}
    with open(Path(__file__).with_suffix(".csv"), newline="") as file:
        for cells in csv.DictReader(file):
            yield Row(
                people[cells["sender"]],
                records[cells["record"]],
                cells["to"],
                cells["what"],
                Route(*(cells[field.name] for field in fields(Route))),
                cells["template"],
                bool(cells["queued"]),
                people.get(cells["named"]),
                tuple(cells["open_companies"].split()),
                bool(cells["follows"]),
                bool(cells["answers"]),
            )


# Sent by code, a template's mail has no reply address of Odoo's, and no company is
# noted on it: in the queue Odoo gives it the bounce address of OdooBot's company, which
# stays where Odoo decides the headers. A route by user or company puts it right.
ROWS = tuple(_rows())
