"""The connection under an SMTP session: commands, texts and replies, each in its time.

``smtplib``'s ``send`` and ``getreply`` are underneath, so that whatever wraps or
watches an ``smtplib.SMTP`` still sees commands and replies.
"""

from __future__ import annotations

import contextlib
import io
import smtplib
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .types import Answer, Phase

CRLF = "\r\n"
#: A text goes in pieces of this size, each within its own time.
BLOCK = 1 << 16
#: What TLS encrypts at once (RFC 8446, 5.1): of more, a part may have arrived although
#: writing failed.
RECORD = 1 << 14
#: The most bytes of one reply; RFC 5321, 4.5.3.1.5 has 512 for a line.
LONGEST_REPLY = 1 << 16
#: As much of a reply is kept.
KEPT = 4096
#: What is said of an answer that did not come in time.
TIMED_OUT = "timed out"
#: How it is said that an answer cannot be one to what was asked.
NO_REPLY = "no reply of SMTP"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for an answer, by phase (RFC 5321, 4.5.3.2).

    The final dot's is as long as that, since whoever hangs up earlier makes *unknown*
    by themselves. ``connect`` is for who opens the connection.

    >>> Timeouts().of(Phase.DATA), Timeouts(command=10).of(Phase.RCPT)
    (120, 10)
    """

    connect: float = 30
    command: float = 60
    data: float = 120
    block: float = 180
    final: float = 600
    quit: float = 5

    def of(self, phase: Phase) -> float:
        """The time for the answer that ends a phase."""
        long = {Phase.DATA: self.data, Phase.MESSAGE: self.final}
        return long.get(phase, self.command)


class Over(Exception):
    """The connection is of no use any more; the answer, or its absence, says why."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(answer.text)


class Replies:
    """What ``smtplib`` reads replies from: within a time and a size, each as a whole.

    A timeout of a socket begins anew with each byte, and a reply of many lines has no
    end of its own.
    """

    def __init__(self, file: io.BufferedReader, sock: socket.socket) -> None:
        self._file = file
        self._sock = sock
        self._until = 0.0
        self._left = 0
        self._whole = True

    def expect(self, phase: Phase, seconds: float) -> None:
        """Have the next reply come within so many seconds."""
        self._until = time.monotonic() + seconds
        self._left = LONGEST_REPLY
        self._whole = phase is not Phase.MESSAGE

    def readline(self, limit: int) -> bytes:
        """A line of at most so many bytes, nothing where the connection ends before.

        Half a line is a word about a message that was transmitted: it counts. All else
        can be asked again, and half a refusal is easily misread.
        """
        line = b""
        while len(line) < limit and not line.endswith(b"\n"):
            if self._left <= 0:
                raise OSError("endless reply")
            # zero would not wait at all
            self._sock.settimeout(max(self._until - time.monotonic(), 0.001))
            ready = self._file.peek(1)
            size = min(ready.find(b"\n") + 1 or len(ready), limit - len(line))
            if not size:
                return b"" if self._whole else line
            line += self._file.read(size)
            self._left -= size
        return line

    def close(self) -> None:
        """As a file."""
        self._file.close()


class Connection:
    """An ``smtplib.SMTP`` that is connected and ready for MAIL.

    Every method but ``abort`` and ``close`` raises :class:`Over` where the connection
    fails or the time is up.
    """

    def __init__(self, smtp: smtplib.SMTP, timeouts: Timeouts) -> None:
        self._smtp = smtp
        self._timeouts = timeouts
        self._replies: Replies | None = None
        with contextlib.suppress(OSError):
            sock = self._sock(timeouts.command)
            self._replies = Replies(smtp.file or sock.makefile("rb"), sock)
            smtp.file = self._replies
            # small pieces must not wait for each other's acknowledgement
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def features(self) -> Mapping[str, str]:
        """What EHLO told, by its keyword in lower case."""
        return self._smtp.esmtp_features

    def _sock(self, timeout: float) -> socket.socket:
        sock = self._smtp.sock
        if sock is None:
            raise ConnectionError("connection closed")
        sock.settimeout(timeout)
        return sock

    def send(self, commands: str, phase: Phase) -> None:
        """Send commands, each with its line break."""
        try:
            self._sock(self._timeouts.command)
            self._smtp.send(commands.encode())
        except (smtplib.SMTPException, OSError) as error:
            raise Over(Answer(phase, None, words_of(error))) from error

    def read_answer(self, phase: Phase, timeout: float | None = None) -> Answer:
        """The next reply with all its lines; one that is no reply of SMTP is none."""
        try:
            self._sock(seconds := timeout or self._timeouts.of(phase))
            if self._replies:
                self._replies.expect(phase, seconds)
            code, text = self._smtp.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise Over(Answer(phase, None, words_of(error))) from error
        words = decoded(text)
        if not _is_reply(phase, code):
            raise Over(Answer(phase, None, f"{NO_REPLY}: {code} {words}"))
        return Answer(phase, code, words)

    def send_text(self, text: bytes, end: bytes) -> None:
        """Send a text in pieces; the last goes together with what ends it.

        Until the final dot is on its way, nothing can have been delivered (RFC 5321,
        4.1.1.4): the phase of what is raised says which it was.
        """
        whole = len(text) - len(text) % BLOCK
        pieces = memoryview(text)
        for start in range(0, whole, BLOCK):
            self._write(pieces[start : start + BLOCK], harmless=BLOCK)
        dot = len(text) - whole + end.index(b"\n")
        self._write(memoryview(text[whole:] + end), harmless=dot)

    def _write(self, data: memoryview, harmless: int) -> None:
        """Write all; what goes beyond the harmless bytes may be acted on."""
        sent = 0
        until = time.monotonic() + self._timeouts.block
        try:
            while sent < len(data):
                sock = self._sock(max(until - time.monotonic(), 0.001))
                sent += sock.send(data[sent : sent + RECORD])
        except OSError as error:
            phase = Phase.DATA if sent <= harmless else Phase.MESSAGE
            raise Over(self._last_words(phase, error)) from error

    def _last_words(self, phase: Phase, error: Exception) -> Answer:
        """What a server said before it closed; where that is nothing, what happened."""
        if phase is Phase.DATA:
            with contextlib.suppress(Over):
                answer = self.read_answer(Phase.MESSAGE, self._timeouts.quit)
                if not answer.positive:
                    return answer
        return Answer(phase, None, words_of(error))

    def quit(self) -> None:
        """Say goodbye (RFC 5321, 4.1.1.10), and wait a little for the answer."""
        with contextlib.suppress(Over):
            self.send(f"QUIT{CRLF}", Phase.MAIL)
            self.read_answer(Phase.MAIL, self._timeouts.quit)

    def close(self) -> None:
        """Close it, whatever its state."""
        with contextlib.suppress(OSError):
            self._smtp.close()

    def abort(self) -> None:
        """End it from another thread: who waits for an answer stops waiting."""
        sock = self._smtp.sock
        with contextlib.suppress(OSError):
            if sock is not None:
                # that of ssl would let what is written meanwhile pass in clear
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _is_reply(phase: Phase, code: int) -> bool:
    """Whether a code can answer that; others are of another command, or of none.

    >>> [_is_reply(Phase.DATA, code) for code in (354, 250, 554, 999)]
    [True, False, True, False]
    """
    asked = 300 <= code < 400 if phase is Phase.DATA else 200 <= code < 300
    return asked or 400 <= code < 600


def decoded(text: bytes) -> str:
    """A reply as a text that a database keeps: not endless, and without NUL.

    >>> decoded(b"5.1.1 N\\xf6 such\\0 user")
    '5.1.1 N\ufffd such\ufffd user'
    """
    return _kept(text[:KEPT].decode("utf-8", "replace"))


def _kept(text: str) -> str:
    return text[:KEPT].replace("\0", "\ufffd")


def words_of(error: BaseException) -> str:
    """What happened, as far as the system says it.

    >>> words_of(TimeoutError()), words_of(ConnectionResetError())
    ('timed out', 'connection closed')
    """
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    return _kept(str(error).strip()) or "connection closed"


def answer_of(error: BaseException) -> Answer:
    """The answer that opening a connection failed with, and at which phase.

    >>> answer_of(smtplib.SMTPAuthenticationError(535, b"5.7.8 Wrong"))
    Answer(phase=<Phase.AUTH: 'auth'>, code=535, text='5.7.8 Wrong')
    >>> answer_of(ConnectionRefusedError("refused"))
    Answer(phase=<Phase.CONNECT: 'connect'>, code=None, text='refused')
    """
    phase = next((p for kind, p in _PHASES if isinstance(error, kind)), Phase.CONNECT)
    if not isinstance(error, smtplib.SMTPResponseException):
        return Answer(phase, None, words_of(error))
    text = error.smtp_error
    words = decoded(text) if isinstance(text, bytes) else _kept(str(text))
    code = error.smtp_code
    return Answer(phase, code if 200 <= code < 600 else None, words)


_PHASES: tuple[tuple[type[BaseException], Phase], ...] = (
    (smtplib.SMTPConnectError, Phase.GREETING),
    (smtplib.SMTPHeloError, Phase.EHLO),
    (smtplib.SMTPAuthenticationError, Phase.AUTH),
    (smtplib.SMTPNotSupportedError, Phase.EHLO),
    (smtplib.SMTPServerDisconnected, Phase.GREETING),
    (ssl.SSLError, Phase.STARTTLS),
    (smtplib.SMTPResponseException, Phase.STARTTLS),
)


def answer_to_message(error: Exception, recipient: str) -> Answer | None:
    """The answer that ``smtplib`` failed with on transmitting a message.

    :return: ``None`` where the message got to no server, because of what is in it

    >>> refused = {"a@x.example": (550, b"5.1.1 No"), "b@x.example": (450, b"Later")}
    >>> answer_to_message(smtplib.SMTPRecipientsRefused(refused), "b@x.example")
    Answer(phase=<Phase.RCPT: 'rcpt'>, code=450, text='Later')
    >>> answer_to_message(smtplib.SMTPSenderRefused(553, b"No", "x"), "b@x.example")
    Answer(phase=<Phase.MAIL: 'mail'>, code=553, text='No')
    >>> answer_to_message(TimeoutError(), "b@x.example")
    Answer(phase=<Phase.MESSAGE: 'message'>, code=None, text='timed out')
    >>> answer_to_message(UnicodeError("no"), "b@x.example")
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        known = next(iter(error.recipients.values()))
        code, text = error.recipients.get(recipient, known)
        return Answer(Phase.RCPT, code, decoded(text))
    if isinstance(error, smtplib.SMTPResponseException):
        refused = isinstance(error, smtplib.SMTPSenderRefused)
        phase = Phase.MAIL if refused else Phase.MESSAGE
        # typeshed has it as a text as well, which smtplib never makes of it
        said = error.smtp_error
        said = said.encode() if isinstance(said, str) else said
        return Answer(phase, error.smtp_code, decoded(said))
    if isinstance(error, (OSError, smtplib.SMTPServerDisconnected)) and not isinstance(
        error, smtplib.SMTPNotSupportedError
    ):
        return Answer(Phase.MESSAGE, None, words_of(error))
    return None
