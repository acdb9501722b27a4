"""Reply-To, Return-Path and envelope sender: the table of headers, row by row."""

from __future__ import annotations

from itertools import product

import pytest

from ...routing import (
    Company,
    Decision,
    HeaderFacts,
    HeaderPlan,
    Note,
    Reason,
    Rule,
    ServerProfile,
    header_route,
    plan_headers,
    session_key,
)
from .scenario import (
    ANNA,
    BEN,
    MAILBOX,
    RELAY_A,
    SHARED,
    SHOP,
    A,
    but,
    mail,
    route,
    server,
    written_by,
)

F = ANNA.email
FINAL_FROM = '"Anna" <office@mailbox.example>'
FINAL_EMAIL = MAILBOX.sender_email
CATCHALL = "catchall@a.example"
ELSEWHERE = "desk@elsewhere.example"
CUSTOM = '"Front desk" <front@a.example>'
B = "bounce@a.example"
VALUES = (("company", "A"),)

#: The session key of mails whose headers core decides.
CORES = (None, False, False, ())

ROUTED = (Rule.USER, Rule.COMPANY)
CORE = tuple(rule for rule in Rule if rule not in ROUTED)


def decision(rule: Rule, profile: ServerProfile | None) -> Decision:
    """A decision of this rule that rewrote From to the mailbox."""
    return Decision(rule, profile, F, FINAL_EMAIL, "Anna", rewritten=True)


def kept(rule: Rule, profile: ServerProfile | None) -> Decision:
    """A decision of this rule that left From as it was."""
    return Decision(rule, profile, F, F)


def facts(reply_to: str = F, bounce: str = B) -> HeaderFacts:
    return HeaderFacts(
        email=F,
        final_from=FINAL_FROM,
        reply_to_email=reply_to,
        bounce_email=bounce,
    )


def planned_reply_to(
    rule: Rule, reply_to: str, policy: str = "auto", linked: bool = False
) -> str | None:
    profile = but(
        MAILBOX, reply_to_policy=policy, collects_replies=linked, reply_to_email=CUSTOM
    )
    return plan_headers(decision(rule, profile), facts(reply_to)).reply_to


def planned_return_path(
    rule: Rule, profile: ServerProfile, bounce: str = B
) -> str | None:
    return plan_headers(decision(rule, profile), facts(bounce=bounce)).return_path


# ----------------------------------------------------------------------
# Reply-To; None leaves R, the one that Odoo computed
# ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "linked", "reply_to", "expected"),
    [
        (Rule.USER, True, F, FINAL_FROM),
        (Rule.USER, True, CATCHALL, FINAL_FROM),
        (Rule.USER, True, ELSEWHERE, FINAL_FROM),
        (Rule.USER, True, "", FINAL_FROM),
        (Rule.USER, False, F, FINAL_FROM),
        (Rule.USER, False, CATCHALL, None),
        (Rule.USER, False, ELSEWHERE, None),
        (Rule.USER, False, "", None),
        (Rule.COMPANY, True, F, FINAL_FROM),
        (Rule.COMPANY, True, CATCHALL, FINAL_FROM),
        (Rule.COMPANY, True, ELSEWHERE, FINAL_FROM),
        (Rule.COMPANY, False, F, None),
        (Rule.COMPANY, False, CATCHALL, None),
        (Rule.COMPANY, False, ELSEWHERE, None),
    ],
)
def test_reply_to_auto_gives_up_odoos_address_only_where_answers_come_back(
    rule: Rule, linked: bool, reply_to: str, expected: str | None
) -> None:
    assert planned_reply_to(rule, reply_to, linked=linked) == expected


@pytest.mark.parametrize(
    ("rule", "reply_to", "expected"),
    [
        (Rule.USER, CATCHALL, None),
        (Rule.USER, ELSEWHERE, None),
        (Rule.USER, F, '"Anna" <anna@a.example>'),
        (Rule.COMPANY, CATCHALL, None),
        (Rule.COMPANY, ELSEWHERE, None),
        (Rule.COMPANY, F, None),
    ],
)
def test_reply_to_auto_incoming_server_of_another_address_brings_nothing_back(
    rule: Rule, reply_to: str, expected: str | None
) -> None:
    """F stays in From, but what is collected is the server's sender address."""
    profile = but(MAILBOX, from_policy="any", collects_replies=True)
    kept = Decision(rule, profile, '"Anna" <anna@a.example>', F)
    kept_facts = but(facts(reply_to), final_from=kept.email_from)
    assert plan_headers(kept, kept_facts).reply_to == expected


@pytest.mark.parametrize("rule", CORE)
@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("reply_to", [F, CATCHALL, ELSEWHERE])
def test_reply_to_auto_on_a_core_route_stays(
    rule: Rule, linked: bool, reply_to: str
) -> None:
    assert planned_reply_to(rule, reply_to, linked=linked) is None


@pytest.mark.parametrize(
    ("policy", "expected"), [("odoo", None), ("from", FINAL_FROM), ("custom", CUSTOM)]
)
def test_reply_to_policy_set_by_hand_applies_on_every_route(
    policy: str, expected: str | None
) -> None:
    for rule, linked, reply_to in product(
        Rule, (True, False), (F, CATCHALL, ELSEWHERE, "")
    ):
        assert planned_reply_to(rule, reply_to, policy, linked) == expected


def test_reply_to_custom_without_address_stays() -> None:
    profile = but(MAILBOX, reply_to_policy="custom")
    assert plan_headers(decision(Rule.USER, profile), facts()).reply_to is None


def test_reply_to_auto_from_that_odoo_collects_stays() -> None:
    routed = decision(Rule.USER, MAILBOX)
    assert plan_headers(routed, facts()).reply_to == FINAL_FROM
    assert plan_headers(but(routed, received=True), facts()).reply_to is None


def test_reply_to_auto_without_from_and_reply_to_stays() -> None:
    nothing = HeaderFacts("", FINAL_FROM)
    assert plan_headers(decision(Rule.USER, MAILBOX), nothing).reply_to is None


# ----------------------------------------------------------------------
# Return-Path and envelope sender are one value, return_path
# ----------------------------------------------------------------------

ADMITS_B = but(MAILBOX, sender_email=B)
ADMITS_NONE = but(MAILBOX, sender_email="x@x.example")


@pytest.mark.parametrize(
    ("profile", "bounce", "policy", "expected"),
    [
        (ADMITS_B, B, "auto", B),
        (ADMITS_NONE, B, "auto", FINAL_EMAIL),
        (ADMITS_B, "", "auto", FINAL_EMAIL),
        (ADMITS_B, B, "odoo", B),
        (ADMITS_NONE, B, "odoo", B),
        (ADMITS_B, "", "odoo", FINAL_EMAIL),
        (ADMITS_B, B, "from", FINAL_EMAIL),
        (ADMITS_NONE, B, "from", FINAL_EMAIL),
        (ADMITS_B, "", "from", FINAL_EMAIL),
    ],
)
@pytest.mark.parametrize("rule", Rule)
def test_return_path_every_policy_on_every_rule(
    rule: Rule, profile: ServerProfile, bounce: str, policy: str, expected: str
) -> None:
    planned = planned_return_path(rule, but(profile, bounce_policy=policy), bounce)
    core_decides = policy == "auto" and rule in CORE
    assert planned == (None if core_decides else expected)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (RELAY_A, B),
        (but(RELAY_A, from_policy="login"), FINAL_EMAIL),
        (but(RELAY_A, from_policy="any"), B),
        (server(2, "Open relay", companies=[A]), B),
        (
            server(2, "Login relay", companies=[A], sender_email="x@a.example"),
            FINAL_EMAIL,
        ),
        (server(2, "Other relay", "x.example", companies=[A]), FINAL_EMAIL),
        (server(2, "Bounce relay", "bounce@a.example", companies=[A]), B),
    ],
)
def test_return_path_auto_is_odoos_where_the_server_may_send_as_it(
    profile: ServerProfile, expected: str
) -> None:
    assert planned_return_path(Rule.COMPANY, profile) == expected


def test_return_path_without_any_address_stays() -> None:
    nowhere = Decision(Rule.COMPANY, RELAY_A, "", "")
    assert plan_headers(nowhere, facts(bounce="")).return_path is None


# ----------------------------------------------------------------------
# Which headers, on which route
# ----------------------------------------------------------------------


@pytest.mark.parametrize("rule", CORE)
@pytest.mark.parametrize(
    ("policies", "reply_to", "return_path"),
    [
        ({}, None, None),
        ({"from_policy": "any"}, None, None),
        ({"reply_to_policy": "from"}, FINAL_FROM, None),
        ({"bounce_policy": "from"}, None, FINAL_EMAIL),
        (
            {"reply_to_policy": "from", "bounce_policy": "odoo"},
            FINAL_FROM,
            B,
        ),
    ],
)
def test_headers_on_an_unassigned_server_only_the_policy_set_by_hand(
    rule: Rule,
    policies: dict[str, str],
    reply_to: str | None,
    return_path: str | None,
) -> None:
    plan = plan_headers(decision(rule, but(SHARED, **policies)), facts())
    assert plan == HeaderPlan(reply_to, return_path)


def test_headers_by_the_command_line_stay() -> None:
    assert plan_headers(decision(Rule.SYSTEM, None), facts()) == HeaderPlan()


def test_headers_on_a_personal_server_stay() -> None:
    personal = server(9, "Personal", F, owner_id=ANNA.id, collects_replies=True)
    assert plan_headers(decision(Rule.USER, personal), facts()) == HeaderPlan()


@pytest.mark.parametrize("profile", [MAILBOX, RELAY_A], ids=lambda p: p.name)
@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("reply_to", [F, CATCHALL, ELSEWHERE])
def test_headers_forced_server_of_the_mail_are_those_of_its_rule(
    profile: ServerProfile, linked: bool, reply_to: str
) -> None:
    profile = but(profile, collects_replies=linked)
    by_rule = route(written_by(ANNA), profile)
    forced = route(written_by(ANNA, forced_id=profile.id), profile)
    assert (by_rule.rule, forced.rule) == (forced.header_rule, Rule.FORCED)
    planned = plan_headers(forced, facts(reply_to))
    assert planned == plan_headers(by_rule, facts(reply_to)) != HeaderPlan()
    assert session_key(forced) == session_key(by_rule)


def test_headers_forced_server_of_nobody_stay() -> None:
    forced = route(written_by(BEN, forced_id=MAILBOX.id), MAILBOX, RELAY_A)
    assert plan_headers(forced, facts()) == HeaderPlan()


def test_headers_return_path_follows_the_from_that_leaves() -> None:
    for request, server_ in (
        (written_by(ANNA), MAILBOX),
        (written_by(ANNA), but(RELAY_A, bounce_policy="from")),
        (mail("press@elsewhere.example"), but(RELAY_A, bounce_policy="from")),
        (mail("press@elsewhere.example"), but(SHARED, bounce_policy="from")),
    ):
        routed = route(request, server_)
        assert plan_headers(routed, facts()).return_path == routed.from_email


@pytest.mark.parametrize("rule", Rule)
def test_header_route_exactly_where_the_plan_may_set_one(rule: Rule) -> None:
    for profile in (
        None,
        SHARED,
        but(SHARED, from_policy="any"),
        but(SHARED, reply_to_policy="from"),
        but(SHARED, bounce_policy="from"),
        MAILBOX,
        but(SHARED, owner_id=ANNA.id),
    ):
        planned = plan_headers(decision(rule, profile), facts())
        decided = header_route(decision(rule, profile)) is not None
        assert decided == (planned != HeaderPlan())


# ----------------------------------------------------------------------
# Sessions
# ----------------------------------------------------------------------


@pytest.mark.parametrize("rule", Rule)
def test_session_key_where_core_decides_is_the_same_for_all_rules(rule: Rule) -> None:
    profile = None if rule is Rule.SYSTEM else SHOP
    route, *_decided = session_key(kept(rule, profile))
    assert (route is None) == (rule not in ROUTED)
    assert rule in ROUTED or session_key(kept(rule, profile)) == CORES


@pytest.mark.parametrize("policy", ["reply_to_policy", "bounce_policy"])
def test_session_key_with_a_policy_set_by_hand_tells_rules_apart(policy: str) -> None:
    profile = but(SHARED, **{policy: "from"})
    keys = {session_key(decision(rule, profile)) for rule in Rule}
    assert len(keys) == len(Rule)


def test_session_key_where_routing_decides_tells_companies_apart() -> None:
    routed = decision(Rule.COMPANY, RELAY_A)
    keys = {session_key(but(routed, company=Company(id_, "C"))) for id_ in (1, 2)}
    assert len(keys) == 2


def test_session_key_where_core_decides_companies_share_as_in_core() -> None:
    routed = kept(Rule.PRIORITY, SHARED)
    keys = {session_key(but(routed, company=Company(id_, "C"))) for id_ in (1, 2)}
    assert keys == {CORES}


def test_session_key_refused_mail_shares_with_no_other() -> None:
    """Nor with one that is refused for another reason, which it would be told."""
    fine = kept(Rule.FORCED, SHARED)
    told = (Rule.FORCED, False, Reason.FORCED_BARRED, (SHARED,))
    notes = [Note(*told, values) for values in ((), VALUES)]
    refused = [but(fine, refused=True, notes=(note,)) for note in notes]
    assert len({session_key(routed) for routed in (fine, *refused)}) == 3


def test_session_key_personal_server_is_cores() -> None:
    personal = server(9, "Personal", F, owner_id=ANNA.id)
    assert session_key(kept(Rule.USER, personal)) == CORES
