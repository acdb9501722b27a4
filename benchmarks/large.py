"""The measures of a big customer: :mod:`benchmarks.large_fixture` tells how big."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from workbench.addons import NAMES as ADDONS
from workbench.odoo_server import OdooServer
from workbench.steps import step

from .figures import NO_TARGET, Result, duration, ratios
from .large_sizes import COMPANIES, IMPORTED, QUEUE, SERVERS, USERS
from .measures import Bench
from .sides import Run, Side, in_turns, started, together

#: A task is fast enough by its ratio to core, or by its time.
AS_CORE, FAST = 1.2, 0.3
OVERVIEW_SECONDS = 1.0
FEW_STATEMENTS = 50
LOG_BYTES = 2_000
#: How often a lock is looked for, in seconds.
POLL = 0.05

Figures = Sequence[dict[str, float]]


@dataclass(frozen=True)
class Task:
    """A task of :mod:`benchmarks.large_tasks`, and how it is judged."""

    title: str
    judge: Callable[[Result, Figures, Figures], Result]
    has_core: bool = True


def _as_core_or_fast(result: Result, core: Figures, addon: Figures) -> Result:
    ratio = ratios(_seconds(addon), _seconds(core)).median
    seconds = statistics.median(_seconds(addon))
    return result.judged(
        ratio <= AS_CORE or seconds <= FAST, f"≤ {AS_CORE:g} or {duration(FAST)}"
    )


def _within_a_second(result: Result, core: Figures, addon: Figures) -> Result:
    seconds = statistics.median(_seconds(addon))
    return result.judged(seconds <= OVERVIEW_SECONDS, f"≤ {duration(OVERVIEW_SECONDS)}")


def _by_few_statements(result: Result, core: Figures, addon: Figures) -> Result:
    return result.judged(
        addon[0]["statements"] <= FEW_STATEMENTS, f"≤ {FEW_STATEMENTS} SQL"
    )


def _in_few_bytes(result: Result, core: Figures, addon: Figures) -> Result:
    return result.judged(addon[0]["size"] <= LOG_BYTES, f"≤ {LOG_BYTES:,} bytes")


TASKS = {
    "write": Task("One server changed", _as_core_or_fast),
    "known": Task("Choice for a single mail", _as_core_or_fast),
    "after_write": Task(
        "Choice for a single mail, a server changed before", _as_core_or_fast
    ),
    "typed": Task("FROM filter typed in the form of a server", _as_core_or_fast),
    "template": Task(
        f"Form of a template with a plain From, {COMPANIES} companies open",
        _as_core_or_fast,
    ),
    "user": Task(f"Form of a user of {COMPANIES} companies", _as_core_or_fast),
    "composer": Task("Composer of a user", _as_core_or_fast),
    "overview": Task("Overview", _within_a_second, has_core=False),
    "preview": Task("What would change, 500 mails", _by_few_statements, False),
    "import": Task(f"Import of {IMPORTED:,} servers with users", _as_core_or_fast),
    "log": Task(f"Change of a server with {USERS:,} users", _in_few_bytes, False),
}
QUEUE_MEASURE, UPDATE_MEASURE = "large_queue", "update"
NAMES = (*TASKS, QUEUE_MEASURE, UPDATE_MEASURE)


def measure(bench: Bench, names: Sequence[str]) -> Iterator[Result]:
    """Measure what is named of ``NAMES``, core and addon in turns."""
    with started(bench.odoo, bench.core, bench.addon) as sides:
        with step(f"Make {USERS:,} users, {SERVERS:,} servers and their mail"):
            together(sides, "make_large", port=bench.port)
            for side in sides:
                side.tidy([""])
        for name, task in TASKS.items():
            if name in names:
                yield _measure_task(bench, sides, name, task)
        if QUEUE_MEASURE in names:
            yield from _measure_queue(bench, sides)
    if UPDATE_MEASURE in names:
        yield _measure_update(bench)


def _measure_task(bench: Bench, sides: Sequence[Side], name: str, task: Task) -> Result:
    """Do a task by turns on both sides, after a first time that is not counted."""
    with step(task.title):
        core, addon = sides
        among = [core, addon] if task.has_core else [addon]
        taken: dict[str, list[dict[str, float]]] = {side.database: [] for side in sides}
        for number in range(-1, bench.effort.task_rounds):
            for side in among if number % 2 else among[::-1]:
                figures = side.do("task", name=name, number=number)
                taken[side.database] += [figures] if number >= 0 else []
    theirs, ours = taken[core.database], taken[addon.database]
    ratio = ratios(_seconds(ours), _seconds(theirs)).as_factor if theirs else NO_TARGET
    result = Result(task.title, _told(theirs), _told(ours), ratio)
    return task.judge(result, theirs, ours)


def _seconds(figures: Figures) -> list[float]:
    return [figure["seconds"] for figure in figures]


def _told(figures: Figures) -> str:
    """Median time, SQL statements and, where it is known, the size."""
    if not figures:
        return NO_TARGET
    statements = int(statistics.median(figure["statements"] for figure in figures))
    told = f"{duration(statistics.median(_seconds(figures)))}, {statements:,} SQL"
    size = int(figures[0]["size"])
    return f"{told}, {size:,} bytes" if size else told


def _measure_queue(bench: Bench, sides: Sequence[Side]) -> Iterator[Result]:
    """Send a queue of mails of as many users."""
    title = f"Queue of {QUEUE:,} mails over {SERVERS:,} servers"
    runs: list[list[Run]] = [[], []]
    with step(title):
        for _round in range(bench.effort.large_queue_rounds):
            together(sides, "make_large_queue")
            for side in sides:
                side.tidy()
            for kept, run in zip(runs, in_turns(sides, QUEUE), strict=True):
                kept.append(run)
    core, addon = ([run.statements / run.mails for run in side] for side in runs)
    yield Result(
        f"{title}, SQL statements a mail",
        f"{statistics.median(core):.2f}",
        f"{statistics.median(addon):.2f}",
        ratios(addon, core).as_factor,
    ).at_most(ratios(addon, core).median, 1.0)
    core, addon = ([run.wall for run in side] for side in runs)
    yield Result(
        f"{title}, elapsed time",
        duration(statistics.median(core)),
        duration(statistics.median(addon)),
        ratios(addon, core).as_factor,
    ).at_most(ratios(addon, core).median, 1.0)


def _measure_update(bench: Bench) -> Result:
    """Update the module; how long nobody else could read the servers meanwhile."""
    core = _locked_by_update(bench.odoo, bench.core, ["mail"])
    addon = _locked_by_update(bench.odoo, bench.addon, ADDONS)
    title = "Update of the module, servers locked"
    result = Result(title, duration(core), duration(addon), NO_TARGET)
    return result.judged(addon <= core + POLL, "as core")


def _locked_by_update(odoo: OdooServer, database: str, modules: Sequence[str]) -> float:
    """Update modules; return for how many seconds the servers' table was locked.

    :raise StepFailed: the update failed
    """
    locked = (
        "SELECT 1 FROM pg_locks JOIN pg_database AS base ON base.oid = database"
        " WHERE datname = %s AND granted"
        " AND relation = 'ir_mail_server'::regclass AND mode = 'AccessExclusiveLock'"
    )
    seconds, before = 0.0, time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(odoo.upgrade, database, modules)
        while not update.done():
            time.sleep(POLL)
            found = odoo.databases.query(locked, database, [database])
            now = time.monotonic()
            seconds += now - before if found else 0.0
            before = now
        update.result()
    return seconds
