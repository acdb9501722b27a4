"""Long steps, and failures that say how to go on."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import paths

#: A command line; the first part is the program.
Command = Sequence[str | Path]
CORRECT = "Correct what the log names, then start again."


class StepFailed(Exception):
    """A step that cannot go on: which one, what is wrong, and what to do about it."""

    def __init__(self, title: str, what: str, remedy: str) -> None:
        super().__init__(title, what, remedy)

    def __str__(self) -> str:
        title, what, how = (part.strip().replace("\n", "\n    ") for part in self.args)
        return f"Failed: {title}\n  What is wrong: {what}\n  How to go on: {how}"


def say(text: str) -> None:
    """Print one line at once, whatever the output is connected to."""
    print(text, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step, and print the seconds that it took."""
    say(f"==> {title}")
    started, outcome = time.monotonic(), "failed after"
    try:
        yield
        outcome = "done in"
    finally:
        say(f"    {outcome} {time.monotonic() - started:.1f} s")


def run(
    command: Command,
    *,
    title: str,
    log: str,
    remedy: str = CORRECT,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> Path:
    """Run a command as a step; its output goes to ``.workbench/logs/<log>.log``.

    ``env`` is added to the environment. Return the log file.
    """
    log_file = paths.LOGS / f"{log}.log"
    options = {"stdin": subprocess.DEVNULL, **options}
    with step(title), open(log_file, "wb") as output:
        try:
            subprocess.run(
                [str(part) for part in command],
                stdout=output,
                stderr=output,
                env={**os.environ, **(env or {})},
                check=True,
                **options,
            )
        except OSError as error:
            raise StepFailed(title, str(error), remedy) from error
        except subprocess.CalledProcessError as error:
            what = f"{command[0]} ended with status {error.returncode}"
            raise StepFailed(title, f"{what}\n{tail(log_file)}", remedy) from error
    return log_file


@contextlib.contextmanager
def beside(
    command: Command, log: str, mode: str = "wb"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program beside others; it is killed where the block ends."""
    with open(paths.LOGS / f"{log}.log", mode) as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=paths.REPO,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # with its browser, and at once: Odoo would first go on to the end of its test
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tail(log_file: Path) -> str:
    """Return the end of a log, and where the whole of it is."""
    end = "\n".join(log_file.read_text(errors="replace").rstrip().splitlines()[-25:])
    return f"{end}\n(the whole log: {paths.relative(log_file)})"
