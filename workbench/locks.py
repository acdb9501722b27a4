"""Locks between runs: ./test and ./demo may be started at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from . import paths
from .steps import say


@contextlib.contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold the lock ``name``, after waiting for another run that holds it."""
    descriptor = open_lock(name)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"    waiting for another run of the workbench ({name})")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_lock(name: str) -> int:
    """Open the file behind the lock ``name``; return its descriptor."""
    paths.LOCKS.mkdir(parents=True, exist_ok=True)
    return os.open(paths.LOCKS / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def hold_shared(descriptor: int) -> None:
    """Register as a user of what an open lock stands for.

    Processes that inherit the descriptor go on being users until they end.
    """
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def is_unused(name: str) -> bool:
    """Tell whether no process holds the shared lock ``name``."""
    descriptor = open_lock(name)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
