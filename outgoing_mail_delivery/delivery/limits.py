"""How much a server takes: budgets over rolling windows, in lane order.

What was sent is counted from the journal, over all runs, in spans: how many recipients
in each, and when it began. The same numbers say what a run may offer, when there is
room again, and what the form tells of the pace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .settings import Contradicts, Negative, NotPositive
from .types import Lane

MINUTE, HOUR, DAY = 60, 3600, 86400
#: The share of a budget that bulk mail leaves to what is more urgent.
KEPT_FROM_BULK = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on a server's form; 0 is none, and recipients are what is counted."""

    per_minute: int = 0
    per_hour: int = 0
    per_day: int = 0
    max_connections: int = 2
    max_messages_per_connection: int = 100

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Length in seconds and limit of each window that has one."""
        every = ((MINUTE, self.per_minute), (HOUR, self.per_hour), (DAY, self.per_day))
        return tuple((length, limit) for length, limit in every if limit)


def checked(limits: Limits) -> Limits:
    """Return limits that can be kept.

    :raise SettingError: with what is wrong, and what to do

    >>> checked(Limits(per_minute=10, per_hour=500)).windows
    ((60, 10), (3600, 500))
    >>> def refused(**numbers):
    ...     try:
    ...         checked(Limits(**numbers))
    ...     except ValueError as error:
    ...         print(error)
    >>> refused(per_day=-1)
    limit_per_day is -1. Write zero for no limit, or more.
    >>> refused(per_hour=50, per_day=40)
    limit_per_day is 40, less than limit_per_hour, which is 50. Raise the first or \
lower the second.
    """
    names = {MINUTE: "limit_per_minute", HOUR: "limit_per_hour", DAY: "limit_per_day"}
    numbers = (limits.per_minute, limits.per_hour, limits.per_day)
    for name, number in zip(names.values(), numbers, strict=True):
        if number < 0:
            raise Negative(setting=name, text=number)
    for name in ("max_connections", "max_messages_per_connection"):
        if getattr(limits, name) <= 0:
            raise NotPositive(setting=name, text=getattr(limits, name))
    windows = limits.windows
    for (short, least), (long, most) in zip(windows, windows[1:], strict=False):
        if most < least:
            raise Contradicts(
                setting=names[long], text=most, other=names[short], value=least
            )
    return limits


@dataclass(frozen=True, slots=True)
class Span:
    """Recipients that a server was offered from an instant on, for a short while."""

    began: float
    recipients: int

    def ends(self, length: float) -> float:
        """The instant from which it counts no more in a window."""
        return self.began + length


def used(spans: Iterable[Span], length: float, now: float) -> int:
    """How many recipients count in the window that ends now.

    >>> used([Span(0, 5), Span(50, 3)], 60, now=59), used([Span(0, 5)], 60, now=60)
    (8, 0)
    """
    return sum(span.recipients for span in spans if span.ends(length) > now)


def room(limits: Limits, spans: Iterable[Span], now: float) -> int | None:
    """How many recipients may be offered now, ``None`` for any number.

    >>> limits = Limits(per_minute=10, per_day=20)
    >>> room(limits, [Span(0, 8), Span(50, 7)], now=100), room(Limits(), [], now=0)
    (3, None)
    """
    known = tuple(spans)
    left = [limit - used(known, length, now) for length, limit in limits.windows]
    return max(0, min(left)) if left else None


def room_at(
    limits: Limits, spans: Iterable[Span], now: float, wanted: int = 1
) -> float:
    """When so many recipients may be offered: now, or once earlier ones count no more.

    More than the least limit as a whole is taken for as much as that.

    >>> room_at(Limits(per_minute=10), [Span(0, 8), Span(50, 2)], now=55)
    60
    >>> room_at(Limits(per_minute=10), [Span(0, 8), Span(50, 2)], now=55, wanted=9)
    110
    """
    known = sorted(spans, key=lambda span: span.began)
    ready = now
    wanted = min([wanted, *(limit for _length, limit in limits.windows)])
    for length, limit in limits.windows:
        excess = used(known, length, now) + wanted - limit
        for span in known:
            if excess <= 0:
                break
            if span.ends(length) > now:
                ready = max(ready, span.ends(length))
                excess -= span.recipients
    return ready


def shares(
    limits: Limits, spans: Iterable[Span], now: float, waiting: Mapping[Lane, int]
) -> dict[Lane, int]:
    """How many recipients of each lane may be offered now, higher lanes first.

    Bulk leaves a part of each budget to what may still come and is more urgent.

    >>> limits = Limits(per_hour=100)
    >>> waiting = {Lane.URGENT: 5, Lane.NORMAL: 20, Lane.BULK: 500}
    >>> [share for share in shares(limits, [], 0, waiting).values()]
    [5, 20, 65]
    >>> [share for share in shares(limits, [Span(0, 90)], 1, waiting).values()]
    [5, 5, 0]
    """
    known = tuple(spans)
    left = room(limits, known, now)
    given: dict[Lane, int] = {}
    for lane in Lane:
        wanted = waiting.get(lane, 0)
        open_to = left
        if left is not None and lane is Lane.BULK:
            kept = (
                limit - used(known, length, now) - int(limit * KEPT_FROM_BULK)
                for length, limit in limits.windows
            )
            open_to = max(0, min(left, min(kept) - sum(given.values())))
        given[lane] = wanted if open_to is None else min(wanted, open_to)
        left = None if left is None else left - given[lane]
    return given


def sessions_for(lane: Lane, connections: int) -> int:
    """How many of a server's sessions may carry a lane at once.

    >>> sessions_for(Lane.NORMAL, 4), sessions_for(Lane.BULK, 4)
    (4, 3)
    >>> sessions_for(Lane.BULK, 1)
    1
    """
    return max(1, connections - 1) if lane is Lane.BULK else connections


@dataclass(frozen=True, slots=True)
class Pace:
    """The facts of one sentence: used of the limit, and when it would be reached.

    ``reached_at`` is ``None`` where the pace of the last hour never reaches it, and now
    where it has been.
    """

    used: int
    limit: int
    reached_at: float | None


def pace(length: int, limit: int, spans: Iterable[Span], now: float) -> Pace:
    """At which instant a limit is reached if all goes on as in the last hour.

    What counts no more by then is taken into account.

    >>> pace(DAY, 2000, [Span(0, 700), Span(36000, 540)], now=37800)
    Pace(used=1240, limit=2000, reached_at=42867)
    >>> pace(HOUR, 100, [Span(0, 20)], now=1800).reached_at is None
    True
    >>> pace(DAY, 10, [Span(0, 10)], now=60)
    Pace(used=10, limit=10, reached_at=60)
    """
    known = sorted(spans, key=lambda span: span.began)
    count = used(known, length, now)
    if count >= limit:
        return Pace(count, limit, now)
    speed = used(known, HOUR, now) / HOUR
    if not speed:
        return Pace(count, limit, None)
    counted, at = float(count), now
    leaving = [span for span in known if span.ends(length) > now]
    for span in leaving:
        leaves_at = span.ends(length)
        reached = at + (limit - counted) / speed
        if reached <= leaves_at:
            return Pace(count, limit, round(reached))
        counted += (leaves_at - at) * speed - span.recipients
        at = leaves_at
    return Pace(count, limit, None)
