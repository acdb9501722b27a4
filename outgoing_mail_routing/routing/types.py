"""The facts that routing works on and the answers it gives.

Every address in here is *normalised*: the bare ``local@domain``, lower case where
``odoo.tools.email_normalize`` lowers it, or ``""`` where there is none. Headers
(``email_from``, ``reply_to``) are the full text of RFC 5322, section 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from .reasons import Reason

AUTO = "auto"

#: Who else's mail a user's server carries in their name (``delegation``).
NOBODY, ODOO, COLLEAGUES = "nobody", "odoo", "colleagues"


class Rule(str, Enum):
    """The rule that chose the server, in the order in which they are asked."""

    FORCED = "forced"
    USER = "user"
    COMPANY = "company"
    FROM_FILTER = "from_filter"
    DEFAULT_FROM = "default_from"
    PRIORITY = "priority"
    SYSTEM = "system"


def domain_of(email: str) -> str:
    """The domain of an address in lower case, ``""`` where there is none.

    >>> domain_of("anna@a.example")
    'a.example'
    >>> domain_of("")
    ''
    """
    return email.rpartition("@")[2].lower() if "@" in email else ""


@dataclass(frozen=True, slots=True)
class FromFilter:
    """A server's FROM filter, parsed as ``ir.mail_server._match_from_filter`` does.

    ``text`` is what the administrator typed; a text without a single usable part
    is still a filter, one that admits nothing. An ``""`` among the addresses stands
    for a part that is no address; like core's, it admits a From that is none.

    >>> relay = FromFilter("a.example", domains=("a.example",))
    >>> relay.admits("anna@a.example"), relay.admits("bob@b.example")
    (True, False)
    >>> FromFilter().admits("anybody@anywhere.example")
    True
    """

    text: str = ""
    addresses: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text)

    def admits(self, email: str) -> bool:
        """Whether ``email`` passes; the empty filter admits every address."""
        if not self.text or email in self.addresses:
            return True
        return bool(self.domains) and domain_of(email) in self.domains


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What routing knows of one ``ir.mail_server`` (fields of the same names).

    ``user_ids`` are ``own_user_ids``, ``owner_id`` is core's ``owner_user_id``.
    ``company_domains`` are the e-mail domains of the companies that send through it,
    and ``collects_replies`` says that ``fetchmail_server_id`` is an incoming server
    that brings answers back. ``out_of_service`` only says what its form does: which
    servers are passed over is told beside the directory. ``0`` and the empty set mean
    nobody.
    """

    id: int
    name: str
    active: bool = True
    out_of_service: bool = False
    from_filter: FromFilter = FromFilter()
    company_ids: frozenset[int] = frozenset()
    user_ids: frozenset[int] = frozenset()
    default_company_ids: frozenset[int] = frozenset()
    company_domains: frozenset[str] = frozenset()
    owner_id: int = 0
    reserved: bool = False
    delegation: str = NOBODY
    from_policy: str = AUTO
    sender_email: str = ""
    reply_to_policy: str = AUTO
    reply_to_email: str = ""
    bounce_policy: str = AUTO
    collects_replies: bool = False

    def __hash__(self) -> int:
        """Tell servers apart by their ids: thousands of mails are sorted by them."""
        return self.id

    @property
    def assigned(self) -> bool:
        """Whether users or companies send through it by assignment."""
        return bool(self.user_ids or self.default_company_ids)

    @property
    def has_sender_policy(self) -> bool:
        """Whether From or the envelope sender was left to more than core by hand."""
        return {self.from_policy, self.bounce_policy} != {AUTO}

    @property
    def closed_to_others(self) -> bool:
        """Whether its FROM filter attracts nobody's mail.

        That of a user's server never does, lent to colleagues or not: they have to
        write in the user's name.
        """
        return self.reserved or bool(self.user_ids)

    @property
    def configured(self) -> bool:
        """Whether anything was set on it that core does not know."""
        return (
            self.assigned
            or bool(self.company_ids)
            or self.reserved
            or self.out_of_service
            or {self.from_policy, self.reply_to_policy, self.bounce_policy} != {AUTO}
        )


@dataclass(frozen=True, slots=True)
class Person:
    """An internal user; ``uses_own_servers`` is ``use_own_mail_servers``."""

    id: int
    name: str
    email: str = ""
    uses_own_servers: bool = True
    company_ids: frozenset[int] = frozenset()

    def __hash__(self) -> int:
        """Tell users apart by their ids, as :class:`ServerProfile` does servers."""
        return self.id


@dataclass(frozen=True, slots=True)
class Company:
    """A company, with the default From and the bounce address of its alias domain.

    ``email`` is its own address, and ``others_bounces`` are bounce addresses that
    belong to other companies. ``parent`` is the company that it is a branch of,
    ``None`` for one at the top.

    >>> region = Company(2, "Region", parent=Company(1, "A"))
    >>> branch = Company(3, "Branch", parent=region)
    >>> [company.name for company in branch.lineage]
    ['Branch', 'Region', 'A']
    """

    id: int
    name: str
    default_from: str = ""
    bounce_email: str = ""
    parent: Company | None = None
    others_bounces: frozenset[str] = frozenset()
    email: str = ""

    def __hash__(self) -> int:
        """Tell companies apart by their ids, as :class:`ServerProfile` does servers."""
        return self.id

    def bounce_address(self, noted: str) -> str:
        """Where bounces of its mail go: what Odoo noted, unless that is another's.

        >>> company = Company(1, "A", bounce_email="bounce@a.example",
        ...                   others_bounces=frozenset({"bounce@b.example"}))
        >>> company.bounce_address("bounce@b.example")
        'bounce@a.example'
        >>> company.bounce_address("bounce@second.example")
        'bounce@second.example'
        """
        if self.bounce_email and (not noted or noted in self.others_bounces):
            return self.bounce_email
        return noted

    @property
    def lineage(self) -> tuple[Company, ...]:
        """The company itself, then its parents, the nearest first."""
        return (self, *(self.parent.lineage if self.parent else ()))


@dataclass(frozen=True, slots=True)
class Request:
    """One mail, as far as the choice of its server depends on it.

    ``email_from`` is the From header and ``email`` its address (F), ``name`` its
    display name. ``personal_id`` is the one personal server that core lets this mail
    use. ``sender_named`` says that Odoo made the mail, and the sender is only named in
    it, by a field that anybody may have written. ``notifications_email`` and
    ``system_from_filter`` are core's default From and the filter of the command line or
    system parameter. ``received`` says that Odoo itself receives F: it is a catchall
    or an alias. ``forced_open`` says that who made the mail may send it through the
    server that is set on it, ``forced_id``.
    """

    email_from: str
    email: str = ""
    name: str = ""
    sender: Person | None = None
    sender_named: bool = False
    colleagues: tuple[Person, ...] = ()
    company: Company | None = None
    personal_id: int = 0
    forced_id: int = 0
    forced_open: bool = True
    notifications_email: str = ""
    system_from_filter: FromFilter = FromFilter()
    received: bool = False


class Step(NamedTuple):
    """One server (or none) that a rule looked at, and why it was taken or not.

    ``str(step)`` is the reason as one English sentence; the models translate the
    same sentence for the reader.
    """

    rule: Rule
    taken: bool
    reason: Reason
    server_id: int = 0
    values: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.reason.sentence % dict(self.values)


class Note(NamedTuple):
    """What a rule says of some servers at once, or of none; each is a :class:`Step`.

    A queue asks for no step but the last: the others are made for whoever reads them.
    """

    rule: Rule
    taken: bool
    reason: Reason
    profiles: tuple[ServerProfile, ...] = ()
    values: tuple[tuple[str, str], ...] = ()

    @property
    def steps(self) -> Iterator[Step]:
        """A step for each server; one without a server, where it speaks of none."""
        for profile in self.profiles or (None,):
            server_id, server = (profile.id, profile.name) if profile else (0, "")
            values = (("server", server), *self.values)
            yield Step(self.rule, self.taken, self.reason, server_id, values)


@dataclass(frozen=True, slots=True)
class Decision:
    """The route of a mail, apart from the headers that depend on its own text.

    ``profile`` is ``None`` on the ``system`` rule: the mail leaves through the server
    of Odoo's configuration. ``from_email`` is the address of the final From. Where it
    is ``rewritten``, the header is ``from_name`` and ``from_email``; else it is
    ``email_from`` to the letter. ``decides_from`` says that one of both is the server's
    policy, not core's choice. ``company`` and ``received`` are the request's, and
    ``refused`` says that the forced server may not carry the mail. ``headers_as`` is
    the rule by which a forced server is assigned to this mail, if it is, and
    ``invented`` says that nobody typed the address that takes the place of F.
    """

    rule: Rule
    profile: ServerProfile | None
    email_from: str
    from_email: str
    from_name: str = ""
    rewritten: bool = False
    decides_from: bool = False
    company: Company | None = None
    received: bool = False
    refused: bool = False
    notes: tuple[Note, ...] = ()
    headers_as: Rule | None = None
    invented: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """Where the rules looked, in their order, and why they took a server or not."""
        return tuple(step for note in self.notes for step in note.steps)

    @property
    def header_rule(self) -> Rule:
        """The rule whose headers the mail gets.

        >>> Decision(Rule.FORCED, None, "", "", headers_as=Rule.USER).header_rule
        <Rule.USER: 'user'>
        """
        return self.headers_as or self.rule


@dataclass(frozen=True, slots=True)
class HeaderRoute:
    """All of a decision that Reply-To and Return-Path of its mails depend on.

    Nothing else of it is looked at once the headers are planned, so mails for which
    this is equal may share an SMTP session. ``rule`` is the decision's ``header_rule``.
    """

    rule: Rule
    profile: ServerProfile
    from_email: str
    company: Company | None
    received: bool


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What Odoo would have put into the headers of a routed message.

    ``email`` is F, ``final_from`` the From header it leaves with, ``reply_to_email``
    (R) and ``bounce_email`` (B) the reply and bounce addresses that Odoo computed.
    """

    email: str
    final_from: str
    reply_to_email: str = ""
    bounce_email: str = ""


@dataclass(frozen=True, slots=True)
class HeaderPlan:
    """The Reply-To header and the Return-Path address to set.

    ``None`` leaves what core computed. ``return_path`` is the envelope sender too.
    """

    reply_to: str | None = None
    return_path: str | None = None
