"""Run the linters and every test.

Unknown options go to pytest; then only the tests of this repository run, without the
linters and without Odoo's own tests:  ./test -k reply_to
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import environment, linters, locks, paths
from .addons import ADDONS, NAMES, Addon, up_to
from .odoo_server import OdooServer
from .steps import say, step

NEEDS = ("browser", "openssl", "git", "dovecot")
ACCEPTS_MORE = True
WORKBENCH = paths.REPO / "workbench"
#: test_mail for Odoo's own tests; the others make mail, or take part in sending it.
CORE_MODULES = tuple(
    "test_mail auth_signup auth_totp_mail base_automation calendar digest google_gmail "
    "mass_mailing microsoft_outlook payment_demo portal sale_management".split()
)
OTHER_MODULES = ("mail_multicompany", "mail_outbound_static")
#: What is installed for an addon's tests that need other addons, by their folder; the
#: inner folders come first. Mail Environment takes logins out of the database.
COMPATIBILITY = {
    Path("compatibility", "environment"): ("mail_environment",),
    Path("compatibility"): ("google_gmail", "microsoft_outlook", *OTHER_MODULES),
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
#: Options of pytest whose value comes after them, and may be called as a file is.
TAKE_A_VALUE = ("-k", "-m", "-o", "-p", "-r", "-W", "--deselect", "--ignore")
#: As many processes as the machine has processors, each with a copy of the database.
SIDE_BY_SIDE = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadscope")
WITHOUT_ODOO = ("-p", "no:odoo", "--doctest-modules")


@dataclass
class Suite:
    """Runs of pytest: options for all, files that were named, and how each ended."""

    options: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)

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

    def run(self, title: str, chosen: Sequence[str], *arguments: str) -> None:
        """Run pytest in a process of its own; its output is shown as it comes."""
        if chosen:
            command = pytest_command(*arguments, *self.options, *chosen)
            with step(f"Run the tests of {title}"):
                done = subprocess.run(
                    command, cwd=paths.REPO, stdin=subprocess.DEVNULL, check=False
                )
            self.ended[title] = done.returncode

    def is_fine(self) -> bool:
        """Tell whether all is well, and some test was run at all."""
        failed = [it for it in self.ended if self.ended[it] not in (PASSED, NO_TESTS)]
        for title in failed:
            say(f"Failed, see above: the tests of {title}")
        return not failed and PASSED in self.ended.values()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--no-lint", action="store_true", help="leave out the linters")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the linters, the tests that need no Odoo, and those of the routes: "
        "two or three minutes",
    )


def main(options: argparse.Namespace) -> int:
    """Run what the options ask for; return the exit status."""
    suite, clean = suite_of(options.more), True
    if not (options.no_lint or options.more):
        clean = linters.run_linters()
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(paths.WORK / "hypothesis")
    with environment.prepare(options, NEEDS) as odoo, locks.exclusive("tests"):
        os.environ.update(odoo.databases.environment())
        if options.quick:
            _run_quick(odoo, suite)
        else:
            _run_all(odoo, suite)
    fine = suite.is_fine()
    say("" if clean else "The linters found something: see above.")
    say("All is well." if fine and clean else "Not all is well.")
    return 0 if fine and clean else 1


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


def _run_without_odoo(suite: Suite, *options: str) -> None:
    suite.run("workbench", suite.chosen(WORKBENCH), *options, *WITHOUT_ODOO)
    for folder in PURE:
        title = folder.parents[1].name
        suite.run(title, suite.chosen(folder), *options, *WITHOUT_ODOO)


def _run_quick(odoo: OdooServer, suite: Suite) -> None:
    # of random cases of a property a few will do
    os.environ.setdefault("ROUTING_EXAMPLES", "15")
    _run_without_odoo(suite, "-m", "not slow")
    for addon in ADDONS:
        tests = addon.folder / "tests"
        smoke = [str(it) for it in sorted(tests.glob("test_*.py")) if it.stem in SMOKE]
        if chosen := [*suite.chosen(tests / "pure"), *smoke]:
            suite.run(addon.name, chosen, *_in_database(odoo, addon))


def _run_all(odoo: OdooServer, suite: Suite) -> None:
    split = () if suite.options or suite.named else SIDE_BY_SIDE
    _run_without_odoo(suite, *split)
    for addon in ADDONS:
        tests = addon.folder / "tests"
        if chosen := suite.chosen(tests, tests / "compatibility"):
            suite.run(addon.name, chosen, *split, *_in_database(odoo, addon))
    if not (suite.options or suite.named):
        core = [str(odoo.source.addon(it) / "tests" / test) for it, test in CORE_TESTS]
        plugins = ("-p", "workbench.pytest_core", *_in_database(odoo, ADDONS[-1]))
        suite.run("Odoo", core, *plugins)
    for addon in ADDONS:
        apart: list[Path] = []
        for place, core_modules in COMPATIBILITY.items():
            folder = addon.folder / "tests" / place
            if chosen := suite.chosen(folder, *apart):
                others = odoo.with_other_addons()
                options = _in_database(others, addon, f"_{place.name}", core_modules)
                suite.run(f"{addon.name}, {place.name}", chosen, *options)
            apart.append(folder)


def _in_database(
    odoo: OdooServer, addon: Addon, use: str = "", core: Sequence[str] = CORE_MODULES
) -> list[str]:
    """Make the database of an addon's tests; return pytest's options for them."""
    name = f"test_{addon.name}{use}"
    odoo.ensure_database(name, up_to(addon), core=core)
    return odoo_plugin(odoo, name)


def odoo_plugin(odoo: OdooServer, database: str) -> list[str]:
    """Return pytest's options for tests in a database of Odoo's."""
    return [f"--odoo-config={odoo.write_config(database)}", "--odoo-http"]
