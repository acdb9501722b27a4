"""What runs of the workbench share: locks, and stamps on what is set up already."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from . import paths
from .steps import say

NOT_INSTALLED = ("tests", "readme", "__pycache__")


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


def open_lock(name: str, shared: bool = False) -> int:
    """Open the file behind the lock ``name``; return its descriptor.

    :param shared: register as a user of what it stands for; processes that inherit the
        descriptor go on being users until they end
    """
    paths.LOCKS.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(paths.LOCKS / name, flags, 0o600)
    if shared:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_unused(name: str) -> bool:
    """Tell whether no process is a user of the lock ``name``."""
    descriptor = open_lock(name)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def fingerprint(*parts: str | Path) -> str:
    """Return a short hash of texts and of files: their content, in folders of all.

    >>> fingerprint("a", "b") == fingerprint("a", "b") != fingerprint("ab")
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        for content in _contents(part):
            digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()[:24]


def _contents(part: str | Path) -> Iterator[bytes]:
    if isinstance(part, str):
        yield part.encode()
    elif part.is_file():
        yield part.read_bytes()
    else:
        for file in sorted(part.rglob("*")):
            name = file.relative_to(part)
            if file.is_file() and not set(NOT_INSTALLED).intersection(name.parts):
                yield str(name).encode()
                yield file.read_bytes()


def is_current(stamp: Path, value: str) -> bool:
    """Tell whether a stamp, the file beside what was set up, holds ``value``."""
    return stamp.is_file() and stamp.read_text() == value
