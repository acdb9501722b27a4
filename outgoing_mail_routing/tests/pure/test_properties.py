"""What holds for every mail and every set of servers.

``ROUTING_EXAMPLES`` in the environment sets the number of random cases a property.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from email.utils import formataddr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ...routing import (
    Decision,
    Directory,
    FromFilter,
    HeaderFacts,
    Person,
    Reason,
    Request,
    Rule,
    ServerProfile,
    choosable,
    decide,
    plan_headers,
    session_key,
)
from ...routing.sending_as import may_send_as, sender_address
from .core_model import core_answer
from .scenario import (
    ANNA,
    BEN,
    MAILBOX,
    RELAY_B,
    SERVERS,
    SHARED,
    UNKNOWN,
    from_filter,
    written_by,
)
from .worlds import (
    COMPANY_IDS,
    FOREIGN_COMPANY_ID,
    FOREIGN_USER_ID,
    USER_IDS,
    any_case,
    assigned_case,
    assigned_servers,
    branch_cases,
    closed_servers,
    companies_cases,
    core_case,
    emails,
    fallback_cases,
    filters,
    forced_cases,
    foreign_cases,
    header_facts,
    lent_cases,
    server_lists,
    unrelated_servers,
    users_cases,
    varied_requests,
)

Case = tuple[Request, list[ServerProfile]]

thorough = settings(
    max_examples=int(os.environ.get("ROUTING_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def answer(decision: Decision) -> Decision:
    """The decision without what was asked and the steps that led to it."""
    return replace(decision, company=None, notes=())


def inherits_from_id(request: Request, servers: list[ServerProfile]) -> int:
    """The nearest company in the lineage to which any server is assigned, else 0."""
    assigned = {
        company_id
        for profile in servers
        if not profile.owner_id
        for company_id in profile.default_company_ids
    }
    company = request.company
    while company and company.id not in assigned:
        company = company.parent
    return company.id if company else 0


# ----------------------------------------------------------------------
# Who may carry it
# ----------------------------------------------------------------------


def is_unfit(profile: ServerProfile, request: Request) -> bool:
    """Whether a server may not carry a mail, whoever it is assigned to."""
    company_id = request.company.id if request.company else 0
    barred = bool(profile.company_ids) and company_id not in profile.company_ids
    closed = bool(profile.owner_id) and (
        profile.id != request.personal_id
        or profile.from_filter.addresses != (request.email,)
    )
    return barred or closed or not profile.active


@thorough
@given(any_case)
def test_decision_never_names_an_archived_barred_or_closed_server(case: Case) -> None:
    request, servers = case
    request = replace(request, forced_id=0)
    decision = decide(request, Directory(servers))
    profile = decision.profile
    assert not decision.refused
    assert (profile is None) == (decision.rule is Rule.SYSTEM)
    assert profile is None or not is_unfit(profile, request)


@thorough
@given(forced_cases())
def test_forced_server_is_named_and_refused_where_it_may_not_carry_the_mail(
    case: Case,
) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    assert decision.profile and decision.profile.id == request.forced_id
    assert decision.rule is Rule.FORCED
    assert decision.refused == is_unfit(decision.profile, request)


@thorough
@given(foreign_cases())
def test_servers_of_others_never_carry_a_mail(case: Case) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    assert (decision.rule, decision.profile) == (Rule.SYSTEM, None)


@thorough
@given(any_case)
def test_personal_server_carries_mail_of_its_owner_only(case: Case) -> None:
    request, servers = case
    request = replace(request, forced_id=0)
    profile = decide(request, Directory(servers)).profile
    sender_id = request.sender.id if request.sender else 0
    owner_id = profile.owner_id if profile else 0
    assert owner_id in (0, sender_id)
    assert not owner_id or (profile and profile.id == request.personal_id)


@thorough
@given(st.one_of(users_cases(closed_servers), companies_cases(closed_servers)))
def test_closed_server_carries_mail_of_those_it_is_assigned_or_lent_to(
    case: Case,
) -> None:
    request, servers = case
    profile = decide(request, Directory(servers)).profile
    sender_id = request.sender.id if request.sender else 0
    assert profile
    of_company = inherits_from_id(request, servers) in profile.default_company_ids
    of_sender = sender_id in profile.user_ids
    of_sender &= not request.sender_named or profile.delegation != "nobody"
    assert of_sender or of_company


@thorough
@given(lent_cases())
def test_server_of_a_colleague_carries_only_what_it_is_lent_for(case: Case) -> None:
    request, servers = case
    [colleague] = request.colleagues
    profile = decide(request, Directory(servers)).profile
    lent = [server for server in servers if lends_to(server, request, colleague)]
    assert profile in (lent or [None])


def lends_to(profile: ServerProfile, request: Request, colleague: Person) -> bool:
    """Whether a colleague's server may carry what is only sent in their name."""
    sender, company = request.sender, request.company
    return (
        colleague.id in profile.user_ids
        and colleague.uses_own_servers
        and profile.delegation == "colleagues"
        and sender is not None
        and company is not None
        and {company.id} <= sender.company_ids & colleague.company_ids
    )


@thorough
@given(any_case, st.data())
def test_server_out_of_service_is_passed_over_like_an_archived_one(
    case: Case, data: st.DataObject
) -> None:
    request, servers = case
    request = replace(request, forced_id=0)
    out = data.draw(st.frozensets(st.sampled_from([s.id for s in servers] or [0])))
    decision = decide(request, Directory(servers), out)
    assert not decision.profile or decision.profile.id not in out
    archived = Directory(as_archived(servers, out))
    assert without_steps(decision) == without_steps(decide(request, archived))


@thorough
@given(forced_cases())
def test_forced_server_out_of_service_leaves_the_mail_to_the_rules(case: Case) -> None:
    """Unless it may not carry the mail in service either."""
    request, servers = case
    out = frozenset({request.forced_id})
    in_service = decide(request, Directory(servers))
    archived = Directory(as_archived(servers, out))
    expected = decide(replace(request, forced_id=0), archived)
    assert without_steps(decide(request, Directory(servers), out)) == without_steps(
        in_service if in_service.refused else expected
    )


def as_archived(
    servers: list[ServerProfile], out: frozenset[int]
) -> list[ServerProfile]:
    """The servers, some of them archived."""
    return [replace(s, active=s.active and s.id not in out) for s in servers]


def without_steps(decision: Decision) -> Decision:
    """The decision without what led to it."""
    return replace(decision, notes=())


@thorough
@given(assigned_case)
def test_choosable_server_chosen_by_hand_leaves_as_by_its_rule(case: Case) -> None:
    request, servers = case
    request = replace(request, sender_named=False)  # who chooses is the sender
    directory = Directory(servers)
    profiles = choosable(request, directory)
    assert profiles
    for profile in profiles:
        chosen = decide(replace(request, forced_id=profile.id), directory)
        assert (chosen.profile, chosen.refused) == (profile, False)
        assert chosen.header_rule in (Rule.USER, Rule.COMPANY)
        assert may_send_as(profile, chosen.from_email) or chosen.rewritten


@thorough
@given(assigned_case)
def test_server_chosen_by_rule_and_by_hand_leaves_the_same(case: Case) -> None:
    request, servers = case
    directory = Directory(servers)
    by_rule = decide(request, directory)
    assert by_rule.profile in choosable(request, directory)
    assert by_rule.profile
    by_hand = decide(replace(request, forced_id=by_rule.profile.id), directory)
    for field in ("email_from", "from_email", "from_name", "rewritten"):
        assert getattr(by_hand, field) == getattr(by_rule, field)
    assert session_key(by_hand) == session_key(by_rule)


@thorough
@given(users_cases())
def test_decision_by_user_names_a_server_of_the_sender(case: Case) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    assert decision.rule is Rule.USER
    assert decision.profile and request.sender
    assert request.sender.id in decision.profile.user_ids


@thorough
@given(companies_cases())
def test_decision_by_company_names_a_server_of_the_company(case: Case) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    assert decision.rule is Rule.COMPANY
    assert decision.profile
    assert inherits_from_id(request, servers) in decision.profile.default_company_ids


@thorough
@given(fallback_cases())
def test_decision_by_fallback_names_a_server_of_no_user(case: Case) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    assert decision.rule in (Rule.DEFAULT_FROM, Rule.PRIORITY)
    profile = decision.profile
    assert profile and not profile.user_ids and not profile.reserved
    assert not profile.default_company_ids  # one that is nobody's is left


@thorough
@given(companies_cases())
def test_company_rule_rewrites_an_explicit_from_only_where_none_fits(
    case: Case,
) -> None:
    request, servers = case
    request = replace(request, sender=None, sender_named=False)
    directory = Directory(servers)
    fits = any(
        may_send_as(profile, request.email)
        for profile in directory.of_company(inherits_from_id(request, servers))
        if not is_unfit(profile, request)
    )
    decision = decide(request, directory)
    assert (decision.rule is Rule.COMPANY and decision.rewritten) == (
        decision.rule is Rule.COMPANY and not fits
    )


# ----------------------------------------------------------------------
# Branches
# ----------------------------------------------------------------------


@thorough
@given(branch_cases(inherited=True))
def test_inherited_servers_carry_what_assigned_ones_would(case: Case) -> None:
    request, servers = case
    company, inherited_id = request.company, inherits_from_id(request, servers)
    assert company and inherited_id != company.id
    spelled_out = [
        replace(profile, default_company_ids=profile.default_company_ids | {company.id})
        if inherited_id in profile.default_company_ids
        else profile
        for profile in servers
    ]
    expected = decide(request, Directory(spelled_out))
    decision = decide(request, Directory(servers))
    assert (decision.profile and decision.profile.id) == (
        expected.profile and expected.profile.id
    )
    assert replace(answer(decision), profile=None) == replace(
        answer(expected), profile=None
    )


@thorough
@given(branch_cases(inherited=False))
def test_company_with_servers_of_its_own_is_no_branch(case: Case) -> None:
    request, servers = case
    company = request.company
    assert company and inherits_from_id(request, servers) == company.id
    alone = replace(request, company=replace(company, parent=None))
    directory = Directory(servers)
    assert answer(decide(request, directory)) == answer(decide(alone, directory))


# ----------------------------------------------------------------------
# The steps
# ----------------------------------------------------------------------


@thorough
@given(any_case)
def test_steps_end_in_the_decision(case: Case) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    taken = [step for step in decision.steps if step.taken]
    last = decision.steps[-1]
    assert taken == ([] if decision.refused else [last])
    assert last.rule is decision.rule
    assert last.server_id == (decision.profile.id if decision.profile else 0)


@thorough
@given(any_case)
def test_steps_sentences_are_whole(case: Case) -> None:
    request, servers = case
    by_id = {profile.id: profile for profile in servers}
    for step in decide(request, Directory(servers)).steps:
        sentence = str(step)
        assert sentence and "%(" not in sentence
        names_server = "%(server)s" in step.reason.value
        unnamed = step.reason is Reason.FORCED_PERSONAL
        assert names_server == bool(step.server_id and not unnamed)
        if names_server:
            assert by_id[step.server_id].name in sentence


@thorough
@given(any_case)
def test_decision_asked_twice_is_the_same(case: Case) -> None:
    request, servers = case
    directory = Directory(servers)
    assert decide(request, directory) == decide(request, directory)
    assert decide(request, Directory(servers)) == decide(request, directory)


@thorough
@given(any_case)
def test_directory_subset_of_all_decides_the_same(case: Case) -> None:
    request, servers = case
    subset = Directory(servers).subset([profile.id for profile in servers])
    assert decide(request, subset) == decide(request, Directory(servers))


# ----------------------------------------------------------------------
# From, Return-Path
# ----------------------------------------------------------------------


@thorough
@given(any_case)
def test_final_from_is_the_mails_the_default_or_the_servers(case: Case) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    default_from = request.notifications_email or request.email
    addresses = {request.email, default_from}
    if decision.decides_from and decision.profile:
        addresses = {request.email, sender_address(decision.profile, request)}
    assert decision.from_email in addresses
    assert decision.decides_from or not decision.rewritten


@thorough
@given(assigned_case)
def test_final_from_is_rewritten_where_the_server_may_not_send_as_it(
    case: Case,
) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    profile = decision.profile
    assert profile and decision.decides_from
    assert decision.rewritten != may_send_as(profile, request.email)
    address = sender_address(profile, request) if decision.rewritten else request.email
    assert decision.from_email == address
    assert decision.rewritten or decision.email_from == request.email_from
    assert "\n" not in decision.from_name


@thorough
@given(any_case, assigned_servers, filters)
def test_sender_address_is_one_that_the_filter_admits(
    case: Case, profile: ServerProfile, from_filter: FromFilter
) -> None:
    request, _servers = case
    profile = replace(profile, from_filter=from_filter, sender_email="")
    address = sender_address(profile, request)
    usable = any(from_filter.addresses) or bool(from_filter.domains)
    assert bool(address) or not usable
    assert from_filter.admits(address) or not address


@thorough
@given(any_case, emails, emails)
def test_return_path_is_the_bounce_address_or_the_final_from(
    case: Case, reply_to: str, bounce: str
) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    facts = HeaderFacts(request.email, decision.email_from, reply_to, bounce)
    plan = plan_headers(decision, facts)
    assert plan.return_path in (None, bounce, decision.from_email)


@thorough
@given(assigned_case, emails, emails)
def test_return_path_left_to_the_route_is_one_that_the_server_may_send_as(
    case: Case, reply_to: str, bounce: str
) -> None:
    request, servers = case
    servers = [replace(profile, bounce_policy="auto") for profile in servers]
    decision = decide(request, Directory(servers))
    facts = HeaderFacts(request.email, decision.email_from, reply_to, bounce)
    assert decision.profile
    is_admitted = may_send_as(decision.profile, bounce)
    expected = bounce if is_admitted else decision.from_email
    assert plan_headers(decision, facts).return_path == expected


@thorough
@given(st.one_of(any_case, assigned_case), st.data())
def test_mails_with_other_headers_never_share_a_session(
    case: Case, data: st.DataObject
) -> None:
    """All of a session get what is planned by the decision of its first mail."""
    request, servers = case
    directory = Directory(servers)
    first = decide(request, directory)
    other_request = data.draw(varied_requests(request))
    other = decide(other_request, directory)
    facts = data.draw(header_facts(other_request, final_from(other)))
    assert shared_by(first) != shared_by(other) or (
        (plan_headers(first, facts), first.decides_from, first.rewritten, first.refused)
        == (
            plan_headers(other, facts),
            other.decides_from,
            other.rewritten,
            other.refused,
        )
    )


def shared_by(decision: Decision) -> tuple[object, ...]:
    """What mails of one session have in common."""
    server_id = decision.profile.id if decision.profile else 0
    return server_id, final_from(decision), session_key(decision)


def final_from(decision: Decision) -> str:
    """The From of a session, as the models write it."""
    if not decision.rewritten:
        return decision.email_from
    return formataddr((decision.from_name, decision.from_email))


# ----------------------------------------------------------------------
# Core, where nothing is configured
# ----------------------------------------------------------------------


@thorough
@given(core_case)
def test_nothing_configured_server_and_from_are_cores(case: Case) -> None:
    request, servers = case
    directory = Directory(servers)
    assert not directory.configured
    decision = decide(request, directory)
    server_id = decision.profile.id if decision.profile else 0
    assert (server_id, decision.email_from) == core_answer(request, servers)


@thorough
@given(core_case)
def test_nothing_configured_sender_and_company_change_nothing(case: Case) -> None:
    request, servers = case
    directory = Directory(servers)
    bare = replace(request, sender=None, colleagues=(), company=None)
    assert answer(decide(bare, directory)) == answer(decide(request, directory))


@thorough
@given(core_case)
def test_nothing_configured_headers_are_cores(case: Case) -> None:
    request, servers = case
    decision = decide(request, Directory(servers))
    facts = HeaderFacts(request.email, decision.email_from, "r@x", "b@x")
    assert plan_headers(decision, facts) == type(plan_headers(decision, facts))()
    assert not decision.rewritten


# ----------------------------------------------------------------------
# Servers that have nothing to do with the mail
# ----------------------------------------------------------------------


@thorough
@given(any_case, server_lists(unrelated_servers, unrelated_servers, 4), st.data())
def test_unrelated_servers_never_change_a_decision(
    case: Case, unrelated: list[ServerProfile], data: st.DataObject
) -> None:
    request, servers = case
    # one assigned server on both sides: the addon is in use with and without them
    in_use = ServerProfile(
        900, "In use", user_ids=frozenset({FOREIGN_USER_ID}), reserved=True
    )
    added = [replace(profile, id=profile.id + 100) for profile in unrelated]
    everything = data.draw(st.permutations([*servers, *added]))
    kept_order = sorted(
        everything,
        key=lambda p: (0, servers.index(p)) if p in servers else (1, p.id),
    )
    expected = answer(decide(request, Directory([*servers, in_use])))
    for order in ([*added, *servers, in_use], [*kept_order, in_use]):
        assert answer(decide(request, Directory(order))) == expected


class CountingDirectory(Directory):
    """Counts the profiles that its look-ups hand out."""

    visits = 0

    def _counted(self, found: list[ServerProfile]) -> list[ServerProfile]:
        self.visits += len(found)
        return found

    def of_user(self, user_id: int) -> list[ServerProfile]:
        return self._counted(super().of_user(user_id))

    def of_company(self, company_id: int) -> list[ServerProfile]:
        return self._counted(super().of_company(company_id))

    def matching(self, email: str) -> list[ServerProfile]:
        return self._counted(super().matching(email))

    def closed_matching(self, email: str) -> list[ServerProfile]:
        return self._counted(super().closed_matching(email))

    def _at(self, rank: int | None) -> ServerProfile | None:
        found = super()._at(rank)
        self._counted([found] if found else [])
        return found


def _crowd(make: Callable[[int], ServerProfile], size: int) -> list[ServerProfile]:
    return [make(number) for number in range(1000, 1000 + size)]


def _mailbox_of_somebody(number: int) -> ServerProfile:
    address = f"user{number}@a.example"
    return ServerProfile(
        number,
        address,
        user_ids=frozenset({number}),
        from_filter=from_filter(address),
        sender_email=address,
    )


def _mailbox_with_filter_of_the_domain(number: int) -> ServerProfile:
    mailbox = _mailbox_of_somebody(number)
    return replace(
        mailbox, from_filter=from_filter("a.example"), reserved=number % 2 == 0
    )


def _relay_of_some_company(number: int) -> ServerProfile:
    return ServerProfile(
        number,
        f"Relay {number}",
        company_ids=frozenset({number}),
        default_company_ids=frozenset({number}),
        reserved=number % 2 == 0,
    )


CROWDS = (
    _mailbox_of_somebody,
    _mailbox_with_filter_of_the_domain,
    _relay_of_some_company,
)


@pytest.mark.parametrize("make", CROWDS, ids=lambda make: make.__name__.strip("_"))
@pytest.mark.parametrize("email", ["sales@a.example", ANNA.email, UNKNOWN, ""])
@pytest.mark.parametrize("servers", [(), SERVERS, (SHARED,), (MAILBOX, RELAY_B)])
def test_cost_number_of_other_servers_changes_no_step(
    email: str,
    servers: tuple[ServerProfile, ...],
    make: Callable[[int], ServerProfile],
) -> None:
    few = CountingDirectory([*_crowd(make, 10), *servers])
    many = CountingDirectory([*_crowd(make, 5000), *servers])
    for request in (written_by(ANNA, email=email), written_by(BEN, email=email)):
        assert decide(request, few) == decide(request, many)
    assert few.visits == many.visits


def test_foreign_ids_are_nobodys() -> None:
    """The unrelated servers really belong to nobody that a mail is sent for."""
    assert FOREIGN_USER_ID not in USER_IDS
    assert FOREIGN_COMPANY_ID not in COMPANY_IDS
