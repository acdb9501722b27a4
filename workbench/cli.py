"""The commands: each a module with ``main(options)``, maybe ``add_arguments(parser)``.

``main`` returns the exit status. With ``ACCEPTS_MORE = True`` arguments that the parser
does not know arrive in ``options.more``.
"""

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType, ModuleType

from . import python_env
from .steps import StepFailed

COMMANDS = {
    "test": "workbench.run_tests",
    "demo": "workbench.demo",
    "benchmark": "benchmarks.run",
    "books": "bookkeeping.run",
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
    try:
        python_env.enter(arguments)
        command = importlib.import_module(COMMANDS[name])
        return int(command.main(parse(name, command, rest)))
    except (StepFailed, PermissionError) as failure:
        sys.exit(f"\n{failure}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; start again to go on.")


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
    if hasattr(command, "add_arguments"):
        command.add_arguments(parser)
    group = parser.add_argument_group("environment")
    group.add_argument(
        "--odoo",
        metavar="PATH",
        help="an Odoo 19 source tree to use instead of Debian's package "
        "(or set ODOO_SOURCE)",
    )
    group.add_argument(
        "--system-postgres",
        action="store_true",
        help="use the machine's own PostgreSQL, as PGHOST, PGPORT, PGUSER and "
        "PGPASSWORD name it, instead of a private cluster",
    )
    options, more = parser.parse_known_args(arguments)
    if more and not getattr(command, "ACCEPTS_MORE", False):
        parser.error(f"unknown arguments: {' '.join(more)}")
    options.more = more
    return options


def _end(signal_number: int, frame: FrameType | None) -> None:
    """Let the context managers clean up when somebody ends the program."""
    sys.exit(128 + signal_number)
