"""Run the linters and every test.

Unknown options go to pytest; then only the tests of this repository run, without the
linters and without Odoo's own tests:  ./test -k reply_to
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import environment, linters, locks, other_addons, paths
from .environment import Environment
from .odoo_server import OdooServer
from .paths import RESULT_VARIABLE, SYSTEM_VARIABLE
from .steps import StepFailed, say, step

NEEDS = ("browser", "openssl", "git", "dovecot")
ACCEPTS_MORE = True
DATABASE = "omr_test"
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
#: Tests that need other addons.
BESIDE_TESTS = paths.ADDON / "tests" / "beside"
ENVIRONMENT_TESTS = BESIDE_TESTS / "environment"
#: Their databases, with what is installed in each, by the folder of the tests.
BESIDE_DATABASES = {
    ENVIRONMENT_TESTS: ("omr_environment", other_addons.ENVIRONMENT_MODULES),
    BESIDE_TESTS: (
        "omr_beside",
        ("google_gmail", "microsoft_outlook", *other_addons.MODULES),
    ),
}
#: Odoo's tests of outgoing mail, which must pass with the addon installed.
CORE_TESTS = (
    ("base", "TestIrMailServer"),
    ("base", "TestIrMailServerSMTPD"),
    ("mail", "TestIrMailServer"),
    ("mail", "TestPersonalServer"),
    ("test_mail", "TestMailMail"),
    ("test_mail", "TestMailMailServer"),
)
NO_TESTS = 5


@dataclass(frozen=True)
class Outcome:
    """What became of one run of pytest."""

    passed: int
    failed: int
    status: int


@dataclass(frozen=True)
class Selection:
    """The test files that were named, by what they need, and pytest's options."""

    workbench: list[str] = field(default_factory=list)
    addon: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)

    @property
    def named(self) -> bool:
        """Whether files were named at all; if none were, all are run."""
        return bool(self.workbench or self.addon or self.beside)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--no-lint", action="store_true", help="leave out the linters")
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
        help="make the test database anew even if nothing has changed",
    )


def main(options: argparse.Namespace) -> int:
    """Run what the options ask for; print the totals; return the exit status."""
    if options.fix:
        linters.correct_files()
        return 0
    quick = bool(options.more)
    clean = True
    if not (options.no_lint or quick):
        clean = linters.run_linters()
    with environment.prepare(options) as prepared, locks.exclusive("tests"):
        outcomes = _run_all(prepared, options, quick)
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    broken = any(outcome.status not in (0, NO_TESTS) for outcome in outcomes)
    say("")
    if not clean:
        say("The linters found something: see above.")
    if broken and not failed:
        say("A run of pytest ended before its time: see above.")
    say(f"{passed} passed, {failed} failed")
    return 0 if clean and passed and not failed and not broken else 1


def _run_all(
    prepared: Environment, options: argparse.Namespace, quick: bool
) -> list[Outcome]:
    chosen = split_arguments(options.more)
    outcomes = []
    if chosen.workbench or not chosen.named:
        tests = chosen.workbench or ["workbench"]
        plugin = ["-p", "no:odoo", "--doctest-modules"]
        outcomes.append(_pytest("workbench", prepared, plugin, tests, chosen.options))
    if chosen.addon or not chosen.named:
        outcomes += _run_with_odoo(prepared, options, chosen, quick)
    if chosen.beside or not chosen.named:
        outcomes += _run_beside(prepared, options, chosen)
    return outcomes


def _run_with_odoo(
    prepared: Environment, options: argparse.Namespace, chosen: Selection, quick: bool
) -> list[Outcome]:
    """Run the addon's own tests, then Odoo's, in one database."""
    prepared.odoo.ensure_database(
        DATABASE, [paths.ADDON_NAME], core=CORE_MODULES, fresh=options.fresh
    )
    plugin = _odoo_plugin(prepared.odoo, DATABASE)
    tests = chosen.addon or [f"{paths.ADDON_NAME}/tests"]
    apart = [*plugin, f"--ignore={BESIDE_TESTS}"]
    name = paths.ADDON_NAME
    outcomes = [_pytest(name, prepared, apart, tests, chosen.options)]
    if not (quick or options.no_core):
        tests = core_tests(prepared)
        plugin += ["-p", "workbench.pytest_core"]
        outcomes.append(_pytest("odoo", prepared, plugin, tests, chosen.options))
    return outcomes


def _run_beside(
    prepared: Environment, options: argparse.Namespace, chosen: Selection
) -> list[Outcome]:
    """Run the tests that need other addons, in databases that have them."""
    odoo = other_addons.server_with_other_addons(prepared.odoo)
    left = chosen.beside or [str(folder) for folder in BESIDE_DATABASES]
    outcomes = []
    for folder, (database, core) in BESIDE_DATABASES.items():
        tests = [test for test in left if test.startswith(str(folder))]
        left = [test for test in left if test not in tests]
        if tests:
            odoo.ensure_database(
                database, [paths.ADDON_NAME], core=core, fresh=options.fresh
            )
            plugin = _odoo_plugin(odoo, database)
            if folder == BESIDE_TESTS:
                plugin.append(f"--ignore={ENVIRONMENT_TESTS}")
            name = folder.name
            outcomes.append(_pytest(name, prepared, plugin, tests, chosen.options))
    return outcomes


def _odoo_plugin(odoo: OdooServer, database: str) -> list[str]:
    """Return pytest's options for tests in a database of Odoo's."""
    return [f"--odoo-config={odoo.write_config(database)}", "--odoo-http"]


def split_arguments(arguments: Sequence[str]) -> Selection:
    """Tell test files from options, and from one another by what they need.

    >>> split_arguments(["-k", "name"])
    Selection(workbench=[], addon=[], beside=[], options=['-k', 'name'])
    """
    chosen = Selection()
    for argument in arguments:
        name, separator, test = argument.partition("::")
        found = (Path.cwd() / name).resolve()
        if argument.startswith("-") or not found.exists():
            chosen.options.append(argument)
            continue
        folders = {found, *found.parents}
        kind = chosen.addon
        if paths.REPO / "workbench" in folders:
            kind = chosen.workbench
        elif BESIDE_TESTS in folders:
            kind = chosen.beside
        kind.append(f"{found}{separator}{test}")
    return chosen


def core_tests(prepared: Environment) -> list[str]:
    """Return pytest's names for Odoo's own tests.

    :raise StepFailed: Odoo has no such test class any more
    """
    return [_find_class(prepared, addon, name) for addon, name in CORE_TESTS]


def _find_class(prepared: Environment, addon: str, name: str) -> str:
    pattern = re.compile(rf"^class {name}\(", re.M)
    folder = prepared.source.addon(addon) / "tests"
    for file in sorted(folder.glob("test_*.py")):
        if pattern.search(file.read_text()):
            return f"{file}::{name}"
    raise StepFailed(
        "Find Odoo's own tests of outgoing mail",
        f"{folder} has no class {name}",
        "Use a complete Odoo 19.0, or correct CORE_TESTS in workbench/run_tests.py.",
    )


def _pytest(
    name: str,
    prepared: Environment,
    plugin: Sequence[str],
    tests: Sequence[str],
    arguments: Sequence[str],
) -> Outcome:
    """Run pytest in a process of its own; its output is shown as it comes."""
    result = paths.RESULTS / f"{name}.json"
    result.unlink(missing_ok=True)
    configuration = str(paths.REPO / "workbench" / "pytest.ini")
    command = [
        *(str(prepared.python), "-m", "pytest", "-c", configuration),
        *(f"--rootdir={paths.REPO}", "-o", f"cache_dir={paths.WORK / 'pytest-cache'}"),
        *("-p", "workbench.pytest_report", *plugin, *arguments, *tests),
    ]
    variables = {
        RESULT_VARIABLE: str(result),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(paths.WORK / "hypothesis"),
        SYSTEM_VARIABLE: "1" if prepared.odoo.users_lock < 0 else "",
    }
    with step(f"Run the tests of {name}"):
        status = subprocess.run(
            command,
            cwd=paths.REPO,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode
    counts = json.loads(result.read_text()) if result.is_file() else {}
    return Outcome(counts.get("passed", 0), counts.get("failed", 0), status)
