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

from . import paths

TAIL_LINES = 25
#: Seconds between two signs of life where the output is not a terminal.
QUIET_INTERVAL = 10.0


class StepFailed(Exception):
    """A step that cannot go on: which one, what is wrong, and what to do about it."""

    def __init__(self, step: str, what: str, how_to_go_on: str) -> None:
        super().__init__(step, what, how_to_go_on)
        self.step = step
        self.what = what
        self.how_to_go_on = how_to_go_on

    def __str__(self) -> str:
        return (
            f"Failed: {self.step}\n"
            f"  What is wrong: {_indent(self.what)}\n"
            f"  How to go on: {_indent(self.how_to_go_on)}"
        )


class Step:
    """A running step; ``note`` is shown beside the elapsed time."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.note = ""
        self.started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started


def say(text: str) -> None:
    """Print one line at once, whatever the output is connected to."""
    print(text, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[Step]:
    """Announce a step, show that it lives, and print the seconds that it took.

    :param title: what is being done, as a person would say it
    :return: the step, whose ``note`` the body may set
    """
    current = Step(title)
    finished = threading.Event()
    say(f"==> {title}")
    ticker = threading.Thread(target=_tick, args=(current, finished), daemon=True)
    ticker.start()
    outcome = "failed after"
    try:
        yield current
        outcome = "done in"
    finally:
        finished.set()
        ticker.join()
        say(f"    {outcome} {current.elapsed:.1f} s")


def _tick(current: Step, finished: threading.Event) -> None:
    terminal = sys.stdout.isatty()
    interval = 1.0 if terminal else QUIET_INTERVAL
    while not finished.wait(interval):
        text = f"    ... {current.elapsed:.0f} s {current.note}".rstrip()
        if terminal:
            print(f"\r\x1b[K{text}", end="", flush=True)
        else:
            say(text)
    if terminal:
        print("\r\x1b[K", end="", flush=True)


def run(
    command: Sequence[str | Path],
    *,
    title: str,
    log: str,
    how_to_go_on: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    process_options: Mapping[str, object] | None = None,
    watch: Callable[[Path], str] | None = None,
) -> Path:
    """Run a command as a step; its output goes to ``.workbench/logs/<log>.log``.

    :param env: variables that are added to the environment
    :param process_options: more arguments of ``subprocess.Popen``, such as ``user``
    :param watch: given the log file, returns a note on how far the command is
    :return: the log file
    :raise StepFailed: the program is missing, or ended with another status than 0
    """
    log_file = paths.LOGS / f"{log}.log"
    with step(title) as current, open(log_file, "wb") as output:
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                **{"cwd": cwd, **(process_options or {})},  # type: ignore[call-overload]
            )
        except OSError as error:
            raise StepFailed(title, str(error), how_to_go_on) from error
        status = _wait(process, current, log_file, watch)
        if status:
            what = f"{Path(command[0]).name} ended with status {status}"
            raise StepFailed(title, f"{what}\n{tail(log_file)}", how_to_go_on)
    return log_file


def _wait(
    process: subprocess.Popen[bytes],
    current: Step,
    log_file: Path,
    watch: Callable[[Path], str] | None,
) -> int:
    try:
        while True:
            try:
                return process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                if watch:
                    current.note = watch(log_file)
    except BaseException:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        raise


def tail(log_file: Path, lines: int = TAIL_LINES) -> str:
    """Return the end of a log and where the whole of it is.

    :param lines: how many lines at most
    """
    try:
        text = log_file.read_text(errors="replace")
    except OSError as error:
        return f"(the log cannot be read: {error})"
    end = "\n".join(text.rstrip().splitlines()[-lines:])
    return f"{end}\n(the whole log: {paths.relative(log_file)})"


def _indent(text: str) -> str:
    return text.strip().replace("\n", "\n    ")
