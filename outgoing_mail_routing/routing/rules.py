"""The rules, each a function: it takes a server or passes, and notes where it looked.

They are asked in two passes, user, company, FROM filter, then, where no server may send
as the From, user, company, default From, priority, system.
"""

from __future__ import annotations

from dataclasses import replace

from .reasons import Reason
from .search import Search, Taken, is_address_of
from .sending_as import may_send_as, names_address
from .types import Person, Request, Rule, ServerProfile


def _forced(search: Search) -> Taken | None:
    """A server set on the mail wins, but only for mail that it may carry at all."""
    request = search.request
    profile = search.directory.get(request.forced_id)
    if profile is None:
        return None
    refusal = _refusal(search, profile)
    if refusal is None and profile.id in search.out:
        search.note(Rule.FORCED, Reason.FORCED_OUT_OF_SERVICE, profile)
        return None
    if refusal:
        search.note(Rule.FORCED, refusal, profile)
        return Taken(Rule.FORCED, profile, request.email_from, request.email, True)
    taken = search.take(Rule.FORCED, Reason.FORCED, profile)
    return replace(taken, headers_as=_assigned_by(search, profile))


def _refusal(search: Search, profile: ServerProfile) -> Reason | None:
    """Why a server that is set on a mail may not carry it."""
    if profile.owner_id and not is_open_personal(profile, search.request):
        return Reason.FORCED_PERSONAL
    if not search.request.forced_open:
        return Reason.FORCED_CLOSED
    if search.bars(profile):
        return Reason.FORCED_BARRED
    return None if profile.active else Reason.FORCED_ARCHIVED


def _assigned_by(search: Search, profile: ServerProfile) -> Rule | None:
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


def _user_for_from(search: Search) -> Taken | None:
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


def _personal(search: Search) -> Taken | None:
    """Core's personal server of the user who made the mail, if its filter is F.

    With nothing configured it has to stand where core finds it: behind a public
    server of lower sequence that names the same address.
    """
    request, directory = search.request, search.directory
    profile = directory.get(request.personal_id)
    if profile is None:
        return None
    if not is_open_personal(profile, request):
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


def is_open_personal(profile: ServerProfile, request: Request) -> bool:
    """Whether core lets this mail, with its From, use that personal server."""
    addresses = profile.from_filter.addresses
    return profile.id == request.personal_id and addresses == (request.email,)


def _own(search: Search, person: Person, own_from: bool) -> Taken | None:
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
    missed = Reason.OWN_LATER if best else Reason.OWN_NOT_FOR_FROM
    others = (profile for profile in candidates if profile is not best)
    search.note_each(Rule.USER, missed, others, user=person.name)
    if best is None:
        return None
    return search.take(Rule.USER, reason, best, user=person.name)


def _choose(
    search: Search, candidates: list[ServerProfile], own_from: bool
) -> tuple[ServerProfile | None, Reason]:
    """The server of one person for F, and why."""
    email = search.request.email
    if not own_from:
        named = (p for p in candidates if names_address(p, email))
        return search.best_for_from(named), Reason.OWN_MAY_SEND
    for profile in candidates:
        if search.may_send(profile):
            return profile, Reason.OWN_MAY_SEND
    return next(iter(candidates), None), Reason.OWN_FIRST


def _lent(search: Search, colleague: Person) -> Taken | None:
    """A server of the colleague in whose name the sender writes."""
    if not colleague.uses_own_servers:
        return None
    own_from = is_address_of(colleague, search.request, search.directory)
    best, _reason = _choose(search, search.servers_of(colleague), own_from)
    if best is None:
        return None
    return search.take(Rule.USER, Reason.DELEGATED, best, user=colleague.name)


def _company_for_from(search: Search) -> Taken | None:
    """Pass 1 of ``company``: a server that may send as F; for an own From any."""
    company, inherits_from = search.request.company, search.inherits_from
    if inherits_from is None:
        if company:
            search.note(Rule.COMPANY, Reason.NO_COMPANY_SERVERS)
        return None
    if inherits_from is not company:
        search.note(Rule.COMPANY, Reason.INHERITED, parent=inherits_from.name)
    candidates = search.open_servers(Rule.COMPANY, search.servers_of_company())
    reason = Reason.COMPANY_MAY_SEND
    if search.own_from:
        best = next(filter(search.may_send, candidates), None)
        if best is None and candidates:
            best, reason = candidates[0], Reason.COMPANY_FIRST
    else:
        best = search.best_for_from(candidates)
    missed = Reason.COMPANY_LATER if best else Reason.COMPANY_NOT_FOR_FROM
    others = (profile for profile in candidates if profile is not best)
    search.note_each(Rule.COMPANY, missed, others, company=inherits_from.name)
    if best is None:
        return None
    return search.take(Rule.COMPANY, reason, best, company=inherits_from.name)


def _from_filter(search: Search) -> Taken | None:
    """Core's step 1: a FROM filter that names the address, then its domain.

    The company's own servers were asked before; unassigned ones go before those of
    other companies. Servers closed to others are only named, to explain the route.
    """
    email, directory = search.request.email, search.directory
    if not email:
        search.note(Rule.FROM_FILTER, Reason.NO_FROM)
        return None
    for profile in directory.closed_matching(email):
        closed = Reason.OTHERS_OWN if profile.user_ids else Reason.RESERVED
        search.note(Rule.FROM_FILTER, closed, profile)
    candidates = []
    for profile in search.open_servers(Rule.FROM_FILTER, directory.matching(email)):
        if search.may_send(profile):
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


def _user_at_all(search: Search) -> Taken | None:
    """Pass 2 of ``user``: the sender's first server."""
    sender = search.request.sender
    if sender is None or not sender.uses_own_servers:
        return None
    profiles = search.directory.of_user(sender.id)
    profile = search.first_open(p for p in profiles if not search.withheld(p, sender))
    if profile is None:
        return None
    return search.take(Rule.USER, Reason.OWN_FALLBACK, profile, user=sender.name)


def _company_at_all(search: Search) -> Taken | None:
    """Pass 2 of ``company``: the company's first server, or the first it inherits."""
    inherits_from = search.inherits_from
    if inherits_from is None:
        return None
    profile = search.first_open(search.servers_of_company())
    if profile is None:
        return None
    return search.take(
        Rule.COMPANY, Reason.COMPANY_FALLBACK, profile, company=inherits_from.name
    )


def _default_from(search: Search) -> Taken | None:
    """Core's step 2: a FROM filter that admits the default From address."""
    default_from = search.request.notifications_email
    if not default_from:
        search.note(Rule.DEFAULT_FROM, Reason.NO_DEFAULT_FROM)
        return None
    for profile in search.directory.matching(default_from):
        if profile.id in search.out or search.bars(profile):
            continue
        if (
            search.pool
            and profile in search.pool
            and may_send_as(profile, default_from)
        ):
            return search.take_default(
                Rule.DEFAULT_FROM, Reason.DEFAULT_FROM, profile, email=default_from
            )
    search.note(Rule.DEFAULT_FROM, Reason.DEFAULT_FROM_NOWHERE, email=default_from)
    return None


def _priority(search: Search) -> Taken | None:
    """Core's steps 3 and 4: the first server without a filter, else the first."""
    _note_first_out(search)
    if search.pool is None:
        search.note(Rule.PRIORITY, Reason.NOTHING_LEFT)
        return None
    for profile in search.fallbacks(search.pool, unfiltered=True):
        return search.take_default(Rule.PRIORITY, Reason.PRIORITY_UNFILTERED, profile)
    profile = next(search.fallbacks(search.pool, unfiltered=False))
    return search.take_default(Rule.PRIORITY, Reason.PRIORITY_FIRST, profile)


def _note_first_out(search: Search) -> None:
    """Name the server that the fallback would have taken, were it in service."""
    for unfiltered in (True, False):
        profile = search.directory.first_unassigned(search.company_id, unfiltered)
        if profile and profile.id in search.out:
            search.note(Rule.PRIORITY, Reason.OUT_OF_SERVICE, profile)
            return


def _system(search: Search) -> Taken:
    """Core's step 5: Odoo's configuration, with F if its filter admits F."""
    request = search.request
    if request.system_from_filter.admits(request.email):
        search.note(Rule.SYSTEM, Reason.SYSTEM, taken=True)
        return Taken(Rule.SYSTEM, None, request.email_from, request.email)
    return search.take_default(Rule.SYSTEM, Reason.SYSTEM, None)


#: In the order in which they are asked; the last one always takes a server
RULES = (
    _forced,
    _user_for_from,
    _company_for_from,
    _from_filter,
    _user_at_all,
    _company_at_all,
    _default_from,
    _priority,
    _system,
)
