"""Run the tests of this folder where Odoo is not installed.

``python outgoing_mail_routing/tests/pure [options of pytest]``
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

PURE = Path(__file__).resolve().parent
ADDON = PURE.parents[1]


def _stand_in(name: str, folder: Path) -> None:
    """Make a package known without running its ``__init__``, which needs Odoo."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


def main(arguments: list[str]) -> int:
    """Run pytest without its Odoo plugin; return the exit status."""
    _stand_in(ADDON.name, ADDON)
    for folder in ("models", "tests"):
        _stand_in(f"{ADDON.name}.{folder}", ADDON / folder)
    without_odoo = ["-p", "no:odoo", "--rootdir", str(ADDON.parent)]
    return int(pytest.main([*without_odoo, *arguments, str(PURE)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
