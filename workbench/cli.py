"""The commands: each a module with ``add_arguments(parser)`` and ``main(options)``.

``main`` returns the exit status. With ``ACCEPTS_MORE = True`` arguments that the parser
does not know arrive in ``options.more``.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType, ModuleType

from . import environment

COMMANDS = {
    "test": "workbench.run_tests",
    "demo": "workbench.demo",
    "benchmark": "benchmarks.run",
    "compare": "workbench.compare",
    "screenshots": "workbench.screenshots",
    "readme": "workbench.readme",
    "translations": "workbench.translations",
}


def main(arguments: Sequence[str]) -> int:
    """Run the command named by the first argument; return the exit status."""
    name, *rest = arguments or ["--help"]
    if name not in COMMANDS:
        print(f"usage: ./COMMAND [options], COMMAND one of {', '.join(COMMANDS)}")
        return 0 if name in ("-h", "--help") else 2
    signal.signal(signal.SIGTERM, _end)
    command = importlib.import_module(COMMANDS[name])
    return int(command.main(parse(name, command, rest)))


def parse(
    name: str, command: ModuleType, arguments: Sequence[str]
) -> argparse.Namespace:
    """Read a command's arguments; ends the program if they are wrong."""
    parser = argparse.ArgumentParser(
        prog=f"./{name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    environment.add_arguments(parser)
    options, more = parser.parse_known_args(arguments)
    if more and not getattr(command, "ACCEPTS_MORE", False):
        parser.error(f"unknown arguments: {' '.join(more)}")
    options.more = more
    return options


def _end(signal_number: int, frame: FrameType | None) -> None:
    """Let the context managers clean up when somebody ends the program."""
    sys.exit(128 + signal_number)
