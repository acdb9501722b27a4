"""Two companies, a branch, their users and servers, and short names for facts.

Anna has a mailbox of her own whose address is not her e-mail, Ben has none, Carl
works for both companies. A test takes the servers it needs, in the order in which
they are asked, and varies them with ``but``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from ...routing import (
    Company,
    Decision,
    Directory,
    FromFilter,
    Person,
    Request,
    ServerProfile,
    decide,
)

but = replace

A = Company(1, "Company A", "notifications@a.example")
B = Company(2, "Company B", "notifications@b.example")
BRANCH = Company(3, "Branch", "notifications@branch.example", parent=A)

OF_A = frozenset({A.id, BRANCH.id})
ANNA = Person(5, "Anna", "anna@a.example", company_ids=OF_A)
BEN = Person(6, "Ben", "ben@a.example", company_ids=OF_A)
CARL = Person(7, "Carl", "carl@a.example", company_ids=OF_A | {B.id})
CUSTOMER = "cora@customer.example"
SHOP_EMAIL = "shop@shop.example"
UNKNOWN = "press@elsewhere.example"


def from_filter(text: str) -> FromFilter:
    """A FROM filter of lower-case parts; one that ends in ``@`` is no address."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return FromFilter(
        text,
        tuple("" if part.endswith("@") else part for part in parts if "@" in part),
        tuple(part for part in parts if "@" not in part),
    )


def server(
    id: int,
    name: str,
    filter: str = "",
    *,
    users: Iterable[Person] = (),
    companies: Iterable[Company] = (),
    only: Iterable[Company] = (),
    **values: Any,
) -> ServerProfile:
    """A server assigned to ``users`` and ``companies``, restricted to ``only``."""
    return ServerProfile(
        id,
        name,
        from_filter=from_filter(filter),
        user_ids=frozenset(user.id for user in users),
        default_company_ids=frozenset(company.id for company in companies),
        company_ids=frozenset(company.id for company in only),
        **values,
    )


MAILBOX = server(1, "Mailbox", users=[ANNA], sender_email="office@mailbox.example")
RELAY_A = server(
    2, "Relay A", "a.example", companies=[A], sender_email="post@a.example"
)
RELAY_B = server(
    3, "Relay B", "b.example", companies=[B], sender_email="post@b.example"
)
SHOP = server(4, "Shop", SHOP_EMAIL)
SHARED = server(5, "Shared")
SERVERS = (MAILBOX, RELAY_A, RELAY_B, SHOP, SHARED)

ONLY_A = frozenset({A.id})
ONLY_B = frozenset({B.id})


def mail(
    email: str,
    name: str = "",
    *,
    sender: Person | None = None,
    company: Company | None = A,
    **facts: Any,
) -> Request:
    """A mail whose From is ``name <email>``, by default on a record of company A."""
    email_from = f'"{name}" <{email}>' if name else email
    facts.setdefault("notifications_email", company.default_from if company else "")
    return Request(email_from, email, name, sender, company=company, **facts)


def written_by(
    person: Person, company: Company | None = A, *, email: str = "", **facts: Any
) -> Request:
    """A mail of a user with their own e-mail, or ``email``, in From."""
    return mail(
        email or person.email, person.name, sender=person, company=company, **facts
    )


def route(request: Request, *servers: ServerProfile) -> Decision:
    """The decision, with these servers in this order of priority."""
    directory = Directory(servers)
    return decide(request, directory, directory.out_of_service)


class Outcome(NamedTuple):
    """What a decision comes to: rule, server's name and address in From."""

    rule: str
    server: str | None
    address: str


def outcome(request: Request, *servers: ServerProfile) -> Outcome:
    """What the decision comes to, with these servers in this order of priority."""
    decision = route(request, *servers)
    profile = decision.profile
    return Outcome(
        decision.rule.value, profile.name if profile else None, decision.from_email
    )


def reasons(request: Request, *servers: ServerProfile) -> list[tuple[str, str, str]]:
    """The steps of the decision as rule, server's name and reason's name."""
    return [
        (step.rule.value, dict(step.values)["server"], step.reason.name)
        for step in route(request, *servers).steps
    ]
