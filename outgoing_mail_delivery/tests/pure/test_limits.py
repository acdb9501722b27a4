"""How much servers take: budgets against a simple count, and lanes in their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...delivery import settings
from ...delivery.limits import (
    DAY,
    HOUR,
    MINUTE,
    Limits,
    Span,
    checked,
    pace,
    room,
    room_at,
    sessions_for,
    shares,
    used,
)
from ...delivery.types import Lane

NOW = 100_000.0

spans_before_now = st.lists(
    st.builds(Span, st.floats(0, NOW), st.integers(1, 40)), max_size=30
)
some_limits = st.builds(
    Limits,
    per_minute=st.integers(0, 50),
    per_hour=st.integers(0, 300),
    per_day=st.integers(0, 1000),
)
waiting_mail = st.fixed_dictionaries({lane: st.integers(0, 200) for lane in Lane})


@given(some_limits, spans_before_now)
def test_room_is_what_no_window_lacks(limits: Limits, spans: list[Span]) -> None:
    left = room(limits, spans, NOW)
    if not limits.windows:
        assert left is None
        return
    assert left is not None and left >= 0
    for length, limit in limits.windows:
        within = sum(s.recipients for s in spans if s.began > NOW - length)
        assert left == 0 or within + left <= limit


@given(some_limits, spans_before_now, st.integers(1, 60))
def test_room_comes_when_it_is_said_to_and_not_before(
    limits: Limits, spans: list[Span], wanted: int
) -> None:
    at = room_at(limits, spans, NOW, wanted)
    most = min([wanted, *(limit for _length, limit in limits.windows)])
    found = room(limits, spans, at)
    assert found is None or found >= most
    if at > NOW:
        before = room(limits, spans, at - 0.001)
        assert before is not None and before < most


@given(some_limits, spans_before_now, waiting_mail)
def test_shares_keep_the_budget_and_serve_higher_lanes_first(
    limits: Limits, spans: list[Span], waiting: dict[Lane, int]
) -> None:
    given_ = shares(limits, spans, NOW, waiting)
    left = room(limits, spans, NOW)
    assert all(0 <= given_[lane] <= waiting[lane] for lane in Lane)
    if left is None:
        assert given_ == waiting
        return
    assert sum(given_.values()) <= left
    for higher, lower in ((Lane.URGENT, Lane.NORMAL), (Lane.NORMAL, Lane.BULK)):
        if given_[lower]:
            assert given_[higher] == waiting[higher]


def test_bulk_leaves_a_part_of_the_budget() -> None:
    limits = Limits(per_day=1000)
    given_ = shares(limits, [], NOW, {Lane.BULK: 5000})
    assert given_[Lane.BULK] == 900
    given_ = shares(limits, [Span(NOW, 900)], NOW, {Lane.BULK: 50, Lane.URGENT: 50})
    assert (given_[Lane.URGENT], given_[Lane.BULK]) == (50, 0)


@given(st.integers(1, 20))
def test_bulk_never_has_all_sessions_but_where_there_is_one(connections: int) -> None:
    for lane in (Lane.URGENT, Lane.NORMAL):
        assert sessions_for(lane, connections) == connections
    bulk = sessions_for(Lane.BULK, connections)
    assert bulk == 1 if connections == 1 else bulk == connections - 1


def test_pace_is_told_with_the_facts_of_its_sentence() -> None:
    spans = [Span(NOW - 3 * HOUR, 1040), Span(NOW - 1800, 200)]
    found = pace(DAY, 2000, spans, NOW)
    assert (found.used, found.limit) == (1240, 2000)
    # 760 more at 200 an hour
    assert found.reached_at == pytest.approx(NOW + 760 / 200 * HOUR, abs=1)
    assert pace(DAY, 2000, [Span(NOW - 3 * HOUR, 1240)], NOW).reached_at is None
    assert pace(DAY, 1240, spans, NOW).reached_at == NOW


@given(spans_before_now, st.integers(1, 500), st.sampled_from([MINUTE, HOUR, DAY]))
def test_pace_reaches_a_limit_after_now_and_while_what_counts_counts(
    spans: list[Span], limit: int, length: int
) -> None:
    found = pace(length, limit, spans, NOW)
    assert found.used == used(spans, length, NOW)
    if found.used >= limit:
        assert found.reached_at == NOW
    elif found.reached_at is not None:
        assert NOW - 1 <= found.reached_at <= NOW + length + 1


BAD = [
    (Limits(per_minute=-1), settings.Negative, "limit_per_minute"),
    (Limits(per_day=-5), settings.Negative, "limit_per_day"),
    (Limits(max_connections=0), settings.NotPositive, "max_connections"),
    (
        Limits(max_messages_per_connection=-1),
        settings.NotPositive,
        "max_messages_per_connection",
    ),
    (Limits(per_minute=10, per_day=5), settings.Contradicts, "limit_per_minute"),
    (Limits(per_hour=10, per_day=5), settings.Contradicts, "limit_per_day"),
]


@pytest.mark.parametrize(("limits", "error", "name"), BAD)
def test_limits_that_contradict_say_what_to_do(
    limits: Limits, error: type[settings.SettingError], name: str
) -> None:
    with pytest.raises(error, match=name):
        checked(limits)
