"""Which server is proposed to a user, and why none is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...routing import (
    Decision,
    Directory,
    Fit,
    Request,
    ServerProfile,
    Suggester,
    Suggestion,
    decide,
)
from .scenario import (
    ANNA,
    BEN,
    BRANCH,
    MAILBOX,
    ONLY_A,
    ONLY_B,
    RELAY_A,
    RELAY_B,
    SHARED,
    UNKNOWN,
    A,
    B,
    but,
    server,
    written_by,
)
from .test_properties import thorough
from .worlds import emails, from_address, mailbox_cases

BENS = server(10, "Ben's", sender_email=BEN.email)
BY_FILTER = server(11, "By filter", BEN.email)
WHOLE_DOMAIN = server(12, "Whole domain", "a.example")
OTHER_DOMAIN = server(13, "Other domain", "a.example, other.example")
UNFILTERED_A = server(14, "Unfiltered A", companies=[A])
OF_ANNA = but(BENS, user_ids=frozenset({ANNA.id}))
OWN = written_by(BEN)

# what is asked, over which servers, and the answer with the ids it names
CASES: dict[str, tuple[Request, tuple[ServerProfile, ...], Fit, list[int]]] = {
    "sender address": (OWN, (SHARED, BENS, RELAY_A), Fit.ADDRESS, [10]),
    "address in a FROM filter": (OWN, (SHARED, BY_FILTER), Fit.ADDRESS, [11]),
    "both on one server": (
        OWN,
        (SHARED, but(BY_FILTER, sender_email=BEN.email)),
        Fit.ADDRESS,
        [11],
    ),
    "two mailboxes": (OWN, (BENS, BY_FILTER), Fit.SEVERAL, [10, 11]),
    "one of two is theirs": (
        OWN,
        (BENS, but(BY_FILTER, user_ids=frozenset({BEN.id}))),
        Fit.THEIRS,
        [11],
    ),
    "mailbox of a colleague at the same address": (OWN, (OF_ANNA,), Fit.ADDRESS, [10]),
    "reserved for a colleague": (
        OWN,
        (but(OF_ANNA, reserved=True),),
        Fit.RESERVED,
        [10],
    ),
    "reserved for nobody yet": (OWN, (but(BENS, reserved=True),), Fit.ADDRESS, [10]),
    "reserved for their company": (
        OWN,
        (but(BENS, reserved=True, default_company_ids=ONLY_A),),
        Fit.SHARED,
        [10],
    ),
    "fallback of everybody": (OWN, (BENS, SHARED), Fit.SHARED, [10]),
    "last fallback of a company": (
        OWN,
        (but(SHARED, company_ids=ONLY_A), BENS),
        Fit.SHARED,
        [10],
    ),
    "fallback although it has a FROM filter": (OWN, (BY_FILTER,), Fit.SHARED, [11]),
    "several addresses in a FROM filter": (
        OWN,
        (SHARED, server(15, "Team", f"{ANNA.email}, {BEN.email}")),
        Fit.SHARED,
        [15],
    ),
    "address that is the default From, too": (
        written_by(BEN, notifications_email=BEN.email),
        (SHARED, BY_FILTER),
        Fit.SHARED,
        [11],
    ),
    "relay of their company with their address": (
        OWN,
        (SHARED, but(RELAY_A, sender_email=BEN.email)),
        Fit.SHARED,
        [2],
    ),
    "relay of their company that has users": (
        OWN,
        (but(OF_ANNA, default_company_ids=ONLY_A),),
        Fit.ADDRESS,
        [10],
    ),
    "archived": (OWN, (but(BENS, active=False),), Fit.NOWHERE, []),
    "personal": (OWN, (but(BENS, owner_id=ANNA.id),), Fit.NOWHERE, []),
    "barred mailbox": (OWN, (but(BENS, company_ids=ONLY_B),), Fit.NOWHERE, []),
    "address before domain": (OWN, (SHARED, WHOLE_DOMAIN, BENS), Fit.ADDRESS, [10]),
    "relay of their company": (OWN, (RELAY_A,), Fit.SAME_ROUTE, [2]),
    "relay of the parent company": (
        written_by(BEN, BRANCH),
        (RELAY_A,),
        Fit.SAME_ROUTE,
        [2],
    ),
    "reserved relay of their company": (
        OWN,
        (but(RELAY_A, reserved=True),),
        Fit.SAME_ROUTE,
        [2],
    ),
    "FROM filter takes it": (OWN, (SHARED, WHOLE_DOMAIN), Fit.SAME_ROUTE, [12]),
    "one of several relays takes it": (
        OWN,
        (WHOLE_DOMAIN, OTHER_DOMAIN),
        Fit.SAME_ROUTE,
        [12],
    ),
    "company's server goes before": (
        OWN,
        (UNFILTERED_A, WHOLE_DOMAIN),
        Fit.DOMAIN,
        [12],
    ),
    "several behind the company's": (
        OWN,
        (UNFILTERED_A, WHOLE_DOMAIN, OTHER_DOMAIN),
        Fit.SEVERAL,
        [12, 13],
    ),
    "domain of a colleague's mailbox": (
        OWN,
        (UNFILTERED_A, but(WHOLE_DOMAIN, user_ids=frozenset({ANNA.id}))),
        Fit.NOWHERE,
        [],
    ),
    "domain of another company": (
        written_by(BEN, B),
        (RELAY_B, RELAY_A),
        Fit.NOWHERE,
        [],
    ),
    "reserved for nobody, by domain": (
        OWN,
        (UNFILTERED_A, but(WHOLE_DOMAIN, reserved=True)),
        Fit.NOWHERE,
        [],
    ),
    "domain that its policy does not let it send as": (
        OWN,
        (
            UNFILTERED_A,
            but(WHOLE_DOMAIN, from_policy="login", sender_email="post@a.example"),
        ),
        Fit.NOWHERE,
        [],
    ),
    "own server sends as them already": (
        written_by(ANNA),
        (but(SHARED, user_ids=frozenset({ANNA.id})), WHOLE_DOMAIN),
        Fit.SAME_ROUTE,
        [5],
    ),
    "own server does not send as them": (
        written_by(ANNA),
        (MAILBOX, UNFILTERED_A, WHOLE_DOMAIN),
        Fit.DOMAIN,
        [12],
    ),
    "no e-mail": (written_by(but(BEN, email="")), (BENS,), Fit.NO_EMAIL, []),
    "switched off": (
        written_by(but(BEN, uses_own_servers=False)),
        (BENS,),
        Fit.SWITCHED_OFF,
        [],
    ),
}


def suggestion(request: Request, *servers: ServerProfile) -> Suggestion:
    """What is suggested to the sender, who works in the mail's company only."""
    return Suggester(Directory(servers)).suggest(request)


@pytest.mark.parametrize("name", CASES)
def test_suggestion(name: str) -> None:
    request, servers, fit, ids = CASES[name]
    answer = suggestion(request, *servers)
    assert (answer.fit, [profile.id for profile in answer.profiles]) == (fit, ids)


def test_every_answer_is_among_the_cases() -> None:
    assert {fit for _request, _servers, fit, _ids in CASES.values()} == set(Fit)


def test_other_companies_of_a_user_count() -> None:
    barred = but(BENS, company_ids=ONLY_B)
    assert not suggestion(OWN, SHARED, barred).proposed
    answer = Suggester(Directory([SHARED, barred])).suggest(OWN, ONLY_B)
    assert answer.proposed == barred


def test_domain_counts_only_for_mail_of_the_own_company() -> None:
    restricted = but(WHOLE_DOMAIN, company_ids=ONLY_B)
    suggester = Suggester(Directory([UNFILTERED_A, restricted]))
    assert suggester.suggest(OWN, ONLY_B).fit is Fit.NOWHERE


@thorough
@given(mailbox_cases(), st.one_of(emails, st.just(UNKNOWN)), st.booleans())
def test_what_is_proposed_takes_nothing_from_anybody(
    case: tuple[Request, list[ServerProfile], ServerProfile],
    email: str,
    is_nobodys: bool,
) -> None:
    request, servers, mailbox = case
    sender = request.sender
    assert sender
    directory = Directory(servers)
    answer = Suggester(directory).suggest(request, sender.company_ids)
    assert answer.proposed == mailbox
    own = [profile.id for profile in directory.of_user(sender.id) if profile.active]
    assigned = directory.with_servers_of_user(sender.id, [*own, mailbox.id])
    other = None if is_nobodys else but(BEN, id=99, email="somebody@else.example")
    elsewhere = UNKNOWN if email == sender.email else email
    of_other = from_address(replace(request, sender=other), elsewhere)
    now, then = decide(of_other, directory), decide(of_other, assigned)
    assert (then.rule, _id_of(then)) == (now.rule, _id_of(now))


def _id_of(decision: Decision) -> int:
    return decision.profile.id if decision.profile else 0
