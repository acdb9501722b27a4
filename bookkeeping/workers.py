"""Worker processes, from outside: started, held, killed, let go on."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable

import psutil

from workbench import paths
from workbench.odoo_server import OdooServer
from workbench.steps import StepFailed, tail

TITLE = "Run the mail queue"
#: What core's queue logs where it ends with an error.
CAUGHT = "Failed processing mail queue"
READY_SECONDS, STOP_SECONDS = 120.0, 60.0


class Worker:
    """One process that runs the mail queue of a database: :mod:`bookkeeping.worker`.

    :param name: tells its files from those of others
    :param arguments: of the program, such as ``--once``
    """

    def __init__(
        self, odoo: OdooServer, database: str, name: str, *arguments: str
    ) -> None:
        self.name = name
        self.log = paths.LOGS / f"books-{database}-{name}.log"
        self.output = self.log.with_suffix(".out")
        self.mark = self.log.with_suffix(".held")
        self.command = [
            *(odoo.python, "-m", "bookkeeping.worker"),
            *(str(odoo.write_config(database)), database),
            *(f"--mark={self.mark}", *arguments),
        ]
        for file in (self.log, self.output, self.mark):
            file.unlink(missing_ok=True)
        self.start()

    def start(self) -> None:
        """Start the process, again where it was killed; its files are gone on with."""
        self.before = len(self.lines)
        with open(self.log, "ab") as log, open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                cwd=paths.REPO,
            )

    @property
    def lines(self) -> list[str]:
        """What it said so far of its runs, those of the killed processes as well."""
        return self.output.read_text().splitlines() if self.output.exists() else []

    @property
    def is_ready(self) -> bool:
        """Whether the process has begun its first run."""
        return "ready" in self.lines[self.before :]

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    @property
    def failed_runs(self) -> int:
        """How many runs ended with an error of their own, whoever caught it."""
        caught = self.log.read_text(errors="replace").count(CAUGHT)
        return caught + sum(line.startswith("failed") for line in self.lines)

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the process begins its first run.

        :raise StepFailed: it ended, or took longer
        """
        self._wait_for(lambda: self.is_ready, seconds)

    def wait_until_held(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the process has stopped at its step.

        :raise StepFailed: it ended, or took longer
        """
        self._wait_for(lambda: self.mark.exists() and self._is_stopped(), seconds)

    def wait_until_done(self, seconds: float = READY_SECONDS) -> None:
        """Wait until a process that runs the queue once has ended well.

        :raise StepFailed: it ended otherwise, or took longer
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        if self.process.returncode != 0 or self.lines[-1:] != ["done"]:
            raise self._failed("it did not end well")

    def kill(self) -> None:
        """End the process as a crash would, wherever it is."""
        self.process.kill()
        self.process.wait()

    def hold(self) -> None:
        """Stop the process where it is, as a machine without time for it would."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a process go on that was stopped."""
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the process after the run that it is in."""
        if self.runs:
            self.process.terminate()
            self.go_on()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def _wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.runs or time.monotonic() > deadline:
                raise self._failed("it ended, or took too long")
            time.sleep(0.05)

    def _is_stopped(self) -> bool:
        status = psutil.Process(self.process.pid).status()
        return status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)

    def _failed(self, what: str) -> StepFailed:
        remedy = f"See {paths.relative(self.log)}."
        return StepFailed(TITLE, f"{what}\n{tail(self.log)}", remedy)
