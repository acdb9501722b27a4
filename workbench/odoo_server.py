"""Odoo's databases and processes: create, copy, install, start, stop."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import locks, paths, processes, stamps
from .odoo_source import OdooSource
from .postgres import Databases, free_port, literal
from .steps import StepFailed, run, say, step, tail

DEFAULT_PORT = 8069
READY_SECONDS = 120.0
STOP_SECONDS = 20.0
SEE_LOG = "The log names the module and the file at fault: correct it, start again."


def add_port_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the port of Odoo's web server."""
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help="Odoo's port, another one if it is taken (default: %(default)s)",
    )


@dataclass(frozen=True)
class RunningOdoo:
    """An Odoo process that was started by the workbench, maybe by an earlier run."""

    database: str
    pid: int
    port: int

    @property
    def url(self) -> str:
        """The address to open in a browser, or to send RPC to."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the process says."""
        return paths.LOGS / f"odoo-{self.database}.log"

    @property
    def alive(self) -> bool:
        """Whether the process still runs (and its number was not given to another)."""
        return processes.is_running(self.pid, str(config_path(self.database)))

    def wait_until_ready(self, timeout: float = READY_SECONDS) -> None:
        """Wait until it answers HTTP.

        :param timeout: seconds
        :raise StepFailed: it ended, or did not answer in time
        """
        title = f"Start Odoo on {self.url}"
        with step(title):
            deadline = time.monotonic() + timeout
            while not self._answers():
                late = time.monotonic() > deadline
                if late or not self.alive:
                    what = f"no answer in {timeout:.0f} s" if late else "it ended"
                    raise StepFailed(title, f"{what}\n{tail(self.log)}", SEE_LOG)
                time.sleep(0.3)

    def _answers(self) -> bool:
        health = f"{self.url}/web/health"
        with contextlib.suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(health, timeout=5) as answer:  # noqa: S310
                return int(answer.status) == 200
        return False

    def stop(self) -> None:
        """End the process: politely first. One that is gone already is fine."""
        known_by = str(config_path(self.database))
        processes.end(self.pid, known_by, seconds=STOP_SECONDS)
        _pid_file(self.database).unlink(missing_ok=True)


def config_path(database: str) -> Path:
    """Return the configuration file that belongs to a database."""
    return paths.ODOO_RUN / f"{database}.conf"


def _pid_file(database: str) -> Path:
    return paths.ODOO_RUN / f"{database}.json"


def find_running(database: str) -> RunningOdoo | None:
    """Return the Odoo that was started on a database and still runs, if any."""
    try:
        found = RunningOdoo(**json.loads(_pid_file(database).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.alive else None


class OdooServer:
    """What can be done with Odoo 19: on the databases of one PostgreSQL server."""

    def __init__(
        self,
        python: Path,
        source: OdooSource,
        databases: Databases,
        users_lock: int = -1,
    ) -> None:
        """Take the parts; nothing is started.

        :param users_lock: descriptor that keeps the private cluster running
        """
        self.python = python
        self.source = source
        self.databases = databases
        self.users_lock = users_lock

    def write_config(self, database: str) -> Path:
        """Write the configuration file for a database; return its path."""
        connection = self.databases.connection
        options = {
            "addons_path": ",".join(map(str, (*self.source.addons_paths, paths.REPO))),
            "data_dir": paths.ODOO_DATA,
            "db_host": connection.host or False,
            "db_port": connection.port or False,
            "db_user": connection.user,
            "db_password": connection.password or False,
            "db_name": database,
            "dbfilter": f"^{re.escape(database)}$",
            "list_db": False,
            "http_interface": "127.0.0.1",
            "proxy_mode": False,
            "smtp_server": "",
            "screenshots": paths.WORK / "screenshots",
        }
        lines = [f"{name} = {value}" for name, value in options.items()]
        path = config_path(database)
        path.touch(mode=0o600)
        path.write_text("\n".join(["[options]", *lines, ""]))
        return path

    def command(self, database: str, *arguments: str) -> list[str]:
        """Return the command line of ``python -m odoo`` on a database.

        :param arguments: a sub-command with its options, or options of the server
        """
        first = arguments[:1] if not arguments[:1] or arguments[0][0] != "-" else ()
        rest = arguments[len(first) :]
        config = ["-c", str(self.write_config(database)), "-d", database]
        return [str(self.python), "-m", "odoo", *first, *config, *rest]

    def install(self, database: str, modules: Sequence[str], demo: bool) -> None:
        """Install modules in a database.

        :param demo: with the modules' demonstration data
        :raise StepFailed: Odoo failed, or did not install one of them
        """
        names = ",".join(modules)
        title = f"Install {', '.join(modules)} in database {database}"
        options = ["-i", names, "--stop-after-init", "--no-http"]
        arguments = [*options, "--max-cron-threads=0", *(["--with-demo"] * demo)]
        log_file = run(
            self.command(database, *arguments),
            title=title,
            log=f"install-{database}",
            how_to_go_on=SEE_LOG,
            cwd=paths.ODOO_RUN,
            watch=_loading_progress,
        )
        listed = ", ".join(literal(name) for name in modules)
        rows = self.databases.query(
            "SELECT name FROM ir_module_module "
            f"WHERE state = 'installed' AND name IN ({listed})",
            database,
        )
        absent = sorted(set(modules) - {name for (name,) in rows})
        if absent:
            what = f"not installed: {', '.join(absent)}\n{tail(log_file)}"
            raise StepFailed(title, what, SEE_LOG)

    def uninstall(self, database: str, modules: Sequence[str]) -> None:
        """Uninstall modules from a database.

        :raise StepFailed: Odoo failed
        """
        config = ["-c", str(self.write_config(database)), "-d", database]
        run(
            [self.python, "-m", "odoo", "module", "uninstall", *config, *modules],
            title=f"Uninstall {', '.join(modules)} from database {database}",
            log=f"uninstall-{database}",
            how_to_go_on=SEE_LOG,
        )

    def ensure_database(
        self,
        name: str,
        modules: Sequence[str],
        *,
        core: Sequence[str] = ("mail",),
        demo: bool = False,
        fresh: bool = False,
    ) -> bool:
        """Make a database in which modules are installed, unless it fits already.

        Core's modules come from a template that is kept, so that a new database
        takes seconds. A database whose Odoo, modules and sources are what they were
        is used again, with whatever earlier runs left in it, unless ``fresh``.

        :param modules: the modules of this repository
        :param core: the modules of Odoo that the template holds
        :return: whether the database is new
        :raise StepFailed: Odoo could not install something
        """
        with locks.exclusive(f"database-{name}"):
            template = self._ensure_template(core, demo)
            sources = [
                stamps.of_files(paths.REPO / module, excluded=("tests", "readme"))
                for module in modules
            ]
            wanted = stamps.fingerprint(self._mark(core, demo), *modules, *sources)
            if not fresh and self.databases.comment(name) == wanted:
                say(f"==> Use database {name} again (nothing has changed)")
                return False
            self._copy(template, name)
            if modules:
                self.install(name, modules, demo)
            self.databases.set_comment(name, wanted)
            return True

    def _mark(self, core: Sequence[str], demo: bool) -> str:
        # The files of a database's attachments are in this clone's folder.
        place = (str(paths.WORK), self.databases.connection.user)
        facts = (self.source.fingerprint, str(demo), *sorted(core))
        return stamps.fingerprint(*place, *facts)

    def _ensure_template(self, core: Sequence[str], demo: bool) -> str:
        """Make the template database with core's modules; return its name."""
        kind = "demo" if demo else "bare"
        name = f"workbench_{kind}_{stamps.fingerprint(*sorted(core))[:8]}"
        with locks.exclusive(f"database-{name}"):
            wanted = self._mark(core, demo)
            if self.databases.comment(name) != wanted:
                self.drop_database(name)
                self.databases.create(name)
                self.install(name, core, demo)
                self.databases.set_comment(name, wanted)
        return name

    def _copy(self, template: str, name: str) -> None:
        with step(f"Create database {name}"):
            self.drop_database(name)
            self.databases.create(name, template)
            origin, target = _filestore(template), _filestore(name)
            if origin.is_dir():
                # The files are named after their content and never written again.
                shutil.copytree(origin, target, copy_function=_link_or_copy)

    def drop_database(self, name: str) -> None:
        """Stop the Odoo that serves a database, and remove all that belongs to it."""
        running = find_running(name)
        if running:
            running.stop()
        self.databases.drop(name)
        shutil.rmtree(_filestore(name), ignore_errors=True)

    def start(
        self,
        database: str,
        arguments: Sequence[str] = (),
        port: int = DEFAULT_PORT,
    ) -> RunningOdoo:
        """Start Odoo on a database and wait until it answers.

        It goes on running when the workbench ends, unless it is stopped; so does the
        private cluster. Another Odoo on the same database is stopped first.

        :param arguments: more options of Odoo's server
        :param port: the one to take if it is free
        :raise StepFailed: it ended, or did not answer in time
        """
        earlier = find_running(database)
        if earlier:
            earlier.stop()
        port = free_port(port)
        command = self.command(database, "server", f"--http-port={port}", *arguments)
        inherited = (self.users_lock,) if self.users_lock >= 0 else ()
        with open(paths.LOGS / f"odoo-{database}.log", "wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=paths.ODOO_RUN,
                start_new_session=True,
                pass_fds=inherited,
            )
        facts = {"database": database, "pid": process.pid, "port": port}
        _pid_file(database).write_text(json.dumps(facts))
        running = RunningOdoo(database, process.pid, port)
        try:
            running.wait_until_ready()
        except BaseException:
            running.stop()
            raise
        return running


def _filestore(database: str) -> Path:
    return paths.ODOO_DATA / "filestore" / database


def _link_or_copy(origin: str, target: str) -> None:
    try:
        os.link(origin, target)
    except OSError:
        shutil.copy2(origin, target)


def _loading_progress(log_file: Path) -> str:
    found = re.findall(
        rb"Loading module (\w+) \((\d+)/(\d+)\)", log_file.read_bytes()[-20000:]
    )
    if not found:
        return ""
    name, number, total = (part.decode() for part in found[-1])
    return f"({name}, {number} of {total})"
