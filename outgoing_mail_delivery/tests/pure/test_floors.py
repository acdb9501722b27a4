"""``delivery/`` stands on its own, and every file of it stays readable."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ADDON = Path(__file__).parents[2]
FILES = sorted((ADDON / "delivery").glob("*.py"))
LINES_OF_A_FILE = 400


def imported(path: Path) -> Iterator[str]:
    """The packages that a file imports, but for its neighbours."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level if node.level > 1 else (node.module or ".")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_imports_the_standard_library_alone(path: Path) -> None:
    neighbours = {file.stem for file in FILES} | {"."}
    standard = set(sys.stdlib_module_names)
    foreign = {name.partition(".")[0] for name in imported(path)} - neighbours
    assert foreign <= standard


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_can_be_read_at_once(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_OF_A_FILE


def test_package_is_importable_with_the_addon_on_the_path() -> None:
    code = "import sys, delivery; assert 'odoo' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ADDON, check=True)
