"""All that a command needs, prepared: Odoo, its Python, PostgreSQL."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import locks, odoo_source, paths, postgres, python_env
from .odoo_server import OdooServer
from .odoo_source import OdooSource
from .postgres import Databases

SETUP_LOCK = "setup"


@dataclass(frozen=True)
class Environment:
    """The prepared parts; ``odoo`` is the one most commands work with."""

    python: Path
    source: OdooSource
    databases: Databases
    odoo: OdooServer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    group = parser.add_argument_group("environment")
    group.add_argument(
        "--odoo",
        metavar="PATH",
        help="an Odoo 19 source tree to use instead of Debian's package "
        "(or set ODOO_SOURCE)",
    )
    group.add_argument(
        "--debian-mirror",
        metavar="ADDRESS",
        help="where to get Debian's package if this system's apt knows no mirror",
    )
    group.add_argument(
        "--system-postgres",
        action="store_true",
        help="use the machine's own PostgreSQL, as PGHOST, PGPORT, PGUSER and "
        "PGPASSWORD name it, instead of a private cluster",
    )


@contextlib.contextmanager
def prepare(options: argparse.Namespace) -> Iterator[Environment]:
    """Get Odoo and start PostgreSQL; at the end stop it, unless others use it.

    Runs in the virtual environment's Python; ``import odoo`` works from here on.

    :param options: parsed arguments with those of :func:`add_arguments`
    :raise StepFailed: a step failed; the message says which and how to go on
    """
    with locks.exclusive(SETUP_LOCK):
        paths.create_work_folders()
        source = odoo_source.obtain(options.odoo, options.debian_mirror)
        odoo_source.supply_icon_font(source, python_env.site_packages(paths.VENV))
        python_env.make_importable(source.root)
    python = python_env.python_of(paths.VENV)
    if options.system_postgres:
        with postgres.system_server() as databases:
            server = OdooServer(python, source, databases)
            yield Environment(python, source, databases, server)
        return
    with postgres.private_server() as (databases, users_lock):
        server = OdooServer(python, source, databases, users_lock)
        yield Environment(python, source, databases, server)
