"""The words of delivery, as values: what is offered, answered and decided.

Every time is a number of seconds, and every instant one of the database's clock (or of
whichever clock the caller goes by): nothing in this package looks at a clock itself,
apart from the deadlines of sockets.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum, unique


@unique
class Outcome(str, Enum):
    """What became of an attempt; the values are those of the journal."""

    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    RELEASED = "released"
    BOUNCED = "bounced"


@unique
class Scope(str, Enum):
    """Whose trouble an answer is about."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    SESSION = "session"
    SERVER = "server"


@unique
class Phase(str, Enum):
    """The moment of an SMTP session that an answer belongs to (RFC 5321, 4.3).

    ``MESSAGE`` is the time after the final dot.
    """

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    MESSAGE = "message"

    @property
    def opens_session(self) -> bool:
        """Whether no message has been offered by then."""
        return self not in (Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.MESSAGE)


@unique
class Cause(str, Enum):
    """What kind of trouble it is, so that who can mend it is told."""

    CONNECTION = "connection"
    LOGIN = "login"
    QUOTA = "quota"
    IDENTITY = "identity"
    ADDRESS = "address"
    CONTENT = "content"
    POLICY = "policy"
    CONFIGURATION = "configuration"
    OTHER = "other"


@unique
class Lane(str, Enum):
    """How urgent a mail is; the order is that in which lanes are served."""

    URGENT = "urgent"
    NORMAL = "normal"
    BULK = "bulk"

    @property
    def rank(self) -> int:
        """0 for the lane that is served first.

        >>> sorted([Lane.BULK, Lane.URGENT, Lane.NORMAL], key=lambda lane: lane.rank)
        [<Lane.URGENT: 'urgent'>, <Lane.NORMAL: 'normal'>, <Lane.BULK: 'bulk'>]
        """
        return tuple(Lane).index(self)


@unique
class Health(str, Enum):
    """How a server is doing."""

    OK = "ok"
    LIMITED = "limited"
    SUSPENDED = "suspended"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means: the outcome, whose trouble it is, and its cause.

    ``wait`` are the seconds for which the answer itself asks, ``None`` where it does
    not say.

    >>> Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.LOGIN).stops_server
    True
    >>> Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.POLICY).stops_server
    False
    """

    outcome: Outcome
    scope: Scope
    cause: Cause
    wait: int | None = None

    @property
    def stops_server(self) -> bool:
        """Whether the server is of no use until somebody mends its settings."""
        return self.scope is Scope.SERVER and self.cause in (
            Cause.LOGIN,
            Cause.CONFIGURATION,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer in its own words (RFC 5321, 4.2).

    ``code`` is ``None`` where no answer came: ``text`` then says what happened.
    ``text`` has all lines, the enhanced code included.
    """

    phase: Phase
    code: int | None
    text: str

    @property
    def positive(self) -> bool:
        """Whether the server goes along (2yz, or 3yz that asks for more)."""
        return self.code is not None and 200 <= self.code < 400


@dataclass(frozen=True, slots=True)
class Message:
    """What one SMTP transaction carries, ready to be transmitted.

    ``text`` is the message with lines that end in CRLF and no dot-stuffing; ``key`` is
    the caller's name for it. ``sender`` and ``recipients`` are addresses alone, and go
    as they are. ``utf8`` says that its headers need SMTPUTF8 (RFC 6531).
    ``interrupted`` counts the sessions that ended under it, for reasons of their own.
    """

    key: Hashable
    sender: str
    recipients: tuple[str, ...]
    text: bytes = field(repr=False)
    lane: Lane = Lane.NORMAL
    utf8: bool = False
    interrupted: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One recipient of a message offered to a server, and what came of it."""

    recipient: str
    answer: Answer
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """All attempts of one transaction.

    A recipient that is not among them was not offered: nothing is known of it, and
    nothing is counted. ``started`` and ``duration`` are by the session's clock.
    """

    message: Message
    attempts: tuple[Attempt, ...]
    started: float = 0.0
    duration: float = 0.0
