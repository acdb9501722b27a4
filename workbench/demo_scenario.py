"""What the demonstration does, and what has to come of it: data, no logic.

The names are the XML ids of the addon's demonstration data.
"""

from __future__ import annotations

from dataclasses import dataclass

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


CHESTNUT = Record("partner_customer_alder", "Alder Furniture")
MAPLE = Record("partner_customer_birch", "Birch Trading")
PAULS = Record("partner_paul", "Alder Furniture")


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


SHOP_MAIL = "mail_template_shop"
PRESS_MAIL = "mail_template_unknown_from"
FORCED_MAIL = "mail_template_forced"
CUSTOMER = "customer@customer.example"
MAPLES = "maple@customer.example"
BOTH = ("company_alder", "company_birch")

ANNA_BY_MAILBOX = Route(
    rule="user",
    login=MAILBOX,
    envelope_sender=MAILBOX,
    email_from=f"Anna Ash <{MAILBOX}>",
    reply_to="Anna Ash <catchall@alder.example>",
    return_path=MAILBOX,
)
ANNA_BY_ALDER = Route(
    rule="company",
    login=ALDER,
    envelope_sender="bounce@alder.example",
    email_from="Anna Ash <anna@alder.example>",
    reply_to="Anna Ash <catchall@alder.example>",
    return_path="bounce@alder.example",
)
BEN_BY_ALDER = Route(
    rule="company",
    login=ALDER,
    envelope_sender="bounce@alder.example",
    email_from="Ben Beech <ben@alder.example>",
    reply_to="Ben Beech <catchall@alder.example>",
    return_path="bounce@alder.example",
)
CLARA_BY_ALDER = Route(
    rule="company",
    login=ALDER,
    envelope_sender="bounce@alder.example",
    email_from="Clara Cherry <clara@alder.example>",
    reply_to="Clara Cherry <catchall@alder.example>",
    return_path="bounce@alder.example",
)
CLARA_BY_BIRCH = Route(
    rule="company",
    login=BIRCH,
    envelope_sender="bounce@birch.example",
    email_from=f"Clara Cherry <{BIRCH}>",
    reply_to="Clara Cherry <catchall@birch.example>",
    return_path="bounce@birch.example",
)
PAUL_BY_ALDER = Route(
    rule="company",
    login=ALDER,
    envelope_sender="bounce@alder.example",
    email_from=f"Paul Poplar <{ALDER}>",
    reply_to="Paul Poplar <catchall@alder.example>",
    return_path="bounce@alder.example",
)
ANNA_BY_SHOP = Route(
    rule="from_filter",
    login=SHOP,
    envelope_sender=SHOP,
    email_from=f"The Shop <{SHOP}>",
    reply_to="Anna Ash <catchall@alder.example>",
    return_path="bounce@alder.example",
)
BEN_BY_SHOP = Route(
    rule="from_filter",
    login=SHOP,
    envelope_sender=SHOP,
    email_from=f"The Shop <{SHOP}>",
    reply_to="Ben Beech <catchall@alder.example>",
    return_path="bounce@alder.example",
)
ANNA_AS_PRESS = Route(
    rule="user",
    login=MAILBOX,
    envelope_sender=MAILBOX,
    email_from=f"Press Office <{MAILBOX}>",
    reply_to="Anna Ash <catchall@alder.example>",
    return_path=MAILBOX,
)
BEN_AS_PRESS = Route(
    rule="company",
    login=ALDER,
    envelope_sender="bounce@alder.example",
    email_from=f"Press Office <{ALDER}>",
    reply_to="Ben Beech <catchall@alder.example>",
    return_path="bounce@alder.example",
)
BEN_BY_SHARED = Route(
    rule="forced",
    login=SHARED,
    envelope_sender="bounce@alder.example",
    email_from="Ben Beech <ben@alder.example>",
    reply_to="Ben Beech <catchall@alder.example>",
    return_path="bounce@alder.example",
)
# Sent by code, a template's mail has no reply address of Odoo's, and no company is
# noted on it: in the queue Odoo gives it the bounce address of OdooBot's company, which
# stays where Odoo decides the headers. A route by user or company puts it right.
QUEUED_BY_SHOP = Route(
    rule="from_filter",
    login=SHOP,
    envelope_sender=SHOP,
    email_from=f"The Shop <{SHOP}>",
    reply_to=f"The Shop <{SHOP}>",
    return_path="bounce@yourcompany.example",
)
QUEUED_AS_PRESS_BY_ANNA = Route(
    rule="user",
    login=MAILBOX,
    envelope_sender=MAILBOX,
    email_from=f"Press Office <{MAILBOX}>",
    reply_to=f"Press Office <{MAILBOX}>",
    return_path=MAILBOX,
)
QUEUED_AS_PRESS_BY_BEN = Route(
    rule="company",
    login=ALDER,
    envelope_sender="bounce@alder.example",
    email_from=f"Press Office <{ALDER}>",
    reply_to="Press Office <press@elsewhere.example>",
    return_path="bounce@alder.example",
)

IN_BIRCH = "in the chatter, Alder being open"

ROWS = (
    Row(ANNA, CHESTNUT, CUSTOMER, "in the chatter", ANNA_BY_MAILBOX),
    Row(BEN, CHESTNUT, CUSTOMER, "in the chatter", BEN_BY_ALDER),
    Row(CLARA, CHESTNUT, CUSTOMER, "in the chatter", CLARA_BY_ALDER),
    Row(CLARA, MAPLE, MAPLES, IN_BIRCH, CLARA_BY_BIRCH, open_companies=BOTH),
    Row(BEN, CHESTNUT, CUSTOMER, "in the chatter, as Anna", ANNA_BY_ALDER, named=ANNA),
    Row(BEN, PAULS, PAUL.email, "in the chatter, to Paul", BEN_BY_ALDER, follows=True),
    Row(PAUL, PAULS, BEN.email, "in the chatter, to Ben", PAUL_BY_ALDER, answers=True),
    Row(ANNA, CHESTNUT, CUSTOMER, "with the shop's template", ANNA_BY_SHOP, SHOP_MAIL),
    Row(BEN, CHESTNUT, CUSTOMER, "with the shop's template", BEN_BY_SHOP, SHOP_MAIL),
    Row(ANNA, CHESTNUT, CUSTOMER, "with the press template", ANNA_AS_PRESS, PRESS_MAIL),
    Row(BEN, CHESTNUT, CUSTOMER, "with the press template", BEN_AS_PRESS, PRESS_MAIL),
    Row(BEN, CHESTNUT, CUSTOMER, "template with a server", BEN_BY_SHARED, FORCED_MAIL),
    Row(ANNA, CHESTNUT, CUSTOMER, "in the chatter", ANNA_BY_MAILBOX, queued=True),
    Row(BEN, CHESTNUT, CUSTOMER, "in the chatter", BEN_BY_ALDER, queued=True),
    Row(
        *(CLARA, MAPLE, MAPLES, IN_BIRCH, CLARA_BY_BIRCH),
        queued=True,
        open_companies=BOTH,
    ),
    Row(
        *(BEN, CHESTNUT, CUSTOMER, "in the chatter, as Anna", ANNA_BY_ALDER),
        queued=True,
        named=ANNA,
    ),
    Row(
        *(ANNA, CHESTNUT, CUSTOMER, "with the shop's template", QUEUED_BY_SHOP),
        template=SHOP_MAIL,
        queued=True,
    ),
    Row(
        *(ANNA, CHESTNUT, CUSTOMER, "with the press template", QUEUED_AS_PRESS_BY_ANNA),
        template=PRESS_MAIL,
        queued=True,
    ),
    Row(
        *(BEN, CHESTNUT, CUSTOMER, "with the press template", QUEUED_AS_PRESS_BY_BEN),
        template=PRESS_MAIL,
        queued=True,
    ),
)
