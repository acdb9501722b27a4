"""Start a command: first the virtual environment, then the command inside it.

A command is a module with ``add_arguments(parser)``, ``main(options) -> int`` and
``NEEDS``, the names of what it requires of the system
(:func:`workbench.system_packages.requirements`). It must be importable with the
standard library alone, because its arguments are read before the environment exists.
With ``ACCEPTS_MORE = True`` arguments that it does not know arrive in ``options.more``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType, ModuleType

from . import environment, locks, paths, python_env, system_packages
from .steps import StepFailed

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
    try:
        command = importlib.import_module(COMMANDS[name])
        options = parse(name, command, rest)
        if not python_env.runs_inside():
            _enter_environment(command, options, arguments)
        return int(command.main(options))
    except StepFailed as failure:
        print(f"\n{failure}", file=sys.stderr, flush=True)
        return 1
    except PermissionError as error:
        print(f"\n{_not_ours(error)}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; start again to go on.", file=sys.stderr)
        return 130


def parse(
    name: str, command: ModuleType, arguments: Sequence[str]
) -> argparse.Namespace:
    """Read a command's arguments; ends the program if they are wrong.

    :param command: the module, see above
    """
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


def _enter_environment(
    command: ModuleType, options: argparse.Namespace, arguments: Sequence[str]
) -> None:
    """Make the virtual environment and go on in its Python; does not return."""
    python_env.forget_foreign_variables()
    paths.create_work_folders()
    server = "psql" if options.system_postgres else "postgresql"
    with locks.exclusive(environment.SETUP_LOCK):
        system_packages.ensure([server, *command.NEEDS])
        python = python_env.ensure_odoo_environment()
    sys.stdout.flush()
    program = str(paths.REPO / "workbench")
    os.execv(python, [str(python), program, *arguments])


def _not_ours(error: PermissionError) -> StepFailed:
    return StepFailed(
        "Write to the ignored folder",
        str(error),
        f"If another user started the workbench in this clone, have that user remove "
        f"{paths.relative(paths.WORK)}, or use a clone of your own.",
    )


def _end(signal_number: int, frame: FrameType | None) -> None:
    """Let the context managers clean up when somebody ends the program."""
    raise SystemExit(128 + signal_number)
