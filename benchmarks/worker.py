"""One measured side: Odoo in a process of its own, told what to do by JSON lines.

Started as ``python -m benchmarks.worker CONFIG DATABASE``. Each line on standard input
is ``{"do": method of Worker, ...its arguments}``, each answer one line on standard
output: ``{"result": ...}``, ``{"error": ...}``, or, while a queue runs, ``{"slice":
...}``, after which the worker waits for an empty line.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any, TextIO

from odoo import api, sql_db
from odoo.modules.registry import Registry
from odoo.tools import config
from odoo.tools.lru import LRU

from benchmarks import delivery_fixture, fixtures, large_fixture, large_tasks
from workbench.addons import NAMES
from workbench.odoo_process import boot

ADDONS = tuple(f"odoo.addons.{name}" for name in NAMES)


class Worker:
    """Carries out what the benchmark asks; times are in seconds."""

    def __init__(self, registry: Registry, requests: TextIO, answers: TextIO) -> None:
        self.registry = registry
        self.requests = requests
        self.answers = answers

    def serve(self) -> None:
        """Answer requests until standard input ends."""
        for line in self.requests:
            request = json.loads(line)
            try:
                answer = {"result": getattr(self, request.pop("do"))(**request)}
            except Exception:
                answer = {"error": traceback.format_exc()}
            self._tell(answer)

    def _tell(self, answer: dict[str, Any]) -> None:
        self.answers.write(json.dumps(answer) + "\n")
        self.answers.flush()

    @contextlib.contextmanager
    def _environment(self) -> Iterator[Any]:
        """A new transaction, so every cache of records is cold; commits at the end."""
        with self.registry.cursor() as cr:
            yield api.Environment(cr, api.SUPERUSER_ID, {})

    def make_servers(self, **arguments: Any) -> None:
        """Replace all outgoing servers: :func:`benchmarks.fixtures.make_servers`."""
        with self._environment() as env:
            fixtures.make_servers(env, **arguments)

    def make_mails(self, **arguments: Any) -> None:
        """Replace the mail queue: :func:`benchmarks.fixtures.make_mails`."""
        with self._environment() as env:
            fixtures.make_mails(env, **arguments)

    def make_large(self, port: int) -> None:
        """Make a big customer, and its queue: :mod:`benchmarks.large_fixture`."""
        with self._environment() as env:
            large_fixture.make(env, port, assign="mail.routing" in env)
            large_fixture.make_queue(env)

    def make_large_queue(self) -> None:
        """Make the queue of the big customer again."""
        with self._environment() as env:
            large_fixture.make_queue(env)

    def task(self, name: str, number: int) -> dict[str, float]:
        """Do a task of :mod:`benchmarks.large_tasks`; return what it took."""
        with self._environment() as env:
            return large_tasks.run(env, name, number)

    def prepare(self, name: str, **arguments: Any) -> None:
        """Do what a function of :mod:`benchmarks.delivery_fixture` does."""
        with self._environment() as env:
            getattr(delivery_fixture, name)(env, **arguments)

    def post(self, number: int, at_once: bool) -> float:
        """Post a message; return the seconds until its user may go on."""
        with self._environment() as env:
            customer = fixtures.customers(env, 1)
            delivery_fixture.keep_scheduled(env)
        gc.collect()
        started = time.perf_counter()
        with self._environment() as env:
            delivery_fixture.post(customer.with_env(env), number, at_once)
        return time.perf_counter() - started

    def deliver(self, limit: float = 0.0) -> dict[str, float]:
        """Run the queue as its scheduled action does.

        :param limit: Odoo's own, for the seconds of a scheduled action; 0 for none
        :return: when it ``started`` and ``ended`` (``time.monotonic``), seconds of
            ``cpu``, number of SQL ``statements``, and bytes of ``memory`` at most
        """
        gc.collect()
        config["limit_time_real_cron"] = limit
        memory = _Memory()
        statements = sql_db.sql_counter
        cpu, started = time.process_time(), time.monotonic()
        with self._environment() as env:
            env["mail.mail"].process_email_queue()
        return {
            "started": started,
            "ended": time.monotonic(),
            "cpu": time.process_time() - cpu,
            "statements": sql_db.sql_counter - statements,
            "memory": memory.growth,
        }

    def split(self, repeats: int, forget_directory: bool) -> list[float]:
        """Split the queue into batches so many times; return what each took.

        :param forget_directory: the addon has to read all servers anew each time
        """
        seconds = []
        for _repeat in range(repeats):
            _forget(directories=forget_directory)
            with self._environment() as env:
                mails = _queue(env)
                gc.collect()
                started = time.perf_counter()
                batches = list(mails._split_by_mail_configuration())
                seconds.append(time.perf_counter() - started)
                assert sum(len(batch[-1]) for batch in batches) == len(mails)
        return seconds

    def run_queue(
        self, slice_length: int = 0, one_by_one: bool = False
    ) -> dict[str, float]:
        """Send the whole queue, as the scheduler does.

        :param slice_length: pause after so many mails, 0 for never
        :param one_by_one: send each mail by itself, as the chatter does, instead
        :return: ``wall`` and ``cpu`` without the pauses, number of SQL ``statements``
            and of mails ``sent``
        """
        gc.collect()
        clock = _Clock()
        done: set[int] = set()

        def after_each(ids: list[int]) -> None:
            new = set(ids) - done
            done.update(new)
            if slice_length and new and len(done) % slice_length == 0:
                clock.pause()
                self._tell({"slice": len(done)})
                self.requests.readline()
                clock.go_on()

        with self._environment() as env:
            queue = _queue(env).ids
        statements = 0
        for ids in [[id_] for id_ in queue] if one_by_one else [queue]:
            with self._environment() as env:
                mails = env["mail.mail"].browse(ids)
                mails.send(auto_commit=True, post_send_callback=after_each)
                statements += env.cr.sql_log_count
        clock.pause()
        with self._environment() as env:
            sent = env["mail.mail"].search_count(
                [("id", "in", queue), ("state", "=", "sent")]
            )
        took = {"wall": clock.wall, "cpu": clock.cpu}
        return {**took, "statements": statements, "sent": sent}


def _forget(directories: bool) -> None:
    """Empty what the addon, if it is there, keeps from one queue to the next.

    :param directories: its directories of servers as well
    """
    for name, module in list(sys.modules.items()):
        if not name.startswith(ADDONS):
            continue
        for value in vars(module).values():
            # asked of its type: a proxy, such as that of the request, may hold nothing
            if hasattr(type(value), "cache_clear"):
                value.cache_clear()
            elif directories and isinstance(value, LRU):
                value.clear()


def _queue(env: Any) -> Any:
    """The mails that wait, found as ``process_email_queue`` finds them."""
    mails = env["mail.mail"].search(
        ["&", ("state", "=", "outgoing"), ("scheduled_date", "=", False)]
    )
    return mails.browse(sorted(mails.ids))


class _Memory:
    """The most memory that the process has had, over what it had at first (Linux)."""

    def __init__(self) -> None:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak counts from now on
        self._before = self._of("VmRSS")

    @property
    def growth(self) -> int:
        """In bytes."""
        return self._of("VmHWM") - self._before

    @staticmethod
    def _of(name: str) -> int:
        with open("/proc/self/status") as file:
            [line] = [line for line in file if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024


class _Clock:
    """Sums up the time between ``go_on`` and ``pause``; runs from the start."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.go_on()

    def go_on(self) -> None:
        """Run again."""
        self._started = time.perf_counter(), time.process_time()

    def pause(self) -> None:
        """Stop, and add what has passed."""
        wall, cpu = self._started
        self.cpu += time.process_time() - cpu
        self.wall += time.perf_counter() - wall


def main(config_file: str, database: str) -> None:
    """Load Odoo and serve; whatever Odoo prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    Worker(boot(config_file, database), sys.stdin, answers).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
