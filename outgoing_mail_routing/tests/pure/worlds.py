"""Random servers and mails for hypothesis: few addresses, so that much collides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from hypothesis import strategies as st

from ...routing import (
    Company,
    FromFilter,
    HeaderFacts,
    Person,
    Request,
    ServerProfile,
    may_send_as,
)
from .scenario import UNKNOWN, from_filter

DOMAINS = ("a.example", "b.example", "c.example")
LOCALS = ("anna", "ben", "notifications")
EMAILS = tuple(f"{local}@{domain}" for local in LOCALS for domain in DOMAINS)
USER_IDS = (5, 6, 7)
COMPANY_IDS = (1, 2, 3)
FOREIGN_USER_ID, FOREIGN_COMPANY_ID = 90, 91

emails = st.sampled_from(EMAILS)
optional_emails = st.one_of(emails, emails, st.just(""))
filter_parts = st.sampled_from((*EMAILS, *DOMAINS, "x@"))
filters: st.SearchStrategy[FromFilter] = st.builds(
    from_filter,
    st.one_of(
        st.just(""),
        st.just(","),
        st.lists(filter_parts, min_size=1, max_size=3).map(", ".join),
    ),
)


def ids(values: tuple[int, ...]) -> st.SearchStrategy[frozenset[int]]:
    """Often nobody, else some of ``values``."""
    nobody: st.SearchStrategy[frozenset[int]] = st.just(frozenset())
    some = st.frozensets(st.sampled_from(values), min_size=1)
    return st.one_of(nobody, nobody, some)


rarely = st.sampled_from((False, False, False, True))
mostly = st.sampled_from((True, True, True, True, False))


assigned_servers: st.SearchStrategy[ServerProfile] = st.builds(
    ServerProfile,
    id=st.just(0),
    name=st.just(""),
    active=mostly,
    from_filter=filters,
    company_ids=ids(COMPANY_IDS),
    user_ids=ids(USER_IDS),
    default_company_ids=ids(COMPANY_IDS),
    reserved=rarely,
    delegation=st.sampled_from(("nobody", "odoo", "colleagues")),
    from_policy=st.sampled_from(("auto", "auto", "filter", "login", "any")),
    sender_email=optional_emails,
    reply_to_policy=st.sampled_from(("auto", "auto", "odoo", "from", "custom")),
    reply_to_email=optional_emails,
    bounce_policy=st.sampled_from(("auto", "auto", "odoo", "from")),
    collects_replies=st.booleans(),
)

core_servers: st.SearchStrategy[ServerProfile] = st.builds(
    ServerProfile,
    id=st.just(0),
    name=st.just(""),
    active=mostly,
    from_filter=filters,
    sender_email=optional_emails,
    delegation=st.sampled_from(("nobody", "odoo", "colleagues")),
    collects_replies=st.booleans(),
)

#: Core gives a personal server its owner's address as FROM filter.
personal_servers: st.SearchStrategy[ServerProfile] = st.builds(
    ServerProfile,
    id=st.just(0),
    name=st.just(""),
    active=mostly,
    from_filter=st.builds(from_filter, emails),
    company_ids=ids(COMPANY_IDS),
    owner_id=st.sampled_from(USER_IDS),
)


@st.composite
def server_lists(
    draw: st.DrawFn,
    servers: st.SearchStrategy[ServerProfile],
    personal: st.SearchStrategy[ServerProfile] = personal_servers,
    size: int = 7,
    least: int = 0,
) -> list[ServerProfile]:
    """Numbered servers in random order, one personal server a user at most."""
    least = max(least, draw(st.sampled_from((size // 2, 1, 0))))
    drawn = draw(
        st.lists(st.one_of(servers, servers, personal), min_size=least, max_size=size)
    )
    owners: set[int] = set()
    kept = []
    for profile in drawn:
        if profile.owner_id not in owners:
            kept.append(profile)
        if profile.owner_id:
            owners.add(profile.owner_id)
    numbers = draw(st.permutations(range(1, len(kept) + 1)))
    return [
        replace(profile, id=number, name=f"Server {number}")
        for number, profile in zip(numbers, kept, strict=True)
    ]


def people(id: int) -> st.SearchStrategy[Person]:
    """The user of this number, with any e-mail and switch."""
    return st.builds(
        Person,
        st.just(id),
        st.just(f"User {id}"),
        optional_emails,
        mostly,
        st.frozensets(st.sampled_from(COMPANY_IDS), min_size=1),
    )


@st.composite
def lineages(draw: st.DrawFn, least: int = 1) -> Company:
    """A company, often a branch of one or two others."""
    numbers = draw(st.permutations(COMPANY_IDS))
    company = None
    for number in numbers[: draw(st.integers(least, len(COMPANY_IDS)))]:
        addresses = draw(optional_emails), draw(optional_emails)
        company = Company(number, f"Company {number}", *addresses, parent=company)
    assert company
    return company


companies = st.one_of(lineages(), lineages(), st.none())


def _admitted(profile: ServerProfile) -> list[str]:
    """Some addresses that the FROM filter or the sender address stand for."""
    of_domains = [f"shop@{domain}" for domain in profile.from_filter.domains]
    return [*profile.from_filter.addresses, *of_domains, profile.sender_email]


@st.composite
def requests(draw: st.DrawFn, servers: list[ServerProfile]) -> Request:
    """A mail; core opens nobody's personal server to it but its sender's."""
    name = draw(st.sampled_from(("", "Anna")))
    present = draw(st.permutations(USER_IDS).map(lambda order: order[:2]))
    users = [draw(people(id)) for id in present]
    sender = draw(st.sampled_from((users[0], users[0], None)))
    own = [user.email for user in users]
    admitted = [email for profile in servers for email in _admitted(profile)]
    email = draw(st.sampled_from([*own, *admitted, draw(optional_emails)]))
    personal = [
        profile.id
        for profile in servers
        if sender and profile.owner_id == sender.id and draw(st.booleans())
    ]
    forced = draw(rarely) and draw(rarely)
    return Request(
        email_from=f'"{name}" <{email}>' if name else email,
        email=email,
        name=name,
        sender=sender,
        sender_named=bool(sender) and draw(rarely),
        colleagues=tuple(users[1:]) if sender and draw(st.booleans()) else (),
        company=draw(companies),
        personal_id=personal[0] if personal else 0,
        forced_id=draw(st.integers(0, len(servers) + 1)) if forced else 0,
        notifications_email=draw(optional_emails),
        system_from_filter=draw(filters),
        received=draw(st.booleans()),
    )


def header_facts(request: Request, final_from: str) -> st.SearchStrategy[HeaderFacts]:
    """What Odoo put into the headers of a mail; answers often go to its From."""
    return st.builds(
        HeaderFacts,
        st.just(request.email),
        st.just(final_from),
        reply_to_email=st.one_of(st.just(request.email), emails),
        bounce_email=optional_emails,
    )


@st.composite
def varied_requests(draw: st.DrawFn, request: Request) -> Request:
    """The same mail but for a few facts, so that both may share a session."""
    other = draw(requests([]))
    names = draw(st.sets(st.sampled_from([f.name for f in fields(Request)])))
    names -= {"email_from", "email", "name"}
    if draw(st.booleans()):
        names |= {"email_from", "email", "name"}
    return replace(request, **{name: getattr(other, name) for name in names})


@st.composite
def cases(
    draw: st.DrawFn, servers: st.SearchStrategy[list[ServerProfile]]
) -> tuple[Request, list[ServerProfile]]:
    """A mail and the servers of its database, in the order they are asked."""
    drawn = draw(servers)
    return draw(requests(drawn)), drawn


#: Reserved for a user and a company that have nothing to do with any mail.
unrelated_servers: st.SearchStrategy[ServerProfile] = st.builds(
    replace,
    assigned_servers,
    user_ids=st.sampled_from((frozenset(), frozenset({FOREIGN_USER_ID}))),
    default_company_ids=st.sampled_from((frozenset(), frozenset({FOREIGN_COMPANY_ID}))),
    reserved=st.just(True),
)

#: Those that carry nothing but mail of the users and companies they are assigned to.
closed_servers: st.SearchStrategy[ServerProfile] = st.builds(
    replace, assigned_servers, reserved=st.just(True)
)
any_servers = st.one_of(assigned_servers, core_servers)
any_case = cases(server_lists(any_servers))
core_case = cases(
    server_lists(
        core_servers,
        st.builds(replace, personal_servers, company_ids=st.just(frozenset())),
    )
)


# ----------------------------------------------------------------------
# Cases of one kind
# ----------------------------------------------------------------------


def from_address(request: Request, email: str) -> Request:
    """The same mail with another address in From."""
    email_from = f'"{request.name}" <{email}>' if request.name else email
    return replace(request, email=email, email_from=email_from)


def _left_to_rules(request: Request, sender: Person | None) -> Request:
    """A mail of a sender's for which no server is set, nor lent, nor connected."""
    named = bool(sender) and request.sender_named
    return replace(
        request,
        sender=sender,
        sender_named=named,
        colleagues=(),
        forced_id=0,
        personal_id=0,
    )


def without_companies(
    servers: list[ServerProfile], companies: Iterable[Company]
) -> list[ServerProfile]:
    """The servers, none of them assigned to any of these companies."""
    taken = {company.id for company in companies}
    return [
        replace(profile, default_company_ids=profile.default_company_ids - taken)
        for profile in servers
    ]


@st.composite
def _with_one_more(
    draw: st.DrawFn, servers: list[ServerProfile], profile: ServerProfile
) -> list[ServerProfile]:
    place = draw(st.integers(0, len(servers)))
    return [*servers[:place], profile, *servers[place:]]


@st.composite
def _usable_servers(
    draw: st.DrawFn,
    id: int,
    company: Company | None,
    servers: st.SearchStrategy[ServerProfile],
) -> ServerProfile:
    """A server that can carry mail of a company, with an address to send as."""
    profile = draw(servers)
    company_ids = profile.company_ids
    if company_ids:
        company_ids = company_ids | {company.id} if company else frozenset()
    return replace(
        profile,
        id=id,
        name=f"Server {id}",
        active=True,
        company_ids=company_ids,
        sender_email=draw(emails),
    )


@st.composite
def users_cases(
    draw: st.DrawFn, servers: st.SearchStrategy[ServerProfile] = any_servers
) -> tuple[Request, list[ServerProfile]]:
    """A mail that leaves through a server of its sender.

    It is in the sender's own name, or of an address that no server knows and of no
    company.
    """
    others = draw(server_lists(servers))
    request = draw(requests(others))
    sender = draw(people(draw(st.sampled_from(USER_IDS))))
    sender = replace(sender, uses_own_servers=True)
    is_own = draw(st.booleans())
    company = request.company if is_own else None
    own = draw(_usable_servers(len(others) + 1, company, servers))
    delegation = "odoo" if own.delegation == "nobody" else own.delegation
    own = replace(own, user_ids=own.user_ids | {sender.id}, delegation=delegation)
    request = replace(_left_to_rules(request, sender), company=company)
    address = draw(
        st.sampled_from([sender.email or own.sender_email, own.sender_email])
    )
    request = from_address(request, address if is_own else UNKNOWN)
    return request, draw(_with_one_more(others, own))


@st.composite
def companies_cases(
    draw: st.DrawFn, servers: st.SearchStrategy[ServerProfile] = any_servers
) -> tuple[Request, list[ServerProfile]]:
    """A mail that leaves through a server of its company, or of one it inherits from.

    It is of a sender whose own servers are switched off, or of an address that the
    server may send as or that no server knows.
    """
    others = draw(server_lists(servers))
    request = draw(requests(others))
    sender = request.sender and replace(request.sender, uses_own_servers=False)
    company = draw(lineages())
    nearer = draw(st.integers(0, len(company.lineage) - 1))
    inherits_from = company.lineage[nearer]
    own = draw(_usable_servers(len(others) + 1, company, servers))
    ids = own.default_company_ids | {inherits_from.id}
    own = replace(own, default_company_ids=ids)
    request = replace(_left_to_rules(request, sender), company=company)
    possible = [email for email in EMAILS if may_send_as(own, email)]
    if sender and sender.email:
        possible.append(sender.email)
    address = draw(
        st.one_of(*map(st.sampled_from, filter(None, ([UNKNOWN], possible))))
    )
    everything = draw(_with_one_more(others, own))
    return from_address(request, address), without_companies(
        everything, company.lineage[:nearer]
    )


assigned_case = st.one_of(users_cases(), companies_cases())


@st.composite
def lent_cases(draw: st.DrawFn) -> tuple[Request, list[ServerProfile]]:
    """A mail in the name of a colleague who lends a server to the sender, or does not.

    Nobody else's server would carry it.
    """
    request, others = draw(foreign_cases())
    is_lent = draw(st.booleans())
    address, own_address = draw(st.permutations(EMAILS).map(lambda order: order[:2]))
    company = draw(lineages()) if is_lent else request.company
    sender, colleague = draw(people(USER_IDS[0])), draw(people(USER_IDS[1]))
    sender = replace(sender, email=own_address)
    colleague = replace(colleague, email=address)
    if is_lent and company:
        sender, colleague = (
            replace(
                person,
                uses_own_servers=True,
                company_ids=person.company_ids | {company.id},
            )
            for person in (sender, colleague)
        )
    lent = draw(_usable_servers(len(others) + 1, company, assigned_servers))
    lent = replace(
        lent,
        user_ids=(lent.user_ids - {sender.id}) | {colleague.id},
        delegation="colleagues" if is_lent else lent.delegation,
    )
    strangers = [
        replace(
            profile,
            user_ids=profile.user_ids - {sender.id, colleague.id},
            reserved=True,
        )
        for profile in others
    ]
    request = replace(
        request,
        sender=sender,
        sender_named=False,
        colleagues=(colleague,),
        company=company,
    )
    everything = draw(_with_one_more(strangers, lent))
    lineage = company.lineage if company else ()
    return from_address(request, address), without_companies(everything, lineage)


@st.composite
def branch_cases(
    draw: st.DrawFn, inherited: bool
) -> tuple[Request, list[ServerProfile]]:
    """A mail of a branch that has servers of its own, or inherits them."""
    request, others = draw(any_case)
    company = draw(lineages(least=2))
    nearer = draw(st.integers(1, len(company.lineage) - 1)) if inherited else 0
    own = replace(draw(assigned_servers), id=len(others) + 1, name="Of the lineage")
    ids = own.default_company_ids | {company.lineage[nearer].id}
    own = replace(own, default_company_ids=ids)
    everything = draw(_with_one_more(others, own))
    return replace(request, company=company), without_companies(
        everything, company.lineage[:nearer]
    )


@st.composite
def fallback_cases(draw: st.DrawFn) -> tuple[Request, list[ServerProfile]]:
    """A mail that no rule but core's fallbacks has a server for."""
    request, others = draw(any_case)
    request = from_address(_left_to_rules(request, None), UNKNOWN)
    lineage = request.company.lineage if request.company else ()
    last = replace(draw(core_servers), id=len(others) + 1, name="Last", active=True)
    return request, draw(_with_one_more(without_companies(others, lineage), last))


@st.composite
def foreign_cases(draw: st.DrawFn) -> tuple[Request, list[ServerProfile]]:
    """A mail of people and a company that none of the servers belongs to."""
    request, servers = draw(any_case)
    request = replace(request, forced_id=0, personal_id=0)
    people = {request.sender, *request.colleagues} - {None}
    lineage = request.company.lineage if request.company else ()
    strangers = [
        replace(profile, user_ids=profile.user_ids - {person.id for person in people})
        for profile in without_companies(servers, lineage)
    ]
    return request, [
        replace(profile, reserved=not profile.user_ids or profile.reserved)
        for profile in strangers
    ]


@st.composite
def forced_cases(draw: st.DrawFn) -> tuple[Request, list[ServerProfile]]:
    """A mail on which one of the servers is set, which may not always carry it."""
    request, servers = draw(cases(server_lists(any_servers, least=1)))
    forced = draw(st.sampled_from(servers))
    return replace(request, forced_id=forced.id), servers


@st.composite
def mailbox_cases(
    draw: st.DrawFn,
) -> tuple[Request, list[ServerProfile], ServerProfile]:
    """Somebody's mail, and the one server that sends as them and carries nobody else's.

    The first server is everybody's fallback, and their address is no default From.
    """
    request, others = draw(any_case)
    email = draw(emails.filter(lambda email: email != request.notifications_email))
    sender = draw(people(draw(st.sampled_from(USER_IDS))))
    sender = replace(sender, email=email, uses_own_servers=True)
    colleagues = ids(USER_IDS).map(lambda users: users - {sender.id})
    mailbox = replace(
        draw(assigned_servers),
        id=len(others) + 1,
        name="Mailbox",
        active=True,
        from_filter=from_filter(draw(st.sampled_from(["", email]))),
        company_ids=draw(st.sampled_from([frozenset(), sender.company_ids])),
        user_ids=draw(colleagues),
        default_company_ids=frozenset(),
        reserved=False,
        sender_email=email,
    )
    if not mailbox.user_ids:
        mailbox = replace(mailbox, reserved=draw(st.booleans()))
    open_to_all = ServerProfile(len(others) + 2, "Everybody's")
    strangers = [_never_sends_as(profile, email) for profile in others]
    everything = [open_to_all, *draw(_with_one_more(strangers, mailbox))]
    return from_address(_left_to_rules(request, sender), email), everything, mailbox


def _never_sends_as(profile: ServerProfile, email: str) -> ServerProfile:
    """A server that no address of its own ties to somebody's e-mail."""
    named = email in profile.from_filter.addresses and not profile.owner_id
    return replace(
        profile,
        from_filter=FromFilter() if named else profile.from_filter,
        sender_email="" if profile.sender_email == email else profile.sender_email,
    )
