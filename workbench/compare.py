"""Run Odoo's own test suites without and with the addons, and compare.

Two fresh databases hold the same modules, one of them the addons too. Every test that
passes without them has to pass with them. Where the two differ, the test is run again
alone on both, so that one that fails by chance is not blamed on an addon. The lists
are kept in .workbench/compare.txt.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import environment, locks, paths, results
from .addons import NAMES
from .odoo_server import OdooServer
from .results import FAILED, PASSED, Ending, Endings
from .run_tests import odoo_plugin, pytest_command
from .steps import StepFailed, say, step, tail

NEEDS = ("browser", "openssl")
#: Their dependencies are all the modules whose suites are run.
CORE_MODULES = ("test_mail_full", "test_mass_mailing")
#: What is run of each suite; of base the tests of mail servers.
SUITES = {
    "base": ("test_ir_mail_server.py", "test_ir_mail_server_smtpd.py"),
    "mail": ("",),
    "test_mail": ("",),
    "test_mail_full": ("",),
    "mass_mailing": ("",),
    "test_mass_mailing": ("",),
}
#: How often a test whose outcomes differ is run alone, unless it passes on both.
ATTEMPTS = 3
SUMMARY = paths.WORK / "compare.txt"


@dataclass(frozen=True)
class Side:
    """One of the two databases."""

    title: str
    database: str
    modules: tuple[str, ...]

    @property
    def log(self) -> Path:
        """What its tests say."""
        return paths.LOGS / f"{self.database}.log"

    @property
    def report(self) -> Path:
        """What became of its tests."""
        return paths.RESULTS / f"{self.database}.xml"


SIDES = (
    Side("without the addons", "compare_core", ()),
    Side("with the addons", "compare_addons", NAMES),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--only",
        metavar="SUITES",
        help=f"some of {','.join(SUITES)}",
        type=suites_of,
        default=list(SUITES),
    )


def suites_of(text: str) -> list[str]:
    """Return the names in a list of suites.

    >>> suites_of("mail,test_mail")
    ['mail', 'test_mail']

    :raise argparse.ArgumentTypeError: there is no such suite
    """
    names = text.split(",")
    if unknown := sorted(set(names) - set(SUITES)):
        raise argparse.ArgumentTypeError(f"no such suite: {', '.join(unknown)}")
    return names


def main(options: argparse.Namespace) -> int:
    """Run both sides, print and keep the lists; return 1 if an addon breaks a test."""
    started = time.monotonic()
    with environment.prepare(options, NEEDS) as odoo, locks.exclusive("compare"):
        for side in SIDES:
            side.log.unlink(missing_ok=True)
            odoo.ensure_database(
                side.database, side.modules, core=CORE_MODULES, fresh=True
            )
        tests = [
            str(odoo.source.addon(name) / "tests" / file)
            for name in options.only
            for file in SUITES[name]
        ]
        suites = ", ".join(options.only)
        first = _run_both(odoo, tests, f"Run the suites {suites} on both")
        final = _run_again(odoo, first)
    minutes = (time.monotonic() - started) / 60
    text = f"Suites {suites}; {minutes:.0f} minutes\n{summary(first, final)}"
    say(f"\n{text}\nKept in {paths.relative(SUMMARY)}")
    SUMMARY.write_text(text + "\n")
    return 1 if results.broken(*final) or not all(final) else 0


def _run_again(odoo: OdooServer, first: Sequence[Endings]) -> list[dict[str, Ending]]:
    """Run each test whose outcomes differ alone on both databases, until it passes.

    :return: the endings of both; a test that passed on a side once has passed there
    """
    final = [dict(endings) for endings in first]
    for name in results.differing(*first):
        for attempt in range(1, ATTEMPTS + 1):
            title = f"Run {name} alone on both ({attempt} of at most {ATTEMPTS})"
            again = _run_both(odoo, [name], title)
            for endings, new in zip(final, again, strict=True):
                if endings.get(name) != Ending(PASSED):
                    endings.update(new)
            if all(endings.get(name) == Ending(PASSED) for endings in final):
                break
    return final


def _run_both(
    odoo: OdooServer, tests: Sequence[str], title: str
) -> list[dict[str, Ending]]:
    """Run tests on both databases at the same time; return how they ended.

    :raise StepFailed: a side did not come to its end
    """
    with step(title) as current, contextlib.ExitStack() as stack:
        running = [stack.enter_context(_running(odoo, side, tests)) for side in SIDES]
        while any(process.poll() is None for process in running):
            time.sleep(1)
            current.note = " and ".join(_progress(side.log) for side in SIDES)
    endings = [results.read(side.report) for side in SIDES]
    for side, found in zip(SIDES, endings, strict=True):
        if not found:
            how = "Correct what the log names, then start again."
            raise StepFailed(
                title, f"no test was run {side.title}\n{tail(side.log)}", how
            )
    return endings


@contextlib.contextmanager
def _running(
    odoo: OdooServer, side: Side, tests: Sequence[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run tests on one database in a process, which is ended at the end."""
    side.report.unlink(missing_ok=True)
    plugins = ["-p", "workbench.pytest_core", *odoo_plugin(odoo, side.database)]
    command = pytest_command(side.report, *plugins, *tests)
    with open(side.log, "ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=paths.REPO,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # with its browser, and at once: Odoo would first go on to the end of its test
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _progress(log: Path) -> str:
    found = re.findall(r"\[ *(\d+%)\]", log.read_text(errors="replace"))
    return str(found[-1]) if found else "0%"


def summary(first: Sequence[Endings], final: Sequence[Endings]) -> str:
    """Return both lists of failures, and what the addons break, in words.

    :param first: how the tests ended without and with the addons
    :param final: the same, after what differed was run again
    """
    lines = []
    for side, endings in zip(SIDES, final, strict=True):
        lines += ["", f"{side.title.capitalize()}: {results.count(endings)}"]
        lines += [f"  failed: {name}" for name in results.having(endings, FAILED)]
    differed = results.differing(*first)
    if chance := sorted(set(differed) - set(results.differing(*final))):
        lines += ["", "Differed at first, and not when they were run alone:"]
        lines += [f"  {name}" for name in chance]
    broken = results.broken(*final)
    lines += ["", f"Pass without the addons and not with them: {len(broken)}"]
    for name in broken:
        ending = final[1].get(name, Ending("missing"))
        reason = ending.detail.strip().splitlines()[-1:] or [ending.outcome]
        lines.append(f"  {name}: {reason[0]}")
    return "\n".join(lines)
