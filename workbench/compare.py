"""Run Odoo's own test suites without and with the addon, and compare.

Two fresh databases hold the same modules, one of them the addon too. Every test that
passes without it has to pass with it. Where the two differ, the test is run again
alone on both, so that one that fails by chance is not blamed on the addon. The lists
are kept in .workbench/compare.txt, all outcomes in .workbench/results/compare.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from . import environment, locks, paths, suite_results
from .environment import Environment
from .postgres import free_port
from .steps import StepFailed, say, step, tail
from .suite_results import Ending, Outcomes
from .suite_runner import MODULE

NEEDS = ("browser", "openssl")
LOCK = "compare"
#: Their dependencies are all the modules whose suites are run.
CORE_MODULES = ("test_mail_full", "test_mass_mailing")
#: Test tags by suite; of base the tests of mail servers.
SUITES = {
    "base": "/base/tests/test_ir_mail_server.py,"
    "/base/tests/test_ir_mail_server_smtpd.py",
    "mail": "/mail",
    "test_mail": "/test_mail",
    "test_mail_full": "/test_mail_full",
    "mass_mailing": "/mass_mailing",
    "test_mass_mailing": "/test_mass_mailing",
}
#: How often a test whose outcomes differ is run alone, unless it passes on both.
ATTEMPTS = 3
SUMMARY = paths.WORK / "compare.txt"
RESULT = paths.RESULTS / "compare.json"


@dataclass(frozen=True)
class Side:
    """One of the two databases."""

    title: str
    database: str
    modules: tuple[str, ...]


WITHOUT = Side("without the addon", "compare_core", ())
WITH = Side("with the addon", "compare_addon", (paths.ADDON_NAME,))
SIDES = (WITHOUT, WITH)


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
    unknown = sorted(set(names) - set(SUITES))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such suite: {', '.join(unknown)}")
    return names


def main(options: argparse.Namespace) -> int:
    """Run both sides, print and keep the lists; return 1 if the addon breaks a test."""
    started = time.monotonic()
    tags = ",".join(SUITES[name] for name in options.only)
    with environment.prepare(options) as prepared, locks.exclusive(LOCK):
        for side in SIDES:
            prepared.odoo.ensure_database(
                side.database, side.modules, core=CORE_MODULES, fresh=True
            )
        title = f"Run the suites {', '.join(options.only)} on both"
        first = _run_both(prepared, tags, title)
        final = _run_again(prepared, tags, first)
    minutes = (time.monotonic() - started) / 60
    text = summary(options.only, first, final, minutes)
    say(f"\n{text}\nKept in {paths.relative(SUMMARY)}")
    SUMMARY.write_text(text + "\n")
    _write_result(final)
    return 1 if suite_results.broken(*final) or not all(final) else 0


def _run_again(
    prepared: Environment, tags: str, first: Sequence[Outcomes]
) -> list[dict[str, Ending]]:
    """Run each test whose outcomes differ alone on both databases, until it passes.

    :return: the outcomes of both; a test that passed on a side once has passed there
    """
    final = [dict(outcomes) for outcomes in first]
    for name in suite_results.differing(*first):
        for attempt in range(1, ATTEMPTS + 1):
            title = f"Run {name} alone on both ({attempt} of at most {ATTEMPTS})"
            again = _run_both(prepared, tags, title, name)
            for outcomes, new in zip(final, again, strict=True):
                if not suite_results.passed(outcomes, name):
                    outcomes.update(new)
            if all(suite_results.passed(outcomes, name) for outcomes in final):
                break
    return final


def _run_both(
    prepared: Environment, tags: str, title: str, *names: str
) -> list[dict[str, Ending]]:
    """Run tests on both databases at the same time.

    :param names: the only tests to run, none for all of the tags
    :return: the outcomes without and with the addon
    :raise StepFailed: a side did not even come to plan its tests
    """
    files = [paths.RESULTS / f"{side.database}.jsonl" for side in SIDES]
    with step(title) as current, contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(_running(prepared, side, tags, file, names))
            for side, file in zip(SIDES, files, strict=True)
        ]
        while any(process.poll() is None for process in running):
            time.sleep(1)
            current.note = " and ".join(_progress(file) for file in files) + " tests"
    for side, file in zip(SIDES, files, strict=True):
        if not file.is_file() or not suite_results.read(file):
            raise StepFailed(
                title,
                f"no test was run {side.title}\n{tail(_log(side))}",
                "Correct what the log names, then start again.",
            )
    return [suite_results.read(file) for file in files]


@contextlib.contextmanager
def _running(
    prepared: Environment, side: Side, tags: str, file: Path, names: Sequence[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run tests on one database in a process, which is ended at the end."""
    file.unlink(missing_ok=True)
    config = prepared.odoo.write_config(side.database)
    command = [prepared.python, "-m", MODULE, config, side.database]
    arguments = [*command, free_port(), tags, file, *names]
    with open(_log(side), "ab" if names else "wb") as log:
        process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
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


def _log(side: Side) -> Path:
    return paths.LOGS / f"{side.database}.log"


def _progress(file: Path) -> str:
    lines = file.read_bytes().count(b"\n") if file.is_file() else 0
    return str(max(lines - 1, 0))


def summary(
    suites: Sequence[str],
    first: Sequence[Outcomes],
    final: Sequence[Outcomes],
    minutes: float,
) -> str:
    """Return both lists of failures, and what the addon breaks, in words.

    :param first: the outcomes of the suites without and with the addon
    :param final: the same, after what differed was run again
    """
    lines = [f"Suites {', '.join(suites)}; {minutes:.0f} minutes"]
    for side, outcomes in zip(SIDES, final, strict=True):
        lines += ["", f"{side.title.capitalize()}: {suite_results.count(outcomes)}"]
        lines += [f"  failed: {name}" for name in suite_results.failed(outcomes)]
    differed = suite_results.differing(*first)
    chance = sorted(set(differed) - set(suite_results.differing(*final)))
    broken = suite_results.broken(*final)
    if chance:
        lines += ["", "Differed at first, and not when they were run alone:"]
        lines += [f"  {name}" for name in chance]
    lines += ["", f"Pass without the addon and not with it: {len(broken)}"]
    for name in broken:
        outcome = final[1].get(name, Ending("missing"))
        reason = outcome.detail.strip().splitlines()[-1:] or [outcome.outcome]
        lines.append(f"  {name}: {reason[0]}")
    return "\n".join(lines)


def _write_result(final: Sequence[Outcomes]) -> None:
    sides = {
        side.database: {name: asdict(outcome) for name, outcome in outcomes.items()}
        for side, outcomes in zip(SIDES, final, strict=True)
    }
    RESULT.write_text(json.dumps(sides, indent=1, sort_keys=True))
