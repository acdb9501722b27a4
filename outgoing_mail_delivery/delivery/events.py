"""What the threads of a run tell the thread that writes the journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

from .types import Answer, Message, Result, Verdict


@dataclass(frozen=True, eq=False)
class Intent:
    """A session is about to transmit a message, to these recipients.

    It waits until that is written down. One that stands is always followed by an
    :class:`Answered` of the same message, unless the process dies.
    """

    server: Hashable
    message: Message
    recipients: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Answered:
    """Answers came, or will not come any more.

    Of a recipient whose verdict has the scope ``session``, it is not the last word:
    the message is offered again at once, or comes back with a :class:`Returned`.
    """

    server: Hashable
    result: Result


@dataclass(frozen=True, eq=False)
class Trouble:
    """A session ended before its time, or none could be opened.

    ``partial`` says that the run goes on with the server.
    """

    server: Hashable
    answer: Answer
    verdict: Verdict
    partial: bool


@dataclass(frozen=True, eq=False)
class Returned:
    """Messages that were not offered, nor will be: nothing is known against them."""

    server: Hashable
    messages: tuple[Message, ...]


class Later(Exception):
    """A journal can write nothing now, and wrote nothing: it is asked again."""


Event = Intent | Answered | Trouble | Returned

#: Writes events down for good, in their order; returns those intents that stand.
Journal = Callable[[Sequence[Event]], Collection[Intent]]
