"""How servers do: suspensions, throttles and the breaker, over any order of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ...delivery import health as health_module
from ...delivery.health import (
    ALL,
    FORGOTTEN,
    LEAST_RATE,
    NOTHING,
    PROBE,
    SERIES,
    Breaker,
    ServerHealth,
    Throttle,
    accepted,
    counts_for_breaker,
    may_offer,
    resumed,
    suspended_by_hand,
    throttled,
    troubled,
)
from ...delivery.replies import classify
from ...delivery.types import Answer, Cause, Health, Outcome, Phase, Scope, Verdict

DOWN = Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.CONNECTION)
LOGIN = Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.LOGIN)
SETTINGS = Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.CONFIGURATION)
SLOWER = Verdict(Outcome.THROTTLED, Scope.SERVER, Cause.QUOTA)


def slowed(health: ServerHealth, now: float, wait: int | None = None) -> ServerHealth:
    """After the server asked for less, at 60 messages a minute by two sessions."""
    verdict = replace(SLOWER, wait=wait)
    return throttled(health, verdict, "slow down", now, rate=60, connections=2)


# ----------------------------------------------------------------------
# Suspended and stopped
# ----------------------------------------------------------------------


def test_server_in_trouble_is_probed_ever_later() -> None:
    health, now = ServerHealth(), 1000.0
    for minutes in (1, 2, 5, 10, 30, 30, 30):
        health = troubled(health, DOWN, "refused", now)
        assert health.state is Health.SUSPENDED
        assert health.until is not None
        assert health.until - now == minutes * 60
        assert may_offer(health, health.until - 1) == NOTHING
        assert may_offer(health, health.until) == PROBE
        now = health.until
    assert (health.since, health.words) == (1000.0, "refused")


def test_success_heals_at_once() -> None:
    health = troubled(troubled(ServerHealth(), DOWN, "x", 0), DOWN, "x", 60)
    health = accepted(health, 200)
    assert (health, may_offer(health, 200)) == (ServerHealth(since=200), ALL)
    assert troubled(health, DOWN, "x", 300).until == 360


@pytest.mark.parametrize("verdict", [LOGIN, SETTINGS])
def test_what_must_be_mended_stops_it_until_somebody_did(verdict: Verdict) -> None:
    health = troubled(ServerHealth(), verdict, "535 wrong", 0)
    assert health.state is Health.STOPPED
    assert may_offer(health, 10**9) == NOTHING
    # neither what was under way nor further trouble changes that
    assert accepted(health, 5).state is Health.STOPPED
    assert troubled(health, DOWN, "refused", 5) == health
    assert slowed(health, 5).state is Health.STOPPED
    assert may_offer(resumed(10), 10) == ALL


def test_suspension_by_hand_lasts_until_it_is_resumed() -> None:
    health = suspended_by_hand(ServerHealth(), "maintenance", 0)
    assert may_offer(health, 10**9) == NOTHING
    assert accepted(health, 5).state is Health.SUSPENDED
    assert troubled(health, DOWN, "refused", 5) == health


def test_answer_asks_for_a_longer_suspension() -> None:
    health = troubled(ServerHealth(), replace(DOWN, wait=900), "later", 0)
    assert health.until == 900


# ----------------------------------------------------------------------
# Throttled
# ----------------------------------------------------------------------


def test_throttle_halves_once_a_series_and_waits_as_long_as_asked() -> None:
    health = slowed(ServerHealth(), 100, wait=30)
    assert (health.state, may_offer(health, 129)) == (Health.LIMITED, NOTHING)
    assert may_offer(health, 130) == ALL
    assert (health.throttle.rate, health.throttle.connections) == (30, 1)
    again = slowed(health, 131)
    assert again.throttle.rate == 30
    later = slowed(again, again.throttle.paused_until + SERIES)
    assert later.throttle.rate == 30  # half of the 60 that it took meanwhile


def test_throttle_comes_back_by_small_steps_and_is_forgotten() -> None:
    throttle = Throttle().slowed(0, None, rate=60, connections=4)
    rates = [throttle.rate]
    for second in range(1, 3000, 2):
        throttle = throttle.accepted(second)
        if throttle.rate != rates[-1]:
            rates.append(throttle.rate)
    steps = [b / a for a, b in zip(rates, rates[1:], strict=False) if a and b]
    assert len(steps) > 5 and max(steps) < 1.15
    assert throttle.accepted(FORGOTTEN) == Throttle()


def test_throttled_server_is_well_again_after_an_hour() -> None:
    health = slowed(ServerHealth(), 0)
    assert accepted(health, 100).state is Health.LIMITED
    assert accepted(health, FORGOTTEN).state is Health.OK


# ----------------------------------------------------------------------
# Any order of events
# ----------------------------------------------------------------------

events = st.lists(
    st.tuples(
        st.sampled_from(["down", "login", "slower", "accepted", "hand", "resumed"]),
        st.floats(0, 4000),
        st.none() | st.integers(0, 7200),
    ),
    max_size=40,
)


@given(events)
@example([("down", 0.0, None), ("slower", 0.0, None), ("accepted", 0.0, None)])
def test_health_is_sound_after_any_events(
    history: list[tuple[str, float, int | None]],
) -> None:
    health, now = ServerHealth(), 0.0
    for what, later, wait in history:
        now += later
        before = health
        health = _after(what, health, now, wait)
        assert (health.state is Health.SUSPENDED) or health.until is None
        assert health.throttle.rate is None or health.throttle.rate >= LEAST_RATE
        assert health.throttle.connections is None or health.throttle.connections >= 1
        assert health.since <= now
        if before.state is Health.STOPPED and what != "resumed" and what != "hand":
            assert health.state is Health.STOPPED
        if health.state is Health.OK:
            assert may_offer(health, now) == ALL
        if health.state is Health.SUSPENDED and health.until is not None:
            longest = max(health_module.SUSPENSIONS[-1], 7200)
            assert health.until <= now + longest


def _after(
    what: str, health: ServerHealth, now: float, wait: int | None
) -> ServerHealth:
    if what == "down":
        return troubled(health, replace(DOWN, wait=wait), what, now)
    if what == "login":
        return troubled(health, LOGIN, what, now)
    if what == "slower":
        return slowed(health, now, wait)
    if what == "accepted":
        return accepted(health, now)
    return suspended_by_hand(health, what, now) if what == "hand" else resumed(now)


# ----------------------------------------------------------------------
# The breaker
# ----------------------------------------------------------------------

WORDS = "550 5.7.1 <{0}>: not today, {1}"


def refusals(*names: str, words: str = WORDS) -> Breaker:
    """A breaker after refusals of these recipients."""
    breaker = Breaker()
    for number, name in enumerate(names):
        text = words.format(f"{name}@x.example", f"ref4Xy{number}Z")
        breaker = breaker.refused(f"{name}@x.example", text, key=name)
    return breaker


def test_breaker_trips_at_five_recipients_in_the_same_words() -> None:
    assert not refusals(*"abcd").tripped
    tripped = refusals(*"abcde")
    assert (tripped.tripped, tripped.keys) == (True, tuple("abcde"))
    assert tripped.verdict().scope is Scope.SERVER
    assert tripped.verdict().outcome is Outcome.DEFERRED


def test_breaker_counts_a_recipient_once_and_puts_all_of_them_back() -> None:
    assert not refusals("a", "b", "c", "d", "d", "d").tripped
    assert refusals("a", "b", "c", "d", "d", "e").keys == tuple("abcdde")


def test_breaker_forgets_at_other_words_and_where_one_is_accepted() -> None:
    breaker = refusals(*"abcd")
    other = breaker.refused("e@x.example", "550 mailbox full", "e")
    assert other.keys == ("e",)
    assert breaker.accepted().refused("e@x.example", "x", "e").keys == ("e",)


def test_breaker_counts_refusals_of_recipients_by_the_server_alone() -> None:
    for code, text, counts in (
        (550, "5.1.1 No such user", True),
        (450, "4.2.0 Later", False),
        (554, "5.7.1 Relay access denied", False),
        (None, "SMTPUTF8 is not offered", False),
    ):
        answer = Answer(Phase.RCPT, code, text)
        verdict = classify(answer.phase, code, text)
        assert counts_for_breaker(answer, verdict) is counts


@given(st.lists(st.sampled_from(["same", "other", "accepted"]), max_size=30))
def test_breaker_trips_only_after_five_in_a_row(history: list[str]) -> None:
    breaker, in_a_row = Breaker(), 0
    last = ""
    for number, what in enumerate(history):
        if what == "accepted":
            breaker, in_a_row = breaker.accepted(), 0
        else:
            in_a_row = in_a_row + 1 if what == last else 1
            breaker = breaker.refused(f"r{number}@x.example", what, number)
        last = what
        assert breaker.tripped == (in_a_row >= 5)
