"""Progress of long steps, and failures that say how to go on."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import paths

#: A command line; the first part is the program.
Command = Sequence[str | Path]
TAIL_LINES = 25
#: Seconds between two signs of life where the output is not a terminal.
QUIET_INTERVAL = 10.0


class StepFailed(Exception):
    """A step that cannot go on: which one, what is wrong, and what to do about it."""

    def __init__(self, step: str, what: str, how_to_go_on: str) -> None:
        super().__init__(step, what, how_to_go_on)
        self.what = what
        self.how_to_go_on = how_to_go_on

    def __str__(self) -> str:
        step, what, how = (part.strip().replace("\n", "\n    ") for part in self.args)
        return f"Failed: {step}\n  What is wrong: {what}\n  How to go on: {how}"


class Step:
    """A running step; ``note`` is shown beside the elapsed time."""

    def __init__(self) -> None:
        self.note = ""
        self.started = time.monotonic()
        self.finished = threading.Event()

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started

    def tick(self) -> None:
        """Show that it lives until it is finished."""
        start, end, interval = "", "\n", QUIET_INTERVAL
        if sys.stdout.isatty():
            start, end, interval = "\r\x1b[K", "", 1.0
        while not self.finished.wait(interval):
            text = f"    ... {self.elapsed:.0f} s {self.note}".rstrip()
            print(start + text, end=end, flush=True)
        print(start, end="", flush=True)


def say(text: str) -> None:
    """Print one line at once, whatever the output is connected to."""
    print(text, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[Step]:
    """Announce a step, show that it lives, and print the seconds that it took.

    :param title: what is being done, as a person would say it
    :return: the step, whose ``note`` the body may set
    """
    current = Step()
    say(f"==> {title}")
    ticker = threading.Thread(target=current.tick, daemon=True)
    ticker.start()
    outcome = "failed after"
    try:
        yield current
        outcome = "done in"
    finally:
        current.finished.set()
        ticker.join()
        say(f"    {outcome} {current.elapsed:.1f} s")


def run(
    command: Command,
    *,
    title: str,
    log: str,
    how_to_go_on: str,
    env: Mapping[str, str] | None = None,
    watch: Callable[[Path], str] | None = None,
    **options: Any,
) -> Path:
    """Run a command as a step; its output goes to ``.workbench/logs/<log>.log``.

    :param env: variables that are added to the environment
    :param watch: given the log file, returns a note on how far the command is
    :param options: more arguments of ``subprocess.Popen``, such as ``user``
    :return: the log file
    :raise StepFailed: the program is missing, or ended with another status than 0
    """
    log_file = paths.LOGS / f"{log}.log"
    with step(title) as current, open(log_file, "wb") as output:
        options |= {"stdin": subprocess.DEVNULL, "env": {**os.environ, **(env or {})}}
        arguments = [str(part) for part in command]
        try:
            with _ended(arguments, stdout=output, stderr=output, **options) as process:
                while process.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=1)
                    current.note = watch(log_file) if watch else ""
        except OSError as error:
            raise StepFailed(title, str(error), how_to_go_on) from error
        if process.returncode:
            what = f"{Path(command[0]).name} ended with status {process.returncode}"
            raise StepFailed(title, f"{what}\n{tail(log_file)}", how_to_go_on)
    return log_file


@contextlib.contextmanager
def _ended(
    arguments: Sequence[str], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, and end it should the workbench be interrupted."""
    process = subprocess.Popen(arguments, **options)
    try:
        yield process
    except BaseException:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        raise


def tail(log_file: Path, lines: int = TAIL_LINES) -> str:
    """Return the end of a log, at most so many lines, and where the whole of it is."""
    try:
        text = log_file.read_text(errors="replace")
    except OSError as error:
        return f"(the log cannot be read: {error})"
    end = "\n".join(text.rstrip().splitlines()[-lines:])
    return f"{end}\n(the whole log: {paths.relative(log_file)})"
