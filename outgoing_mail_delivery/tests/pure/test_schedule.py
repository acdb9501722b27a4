"""When mails are tried again: the contract's table, settings, and any of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...delivery import settings
from ...delivery.schedule import (
    JITTER,
    PLANS,
    Plan,
    next_try,
    parse_plan,
    parse_times,
    show_times,
)
from ...delivery.types import Lane

MINUTE, HOUR, DAY = 60, 3600, 86400

#: Lane, minutes of the first tries, then every so many, hours until it is given up.
TABLE = [
    (Lane.URGENT, [1, 2, 5, 10], 15, 4),
    (Lane.NORMAL, [5, 15, 30, 60, 120], 240, 4 * 24),
    (Lane.BULK, [15, 30, 60, 120, 240], 360, 2 * 24),
]

plans = st.builds(
    Plan,
    st.lists(st.integers(1, DAY), min_size=1, max_size=6).map(tuple),
    st.integers(1, DAY),
    st.integers(1, 7 * DAY),
)
chances = st.floats(0, 1)
waits = st.none() | st.integers(0, DAY)


@pytest.mark.parametrize(("lane", "first", "every", "hours"), TABLE)
def test_lane_is_tried_as_the_contract_says(
    lane: Lane, first: list[int], every: int, hours: int
) -> None:
    plan = PLANS[lane]
    expected = [*first, every, every, every]
    found = [plan.wait_after(tries, 0.5) for tries in range(1, len(expected) + 1)]
    assert [round(seconds / MINUTE) for seconds in found] == expected
    assert plan.give_up_after == hours * HOUR
    assert next_try(plan, 99, hours * HOUR, 0.5) is None


def tries_of(plan: Plan, chance: float) -> list[float]:
    """The ages at which a mail is tried that is always put off."""
    ages, age = [0.0], 0.0
    while (wait := next_try(plan, len(ages), age, chance)) is not None:
        age += wait
        ages.append(age)
    return ages


@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_last_try_is_at_the_age_of_giving_up(lane: Lane, chance: float) -> None:
    plan = PLANS[lane]
    ages = tries_of(plan, chance)
    assert ages[-1] == pytest.approx(plan.give_up_after)
    assert 8 < len(ages) < 40


@given(plans, st.integers(0, 20), st.floats(0, 8 * DAY), chances, waits)
def test_next_try_keeps_its_bounds(
    plan: Plan, tries: int, age: float, chance: float, wait: int | None
) -> None:
    seconds = next_try(plan, tries, age, chance, wait)
    left = plan.give_up_after - age
    if seconds is None:
        assert left <= 0 or (wait is not None and wait > left)
        return
    assert 0 < seconds <= left
    assert seconds >= (wait or 0)
    usual = plan.wait_after(tries, 0.5)
    longest = max(usual * (1 + JITTER), wait or 0)
    shortest = min(usual * (1 - JITTER), left)
    assert shortest - 1e-6 <= seconds <= longest + 1e-6


@given(st.lists(st.integers(1, 30 * DAY), min_size=1, max_size=8).map(tuple))
def test_shown_times_are_read_as_they_were(times: tuple[int, ...]) -> None:
    assert parse_times("normal", show_times(times)) == times


BAD = [
    (("", "4 h", "4 days"), settings.NoTries),
    ((" , ,", "4 h", "4 days"), settings.NoTries),
    (("soon", "4 h", "4 days"), settings.NotATime),
    (("5", "4 h", "4 days"), settings.NotATime),
    (("5 weeks", "4 h", "4 days"), settings.NotATime),
    (("5 min", "4", "4 days"), settings.NotATime),
    ((f"{'9' * 400} min", "4 h", "4 days"), settings.NotATime),
    (("5 min", "1 h, 2 h", "4 days"), settings.NotATime),
    (("5 min", "4 h", ""), settings.NotATime),
    (("0 min", "4 h", "4 days"), settings.NotPositive),
    (("5 min", "-4 h", "4 days"), settings.NotPositive),
    (("5 min", "4 h", "-1 days"), settings.NotPositive),
    (("5 min, 1 h", "4 h", "1 min"), settings.GivesUpTooSoon),
]


@pytest.mark.parametrize(("texts", "error"), BAD)
def test_settings_that_contradict_say_what_to_do(
    texts: tuple[str, str, str], error: type[settings.SettingError]
) -> None:
    with pytest.raises(error) as raised:
        parse_plan("Tries of bulk mail", *texts)
    assert "Tries of bulk mail" in str(raised.value)
    assert str(raised.value).endswith((".", "days."))
    assert "%(" not in str(raised.value)


@given(st.text(max_size=30), st.text(max_size=10), st.text(max_size=10))
def test_any_text_is_a_plan_or_a_clear_error(
    first: str, every: str, give_up_after: str
) -> None:
    try:
        plan = parse_plan("normal", first, every, give_up_after)
    except settings.SettingError:
        return
    assert plan.first and min(*plan.first, plan.every, plan.give_up_after) > 0
