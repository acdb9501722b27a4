"""Who gives messages to a session in tests, and notes what became of them."""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Iterable

from smtp_server import SmtpServer

from ...delivery.connection import Timeouts
from ...delivery.session import Allowance, Ending, Session
from ...delivery.types import Message, Outcome, Result, Scope

QUICK = Timeouts(command=0.5, data=0.5, block=0.5, final=0.5, quit=0.5)


def message(
    key: object, *recipients: str, text: bytes = b"Subject: Hi\r\n\r\nHi\r\n"
) -> Message:
    """A message whose number is in its text as well."""
    names = recipients or (f"r{key}@x.example",)
    return Message(key, "office@a.example", names, b"X-Key: %r\r\n" % key + text)


class ListCarrier:
    """Gives the messages of a list; keeps every event in its order."""

    def __init__(self, messages: Iterable[Message], forbidden: Iterable[object] = ()):
        self.waiting = list(messages)
        self.forbidden = set(forbidden)
        self.events: list[tuple[str, object]] = []
        self.results: list[Result] = []

    def take(self, wait: float) -> Message | None:
        """The next message; a list that is empty stays so."""
        return self.waiting.pop(0) if self.waiting else None

    def intent(self, message: Message, recipients: tuple[str, ...]) -> bool:
        """Note it."""
        self.events.append(("intent", message.key))
        return message.key not in self.forbidden

    def answer(self, result: Result, followed: bool) -> None:
        """Note it."""
        self.events.append(("answer", result.message.key))
        self.results.append(result)

    @property
    def outcomes(self) -> dict[str, str]:
        """The last outcome and scope of each recipient."""
        return {
            attempt.recipient: f"{attempt.verdict.outcome.value} "
            f"{attempt.verdict.scope.value} {attempt.verdict.cause.value}"
            for result in self.results
            for attempt in result.attempts
        }

    @property
    def sent(self) -> Counter[object]:
        """How often each message was told to be accepted."""
        return Counter(
            result.message.key
            for result in self.results
            if any(a.verdict.outcome is Outcome.SENT for a in result.attempts)
        )


def connect(server: SmtpServer, timeout: float = 5) -> smtplib.SMTP:
    """A connection that is ready for MAIL."""
    smtp = smtplib.SMTP(server.host, server.port, timeout=timeout)
    smtp.ehlo()
    return smtp


def carry(
    server: SmtpServer,
    carrier: ListCarrier,
    *,
    pipelining: bool = True,
    allowance: Allowance | None = None,
    timeouts: Timeouts = QUICK,
) -> Ending:
    """Run one session."""
    session = Session(
        connect(server),
        carrier,
        timeouts=timeouts,
        allowance=allowance or Allowance(idle=0.1),
        pipelining=pipelining,
    )
    return session.run()


def keys(ending: Ending) -> list[object]:
    """The messages that a session left."""
    return [message.key for message in ending.left]


def scope(ending: Ending) -> Scope | None:
    """Whose trouble ended a session."""
    return ending.verdict.scope if ending.verdict else None
