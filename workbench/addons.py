"""The addons of this repository, found by their manifests."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
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


def find(root: Path) -> tuple[Addon, ...]:
    """Return the addons in a folder, each after those that it depends on."""
    found = {
        file.parent.name: Addon(file.parent, ast.literal_eval(file.read_text()))
        for file in sorted(root.glob("*/__manifest__.py"))
    }
    graph = {name: addon.manifest.get("depends", ()) for name, addon in found.items()}
    order = TopologicalSorter(graph).static_order()
    return tuple(found[name] for name in order if name in found)


ADDONS = find(paths.REPO)
NAMES = tuple(addon.name for addon in ADDONS)


def up_to(addon: Addon) -> list[str]:
    """Return the names of an addon and of those here that it is installed with."""
    needed = {addon.name}
    for other in reversed(ADDONS):
        if other.name in needed:
            needed.update(other.manifest.get("depends", ()))
    return [other.name for other in ADDONS if other.name in needed]
