"""How a server is doing, as a value: each event makes a new one.

Trouble of scope ``server`` suspends it for a time, then one message is the probe;
what only somebody can mend stops it; success heals it at once. A server that asks to be
left in peace is throttled, after Postfix's SCHEDULER_README: rate and connections go
down by half at the start of a series and come back by small steps, a step only after
what the last one allows was all accepted, so that they do not swing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .replies import same_words
from .types import Answer, Cause, Health, Outcome, Phase, Scope, Verdict

#: How long a server is suspended, by the troubles in a row; then always the last one.
SUSPENSIONS = (60, 120, 300, 600, 1800)
#: Refusals further apart than this are of different series.
SERIES = 60
#: How long a throttled server is left alone where it does not say.
PAUSE = 60
#: After so long without a refusal, a throttle is forgotten.
FORGOTTEN = 3600
#: How much of the rate a step gives back.
STEP = 0.1
#: Never less than this many messages a minute.
LEAST_RATE = 1.0
#: Different recipients refused in a row, in the same words, that are no coincidence.
SAME_WORDS = 5


@dataclass(frozen=True, slots=True)
class Throttle:
    """What a server that asked for less is offered.

    ``rate`` are messages a minute and ``connections`` sessions, ``None`` where nothing
    is held back. ``credit`` are the messages accepted since the last step.
    """

    rate: float | None = None
    connections: int | None = None
    paused_until: float = 0.0
    asked_at: float = 0.0
    credit: int = 0

    def __bool__(self) -> bool:
        return self.rate is not None

    def slowed(
        self, now: float, wait: float | None, rate: float, connections: int
    ) -> Throttle:
        """After the server asked for less.

        :param rate: messages a minute that it last took
        :param connections: sessions that it last took them through

        >>> Throttle().slowed(100, None, rate=60, connections=4)
        Throttle(rate=30.0, connections=2, paused_until=160, asked_at=100, credit=0)

        Within a series nothing is halved again:

        >>> _.slowed(130, 300, rate=30, connections=2)
        Throttle(rate=30.0, connections=2, paused_until=430, asked_at=130, credit=0)
        """
        until = max(self.paused_until, now + (PAUSE if wait is None else wait))
        slowed = replace(self, paused_until=until, asked_at=now, credit=0)
        # messages under way when it paused answer during the pause: the same series
        if self and now - max(self.asked_at, self.paused_until) < SERIES:
            return slowed
        return replace(
            slowed,
            rate=max(LEAST_RATE, rate / 2),
            connections=max(1, connections // 2),
        )

    def accepted(self, now: float) -> Throttle:
        """After the server accepted a message.

        >>> slow = Throttle(rate=2.0, connections=1, asked_at=100)
        >>> slow.accepted(200)
        Throttle(rate=2.0, connections=1, paused_until=0.0, asked_at=100, credit=1)
        >>> _.accepted(210)
        Throttle(rate=3.0, connections=2, paused_until=0.0, asked_at=100, credit=0)
        >>> slow.accepted(100 + FORGOTTEN) == Throttle()
        True
        """
        if self.rate is None or self.connections is None:
            return self
        if now - self.asked_at >= FORGOTTEN:
            return Throttle()
        if self.credit + 1 < self.rate:
            return replace(self, credit=self.credit + 1)
        return replace(
            self,
            rate=self.rate + max(1.0, self.rate * STEP),
            connections=self.connections + 1,
            credit=0,
        )


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """How a server is doing, since when, and why in its own words.

    ``until`` is when a suspended server is probed, ``None`` where somebody suspended it
    for as long as they like. ``troubles`` counts those in a row.
    """

    state: Health = Health.OK
    since: float = 0.0
    until: float | None = None
    troubles: int = 0
    cause: Cause | None = None
    words: str = ""
    throttle: Throttle = Throttle()


#: How many messages at once may be offered to a server now.
NOTHING, PROBE, ALL = 0, 1, None


def may_offer(health: ServerHealth, now: float) -> int | None:
    """How many messages may be offered: ``NOTHING``, one ``PROBE``, or ``ALL``.

    >>> down = troubled(ServerHealth(), Verdict(
    ...     Outcome.DEFERRED, Scope.SERVER, Cause.CONNECTION), "refused", now=1000)
    >>> may_offer(down, 1059), may_offer(down, 1060), may_offer(ServerHealth(), 0)
    (0, 1, None)
    """
    if health.state is Health.STOPPED:
        return NOTHING
    if health.state is Health.SUSPENDED:
        probes = health.until is not None and health.until <= now
        return PROBE if probes else NOTHING
    if health.throttle.paused_until > now:
        return NOTHING
    return ALL


def troubled(
    health: ServerHealth, verdict: Verdict, words: str, now: float
) -> ServerHealth:
    """After an answer of scope ``server`` that is no throttling.

    >>> refused = Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.CONNECTION)
    >>> health, now, waits = ServerHealth(), 0.0, []
    >>> for _ in range(7):
    ...     health = troubled(health, refused, "refused", now)
    ...     waits.append(int(health.until - now) // 60)
    ...     now = health.until
    >>> waits, health.since, health.troubles
    ([1, 2, 5, 10, 30, 30, 30], 0.0, 7)

    Several sessions that fail together are one trouble:

    >>> troubled(health, refused, "refused", now - 1) == health
    True

    >>> login = Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.LOGIN)
    >>> troubled(health, login, "535 wrong password", now).state
    <Health.STOPPED: 'stopped'>
    """
    if health.state is Health.STOPPED:
        return health
    since = health.since if health.state is Health.SUSPENDED else now
    told = replace(health, since=since, cause=verdict.cause, words=words)
    if verdict.stops_server:
        return replace(told, state=Health.STOPPED, since=now, until=None)
    if health.state is Health.SUSPENDED and (
        health.until is None or now < health.until
    ):
        return health
    length = SUSPENSIONS[min(health.troubles, len(SUSPENSIONS) - 1)]
    return replace(
        told,
        state=Health.SUSPENDED,
        until=now + max(length, verdict.wait or 0),
        troubles=health.troubles + 1,
    )


def throttled(
    health: ServerHealth,
    verdict: Verdict,
    words: str,
    now: float,
    *,
    rate: float,
    connections: int,
) -> ServerHealth:
    """After a server asked for less.

    :param rate: messages a minute that it last took
    :param connections: sessions that it last took them through

    >>> slow = Verdict(Outcome.THROTTLED, Scope.SERVER, Cause.QUOTA, wait=30)
    >>> health = throttled(ServerHealth(), slow, "slow down", 100, rate=60,
    ...                    connections=2)
    >>> health.state, health.throttle.paused_until, may_offer(health, 120)
    (<Health.LIMITED: 'limited'>, 130, 0)
    """
    throttle = health.throttle.slowed(now, verdict.wait, rate, connections)
    if health.state in (Health.SUSPENDED, Health.STOPPED):
        return replace(health, throttle=throttle)
    since = health.since if health.state is Health.LIMITED else now
    return replace(
        health,
        state=Health.LIMITED,
        since=since,
        cause=verdict.cause,
        words=words,
        throttle=throttle,
    )


def accepted(health: ServerHealth, now: float) -> ServerHealth:
    """After a server accepted a message: it is well at once, but for its throttle.

    One that somebody suspended or that was stopped stays so: what was under way is
    no sign that it was mended.

    >>> down = ServerHealth(Health.SUSPENDED, until=60, troubles=3)
    >>> accepted(down, 61).state, accepted(down, 61).troubles
    (<Health.OK: 'ok'>, 0)
    """
    throttle = health.throttle.accepted(now)
    by_hand = health.state is Health.SUSPENDED and health.until is None
    if by_hand or health.state is Health.STOPPED:
        return replace(health, throttle=throttle)
    state = Health.LIMITED if throttle else Health.OK
    if state is health.state:
        return replace(health, throttle=throttle, troubles=0)
    if throttle:
        return ServerHealth(state, now, cause=Cause.QUOTA, throttle=throttle)
    return ServerHealth(since=now)


def suspended_by_hand(health: ServerHealth, words: str, now: float) -> ServerHealth:
    """After somebody suspended it, until they resume it."""
    return replace(
        health, state=Health.SUSPENDED, since=now, until=None, cause=None, words=words
    )


def resumed(now: float) -> ServerHealth:
    """After somebody mended or resumed it: nothing is held against it."""
    return ServerHealth(since=now)


# ----------------------------------------------------------------------
# The breaker
# ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Breaker:
    """Refusals of recipients in a row, as far as they are in the same words.

    >>> breaker = Breaker()
    >>> for name in "abcde":
    ...     breaker = breaker.refused(f"{name}@x.example", f"<{name}@x> No", name)
    >>> breaker.tripped, breaker.keys
    (True, ('a', 'b', 'c', 'd', 'e'))
    >>> breaker.accepted().tripped
    False
    """

    words: str = ""
    recipients: tuple[str, ...] = ()
    keys: tuple[object, ...] = ()

    @property
    def tripped(self) -> bool:
        """Whether it is the server's trouble, and what was refused is put back."""
        return len(self.recipients) >= SAME_WORDS

    def refused(self, recipient: str, text: str, key: object) -> Breaker:
        """After a recipient was refused; ``key`` is the caller's name for it."""
        words, recipient = same_words(text), recipient.lower()
        if words != self.words:
            return Breaker(words, (recipient,), (key,))
        known = recipient in self.recipients
        recipients = self.recipients if known else (*self.recipients, recipient)
        return Breaker(words, recipients, (*self.keys, key))

    def accepted(self) -> Breaker:
        """After a recipient was accepted."""
        return Breaker()

    def verdict(self) -> Verdict:
        """What becomes of all that was refused so, once it has tripped."""
        return Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.POLICY)


def counts_for_breaker(answer: Answer, verdict: Verdict) -> bool:
    """Whether a refusal is one of a recipient, by the server's own answer."""
    return (
        answer.code is not None
        and verdict.outcome is Outcome.REFUSED
        and (verdict.scope is Scope.RECIPIENT or answer.phase is Phase.RCPT)
    )
