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
    :param needs: names in :data:`workbench.system_packages.REQUIREMENTS`
    :raise StepFailed: a step failed; the message says which and how to go on
    """
    with locks.exclusive("setup"):
        system_packages.ensure(needs)
        source = odoo_source.obtain(options.odoo)
        python_env.make_importable(source.root)
    with databases(options.system_postgres) as found:
        yield OdooServer(source, found)


@contextlib.contextmanager
def databases(system: bool) -> Iterator[postgres.Databases]:
    """Use the machine's own PostgreSQL server, or the private one."""
    os.environ[SYSTEM_VARIABLE] = "1" if system else ""
    if system:
        yield postgres.Databases()
    else:
        with postgres.private_server() as found:
            yield found
