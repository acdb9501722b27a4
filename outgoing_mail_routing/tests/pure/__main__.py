"""Run the tests of this folder where Odoo is not installed.

``python outgoing_mail_routing/tests/pure [options of pytest]``
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

ADDON = Path(__file__).resolve().parents[2]


def _stand_in(name: str, folder: Path) -> None:
    """Make a package known without running its ``__init__``, which needs Odoo."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


def main(arguments: list[str], addon: Path = ADDON) -> int:
    """Run pytest without its Odoo plugin; return the exit status.

    :param addon: the folder of the addon whose tests to run
    """
    _stand_in(addon.name, addon)
    for folder in ("models", "tests"):
        _stand_in(f"{addon.name}.{folder}", addon / folder)
    without_odoo = ["-p", "no:odoo", "--rootdir", str(addon.parent)]
    return int(pytest.main([*without_odoo, *arguments, str(addon / "tests" / "pure")]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
