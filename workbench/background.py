"""Processes that go on running when the command that started them has ended."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from . import paths
from .steps import Command, StepFailed, step, tail

READY_SECONDS = 120.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Background:
    """A process, known again by when it was started: its number may be given anew.

    ``facts`` are what whoever finds it later has to know of it.
    """

    state: Path
    pid: int
    started: float
    facts: dict[str, Any]

    @property
    def process(self) -> psutil.Process | None:
        """The process, if it still runs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.pid)
            running = found.status() != psutil.STATUS_ZOMBIE
            if running and found.create_time() == self.started:
                return found
        return None

    def stop(self) -> None:
        """End the process, politely first. One that is gone already is fine."""
        if process := self.process:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(STOP_SECONDS)
                process.kill()
                process.wait(STOP_SECONDS)
        self.state.unlink(missing_ok=True)


def find(state: Path) -> Background | None:
    """Return the process that was started with a state file and still runs, if any."""
    try:
        found = Background(state, **json.loads(state.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.process else None


def start(
    command: Command,
    state: Path,
    facts: dict[str, Any],
    *,
    title: str,
    log: Path,
    ready: Callable[[], bool],
    pass_fds: Sequence[int] = (),
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> Background:
    """Start a process and wait until it is ready; an earlier one is stopped first.

    :param state: the file that it is found by later
    :raise StepFailed: it ended, or was not ready in time
    """
    if earlier := find(state):
        earlier.stop()
    with step(title), open(log, "wb") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=stdin,
            stdout=output,
            stderr=output,
            cwd=paths.ODOO_RUN,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        created = psutil.Process(child.pid).create_time()
        running = Background(state, child.pid, created, facts)
        kept = asdict(running)
        del kept["state"]
        state.write_text(json.dumps(kept))
        try:
            _wait(child, ready, title, log)
        except BaseException:
            running.stop()
            raise
    return running


def _wait(
    child: subprocess.Popen[bytes], ready: Callable[[], bool], title: str, log: Path
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        late = time.monotonic() > deadline
        if late or child.poll() is not None:
            what = f"no answer in {READY_SECONDS:.0f} s" if late else "it ended"
            how = "Correct what the log names, then start again."
            raise StepFailed(title, f"{what}\n{tail(log)}", how)
        time.sleep(0.1)
