"""A server and its connections without sockets, for random orders of events.

It keeps what it accepted before it answers, as a real one does. What goes wrong is a
list of fates, one for each reply; a process that dies takes its connection with it.
"""

from __future__ import annotations

import io
import smtplib
from collections import Counter, deque
from collections.abc import Iterable
from enum import Enum, auto
from typing import Any


class Fate(Enum):
    """What becomes of one reply."""

    WELL = auto()
    LATER = auto()
    NEVER = auto()
    SERVER_TROUBLE = auto()
    CLOSING = auto()
    LOST = auto()  # the connection, after the server did what it was asked for
    CUT = auto()  # the connection, before the server understood
    DIES_BEFORE = auto()  # the client, before it reads
    DIES_AFTER = auto()  # the client, right after it read


class Died(BaseException):
    """The process is gone; nothing of it runs any more."""


REPLIES = {
    Fate.LATER: (451, b"4.0.0 Not now"),
    Fate.NEVER: (550, b"5.0.0 No"),
    Fate.SERVER_TROUBLE: (451, b"4.3.0 Local problem"),
    Fate.CLOSING: (421, b"4.4.2 Closing"),
}


class ModelServer:
    """What one server has, whatever becomes of its connections."""

    def __init__(self) -> None:
        self.has: Counter[tuple[str, str]] = Counter()

    def connect(self, fates: Iterable[Fate], pipelining: bool = True) -> Any:
        """A connection, as ``smtplib`` would have it after EHLO."""
        return ModelConnection(self, fates, pipelining)


class ModelConnection:
    """What a session uses of an ``smtplib.SMTP``, and of its socket."""

    def __init__(
        self, server: ModelServer, fates: Iterable[Fate], pipelining: bool
    ) -> None:
        self.server = server
        self.fates = deque(fates)
        self.esmtp_features = {"pipelining": ""} if pipelining else {}
        self.sock: ModelConnection | None = self
        self.file: Any = io.BytesIO()
        self.replies: deque[tuple[Fate, int, bytes]] = deque()
        self.open = True
        self.buffer = b""
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.in_text = False

    def has_extn(self, name: str) -> bool:
        return name in self.esmtp_features

    def settimeout(self, _seconds: float) -> None:
        """As a socket does."""

    def setsockopt(self, *_arguments: object) -> None:
        """As a socket does."""

    def close(self) -> None:
        self.sock, self.open = None, False

    def send(self, data: bytes | memoryview) -> int:
        """As a socket does: what a server that is gone does not read is not told."""
        self.buffer += bytes(data)
        while self.open and self._understand():
            pass
        return len(data)

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib does."""
        if not self.replies:
            raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
        fate, code, text = self.replies.popleft()
        if fate is Fate.DIES_BEFORE:
            raise Died
        if fate in (Fate.LOST, Fate.CUT):
            self.replies.clear()
            raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
        if fate is Fate.DIES_AFTER:
            raise Died
        return code, text

    def _understand(self) -> bool:
        """Take one command or text; return whether there was one."""
        end = b"\r\n.\r\n" if self.in_text else b"\r\n"
        # an empty text ends right away
        if self.in_text and self.buffer.startswith(b".\r\n"):
            part, self.buffer = b"", self.buffer[3:]
        elif end in self.buffer:
            part, _end, self.buffer = self.buffer.partition(end)
        else:
            return False
        fate = self.fates.popleft() if self.fates else Fate.WELL
        if fate is Fate.CUT:
            self.open = False
            self.replies.append((fate, 0, b""))
        elif self.in_text:
            self._end_of_text(part, fate)
        else:
            self._command(part.decode(), fate)
        return True

    def _reply(self, fate: Fate, code: int, text: bytes) -> None:
        code, text = REPLIES.get(fate, (code, text))
        self.replies.append((fate, code, text))
        if fate in (Fate.LOST, Fate.CLOSING):
            self.open = False

    def _command(self, line: str, fate: Fate) -> None:
        verb, refused = line[:4].upper(), fate in REPLIES
        argument = line.partition("<")[2].partition(">")[0]
        if verb == "RSET":
            self.sender, self.recipients = None, []
        elif verb == "MAIL" and not refused:
            self.sender = argument
        elif verb == "RCPT" and self.sender is None:
            return self.replies.append((Fate.WELL, 503, b"5.5.1 MAIL first"))
        elif verb == "RCPT" and not refused:
            self.recipients.append(argument)
        elif verb == "DATA" and not self.recipients:
            return self.replies.append((Fate.WELL, 554, b"5.5.1 No valid recipients"))
        elif verb == "DATA" and not refused:
            self.in_text = True
            return self._reply(fate, 354, b"Go on")
        return self._reply(fate, 250, b"2.0.0 Ok")

    def _end_of_text(self, text: bytes, fate: Fate) -> None:
        if fate not in REPLIES:
            key = text.partition(b"\r\n")[0].decode()
            self.server.has.update((key, name) for name in self.recipients)
        self.in_text, self.sender, self.recipients = False, None, []
        self._reply(fate, 250, b"2.0.0 Accepted")
