"""What becomes of a mail, by what became of its messages.

A mail whose recipients fare differently is split, so that each mail is in one state:
what is done, what may have arrived, and what is tried again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, unique

from .types import Outcome


@unique
class Fate(Enum):
    """What is to be done about a recipient."""

    DONE = "done"
    UNKNOWN = "unknown"
    LATER = "later"


_FATES = {
    Outcome.SENT: Fate.DONE,
    Outcome.BOUNCED: Fate.DONE,
    Outcome.REFUSED: Fate.DONE,
    Outcome.SENDING: Fate.UNKNOWN,
    Outcome.UNKNOWN: Fate.UNKNOWN,
}


def fate_of(outcome: Outcome | None) -> Fate:
    """What is to be done after the last attempt, ``None`` where there was none.

    >>> [fate_of(each).value for each in (Outcome.SENT, Outcome.THROTTLED, None)]
    ['done', 'later', 'later']
    """
    return _FATES.get(outcome, Fate.LATER) if outcome else Fate.LATER


#: A recipient: the part of the mail that is a message of its own, and the address.
Recipient = tuple[Hashable, str]


@dataclass(frozen=True)
class Split:
    """The recipients of a mail by what becomes of them.

    The first group that is not empty keeps the mail, each other one gets its own.
    """

    done: tuple[Recipient, ...]
    unknown: tuple[Recipient, ...]
    later: tuple[Recipient, ...]

    @property
    def groups(self) -> tuple[tuple[Fate, tuple[Recipient, ...]], ...]:
        """The groups that have recipients, in their order."""
        every = (
            (Fate.DONE, self.done),
            (Fate.UNKNOWN, self.unknown),
            (Fate.LATER, self.later),
        )
        return tuple((fate, group) for fate, group in every if group)


def split(outcomes: Mapping[Recipient, Outcome | None]) -> Split:
    """Tell what becomes of each recipient of a mail.

    >>> split({(1, "a@x"): Outcome.SENT, (2, "b@x"): Outcome.DEFERRED}).groups
    ((<Fate.DONE: 'done'>, ((1, 'a@x'),)), (<Fate.LATER: 'later'>, ((2, 'b@x'),)))
    """
    found: dict[Fate, list[Recipient]] = {fate: [] for fate in Fate}
    for recipient, outcome in outcomes.items():
        found[fate_of(outcome)].append(recipient)
    return Split(*(tuple(found[fate]) for fate in Fate))


def is_sent(outcomes: Iterable[Outcome | None]) -> bool:
    """Whether a mail counts as sent: as in core, once anybody was sent it."""
    return any(each in (Outcome.SENT, Outcome.BOUNCED) for each in outcomes)
