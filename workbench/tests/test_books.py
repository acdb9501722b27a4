"""The comparison of books would notice every way in which they can disagree."""

import doctest
from collections.abc import Mapping, Sequence

import pytest

from bookkeeping import ledger, plan, reading, run
from bookkeeping.ledger import (
    Accepted,
    Entry,
    Facts,
    Kind,
    Planned,
    Report,
    Said,
    State,
    compare,
)
from bookkeeping.reading import Attempt, Death
from workbench import cli

ANNA, BEN = Entry("<1@x>", "anna@x.example"), Entry("<1@x>", "ben@x.example")
CARL = Entry("<2@x>", "carl@x.example")
SENT, WAITING = Said(State.SENT), Said(State.WAITING)
UNKNOWN = Said(State.UNKNOWN)
NO_USER = Said(State.FAILED, "550 5.1.1 No such user here")
BY_ONE, BY_TWO = Accepted("One", ANNA), Accepted("Two", ANNA)


def books(
    said: Mapping[Entry, Said],
    accepted: Sequence[Accepted] = (),
    *,
    forsaken: Sequence[Entry] = (),
    deaths: Mapping[str, int] | None = None,
    impossible: bool = False,
    made: Sequence[Entry] = (ANNA,),
) -> Report:
    """Compare books of a few entries on the server One."""
    planned = {entry: Planned("One", impossible) for entry in made}
    replies = ["No such user"]
    return compare(Facts(planned, accepted, said, set(forsaken), deaths or {}, replies))


def kinds(report: Report) -> list[Kind]:
    return [fault.kind for fault in report.faults]


@pytest.mark.parametrize(
    ("said", "accepted", "column"),
    [
        (SENT, [BY_ONE], "accepted"),
        (WAITING, [], "waiting"),
        (NO_USER, [], "failed"),
    ],
)
def test_books_agree_and_are_counted(
    said: Said, accepted: list[Accepted], column: str
) -> None:
    report = books({ANNA: said}, accepted)
    assert report.right
    assert {k: v for k, v in report.counts["One"].items() if v} == {
        "entries": 1,
        column: 1,
    }


@pytest.mark.parametrize(
    ("said", "accepted", "kind"),
    [
        (SENT, [BY_ONE, BY_ONE], Kind.DOUBLE),
        (SENT, [BY_ONE, BY_TWO], Kind.DOUBLE),
        (SENT, [], Kind.FALSELY_SENT),
        (None, [], Kind.LOST),
        (Said(State.SENDING), [], Kind.UNSETTLED),
        (Said(State.SENDING), [BY_ONE], Kind.UNSETTLED),
        (NO_USER, [BY_ONE], Kind.FALSELY_FAILED),
        (WAITING, [BY_ONE], Kind.WOULD_DOUBLE),
        (Said(State.FAILED, "Connection refused"), [], Kind.NO_REASON),
        (Said(State.FAILED), [], Kind.NO_REASON),
        (UNKNOWN, [], Kind.UNEXPLAINED),
        (UNKNOWN, [BY_ONE], Kind.UNEXPLAINED),
    ],
)
def test_disagreement_is_found(
    said: Said | None, accepted: list[Accepted], kind: Kind
) -> None:
    report = books({ANNA: said} if said else {}, accepted)
    assert kinds(report) == [kind] and not report.right
    counted = report.counts["One"]
    assert counted["double"] == (kind is Kind.DOUBLE)
    assert counted["lost"] == (kind in ledger.LOST)
    assert report.faults[0].entry.recipient in str(report.faults[0])


def test_accepted_without_having_been_made_is_found() -> None:
    assert kinds(books({ANNA: SENT}, [BY_ONE, Accepted("One", BEN)])) == [Kind.STRANGER]


def test_what_nobody_can_take_fails_for_a_reason_of_its_own() -> None:
    own = Said(State.FAILED, "No recipient")
    assert books({ANNA: own}, impossible=True).right
    assert kinds(books({ANNA: Said(State.FAILED, " ")}, impossible=True)) == [
        Kind.NO_REASON
    ]


def test_lost_answer_explains_an_unknown_of_that_very_entry() -> None:
    said = {ANNA: UNKNOWN, CARL: UNKNOWN}
    report = books(said, [BY_ONE], forsaken=[ANNA], made=[ANNA, CARL])
    assert [(fault.kind, fault.entry) for fault in report.faults] == [
        (Kind.UNEXPLAINED, CARL)
    ]


def test_death_explains_one_message_for_each_session_it_interrupted() -> None:
    killed = Said(State.UNKNOWN, death="kill 1")
    # two recipients of one message count once
    said, made = {ANNA: killed, BEN: killed}, [ANNA, BEN, CARL]
    assert books(said, deaths={"kill 1": 1}, made=[ANNA, BEN]).right
    said[CARL] = killed
    assert books(said, deaths={"kill 1": 2}, made=made).right
    assert kinds(books(said, deaths={"kill 1": 1}, made=made)) == [Kind.UNEXPLAINED]
    assert len(books(said, deaths={"kill 2": 9}, made=made).faults) == 3


@pytest.mark.parametrize(
    ("mail", "attempt", "together"),
    [
        # what waits will be sent, whatever was said of it before
        (State.WAITING, State.SENT, State.WAITING),
        (State.WAITING, State.UNKNOWN, State.WAITING),
        (State.WAITING, State.SENDING, State.SENDING),
        # of a mail that is done each recipient fared in a way of its own
        (State.SENT, State.SENT, State.SENT),
        (State.SENT, State.FAILED, State.FAILED),
        # nobody will try again what was put off, nor ask about what may have arrived
        (State.SENT, State.WAITING, State.SENT),
        (State.SENT, State.UNKNOWN, State.SENT),
        (State.FAILED, State.UNKNOWN, State.UNKNOWN),
        (State.FAILED, State.FAILED, State.FAILED),
        (State.FAILED, State.WAITING, State.FAILED),
        (State.FAILED, State.SENT, State.FAILED),
        (State.SENT, None, State.SENT),
    ],
)
def test_mail_and_attempt_say_one_thing_together(
    mail: State, attempt: State | None, together: State
) -> None:
    said = Said(attempt, "by attempt") if attempt else None
    found = reading.together(Said(mail, "by mail"), said)
    assert found.state is together
    assert found.reason == ("by attempt" if attempt is together else "by mail")


def test_death_explains_what_it_interrupted_alone() -> None:
    attempt = Attempt("unknown", 0, "", 7, "One", started_at=100.0, duration=5.0)
    assert Death("kill", 103.0, 103.0, 2, run_ids=[7]).explains(attempt)
    assert not Death("kill", 103.0, 103.0, 2, run_ids=[8]).explains(attempt)
    for since, until, explains in (
        (103.0, 103.5, True),
        (90.0, 99.0, True),
        (80.0, 90.0, False),
        (120.0, 121.0, False),
    ):
        ended = Death("end", since, until, 2, server="One")
        assert ended.explains(attempt) == explains
    assert not Death("end", 103.0, 103.5, 2, server="Two").explains(attempt)


def test_table_has_a_line_for_each_server_and_their_sum() -> None:
    planned = {ANNA: Planned("One"), CARL: Planned("Two")}
    said = {ANNA: SENT, CARL: UNKNOWN}
    facts = Facts(planned, [BY_ONE, BY_ONE], said, {CARL}, {}, [])
    lines = compare(facts).table().splitlines()
    assert [line.split() for line in lines] == [
        list(ledger.HEADINGS),
        ["One", "1", "1", "1", "0", "0", "0", "0"],
        ["Two", "1", "0", "0", "0", "0", "0", "1"],
        ["all", "2", "1", "1", "0", "0", "0", "1"],
    ]
    outcome = doctest.testmod(ledger)
    assert outcome.attempted and not outcome.failed


def test_seed_tells_the_whole_plan() -> None:
    made = plan.make(400, 10, faults=True, seed=7)
    assert made == plan.make(400, 10, faults=True, seed=7)
    assert made != plan.make(400, 10, faults=True, seed=8)
    assert {mail.kind for mail in made.mails} == set(plan.KINDS)
    assert {mail.lane for mail in made.mails} == set(plan.LANES)
    assert {mail.server for mail in made.mails} == set(range(10))
    addresses = [name for mail in made.mails for name in mail.recipients if name]
    assert len(addresses) == len(set(addresses))
    fates = {address.partition("-")[0] for address in addresses}
    assert fates >= {"refused", "greylisted", "full", "ended", "fine"}


def test_plan_without_faults_has_servers_that_behave() -> None:
    made = plan.make(100, 3, faults=False, seed=7)
    assert not any(it.rules or it.down or it.wrong_password for it in made.servers)
    reachable = [mail for mail in made.mails if not mail.impossible]
    names = {name.partition("-")[0] for mail in reachable for name in mail.recipients}
    assert names == {"fine"}


def test_small_books_are_an_option() -> None:
    options = cli.parse("books", run, ["--small", "--no-faults"])
    assert options.small and not options.faults and options.kills is None
