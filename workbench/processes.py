"""Processes that go on running when the command that started them has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


def is_running(pid: int, *arguments: str) -> bool:
    """Tell whether a process runs, and still is the one with these arguments.

    The number of a process that has ended may have been given to another.

    >>> is_running(os.getpid(), "no argument of this process")
    False
    """
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
        line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        ours = {argument.encode() for argument in arguments}.issubset(line)
        return ours and state.split()[0] != "Z"
    return False


def end(pid: int, *arguments: str, seconds: float) -> None:
    """End a process: politely first. One that is gone already is fine.

    :param arguments: what tells it from another one, as for :func:`is_running`
    :param seconds: how long it may take before it is killed
    """
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + seconds
        with contextlib.suppress(ProcessLookupError):
            if is_running(pid, *arguments):
                os.kill(pid, signal_number)
        while is_running(pid, *arguments) and time.monotonic() < deadline:
            time.sleep(0.05)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
