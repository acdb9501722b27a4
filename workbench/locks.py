"""What runs of the workbench share: locks, and fingerprints of what is set up."""

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

from . import paths
from .steps import say

NOT_INSTALLED = {"tests", "readme", "__pycache__"}


@contextlib.contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold the lock ``name``, after waiting for another run that holds it."""
    folder = paths.WORK / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"    waiting for another run of the workbench ({name})")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fingerprint(*parts: str | Path) -> str:
    """Return a short hash of texts, and of folders: the files that get installed.

    >>> fingerprint("a", "b") == fingerprint("a", "b") != fingerprint("ab")
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
        for file in sorted(part.rglob("*")) if isinstance(part, Path) else ():
            inside = file.relative_to(part).parts
            if file.is_file() and not NOT_INSTALLED.intersection(inside):
                digest.update(repr((file, file.read_bytes())).encode())
    return digest.hexdigest()[:24]
