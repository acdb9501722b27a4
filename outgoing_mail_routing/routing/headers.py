"""Reply-To, Return-Path and the envelope sender of a routed message.

RFC 5322, section 3.6.2 (Reply-To), RFC 5321, section 4.4 (Return-Path holds the
envelope sender, so the two are always set to one value).
"""

from __future__ import annotations

from .policy import decides_header, may_send_as
from .types import Decision, HeaderFacts, HeaderPlan, Rule, ServerProfile


def plan_headers(decision: Decision, facts: HeaderFacts) -> HeaderPlan:
    """What the route sets in the headers; what is ``None`` stays as core made it.

    >>> mailbox = ServerProfile(1, "Mailbox", user_ids=frozenset({5}),
    ...                         sender_email="office@a.example")
    >>> plan_headers(
    ...     Decision(Rule.USER, mailbox, "", "office@a.example"),
    ...     HeaderFacts("anna@a.example", '"Anna" <office@a.example>',
    ...                 reply_to_email="anna@a.example",
    ...                 bounce_email="bounce@a.example"))
    HeaderPlan(reply_to='"Anna" <office@a.example>', return_path='office@a.example')
    """
    profile = decision.profile
    if profile is None:
        return HeaderPlan()
    reply_to = return_path = None
    if decides_header(decision.header_rule, profile, profile.reply_to_policy):
        reply_to = _reply_to(decision, profile, facts)
    if decides_header(decision.header_rule, profile, profile.bounce_policy):
        return_path = _return_path(decision, profile, facts)
    return HeaderPlan(reply_to, return_path)


def session_key(decision: Decision) -> tuple[str, int, bool]:
    """What mails must have in common, besides server and From, to share a session.

    Mails whose headers core decides may share one whatever rule sent them there.

    >>> session_key(Decision(Rule.PRIORITY, ServerProfile(1, "Shared"), "", ""))
    ('', 0, False)
    """
    if not plans_headers(decision):
        return "", 0, decision.refused
    company_id = decision.company.id if decision.company else 0
    return decision.header_rule.value, company_id, decision.refused


def plans_headers(decision: Decision) -> bool:
    """Whether :func:`plan_headers` has anything to say on this route.

    >>> plans_headers(Decision(Rule.PRIORITY, ServerProfile(1, "Shared"), "", ""))
    False
    """
    profile = decision.profile
    return profile is not None and any(
        decides_header(decision.header_rule, profile, policy)
        for policy in (profile.reply_to_policy, profile.bounce_policy)
    )


def _reply_to(
    decision: Decision, profile: ServerProfile, facts: HeaderFacts
) -> str | None:
    """The Reply-To header; ``None`` for the one that Odoo computed."""
    if profile.reply_to_policy == "odoo":
        return None
    if profile.reply_to_policy == "from":
        return facts.final_from
    if profile.reply_to_policy == "custom":
        return profile.reply_to_email or None
    if profile.collects_replies and decision.from_email == profile.sender_email:
        return facts.final_from
    answers_to_from = bool(facts.email) and facts.reply_to_email == facts.email
    if decision.header_rule is not Rule.USER or not answers_to_from:
        return None
    return None if decision.collected else facts.final_from


def _return_path(
    decision: Decision, profile: ServerProfile, facts: HeaderFacts
) -> str | None:
    """The address that bounces go to; ``None`` where there is none to be had."""
    bounce_email = facts.bounce_email
    if profile.bounce_policy == "from" or (
        profile.bounce_policy != "odoo" and not may_send_as(profile, bounce_email)
    ):
        bounce_email = ""
    return bounce_email or decision.from_email or None
