"""The database server: a private, throw-away cluster, or the machine's own."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import locks, paths
from .steps import StepFailed, run, say, tail
from .system_packages import find_program, postgres_folder

ROLE = "odoo"
USERS_LOCK, CONTROL_LOCK = "postgres-users", "postgres-control"
ELSEWHERE = "workbench-postgres-"
TITLE = "Start the private PostgreSQL cluster"
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


@dataclass(frozen=True)
class Connection:
    """How to reach a server; empty fields mean libpq's own defaults."""

    host: str
    port: str
    user: str
    password: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by which libpq's programs find the server."""
        named = {
            "PGHOST": self.host,
            "PGPORT": self.port,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
        }
        return {name: value for name, value in named.items() if value}


class Databases:
    """The databases of a server, by means of ``psql``."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def query(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """Run one SQL statement; return its rows as texts.

        :raise StepFailed: the server refused it, with its own words
        """
        result = self._psql(statement, database)
        if result.returncode:
            raise StepFailed(
                f"Ask PostgreSQL (database {database})",
                result.stderr.strip(),
                "Your own server: see that it runs, and that PGHOST, PGPORT, PGUSER "
                "and PGPASSWORD are right. The private cluster is made anew after "
                f"removing {paths.relative(paths.POSTGRES)}.",
            )
        return [line.split("\t") for line in result.stdout.splitlines()]

    def answers(self) -> bool:
        """Tell whether the server lets us in."""
        return self._psql("SELECT 1", "postgres").returncode == 0

    def _psql(self, statement: str, database: str) -> subprocess.CompletedProcess[str]:
        program = find_program("psql") or "psql"
        command = [str(program), "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
        return subprocess.run(
            [*command, "-d", database, "-c", statement],
            env={**os.environ, **self.connection.variables, "PGCONNECT_TIMEOUT": "5"},
            capture_output=True,
            text=True,
            check=False,
        )

    def names(self) -> list[str]:
        """Return the names of all databases but PostgreSQL's own."""
        rows = self.query("SELECT datname FROM pg_database WHERE NOT datistemplate")
        return [name for (name,) in rows if name != "postgres"]

    def comment(self, name: str) -> str:
        """Return the comment on a database; empty if there is none, or no database."""
        rows = self.query(
            "SELECT coalesce(shobj_description(oid, 'pg_database'), '') "
            f"FROM pg_database WHERE datname = {literal(name)}"
        )
        return rows[0][0] if rows and rows[0] else ""

    def set_comment(self, name: str, text: str) -> None:
        """Set the comment on a database, where the workbench keeps its fingerprint."""
        self.query(f"COMMENT ON DATABASE {identifier(name)} IS {literal(text)}")

    def drop(self, name: str) -> None:
        """Drop a database and end its connections; none of that name is fine."""
        self.query(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")

    def create(self, name: str, template: str = "template0") -> None:
        """Create a database as a copy of another one.

        :param template: its name; with PostgreSQL's own, the encoding is set as well
        """
        encoding = " ENCODING 'UTF8'" if template == "template0" else ""
        self.query(
            f"CREATE DATABASE {identifier(name)} "
            f"TEMPLATE {identifier(template)}{encoding}"
        )


def identifier(name: str) -> str:
    """Quote a name for SQL.

    >>> identifier('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def free_port(preferred: int = 0) -> int:
    """Return a free port on loopback: the preferred one if it is free."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise StepFailed(
        "Find a free port",
        "127.0.0.1 has none",
        "See that the loopback interface is up.",
    )


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
    if user == "postgres" or rows != [["t"]]:
        raise StepFailed(
            "Use the machine's PostgreSQL",
            f"the role {user} must not be `postgres` (Odoo refuses it) and needs the "
            "right to create databases",
            "As PostgreSQL's administrator: createuser --createdb --pwprompt odoo, "
            "then set PGHOST, PGUSER and PGPASSWORD.",
        )
    yield databases


class Cluster:
    """The private cluster below the ignored folder, owned by an unprivileged user."""

    def __init__(self) -> None:
        self.owner = _owner()
        self.state = paths.WORK / "postgres.json"
        self.users = -1

    @property
    def folder(self) -> Path:
        """The cluster's folder, on a path that its owner can follow."""
        return paths.POSTGRES.resolve()

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.folder / "server.log"

    def acquire(self) -> Databases:
        """Start the server unless it runs, and register as one of its users.

        :raise StepFailed: the cluster cannot be made or started
        """
        with locks.exclusive(CONTROL_LOCK):
            self._make_folder()
            if not self._fits():
                self._initialise()
            if not self._databases().answers():
                self._start()
            self.users = locks.open_lock(USERS_LOCK)
            locks.hold_shared(self.users)
        return self._databases()

    def release(self) -> None:
        """Stop the server unless another run, or an Odoo left running, uses it."""
        with locks.exclusive(CONTROL_LOCK):
            if self.users >= 0:
                os.close(self.users)
                self.users = -1
            if locks.is_unused(USERS_LOCK) and self._running_pid():
                self._control("stop", "-m", "fast", "-t", "30")

    def _databases(self) -> Databases:
        state = self._read_state()
        return Databases(
            Connection("127.0.0.1", str(state["port"]), ROLE, str(state["password"]))
        )

    def _read_state(self) -> dict[str, object]:
        try:
            state = json.loads(self.state.read_text())
            return {"port": state["port"], "password": state["password"]}
        except (OSError, ValueError, KeyError):
            return {"port": 0, "password": ""}

    def _write_state(self, port: int, password: str) -> None:
        self.state.touch(mode=0o600)
        self.state.chmod(0o600)
        self.state.write_text(json.dumps({"port": port, "password": password}))

    def _make_folder(self) -> None:
        """Make the cluster's folder where its owner can get at it."""
        if self.folder.is_dir() and self._can_enter(self.folder):
            if self.folder.stat().st_uid == self.owner.pw_uid:
                return
        if paths.POSTGRES.is_symlink():
            if self.folder.name.startswith(ELSEWHERE):
                shutil.rmtree(self.folder, ignore_errors=True)
            paths.POSTGRES.unlink()
        shutil.rmtree(paths.POSTGRES, ignore_errors=True)
        if self._can_enter(paths.WORK):
            paths.POSTGRES.mkdir(mode=0o700)
        else:
            elsewhere = Path(tempfile.mkdtemp(prefix=ELSEWHERE))
            say(
                f"    {self.owner.pw_name} cannot enter this folder: the cluster "
                f"goes to {elsewhere}"
            )
            paths.POSTGRES.symlink_to(elsewhere)
        os.chown(self.folder, self.owner.pw_uid, self.owner.pw_gid)

    def _can_enter(self, folder: Path) -> bool:
        command = ["test", "-x", str(folder)]
        return subprocess.run(command, check=False, **self._as_owner()).returncode == 0

    def _as_owner(self) -> dict[str, object]:
        """Return the arguments that let a process run as the cluster's owner."""
        if os.geteuid() == self.owner.pw_uid:
            return {"cwd": "/"}
        return {
            "cwd": "/",
            "user": self.owner.pw_uid,
            "group": self.owner.pw_gid,
            "extra_groups": [],
        }

    def _programs(self) -> Path:
        """Return the server programs that fit the data folder, else the newest."""
        with contextlib.suppress(OSError):
            version = (self.data / "PG_VERSION").read_text().strip()
            fitting = Path("/usr/lib/postgresql") / version / "bin"
            if (fitting / "pg_ctl").exists():
                return fitting
        newest = postgres_folder()
        if newest:
            return newest
        raise StepFailed(
            TITLE, "its programs are missing", "Install the package postgresql."
        )

    def _fits(self) -> bool:
        """Tell whether the data folder is whole and the programs can read it."""
        try:
            version = (self.data / "PG_VERSION").read_text().strip()
        except OSError:
            return False
        postgres = [str(self._programs() / "postgres"), "--version"]
        answer = subprocess.run(postgres, capture_output=True, text=True, check=False)
        found = answer.stdout.split()[2].split(".")[0] if answer.stdout else ""
        if found != version:
            say(f"    the cluster is of PostgreSQL {version}: it is made anew")
        ready = (self.folder / "initialised").exists()
        return found == version and ready and bool(self._read_state()["password"])

    def _initialise(self) -> None:
        if self._running_pid():
            self._control("stop", "-m", "immediate")
        shutil.rmtree(self.data, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        secret = self.folder / "password"
        secret.unlink(missing_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(password)
        os.chown(secret, self.owner.pw_uid, self.owner.pw_gid)
        run(
            [
                *(self._programs() / "initdb", "-D", self.data, "-U", ROLE),
                *("-E", "UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256"),
                *(f"--pwfile={secret}", "--no-sync"),
            ],
            title="Create the private PostgreSQL cluster",
            log="initdb",
            how_to_go_on=f"Remove {paths.relative(paths.POSTGRES)} and start again.",
            process_options=self._as_owner(),
        )
        secret.unlink()
        with open(self.data / "postgresql.conf", "a") as settings:
            settings.write(SETTINGS)
        self._write_state(free_port(), password)
        (self.folder / "initialised").touch()

    def _running_pid(self) -> int:
        """Return the id of the server's process; 0 if there is none.

        After a crash or a restart of the machine the file may name a process that
        is gone, or is another program by now.
        """
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            program = Path(f"/proc/{pid}/comm").read_text().strip()
        except (OSError, ValueError, IndexError):
            return 0
        return pid if program in ("postgres", "postmaster") else 0

    def _start(self) -> None:
        if self._running_pid():
            self._control("stop", "-m", "immediate")
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        state = self._read_state()
        port = free_port(int(str(state["port"])))
        self._write_state(port, str(state["password"]))
        run(
            [
                *(self._programs() / "pg_ctl", "start", "-D", self.data, "-w"),
                *("-t", "60", "-l", self.log, "-o", f"-p {port}"),
            ],
            title=TITLE,
            log="pg_ctl-start",
            how_to_go_on=(
                f"Remove {paths.relative(paths.POSTGRES)} and start again. The "
                f"server's own words are in {paths.relative(self.log)}."
            ),
            process_options={**self._as_owner(), "start_new_session": True},
        )
        self._await_answer()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + 30
        while not self._databases().answers():
            if time.monotonic() > deadline:
                raise StepFailed(
                    TITLE,
                    f"it started but lets nobody in\n{tail(self.log)}",
                    f"Remove {paths.relative(paths.POSTGRES)} and start again.",
                )
            time.sleep(0.2)

    def _control(self, *arguments: str) -> None:
        """Run pg_ctl; what it says is of no interest, stopping twice is fine."""
        command = [str(self._programs() / "pg_ctl"), "-D", str(self.data), *arguments]
        subprocess.run(command, capture_output=True, check=False, **self._as_owner())


@contextlib.contextmanager
def private_server() -> Iterator[tuple[Databases, int]]:
    """Use the private cluster, which is stopped at the end unless others use it.

    :return: its databases, and the descriptor whose holders count as users
    :raise StepFailed: the cluster cannot be made or started
    """
    cluster = Cluster()
    try:
        databases = cluster.acquire()
        yield databases, cluster.users
    finally:
        cluster.release()


def stop_if_unused() -> None:
    """Stop the private cluster unless a run, or an Odoo left running, uses it."""
    if paths.POSTGRES.exists():
        Cluster().release()


def _owner() -> pwd.struct_passwd:
    """Return who runs the server: us, or as root somebody without rights."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")
