"""What the journal's outcomes allow: the promise that nothing is handed over twice.

An attempt is written as ``sending`` before its text is transmitted, and only where its
claim still stands, in the same statement; the answer is written as soon as it is read.
SMTP cannot tell more (RFC 1047), so that what was written as ``sending`` by a run that
died is ``unknown``, and ``unknown`` is for somebody to decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from .types import Outcome

_ANSWERS = frozenset(
    {
        Outcome.SENT,
        Outcome.DEFERRED,
        Outcome.THROTTLED,
        Outcome.REFUSED,
        Outcome.UNKNOWN,
        Outcome.RELEASED,
    }
)

#: What may be written over what. A run that was only thought dead may still learn what
#: became of what is unknown by then; nothing else is ever written over an answer, but
#: that what was accepted came back.
FOLLOWS = MappingProxyType(
    {
        Outcome.SENDING: _ANSWERS,
        Outcome.UNKNOWN: _ANSWERS - {Outcome.UNKNOWN} | {Outcome.BOUNCED},
        Outcome.SENT: frozenset({Outcome.BOUNCED}),
    }
)

#: After these, nothing of the message can have reached the recipient.
NOT_DELIVERED = (Outcome.DEFERRED, Outcome.THROTTLED, Outcome.RELEASED)


def may_follow(before: Outcome, after: Outcome) -> bool:
    """Whether an outcome may be written over another one of the same attempt.

    >>> may_follow(Outcome.SENDING, Outcome.SENT)
    True
    >>> may_follow(Outcome.UNKNOWN, Outcome.SENT)
    True
    >>> may_follow(Outcome.SENT, Outcome.DEFERRED)
    False
    """
    return after in FOLLOWS.get(before, ())


def after_death(outcome: Outcome) -> Outcome:
    """What an attempt is once its run is known to be gone.

    >>> after_death(Outcome.SENDING).value, after_death(Outcome.SENT).value
    ('unknown', 'sent')
    """
    return Outcome.UNKNOWN if outcome is Outcome.SENDING else outcome


def may_offer(outcomes: Iterable[Outcome]) -> bool:
    """Whether a recipient may be offered a message again, by all attempts so far.

    >>> may_offer([]), may_offer([Outcome.DEFERRED, Outcome.RELEASED])
    (True, True)
    >>> may_offer([Outcome.DEFERRED, Outcome.UNKNOWN]), may_offer([Outcome.SENT])
    (False, False)
    """
    return all(outcome in NOT_DELIVERED for outcome in outcomes)
