"""Random servers and mails for hypothesis: few addresses, so that much collides."""

from __future__ import annotations

from dataclasses import fields, replace

from hypothesis import strategies as st

from ...routing import (
    Company,
    FromFilter,
    HeaderFacts,
    Person,
    Request,
    ServerProfile,
)
from .scenario import from_filter

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
) -> list[ServerProfile]:
    """Numbered servers in random order, one personal server a user at most."""
    least = draw(st.sampled_from((size // 2, 1, 0)))
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
def lineages(draw: st.DrawFn) -> Company:
    """A company, often a branch of one or two others."""
    numbers = draw(st.permutations(COMPANY_IDS))
    company = None
    for number in numbers[: draw(st.integers(1, len(COMPANY_IDS)))]:
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
        collected=draw(st.booleans()),
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

any_case = cases(server_lists(st.one_of(assigned_servers, core_servers)))
core_case = cases(
    server_lists(
        core_servers,
        st.builds(replace, personal_servers, company_ids=st.just(frozenset())),
    )
)
