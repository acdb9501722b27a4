"""Files of the repository that a command makes from others, and keeps current."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from . import paths
from .steps import say


def read(path: Path) -> str:
    """Return the text of a file, an empty one if there is none."""
    return path.read_text() if path.is_file() else ""


def stale(texts: Mapping[Path, str]) -> list[Path]:
    """Return the files that do not hold the text that they should."""
    return [path for path, text in texts.items() if read(path) != text]


def bring_up_to_date(
    texts: Mapping[Path, str],
    check: bool,
    summary: Callable[[Path], str] = lambda path: "",
) -> int:
    """Write the files that are stale, or only name them; return the exit status.

    :param check: write nothing, and fail where one is stale
    :param summary: says more of a file that is named
    """
    found = stale(texts)
    for path in found:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[path])
        verb = "is out of date" if check else "written"
        say(f"{paths.relative(path)} {verb} {summary(path)}".rstrip())
    if not found:
        say("All is current.")
    return 1 if found and check else 0
