"""One SMTP session: messages through a connection, a round trip each.

Where the server offers PIPELINING (RFC 2920), the commands of a transaction go
together, and those of the next one right behind the text and the dot of this one (3.1).
Never across EHLO, STARTTLS or AUTH: the connection is given ready for MAIL.

Nothing is counted against a message for what is the session's own trouble. What was not
transmitted is left for another session; what was, and got no answer, is *unknown*.
"""

from __future__ import annotations

import re
import smtplib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from .connection import CRLF, NO_REPLY, TIMED_OUT, Connection, Over, Timeouts
from .transaction import CLOSING, Step, Transaction, verdict_of
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

#: As many commands go together; more could block both sides (RFC 2920, 3.1).
FLIGHT = 100
#: What ends a text that is not to be sent, and a transaction that came to nothing.
LONE_DOT, RESET = ".", "RSET"

_NO_PIPELINING = re.compile(r"synchroni[sz]ation error|pipelining", re.I)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long a session lasts, and how long it waits for another message."""

    messages: int = 100
    seconds: float = 300
    idle: float = 10


class Carrier(Protocol):
    """Who gives messages to a session, and is told what became of them."""

    def take(self, wait: float) -> Message | None:
        """The next message, ``None`` where there is none within so many seconds."""

    def intent(self, message: Message, recipients: tuple[str, ...]) -> bool:
        """Told before a text is transmitted; ``False`` forbids it.

        When it returns, the intent is written down for good.
        """

    def answer(self, result: Result, followed: bool) -> None:
        """Told as soon as the answers are known; must not wait.

        :param followed: the next intent comes at once, so that both can be written
            down together
        """


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended.

    ``answer`` and ``verdict`` are those of the trouble that ended it, if any did, and
    ``left`` are the messages it took and did not transmit. ``pipelines`` is false where
    the server turned out not to bear PIPELINING.
    """

    accepted: int
    answer: Answer | None = None
    verdict: Verdict | None = None
    left: tuple[Message, ...] = ()
    pipelines: bool = True


class _Withdrawn(Exception):
    """Somebody else has the message: its text may not be transmitted."""


class Session:
    """Carries messages through one connection, until there are none or it ends.

    :param smtp: connected, after EHLO and the login
    :param pipelining: whether to use what the server offers of it
    :param trusted: whether the server has shown by other sessions that it is well
    """

    def __init__(
        self,
        smtp: smtplib.SMTP,
        carrier: Carrier,
        *,
        timeouts: Timeouts | None = None,
        allowance: Allowance | None = None,
        pipelining: bool = True,
        trusted: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = Connection(smtp, timeouts or Timeouts())
        self._carrier = carrier
        self._allowance = allowance or Allowance()
        self._pipelining = pipelining and smtp.has_extn("pipelining")
        self._trusted = trusted
        self._clock = clock
        self._ends_at = clock() + self._allowance.seconds
        self._taken = 0
        self._accepted = 0
        self._prefix: tuple[str, ...] = ()
        self._current: Transaction | None = None
        self._following: Transaction | None = None
        self._following_sent = False
        self._borne: set[Phase] = set()
        self._doubted = False
        self._trouble: Attempt | None = None
        self._left: list[Message] = []
        self._over: Answer | None = None

    def run(self) -> Ending:
        """Carry messages; return how it ended. The connection is closed then."""
        try:
            self._carry()
            if self._trouble is None and LONE_DOT not in self._prefix:
                self._connection.quit()
        except Over as over:
            self._over = over.answer
            if self._current is not None:
                self._settle(self._current, over.answer)
        except _Withdrawn:
            self._current = None
        finally:
            self._connection.close()
        if self._following is not None:
            self._left.append(self._following.message)
        return self._ending()

    def abort(self) -> None:
        """End it from another thread: who waits for an answer stops waiting."""
        self._connection.abort()

    def _ending(self) -> Ending:
        answer, verdict = self._over, None
        if self._trouble is not None:
            answer, verdict = self._trouble.answer, self._trouble.verdict
        elif answer is not None:
            # what was the message's or a recipient's trouble is not the server's; one
            # that swallows its first message is not sent the next at once
            lost = verdict_of(answer).outcome is Outcome.UNKNOWN
            well = self._accepted or self._trusted
            scope = Scope.SERVER if lost and not well else Scope.SESSION
            verdict = Verdict(Outcome.DEFERRED, scope, Cause.CONNECTION)
        return Ending(
            self._accepted,
            answer,
            verdict,
            tuple(self._left),
            pipelines=answer is None or not self._misled(answer),
        )

    # ------------------------------------------------------------------
    # One message after the other
    # ------------------------------------------------------------------

    def _carry(self) -> None:
        while self._trouble is None:
            self._current = self._following or self._begin(self._allowance.idle)
            sent, self._following_sent = self._following_sent, False
            self._following = None
            if self._current is None:
                return
            self._exchange(self._current, sent)
            if self._current.goes_on:
                self._transmit(self._current)
            else:
                self._reset_after(self._current)
            done, self._current = self._current, None
            self._settle(done)

    def _begin(self, wait: float) -> Transaction | None:
        """The next message that can be offered here, if there is one."""
        while self._may_go_on():
            message = self._carrier.take(wait)
            if message is None:
                return None
            transaction = self._transaction(message)
            obstacles = transaction.obstacles()
            rest = transaction.left(obstacles)
            if obstacles:
                result = transaction.result(obstacles, self._clock())
                self._carrier.answer(result, False)
            if rest is not None:
                self._taken += 1
                return self._transaction(rest)
        return None

    def _may_go_on(self) -> bool:
        """One message always: a session for nothing would be opened again at once."""
        more = self._taken < self._allowance.messages and self._clock() < self._ends_at
        return more or not self._taken

    def _transaction(self, message: Message) -> Transaction:
        return Transaction(message, self._connection.features, self._clock())

    def _settle(self, transaction: Transaction, over: Answer | None = None) -> None:
        """Tell what became of a transaction, and keep what is to be offered again.

        :param over: the answer that ended the session amid the transaction
        """
        known = tuple(transaction.attempts())
        rest = transaction.left(known)
        if rest and over and _answers_all(over):
            verdict = verdict_of(over)
            known += tuple(Attempt(name, over, verdict) for name in rest.recipients)
            rest = None
        message = transaction.message
        known = tuple(self._blamed(message, attempt) for attempt in known)
        self._accepted += any(a.verdict.outcome is Outcome.SENT for a in known)
        if again := [a for a in known if a.verdict.scope is Scope.SESSION]:
            names = tuple(attempt.recipient for attempt in again)
            counted = not any(self._misled(attempt.answer) for attempt in again)
            times = message.interrupted + counted
            self._left.append(replace(message, recipients=names, interrupted=times))
        if rest:
            self._left.append(rest)
        ending = (a for a in known if a.verdict.scope in (Scope.SERVER, Scope.SESSION))
        self._trouble = next(ending, None)
        if known:
            followed = self._following_sent and over is None
            self._carrier.answer(transaction.result(known, self._clock()), followed)

    def _blamed(self, message: Message, attempt: Attempt) -> Attempt:
        """An attempt with whose trouble the end of a session is.

        The same message twice: the message's. Before anything was accepted, here or
        by other sessions: the server's, unless only PIPELINING is.
        """
        verdict = attempt.verdict
        if verdict.scope is not Scope.SESSION or self._misled(attempt.answer):
            return attempt
        if message.interrupted:
            return replace(attempt, verdict=replace(verdict, scope=Scope.MESSAGE))
        if self._accepted or self._trusted:
            return attempt
        return replace(attempt, verdict=replace(verdict, scope=Scope.SERVER))

    def _misled(self, answer: Answer) -> bool:
        """Whether the server offered PIPELINING and does not bear it.

        Some say so; some forget what was sent behind a command or a text, and wait.
        """
        forgot = self._doubted and answer.code is None and TIMED_OUT in answer.text
        says_so = self._pipelining and bool(_NO_PIPELINING.search(answer.text))
        return forgot or says_so

    # ------------------------------------------------------------------
    # The envelope
    # ------------------------------------------------------------------

    def _exchange(self, transaction: Transaction, sent: bool) -> None:
        """Offer the envelope and read what is said of it.

        :param sent: it went out behind the text of the message before
        """
        size = FLIGHT if self._pipelining else 1
        for group in transaction.groups(size):
            if transaction.is_pointless(group):
                return
            if not sent:
                self._send_commands(transaction, group)
            for number, (phase, recipient) in enumerate(group):
                behind = sent or number > 0
                self._doubted = behind and phase not in self._borne
                self._read_into(transaction, phase, recipient)
                self._borne |= {phase} if behind else set()
            self._doubted = False

    def _send_commands(self, transaction: Transaction, group: Sequence[Step]) -> None:
        """Send commands, behind what the last transaction left to do."""
        prefix, self._prefix = self._prefix, ()
        if not self._pipelining:
            for command in prefix:
                self._connection.send(command + CRLF, Phase.MAIL)
                self._read_reset(command)
            prefix = ()
        left = "".join(command + CRLF for command in prefix)
        self._connection.send(left + transaction.commands(group), group[0][0])
        for command in prefix:
            self._read_reset(command)

    def _read_reset(self, command: str) -> None:
        """The answer to a lone dot is a refusal as a rule, and says nothing."""
        answer = self._connection.read_answer(Phase.MAIL)
        if answer.code == CLOSING:
            raise Over(answer)
        if command == RESET and not answer.positive:
            words = f"{command}: {answer.code} {answer.text}"
            raise Over(Answer(Phase.MAIL, None, words))

    def _read_into(
        self, transaction: Transaction, phase: Phase, recipient: str
    ) -> None:
        try:
            answer = self._connection.read_answer(phase)
        except Over as over:
            if over.answer.text.startswith(NO_REPLY):
                # answers that were not asked for: those before are of others as well
                transaction.rcpts.clear()
            raise
        closing = answer.code == CLOSING
        if closing and verdict_of(answer).scope is not Scope.RECIPIENT:
            raise Over(answer)
        if phase is Phase.MAIL:
            transaction.mail = answer
        elif phase is Phase.RCPT:
            transaction.rcpts[recipient] = answer
        else:
            transaction.data = answer
        if closing:
            raise Over(answer)

    def _reset_after(self, transaction: Transaction) -> None:
        """What has to go before the next MAIL: nothing where none was accepted."""
        if transaction.awaits_text and transaction.accepted:
            # a dot would hand over nothing at all to who was accepted
            raise Over(Answer(Phase.DATA, None, "354 although MAIL was refused"))
        if transaction.awaits_text:
            self._prefix = (LONE_DOT, RESET)
        elif transaction.mail is not None and transaction.mail.positive:
            self._prefix = (RESET,)

    # ------------------------------------------------------------------
    # The text
    # ------------------------------------------------------------------

    def _transmit(self, transaction: Transaction) -> None:
        """Send the text, with the next envelope behind it; read the answer."""
        text = transaction.text()  # what cannot be written is no intent yet
        if not self._carrier.intent(transaction.message, transaction.accepted):
            raise _Withdrawn
        commands = self._next_envelope(transaction) if self._pipelining else ""
        self._connection.send_text(text, f".{CRLF}{commands}".encode())
        answer = self._connection.read_answer(Phase.MESSAGE)
        if answer.code == CLOSING:
            raise Over(answer)
        transaction.final = answer

    def _next_envelope(self, transaction: Transaction) -> str:
        """Take another message, if one is ready; return the commands that offer it."""
        scopes = {attempt.verdict.scope for attempt in transaction.attempts()}
        if Scope.SERVER in scopes or Scope.SESSION in scopes:
            return ""
        self._following = self._begin(0)
        if self._following is None:
            return ""
        steps = self._following.steps()
        self._following_sent = len(steps) <= FLIGHT
        return self._following.commands(steps) if self._following_sent else ""


def _answers_all(over: Answer) -> bool:
    """Whether the answer that ends a session is one about all of a message.

    A server may close because of one recipient: nothing is known of the others then.
    """
    about_one = verdict_of(over).scope is Scope.RECIPIENT
    return over.phase is Phase.MESSAGE or not about_one
