"""Run the linters and every test.

Unknown options go to pytest; then only the tests of this repository run, without the
linters and without Odoo's own tests:  ./test -k reply_to
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import environment, linters, locks, other_addons, paths, results
from .addons import ADDONS, Addon, up_to
from .odoo_server import OdooServer
from .results import FAILED, PASSED, SKIPPED, Ending
from .steps import StepFailed, say, step

NEEDS = ("browser", "openssl", "git", "dovecot")
ACCEPTS_MORE = True
WORKBENCH = paths.REPO / "workbench"
#: It runs in an environment of its own.
PLAYWRIGHT = WORKBENCH / "browser.py"
#: test_mail for Odoo's own tests; the others make mail, or take part in sending it.
CORE_MODULES = (
    "test_mail",
    "auth_signup",
    "auth_totp_mail",
    "base_automation",
    "calendar",
    "digest",
    "google_gmail",
    "mass_mailing",
    "microsoft_outlook",
    "payment_demo",
    "portal",
    "sale_management",
)
#: What is installed for an addon's tests that need other addons, by their folder; the
#: inner folders come first.
COMPATIBILITY = {
    Path("compatibility", "environment"): other_addons.ENVIRONMENT_MODULES,
    Path("compatibility"): ("google_gmail", "microsoft_outlook", *other_addons.MODULES),
}
#: An addon's tests that show in a minute whether mail still goes where it should.
SMOKE = ("test_core_names", "test_directory", "test_routes", "test_headers")
#: How many random cases of a property they look at.
FEW_EXAMPLES = "15"
#: Odoo's tests of outgoing mail, which must pass with the addons installed.
CORE_TESTS = (
    ("base", "TestIrMailServer"),
    ("base", "TestIrMailServerSMTPD"),
    ("mail", "TestIrMailServer"),
    ("mail", "TestPersonalServer"),
    ("test_mail", "TestMailMail"),
    ("test_mail", "TestMailMailServer"),
)
NO_TESTS = 5
#: Options of pytest whose value comes after them, and may be called as a file is.
TAKE_A_VALUE = ("-k", "-m", "-o", "-p", "-r", "-W", "--deselect", "--ignore")


@dataclass(frozen=True)
class Run:
    """What became of one run of pytest."""

    endings: dict[str, Ending]
    status: int


@dataclass
class Suite:
    """Runs of pytest by what they need, and what became of them.

    :param options: for every run
    :param named: the files to run, with the test after ``::``; none for all
    """

    options: list[str] = field(default_factory=list)
    named: dict[Path, list[str]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def chosen(self, folder: Path, *apart: Path) -> list[str]:
        """Return what to run of a folder: all, or those that were named.

        :param apart: folders in it that are run otherwise
        """
        chosen = []
        for file, names in (self.named or {folder: [str(folder)]}).items():
            around = {file, *file.parents}
            if folder in around and not around.intersection(apart):
                chosen += names
            elif file in folder.parents:
                chosen.append(str(folder))
        if not folder.is_dir():
            return []
        return chosen and [*chosen, *(f"--ignore={path}" for path in apart)]

    def run(self, title: str, chosen: Sequence[str], *arguments: str | Path) -> None:
        """Run pytest in a process of its own; its output is shown as it comes."""
        if not chosen:
            return
        report = paths.RESULTS / f"{title}.xml"
        report.unlink(missing_ok=True)
        command = pytest_command(report, *arguments, *self.options, *chosen)
        hypothesis = {"HYPOTHESIS_STORAGE_DIRECTORY": str(paths.WORK / "hypothesis")}
        with step(f"Run the tests of {title}"):
            status = subprocess.run(
                command,
                cwd=paths.REPO,
                env={**os.environ, **hypothesis},
                stdin=subprocess.DEVNULL,
                check=False,
            ).returncode
        self.runs.append(Run(results.read(report), status))

    def report(self) -> bool:
        """Print the totals; return whether all is well.

        A skipped test has failed: Odoo's skip themselves where a program is missing.
        """
        passed, failed = 0, 0
        for run in self.runs:
            for name in results.having(run.endings, SKIPPED):
                reason = run.endings[name].detail.strip().splitlines()[-1:]
                say(f"Skipped, which counts as failed: {name} {' '.join(reason)}")
            passed += len(results.having(run.endings, PASSED))
            failed += sum(e.outcome in (FAILED, SKIPPED) for e in run.endings.values())
        broken = any(run.status not in (0, NO_TESTS) for run in self.runs)
        if broken and not failed:
            say("A run of pytest ended before its time: see above.")
        say(f"{passed} passed, {failed} failed")
        return bool(passed) and not failed and not broken


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--no-lint", action="store_true", help="leave out the linters")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the linters, the tests that need no Odoo, and those of the routes: "
        "under two minutes",
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="only let the linters correct what they can, and run nothing else",
    )
    parser.add_argument(
        "--no-core", action="store_true", help="leave out Odoo's own tests"
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="make the test databases anew even if nothing has changed",
    )


def main(options: argparse.Namespace) -> int:
    """Run what the options ask for; print the totals; return the exit status."""
    if options.fix:
        linters.correct_files()
        return 0
    suite, clean = suite_of(options.more), True
    if not (options.no_lint or options.more):
        clean = linters.run_linters()
    with environment.prepare(options, NEEDS) as odoo, locks.exclusive("tests"):
        if options.quick:
            _run_quick(odoo, suite)
        else:
            _run_all(odoo, options, suite)
    say("" if clean else "\nThe linters found something: see above.")
    return 0 if suite.report() and clean else 1


def suite_of(arguments: Sequence[str]) -> Suite:
    """Tell the names of test files from options for pytest.

    >>> suite_of(["-k", "name"]).options
    ['-k', 'name']
    """
    suite = Suite()
    for before, argument in zip(["", *arguments], arguments, strict=False):
        name, separator, test = argument.partition("::")
        found = (Path.cwd() / name).resolve()
        is_option = argument.startswith("-") or before in TAKE_A_VALUE
        if is_option or not found.exists():
            suite.options.append(argument)
        else:
            suite.named.setdefault(found, []).append(f"{found}{separator}{test}")
    return suite


def pytest_command(report: Path, *arguments: str | Path) -> list[str]:
    """Return a command line that runs tests and writes what became of them."""
    return [
        *(sys.executable, "-m", "pytest", "-c", str(WORKBENCH / "pytest.ini")),
        *(f"--rootdir={paths.REPO}", f"--junitxml={report}", "-rs"),
        *("-o", f"cache_dir={paths.WORK / 'pytest-cache'}", *map(str, arguments)),
    ]


def _run_quick(odoo: OdooServer, suite: Suite) -> None:
    os.environ.setdefault("ROUTING_EXAMPLES", FEW_EXAMPLES)
    suite.run(
        "workbench",
        suite.chosen(WORKBENCH, PLAYWRIGHT),
        *_WITHOUT_ODOO,
        "-m",
        "not slow",
    )
    for addon in ADDONS:
        tests = addon.folder / "tests"
        files = [tests / f"{name}.py" for name in SMOKE]
        smoke = [str(file) for file in files if file.is_file()]
        pure = suite.chosen(tests / "pure")
        if smoke or pure:
            database = ensure_database(odoo, addon)
            suite.run(addon.name, [*pure, *smoke], *odoo_plugin(odoo, database))


def _run_all(odoo: OdooServer, options: argparse.Namespace, suite: Suite) -> None:
    suite.run("workbench", suite.chosen(WORKBENCH, PLAYWRIGHT), *_WITHOUT_ODOO)
    for addon in ADDONS:
        tests = addon.folder / "tests"
        if chosen := suite.chosen(tests, tests / "compatibility"):
            database = ensure_database(odoo, addon, fresh=options.fresh)
            suite.run(addon.name, chosen, *odoo_plugin(odoo, database))
    if not (options.more or options.no_core):
        database = ensure_database(odoo, ADDONS[-1], fresh=options.fresh)
        core = ["-p", "workbench.pytest_core", *odoo_plugin(odoo, database)]
        suite.run("odoo", core_tests(odoo), *core)
    for addon in ADDONS:
        _run_with_others(odoo, options, suite, addon)


_WITHOUT_ODOO = ("-p", "no:odoo", "--doctest-modules")


def _run_with_others(
    odoo: OdooServer, options: argparse.Namespace, suite: Suite, addon: Addon
) -> None:
    """Run an addon's tests that need other addons, in databases that have them."""
    apart: list[Path] = []
    for place, core in COMPATIBILITY.items():
        folder = addon.folder / "tests" / place
        if chosen := suite.chosen(folder, *apart):
            others = other_addons.server_with_other_addons(odoo)
            database = f"test_{place.name}_{addon.name}"
            others.ensure_database(
                database, up_to(addon), core=core, fresh=options.fresh
            )
            suite.run(
                f"{addon.name}-{place.name}", chosen, *odoo_plugin(others, database)
            )
        apart.append(folder)


def ensure_database(odoo: OdooServer, addon: Addon, fresh: bool = False) -> str:
    """Make the database of an addon's tests; return its name."""
    name = f"test_{addon.name}"
    odoo.ensure_database(name, up_to(addon), core=CORE_MODULES, fresh=fresh)
    return name


def odoo_plugin(odoo: OdooServer, database: str) -> list[str]:
    """Return pytest's options for tests in a database of Odoo's."""
    return [f"--odoo-config={odoo.write_config(database)}", "--odoo-http"]


def core_tests(odoo: OdooServer) -> list[str]:
    """Return pytest's names for Odoo's own tests.

    :raise StepFailed: Odoo has no such test class any more
    """
    return [_find_class(odoo, addon, name) for addon, name in CORE_TESTS]


def _find_class(odoo: OdooServer, addon: str, name: str) -> str:
    pattern = re.compile(rf"^class {name}\(", re.M)
    folder = odoo.source.addon(addon) / "tests"
    for file in sorted(folder.glob("test_*.py")):
        if pattern.search(file.read_text()):
            return f"{file}::{name}"
    raise StepFailed(
        "Find Odoo's own tests of outgoing mail",
        f"{folder} has no class {name}",
        "Use a complete Odoo 19.0, or correct CORE_TESTS in workbench/run_tests.py.",
    )
