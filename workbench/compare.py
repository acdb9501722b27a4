"""Run Odoo's own test suites without and with the addons, and compare.

Two fresh databases hold the same modules, one of them the addons too. Every test that
passes without them has to pass with them. Where the two differ, the test is run again
on both, so that one that fails by chance is not blamed on an addon. The lists are kept
in .workbench/compare.txt.
"""

import argparse
import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence

from . import environment, locks, paths
from .addons import NAMES
from .odoo_server import OdooServer
from .pytest_endings import FAILED, PASSED, Ending
from .run_tests import odoo_plugin, pytest_command
from .steps import CORRECT, StepFailed, beside, say, step, tail

NEEDS = ("browser", "openssl")
#: Their dependencies are all the modules whose suites are run.
CORE_MODULES = ("test_mail_full", "test_mass_mailing")
#: What is run of each suite; of base the tests of mail servers.
SUITES = {
    "base": ("test_ir_mail_server.py", "test_ir_mail_server_smtpd.py"),
    **dict.fromkeys(("mail", "test_mail", "test_mail_full"), ("",)),
    **dict.fromkeys(("mass_mailing", "test_mass_mailing"), ("",)),
}
#: The addons that are installed, by the name of the database.
SIDES: Mapping[str, tuple[str, ...]] = {"compare_core": (), "compare_addons": NAMES}
#: How often a test whose outcomes differ is run again, unless it passes on both.
ATTEMPTS = 3
SUMMARY = paths.WORK / "compare.txt"
#: How the tests of a side ended, by their names.
Endings = dict[str, Ending]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--only",
        action="append",
        choices=SUITES,
        help="run this suite alone (may be given several times)",
    )


def main(options: argparse.Namespace) -> int:
    """Run both sides, print and keep the lists; return 1 if an addon breaks a test."""
    suites = options.only or list(SUITES)
    with environment.prepare(options, NEEDS) as odoo, locks.exclusive("compare"):
        for database, modules in SIDES.items():
            (paths.LOGS / f"{database}.log").unlink(missing_ok=True)
            odoo.ensure_database(database, modules, core=CORE_MODULES, fresh=True)
        tests = [
            str(odoo.source.addon(name) / "tests" / file)
            for name in suites
            for file in SUITES[name]
        ]
        first = _run_both(odoo, tests, f"Run {', '.join(suites)} on both")
        final = _run_again(odoo, first)
    text = summary(first, final)
    say(f"\n{text}\nKept in {paths.relative(SUMMARY)}")
    SUMMARY.write_text(text + "\n")
    return 1 if broken(*final) or not all(final) else 0


def _run_again(odoo: OdooServer, first: Sequence[Endings]) -> list[Endings]:
    """Run the tests whose outcomes differ again, by themselves, until they pass.

    :return: the endings of both; a test that passed on a side once has passed there
    """
    final = [dict(endings) for endings in first]
    for _attempt in range(ATTEMPTS):
        names = [name for name in differing(*final) if all(name in it for it in final)]
        if names:
            title = f"Run {len(names)} tests again that do not end alike"
            again = _run_both(odoo, names, title)
            for endings, new in zip(final, again, strict=True):
                passed = {name: it for name, it in new.items() if it[0] == PASSED}
                endings.update(passed)
    return final


def _run_both(odoo: OdooServer, tests: Sequence[str], title: str) -> list[Endings]:
    """Run tests on both databases at the same time; return how they ended."""
    with step(title), contextlib.ExitStack() as stack:
        for side in [stack.enter_context(_running(odoo, it, tests)) for it in SIDES]:
            side.wait()
    reports = [paths.LOGS / f"{database}.json" for database in SIDES]
    for database, report in zip(SIDES, reports, strict=True):
        if not report.is_file():
            log = tail(paths.LOGS / f"{database}.log")
            raise StepFailed(title, f"no test was run in {database}\n{log}", CORRECT)
    return [json.loads(report.read_text()) for report in reports]


def _running(
    odoo: OdooServer, database: str, tests: Sequence[str]
) -> contextlib.AbstractContextManager["subprocess.Popen[bytes]"]:
    """Run tests in a process; they leave a file that tells how they ended."""
    report = paths.LOGS / f"{database}.json"
    report.unlink(missing_ok=True)
    plugins = ["-p", "workbench.pytest_core", *odoo_plugin(odoo, database)]
    command = pytest_command(f"--endings={report}", *plugins, *tests)
    return beside(command, database, mode="ab")


def _outcome(endings: Endings, name: str) -> str:
    return endings.get(name, ("missing", ""))[0]


def differing(without: Endings, with_addons: Endings) -> list[str]:
    """Return the tests whose outcomes differ, those that one side alone has too."""
    names = sorted({*without, *with_addons})
    return [it for it in names if _outcome(without, it) != _outcome(with_addons, it)]


def broken(without: Endings, with_addons: Endings) -> list[str]:
    """Return the tests that pass without the addons, and do not pass with them.

    >>> broken({"a": ("passed", "")}, {})
    ['a']
    """
    found = differing(without, with_addons)
    return [name for name in found if _outcome(without, name) == PASSED]


def summary(first: Sequence[Endings], final: Sequence[Endings]) -> str:
    """Return, in words, how the tests ended, at first and after some were run again."""
    lines = []
    for database, endings in zip(SIDES, final, strict=True):
        counts = Counter(outcome for outcome, _reason in endings.values())
        lines.append(f"{database}: {dict(counts)}")
        failed = [name for name in endings if _outcome(endings, name) == FAILED]
        lines += [f"  failed: {name}" for name in sorted(failed)]
    chance = set(differing(*first)) - set(differing(*final))
    lines += [f"Differed, but not again: {name}" for name in sorted(chance)]
    lines.append(f"Pass without the addons and not with them: {len(broken(*final))}")
    for name in broken(*final):
        outcome, reason = final[1].get(name, ("missing", ""))
        lines.append(f"  {name}: {[outcome, *reason.strip().splitlines()][-1]}")
    return "\n".join(lines)
