"""The measures, one function each; every one gives lines of the table."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.odoo_server import OdooServer
from workbench.steps import step

from .figures import Result, Spread, duration, quotients, ratios, slope
from .sides import Run, Side, in_turns, started, together

#: The targets: ratios to core or, for the number of servers, to ten of them.
SPLIT_FASTER = 100.0
MANY_SERVERS = 1.2
SAME_SQL = 1.0
#: How many whole statements more a mail may cost that is sent by itself.
MORE_SQL = 2
WHOLE_QUEUE = 1.03

SENDERS = 10
FEW, MANY = 10, 10_000
QUEUE_LENGTHS = 50, 150
#: Mails that a side sends before it is the other's turn.
SLICE = 10
WARM_UP_MAILS = 20
#: Who the servers are assigned to, and the mails written by or for.
ASSIGNED: Mapping[str, Mapping[str, Any]] = {
    "nothing assigned": {},
    "servers of users": {"assign_to": "users"},
    "servers of companies": {"assign_to": "companies"},
}


@dataclass(frozen=True)
class Effort:
    """How often and on how much is measured."""

    queue_mails: int
    queue_rounds: int
    queue_processes: int
    server_mails: int
    server_rounds: int
    core_repeats: int
    task_rounds: int
    large_queue_rounds: int
    delivery_mails: int
    delivery_rounds: int
    backlog_rounds: int
    heavy_mails: int


FULL = Effort(500, 5, 3, 400, 6, 3, 11, 3, 500, 5, 3, 100)
QUICK = Effort(200, 4, 1, 100, 3, 1, 5, 1, 200, 3, 1, 10)


@dataclass(frozen=True)
class Bench:
    """What a measure needs: Odoo, the databases by their use, the sink's port.

    ``addon`` has the routing of mail alone, ``delivery`` all addons there are.
    """

    odoo: OdooServer
    core: str
    addon: str
    core_many: str
    addon_many: str
    delivery: str
    port: int
    effort: Effort


def split(bench: Bench) -> Iterator[Result]:
    """Split a queue of 1,000 mails, each with another From, over 1,000 servers."""
    count = 1000
    title = "Split of 1,000 mails over 1,000 servers"
    with step(title), started(bench.odoo, bench.core, bench.addon) as sides:
        core, addon = sides
        base: list[float] = []
        for name, assigned in ASSIGNED.items():
            among = sides if not assigned else [addon]
            holders = 200 if "users" in name else 100
            _prepare(among, bench.port, count, assigned, holders)
            _queue(among, count, count, assigned, holders)
            if not base:
                repeats = bench.effort.core_repeats
                base = core.do("split", repeats=repeats, forget_directory=False)
            for forget in (False, True):
                took = addon.do("split", repeats=7, forget_directory=forget)
                faster = quotients(base, took)
                directory = "servers read anew" if forget else "servers known"
                yield Result(
                    f"{title}, {name}, {directory}",
                    duration(statistics.median(base)),
                    duration(statistics.median(took)),
                    faster.as_speed,
                ).at_least(faster.median, SPLIT_FASTER)


def _prepare(
    sides: Sequence[Side],
    port: int,
    count: int,
    assigned: Mapping[str, Any],
    holders: int,
) -> None:
    """Make servers; only the addon can have them assigned."""
    for side in sides:
        ours = {**assigned, "holders": holders} if side.has_addon else {}
        side.ask("make_servers", count=count, port=port, **ours)
    for side in sides:
        side.answer()


def _queue(
    sides: Sequence[Side],
    count: int,
    senders: int,
    assigned: Mapping[str, Any],
    holders: int,
) -> None:
    """Make a queue, written by the users or for the companies that hold servers."""
    kind = {assigned["assign_to"]: holders} if assigned else {}
    together(sides, "make_mails", count=count, senders=senders, **kind)
    for side in sides:
        side.tidy()


def servers(bench: Bench) -> Iterator[Result]:
    """Send the same mails with 10 and with 10,000 servers."""
    title = f"Cost of a mail, {FEW} → {MANY:,} servers"
    databases = (bench.addon, bench.addon_many, bench.core, bench.core_many)
    with step(title), started(bench.odoo, *databases) as sides:
        _prepare(sides[::2], bench.port, FEW, {}, 0)
        _prepare(sides[1::2], bench.port, MANY, {}, 0)
        addon, core = sides[:2], sides[2:]
        effort = bench.effort
        mails, few = effort.server_mails, effort.server_mails // 5
        ours = _rounds(addon, mails, effort.server_rounds)
        theirs = _rounds(core, few, effort.core_repeats)
        result = _growth(f"{title}, queue of {mails} (core: {few})", ours, theirs)
        yield result.at_most(_factor(ours).median, MANY_SERVERS)
        ours = _rounds(addon, few, effort.server_rounds, one_by_one=True)
        theirs = _rounds(core, few, effort.core_repeats, one_by_one=True)
        yield _growth(f"{title}, mails sent one by one", ours, theirs)
        _queue(sides, 1, 1, {}, 0)
        yield from _choice(addon, core)


def _growth(
    measure: str, ours: Sequence[Sequence[Run]], theirs: Sequence[Sequence[Run]]
) -> Result:
    """What a mail costs with few and many servers, and the ratio of the two."""
    return Result(
        measure,
        f"{_per_mail(theirs)} (× {_factor(theirs).median:.2f})",
        _per_mail(ours),
        _factor(ours).as_factor,
    )


def _factor(runs: Sequence[Sequence[Run]]) -> Spread:
    few, many = ([run.wall / run.mails for run in side] for side in runs)
    return ratios(many, few)


def _per_mail(runs: Sequence[Sequence[Run]]) -> str:
    return _few_to_many([[run.wall / run.mails for run in side] for side in runs])


def _choice(addon: Sequence[Side], core: Sequence[Side]) -> Iterator[Result]:
    """How long it takes to choose the server of a single mail, for information."""
    theirs = [side.do("split", repeats=5, forget_directory=False) for side in core]
    for forget in (False, True):
        ours = [side.do("split", repeats=10, forget_directory=forget) for side in addon]
        directory = "servers read anew" if forget else "servers known"
        yield Result(
            f"Choice for a single mail, {FEW} → {MANY:,} servers, {directory}",
            f"{_few_to_many(theirs)} (× {quotients(*theirs[::-1]).median:.1f})",
            _few_to_many(ours),
            quotients(*ours[::-1]).as_factor,
        )


def _few_to_many(seconds: Sequence[Sequence[float]]) -> str:
    return " → ".join(duration(statistics.median(side)) for side in seconds)


def _rounds(
    sides: Sequence[Side],
    mails: int,
    rounds: int,
    one_by_one: bool = False,
) -> list[list[Run]]:
    """Run the queues of all sides in turns, again and again, after a warming up.

    :return: for each side, a run for each round
    """
    runs: dict[str, list[Run]] = {side.database: [] for side in sides}
    for number in range(-1, rounds):
        count = mails if number >= 0 else min(mails, WARM_UP_MAILS)
        _queue(sides, count, SENDERS, {}, 0)
        order = sides if number % 2 == 0 else sides[::-1]
        measured = in_turns(order, count, slice_length=SLICE, one_by_one=one_by_one)
        for side, run in zip(order, measured, strict=True):
            runs[side.database] += [run] if number >= 0 else []
    return list(runs.values())


def sql(bench: Bench) -> Iterator[Result]:
    """Count the SQL statements that one more mail in the queue costs."""
    title = "SQL statements a mail"
    long = QUEUE_LENGTHS[1]
    with step(title), started(bench.odoo, bench.core, bench.addon) as sides:
        for name, assigned in ASSIGNED.items():
            for senders in (SENDERS, long):
                kind = "a sender each" if senders == long else f"{senders} senders"
                _prepare(sides, bench.port, senders, assigned, senders)
                core, addon = _slopes(sides, senders, assigned)
                yield Result(
                    f"{title}, {name}, {kind}",
                    f"{core:.2f}",
                    f"{addon:.2f}",
                    f"{addon / core:.3f}",
                ).at_most(addon / core, SAME_SQL)
            core, addon = _statements(sides, long, senders, assigned, one_by_one=True)
            yield Result(
                f"{title}, {name}, mails sent one by one",
                f"{core / long:.2f}",
                f"{addon / long:.2f}",
                f"{addon / core:.3f}",
            ).judged((addon - core) // long <= MORE_SQL, f"≤ core + {MORE_SQL}")


def _slopes(
    sides: Sequence[Side], senders: int, assigned: Mapping[str, Any]
) -> list[float]:
    """SQL statements of one more mail in the queue, for each side."""
    short, long = QUEUE_LENGTHS
    _statements(sides, short, senders, assigned)  # fills Odoo's caches
    few = _statements(sides, short, senders, assigned)
    many = _statements(sides, long, senders, assigned)
    return [slope((short, a), (long, b)) for a, b in zip(few, many, strict=True)]


def _statements(
    sides: Sequence[Side],
    mails: int,
    senders: int,
    assigned: Mapping[str, Any],
    one_by_one: bool = False,
) -> list[int]:
    """SQL statements of a whole queue, for each side."""
    _queue(sides, mails, senders, assigned, senders)
    runs = in_turns(sides, mails, one_by_one=one_by_one)
    return [run.statements for run in runs]


def whole_queue(bench: Bench) -> Iterator[Result]:
    """Run a whole queue over one server with nothing assigned."""
    effort = bench.effort
    mails = effort.queue_mails
    title = f"Whole queue of {mails} mails, one server, nothing assigned"
    runs: list[list[Run]] = [[], []]
    with step(title):
        for _process in range(effort.queue_processes):
            with started(bench.odoo, bench.core, bench.addon) as sides:
                together(
                    sides, "make_servers", count=1, port=bench.port, filtered=False
                )
                for side, more in zip(
                    runs,
                    _rounds(sides, mails, effort.queue_rounds),
                    strict=True,
                ):
                    side += more
    for what, limit in (("wall", WHOLE_QUEUE), ("cpu", 0.0)):
        core, addon = ([getattr(run, what) for run in side] for side in runs)
        ratio = ratios(addon, core)
        clock = {"wall": "elapsed time", "cpu": "CPU time of Odoo's process"}[what]
        result = Result(
            f"{title}, {clock}",
            duration(statistics.median(core)),
            duration(statistics.median(addon)),
            ratio.as_factor,
        )
        yield result.at_most(ratio.median, limit) if limit else result
