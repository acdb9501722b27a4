"""The addons of this repository, found by their manifests."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import paths


@dataclass(frozen=True, eq=False)
class Addon:
    """One addon: its folder at the top of the repository, and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The technical name."""
        return self.folder.name

    @property
    def depends(self) -> list[str]:
        """The technical names of the addons, here or of Odoo's, that it needs."""
        return list(self.manifest.get("depends", ()))


def find(root: Path) -> tuple[Addon, ...]:
    """Return the addons in a folder, each after those that it depends on."""
    found = {
        file.parent.name: Addon(file.parent, ast.literal_eval(file.read_text()))
        for file in sorted(root.glob("*/__manifest__.py"))
    }

    def with_needed(names: Iterable[str]) -> Iterator[Addon]:
        for name in names:
            if name in found:
                yield from with_needed(found[name].depends)
                yield found[name]

    return tuple(dict.fromkeys(with_needed(found)))


ADDONS = find(paths.REPO)
NAMES = tuple(addon.name for addon in ADDONS)


def up_to(addon: Addon) -> list[str]:
    """Return the names of an addon and of those here that it is installed with."""
    needed = {addon.name}
    for other in reversed(ADDONS):
        if other.name in needed:
            needed.update(other.depends)
    return [name for name in NAMES if name in needed]
