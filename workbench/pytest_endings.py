"""Pytest plugin: a skipped test has failed, and a file tells how each test ended.

Odoo's tests skip themselves where a program is missing, and nobody would notice.
"""

import json
from pathlib import Path

import pytest

PASSED, SKIPPED, FAILED = RANK = ("passed", "skipped", "failed")
#: How a test ended, and why.
Ending = tuple[str, str]


class Endings:
    """How tests ended, by names that pytest takes; of its parts the worst counts."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.names: dict[str, str] = {}
        self.found: dict[str, Ending] = {}

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note the name by which a test can be run from any folder."""
        inside = item.nodeid.partition("::")[2]
        self.names[item.nodeid] = f"{item.path}::{inside}"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that cannot be read, or that skips itself."""
        if not report.passed:
            self._note(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a part of a test ended: its set up, sub-tests, itself, tear down."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        name = self.names.get(report.nodeid, report.nodeid)
        # what is expected to fail, and does, has passed
        outcome = PASSED if hasattr(report, "wasxfail") else report.outcome
        known = self.found.get(name, (PASSED, ""))
        new = (outcome, "" if report.passed else report.longreprtext)
        self.found[name] = max(known, new, key=lambda it: RANK.index(it[0]))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run with skipped tests, and keep the endings."""
        skipped = [name for name in self.found if self.found[name][0] == SKIPPED]
        if skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            print(f"\n{len(skipped)} skipped, which counts as failed")
        if self.file:
            self.file.write_text(json.dumps(self.found))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the file."""
    parser.addoption("--endings", type=Path, help="keep here how each test ended")


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the run."""
    config.pluginmanager.register(Endings(config.getoption("--endings")), "endings")
