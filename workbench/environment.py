"""All that a command needs, prepared: Odoo, its Python, PostgreSQL."""

import argparse
import contextlib
import os
from collections.abc import Iterator, Sequence

from . import locks, odoo_source, postgres, python_env, system_packages
from .odoo_server import OdooServer

#: Tells the tests that the machine's own PostgreSQL is used.
SYSTEM_VARIABLE = "WORKBENCH_SYSTEM_POSTGRES"
#: What all commands use that do not harm it.
SHARED = postgres.Cluster()


@contextlib.contextmanager
def prepare(
    options: argparse.Namespace,
    needs: Sequence[str] = (),
    cluster: postgres.Cluster = SHARED,
) -> Iterator[OdooServer]:
    """Get Odoo and start PostgreSQL; at the end stop it, unless others use it.

    ``import odoo`` works from here on. The needs are names of system packages.
    """
    with locks.exclusive("setup"):
        system_packages.ensure(needs)
        source = odoo_source.obtain(options.odoo)
        python_env.make_importable(source.root)
    with databases(options.system_postgres, cluster) as found:
        yield OdooServer(source, found)


@contextlib.contextmanager
def databases(
    system: bool, cluster: postgres.Cluster = SHARED
) -> Iterator[postgres.Databases]:
    """Use the machine's own PostgreSQL server, or a private one."""
    os.environ[SYSTEM_VARIABLE] = "1" if system else ""
    if system:
        yield postgres.Databases()
    else:
        with postgres.private_server(cluster) as found:
            yield found
