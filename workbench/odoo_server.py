"""Odoo's databases and processes: create, copy, install, start, stop, ask."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import addons, background, locks, paths
from .background import Background
from .odoo_source import OdooSource
from .postgres import Databases, free_port
from .steps import Command, StepFailed, run, say, step, tail

DEFAULT_PORT = 8069
SEE_LOG = "The log names the module and the file at fault: correct it, start again."
WITHOUT_SERVER = ("--stop-after-init", "--no-http", "--max-cron-threads=0")
DATA = paths.ODOO_RUN / "data"


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
    process: Background

    @property
    def url(self) -> str:
        """The address to open in a browser, or to send RPC to."""
        return f"http://127.0.0.1:{self.process.facts['port']}"

    @property
    def log(self) -> Path:
        """What the process says."""
        return paths.LOGS / f"odoo-{self.database}.log"

    def stop(self) -> None:
        """End the process; one that is gone already is fine."""
        self.process.stop()


def find_running(database: str) -> RunningOdoo | None:
    """Return the Odoo that was started on a database and still runs, if any."""
    found = background.find(_state(database))
    return RunningOdoo(database, found) if found else None


class OdooServer:
    """What can be done with Odoo 19: on the databases of one PostgreSQL server."""

    python = Path(sys.executable)

    def __init__(
        self, source: OdooSource, databases: Databases, users_lock: int = -1
    ) -> None:
        """Take the parts; nothing is started.

        :param users_lock: descriptor that keeps the private cluster running
        """
        self.source = source
        self.databases = databases
        self.users_lock = users_lock

    def with_addons(self, folder: Path, mark: Path) -> OdooServer:
        """Return the same Odoo with more addons on its path.

        :param mark: the file that says which ones
        """
        source = dataclasses.replace(
            self.source,
            addons_paths=(*self.source.addons_paths, folder),
            fingerprint=locks.fingerprint(self.source.fingerprint, mark),
        )
        return OdooServer(source, self.databases, self.users_lock)

    def write_config(self, database: str) -> Path:
        """Write the configuration file for a database; return its path."""
        connection = self.databases.connection
        options = {
            "addons_path": ",".join(map(str, (*self.source.addons_paths, paths.REPO))),
            "data_dir": DATA,
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
        path = paths.ODOO_RUN / f"{database}.conf"
        path.touch(mode=0o600)
        path.write_text("\n".join(["[options]", *lines, ""]))
        return path

    def run(
        self, database: str, command: str, *arguments: str | Path, title: str
    ) -> Path:
        """Run a command of Odoo's on a database, such as ``module uninstall``.

        :return: its log
        :raise StepFailed: it failed
        """
        config = ("-c", self.write_config(database), "-d", database)
        return run(
            [self.python, "-m", "odoo", *command.split(), *config, *arguments],
            title=f"{title} (database {database})",
            log=f"{command.split()[-1]}-{database}",
            how_to_go_on=SEE_LOG,
            cwd=paths.ODOO_RUN,
            watch=_loading_progress,
        )

    def install(self, database: str, modules: Sequence[str], demo: bool) -> None:
        """Install modules in a database.

        :param demo: with the modules' demonstration data
        :raise StepFailed: Odoo failed, or did not install one of them
        """
        title = f"Install {', '.join(modules)}"
        options = ["-i", ",".join(modules), *WITHOUT_SERVER, *["--with-demo"] * demo]
        log = self.run(database, "server", *options, title=title)
        installed = self.installed(database)
        if absent := sorted(set(modules) - installed):
            what = f"not installed: {', '.join(absent)}\n{tail(log)}"
            raise StepFailed(title, what, SEE_LOG)

    def installed(self, database: str) -> set[str]:
        """Return the names of the modules that a database has."""
        rows = self.databases.query(
            "SELECT name FROM ir_module_module WHERE state = 'installed'", database
        )
        return {name for (name,) in rows}

    def upgrade(self, database: str, modules: Sequence[str]) -> None:
        """Upgrade modules of a database."""
        options = ["-u", ",".join(modules), *WITHOUT_SERVER]
        title = f"Upgrade {', '.join(modules)}"
        self.run(database, "server", *options, title=title)

    def uninstall(self, database: str, modules: Sequence[str]) -> None:
        """Uninstall modules from a database."""
        title = f"Uninstall {', '.join(modules)}"
        self.run(database, "module uninstall", *modules, title=title)

    def call(self, database: str, function: Callable[..., Any], *values: Any) -> Any:
        """Call a function in a process of Odoo's, with an environment of a database.

        :param function: of a module; takes ``env``, then the values, which are JSON
        :return: what it returned, as JSON
        :raise StepFailed: it raised an error
        """
        title = f"{function.__name__.strip('_').replace('_', ' ').capitalize()}"
        name = f"{function.__module__}:{function.__name__}"
        config = self.write_config(database)
        command = [self.python, "-m", "workbench.inside", config, database, name]
        with step(f"{title} (database {database})"):
            result = subprocess.run(
                [*map(str, command), json.dumps(values)],
                capture_output=True,
                text=True,
                check=False,
            )
        if result.returncode:
            what = "\n".join(result.stderr.splitlines()[-15:])
            raise StepFailed(title, what, "Correct what it names, then start again.")
        return json.loads(result.stdout.splitlines()[-1])

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
            sources = [addon.folder for addon in addons.ADDONS if addon.name in modules]
            mark = self.databases.comment(template)
            wanted = locks.fingerprint(mark, *modules, *sources)
            if not fresh and self.databases.comment(name) == wanted:
                say(f"==> Use database {name} again (nothing has changed)")
                return False
            with step(f"Create database {name}"):
                self.drop_database(name)
                self.databases.create(name, template)
                if (origin := _filestore(template)).is_dir():
                    # The files are named after their content and never written again.
                    shutil.copytree(origin, _filestore(name), copy_function=_link)
            if modules:
                self.install(name, modules, demo)
            self.databases.set_comment(name, wanted)
            return True

    def _ensure_template(self, core: Sequence[str], demo: bool) -> str:
        """Make the template database with core's modules; return its name."""
        # The files of a database's attachments are in this clone's folder.
        place = (str(paths.WORK), self.databases.connection.user)
        wanted = locks.fingerprint(*place, self.source.fingerprint, str(demo), *core)
        name = f"workbench_{'demo' if demo else 'bare'}_{locks.fingerprint(*core)[:8]}"
        with locks.exclusive(f"database-{name}"):
            if self.databases.comment(name) != wanted:
                self.drop_database(name)
                self.databases.create(name)
                self.install(name, core, demo)
                self.databases.set_comment(name, wanted)
        return name

    def drop_database(self, name: str) -> None:
        """Stop the Odoo that serves a database, and remove all that belongs to it."""
        if running := find_running(name):
            running.stop()
        self.databases.drop(name)
        shutil.rmtree(_filestore(name), ignore_errors=True)

    def start(self, database: str, port: int = DEFAULT_PORT) -> RunningOdoo:
        """Start Odoo on a database and wait until it answers.

        It goes on running when the workbench ends, unless it is stopped; so does the
        private cluster. Another Odoo on the same database is stopped first.

        :param port: the one to take if it is free
        :raise StepFailed: it ended, or did not answer in time
        """
        port = free_port(port)
        config: Command = ["-c", self.write_config(database), "-d", database]
        command = [self.python, "-m", "odoo", "server", *config, f"--http-port={port}"]
        process = background.start(
            command,
            _state(database),
            {"port": port},
            title=f"Start Odoo on http://127.0.0.1:{port}",
            log=paths.LOGS / f"odoo-{database}.log",
            ready=lambda: _answers(port),
            pass_fds=(self.users_lock,) if self.users_lock >= 0 else (),
        )
        return RunningOdoo(database, process)


def _answers(port: int) -> bool:
    try:
        health = f"http://127.0.0.1:{port}/web/health"
        with urllib.request.urlopen(health, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _state(database: str) -> Path:
    return paths.ODOO_RUN / f"{database}.json"


def _filestore(database: str) -> Path:
    return DATA / "filestore" / database


def _link(origin: str, target: str) -> None:
    try:
        os.link(origin, target)
    except OSError:
        shutil.copy2(origin, target)


def _loading_progress(log_file: Path) -> str:
    found = re.findall(
        r"Loading module (\w+) \((\d+)/(\d+)\)", log_file.read_text(errors="replace")
    )
    return "({}, {} of {})".format(*found[-1]) if found else ""
