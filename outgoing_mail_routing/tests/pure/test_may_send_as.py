"""As which address: may-send-as, the sender address, and the From that leaves."""

from __future__ import annotations

import pytest

from ...routing import FromFilter, Request, ServerProfile
from ...routing.sending_as import may_send_as, sender_address
from .scenario import (
    ANNA,
    BEN,
    CARL,
    CUSTOMER,
    MAILBOX,
    ONLY_A,
    RELAY_A,
    RELAY_B,
    SHARED,
    SHOP,
    UNKNOWN,
    A,
    B,
    but,
    from_filter,
    mail,
    route,
    server,
    written_by,
)

ADDRESS, DOMAIN, SENDER = "shop@a.example", "any@b.example", "login@c.example"
EVERY = frozenset({ADDRESS, DOMAIN, SENDER, UNKNOWN})
BY_FILTER = frozenset({ADDRESS, DOMAIN})
FILTER = "shop@a.example, b.example"


@pytest.mark.parametrize(
    ("policy", "filter_text", "sender_email", "assigned", "admitted"),
    [
        ("filter", FILTER, SENDER, True, BY_FILTER),
        ("filter", FILTER, "", False, BY_FILTER),
        ("filter", "", SENDER, True, EVERY),
        ("filter", " ,", SENDER, True, frozenset()),
        ("login", FILTER, SENDER, True, {SENDER}),
        ("login", "", SENDER, False, {SENDER}),
        ("login", FILTER, "", True, frozenset()),
        ("any", FILTER, SENDER, True, EVERY),
        ("any", "", "", False, EVERY),
        ("auto", FILTER, SENDER, True, BY_FILTER),
        ("auto", FILTER, "", False, BY_FILTER),
        ("auto", " ,", SENDER, True, frozenset()),
        ("auto", "", SENDER, True, {SENDER}),
        ("auto", "", SENDER, False, EVERY),
        ("auto", "", "", True, EVERY),
        ("auto", "", "", False, EVERY),
    ],
)
@pytest.mark.parametrize("to", ["users", "companies"])
def test_may_send_as_each_policy_admits_its_addresses(
    policy: str,
    filter_text: str,
    sender_email: str,
    assigned: bool,
    admitted: frozenset[str],
    to: str,
) -> None:
    profile = server(
        1,
        "Server",
        filter_text,
        users=[ANNA] if assigned and to == "users" else [],
        companies=[A] if assigned and to == "companies" else [],
        from_policy=policy,
        sender_email=sender_email,
    )
    assert {email for email in EVERY if may_send_as(profile, email)} == admitted
    assert not may_send_as(profile, "")


@pytest.mark.parametrize(
    ("text", "email", "admitted"),
    [
        ("", "anna@a.example", True),
        ("", "", True),
        ("a.example", "anna@a.example", True),
        ("a.example", "anna@A.Example", True),
        ("a.example", "anna@sub.a.example", False),
        ("a.example", "anna@xa.example", False),
        ("a.example", "a.example", False),
        ("anna@a.example", "anna@a.example", True),
        ("anna@a.example", "ben@a.example", False),
        ("x.example, a.example", "anna@a.example", True),
        ("münchen.example", "anna@münchen.example", True),
        (",", "anna@a.example", False),
        (",", "", False),
        ("a.example", "", False),
        ("x@", "", True),
        ("x@", "anna@a.example", False),
    ],
)
def test_from_filter_admits_addresses_and_whole_domains(
    text: str, email: str, admitted: bool
) -> None:
    assert from_filter(text).admits(email) is admitted


@pytest.mark.parametrize(
    ("profile", "request_", "expected"),
    [
        (RELAY_A, mail(UNKNOWN), "post@a.example"),
        (but(RELAY_A, sender_email=""), mail(UNKNOWN), A.default_from),
        (
            but(RELAY_A, sender_email=""),
            but(mail(UNKNOWN), notifications_email="other@a.example"),
            A.default_from,
        ),
        (
            but(RELAY_A, sender_email=""),
            mail(UNKNOWN, company=B, notifications_email="other@a.example"),
            "other@a.example",
        ),
        (but(RELAY_A, sender_email=""), mail(UNKNOWN, company=B), A.default_from),
        (
            server(1, "Two", "x.example, y.example"),
            mail(UNKNOWN),
            "notifications@x.example",
        ),
        (SHOP, mail(UNKNOWN), "shop@shop.example"),
        (
            server(1, "Both", "s@x.example, y.example"),
            mail(UNKNOWN),
            "notifications@y.example",
        ),
        (but(SHARED, from_policy="login"), mail(UNKNOWN), A.default_from),
        (server(1, "Half", "x@, s@x.example"), mail(UNKNOWN), "s@x.example"),
        (SHARED, mail(UNKNOWN, company=None), ""),
        (server(1, "Comma", ","), mail(UNKNOWN), ""),
    ],
)
def test_sender_address_falls_back_to_what_the_filter_admits(
    profile: ServerProfile, request_: Request, expected: str
) -> None:
    assert sender_address(profile, request_) == expected


@pytest.mark.parametrize(
    ("request_", "profile", "name", "email"),
    [
        (written_by(ANNA), MAILBOX, "Anna", MAILBOX.sender_email),
        (
            written_by(but(ANNA, name="Anna of the user form"), email=UNKNOWN),
            MAILBOX,
            "Anna of the user form",
            MAILBOX.sender_email,
        ),
        (mail(UNKNOWN, sender=ANNA), MAILBOX, "Anna", MAILBOX.sender_email),
        (mail(UNKNOWN, "Press", sender=ANNA), MAILBOX, "Press", MAILBOX.sender_email),
        (mail(CUSTOMER, "Cora"), RELAY_A, "Cora", RELAY_A.sender_email),
        (mail(CUSTOMER), RELAY_A, "", RELAY_A.sender_email),
        (written_by(CARL, B), RELAY_B, "Carl", RELAY_B.sender_email),
    ],
)
def test_from_rewritten_keeps_the_name_of_from_else_of_the_sender(
    request_: Request, profile: ServerProfile, name: str, email: str
) -> None:
    decision = route(request_, profile)
    assert decision.profile is profile
    assert decision.rewritten and decision.decides_from
    assert (decision.from_name, decision.from_email) == (name, email)


def test_from_that_the_server_may_send_as_stays_to_the_letter() -> None:
    request = but(written_by(BEN), email_from='"Ben, B." <Ben@a.example>')
    decision = route(request, RELAY_A)
    assert decision.decides_from and not decision.rewritten
    assert decision.email_from == '"Ben, B." <Ben@a.example>'
    assert (decision.from_name, decision.from_email) == ("", BEN.email)


@pytest.mark.parametrize(
    "relay",
    [
        RELAY_A,
        but(RELAY_A, sender_email=""),
        but(RELAY_A, from_filter=FromFilter()),
        but(RELAY_A, from_filter=FromFilter(), from_policy="login", sender_email=""),
        server(2, "Shop relay", "shop@a.example", companies=[A]),
    ],
)
def test_from_of_a_customer_never_leaves_through_a_relay_that_may_not(
    relay: ServerProfile,
) -> None:
    decision = route(mail(CUSTOMER, "Cora"), relay)
    assert decision.rule.value == "company"
    assert decision.rewritten
    assert decision.from_name == "Cora"
    assert decision.from_email.endswith("@a.example")


def test_from_of_a_customer_stays_where_the_relay_sends_as_anybody() -> None:
    decision = route(mail(CUSTOMER, "Cora"), server(2, "Open", companies=[A]))
    assert not decision.rewritten
    assert decision.from_email == CUSTOMER


@pytest.mark.parametrize(
    ("profile", "rule"),
    [
        (SHARED, "priority"),
        (server(5, "Default", "notifications@a.example"), "default_from"),
        (but(RELAY_B, default_company_ids=frozenset()), "priority"),
    ],
)
def test_from_on_a_core_route_is_the_default_from(
    profile: ServerProfile, rule: str
) -> None:
    decision = route(mail(UNKNOWN, "Press"), profile)
    assert decision.rule.value == rule
    assert not decision.decides_from and not decision.rewritten
    assert decision.email_from == decision.from_email == A.default_from


@pytest.mark.parametrize(
    ("policy", "rewritten", "address"),
    [
        ("any", False, UNKNOWN),
        ("login", True, "shared@x.example"),
        ("filter", False, UNKNOWN),
    ],
)
def test_from_on_a_core_route_follows_a_policy_set_by_hand(
    policy: str, rewritten: bool, address: str
) -> None:
    shared = but(SHARED, from_policy=policy, sender_email="shared@x.example")
    decision = route(mail(UNKNOWN, "Press"), shared)
    assert decision.rule.value == "priority"
    assert (decision.rewritten, decision.from_email) == (rewritten, address)
    assert decision.decides_from


def test_from_without_any_sender_address_passes_the_server_over() -> None:
    """A relay that may send as nothing never gets the customer's address to send."""
    relay = server(2, "Comma", ",", companies=[A])
    decision = route(mail(UNKNOWN, "Press"), relay, SHARED)
    assert (decision.rule.value, decision.from_email) == ("priority", A.default_from)
    decision = route(mail(UNKNOWN, "Press"), relay)
    assert decision.from_email == A.default_from


def test_personal_server_keeps_core_from() -> None:
    personal = server(
        9, "Personal", ANNA.email, owner_id=ANNA.id, sender_email="x@x.example"
    )
    request = written_by(ANNA, personal_id=9)
    decision = route(request, personal, but(RELAY_A, company_ids=ONLY_A))
    assert (decision.decides_from, decision.email_from) == (False, request.email_from)
