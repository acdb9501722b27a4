"""Run the linters and every test.

Unknown options go to pytest; then only the tests of this repository run, without the
linters and without Odoo's own tests:  ./test -k reply_to
"""

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import environment, locks, paths
from .addons import ADDONS, NAMES, Addon, up_to
from .odoo_server import OdooServer
from .steps import Command, beside, say, step

NEEDS = ("browser", "openssl", "git", "dovecot")
ACCEPTS_MORE = True
WORKBENCH = paths.REPO / "workbench"
#: test_mail for Odoo's own tests; the others make mail, or take part in sending it.
CORE_MODULES = tuple(
    "test_mail auth_signup auth_totp_mail base_automation calendar digest google_gmail "
    "mass_mailing microsoft_outlook payment_demo portal sale_management".split()
)
OTHER_MODULES = ("mail_multicompany", "mail_outbound_static")
#: What is installed for an addon's tests, by their folder; the inner folders come
#: first. Mail Environment takes logins out of the database.
INSTALLED = {
    Path("compatibility", "environment"): ("mail_environment",),
    Path("compatibility", "tracking"): ("mail_post_defer", "mail_tracking"),
    Path("compatibility"): ("google_gmail", "microsoft_outlook", *OTHER_MODULES),
    Path(): CORE_MODULES,
}
#: Tests of what needs no Odoo, in folders that are no addons yet.
PURE = tuple(
    folder
    for folder in sorted(paths.REPO.glob("*/tests/pure"))
    if folder.parents[1].name not in NAMES
)
#: An addon's tests that show in a minute whether mail still goes where it should.
SMOKE = ("test_core_names", "test_directory", "test_routes", "test_headers")
#: Odoo's tests of outgoing mail, which must pass with the addons installed.
CORE_TESTS = (
    ("base", "test_ir_mail_server.py::TestIrMailServer"),
    ("base", "test_ir_mail_server_smtpd.py::TestIrMailServerSMTPD"),
    ("mail", "test_ir_mail_server.py::TestIrMailServer"),
    ("mail", "test_ir_mail_server.py::TestPersonalServer"),
    ("test_mail", "test_mail_mail.py::TestMailMail"),
    ("test_mail", "test_mail_mail.py::TestMailMailServer"),
)
PASSED, NO_TESTS = 0, 5
LINTERS, TESTS_OF = "the linters", "the tests of "
#: Options of pytest whose value comes after them, and may be called as a file is.
TAKE_A_VALUE = ("-k", "-m", "-o", "-p", "-r", "-W", "--deselect", "--ignore")
#: As many processes as the machine has processors, each with a copy of the database.
SIDE_BY_SIDE = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadscope")
QUICK = ("-m", "not slow")
WITHOUT_ODOO = ("-p", "no:odoo", "--doctest-modules")


@dataclass
class Suite:
    """Runs of pytest: options for all, files that were named, and how each ended."""

    options: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)
    started: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def is_whole(self) -> bool:
        """Tell whether nobody waits for certain tests."""
        return not (self.options or self.named)

    def chosen(self, folder: Path, *apart: Path) -> list[str]:
        """Return what to run of a folder, without what is apart: all, or the named."""
        if not folder.is_dir():
            return []
        chosen = []
        for name in self.named or [str(folder)]:
            file = Path(name.partition("::")[0])
            if folder.is_relative_to(file):
                chosen.append(str(folder))
            elif file.is_relative_to(folder):
                if not any(map(file.is_relative_to, apart)):
                    chosen.append(name)
        return chosen and [*chosen, *(f"--ignore={path}" for path in apart)]

    def run(
        self, title: str, chosen: Sequence[str], *arguments: str, apart: bool = False
    ) -> None:
        """Run pytest in a process; its output is shown as it comes, or later if apart.

        What somebody asked for is never apart: they want to see it at once.
        """
        title, command = f"{TESTS_OF}{title}", pytest_command(*arguments, *self.options)
        if chosen and apart and self.is_whole:
            self.start(title, [*command, *chosen])
        elif chosen:
            with step(f"Run {title}"):
                self.ended[title] = subprocess.run(
                    [*command, *chosen],
                    cwd=paths.REPO,
                    stdin=subprocess.DEVNULL,
                    check=False,
                ).returncode
        self.end(*(it for it in self.started if self.started[it].poll() is not None))

    def start(self, title: str, command: Command) -> None:
        """Start a program; what it prints is shown as a whole, when it has ended."""
        say(f"==> Start {title}")
        self.started[title] = self.stack.enter_context(beside(command, title))

    def end(self, *titles: str) -> None:
        """Wait for programs that were started, and show what they printed."""
        for title in titles:
            self.ended[title] = self.started.pop(title).wait()
            say(f"==> Ended: {title}")
            say((paths.LOGS / f"{title}.log").read_text(errors="replace").strip())

    def is_fine(self) -> bool:
        """Tell whether all is well, and some test was run at all."""
        failed = [it for it in self.ended if self.ended[it] not in (PASSED, NO_TESTS)]
        for title in failed:
            say(f"Failed, see above: {title}")
        tests = [self.ended[title] for title in self.ended if title != LINTERS]
        return not failed and PASSED in tests


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--no-lint", action="store_true", help="leave out the linters")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the linters, the tests that need no Odoo, and those of the routes: "
        "a minute or two",
    )
    parser.add_argument(
        "--together",
        action="store_true",
        help="run each addon's tests with all addons installed",
    )


def main(options: argparse.Namespace) -> int:
    """Run what the options ask for; return the exit status."""
    suite = suite_of(options.more)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(paths.WORK / "hypothesis")
    with suite.stack as stack:
        if suite.is_whole and not options.no_lint:
            suite.start(LINTERS, [sys.executable, "-m", "workbench.linters"])
        odoo = stack.enter_context(environment.prepare(options, NEEDS))
        stack.enter_context(locks.exclusive("tests"))
        os.environ.update(odoo.databases.environment())
        if options.quick:
            _run_quick(odoo, suite)
        else:
            _run_all(odoo, suite, ADDONS[-1] if options.together else None)
        suite.end(*suite.started)
    fine = suite.is_fine()
    say("All is well." if fine else "Not all is well.")
    return 0 if fine else 1


def suite_of(arguments: Sequence[str]) -> Suite:
    """Tell the names of test files from options for pytest.

    >>> suite_of(["-k", "name"]).options
    ['-k', 'name']
    """
    suite = Suite()
    for before, argument in zip(["", *arguments], arguments, strict=False):
        name, separator, test = argument.partition("::")
        found = Path(name).resolve()
        is_option = argument.startswith("-") or before in TAKE_A_VALUE
        if is_option or not found.exists():
            suite.options.append(argument)
        else:
            suite.named.append(f"{found}{separator}{test}")
    return suite


def pytest_command(*arguments: str | Path) -> list[str]:
    """Return a command line that runs tests."""
    return [
        *(sys.executable, "-m", "pytest", "-c", str(WORKBENCH / "pytest.ini")),
        *(f"--rootdir={paths.REPO}", "-rs", "-p", "workbench.pytest_endings"),
        *("-o", f"cache_dir={paths.WORK / 'pytest-cache'}", *map(str, arguments)),
    ]


def _start_without_odoo(suite: Suite, *options: str) -> None:
    for folder in (WORKBENCH, *PURE):
        title = folder.relative_to(paths.REPO).parts[0]
        chosen = suite.chosen(folder)
        suite.run(title, chosen, *options, *WITHOUT_ODOO, apart=True)


def _run_quick(odoo: OdooServer, suite: Suite) -> None:
    # of random cases of a property a few will do
    os.environ.setdefault("ROUTING_EXAMPLES", "15")
    _start_without_odoo(suite, *QUICK)
    for addon in ADDONS:
        tests = addon.folder / "tests"
        smoke = [str(it) for it in sorted(tests.glob("test_*.py")) if it.stem in SMOKE]
        if chosen := [*suite.chosen(tests / "pure"), *smoke]:
            suite.run(addon.name, chosen, *QUICK, *_in_database(odoo, addon))


def _run_all(odoo: OdooServer, suite: Suite, beside: Addon | None) -> None:
    """Run the longest on all processors; before that, make the databases on one.

    :param beside: the addon whose databases are used for the tests of all
    """
    _start_without_odoo(suite)
    for apart, title, chosen in sorted(_with_databases(odoo, suite, beside)):
        split = SIDE_BY_SIDE if suite.is_whole and not apart else ()
        suite.run(title, chosen, *split, apart=apart)
    if suite.is_whole:
        core = [str(odoo.source.addon(it) / "tests" / test) for it, test in CORE_TESTS]
        plugins = ("-p", "workbench.pytest_core", *_in_database(odoo, ADDONS[-1]))
        suite.run("Odoo", core, *plugins)


def _with_databases(
    odoo: OdooServer, suite: Suite, beside: Addon | None
) -> Iterator[tuple[bool, str, list[str]]]:
    """Make the databases of what is chosen; return who is apart, title, arguments."""
    for addon in ADDONS:
        apart: list[Path] = []
        for place, core_modules in INSTALLED.items():
            folder = addon.folder / "tests" / place
            if chosen := suite.chosen(folder, *apart):
                server = odoo.with_other_addons() if place.name else odoo
                of = beside or addon
                options = _in_database(server, of, place.name, core_modules)
                if suite.is_whole and not place.name:
                    odoo.call(f"test_{of.name}", make_assets)
                title = f"{addon.name} {place.name}".strip()
                yield bool(place.name), title, [*options, *chosen]
            apart.append(folder)


def _in_database(
    odoo: OdooServer, addon: Addon, use: str = "", core: Sequence[str] = CORE_MODULES
) -> list[str]:
    """Make the database of an addon's tests; return pytest's options for them."""
    name = "_".join(filter(None, ["test", addon.name, use]))
    odoo.ensure_database(name, up_to(addon), core=core)
    return odoo_plugin(odoo, name)


def make_assets(env: Any) -> None:
    """Make what browsers load: a test with a browser rolls back what it makes."""
    env["ir.qweb"]._pregenerate_assets_bundles()


def odoo_plugin(odoo: OdooServer, database: str) -> list[str]:
    """Return pytest's options for tests in a database of Odoo's."""
    return [f"--odoo-config={odoo.write_config(database)}", "--odoo-http"]
