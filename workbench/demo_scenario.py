"""What the demonstration does, and what has to come of it; demo_scenario.csv has it.

The names are the XML ids of the addon's demonstration data.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

#: The SMTP server and the login behind each of Odoo's outgoing mail servers: a hosting
#: provider may hold accounts of several customers.
MAIL_SERVERS = {
    "mail_server_mailbox": ("mailbox", "office.anna@mailbox.example"),
    "mail_server_relay_alder": ("alder", "office@alder.example"),
    "mail_server_relay_birch": ("birch", "office@birch.example"),
    "mail_server_shop": ("hosting", "shop@shop.example"),
    "mail_server_shared": ("hosting", "shared@provider.example"),
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
#: One mail: who makes it how, on which record, to whom; then its expected route.
#:
#: A ``template`` is sent from the composer, or, ``queued``, as code sends one; without
#: a template it is a message in the chatter. ``open_companies`` are those ticked in
#: the web client, the active one first. ``named`` is whom the sender gives as author
#: and From in their place. Who ``follows`` gets the answers to what they wrote;
#: what ``answers`` the row before goes to the followers.
Row = dict[str, str]

# Sent by code, a template's mail has no reply address of Odoo's, and no company is
# noted on it: in the queue Odoo gives it the bounce address of OdooBot's company, which
# stays where Odoo decides the headers. A route by user or company puts it right.
with open(Path(__file__).with_suffix(".csv"), newline="") as _file:
    ROWS: list[Row] = list(csv.DictReader(_file))


def subject_of(row: Row) -> str:
    """Return the subject, by which the mail is found again."""
    queued = " (queued)" if row["queued"] else ""
    return f"{PEOPLE[row['sender']].name} {row['what']}{queued}"
