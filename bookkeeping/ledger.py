"""Two books compared: what the servers accepted, and what Odoo says became of it.

An entry is one recipient of one message. Every entry has to come out in one of five
ways, and the books of the servers have to agree:

>>> plan = {Entry("<1@x>", "a@client.example"): Planned("One")}
>>> report = compare(Facts(plan, [], {}, set(), {}, ()))
>>> [(fault.kind.value, fault.entry.recipient) for fault in report.faults]
[('lost', 'a@client.example')]

Who reads the books needs no Odoo; neither does this module.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import NamedTuple

HEADINGS = (
    *("server", "entries", "accepted", "double", "lost"),
    *("waiting", "failed", "unknown"),
)
TOTAL = "all"


class Entry(NamedTuple):
    """One recipient of one message, by its Message-ID."""

    message_id: str
    recipient: str


@unique
class State(str, Enum):
    """What Odoo says of an entry."""

    SENT = "sent"
    WAITING = "waiting"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SENDING = "sending"


@dataclass(frozen=True)
class Planned:
    """An entry that was made: its server, and whether Odoo has to refuse it itself."""

    server: str
    impossible: bool = False


@dataclass(frozen=True)
class Accepted:
    """An entry that a server accepted."""

    server: str
    entry: Entry


@dataclass(frozen=True)
class Said:
    """What Odoo says of an entry.

    :param reason: why it failed, in words
    :param death: what interrupted its transmission, a name; empty for nothing known
    """

    state: State
    reason: str = ""
    death: str = ""


@dataclass(frozen=True)
class Facts:
    """All that is compared.

    :param forsaken: entries whose answer a server was told to keep to itself
    :param deaths: how many sessions with one server each death may have interrupted, by
        the death's name
    :param replies: parts of what servers were told to answer where they refuse
    """

    planned: Mapping[Entry, Planned]
    accepted: Sequence[Accepted]
    said: Mapping[Entry, Said]
    forsaken: AbstractSet[Entry]
    deaths: Mapping[str, int]
    replies: Collection[str]


@unique
class Kind(str, Enum):
    """What is wrong with an entry; the values are those that are printed."""

    DOUBLE = "accepted twice"
    LOST = "lost"
    FALSELY_SENT = "said to be sent, but never accepted"
    FALSELY_FAILED = "said to have failed, but accepted"
    WOULD_DOUBLE = "accepted, but waiting to be sent again"
    UNSETTLED = "left in transmission"
    UNEXPLAINED = "unknown, but nothing interrupted it"
    NO_REASON = "failed without a reason that its server gave"
    STRANGER = "accepted, but never made"


#: By these a mail is lost: it is nowhere, and nobody will look after it.
LOST = frozenset({Kind.LOST, Kind.FALSELY_SENT, Kind.UNSETTLED})


@dataclass(frozen=True)
class Fault:
    """An entry that is not as it has to be."""

    kind: Kind
    entry: Entry
    server: str
    detail: str = ""

    def __str__(self) -> str:
        who = self.entry.recipient or "nobody"
        where = f"{who} of {self.entry.message_id} ({self.server})"
        return f"{where} {self.detail}".rstrip()


@dataclass(frozen=True)
class Report:
    """What came of a comparison: counts by server and what they count, and faults."""

    counts: Mapping[str, Counter[str]]
    faults: Sequence[Fault] = field(default_factory=tuple)

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def table(self) -> str:
        """Return the counts as columns for a terminal, servers by their names."""
        rows: list[tuple[str, ...]] = [HEADINGS]
        total: Counter[str] = Counter()
        for server, counted in sorted(self.counts.items()):
            total.update(counted)
            rows.append(_row(server, counted))
        return _aligned([*rows, _row(TOTAL, total)])


def compare(facts: Facts) -> Report:
    """Compare the books, entry by entry."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    holders: defaultdict[Entry, list[str]] = defaultdict(list)
    for accepted in facts.accepted:
        holders[accepted.entry].append(accepted.server)
    faults = list(_strangers(facts, holders))
    for entry, planned in facts.planned.items():
        servers, said = holders.get(entry, []), facts.said.get(entry)
        counted = counts[planned.server]
        counted["entries"] += 1
        counted["accepted"] += bool(servers)
        if said is not None and not servers:
            counted[said.state.value] += 1
        for kind, detail in _wrong(facts, planned, said, servers):
            faults.append(Fault(kind, entry, planned.server, detail))
            counted["double"] += kind is Kind.DOUBLE
            counted["lost"] += kind in LOST
    return Report(counts, [*faults, *_unexplained(facts)])


def _strangers(facts: Facts, holders: Mapping[Entry, list[str]]) -> Iterator[Fault]:
    for entry, servers in holders.items():
        if entry not in facts.planned:
            yield Fault(Kind.STRANGER, entry, servers[0])


def _wrong(
    facts: Facts, planned: Planned, said: Said | None, servers: Sequence[str]
) -> Iterator[tuple[Kind, str]]:
    """What is wrong with one entry, and the words that show it."""
    state = said.state if said is not None else None
    if len(servers) > 1:
        yield Kind.DOUBLE, " and ".join(servers)
    if state is State.SENDING:
        yield Kind.UNSETTLED, ""
    elif servers and state is State.WAITING:
        yield Kind.WOULD_DOUBLE, ""
    elif servers and said is not None and state is State.FAILED:
        yield Kind.FALSELY_FAILED, repr(said.reason)
    elif not servers and state is State.SENT:
        yield Kind.FALSELY_SENT, ""
    elif not servers and said is None:
        yield Kind.LOST, ""
    elif said is not None and state is State.FAILED:
        if not _has_reason(facts, planned, said.reason):
            yield Kind.NO_REASON, repr(said.reason)


def _has_reason(facts: Facts, planned: Planned, reason: str) -> bool:
    if planned.impossible:
        return bool(reason.strip())
    return any(reply in reason for reply in facts.replies)


def _unexplained(facts: Facts) -> Iterator[Fault]:
    """Unknown entries that neither a lost answer nor a death accounts for.

    A death interrupts one message for each session that was open, and no more.
    """
    by_death: defaultdict[tuple[str, str], dict[str, list[Entry]]] = defaultdict(dict)
    for entry, said in facts.said.items():
        planned = facts.planned.get(entry)
        if said.state is State.UNKNOWN and planned and entry not in facts.forsaken:
            interrupted = by_death[said.death, planned.server]
            interrupted.setdefault(entry.message_id, []).append(entry)
    for (death, server), messages in by_death.items():
        sessions = facts.deaths.get(death, 0)
        for entries in list(messages.values())[sessions:]:
            for entry in entries:
                detail = f"(one of {len(messages)}, {death or 'no death'})"
                yield Fault(Kind.UNEXPLAINED, entry, server, detail)


def _row(server: str, counted: Mapping[str, int]) -> tuple[str, ...]:
    return (server, *(f"{counted.get(name, 0):,}" for name in HEADINGS[1:]))


def _aligned(rows: Iterable[tuple[str, ...]]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in rows
    )
