"""The index of servers: what each look-up finds, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from ...routing import Company, Directory, FromFilter, ServerProfile
from .scenario import (
    ANNA,
    BEN,
    BRANCH,
    MAILBOX,
    ONLY_A,
    ONLY_B,
    RELAY_A,
    RELAY_B,
    SERVERS,
    SHARED,
    SHOP,
    A,
    B,
    but,
    from_filter,
    server,
)

PERSONAL = server(20, "Personal", ANNA.email, owner_id=ANNA.id)


def names(profiles: list[ServerProfile]) -> list[str]:
    return [profile.name for profile in profiles]


def name(profile: ServerProfile | None) -> str | None:
    return profile.name if profile else None


def test_get_server_by_id_finds_it_or_nothing() -> None:
    directory = Directory(SERVERS)
    assert directory.get(RELAY_A.id) is RELAY_A
    assert directory.get(0) is directory.get(99) is None
    assert len(directory) == len(SERVERS)


def test_rank_servers_in_order_counts_from_zero() -> None:
    directory = Directory([SHARED, MAILBOX])
    assert (directory.rank(SHARED), directory.rank(MAILBOX)) == (0, 1)


def test_of_user_servers_assigned_come_in_order_archived_ones_too() -> None:
    archived = but(MAILBOX, id=9, name="Archived", active=False)
    directory = Directory([archived, SHARED, MAILBOX, PERSONAL])
    assert names(directory.of_user(ANNA.id)) == ["Archived", "Mailbox"]
    assert directory.of_user(BEN.id) == []


def test_of_company_servers_assigned_come_in_order_archived_ones_too() -> None:
    both = server(9, "Both", companies=[A, B], active=False)
    directory = Directory([RELAY_B, both, RELAY_A])
    assert names(directory.of_company(A.id)) == ["Both", "Relay A"]
    assert names(directory.of_company(B.id)) == ["Relay B", "Both"]
    assert directory.of_company(0) == []


SUB_BRANCH = Company(4, "Sub-branch", parent=BRANCH)


@pytest.mark.parametrize(
    ("company", "servers", "expected"),
    [
        (A, SERVERS, "Company A"),
        (BRANCH, SERVERS, "Company A"),
        (BRANCH, (RELAY_B, SHARED), None),
        (BRANCH, (RELAY_A, server(9, "Own", companies=[BRANCH])), "Branch"),
        (
            BRANCH,
            (RELAY_A, server(9, "Own", companies=[BRANCH], active=False)),
            "Branch",
        ),
        (SUB_BRANCH, SERVERS, "Company A"),
        (SUB_BRANCH, (RELAY_A, server(9, "Its", companies=[BRANCH])), "Branch"),
        (A, (server(9, "Own", companies=[BRANCH]),), None),
    ],
)
def test_company_inherits_from_the_nearest_that_has_servers(
    company: Company, servers: tuple[ServerProfile, ...], expected: str | None
) -> None:
    inherits_from = Directory(servers).inherits_from(company)
    assert (inherits_from.name if inherits_from else None) == expected


def test_with_servers_of_user_replaces_theirs_and_nobody_elses() -> None:
    lent = but(SHOP, user_ids=frozenset({ANNA.id, BEN.id}))
    edited = Directory([MAILBOX, lent, SHARED]).with_servers_of_user(
        ANNA.id, [SHARED.id, 99]
    )
    assert names(edited.of_user(ANNA.id)) == ["Shared"]
    assert names(edited.of_user(BEN.id)) == ["Shop"]
    left = edited.get(MAILBOX.id)
    assert left is not None
    assert left.reserved, "it is left to nobody"
    assert edited.first_unassigned(A.id, unfiltered=False) is None


def test_with_servers_of_company_replaces_its_and_no_other_companys() -> None:
    both = server(9, "Both", companies=[A, B])
    edited = Directory([RELAY_A, both, SHARED]).with_servers_of_company(
        A.id, [SHARED.id]
    )
    assert names(edited.of_company(A.id)) == ["Shared"]
    assert names(edited.of_company(B.id)) == ["Both"]


def test_with_servers_archived_ones_stay_whose_they_are() -> None:
    archived = but(MAILBOX, id=9, name="Archived", active=False)
    directory = Directory([archived, MAILBOX, but(RELAY_A, active=False)])
    assert names(directory.with_servers_of_user(ANNA.id, []).of_user(ANNA.id)) == [
        "Archived"
    ]
    edited = directory.with_servers_of_company(A.id, [])
    assert names(edited.of_company(A.id)) == ["Relay A"]


def test_with_servers_unchanged_is_the_same_directory() -> None:
    directory = Directory(SERVERS)
    for copy in (
        directory.with_servers_of_user(ANNA.id, [MAILBOX.id]),
        directory.with_servers_of_company(A.id, [RELAY_A.id]),
    ):
        assert [copy.get(profile.id) for profile in SERVERS] == [*SERVERS]


def test_personal_server_is_found_by_its_owner_alone() -> None:
    directory = Directory([PERSONAL])
    assert directory.personal(ANNA.id) is PERSONAL
    assert directory.personal(BEN.id) is directory.personal(0) is None
    assert directory.owner_ids == {ANNA.id}
    assert directory.matching(ANNA.email) == []
    assert directory.first_unassigned(A.id, unfiltered=False) is None


def test_personal_server_archived_is_not_found() -> None:
    directory = Directory([but(PERSONAL, active=False)])
    assert directory.personal(ANNA.id) is None
    assert directory.owner_ids == frozenset()


def test_personal_server_with_assignments_carries_nobody_elses_mail() -> None:
    directory = Directory([but(PERSONAL, user_ids=frozenset({6}))])
    assert directory.of_user(6) == []


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("shop@a.example", ["Address", "Domain", "Both"]),
        ("anna@a.example", ["Domain", "Both"]),
        ("anna@A.EXAMPLE", ["Domain", "Both"]),
        ("anna@sub.a.example", []),
        ("", []),
    ],
)
def test_matching_address_comes_before_domain(email: str, expected: list[str]) -> None:
    directory = Directory(
        [
            server(1, "Domain", "a.example"),
            server(2, "Address", "shop@a.example"),
            server(3, "Both", "a.example, a.example, x@y.example"),
            server(4, "Archived", "a.example", active=False),
            SHARED,
        ]
    )
    assert names(directory.matching(email)) == expected


def test_matching_filter_with_address_and_domain_names_the_server_once() -> None:
    profile = server(1, "Both", "anna@a.example, a.example, anna@a.example")
    assert Directory([profile]).matching("anna@a.example") == [profile]


@pytest.mark.parametrize(
    ("values", "closed"),
    [
        ({}, False),
        ({"reserved": True}, True),
        ({"user_ids": frozenset({5})}, True),
        ({"user_ids": frozenset({5}), "delegation": "colleagues"}, True),
        ({"default_company_ids": ONLY_B}, False),
        ({"default_company_ids": ONLY_B, "reserved": True}, True),
    ],
)
def test_matching_server_closed_to_others_is_looked_up_apart(
    values: dict[str, Any], closed: bool
) -> None:
    profile = but(SHOP, **values)
    directory = Directory([profile])
    assert profile.closed_to_others is closed
    assert directory.matching("shop@shop.example") == ([] if closed else [profile])
    found = directory.closed_matching("shop@shop.example")
    assert found == ([profile] if closed else [])
    archived = Directory([but(profile, active=False)])
    assert archived.closed_matching("shop@shop.example") == []


def test_users_sending_as_knows_the_sender_address_of_their_servers() -> None:
    mailbox = but(SHOP, user_ids=frozenset({5, 6}), sender_email="office@x.example")
    directory = Directory([mailbox, but(SHOP, id=9, sender_email="shop@x.example")])
    assert directory.users_sending_as("office@x.example") == {5, 6}
    assert directory.users_sending_as("shop@x.example") == frozenset()
    assert directory.users_sending_as("") == frozenset()


def test_user_ids_are_all_to_whom_a_server_is_assigned() -> None:
    own = but(SHOP, user_ids=frozenset({5, 6}))
    archived = but(SHOP, id=9, user_ids=frozenset({6, 7}), active=False)
    assert Directory([own, archived, PERSONAL]).user_ids == {5, 6, 7}
    assert Directory([SHOP, PERSONAL]).user_ids == frozenset()


def test_closed_to_others_crowd_names_the_first_few() -> None:
    crowd = [
        server(number, str(number), "a.example", reserved=True)
        for number in range(1, 100)
    ]
    found = Directory(crowd).closed_matching("anna@a.example")
    assert found == crowd[: len(found)]
    assert 0 < len(found) < 10


@pytest.mark.parametrize(
    ("servers", "company_id", "unfiltered", "expected"),
    [
        ([SHOP, SHARED], A.id, False, "Shop"),
        ([SHOP, SHARED], A.id, True, "Shared"),
        ([SHOP, SHARED], 0, True, "Shared"),
        ([SHOP], A.id, True, None),
        ([but(SHOP, from_filter=FromFilter(",")), SHARED], A.id, True, "Shared"),
        ([but(SHOP, active=False), SHARED], A.id, False, "Shared"),
        ([but(SHOP, reserved=True), SHARED], A.id, False, "Shared"),
        ([but(SHOP, company_ids=ONLY_B), SHARED], A.id, False, "Shared"),
        ([but(SHOP, company_ids=ONLY_A), SHARED], A.id, False, "Shop"),
        ([but(SHOP, company_ids=ONLY_A), SHARED], 0, False, "Shared"),
        ([SHOP, but(SHARED, company_ids=ONLY_A)], A.id, False, "Shop"),
        ([but(SHOP, company_ids=ONLY_A | ONLY_B)], B.id, False, "Shop"),
        ([MAILBOX, RELAY_A, RELAY_B, PERSONAL], A.id, False, None),
        ([], A.id, False, None),
    ],
)
def test_first_unassigned_is_open_to_the_company(
    servers: list[ServerProfile],
    company_id: int,
    unfiltered: bool,
    expected: str | None,
) -> None:
    found = Directory(servers).first_unassigned(company_id, unfiltered)
    assert name(found) == expected


OPEN_B = server(9, "Open B", companies=[B])


@pytest.mark.parametrize(
    ("servers", "unfiltered", "expected"),
    [
        ([RELAY_B, OPEN_B], False, "Relay B"),
        ([RELAY_B, OPEN_B], True, "Open B"),
        ([but(RELAY_B, reserved=True), OPEN_B], False, "Open B"),
        ([but(RELAY_B, user_ids=frozenset({5})), OPEN_B], False, "Open B"),
        ([but(RELAY_B, company_ids=ONLY_B), OPEN_B], False, "Open B"),
        ([but(RELAY_B, company_ids=ONLY_A | ONLY_B)], False, "Relay B"),
        ([but(RELAY_B, active=False)], False, None),
        ([SHARED, MAILBOX, PERSONAL], False, None),
    ],
)
def test_first_of_other_companies_is_neither_reserved_nor_a_users(
    servers: list[ServerProfile], unfiltered: bool, expected: str | None
) -> None:
    found = next(Directory(servers).of_other_companies.open_to(A.id, unfiltered), None)
    assert name(found) == expected


def test_subset_servers_named_come_in_the_order_given() -> None:
    subset = Directory(SERVERS).subset([SHARED.id, 99, MAILBOX.id])
    assert [subset.rank(profile) for profile in (SHARED, MAILBOX)] == [0, 1]
    assert len(subset) == 2
    assert subset.get(RELAY_A.id) is None
    assert subset.of_company(A.id) == []


@pytest.mark.parametrize(
    ("profile", "configured"),
    [
        (SHARED, False),
        (SHOP, False),
        (PERSONAL, False),
        (but(SHARED, active=False), False),
        (but(SHARED, sender_email="x@x.example"), False),
        (but(SHARED, collects_replies=True), False),
        (but(SHARED, delegation="colleagues"), False),
        (MAILBOX, True),
        (RELAY_A, True),
        (but(SHARED, company_ids=ONLY_A), True),
        (but(SHARED, reserved=True), True),
        (but(SHARED, from_policy="any"), True),
        (but(SHARED, reply_to_policy="odoo"), True),
        (but(SHARED, bounce_policy="odoo"), True),
    ],
)
def test_configured_anything_set_that_core_does_not_know(
    profile: ServerProfile, configured: bool
) -> None:
    assert profile.configured is configured
    assert Directory([SHOP, profile]).configured is configured


def test_from_filter_text_without_usable_part_is_a_filter() -> None:
    assert not FromFilter()
    assert from_filter(",") and not from_filter(",").domains
