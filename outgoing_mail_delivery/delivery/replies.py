"""What an answer of a submission server means (RFC 5321, 4.2; RFC 3463).

The servers are our own accounts, not strangers' MX: a refusal that is about *us* is the
server's trouble and never the recipient's. What is known of answers is a table,
``replies.csv``; the first row that fits decides, so that a text known of a provider
goes before a text that many use, that before the enhanced code, and that before the
bare code. Its columns:

* ``provider`` and ``source``: whose words they are, and where they were read,
* ``phase``, ``code``, ``enhanced``: what the row is limited to; empty for any. Codes
  are given by their beginnings, several of them apart by a blank,
* ``pattern``: a regular expression, looked for in the answer's lines joined by blanks,
* ``outcome``: empty for the code's own, *deferred* for 4yz and *refused* for 5yz,
* ``scope`` and ``cause``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .types import Cause, Outcome, Phase, Scope, Verdict

TABLE = Path(__file__).with_name("replies.csv")

MINUTE, HOUR, DAY = 60, 3600, 86400
#: An answer that asks for more is not taken at its word.
LONGEST_WAIT = DAY
#: Nothing that comes later in an answer is read: what no server says in earnest may
#: cost time.
READ = 4096

_ENHANCED = re.compile(r"(?:^|\s|#)([45]\.\d{1,3}\.\d{1,3})(?=\b)")
_LINK = re.compile(r"https?://(?:www\.)?([^\s/]+)\S*", re.I)
_REPEATED_CODE = re.compile(r"^\d{3}[- ]", re.M)
_REPEATED_ENHANCED_CODE = re.compile(r"(?<=\n)[245]\.\d{1,3}\.\d{1,3}[- ]")
_ADDRESS = re.compile(
    r"<[^<>\s]*>|(?<![^\s<>()\[\],;:])[^\s<>()\[\],;:@]+@[^\s<>()\[\],;:]+"
)
_REFERENCE = re.compile(r"\b(?=\w*\d)[\w.:-]+")
_UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY}
_WAIT = re.compile(
    r"(?:again|retry|back|later|wait|listed|deferred|blocked|delayed)\W+"
    r"(?:in|after|for|at least|another)?\W*(\d{1,9})\s*"
    r"(s|m|h|d)(?:ec|econd|in|inute|our|r|ay)?s?\b",
    re.I,
)
_WAIT_CLOCK = re.compile(
    r"(?:again|retry|back|wait)\b\D{0,20}(\d{1,9}):(\d\d):(\d\d)", re.I
)
_WAIT_SECONDS = re.compile(
    r"retry[-_ ]?(?:after|in)?\s*[:=]\s*(\d{1,9})|"
    r"(?<!\d)(\d{1,9}) ?s(?:ec(?:ond)?s?)? remaining",
    re.I,
)
_WINDOWS = (
    (re.compile(r"\bdaily\b|\bdays?\b|\b24 ?h", re.I), DAY),
    (re.compile(r"\bhourly\b|\bhours?\b|\b60 min", re.I), HOUR),
    (re.compile(r"\bminutes?\b", re.I), MINUTE),
)
_NO_RECIPIENTS = re.compile(
    r"no (?:valid )?recipients?\b|RCPT (?:command )?(?:first|must)|need RCPT|"
    r"valid RCPT",
    re.I,
)


@dataclass(frozen=True, slots=True)
class KnownReply:
    """One row of the table."""

    provider: str
    phases: frozenset[str]
    codes: tuple[str, ...]
    enhanced: re.Pattern[str] | None
    pattern: re.Pattern[str] | None
    outcome: Outcome | None
    scope: Scope
    cause: Cause
    source: str

    def fits(self, phase: Phase, code: int, enhanced: str, text: str) -> bool:
        """Whether the row speaks of this answer; ``text`` is one line."""
        return bool(
            (not self.phases or phase.value in self.phases)
            and (not self.codes or str(code).startswith(self.codes))
            and (not self.enhanced or self.enhanced.fullmatch(enhanced))
            and (not self.pattern or self.pattern.search(text))
        )

    def verdict(self, code: int, text: str) -> Verdict:
        """What the row says of an answer with this code."""
        return Verdict(
            self.outcome or own_outcome(code), self.scope, self.cause, wait_of(text)
        )


def classify(phase: Phase, code: int | None, text: str) -> Verdict:
    r"""What a negative answer means, or no answer, or the last positive one.

    >>> def table(*rows):
    ...     for phase, code, text in rows:
    ...         verdict = classify(Phase(phase), code, text)
    ...         words = [verdict.outcome, verdict.scope, verdict.cause]
    ...         wait = [] if verdict.wait is None else [verdict.wait]
    ...         print(*(word.value for word in words), *wait)
    >>> table(
    ...     ("message", 250, "2.0.0 Ok: queued as 4XyZ"),
    ...     ("message", None, "timed out"),
    ...     ("rcpt", None, "connection closed"),
    ...     ("connect", None, "connection refused"),
    ... )
    sent recipient other
    unknown message connection
    deferred session connection
    deferred server connection

    A text that is known, before the enhanced code, before the bare code:

    >>> table(
    ...     ("rcpt", 550, "5.2.1 The user you are trying to contact is receiving mail "
    ...                   "at a rate that prevents additional messages"),
    ...     ("rcpt", 550, "5.2.1 Something never read before"),
    ...     ("rcpt", 550, "Something never read before"),
    ...     ("message", 550, "Something never read before"),
    ...     ("message", 450, "Something never read before"),
    ... )
    deferred recipient policy
    refused recipient address
    refused recipient address
    refused message other
    deferred message other

    What is about us is never the recipient's trouble:

    >>> table(
    ...     ("rcpt", 554, "5.7.1 <anna@x.example>: Relay access denied"),
    ...     ("rcpt", 550, "5.7.1 Service unavailable; client [192.0.2.1] blocked using "
    ...                   "zen.spamhaus.org"),
    ...     ("rcpt", 550, "5.4.5 Daily SMTP relay limit exceeded for user"),
    ...     ("mail", 553, "5.7.1 <a@x.example>: Sender rejected: not logged in"),
    ...     ("mail", 553, "5.7.1 <a@x.example>: Sender rejected: not owned by user b"),
    ... )
    deferred server login
    deferred server policy
    throttled server quota
    deferred server login
    refused message identity

    Every line is read, and what the answer asks for is taken from it:

    >>> table(
    ...     ("rcpt", 450, "Requested mail action not taken: mailbox unavailable\n"
    ...                   "Mail send limit exceeded."),
    ...     ("rcpt", 450, "4.2.0 <anna@x.example>: Greylisted, try again in 5 minutes"),
    ... )
    throttled server quota
    deferred recipient policy 300
    """
    if code is None or not 400 <= code < 600:
        return _without_refusal(phase, code)
    line, enhanced = flattened(text), enhanced_code(text)
    for reply in known_replies():
        if reply.fits(phase, code, enhanced, line):
            return reply.verdict(code, line)
    return _by_phase(phase, code, line)


def _without_refusal(phase: Phase, code: int | None) -> Verdict:
    """No answer, a positive one, or one that the protocol does not have there."""
    if phase is Phase.MESSAGE:
        if code is not None and 200 <= code < 300:
            return Verdict(Outcome.SENT, Scope.RECIPIENT, Cause.OTHER)
        return Verdict(Outcome.UNKNOWN, Scope.MESSAGE, Cause.CONNECTION)
    scope = Scope.SERVER if phase.opens_session else Scope.SESSION
    return Verdict(Outcome.DEFERRED, scope, Cause.CONNECTION)


def _by_phase(phase: Phase, code: int, line: str) -> Verdict:
    """Where nothing is known but the code: the trouble of what was being asked.

    Nothing was offered before MAIL, so nothing can be refused there.
    """
    if phase.opens_session:
        return Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.OTHER, wait_of(line))
    scope = Scope.RECIPIENT if phase is Phase.RCPT else Scope.MESSAGE
    return Verdict(own_outcome(code), scope, Cause.OTHER, wait_of(line))


def own_outcome(code: int) -> Outcome:
    """What a negative code says by itself (RFC 5321, 4.2.1).

    >>> own_outcome(451).value, own_outcome(550).value
    ('deferred', 'refused')
    """
    return Outcome.DEFERRED if code < 500 else Outcome.REFUSED


def flattened(text: str) -> str:
    r"""An answer's lines in one, of links their hosts alone.

    Codes that lines repeat are left out, so that sentences go on.

    >>> flattened("550-5.7.26 From is not\n550 5.7.26 authenticated")
    '5.7.26 From is not authenticated'
    >>> flattened("5.7.1 Blocked, see\n550 https://www.spamhaus.org/query?p=SPF")
    '5.7.1 Blocked, see spamhaus.org'
    """
    sentences = _REPEATED_ENHANCED_CODE.sub("", _without_codes(text))
    return " ".join(_LINK.sub(r"\1", sentences).split())


def _without_codes(text: str) -> str:
    """What is read of an answer, without the codes that its lines repeat."""
    return _REPEATED_CODE.sub("", text[:READ])


def enhanced_code(text: str) -> str:
    """The first enhanced code of an answer (RFC 3463), ``""`` where there is none.

    >>> enhanced_code("5.1.1 No such user"), enhanced_code("No such user (#5.1.1)")
    ('5.1.1', '5.1.1')
    >>> enhanced_code("No such user")
    ''
    """
    found = _ENHANCED.search(_without_codes(text))
    return found.group(1) if found else ""


def wait_of(text: str) -> int | None:
    """The seconds that an answer asks to wait, a day at most.

    >>> wait_of("Greylisted, please try again in 300 seconds")
    300
    >>> wait_of("greylisted for 5 minutes"), wait_of("retry in 00:04:30")
    (300, 270)
    >>> wait_of("Rate limit exceeded; retry-after: 30"), wait_of("try again later")
    (30, None)
    """
    if found := _WAIT.search(text):
        seconds = int(found.group(1)) * _UNITS[found.group(2).lower()]
    elif found := _WAIT_CLOCK.search(text):
        hours, minutes, rest = map(int, found.groups())
        seconds = hours * HOUR + minutes * MINUTE + rest
    elif found := _WAIT_SECONDS.search(text):
        seconds = int(found.group(1) or found.group(2))
    else:
        return None
    return min(seconds, LONGEST_WAIT)


def window_of(text: str) -> int | None:
    """The window of a quota, in seconds, if the answer names one.

    >>> window_of("Daily user sending quota exceeded"), window_of("50 mails per hour")
    (86400, 3600)
    >>> window_of("Too many connections")
    """
    for pattern, seconds in _WINDOWS:
        if pattern.search(text):
            return seconds
    return None


def same_words(text: str) -> str:
    """An answer without addresses, links and references: what two have in common.

    >>> first = same_words("5.1.1 <anna@x.example>: User unknown (id 4XyZ1-0001)")
    >>> first == same_words("5.1.1 <ben@y.example>: User unknown (id 5AbC2-0002)")
    True
    >>> first
    'user unknown (id )'
    """
    bare = _ADDRESS.sub("", flattened(text))
    return " ".join(_REFERENCE.sub("", bare).split()).strip(" :").lower()


def says_no_recipients(text: str) -> bool:
    """Whether an answer to DATA only repeats that every RCPT failed (RFC 2920, 3.1).

    >>> says_no_recipients("5.5.1 Error: no valid recipients")
    True
    """
    return bool(_NO_RECIPIENTS.search(text))


@lru_cache(maxsize=1)
def known_replies() -> tuple[KnownReply, ...]:
    """The table, read once."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(_rows(csv.DictReader(file)))


def _rows(table: csv.DictReader[str]) -> Iterator[KnownReply]:
    for row in table:
        yield KnownReply(
            provider=row["provider"],
            phases=frozenset(row["phase"].split()),
            codes=tuple(row["code"].split()),
            enhanced=_compiled(row["enhanced"]),
            pattern=_compiled(row["pattern"]),
            outcome=Outcome(row["outcome"]) if row["outcome"] else None,
            scope=Scope(row["scope"]),
            cause=Cause(row["cause"]),
            source=row["source"],
        )


def _compiled(text: str) -> re.Pattern[str] | None:
    return re.compile(text, re.I) if text else None
