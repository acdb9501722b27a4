"""Threads that carry the messages of a run, some sessions for each server.

They know nothing of Odoo, nor of the journal. The thread of the run builds messages as
there is room for them, and writes down what the threads tell: a text is transmitted
once its intent is written. A server in trouble holds up its own threads alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence

from .connection import Timeouts
from .events import Event, Intent, Journal, Later, Returned, Trouble
from .queues import ServerPlan, ServerQueue
from .types import Answer, Scope, Verdict
from .worker import TICK, Worker

#: Bytes of messages that are ready or under way, all servers together.
MEMORY = 64 << 20
#: How long an event waits for those of other sessions, to be written down together.
LINGER = 0.005
#: How long what waits to be written down waits for more.
GATHER = 0.001
#: How long after one that brought nothing more is asked for again.
HUNGER = 1.0
#: How long the last answers may take after all sessions were ended.
LAST_ANSWERS = 5.0


class Pool:
    """Carries the messages of some servers.

    :param journal: called in the thread that calls :meth:`run`, with all events there
        are. Every message is answered for or returned; where it raises anything but
        :class:`Later`, nothing more is transmitted nor told, as if the process had died
    :param feed: asked for more where a server has nothing left to build: plans of
        servers, new ones or such that go on; none where there is nothing for now
    :param deadline: the instant at which :meth:`run` ends, by ``clock``
    :param memory: bytes of messages that may be ready or under way
    """

    def __init__(
        self,
        plans: Iterable[ServerPlan],
        journal: Journal,
        *,
        feed: Callable[[], Iterable[ServerPlan]] | None = None,
        deadline: float,
        memory: int = MEMORY,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queues = [ServerQueue(plan) for plan in plans]
        self._feed = feed
        self._feed_at = 0.0
        self.timeouts = timeouts or Timeouts()
        self.clock = clock
        self.changed = threading.Condition()
        self._journal = journal
        self._deadline = deadline
        self._memory = memory
        self._stopping = False
        self._ending = False
        self._broken = False
        self._error: BaseException | None = None
        self._closed = False
        self._workers: list[Worker] = []
        self._events: list[Event] = []
        self._urgent = False
        self._since = 0.0
        self._decisions: dict[Intent, bool] = {}

    # ------------------------------------------------------------------
    # The run's thread
    # ------------------------------------------------------------------

    def run(self) -> None:
        """Carry everything; return when all is answered for, or at the deadline."""
        try:
            fed = self._ask_for_more()
            while self._goes_on() and self.clock() < self._deadline:
                built = self._build_one()
                if self._error is not None:
                    raise self._error
                self._write_down(self._next_events(0.0 if built or fed else TICK))
                fed = self._ask_for_more()
        finally:
            self._end()

    def breathe(self) -> None:
        """Write down what there is, while something long goes on in :meth:`run`.

        Whoever builds messages calls it between two of them. An error is none of
        theirs: :meth:`run` raises it.
        """
        try:
            self._write_down(self._next_events(0.0))
        except BaseException as error:
            self._error = self._error or error

    def stop(self) -> None:
        """Begin no message any more, from any thread; what is under way ends."""
        with self.changed:
            self._stopping = True
            self.changed.notify_all()

    def give_up(self, server: Hashable) -> None:
        """Offer a server nothing more; what was not offered comes back."""
        with self.changed:
            for queue in self.queues:
                if queue.plan.key == server:
                    queue.failed = True
                    self.put_back(queue)
            self.changed.notify_all()

    def _goes_on(self) -> bool:
        """Open what sessions are of use; return whether anything is left to do."""
        with self.changed:
            self._workers = [worker for worker in self._workers if worker.alive]
            for queue in self.queues:
                self._open_sessions(queue)
            waits = any(not q.is_idle() and self.may_begin(q) for q in self.queues)
            return bool(self._workers or self._events) or waits

    def _open_sessions(self, queue: ServerQueue) -> None:
        at_work = sum(worker.queue is queue for worker in self._workers)
        wanted = queue.wants_sessions(at_work, self.clock())
        for _ in range(wanted if self.may_begin(queue) else 0):
            worker = Worker(self, queue)
            self._workers.append(worker)
            worker.start()

    def _ask_for_more(self) -> bool:
        """Ask for further messages, where somebody needs some; whether any came."""
        if self._feed is None or not self._is_hungry():
            return False
        plans = tuple(self._feed())
        with self.changed:
            self._feed_at = 0.0 if plans else self.clock() + HUNGER
            for queue in self.queues:
                queue.expecting = bool(plans)
            for plan in plans:
                self._go_on_with(plan)
            self.changed.notify_all()
        return bool(plans)

    def _is_hungry(self) -> bool:
        with self.changed:
            if self._stopping or self.clock() < self._feed_at:
                return False
            return not self.queues or any(queue.is_dry() for queue in self.queues)

    def _go_on_with(self, plan: ServerPlan) -> None:
        for queue in self.queues:
            if queue.plan.key == plan.key and not queue.failed:
                queue.go_on_with(plan)
                return
        self.queues.append(ServerQueue(plan, expecting=True))

    def _build_one(self) -> bool:
        """Build one message, for the server that has least; whether one was asked."""
        with self.changed:
            queue = self._neediest()
        if queue is None:
            return False
        message = queue.next_message()
        with self.changed:
            if message is None:
                queue.built_all = True
            else:
                queue.add(message)
            self.put_back(queue)
            self._open_sessions(queue)
            self.changed.notify_all()
        return True

    def _neediest(self) -> ServerQueue | None:
        if self._stopping:
            return None
        memory_left = sum(queue.size for queue in self.queues) < self._memory
        share = self._memory // max(1, len(self.queues))
        hungry = [q for q in self.queues if q.has_room(share, memory_left)]
        return min(hungry, key=lambda queue: queue.size, default=None)

    def _next_events(self, wait: float) -> list[Event]:
        """All events there are, once one is worth writing down.

        Those that come right behind it are waited for: one statement has them all. A
        session that hangs, or is far away, holds up no other by that.

        :param wait: seconds to wait for the first one
        """
        with self.changed:
            if self.changed.wait_for(lambda: self._urgent, self._patience(wait)):
                self.changed.wait_for(self._is_complete, GATHER)
            elif self._lingers():
                return []
            events, self._events = self._events, []
            self._urgent = False
            return events

    def _is_complete(self) -> bool:
        """Whether all sessions that carry something wait for what is written down."""
        intents = sum(isinstance(event, Intent) for event in self._events)
        return intents >= sum(queue.sessions_at_work for queue in self.queues)

    def _patience(self, wait: float) -> float:
        if not self._events:
            return wait
        return max(0.0, min(wait, self._since + LINGER - time.monotonic()))

    def _lingers(self) -> bool:
        return time.monotonic() - self._since < LINGER

    def _write_down(self, events: Sequence[Event]) -> None:
        """Have events written down, and let go on who waits for that."""
        if not events:
            return
        try:
            standing = self._standing(events)
        except Later:
            with self.changed:
                self._events[:0] = events
                self._urgent = True
            return
        with self.changed:
            for event in events:
                if isinstance(event, Intent):
                    self._decisions[event] = event in standing
            self.changed.notify_all()

    def _standing(self, events: Sequence[Event]) -> set[Intent]:
        """The intents that were written down: none any more where that failed once."""
        if self._broken:
            return set()
        try:
            return set(self._journal(events))
        except Later:
            raise
        except BaseException:
            self._broken = True
            with self.changed:
                for event in events:
                    if isinstance(event, Intent):
                        self._decisions[event] = False
                self.changed.notify_all()
            raise

    def _end(self) -> None:
        """End all sessions, write down their last answers, give back what is left."""
        with self.changed:
            self._stopping = self._ending = True
            for queue in self.queues:
                self.put_back(queue)
            workers = list(self._workers)
            self.changed.notify_all()
        for worker in workers:
            worker.abort()
        try:
            self._await_last_answers(workers)
        finally:
            with self.changed:
                self._closed = True  # who waits for a decision waits no more
                events, self._events = self._events, []
                self.changed.notify_all()
        # what is intended now is not transmitted any more
        self._write_down([each for each in events if not isinstance(each, Intent)])

    def _await_last_answers(self, workers: Sequence[Worker]) -> None:
        patience = time.monotonic() + LAST_ANSWERS
        while any(worker.carries for worker in workers):
            self._write_down(self._next_events(LINGER))
            if time.monotonic() > patience:
                return

    # ------------------------------------------------------------------
    # What the threads ask for, with the lock
    # ------------------------------------------------------------------

    def post(self, event: Event, urgent: bool = True) -> None:
        """Have an event written down."""
        if not self._events:
            self._since = time.monotonic()
        self._events.append(event)
        self._urgent = self._urgent or urgent
        self.changed.notify_all()

    def may_begin(self, queue: ServerQueue) -> bool:
        """Whether the next message could be finished in time."""
        finished = self.clock() + queue.next_seconds()
        return not self._stopping and finished < self._deadline

    def is_ending(self) -> bool:
        """Whether no text may be begun any more, although its intent stands."""
        return self._ending

    def decided(self, intent: Intent) -> bool:
        """Wait until an intent is written down, or was refused; without the lock."""
        with self.changed:
            self.post(intent)
            self.changed.wait_for(lambda: intent in self._decisions or self._closed)
            return self._decisions.pop(intent, False)

    def put_back(self, queue: ServerQueue) -> None:
        """Give back what waits, where it will not be offered."""
        if self._ending or queue.failed:
            messages = queue.drained()
            if messages:
                self.post(Returned(queue.plan.key, tuple(messages)))

    def failed(self, queue: ServerQueue, answer: Answer, verdict: Verdict) -> None:
        """Offer nothing more to a server in trouble.

        One that only takes no further session goes on with those it has.
        """
        others = sum(w.queue is queue and w.carries for w in self._workers)
        opening = answer.phase.opens_session
        partial = verdict.scope is not Scope.SERVER or (opening and others > 0)
        self.post(Trouble(queue.plan.key, answer, verdict, partial))
        if not partial:
            queue.failed = True
            self.put_back(queue)
        elif opening:
            queue.limit = max(1, min(queue.limit, others))
