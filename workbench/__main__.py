"""Start a workbench command: ``python3 workbench test`` from any folder.

This much runs on the system's Python with the standard library alone; it makes the
virtual environment and goes on in there.
"""

import sys
from pathlib import Path

REPO = str(Path(__file__).resolve().parent.parent)
if sys.path[0] != REPO:
    sys.path[0] = REPO

from workbench import python_env  # noqa: E402
from workbench.steps import StepFailed  # noqa: E402

if __name__ == "__main__":
    try:
        python_env.enter(sys.argv[1:])
        from workbench import cli

        sys.exit(cli.main(sys.argv[1:]))
    except (StepFailed, PermissionError) as failure:
        sys.exit(f"\n{failure}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; start again to go on.")
