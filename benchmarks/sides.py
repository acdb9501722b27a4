"""The processes that are measured, and how two of them take turns."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from workbench import paths
from workbench.addons import NAMES
from workbench.odoo_server import OdooServer
from workbench.steps import StepFailed, tail

TITLE = "Measure"
TABLES = ("mail_mail", "mail_message", "mail_mail_res_partner_rel", "ir_mail_server")


@dataclass(frozen=True)
class Run:
    """One run of a queue: its mails, seconds without pauses, and SQL statements."""

    mails: int
    wall: float
    cpu: float
    statements: int


class Side:
    """An Odoo process on one database, answering one request at a time."""

    def __init__(self, odoo: OdooServer, database: str, number: int = 0) -> None:
        self.odoo = odoo
        self.database = database
        self.has_addon = bool(odoo.installed(database).intersection(NAMES))
        self.log = paths.LOGS / f"benchmark-{database}-{number}.log"
        config = odoo.write_config(database)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [odoo.python, "-m", "benchmarks.worker", config, database],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=paths.REPO,
                env={**os.environ, "PYTHONHASHSEED": "0"},
                text=True,
            )

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, do: str, **arguments: Any) -> None:
        """Send a request; :meth:`answer` waits for what comes of it."""
        self._write(json.dumps({"do": do, **arguments}))

    def answer(self) -> dict[str, Any]:
        """Return the next answer.

        :raise StepFailed: the request failed, or the process ended
        """
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        answer = json.loads(line) if line else {"error": tail(self.log)}
        if "error" in answer:
            raise StepFailed(TITLE, answer["error"], f"See {paths.relative(self.log)}.")
        return dict(answer)

    def do(self, do: str, **arguments: Any) -> Any:
        """Send a request and return its result."""
        self.ask(do, **arguments)
        return self.answer()["result"]

    def go_on(self) -> None:
        """Let a queue run on after a slice."""
        self._write("")

    def _write(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line + "\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]

    def tidy(self, tables: Sequence[str] = TABLES) -> None:
        """Bring the tables that a measure works on into the same state.

        :param tables: ``[""]`` for all there are
        """
        for table in tables:
            self.odoo.databases.query(f"VACUUM ANALYZE {table}", self.database)


@contextlib.contextmanager
def started(odoo: OdooServer, *databases: str) -> Iterator[list[Side]]:
    """Start a process on each database; end them all at the end."""
    sides: list[Side] = []
    try:
        for number, database in enumerate(databases):
            sides.append(Side(odoo, database, number))
        yield sides
    finally:
        for side in sides:
            side.close()


def together(sides: Sequence[Side], do: str, **arguments: Any) -> list[Any]:
    """Ask all sides for the same at the same time: for what is not measured."""
    for side in sides:
        side.ask(do, **arguments)
    return [side.answer()["result"] for side in sides]


def in_turns(sides: Sequence[Side], mails: int, **options: Any) -> list[Run]:
    """Run the queues of all sides, a slice of each in turn, so that all of them meet
    the same disturbances; return what each took.

    :param mails: in the queue of each side
    :param options: of :meth:`benchmarks.worker.Worker.run_queue`
    :raise StepFailed: a side did not send them all
    """
    waiting = []
    for side in sides:
        side.ask("run_queue", **options)
        waiting.append((side, side.answer()))
    results: dict[int, dict[str, Any]] = {}
    while waiting:
        unfinished = []
        for side, answer in waiting:
            if "result" in answer:
                results[id(side)] = answer["result"]
                continue
            side.go_on()
            unfinished.append((side, side.answer()))
        waiting = unfinished
    return [_run(side, results[id(side)], mails) for side in sides]


def _run(side: Side, result: dict[str, Any], mails: int) -> Run:
    if result["sent"] != mails:
        what = f"{side.database} sent {result['sent']} of {mails} mails"
        raise StepFailed(TITLE, what, f"See {paths.relative(side.log)}.")
    return Run(mails, result["wall"], result["cpu"], result["statements"])
