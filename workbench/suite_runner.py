"""Odoo's own test runner in a process of its own, with each outcome written down.

Run as ``python -m workbench.suite_runner CONFIG DATABASE PORT TAGS RESULT [TEST ...]``
it runs the tests of Odoo's ``--test-tags``, or only those named, on a database in which
the modules are installed. The result is a file of JSON lines: first ``{"planned":
[names]}``, then one ``{"test": name, "outcome": ..., "detail": ...}`` as each ends.

Odoo runs a module's tests tagged ``at_install`` as soon as that module is loaded, so
those of ``base`` and ``mail`` would never meet an addon that depends on ``mail``. Here
they run when all modules are loaded, before those tagged ``post_install``.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Collection
from typing import Any

from .core_tests import own_test_address
from .suite_results import FAILED, PASSED, SKIPPED

MODULE = "workbench.suite_runner"


def main(
    config: str, database: str, port: str, tags: str, result: str, *names: str
) -> None:
    """Run the tests and end the process."""
    from odoo.cli.command import main as odoo_main

    with open(result, "w", buffering=1) as file:
        _record(file, frozenset(names))
        sys.argv = [
            *("odoo", "server", "-c", config, "-d", database, "--stop-after-init"),
            *(f"--http-port={port}", f"--test-tags={tags}", "--smtp=localhost"),
        ]
        odoo_main()


def _record(file: Any, names: Collection[str]) -> None:
    """Let Odoo's test runner plan as said above, and write to a file.

    :param names: the only tests to run; empty for all that the tags select
    """
    from odoo.tests import loader
    from odoo.tests.suite import OdooSuite

    make_suite = loader.make_suite

    def make_late_suite(modules: Any, position: str = "at_install") -> OdooSuite:
        if position == "at_install":
            return OdooSuite()
        tests = [*make_suite(modules, "at_install"), *make_suite(modules, position)]
        tests = [test for test in tests if not names or test.id() in names]
        _write(file, planned=[test.id() for test in tests])
        return OdooSuite(tests)

    loader.make_suite = make_late_suite
    loader.OdooTestResult = _recording_result(file)


def _recording_result(file: Any) -> type:
    """Return Odoo's class of test results, that also notes each outcome in a file."""
    from odoo.tests.result import OdooTestResult

    def note(test: Any, outcome: str, detail: object = "") -> None:
        name = getattr(test, "test_case", test).id()
        _write(file, test=name, outcome=outcome, detail=str(detail))

    class RecordingResult(OdooTestResult):  # type: ignore[misc]
        def startTest(self, test: Any) -> None:
            super().startTest(test)
            self.around_test = contextlib.ExitStack()
            self.around_test.enter_context(own_test_address(test.__module__))

        def stopTest(self, test: Any) -> None:
            self.around_test.close()
            super().stopTest(test)

        def addSuccess(self, test: Any) -> None:
            super().addSuccess(test)
            note(test, PASSED)

        def addSkip(self, test: Any, reason: str) -> None:
            super().addSkip(test, reason)
            note(test, SKIPPED, reason)

        def addError(self, test: Any, err: Any) -> None:
            super().addError(test, err)
            note(test, FAILED, self._exc_info_to_string(err, test))

        def addFailure(self, test: Any, err: Any) -> None:
            super().addFailure(test, err)
            note(test, FAILED, self._exc_info_to_string(err, test))

    return RecordingResult


def _write(file: Any, **line: Any) -> None:
    file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
