"""All that a command needs, prepared: Odoo, its Python, PostgreSQL."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator, Sequence

from . import locks, odoo_source, postgres, python_env, system_packages
from .odoo_server import OdooServer

#: Tells the tests that the machine's own PostgreSQL is used.
SYSTEM_VARIABLE = "WORKBENCH_SYSTEM_POSTGRES"


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
def prepare(
    options: argparse.Namespace, needs: Sequence[str] = ()
) -> Iterator[OdooServer]:
    """Get Odoo and start PostgreSQL; at the end stop it, unless others use it.

    ``import odoo`` works from here on.

    :param options: parsed arguments with those of :func:`add_arguments`
    :param needs: names of :func:`workbench.system_packages.requirements`
    :raise StepFailed: a step failed; the message says which and how to go on
    """
    with locks.exclusive("setup"):
        system_packages.ensure(needs)
        source = odoo_source.obtain(options.odoo, options.debian_mirror)
        odoo_source.supply_icon_font(source)
        python_env.make_importable(source.root)
    os.environ[SYSTEM_VARIABLE] = "1" if options.system_postgres else ""
    with databases() as (found, users_lock):
        yield OdooServer(source, found, users_lock)


@contextlib.contextmanager
def databases() -> Iterator[tuple[postgres.Databases, int]]:
    """Use the server that the command was told to use.

    :return: its databases, and the descriptor whose holders count as users, or -1
    """
    if os.environ.get(SYSTEM_VARIABLE):
        with postgres.system_server() as found:
            yield found, -1
    else:
        with postgres.private_server() as server:
            yield server
