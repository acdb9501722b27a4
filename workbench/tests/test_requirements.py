"""The pinned requirements: every Python that Odoo runs on gets exactly one version."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from workbench import paths

SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
FILES = sorted(paths.REQUIREMENTS.glob("*.txt"))


def _read(file: Path) -> list[Requirement]:
    lines = (line.strip() for line in file.read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def _applies(requirement: Requirement, version: str) -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({"python_version": version})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("version", SUPPORTED)
def test_no_package_is_named_twice_for_a_python(file: Path, version: str) -> None:
    names = [item.name.lower() for item in _read(file) if _applies(item, version)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_package_is_pinned(file: Path) -> None:
    for requirement in _read(file):
        assert [item.operator for item in requirement.specifier] == ["=="], requirement


def test_packages_with_markers_are_there_for_every_python() -> None:
    only_new = {"lxml-html-clean"}
    marked = [item for item in _read(paths.REQUIREMENTS / "odoo.txt") if item.marker]
    for name in {item.name for item in marked} - only_new:
        versions = [
            version
            for version in SUPPORTED
            if any(_applies(item, version) for item in marked if item.name == name)
        ]
        assert versions == [*SUPPORTED], name
