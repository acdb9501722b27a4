"""Pytest plugin: counts the outcomes, and fails a run in which a test was skipped.

Odoo's tests skip themselves where a browser, a program or a Python package is
missing. That must not pass for success.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .paths import RESULT_VARIABLE

#: Tests that may be skipped (a part of the node id), and why.
ALLOWED_SKIPS: dict[str, str] = {}


class Outcomes:
    """What became of the tests of one run; a test with its sub-tests counts once."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: set[str] = set()
        self.skipped: dict[str, str] = {}

    def add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Take in a report: a test's, one of its phases', or a file's."""
        expected = hasattr(report, "wasxfail")
        if report.outcome == "failed":
            self.failed.add(report.nodeid)
        elif report.outcome == "skipped" and not expected:
            if not any(part in report.nodeid for part in ALLOWED_SKIPS):
                self.skipped[report.nodeid] = skip_reason(report.longrepr)
        elif getattr(report, "when", "") == "call":
            self.passed.add(report.nodeid)

    def write(self, path: Path) -> None:
        """Write the counts for the command that started pytest."""
        bad = self.failed | set(self.skipped)
        counts = {"passed": len(self.passed - bad), "failed": len(bad)}
        path.write_text(json.dumps(counts))


def skip_reason(longrepr: object) -> str:
    """Return why a test was skipped, out of what pytest keeps of it.

    >>> skip_reason(("test_tours.py", 12, "Skipped: no browser"))
    'no browser'
    """
    text = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr or "")
    return text.removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    """Start to count."""
    config.stash[OUTCOMES] = Outcomes()
    config.pluginmanager.register(Reporter(config.stash[OUTCOMES]), "workbench")


OUTCOMES = pytest.StashKey[Outcomes]()


class Reporter:
    """The hooks, bound to the outcomes of one session."""

    def __init__(self, outcomes: Outcomes) -> None:
        self.outcomes = outcomes

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a phase of a test."""
        self.outcomes.add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that could not be read, or that skips itself as a whole."""
        if report.outcome != "passed":
            self.outcomes.add(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run for its skips, and hand over the counts."""
        fine = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self.outcomes.skipped and session.exitstatus in fine:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        result = os.environ.get(RESULT_VARIABLE)
        if result:
            self.outcomes.write(Path(result))

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Name the skipped tests."""
        if not self.outcomes.skipped:
            return
        terminalreporter.section("skipped, which counts as failed")
        for place, reason in self.outcomes.skipped.items():
            terminalreporter.write_line(f"{place}: {reason}")
        terminalreporter.write_line(
            "A dependency is missing: install it, or add the test with its reason to "
            "ALLOWED_SKIPS in workbench/pytest_report.py."
        )
