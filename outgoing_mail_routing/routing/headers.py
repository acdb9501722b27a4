"""Reply-To, Return-Path and the envelope sender of a routed message.

RFC 5322, section 3.6.2 (Reply-To), RFC 5321, section 4.4 (Return-Path holds the
envelope sender, so the two are always set to one value).
"""

from __future__ import annotations

from .filters import same_address
from .sending_as import decides_header, may_send_as
from .types import (
    Decision,
    HeaderFacts,
    HeaderPlan,
    HeaderRoute,
    Note,
    Rule,
)


def plan_headers(decision: Decision, facts: HeaderFacts) -> HeaderPlan:
    """What the route sets in the headers; what is ``None`` stays as core made it.

    >>> from .types import ServerProfile
    >>> mailbox = ServerProfile(1, "Mailbox", user_ids=frozenset({5}),
    ...                         sender_email="office@a.example")
    >>> plan_headers(
    ...     Decision(Rule.USER, mailbox, "", "office@a.example"),
    ...     HeaderFacts("anna@a.example", '"Anna" <office@a.example>',
    ...                 reply_to_email="anna@a.example",
    ...                 bounce_email="bounce@a.example"))
    HeaderPlan(reply_to='"Anna" <office@a.example>', return_path='office@a.example')
    """
    route = header_route(decision)
    if route is None:
        return HeaderPlan()
    profile, reply_to, return_path = route.profile, None, None
    if decides_header(route.rule, profile, profile.reply_to_policy):
        reply_to = _reply_to(route, facts)
    if decides_header(route.rule, profile, profile.bounce_policy):
        return_path = _return_path(route, facts)
    return HeaderPlan(reply_to, return_path)


def header_route(decision: Decision) -> HeaderRoute | None:
    """What :func:`plan_headers` gets to see; ``None`` where core decides both headers.

    >>> from .types import ServerProfile
    >>> header_route(Decision(Rule.PRIORITY, ServerProfile(1, "Shared"), "", ""))
    """
    rule, profile = decision.header_rule, decision.profile
    if profile is None or not any(
        decides_header(rule, profile, policy)
        for policy in (profile.reply_to_policy, profile.bounce_policy)
    ):
        return None
    return HeaderRoute(
        rule, profile, decision.from_email, decision.company, decision.received
    )


def decides_headers(decision: Decision) -> bool:
    """Whether the route decides anything that a message says of its sender.

    >>> from .types import ServerProfile
    >>> decides_headers(Decision(Rule.PRIORITY, ServerProfile(1, "Shared"), "", ""))
    False
    """
    return decision.decides_from or header_route(decision) is not None


def session_key(
    decision: Decision,
) -> tuple[HeaderRoute | None, bool, bool, tuple[Note, ...]]:
    """What mails must have in common, besides server and From, to share a session.

    It is all that is done with a decision after the From: the headers, and why a
    server is refused. Mails whose headers core decides may share a session whatever
    rule sent them there.

    >>> from .types import ServerProfile
    >>> session_key(Decision(Rule.PRIORITY, ServerProfile(1, "Shared"), "", ""))
    (None, False, False, ())
    """
    return (
        header_route(decision),
        decision.decides_from,
        decision.rewritten,
        decision.notes[-1:] if decision.refused else (),
    )


def _reply_to(route: HeaderRoute, facts: HeaderFacts) -> str | None:
    """The Reply-To header; ``None`` for the one that Odoo computed."""
    profile = route.profile
    if profile.reply_to_policy == "odoo":
        return None
    if profile.reply_to_policy == "from":
        return facts.final_from
    if profile.reply_to_policy == "custom":
        return profile.reply_to_email or None
    is_sender = same_address(route.from_email) == same_address(profile.sender_email)
    if profile.collects_replies and is_sender:
        return facts.final_from
    answers_to_from = bool(facts.email) and facts.reply_to_email == facts.email
    if route.rule is not Rule.USER or not answers_to_from:
        return None
    return None if route.received else facts.final_from


def _return_path(route: HeaderRoute, facts: HeaderFacts) -> str | None:
    """The address that bounces go to; ``None`` where there is none to be had."""
    profile, bounce_email = route.profile, facts.bounce_email
    if profile.bounce_policy == "from" or (
        profile.bounce_policy != "odoo" and not may_send_as(profile, bounce_email)
    ):
        bounce_email = ""
    return bounce_email or route.from_email or None
