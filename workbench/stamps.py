"""Fingerprints that tell whether something set up earlier still fits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def fingerprint(*parts: str | Path) -> str:
    """Return a short hash of texts and of the files (by content) among ``parts``.

    >>> fingerprint("a", "b") == fingerprint("a", "b") != fingerprint("ab")
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode()
        digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()[:24]


def of_files(folder: Path, excluded: Iterable[str] = ()) -> str:
    """Return the hash of all files below a folder: their names and their content.

    :param excluded: names of sub-folders that do not count
    """
    skipped = {*excluded, "__pycache__"}
    parts: list[str | Path] = []
    for path in sorted(folder.rglob("*")):
        names = path.relative_to(folder).parts
        if path.is_file() and not skipped.intersection(names):
            parts += ["/".join(names), path]
    return fingerprint(*parts)


def is_current(stamp: Path, value: str) -> bool:
    """Tell whether the stamp file holds ``value``."""
    return stamp.is_file() and stamp.read_text() == value
