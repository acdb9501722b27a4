"""The pinned requirements: the same versions for everybody."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from workbench import paths

FILES = sorted(paths.REQUIREMENTS.glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda it: it.stem)
def test_every_package_is_pinned_once(file: Path) -> None:
    lines = (line.strip() for line in file.read_text().splitlines())
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert len({item.name.lower() for item in wanted}) == len(wanted)
    for item in wanted:
        assert [of.operator for of in item.specifier] == ["=="] and not item.marker
