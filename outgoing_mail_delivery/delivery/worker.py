"""A thread that carries the messages of one server, a session after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from .connection import Timeouts, answer_of
from .events import Answered, Event, Intent
from .queues import ServerQueue
from .replies import classify
from .session import Ending, Session
from .types import (
    Answer,
    Attempt,
    Cause,
    Message,
    Outcome,
    Phase,
    Result,
    Scope,
    Verdict,
)

#: How often a thread that waits looks at the clock.
TICK = 0.2


class Boss(Protocol):
    """The pool, as its threads see it; all but ``decided`` is called with the lock."""

    changed: threading.Condition
    timeouts: Timeouts
    clock: Callable[[], float]

    def post(self, event: Event, urgent: bool = True) -> None:
        """Have an event written down."""

    def may_begin(self, queue: ServerQueue) -> bool:
        """Whether the next message could be finished in time."""

    def decided(self, intent: Intent) -> bool:
        """Wait until an intent is written down, or was refused."""

    def is_ending(self) -> bool:
        """Whether no text may be begun any more, although its intent stands."""

    def put_back(self, queue: ServerQueue) -> None:
        """Told of messages that wait again."""

    def failed(self, queue: ServerQueue, answer: Answer, verdict: Verdict) -> None:
        """Told of a session that ended in trouble."""


class Worker(threading.Thread):
    """One session after the other with one server, as long as something waits.

    ``carries`` says that a session is open.
    """

    def __init__(self, boss: Boss, queue: ServerQueue) -> None:
        super().__init__(name=f"delivery to {queue.plan.key}", daemon=True)
        self.queue = queue
        self.carries = False
        self.alive = True
        self._boss = boss
        self._session: Session | None = None
        self._took = 0
        self._intended: dict[object, tuple[str, ...]] = {}

    def run(self) -> None:
        """Open sessions as long as there is something to carry."""
        try:
            while self._is_needed() and self._one_session():
                pass
        except BaseException as error:  # nothing may be lost with a thread
            self._lost(error)
        finally:
            with self._boss.changed:
                self.alive = self.carries = False
                self._boss.changed.notify_all()

    def abort(self) -> None:
        """End the session that runs."""
        if self._session is not None:
            self._session.abort()

    def _is_needed(self) -> bool:
        with self._boss.changed:
            waits = self.queue.wants_sessions(0, self._boss.clock())
            return waits > 0 and self._boss.may_begin(self.queue)

    def _one_session(self) -> bool:
        """Open a session and have it carry; return whether another may follow."""
        plan = self.queue.plan
        try:
            smtp = plan.connect()
            smtp.ehlo_or_helo_if_needed()
        except BaseException as error:  # whatever it is, nothing was offered
            answer = answer_of(error)
            with self._boss.changed:
                self._boss.failed(self.queue, answer, _opening_verdict(answer))
            return False
        self._session = Session(
            smtp,
            self,
            timeouts=self._boss.timeouts,
            allowance=plan.allowance,
            pipelining=self.queue.pipelining,
            trusted=self.queue.trusted,
            clock=self._boss.clock,
        )
        self._took, self.carries = 0, True
        return self._ended(self._session.run())

    def _ended(self, ending: Ending) -> bool:
        with self._boss.changed:
            self.carries = False
            for message in ending.left:
                self.queue.put_back(id(self), message)
            for message in self.queue.held_by(id(self)):
                self.queue.release(id(self), message)  # somebody else has it
            self.queue.note_ending(ending.accepted, ending.verdict is not None)
            self.queue.pipelining = self.queue.pipelining and ending.pipelines
            self._boss.put_back(self.queue)
            if ending.answer is None or ending.verdict is None:
                return self._took > 0
            self._boss.failed(self.queue, ending.answer, ending.verdict)
            return ending.verdict.scope is Scope.SESSION

    def _lost(self, error: BaseException) -> None:
        """An error of our own: what was being transmitted is unknown, the rest not.

        A message that errors twice is put off, and holds up no other.
        """
        answer = Answer(Phase.MAIL, None, repr(error))
        verdict = Verdict(Outcome.DEFERRED, Scope.SESSION, Cause.OTHER)
        with self._boss.changed:
            self.carries = False
            for message in self.queue.held_by(id(self)):
                rest = self._left_of(message, replace(answer, phase=Phase.MESSAGE))
                if rest is not None and rest.interrupted:
                    counted = replace(verdict, scope=Scope.MESSAGE)
                    self._conclude(rest, rest.recipients, answer, counted)
                elif rest is not None:
                    self.queue.put_back(id(self), replace(rest, interrupted=1))
            self._boss.put_back(self.queue)
            self._boss.failed(self.queue, answer, verdict)

    def _left_of(self, message: Message, last: Answer) -> Message | None:
        """What was not being transmitted; the rest of a message is unknown."""
        intended = self._intended.get(message.key, ())
        if not intended:
            return message
        self._conclude(message, intended, last)
        rest = tuple(name for name in message.recipients if name not in intended)
        return replace(message, recipients=rest) if rest else None

    def _conclude(
        self,
        message: Message,
        recipients: tuple[str, ...],
        answer: Answer,
        verdict: Verdict | None = None,
    ) -> None:
        """Answer for a message whose intent stands; called with the lock."""
        meaning = verdict or classify(answer.phase, answer.code, answer.text)
        attempts = tuple(Attempt(name, answer, meaning) for name in recipients)
        result = Result(message, attempts, self._boss.clock())
        self._intended.pop(message.key, None)
        self.queue.release(id(self), message)
        self._boss.post(Answered(self.queue.plan.key, result))

    # ------------------------------------------------------------------
    # What the session asks for
    # ------------------------------------------------------------------

    def take(self, wait: float) -> Message | None:
        """The next message, unless it could not be finished, or none comes."""
        boss, queue = self._boss, self.queue
        until = time.monotonic() + wait
        with boss.changed:
            while boss.may_begin(queue):
                if message := queue.take(id(self), boss.clock()):
                    self._took += 1
                    boss.changed.notify_all()  # there is room to build another
                    return message
                left = until - time.monotonic()
                if queue.is_idle() or left <= 0:
                    return None
                boss.changed.wait(min(left, TICK))
        return None

    def intent(self, message: Message, recipients: tuple[str, ...]) -> bool:
        """Whether the text may be transmitted: once that is written down."""
        if not self._boss.decided(Intent(self.queue.plan.key, message, recipients)):
            return False
        with self._boss.changed:
            if not self._boss.is_ending():
                self._intended[message.key] = recipients
                return True
            verdict = Verdict(Outcome.RELEASED, Scope.SESSION, Cause.OTHER)
            answer = Answer(Phase.DATA, None, "The run ended before.")
            self._conclude(message, recipients, answer, verdict)
            self.queue.put_back(id(self), message)
            self._boss.put_back(self.queue)
            return False

    def answer(self, result: Result, followed: bool) -> None:
        """Have the answers written down, and the message off our hands."""
        recipients = set(result.message.recipients)
        known = {attempt.recipient for attempt in result.attempts}
        again = any(a.verdict.scope is Scope.SESSION for a in result.attempts)
        with self._boss.changed:
            self.queue.note(result)
            self._intended.pop(result.message.key, None)
            if recipients <= known and not again:
                self.queue.release(id(self), result.message)
            self._boss.post(Answered(self.queue.plan.key, result), urgent=not followed)


def _opening_verdict(answer: Answer) -> Verdict:
    """What an answer means before any message was offered: the server's trouble.

    >>> _opening_verdict(Answer(Phase.GREETING, 421, "IP not in whitelist for RCPT "
    ...                         "domain, closing connection.")).scope
    <Scope.SERVER: 'server'>
    """
    verdict = classify(answer.phase, answer.code, answer.text)
    if verdict.scope is Scope.SERVER:
        return verdict
    return Verdict(Outcome.DEFERRED, Scope.SERVER, verdict.cause, verdict.wait)
