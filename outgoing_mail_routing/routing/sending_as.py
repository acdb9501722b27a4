"""Which addresses a server sends as, and whose policy decides a header."""

from __future__ import annotations

from collections.abc import Iterator

from .filters import same_address
from .types import AUTO, Request, Rule, ServerProfile, domain_of


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


def names_address(profile: ServerProfile, email: str) -> bool:
    """Whether a server has F in its filter or as its address, not just as anybody's."""
    if profile.from_filter and profile.from_filter.admits(email):
        return True
    return same_address(email) == same_address(profile.sender_email)


def _from_policy(profile: ServerProfile) -> str:
    """What ``from_policy`` comes to: ``filter``, ``login``, ``companies``, ``any``."""
    if profile.from_policy != AUTO:
        return profile.from_policy
    if profile.from_filter.text:
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
