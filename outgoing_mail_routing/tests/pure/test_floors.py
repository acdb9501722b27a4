"""Decision, bridge, models: imports go down only, and every file stays readable."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ADDON = Path(__file__).parents[2]

#: What the files of a floor may import of the addon; the decision imports no Odoo
BELOW = {"routing": {"routing"}, "bridge": {"routing", "bridge"}}

LINES_OF_A_FILE = 500
LINES_OF_THE_DOOR = 200


def floors_imported(path: Path) -> Iterator[str]:
    """The top folders of the addon, and other packages, that a file imports."""
    package = path.relative_to(ADDON).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = (node.module or "").split(".") if node.module else []
            if not node.level:
                yield names[0]
                continue
            left = package[: len(package) + 1 - node.level]
            whole = (*left, *names) or tuple(alias.name for alias in node.names)
            yield whole[0]


@pytest.mark.parametrize("floor", BELOW)
def test_floor_imports_nothing_from_above(floor: str) -> None:
    above = {path.name for path in ADDON.iterdir() if path.is_dir()} - BELOW[floor]
    forbidden = above | ({"odoo", "psycopg2"} if floor == "routing" else set())
    paths = list((ADDON / floor).rglob("*.py"))
    assert paths
    for path in paths:
        assert forbidden.isdisjoint(floors_imported(path)), path


def test_files_can_be_read_at_once() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in ADDON.rglob("*.py")
        if "tests" not in path.relative_to(ADDON).parts
    }
    assert [path for path, lines in lengths.items() if lines > LINES_OF_A_FILE] == []
    assert lengths[ADDON / "models" / "mail_routing.py"] <= LINES_OF_THE_DOOR
