"""Processes that go on running when the command that started them has ended.

They are found again by what stands in their command line, such as a file of this clone.
"""

import contextlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from . import paths
from .steps import CORRECT, Command, StepFailed, step, tail

READY_SECONDS, STOP_SECONDS = 120.0, 20.0


def find(*marks: str | Path) -> list[psutil.Process]:
    """Return the running processes that have all of these among their arguments."""
    wanted = set(map(str, marks))
    running = psutil.process_iter(["cmdline"])
    return [it for it in running if wanted <= set(it.info["cmdline"] or ())]


def stop(*marks: str | Path) -> bool:
    """End the processes of these marks, politely first; return whether one ran."""
    processes = found = find(*marks)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(process)
        processes = psutil.wait_procs(processes, STOP_SECONDS)[1]
    return bool(found)


def start(
    command: Command,
    *marks: str | Path,
    title: str,
    ready: Callable[[], bool],
    **options: Any,
) -> None:
    """Start a process and wait until it is ready; one of its marks is stopped first."""
    stop(*marks)
    log = paths.LOGS / f"{title.lower().replace(' ', '-')}.log"
    options = {"stdin": subprocess.DEVNULL, "cwd": "/", **options}
    with step(title), open(log, "wb") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=output,
            start_new_session=True,
            **options,
        )
        deadline = time.monotonic() + READY_SECONDS
        try:
            while not ready():
                if child.poll() is not None or time.monotonic() > deadline:
                    what = f"no answer, or it ended\n{tail(log)}"
                    raise StepFailed(title, what, CORRECT)
                time.sleep(0.1)
        except BaseException:
            stop(*marks)
            raise
