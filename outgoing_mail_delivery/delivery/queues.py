"""What waits for one server within a run: lanes, room in memory, sessions and pace.

Nothing here knows of threads: :mod:`.pool` asks under its lock.
"""

from __future__ import annotations

import heapq
import itertools
import smtplib
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

from .limits import sessions_for
from .session import Allowance
from .types import Lane, Message, Phase, Result

#: As many messages are kept ready for each session, with those under way.
READY = 8
#: How long a message is thought to take before any was sent, and each byte of it.
FIRST_SECONDS, BYTE_SECONDS = 2.0, 1e-6
#: Sessions in a row that accept nothing, of a server that was well.
TRUSTED_LOSSES = 3
#: Texts from this size on tell how fast bytes go.
LARGE = 1 << 16


@dataclass(frozen=True)
class ServerPlan:
    """What a run does with a server.

    :param key: the caller's name of it
    :param connect: opens a connection that is ready for MAIL, called in the thread that
        needs it; raises what ``smtplib`` and ``socket`` raise
    :param messages: built one by one, as there is room, in the thread of the run; once
        the server is in trouble, no more are asked for
    :param connections: the most sessions at once
    :param rate: the most messages a minute, ``None`` for as fast as it goes
    :param probe: whether one message has to be accepted before anything else is tried
    """

    key: Hashable
    connect: Callable[[], smtplib.SMTP]
    messages: Iterator[Message]
    connections: int = 2
    allowance: Allowance = Allowance()
    rate: float | None = None
    probe: bool = False
    pipelining: bool = True


@dataclass
class ServerQueue:
    """The messages of one server that are built and not yet answered.

    ``expecting`` says that more may come once all is built.

    >>> queue = ServerQueue(ServerPlan("a", smtplib.SMTP, iter(())))
    >>> for number, lane in enumerate([Lane.BULK, Lane.NORMAL, Lane.URGENT]):
    ...     queue.add(Message(number, "", (), b"", lane))
    >>> [queue.take(session=1, now=0.0).lane.value for _ in range(3)]
    ['urgent', 'normal', 'bulk']
    """

    plan: ServerPlan
    size: int = 0
    built_all: bool = False
    expecting: bool = False
    failed: bool = False
    pipelining: bool = True
    limit: int = field(init=False)
    _sources: deque[Iterator[Message]] = field(default_factory=deque)
    _waiting: list[tuple[int, int, Message]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _held: dict[int, list[Message]] = field(default_factory=dict)
    _next_at: float = 0.0
    _longest: float = FIRST_SECONDS
    _slowest_byte: float = BYTE_SECONDS
    _accepted: bool = False
    _lost: int = 0

    def __post_init__(self) -> None:
        self.limit = max(1, self.plan.connections)
        self.pipelining = self.plan.pipelining
        self._sources.append(self.plan.messages)

    # ------------------------------------------------------------------
    # What comes in
    # ------------------------------------------------------------------

    def go_on_with(self, plan: ServerPlan) -> None:
        """Have further messages built, behind those that are still to be."""
        self.plan = plan
        self._sources.append(plan.messages)
        self.built_all = False

    def next_message(self) -> Message | None:
        """Build the next message; ``None`` where none is left."""
        while self._sources:
            message = next(self._sources[0], None)
            if message is not None:
                return message
            self._sources.popleft()
        return None

    def add(self, message: Message) -> None:
        """Have a message wait, behind those of its lane and of higher ones."""
        rank = message.lane.rank
        heapq.heappush(self._waiting, (rank, next(self._order), message))
        self.size += len(message.text)

    def has_room(self, share: int, memory_left: bool) -> bool:
        """Whether another message should be built.

        :param share: the bytes that this server may have ready
        :param memory_left: whether all servers together have room; one that has nothing
            at all gets its message all the same
        """
        unanswered = len(self._waiting) + sum(map(len, self._held.values()))
        if self.built_all or self.failed or unanswered >= READY * self.limit:
            return False
        return self.size < share if memory_left else not (self._waiting or self._held)

    def drained(self) -> list[Message]:
        """Take all that waits out of the queue."""
        messages = [message for *_order, message in sorted(self._waiting)]
        self._waiting.clear()
        self.size -= sum(len(message.text) for message in messages)
        return messages

    # ------------------------------------------------------------------
    # What goes out
    # ------------------------------------------------------------------

    def take(self, session: int, now: float) -> Message | None:
        """The next message that a session may carry now, if there is one."""
        if self.failed or not self._waiting or now < self._next_at:
            return None
        if not self._may_carry(session, self._waiting[0][2].lane):
            return None
        _rank, _number, message = heapq.heappop(self._waiting)
        self._held.setdefault(session, []).append(message)
        if self.plan.rate:
            self._next_at = max(now, self._next_at) + 60 / self.plan.rate
        return message

    def put_back(self, session: int, message: Message) -> None:
        """A session did not transmit it: it waits again, or what is left of it."""
        self.release(session, message)
        self.add(message)

    def release(self, session: int, message: Message) -> None:
        """A session has nothing to do with it any more."""
        held = self._held.get(session, [])
        for kept in held:
            if kept.key == message.key:
                held.remove(kept)
                self.size -= len(kept.text)
                break
        if not held:
            self._held.pop(session, None)

    def held_by(self, session: int) -> list[Message]:
        """What a session took and has not answered for."""
        return list(self._held.get(session, ()))

    def _may_carry(self, session: int, lane: Lane) -> bool:
        """Bulk never has all sessions; a probe goes alone."""
        if self.plan.probe and not self._accepted and self._held:
            return False
        if lane is not Lane.BULK:
            return True
        with_bulk = {
            number
            for number, held in self._held.items()
            if any(message.lane is Lane.BULK for message in held)
        }
        return session in with_bulk or len(with_bulk) < sessions_for(lane, self.limit)

    # ------------------------------------------------------------------
    # Sessions
    # ------------------------------------------------------------------

    def wants_sessions(self, open_sessions: int, now: float) -> int:
        """How many more sessions there is work for."""
        if self.failed or not self._waiting or now < self._next_at:
            return 0
        alone = (self.plan.probe and not self._accepted) or self._is_slow
        limit = 1 if alone else self.limit
        lanes = [message.lane for _rank, _number, message in self._waiting]
        useful = min(len(lanes), limit)
        if all(lane is Lane.BULK for lane in lanes):
            useful = min(useful, sessions_for(Lane.BULK, limit))
        return max(0, useful - open_sessions)

    @property
    def sessions_at_work(self) -> int:
        """How many sessions have messages of which something is to come."""
        return len(self._held)

    @property
    def _is_slow(self) -> bool:
        """Whether messages go so seldom that a session ends before the next one."""
        return 0 < (self.plan.rate or 0) * self.plan.allowance.idle < 60

    def is_idle(self) -> bool:
        """Whether nothing will come any more."""
        all_came = (self.built_all and not self.expecting) or self.failed
        return all_came and not self._waiting

    def is_dry(self) -> bool:
        """Whether its sessions would have nothing to do soon."""
        return self.built_all and not self.failed and len(self._waiting) < READY

    def note(self, result: Result) -> None:
        """Learn from an answer how long messages take, and that the server is well."""
        size = len(result.message.text)
        self._accepted = self._accepted or any(
            attempt.answer.phase is Phase.MESSAGE and attempt.answer.positive
            for attempt in result.attempts
        )
        self._longest = max(self._longest, result.duration)
        if size >= LARGE:
            self._slowest_byte = max(self._slowest_byte, result.duration / size)

    def note_ending(self, accepted: int, in_trouble: bool) -> None:
        """Learn from a session's end whether the server still takes anything."""
        if accepted:
            self._lost = 0
        elif in_trouble:
            self._lost += 1

    @property
    def trusted(self) -> bool:
        """Whether the server was well a moment ago: one loss is no trouble of its own.

        A message that makes servers hang up would keep all others from it else.
        """
        return self._accepted and self._lost < TRUSTED_LOSSES

    def seconds_for(self, message: Message) -> float:
        """How long a message may take, by what was seen."""
        return self._longest + len(message.text) * self._slowest_byte

    def next_seconds(self) -> float:
        """The same for the message that would be taken next."""
        return self.seconds_for(self._waiting[0][2]) if self._waiting else 0.0
