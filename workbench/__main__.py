"""Start a command: ``python3 -m workbench test``; this much needs no other package."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
