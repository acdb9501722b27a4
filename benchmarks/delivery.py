"""The measures of delivery: what a queue takes from its first mail to its last.

Core and the addon run the same queues in turns, by what their scheduled action calls,
with small SMTP servers in a process of their own (:mod:`benchmarks.sink`).
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.steps import step

from .delivery_fixture import TABLES
from .figures import NO_TARGET, Result, duration, megabytes, ratios
from .measures import Bench
from .sides import Side, started, together
from .sinks import Sinks, receiving

#: The targets, as ratios; core's where nothing else is said.
FASTER, FASTER_FAR = 4.0, 20.0
STATEMENTS = 2.0
ISOLATED, POSTED, BACKLOG = 1.1, 1.1, 1.2
TOGETHER = 1.7
MEMORY = 200 << 20

#: The messages that are posted in each database, and put back into the queue.
POSTS = 600
ROUND_TRIP, FAR_SERVERS, FAR_MAILS = 0.05, 3, 600
SENDERS, SERVERS, CONNECTIONS = 500, 10, 2
FEW, MANY, COUNTED, BACKLOG_SECONDS = 1_000, 100_000, 500, 30
RUNS = 4
THINKS = 2.0
HEAVY = 10_000_000
WARM_UP, PATIENCE = 20, 120.0


@dataclass(frozen=True)
class Took:
    """One run of a queue."""

    mails: int
    wall: float
    cpu: float
    statements: int
    memory: int = 0

    @property
    def per_mail(self) -> float:
        """Seconds."""
        return self.wall / self.mails


@dataclass(frozen=True)
class Stage:
    """Processes of Odoo, and the SMTP servers that their databases know."""

    sides: Sequence[Side]
    sinks: Sinks

    def put_back(
        self, side: Side, mails: int, senders: int = 1, first: int = 0
    ) -> None:
        """Have so many mails wait, and the servers count anew.

        :param first: the number of the first server that any are for
        """
        servers = min(senders, len(self.sinks.ports) - first)
        numbers = {"count": mails, "senders": senders, "servers": servers}
        self.prepare(side, "put_back", **numbers, first=first)

    def prepare(self, side: Side, name: str, **arguments: Any) -> None:
        """Prepare a queue: :mod:`benchmarks.delivery_fixture`."""
        side.do("prepare", name=name, **arguments)
        side.tidy([table for table in TABLES if _has(side, table)])
        self.sinks.forget()

    def deliver(self, side: Side, mails: int, senders: int = 1) -> Took:
        """Run a queue of so many mails; all of them arrive."""
        self.put_back(side, mails, senders)
        took = side.do("deliver")
        self.sinks.wait_for(mails, 1)
        return _took(mails, took)

    def rounds(self, mails: Sequence[int], count: int) -> list[list[Took]]:
        """Run the queues of all sides in turns, after a warming up.

        :param mails: of the queue of each side
        """
        runs: list[list[Took]] = [[] for _side in self.sides]
        for side in self.sides:
            self.deliver(side, WARM_UP)
        for number in range(count):
            order = list(enumerate(self.sides))
            for place, side in order if number % 2 else order[::-1]:
                senders = len(self.sinks.ports)
                runs[place].append(self.deliver(side, mails[place], senders))
        return runs


def _has(side: Side, table: str) -> bool:
    return side.has_addon or not table.startswith("mail_delivery")


def _took(mails: int, took: Mapping[str, float]) -> Took:
    return Took(
        mails,
        took["ended"] - took["started"],
        took["cpu"],
        int(took["statements"]),
        int(took["memory"]),
    )


@contextlib.contextmanager
def _stage(
    databases: Sequence[str], bench: Bench, *setups: Mapping[str, Any]
) -> Iterator[Stage]:
    """Start Odoo on these databases, and an SMTP server for each of these arguments."""
    with receiving(*setups) as sinks, started(bench.odoo, *databases) as sides:
        together(
            sides[: len(set(databases))], "prepare", name="make_posts", count=POSTS
        )
        for side in sides[: len(set(databases))]:
            ports = list(sinks.ports.values())
            side.do("prepare", name="make_servers", ports=ports)
        yield Stage(sides, sinks)


def _both(bench: Bench) -> tuple[str, str]:
    return bench.core, bench.delivery


# ----------------------------------------------------------------------
# Speed
# ----------------------------------------------------------------------


def chatter(bench: Bench) -> Iterator[Result]:
    """Run a queue of notifications of the chatter, one run, one server."""
    mails = bench.effort.delivery_mails
    title = f"{mails} notifications of the chatter, one run, one server"
    with step(title), _stage(_both(bench), bench, {}) as stage:
        core, ours = stage.rounds([mails, mails], bench.effort.delivery_rounds)
    yield _faster(f"{title}, a mail", core, ours, FASTER)
    statements = [
        statistics.median(run.statements / run.mails for run in runs)
        for runs in (core, ours)
    ]
    yield Result(
        f"{title}, SQL statements a mail",
        f"{statements[0]:.2f}",
        f"{statements[1]:.2f}",
        f"{statements[1] / statements[0]:.3f}",
    ).judged(statements[1] <= STATEMENTS, f"≤ {STATEMENTS:g} a mail")
    yield Result(
        f"{title}, CPU time of Odoo's process",
        duration(statistics.median(run.cpu for run in core)),
        duration(statistics.median(run.cpu for run in ours)),
        ratios([run.cpu for run in ours], [run.cpu for run in core]).as_factor,
    )


def far(bench: Bench) -> Iterator[Result]:
    """Run a queue over three servers far away."""
    setups = [{"round_trip": ROUND_TRIP}] * FAR_SERVERS
    mails = [FAR_MAILS // 20, FAR_MAILS]
    title = f"{FAR_SERVERS} servers at {duration(ROUND_TRIP)} of round trip"
    with step(title), _stage(_both(bench), bench, *setups) as stage:
        core, ours = stage.rounds(mails, bench.effort.delivery_rounds)
    title = f"{title}, {FAR_MAILS} mails (core: {mails[0]}), a mail"
    yield _faster(title, core, ours, FASTER_FAR)


def _faster(
    measure: str, core: Sequence[Took], ours: Sequence[Took], target: float
) -> Result:
    """A line that says how many times faster a mail is delivered."""
    theirs, our = ([run.per_mail for run in runs] for runs in (core, ours))
    faster = ratios(theirs, our)
    return Result(
        measure,
        duration(statistics.median(theirs)),
        duration(statistics.median(our)),
        faster.as_times,
    ).at_least(faster.median, target)


def connections(bench: Bench) -> Iterator[Result]:
    """Count the connections for many senders on few servers."""
    title = f"SMTP connections, {SENDERS} senders on {SERVERS} servers"
    with step(title), _stage(_both(bench), bench, *[{}] * SERVERS) as stage:
        counts = []
        for side in stage.sides:
            stage.deliver(side, SENDERS, SENDERS)
            counts.append(stage.sinks.connections)
    most = SERVERS * CONNECTIONS
    yield Result(
        title, str(counts[0]), str(counts[1]), f"{counts[1] / counts[0]:.3f}"
    ).judged(counts[1] <= most, f"≤ {most}")


def parallel(bench: Bench) -> Iterator[Result]:
    """Have one queue run by one process, and by several at once."""
    title = f"{POSTS} mails by {RUNS} runs at once, beside one run"
    alone, together_, lost, double = [], [], 0, 0
    databases = [bench.delivery] * RUNS
    with step(title), _stage(databases, bench, {}) as stage:
        for side in stage.sides:
            stage.deliver(side, WARM_UP)
        for _round in range(bench.effort.delivery_rounds):
            alone.append(stage.deliver(stage.sides[0], POSTS).per_mail)
            stage.put_back(stage.sides[0], POSTS)
            took = together(stage.sides, "deliver")
            begun = min(each["started"] for each in took)
            together_.append((max(each["ended"] for each in took) - begun) / POSTS)
            tally = stage.sinks.tally()["0"]
            lost += POSTS - tally["different"]
            double += tally["messages"] - tally["different"]
    faster = ratios(alone, together_)
    ratio = f"{faster.as_times}, {double} double, {lost} lost"
    met = faster.median >= TOGETHER and not (double or lost)
    costs = [duration(statistics.median(each)) for each in (alone, together_)]
    yield Result(f"{title}, a mail", NO_TARGET, " → ".join(costs), ratio).judged(
        met, f"≥ {TOGETHER:g}, nothing double or lost"
    )


# ----------------------------------------------------------------------
# Others' trouble
# ----------------------------------------------------------------------


def trouble(bench: Bench) -> Iterator[Result]:
    """Run a queue over ten servers of which one takes nothing."""
    yield from _with_one(bench, "never says a word", {"silent": True}, core=True)
    yield from _with_one(bench, "hangs after the final dot", {"hangs": True})


def _with_one(
    bench: Bench, what: str, odd: Mapping[str, Any], core: bool = False
) -> Iterator[Result]:
    """Compare the time of the mail of the other servers with and without it.

    :param core: whether core is measured as well, on one mail for each sender
    """
    mails = bench.effort.delivery_mails
    title = f"Mail of {SERVERS - 1} servers, while another one {what}"
    setups = [odd, *[{}] * (SERVERS - 1)]
    without, with_ = [], []
    theirs = NO_TARGET
    with step(title), _stage(_both(bench), bench, *setups) as stage:
        for _round in range(bench.effort.delivery_rounds + 1):
            without.append(_time_of_the_others(stage, stage.sides[1], mails, odd=False))
            with_.append(_time_of_the_others(stage, stage.sides[1], mails, odd=True))
        if core:
            times = [
                _time_of_the_others(stage, stage.sides[0], SERVERS - 1, odd=odd)
                for odd in (False, False, True)
            ]
            theirs = f"{duration(times[1])} → {duration(times[2])} ({SERVERS} mails)"
    ratio = ratios(with_[1:], without[1:])
    ours = [duration(statistics.median(each[1:])) for each in (without, with_)]
    yield Result(
        f"{title}, {mails} mails", theirs, " → ".join(ours), ratio.as_factor
    ).at_most(ratio.median, ISOLATED)


def _time_of_the_others(stage: Stage, side: Side, mails: int, odd: bool) -> float:
    """The seconds until these mails were taken by the servers that are well.

    :param odd: whether there is as much mail for the other server as well
    """
    servers = SERVERS if odd else SERVERS - 1
    wanted = mails - mails % (SERVERS - 1)
    mails = wanted // (SERVERS - 1) * servers
    stage.put_back(side, mails, servers, first=0 if odd else 1)
    side.ask("deliver")
    stage.sinks.wait_for(wanted, PATIENCE)
    stage.sinks.release()
    took = side.answer()["result"]
    return float(stage.sinks.taken_at[wanted - 1] - took["started"])


def backlog(bench: Bench) -> Iterator[Result]:
    """Deliver mails while few and while many wait, and while vacuum is held back."""
    title = f"Cost of a mail, {FEW:,} → {MANY:,} waiting"
    with step(title), _stage([bench.delivery], bench, {}) as stage:
        [side] = stage.sides
        stage.deliver(side, WARM_UP)
        for idle in (False, True):
            with _idle_transaction(side) if idle else contextlib.nullcontext():
                few, many = [], []
                for _round in range(bench.effort.backlog_rounds):
                    few.append(_cost_with(stage, side, FEW))
                    many.append(_cost_with(stage, side, MANY))
            costs = [duration(statistics.median(each)) for each in (few, many)]
            name = f"{title}, a transaction open elsewhere" if idle else title
            ratio = ratios(many, few)
            yield Result(name, NO_TARGET, " → ".join(costs), ratio.as_factor).at_most(
                ratio.median, BACKLOG
            )


@contextlib.contextmanager
def _idle_transaction(side: Side) -> Iterator[None]:
    """Keep a transaction open that has read something: vacuum is held back."""
    with contextlib.closing(side.odoo.databases.connect(side.database)) as server:
        server.autocommit = False
        server.set_session(isolation_level="REPEATABLE READ")
        server.cursor().execute("SELECT count(*) FROM mail_mail")
        yield


def _cost_with(stage: Stage, side: Side, waiting: int) -> float:
    """The seconds of a mail where so many wait: from the beginning of a run through so
    many mails, and from its last one to its end.
    """
    stage.prepare(side, "make_backlog", count=waiting)
    took = side.do("deliver", limit=BACKLOG_SECONDS if waiting > FEW else 0)
    taken_at = stage.sinks.taken_at
    seconds = taken_at[COUNTED - 1] - took["started"] + took["ended"] - taken_at[-1]
    return float(seconds / COUNTED)


# ----------------------------------------------------------------------
# Who posts, and memory
# ----------------------------------------------------------------------


def posting(bench: Bench) -> Iterator[Result]:
    """Post in the chatter, with an SMTP server that takes its time."""
    title = f"Post in the chatter, SMTP server answering after {duration(THINKS)}"
    rounds = range(bench.effort.delivery_rounds * 10)
    with step(title), _stage(_both(bench), bench, {"thinks": THINKS}) as stage:
        core, addon = stage.sides
        together(stage.sides, "post", number=0, at_once=False)
        theirs = [core.do("post", number=n, at_once=True) for n in rounds[:2]]
        without, ours = [], []
        for number in rounds:
            without.append(addon.do("post", number=number, at_once=False))
            ours.append(addon.do("post", number=number, at_once=True))
    ratio = ratios(ours, without)
    times = [duration(statistics.median(each)) for each in (theirs, ours, without)]
    yield Result(
        title, times[0], f"{times[1]} (left to the queue: {times[2]})", ratio.as_factor
    ).at_most(ratio.median, POSTED)


def memory(bench: Bench) -> Iterator[Result]:
    """Deliver large mails, and look at the process's memory."""
    count = bench.effort.heavy_mails
    title = f"Memory of a run over idle, {count} mails of {megabytes(HEAVY)}"
    with step(title), _stage(_both(bench), bench, {}) as stage:
        grown = []
        for side in stage.sides:
            stage.deliver(side, WARM_UP)
            stage.prepare(side, "make_heavy", count=count, size=HEAVY)
            grown.append(_took(count, side.do("deliver")).memory)
            stage.sinks.wait_for(count, 1)
    yield Result(
        title, megabytes(grown[0]), megabytes(grown[1]), f"{grown[1] / grown[0]:.3f}"
    ).judged(grown[1] <= MEMORY, f"≤ {megabytes(MEMORY)}")


Measure = Callable[[Bench], Iterator[Result]]
MEASURES: Mapping[str, Measure] = {
    "delivery-chatter": chatter,
    "delivery-far": far,
    "delivery-connections": connections,
    "delivery-trouble": trouble,
    "delivery-backlog": backlog,
    "delivery-parallel": parallel,
    "delivery-posting": posting,
    "delivery-memory": memory,
}


def measure(bench: Bench) -> Iterator[Result]:
    """Measure all of it."""
    for each in MEASURES.values():
        yield from each(bench)
