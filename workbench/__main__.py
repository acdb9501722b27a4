"""Start a workbench command: ``python3 workbench test`` from any folder."""

import sys
from pathlib import Path

REPO = str(Path(__file__).resolve().parent.parent)
if sys.path[0] != REPO:
    sys.path[0] = REPO

from workbench.cli import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
