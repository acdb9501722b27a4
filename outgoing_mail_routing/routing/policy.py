"""Which server carries a mail, and as which address it may send.

The rules are asked in two passes, user, company, FROM filter, then, where no server
may send as the From, user, company, default From, priority, system. Each rule is one
function: it takes a server or passes, and notes every server that it looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .directory import Directory
from .filters import same_address
from .reasons import Reason
from .types import (
    AUTO,
    COLLEAGUES,
    NOBODY,
    Decision,
    Person,
    Request,
    Rule,
    ServerProfile,
    Step,
    domain_of,
)


def may_send_as(profile: ServerProfile, email: str) -> bool:
    """Whether the server is allowed to put ``email`` into From.

    ``from_policy`` ``auto`` acts as ``filter`` where a FROM filter is set, else as
    ``login`` on an assigned server that has a sender address. Else a server of
    companies may send as their e-mail domains, as far as they have any, and any other
    as anybody.

    >>> mailbox = ServerProfile(1, "Mailbox", user_ids=frozenset({5}),
    ...                         sender_email="office@a.example")
    >>> may_send_as(mailbox, "anna@a.example")
    False
    >>> may_send_as(mailbox, "office@a.example")
    True
    >>> may_send_as(ServerProfile(2, "Shared"), "anna@a.example")
    True
    """
    if not email:
        return False
    policy = _from_policy(profile)
    if policy == "filter":
        return profile.from_filter.admits(email)
    if policy == "login":
        return same_address(email) == same_address(profile.sender_email)
    return policy == "any" or domain_of(email) in profile.company_domains


def _from_policy(profile: ServerProfile) -> str:
    """What ``from_policy`` comes to: ``filter``, ``login``, ``companies``, ``any``."""
    if profile.from_policy != AUTO:
        return profile.from_policy
    if profile.from_filter:
        return "filter"
    if profile.assigned and profile.sender_email:
        return "login"
    return "companies" if profile.company_domains else "any"


def sender_address(profile: ServerProfile, request: Request) -> str:
    """The address the server sends as where it may not send as F, or ``""``.

    Its sender address; else the default From of the mail's company, or without a FROM
    filter the company's own address, where the server may send as it; else
    ``notifications@`` the filter's first domain; else the filter's first address.

    >>> from .types import FromFilter
    >>> relay = ServerProfile(1, "Relay",
    ...                       from_filter=FromFilter("b.example", (), ("b.example",)))
    >>> sender_address(relay, Request("", notifications_email="news@a.example"))
    'notifications@b.example'
    """
    if profile.sender_email:
        return profile.sender_email
    for address in _default_addresses(profile, request):
        if profile.from_filter.admits(address) and (
            _from_policy(profile) != "companies" or may_send_as(profile, address)
        ):
            return address
    if profile.from_filter.domains:
        return f"notifications@{profile.from_filter.domains[0]}"
    return next(filter(None, profile.from_filter.addresses), "")


def is_invented(profile: ServerProfile, request: Request) -> bool:
    """Whether the address that takes the place of F was typed by nobody.

    >>> from .types import FromFilter
    >>> relay = ServerProfile(1, "Relay",
    ...                       from_filter=FromFilter("b.example", (), ("b.example",)))
    >>> is_invented(relay, Request("", notifications_email="news@a.example"))
    True
    >>> is_invented(relay, Request("", notifications_email="news@b.example"))
    False
    """
    address = sender_address(profile, request)
    known = {profile.sender_email, *profile.from_filter.addresses}
    return bool(address) and address not in known.union(
        _default_addresses(profile, request)
    )


def _default_addresses(profile: ServerProfile, request: Request) -> Iterator[str]:
    """The addresses that stand for the company of a mail, the best first."""
    company = request.company
    if company and company.default_from:
        yield company.default_from
    if company and company.email and not profile.from_filter:
        yield company.email
    if request.notifications_email:
        yield request.notifications_email


def decide(
    request: Request, directory: Directory, out: frozenset[int] = frozenset()
) -> Decision:
    """The route of one mail; it always has an answer.

    Asks the rules in order and lets the first that takes a server conclude. Where
    nothing is configured the answer is that of core's ``_find_mail_server``.

    :param out: ids of servers that are out of service: every rule passes over them

    >>> mailbox = ServerProfile(1, "Mailbox", user_ids=frozenset({5}),
    ...                         sender_email="office@a.example")
    >>> anna = Person(5, "Anna", "anna@a.example")
    >>> decision = decide(
    ...     Request('"Anna" <anna@a.example>', "anna@a.example", "Anna", sender=anna),
    ...     Directory([mailbox]))
    >>> decision.rule.value, decision.from_name, decision.from_email
    ('user', 'Anna', 'office@a.example')
    >>> print(decision.steps[-1])
    Mailbox is the first server of Anna and none of them may send as anna@a.example.
    """
    search = _Search(request, directory, out)
    for rule in _RULES:
        if taken := rule(search):
            return _conclude(search, taken)
    return _conclude(search, _system(search))


def choosable(
    request: Request, directory: Directory, out: frozenset[int] = frozenset()
) -> list[ServerProfile]:
    """The servers that the sender may choose for a mail by hand.

    Those that the rules ``user`` and ``company`` would ask, in their order, as far as
    they can carry this mail.

    >>> mailbox = ServerProfile(1, "Mailbox", user_ids=frozenset({5}),
    ...                         sender_email="office@a.example")
    >>> anna = Person(5, "Anna", "anna@a.example")
    >>> request = Request("anna@a.example", "anna@a.example", sender=anna)
    >>> [profile.name for profile in choosable(request, Directory([mailbox]))]
    ['Mailbox']
    """
    search = _Search(request, directory, out)
    profiles = []
    personal = directory.get(request.personal_id)
    if personal and _is_open_personal(personal, request):
        profiles.append(personal)
    if request.sender and request.sender.uses_own_servers:
        profiles += directory.of_user(request.sender.id)
    profiles += search.servers_of_company()
    return [p for p in dict.fromkeys(profiles) if search.obstacle(p) is None]


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a rule chose; ``core_from`` is the From that core gives the route."""

    rule: Rule
    profile: ServerProfile | None
    core_from: str
    core_email: str
    refused: bool = False
    headers_as: Rule | None = None


class _Search:
    """One question to the directory: its facts and the steps noted so far."""

    def __init__(
        self, request: Request, directory: Directory, out: frozenset[int]
    ) -> None:
        self.request = request
        self.directory = directory
        self.out = out
        #: Where core's fallbacks look, which take the first of all that are left
        self.in_service = directory.without(out) if out else directory
        self.steps: list[Step] = []
        company = request.company
        self.company_id = company.id if company else 0
        self.holder = directory.holder(company) if company else None
        self._known_values = (
            ("email", request.email or request.email_from),
            ("company", company.name if company else ""),
        )
        sender = request.sender
        self.own_from = bool(sender and _is_address_of(sender, request, directory))

    def note(
        self,
        rule: Rule,
        reason: Reason,
        profile: ServerProfile | None = None,
        taken: bool = False,
        **values: str,
    ) -> None:
        """Write down one step, with the values its sentence speaks of."""
        server_id, server = (profile.id, profile.name) if profile else (0, "")
        known = (("server", server), *self._known_values)
        self.steps.append(
            Step(rule, taken, reason, server_id, (*known, *values.items()))
        )

    def take(
        self, rule: Rule, reason: Reason, profile: ServerProfile, **values: str
    ) -> _Taken:
        """Choose a server that carries the mail with its own From."""
        self.note(rule, reason, profile, taken=True, **values)
        return _Taken(rule, profile, self.request.email_from, self.request.email)

    def take_default(
        self, rule: Rule, reason: Reason, profile: ServerProfile | None, **values: str
    ) -> _Taken:
        """Choose a server for which core puts the default From instead of F."""
        self.note(rule, reason, profile, taken=True, **values)
        default_from = self.request.notifications_email
        return _Taken(
            rule,
            profile,
            default_from or self.request.email_from,
            default_from or self.request.email,
        )

    def bars(self, profile: ServerProfile) -> bool:
        """Whether the server is restricted to other companies."""
        return bool(profile.company_ids) and self.company_id not in profile.company_ids

    def obstacle(self, profile: ServerProfile) -> Reason | None:
        """Why a server cannot carry this mail at all, whoever it is assigned to."""
        if not profile.active:
            return Reason.ARCHIVED
        if profile.id in self.out:
            return Reason.OUT_OF_SERVICE
        if self.bars(profile):
            return Reason.BARRED
        if not may_send_as(profile, self.request.email) and not sender_address(
            profile, self.request
        ):
            return Reason.NO_SENDER_ADDRESS
        return None

    def withheld(self, profile: ServerProfile, person: Person) -> Reason | None:
        """Why a server of a person's is not for this mail, which may not be theirs.

        A sender who is only named made nothing: their server carries it like that of
        anybody in whose name Odoo writes.
        """
        sender = self.request.sender
        if self.request.sender_named:
            return Reason.NOT_FOR_ODOO if profile.delegation == NOBODY else None
        if sender and sender.id == person.id:
            return None
        if profile.delegation != COLLEAGUES:
            return Reason.NOT_DELEGATED
        both = sender.company_ids & person.company_ids if sender else ()
        return None if self.company_id in both else Reason.NOT_IN_COMPANY

    def servers_of(self, person: Person) -> list[ServerProfile]:
        """The servers of a person that can carry this mail; the others are noted."""
        profiles = self.directory.of_user(person.id)
        candidates = []
        for profile in self.open_servers(Rule.USER, profiles):
            if reason := self.withheld(profile, person):
                self.note(Rule.USER, reason, profile, user=person.name)
            else:
                candidates.append(profile)
        return candidates

    def open_servers(
        self, rule: Rule, profiles: Iterable[ServerProfile]
    ) -> list[ServerProfile]:
        """Those of the servers that can carry this mail; the others are noted."""
        candidates = []
        for profile in profiles:
            if reason := self.obstacle(profile):
                self.note(rule, reason, profile)
            else:
                candidates.append(profile)
        return candidates

    def servers_of_company(self) -> list[ServerProfile]:
        """The servers of the mail's company or those it inherits, first one first."""
        return self.directory.of_company(self.holder.id) if self.holder else []

    def first_open(self, profiles: Iterable[ServerProfile]) -> ServerProfile | None:
        """The first of servers that were looked at before and can carry this mail."""
        return next((p for p in profiles if self.obstacle(p) is None), None)

    def best_for_from(self, profiles: Iterable[ServerProfile]) -> ServerProfile | None:
        """The first that may send as F; one that names F goes before a domain."""
        email = self.request.email
        fitting = [profile for profile in profiles if may_send_as(profile, email)]
        return min(fitting, key=lambda p: not _names(p, email), default=None)


def _is_address_of(person: Person, request: Request, directory: Directory) -> bool:
    """Whether F is the person's e-mail or the sender address of a server of theirs."""
    own = [profile.sender_email for profile in directory.of_user(person.id)]
    return bool(request.email) and same_address(request.email) in map(
        same_address, (person.email, *own)
    )


def _names(profile: ServerProfile, email: str) -> bool:
    is_sender = same_address(email) == same_address(profile.sender_email)
    return is_sender or email in profile.from_filter.addresses


def _strictly_may_send_as(profile: ServerProfile, email: str) -> bool:
    """May send as F by a FROM filter or its sender address, not as anybody."""
    by_filter = bool(profile.from_filter) and profile.from_filter.admits(email)
    is_sender = same_address(email) == same_address(profile.sender_email)
    return may_send_as(profile, email) and (by_filter or is_sender)


def _forced(search: _Search) -> _Taken | None:
    """A server set on the mail wins, but only for mail that it may carry at all."""
    profile = search.directory.get(search.request.forced_id)
    if profile is None:
        return None
    taken = search.take(Rule.FORCED, Reason.FORCED, profile)
    refusal = None
    if profile.owner_id and not _is_open_personal(profile, search.request):
        refusal = Reason.FORCED_PERSONAL
    elif not search.request.forced_open:
        refusal = Reason.FORCED_CLOSED
    elif search.bars(profile):
        refusal = Reason.FORCED_BARRED
    elif not profile.active:
        refusal = Reason.FORCED_ARCHIVED
    if refusal is None and profile.id not in search.out:
        return replace(taken, headers_as=_assigned_by(search, profile))
    search.steps.pop()
    if refusal is None:
        search.note(Rule.FORCED, Reason.FORCED_OUT_OF_SERVICE, profile)
        return None
    search.note(Rule.FORCED, refusal, profile)
    return replace(taken, refused=True)


def _assigned_by(search: _Search, profile: ServerProfile) -> Rule | None:
    """The rule that would ask a server for this mail, had nobody set it by hand."""
    sender = search.request.sender
    if sender and sender.uses_own_servers:
        if profile in search.directory.of_user(sender.id) and not search.withheld(
            profile, sender
        ):
            return Rule.USER
    if profile in search.servers_of_company():
        return Rule.COMPANY
    return None


def _user_for_from(search: _Search) -> _Taken | None:
    """Pass 1 of ``user``: a server of the sender's, or lent by a colleague."""
    if taken := _personal(search):
        return taken
    sender = search.request.sender
    if sender is None:
        search.note(Rule.USER, Reason.NO_SENDER)
        return None
    if taken := _own(search, sender, search.own_from):
        return taken
    if search.own_from:
        return None
    for colleague in search.request.colleagues:
        if taken := _lent(search, colleague):
            return taken
    return None


def _personal(search: _Search) -> _Taken | None:
    """Core's personal server of the user who made the mail, if its filter is F.

    With nothing configured it has to stand where core finds it: behind a public
    server of lower sequence that names the same address.
    """
    request, directory = search.request, search.directory
    profile = directory.get(request.personal_id)
    if profile is None:
        return None
    if not _is_open_personal(profile, request):
        search.note(Rule.USER, Reason.PERSONAL_NOT_FOR_FROM, profile)
        return None
    if not search.open_servers(Rule.USER, [profile]):
        return None
    if not directory.configured:
        rank = directory.rank(profile)
        for rival in directory.matching(request.email):
            named = request.email in rival.from_filter.addresses
            if named and directory.rank(rival) < rank:
                return None
    return search.take(Rule.USER, Reason.PERSONAL, profile)


def _is_open_personal(profile: ServerProfile, request: Request) -> bool:
    """Whether core lets this mail, with its From, use that personal server."""
    addresses = profile.from_filter.addresses
    return profile.id == request.personal_id and addresses == (request.email,)


def _own(search: _Search, person: Person, own_from: bool) -> _Taken | None:
    """A server of the sender's that may send as F; for their own From any will do."""
    if not person.uses_own_servers:
        search.note(Rule.USER, Reason.OWN_SERVERS_OFF, user=person.name)
        return None
    if not search.directory.of_user(person.id):
        if not search.request.personal_id:
            search.note(Rule.USER, Reason.NO_OWN_SERVERS, user=person.name)
        return None
    candidates = search.servers_of(person)
    best, reason = _choose(search, candidates, own_from)
    for profile in candidates:
        if profile is not best:
            missed = Reason.OWN_LATER if best else Reason.OWN_NOT_FOR_FROM
            search.note(Rule.USER, missed, profile, user=person.name)
    if best is None:
        return None
    return search.take(Rule.USER, reason, best, user=person.name)


def _choose(
    search: _Search, candidates: list[ServerProfile], own_from: bool
) -> tuple[ServerProfile | None, Reason]:
    """The server of one person for F, and why."""
    email = search.request.email
    if not own_from:
        strict = [p for p in candidates if _strictly_may_send_as(p, email)]
        return search.best_for_from(strict), Reason.OWN_MAY_SEND
    for profile in candidates:
        if may_send_as(profile, email):
            return profile, Reason.OWN_MAY_SEND
    return next(iter(candidates), None), Reason.OWN_FIRST


def _lent(search: _Search, colleague: Person) -> _Taken | None:
    """A server of the colleague in whose name the sender writes."""
    if not colleague.uses_own_servers:
        return None
    own_from = _is_address_of(colleague, search.request, search.directory)
    best, _reason = _choose(search, search.servers_of(colleague), own_from)
    if best is None:
        return None
    return search.take(Rule.USER, Reason.DELEGATED, best, user=colleague.name)


def _company_for_from(search: _Search) -> _Taken | None:
    """Pass 1 of ``company``: a server that may send as F; for an own From any."""
    company, holder = search.request.company, search.holder
    if holder is None:
        if company:
            search.note(Rule.COMPANY, Reason.NO_COMPANY_SERVERS)
        return None
    if holder is not company:
        search.note(Rule.COMPANY, Reason.INHERITED, parent=holder.name)
    candidates = search.open_servers(Rule.COMPANY, search.servers_of_company())
    reason = Reason.COMPANY_MAY_SEND
    if search.own_from:
        email = search.request.email
        best = next((p for p in candidates if may_send_as(p, email)), None)
        if best is None and candidates:
            best, reason = candidates[0], Reason.COMPANY_FIRST
    else:
        best = search.best_for_from(candidates)
    for profile in candidates:
        if profile is not best:
            missed = Reason.COMPANY_LATER if best else Reason.COMPANY_NOT_FOR_FROM
            search.note(Rule.COMPANY, missed, profile, company=holder.name)
    if best is None:
        return None
    return search.take(Rule.COMPANY, reason, best, company=holder.name)


def _from_filter(search: _Search) -> _Taken | None:
    """Core's step 1: a FROM filter that names the address, then its domain.

    The company's own servers were asked before; unassigned ones go before those of
    other companies. Servers closed to others are only named, to explain the route.
    """
    email, directory = search.request.email, search.directory
    if not email:
        search.note(Rule.FROM_FILTER, Reason.NO_FROM)
        return None
    for profile in directory.closed_to_others(email):
        closed = Reason.OTHERS_OWN if profile.user_ids else Reason.RESERVED
        search.note(Rule.FROM_FILTER, closed, profile)
    candidates = []
    for profile in search.open_servers(Rule.FROM_FILTER, directory.matching(email)):
        if may_send_as(profile, email):
            candidates.append(profile)
        else:
            search.note(Rule.FROM_FILTER, Reason.FILTER_NOT_ALLOWED, profile)
    best = min(
        candidates,
        key=lambda p: (email not in p.from_filter.addresses, p.assigned),
        default=None,
    )
    if best is None:
        search.note(Rule.FROM_FILTER, Reason.FILTER_NOWHERE)
        return None
    return search.take(Rule.FROM_FILTER, Reason.FILTER_MATCHES, best)


def _user_at_all(search: _Search) -> _Taken | None:
    """Pass 2 of ``user``: the sender's first server."""
    sender = search.request.sender
    if sender is None or not sender.uses_own_servers:
        return None
    profiles = search.directory.of_user(sender.id)
    profile = search.first_open(p for p in profiles if not search.withheld(p, sender))
    if profile is None:
        return None
    return search.take(Rule.USER, Reason.OWN_FALLBACK, profile, user=sender.name)


def _company_at_all(search: _Search) -> _Taken | None:
    """Pass 2 of ``company``: the company's first server, or the first it inherits."""
    holder = search.holder
    if holder is None:
        return None
    profile = search.first_open(search.servers_of_company())
    if profile is None:
        return None
    return search.take(
        Rule.COMPANY, Reason.COMPANY_FALLBACK, profile, company=holder.name
    )


def _fallback_is_unassigned(search: _Search) -> bool | None:
    """Whether core's fallback asks unassigned servers or those of other companies.

    ``None`` where neither are left. Servers assigned to users are never asked.
    """
    left = search.in_service
    if left.first_unassigned(search.company_id, unfiltered=False):
        return True
    if left.first_of_other_companies(search.company_id, unfiltered=False):
        return False
    return None


def _default_from(search: _Search) -> _Taken | None:
    """Core's step 2: a FROM filter that admits the default From address."""
    default_from = search.request.notifications_email
    if not default_from:
        search.note(Rule.DEFAULT_FROM, Reason.NO_DEFAULT_FROM)
        return None
    unassigned = _fallback_is_unassigned(search)
    for profile in search.in_service.matching(default_from):
        in_pool = unassigned is not profile.assigned and not search.bars(profile)
        if in_pool and may_send_as(profile, default_from):
            return search.take_default(
                Rule.DEFAULT_FROM, Reason.DEFAULT_FROM, profile, email=default_from
            )
    search.note(Rule.DEFAULT_FROM, Reason.DEFAULT_FROM_NOWHERE, email=default_from)
    return None


def _priority(search: _Search) -> _Taken | None:
    """Core's steps 3 and 4: the first server without a filter, else the first."""
    _note_first_out(search)
    unassigned = _fallback_is_unassigned(search)
    if unassigned is None:
        search.note(Rule.PRIORITY, Reason.NOTHING_LEFT)
        return None
    left = search.in_service
    first = left.first_unassigned if unassigned else left.first_of_other_companies
    if profile := first(search.company_id, unfiltered=True):
        return search.take_default(Rule.PRIORITY, Reason.PRIORITY_UNFILTERED, profile)
    return search.take_default(
        Rule.PRIORITY, Reason.PRIORITY_FIRST, first(search.company_id, unfiltered=False)
    )


def _note_first_out(search: _Search) -> None:
    """Name the server that the fallback would have taken, were it in service."""
    first = search.directory.first_unassigned
    for unfiltered in (True, False):
        profile = first(search.company_id, unfiltered)
        if profile and profile.id in search.out:
            search.note(Rule.PRIORITY, Reason.OUT_OF_SERVICE, profile)
            return


def _system(search: _Search) -> _Taken:
    """Core's step 5: Odoo's configuration, with F if its filter admits F."""
    request = search.request
    if request.system_from_filter.admits(request.email):
        search.note(Rule.SYSTEM, Reason.SYSTEM, taken=True)
        return _Taken(Rule.SYSTEM, None, request.email_from, request.email)
    return search.take_default(Rule.SYSTEM, Reason.SYSTEM, None)


_RULES = (
    _forced,
    _user_for_from,
    _company_for_from,
    _from_filter,
    _user_at_all,
    _company_at_all,
    _default_from,
    _priority,
)


def _conclude(search: _Search, taken: _Taken) -> Decision:
    """The decision with its final From: F, or rewritten where it may not send as F.

    A personal server carries no From but its own: core refuses any other there.
    """
    request, profile = search.request, taken.profile
    email_from, from_email = taken.core_from, taken.core_email
    from_name, admitted, rewritten = "", False, False
    rule = taken.headers_as or taken.rule
    if (
        profile is not None
        and not profile.owner_id
        and decides_header(rule, profile, profile.from_policy)
    ):
        if admitted := may_send_as(profile, request.email):
            email_from, from_email = request.email_from, request.email
        elif address := sender_address(profile, request):
            from_email, rewritten = address, True
            from_name = request.name or (request.sender.name if request.sender else "")
    return Decision(
        rule=taken.rule,
        profile=profile,
        email_from=email_from,
        from_email=from_email,
        from_name=from_name,
        rewritten=rewritten,
        decides_from=admitted or rewritten,
        company=request.company,
        collected=request.collected,
        refused=taken.refused,
        steps=tuple(search.steps),
        headers_as=taken.headers_as,
        invented=profile is not None and rewritten and is_invented(profile, request),
    )


def decides_header(rule: Rule, profile: ServerProfile, policy: str) -> bool:
    """Whether the server's policy decides a header, or core does.

    It does on a route by assignment to a user or company, chosen by hand or not, and
    on any route through a server on which the administrator set that policy by hand.
    Core's personal servers keep core's headers.

    :param rule: the decision's ``header_rule``
    """
    if policy != AUTO:
        return True
    return rule in (Rule.USER, Rule.COMPANY) and not profile.owner_id
