"""Odoo's databases and processes: create, copy, install, start, stop, ask."""

import dataclasses
import json
import re
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import addons, background, locks, paths, python_env
from .odoo_source import OdooSource
from .postgres import Databases
from .steps import CORRECT, StepFailed, run, say, step, tail

WITHOUT_SERVER = ("--stop-after-init", "--no-http", "--max-cron-threads=0")
DATA = paths.ODOO_RUN / "data"
#: What every database has of core.
BASE = ("mail",)
#: Addons of others, from the package index, that ours have to get on with.
OTHER_ADDONS = paths.WORK / "other-addons"
#: What is run by Odoo's shell: a function of a module, whose answer goes to a file.
CALL = """
import importlib, json
values = json.loads({values!r})
answer = importlib.import_module({module!r}).{function}(env(context={{}}), *values)
env.cr.commit()
with open({file!r}, "w") as file:
    json.dump(answer, file)
"""


@dataclass(frozen=True)
class OdooServer:
    """What can be done with Odoo 19: on the databases of one PostgreSQL server."""

    source: OdooSource
    databases: Databases
    #: What is pinned of addons of others, where they are on the addons path.
    others: str = ""
    python = sys.executable

    def with_other_addons(self) -> "OdooServer":
        """Return the same Odoo with addons of others on its addons path.

        They are not installed into the environment: there Odoo would find them in every
        database, and they would ask for Odoo itself.
        """
        with locks.exclusive("other-addons"):
            options = ["--no-deps", "--target", str(OTHER_ADDONS)]
            python_env.install(options, "other-addons")
        more = OTHER_ADDONS / "odoo" / "addons"
        pinned = (paths.REQUIREMENTS / "other-addons.txt").read_text()
        places = (*self.source.addons_paths, more)
        source = dataclasses.replace(self.source, addons_paths=places)
        return OdooServer(source, self.databases, pinned)

    def write_config(self, database: str) -> Path:
        """Write the configuration file for a database; return its path."""
        named = {f"db_{name}": value for name, value in self.databases.named.items()}
        options = {
            "addons_path": ",".join(map(str, (*self.source.addons_paths, paths.REPO))),
            "data_dir": DATA,
            **named,
            "db_name": database,
            "dbfilter": f"^{re.escape(database)}$",
            "list_db": False,
            "http_interface": "127.0.0.1",
            "proxy_mode": False,
            "smtp_server": "",
            "screenshots": paths.WORK / "screenshots",
        }
        lines = [f"{name} = {value}" for name, value in options.items()]
        path = _config(database)
        path.touch(mode=0o600)
        path.write_text("\n".join(["[options]", *lines, ""]))
        return path

    def run(
        self, database: str, command: str, *arguments: str, title: str, **options: Any
    ) -> Path:
        """Run a command of Odoo's, such as ``module uninstall``; return its log."""
        config = ("-c", self.write_config(database), "-d", database)
        return run(
            [self.python, "-m", "odoo", *command.split(), *config, *arguments],
            title=f"{title} (database {database})",
            log=f"{command.split()[-1]}-{database}",
            cwd=paths.ODOO_RUN,
            **options,
        )

    def install(self, database: str, modules: Sequence[str], demo: bool) -> None:
        """Install modules in a database, maybe with their demonstration data."""
        title = f"Install {', '.join(modules)}"
        options = ["-i", ",".join(modules), *WITHOUT_SERVER, *["--with-demo"] * demo]
        log = self.run(database, "server", *options, title=title)
        if absent := sorted(set(modules) - self.installed(database)):
            what = f"not installed: {', '.join(absent)}\n{tail(log)}"
            raise StepFailed(title, what, CORRECT)

    def installed(self, database: str) -> set[str]:
        """Return the names of the modules that a database has."""
        rows = self.databases.query(
            "SELECT name FROM ir_module_module WHERE state = 'installed'", database
        )
        return {name for (name,) in rows}

    def upgrade(self, database: str, modules: Sequence[str]) -> None:
        """Upgrade modules of a database."""
        options, title = ["-u", ",".join(modules)], f"Upgrade {', '.join(modules)}"
        self.run(database, "server", *options, *WITHOUT_SERVER, title=title)

    def call(self, database: str, function: Callable[..., Any], *values: Any) -> Any:
        """Call a function in Odoo's shell, as the superuser, and commit.

        :param function: of a module; takes ``env``, then the values, which are JSON
        :return: what it returned, as JSON
        """
        answer, program = (paths.ODOO_RUN / f"{database}.{it}" for it in ("json", "py"))
        module, name = function.__module__, function.__name__
        texts = {"module": module, "function": name, "file": str(answer)}
        program.write_text(CALL.format(values=json.dumps(values), **texts))
        title = name.strip("_").replace("_", " ").capitalize()
        with open(program) as stdin:
            self.run(database, "shell", "--no-http", title=title, stdin=stdin)
        return json.loads(answer.read_text())

    def ensure_database(
        self,
        name: str,
        modules: Sequence[str],
        *,
        core: Sequence[str] = BASE,
        demo: bool = False,
        fresh: bool = False,
    ) -> None:
        """Make a database in which modules are installed, unless it fits already.

        Core's modules come from a template that is kept, which grows from one that has
        ``mail`` alone, so that a new database takes seconds. A database whose Odoo,
        modules and sources are what they were is used again, with whatever earlier
        runs left in it, unless ``fresh``.

        :param modules: the modules of this repository
        :param core: the modules of Odoo that the template holds
        """
        # the files of a database's attachments are in this clone's folder
        # another cluster's template of the same name would have the same files
        where = self.databases.named.get("host", "")
        facts = (str(paths.WORK), self.source.fingerprint, str(demo))
        template = "template0"
        for held, others in {BASE: "", tuple(core): self.others}.items():
            below = template
            template = f"workbench_{locks.fingerprint(where, str(demo), *held)[:8]}"
            wanted = locks.fingerprint(*facts, others, *held)
            self._ensure(template, below, held, demo, wanted)
        sources = [addon.folder for addon in addons.ADDONS if addon.name in modules]
        wanted = "" if fresh else locks.fingerprint(wanted, *modules, *sources)
        self._ensure(name, template, modules, demo, wanted)

    def _ensure(
        self, name: str, template: str, modules: Sequence[str], demo: bool, wanted: str
    ) -> None:
        """Make a database from a template, unless its comment is what is wanted."""
        with locks.exclusive(f"database-{name}"):
            if wanted and self.databases.comment(name) == wanted:
                say(f"==> Use database {name} again (nothing has changed)")
                return
            with step(f"Create database {name}"):
                self.drop_database(name)
                self.databases.create(name, template)
                if (origin := _filestore(template)).is_dir():
                    shutil.copytree(origin, _filestore(name))
            if modules:
                self.install(name, modules, demo)
            self.databases.set_comment(name, wanted)

    def drop_database(self, name: str) -> None:
        """Stop the Odoo that serves a database, and remove all that belongs to it."""
        stop(name)
        self.databases.drop(name)
        shutil.rmtree(_filestore(name), ignore_errors=True)

    def start(self, database: str) -> str:
        """Start Odoo on a database, wait until it answers, and return its address.

        It goes on running when the workbench ends, unless it is stopped; so does the
        private cluster. Another Odoo on the same database is stopped first.
        """
        port = free_port(8069)
        url = f"http://127.0.0.1:{port}"
        marks = ("server", self.write_config(database))
        background.start(
            [self.python, "-m", "odoo", *marks[:1], "-c", *marks[1:], "-p", str(port)],
            *marks,
            title=f"Start Odoo for database {database}",
            ready=lambda: _answers(url),
        )
        return url


def stop(database: str) -> bool:
    """Stop the Odoo that was started on a database; return whether one ran."""
    return background.stop("server", _config(database))


def free_port(preferred: int) -> int:
    """Return a free port on loopback: the preferred one if it is free."""
    try:
        probe = socket.create_server(("127.0.0.1", preferred))
    except OSError:
        probe = socket.create_server(("127.0.0.1", 0))
    with probe:
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/web/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _config(database: str) -> Path:
    return paths.ODOO_RUN / f"{database}.conf"


def _filestore(database: str) -> Path:
    return DATA / "filestore" / database
