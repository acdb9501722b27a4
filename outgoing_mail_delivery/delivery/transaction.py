"""One SMTP transaction (RFC 5321, 3.3): what is asked, and what the replies amount to.

Nothing here reads or writes a socket: :mod:`.session` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .replies import classify, says_no_recipients
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

#: The reply that asks for the text (RFC 5321, 4.1.1.4).
START_INPUT = 354
#: The reply of a server that closes the connection (RFC 5321, 3.8).
CLOSING = 421

_BARE_LINE_BREAK = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_LEADING_DOT = re.compile(rb"^\.", re.M)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
#: What ends a path or begins another parameter is in quotes (RFC 5321, 4.1.2).
_PATH = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s<>"\\])*')
#: The bytes of a command (RFC 5321, 4.5.3.1.4); no address is that long.
LONGEST_ADDRESS = 512
_SIZE = re.compile("[0-9]{1,20}")
_TOO_MANY_RECIPIENTS = re.compile("too many recipients|number of recipients", re.I)


#: A command's phase, and whom it is about.
Step = tuple[Phase, str]


@dataclass
class Transaction:
    """A message on offer, and the replies read so far.

    :param features: what EHLO told, by its keyword in lower case
    :param started: the instant at which it was offered
    """

    message: Message
    features: Mapping[str, str]
    started: float = 0.0
    mail: Answer | None = None
    rcpts: dict[str, Answer] = field(default_factory=dict)
    data: Answer | None = None
    final: Answer | None = None

    @property
    def accepted(self) -> tuple[str, ...]:
        """The recipients that the server takes."""
        return tuple(name for name, answer in self.rcpts.items() if answer.positive)

    @property
    def awaits_text(self) -> bool:
        """Whether the server waits for a text (or the lone dot)."""
        return self.data is not None and self.data.code == START_INPUT

    @property
    def goes_on(self) -> bool:
        """Whether the text is to be transmitted: somebody is to get it."""
        mail_taken = self.mail is not None and self.mail.positive
        return mail_taken and bool(self.accepted) and self.awaits_text

    @property
    def answers(self) -> tuple[Answer, ...]:
        """All replies, in the order in which they came."""
        found = (self.mail, *self.rcpts.values(), self.data, self.final)
        return tuple(answer for answer in found if answer is not None)

    # ------------------------------------------------------------------
    # What is asked
    # ------------------------------------------------------------------

    def mail_command(self) -> str:
        """MAIL with SIZE (RFC 1870), 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531).

        >>> message = Message(1, "a@x.example", ("b@y.example",), b"Hi")
        >>> Transaction(message, {"size": "1000"}).mail_command()
        'MAIL FROM:<a@x.example> SIZE=2'
        """
        parts = [f"MAIL FROM:<{self.message.sender}>"]
        if "size" in self.features:
            parts.append(f"SIZE={len(self.message.text)}")
        if "8bitmime" in self.features and not self.message.text.isascii():
            parts.append("BODY=8BITMIME")
        if self.needs_utf8 and "smtputf8" in self.features:
            parts.append("SMTPUTF8")
        return " ".join(parts)

    @staticmethod
    def rcpt_command(recipient: str) -> str:
        """RCPT for one recipient.

        >>> Transaction.rcpt_command("b@y.example")
        'RCPT TO:<b@y.example>'
        """
        return f"RCPT TO:<{recipient}>"

    def steps(self) -> list[Step]:
        """The phases of the envelope, those of RCPT with their recipients."""
        recipients = dict.fromkeys(self.message.recipients)
        rcpts = [(Phase.RCPT, recipient) for recipient in recipients]
        return [(Phase.MAIL, ""), *rcpts, (Phase.DATA, "")]

    def groups(self, size: int) -> Iterator[Sequence[Step]]:
        """The same, so many at once."""
        steps = self.steps()
        for start in range(0, len(steps), size):
            yield steps[start : start + size]

    def commands(self, steps: Sequence[Step]) -> str:
        """The commands of some steps, each with its line break."""
        commands = (self._command(phase, name) for phase, name in steps)
        return "".join(f"{command}\r\n" for command in commands)

    def _command(self, phase: Phase, recipient: str) -> str:
        if phase is Phase.RCPT:
            return self.rcpt_command(recipient)
        return self.mail_command() if phase is Phase.MAIL else "DATA"

    def is_pointless(self, steps: Sequence[Step]) -> bool:
        """Whether nothing can come of these steps any more."""
        if self.mail is not None and not self.mail.positive:
            return True
        return steps[0][0] is Phase.DATA and not self.accepted

    @property
    def needs_utf8(self) -> bool:
        """Whether it can only be sent where SMTPUTF8 is offered."""
        addresses = (self.message.sender, *self.message.recipients)
        return self.message.utf8 or not all(map(str.isascii, addresses))

    def text(self) -> bytes:
        r"""The text as it is transmitted, without the final dot (RFC 5321, 4.5.2).

        Lines end in CRLF alone: what a bare line break begins could pass for the end.

        >>> Transaction(Message(1, "", (), b"a\r\n.b\n.\nc"), {}).text()
        b'a\r\n..b\r\n..\r\nc\r\n'
        """
        text = self.message.text
        breaks = text.count(b"\r\n")
        if not breaks == text.count(b"\n") == text.count(b"\r"):
            text = _BARE_LINE_BREAK.sub(b"\r\n", text)
        if text.startswith(b".") or b"\n." in text:
            text = _LEADING_DOT.sub(b"..", text)
        return text if not text or text.endswith(b"\r\n") else text + b"\r\n"

    def obstacles(self) -> tuple[Attempt, ...]:
        """What need not be offered: the server has said so already, or no server can.

        >>> message = Message(1, "a@x.example", ("b@y.example",), b"x" * 50)
        >>> attempt, = Transaction(message, {"size": "20"}).obstacles()
        >>> attempt.answer.text, attempt.verdict.outcome.value
        ('SIZE 20 is offered, 50 are needed.', 'refused')
        >>> Transaction(message, {"size": "0"}).obstacles()
        ()
        """
        recipients = self.message.recipients
        limit = _size_limit(self.features)
        if limit and limit < len(self.message.text):
            needed = f"SIZE {limit} is offered, {len(self.message.text)} are needed."
            return _not_offered(recipients, needed, Scope.MESSAGE, Cause.CONTENT)
        utf8 = "smtputf8" in self.features
        if not _can_be_sent(self.message.sender, utf8):
            text = "The envelope sender needs SMTPUTF8, or is no address."
            return _not_offered(recipients, text, Scope.MESSAGE, Cause.IDENTITY)
        if self.message.utf8 and not utf8:
            text = "SMTPUTF8 is needed and not offered."
            return _not_offered(recipients, text, Scope.MESSAGE, Cause.CONTENT)
        bad = tuple(
            name for name in recipients if not name or not _can_be_sent(name, utf8)
        )
        text = "The address needs SMTPUTF8, or is no address."
        return _not_offered(bad, text, Scope.RECIPIENT, Cause.ADDRESS)

    # ------------------------------------------------------------------
    # What the replies amount to
    # ------------------------------------------------------------------

    def attempts(self) -> Iterator[Attempt]:
        """What is known of each recipient; nothing of those that were not offered."""
        if self.mail is not None and not self.mail.positive:
            verdict = verdict_of(self.mail)
            for recipient in self.message.recipients:
                yield Attempt(recipient, self.mail, verdict)
            return
        for recipient, answer in self.rcpts.items():
            if not answer.positive:
                yield Attempt(recipient, answer, self._rcpt_verdict(answer))
        last = self.final or self._refused_data
        if last is not None:
            verdict = self._last_verdict(last)
            for recipient in self.accepted:
                yield Attempt(recipient, last, verdict)

    @property
    def _refused_data(self) -> Answer | None:
        return self.data if self.data is not None and not self.awaits_text else None

    def _rcpt_verdict(self, answer: Answer) -> Verdict:
        """Too many recipients is no fault of this one, where others were accepted."""
        verdict = verdict_of(answer)
        of_message = verdict.scope is Scope.MESSAGE and self.accepted
        if of_message and _TOO_MANY_RECIPIENTS.search(answer.text):
            return Verdict(Outcome.DEFERRED, Scope.RECIPIENT, Cause.OTHER)
        return verdict

    def _last_verdict(self, last: Answer) -> Verdict:
        """An answer to DATA that there are no recipients is none about them."""
        if last.phase is Phase.DATA and says_no_recipients(last.text):
            return Verdict(Outcome.DEFERRED, Scope.MESSAGE, Cause.OTHER)
        return verdict_of(last)

    def result(self, attempts: tuple[Attempt, ...], now: float) -> Result:
        """All attempts, with what the transaction took."""
        return Result(self.message, attempts, self.started, now - self.started)

    def left(self, attempts: tuple[Attempt, ...]) -> Message | None:
        """The message for the recipients of whom nothing is known, if there are any."""
        known = {attempt.recipient for attempt in attempts}
        rest = tuple(name for name in self.message.recipients if name not in known)
        return replace(self.message, recipients=rest) if rest else None


def verdict_of(answer: Answer) -> Verdict:
    """What an answer means by itself."""
    return classify(answer.phase, answer.code, answer.text)


def _size_limit(features: Mapping[str, str]) -> int:
    """The largest message that a server takes, 0 where it does not say (RFC 1870).

    >>> _size_limit({"size": "1000"}), _size_limit({"size": ""}), _size_limit({})
    (1000, 0, 0)
    """
    limit = _SIZE.fullmatch(features.get("size", ""))
    return int(limit.group()) if limit else 0


def _can_be_sent(address: str, utf8: bool) -> bool:
    """Whether an address can be written into a command; the empty one can.

    >>> [_can_be_sent(each, False) for each in ("a@x", "a@x> SIZE=1", '"a b>"@x', "")]
    [True, False, True, True]
    """
    if len(address) > LONGEST_ADDRESS or not _PATH.fullmatch(address):
        return False
    # half a character of UTF-16 can be in a text, and not on a wire
    if _CONTROL.search(address) or _SURROGATE.search(address):
        return False
    return utf8 or address.isascii()


def _not_offered(
    recipients: tuple[str, ...], text: str, scope: Scope, cause: Cause
) -> tuple[Attempt, ...]:
    phase = Phase.RCPT if scope is Scope.RECIPIENT else Phase.MAIL
    verdict = Verdict(Outcome.REFUSED, scope, cause)
    answer = Answer(phase, None, text)
    return tuple(Attempt(recipient, answer, verdict) for recipient in recipients)
