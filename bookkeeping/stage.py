"""Everything that runs while books are made: servers, workers, PostgreSQL."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from workbench import paths
from workbench.odoo_server import OdooServer
from workbench.postgres import Cluster
from workbench.smtp_service import SmtpService
from workbench.steps import say

from . import fixture
from .plan import Plan
from .reading import Death
from .workers import Worker

EXECUTOR = ThreadPoolExecutor(1, "an administrator")
#: How often is looked for what is to be done, in seconds.
POLL = 0.1
DOWN_SECONDS = 6.0
#: Nothing has changed for so many times so long, although all that waits was made due:
#: it would stay so, and what was meant for later is done now.
STALLED_SECONDS = 5.0
ROUNDS = 4
#: Waits are cut short so often while there is other work.
FORWARD_SECONDS = 15.0
DUE = """
SELECT count(*) FROM mail_mail WHERE state = 'outgoing'
AND (scheduled_date IS NULL OR scheduled_date <= now() AT TIME ZONE 'UTC')
"""
WAITING = "SELECT count(*) FROM mail_mail WHERE state = 'outgoing'"
#: Makes due what was put off: nobody here waits for minutes.
FAST_FORWARD = """
UPDATE mail_mail SET scheduled_date = now() AT TIME ZONE 'UTC' WHERE id IN (
    SELECT id FROM mail_mail
    WHERE state = 'outgoing' AND scheduled_date > now() AT TIME ZONE 'UTC'
    FOR UPDATE SKIP LOCKED  -- whoever writes it is not to be held up, nor to deadlock
)
"""
#: The same for servers, where the delivery addon knows how they do.
HEAL = """
UPDATE mail_delivery_health SET until = least(until, now() AT TIME ZONE 'UTC'),
paused_until = NULL, rate = NULL, connections = NULL, asked_at = NULL
WHERE id IN (SELECT id FROM mail_delivery_health FOR UPDATE SKIP LOCKED)
"""
UNDER_WAY = "SELECT count(*) FROM mail_delivery_claim"
ALL_RUNS = "SELECT id FROM mail_delivery_run"
#: The runs of these processes: each holds a lock by its id.
RUNS = """
SELECT locks.objid::bigint FROM pg_locks AS locks
JOIN pg_stat_activity AS activity USING (pid)
WHERE locks.locktype = 'advisory' AND activity.application_name = ANY(%s)
"""


@dataclass
class Pulse:
    """How the work goes on: what changed when, and when waits were cut short."""

    accepted: int = 0
    waiting: int = -1
    rounds: int = 0
    changed: float = 0.0
    forwarded: float = 0.0

    def beat(self, accepted: int, waiting: int, now: float) -> None:
        """Take down how far it is."""
        if (accepted, waiting) != (self.accepted, self.waiting):
            self.changed = now
        self.accepted, self.waiting = accepted, waiting
        self.rounds = int((now - self.changed) / STALLED_SECONDS)

    def wants_forward(self, idle: bool, now: float) -> bool:
        """Whether waits are to be cut short now.

        :param idle: whether nothing is due
        """
        wants = now - self.forwarded > (1.0 if idle else FORWARD_SECONDS)
        self.forwarded = now if wants else self.forwarded
        return wants


@dataclass
class Stage:
    """What runs, and what is done to it."""

    odoo: OdooServer
    database: str
    plan: Plan
    chance: random.Random
    cluster: Cluster | None = None
    connections: int = 2
    delivery: bool = True
    workers: list[Worker] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    services: dict[str, SmtpService] = field(default_factory=dict)
    down: dict[str, float] = field(default_factory=dict)
    mending: Future[Any] | None = None

    @contextlib.contextmanager
    def servers(self) -> Iterator[dict[str, int]]:
        """Run the SMTP servers, each a process of its own; give their ports."""
        folder = paths.WORK / "books" / self.database
        self.services = {
            it.name: SmtpService(folder / it.name) for it in self.plan.servers
        }
        try:
            for it in self.plan.servers:
                service = self.services[it.name]
                accounts = {it.name: {it.login: it.password}}
                service.start(accounts, {it.name: it.rules}, it.tls)
            yield {name: service.ports[name] for name, service in self.services.items()}
        finally:
            for service in self.services.values():
                service.stop()

    @contextlib.contextmanager
    def working(self, count: int) -> Iterator[None]:
        """Run so many workers, until each has come to an end of its run."""
        try:
            for number in range(count):
                self.workers.append(Worker(self.odoo, self.database, str(number)))
            for worker in self.workers:
                worker.wait_until_ready()
            yield
        finally:
            for worker in self.workers:
                worker.close()

    def settle(self) -> None:
        """Run the queue once more, for what was left by those that were killed."""
        last = Worker(self.odoo, self.database, "last", "--once")
        last.wait_until_done()

    # ------------------------------------------------------------------
    # What is done
    # ------------------------------------------------------------------

    def kill_worker(self) -> None:
        """Kill a worker at some instant, and start it again."""
        time.sleep(self.chance.random() * POLL)
        ready = [worker for worker in self.workers if worker.is_ready]
        worker = self.chance.choice(ready or self.workers)
        worker.hold()  # so that it may be asked what it was doing
        run_ids = self._runs_of(worker)
        worker.kill()
        name, at = f"kill of worker {worker.name}", self._clock()
        self._note(Death(name, at, at, self.connections, run_ids))
        worker.start()

    def kill_postgres(self) -> None:
        """Kill the whole of PostgreSQL, and start it again."""
        assert self.cluster is not None
        if self.mending:  # who mends a server would fail with it
            self.mending.result()
        run_ids, at = self._runs_of(*self.workers), self._clock()
        self.cluster.kill()
        self.cluster.start()
        if self.delivery:  # what began meanwhile
            run_ids += [run_id for (run_id,) in self._ask(ALL_RUNS)]
        sessions = len(self.workers) * self.connections
        self._note(Death("kill of PostgreSQL", at, self._clock(), sessions, run_ids))

    def take_down(self, server: str) -> None:
        """End the process of an SMTP server for a while."""
        sessions, at = len(self.workers) * self.connections, self._clock()
        self.services[server].stop()
        self.down[server] = time.monotonic() + DOWN_SECONDS
        self._note(Death(f"end of {server}", at, self._clock(), sessions, (), server))

    def mend_logins(self) -> None:
        """Have the servers given their right passwords, while everything goes on."""
        wrong = {it.name: it.password for it in self.plan.servers if it.wrong_password}
        mend = self.odoo.call
        self.mending = EXECUTOR.submit(mend, self.database, fixture.mend_logins, wrong)

    def _is_mended(self) -> bool:
        """Whether nobody is about to mend a server; raises what went wrong with it."""
        if self.mending is None or not self.mending.done():
            return self.mending is None
        self.mending.result()
        return True

    def _bring_back(self, at_once: bool = False) -> None:
        for server, until in list(self.down.items()):
            if at_once or time.monotonic() > until:
                del self.down[server]
                self.services[server].start_again()

    def _note(self, death: Death) -> None:
        """Keep in mind what was killed, under a name that no other has."""
        named = dataclasses.replace(
            death, name=f"{death.name} ({len(self.deaths) + 1})"
        )
        self.deaths.append(named)
        say(f"    {self.accepted():,} accepted: {named.name}")

    def _clock(self) -> float:
        return float(self._ask("SELECT extract(epoch FROM clock_timestamp())")[0][0])

    def _runs_of(self, *workers: Worker) -> list[int]:
        """The runs that these processes are in."""
        names = [f"odoo-{worker.process.pid}" for worker in workers]
        return [run_id for (run_id,) in self._ask(RUNS, [names])]

    def failed_runs(self) -> int:
        """How many runs of the workers ended with an error of their own."""
        return sum(worker.failed_runs for worker in self.workers)

    # ------------------------------------------------------------------
    # How far it is
    # ------------------------------------------------------------------

    def accepted(self) -> int:
        """How many messages the servers have accepted."""
        return sum(service.count() for service in self.services.values())

    def play(
        self, events: list[tuple[int, Callable[[], None]]], seconds: float
    ) -> bool:
        """Do each event once so many messages are accepted, until nothing goes on.

        :return: whether it came to an end within these seconds
        """
        events = sorted(events, key=lambda event: event[0])
        pulse = Pulse()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(POLL)
            self._bring_back()
            pulse.beat(self.accepted(), self._count(WAITING), time.monotonic())
            if events and (pulse.accepted >= events[0][0] or pulse.rounds >= ROUNDS):
                events.pop(0)[1]()
            elif not events and self._is_over(pulse):
                return True
            else:
                self._cut_waits_short(pulse)
        self._bring_back(at_once=True)
        return False

    def _is_over(self, pulse: Pulse) -> bool:
        """Whether nothing waits, or what waits would wait for ever."""
        if self.down or not self._is_mended():
            return False
        if not pulse.waiting:
            return True
        under_way = self.delivery and self._count(UNDER_WAY)
        return pulse.rounds >= ROUNDS and not under_way

    def _cut_waits_short(self, pulse: Pulse) -> None:
        if not pulse.wants_forward(not self._count(DUE), time.monotonic()):
            return
        self._ask(FAST_FORWARD)
        if self.delivery:
            self._ask(HEAL)

    def _count(self, statement: str) -> int:
        return int(self._ask(statement)[0][0])

    def _ask(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        return self.odoo.databases.query(statement, self.database, values)
