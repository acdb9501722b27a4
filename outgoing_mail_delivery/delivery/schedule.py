"""When a mail is tried again, and when it is given up.

A mail's number of tries is counted for the troubles that are its own; its age counts
for every trouble. Five minutes is quicker than RFC 5321, section 4.5.4.1 advises
between strangers, and right for greylisting relays of our own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from .settings import GivesUpTooSoon, NotATime, NotPositive, NoTries
from .types import Lane

#: How far a try may be from its time, so that mails put off together do not come back
#: together.
JITTER = 0.1
#: An author is told once of a mail that is as late as this.
LATE = 4 * 3600

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"(-?\d{1,9}(?:\.\d+)?)\s*(s|m|h|d|)(?:ec|in|inute|our|ay)?s?", re.I)
_SHOWN = (("days", 86400), ("h", 3600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Plan:
    """When the mails of a lane are tried again; all in seconds.

    :param first: the waits after the first tries
    :param every: the wait after each further one
    :param give_up_after: the age at which a mail is given up
    """

    first: tuple[int, ...]
    every: int
    give_up_after: int

    def wait_after(self, tries: int, chance: float) -> float:
        """The seconds to wait after so many tries.

        :param chance: from 0 to 1, whichever comes

        >>> plan = PLANS[Lane.NORMAL]
        >>> [round(plan.wait_after(tries, 0.5) / 60) for tries in range(1, 8)]
        [5, 15, 30, 60, 120, 240, 240]
        >>> round(plan.wait_after(1, 0.0)), round(plan.wait_after(1, 1.0))
        (270, 330)
        """
        after = self.first[tries - 1] if 0 < tries <= len(self.first) else self.every
        return after * (1 - JITTER + 2 * JITTER * chance)


#: What is delivered; settings change it.
PLANS = MappingProxyType(
    {
        Lane.URGENT: Plan((60, 120, 300, 600), 900, 4 * 3600),
        Lane.NORMAL: Plan((300, 900, 1800, 3600, 7200), 4 * 3600, 4 * 86400),
        Lane.BULK: Plan((900, 1800, 3600, 7200, 14400), 6 * 3600, 2 * 86400),
    }
)


def next_try(
    plan: Plan, tries: int, age: float, chance: float, wait: float | None = None
) -> float | None:
    """The seconds until a mail's next try, ``None`` where it is given up.

    The last try is at the very age at which a mail is given up. Where the answer itself
    asks for a longer wait than that, no try is left.

    :param tries: how often it was tried, for troubles of its own
    :param age: how old it is, in seconds
    :param chance: from 0 to 1, whichever comes
    :param wait: what the answer itself asks for

    >>> plan = Plan(first=(60,), every=600, give_up_after=3600)
    >>> next_try(plan, 1, age=10, chance=0.5), next_try(plan, 2, age=70, chance=0.5)
    (60.0, 600.0)
    >>> next_try(plan, 1, age=10, chance=0.5, wait=900)
    900
    >>> next_try(plan, 8, age=3500, chance=0.5)
    100
    >>> next_try(plan, 9, age=3600, chance=0.5) is None
    True
    >>> next_try(plan, 8, age=3500, chance=0.5, wait=900) is None
    True
    """
    left = plan.give_up_after - age
    if left <= 0 or (wait or 0) > left:
        return None
    return min(max(plan.wait_after(tries, chance), wait or 0), left)


def parse_plan(setting: str, first: str, every: str, give_up_after: str) -> Plan:
    """Read a plan from settings.

    :param setting: what the administrator knows it as
    :raise SettingError: with what is wrong, and what to do

    >>> plan = parse_plan("normal", "5, 15, 30 min, 1, 2 h", "4 h", "4 days")
    >>> plan == PLANS[Lane.NORMAL]
    True
    >>> def refused(*texts):
    ...     try:
    ...         parse_plan("normal", *texts)
    ...     except ValueError as error:
    ...         print(error)
    >>> refused("", "4 h", "4 days")
    normal names no tries. Write at least one time, as in "5, 15, 30 min".
    >>> refused("5 min", "4 h", "-1 days")
    normal is -1 days. Write more than zero.
    >>> refused("5 min", "4 h", "1 min")
    normal gives a mail up before its first try again. Write a longer time for giving \
up, or shorter ones for tries.
    >>> refused("1, soon", "4 h", "4 days")
    "soon" in normal is no time. Write numbers with s, min, h or days, as in "5, 15, \
30 min, 1 h".
    """
    tries = parse_times(setting, first)
    if not tries:
        raise NoTries(setting=setting)
    plan = Plan(tries, _one(setting, every), _one(setting, give_up_after))
    if plan.give_up_after < tries[0]:
        raise GivesUpTooSoon(setting=setting)
    return plan


def parse_times(setting: str, text: str) -> tuple[int, ...]:
    """Read durations; a number without a unit has that of the next one.

    :raise SettingError: a part is no duration, or none that is longer than nothing

    >>> parse_times("urgent", "1, 2, 5, 10 min, 1 h")
    (60, 120, 300, 600, 3600)
    """
    seconds: list[int] = []
    unit = 0
    for part in reversed([part.strip() for part in text.split(",") if part.strip()]):
        found = _TIME.fullmatch(part)
        unit = _UNITS.get(found.group(2).lower(), unit) if found else 0
        if not found or not unit:
            raise NotATime(setting=setting, text=part)
        value = round(float(found.group(1)) * unit)
        if value <= 0:
            raise NotPositive(setting=setting, text=part)
        seconds.insert(0, value)
    return tuple(seconds)


def _one(setting: str, text: str) -> int:
    times = parse_times(setting, text)
    if len(times) != 1:
        raise NotATime(setting=setting, text=text)
    return times[0]


def show_times(times: tuple[int, ...]) -> str:
    """Durations as an administrator would write them.

    >>> show_times((300, 900, 5400, 7200, 172800))
    '5 min, 15 min, 90 min, 2 h, 2 days'
    """
    return ", ".join(_shown(seconds) for seconds in times)


def _shown(seconds: int) -> str:
    name, unit = next((n, u) for n, u in _SHOWN if seconds % u == 0)
    return f"{seconds // unit} {name}"
