"""A skipped test fails the run, and a test with sub-tests counts once."""

import json
from pathlib import Path

import pytest

from workbench import paths, pytest_report
from workbench.paths import RESULT_VARIABLE

pytest_plugins = ["pytester"]


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> object:
    result = tmp_path / "result.json"
    monkeypatch.setenv(RESULT_VARIABLE, str(result))
    monkeypatch.setenv("PYTHONPATH", str(paths.REPO))

    def run_source(source: str) -> tuple[int, dict[str, int], str]:
        pytester.makepyfile(source)
        options = ["-p", "no:odoo", "-p", "workbench.pytest_report"]
        done = pytester.runpytest_subprocess(*options)
        counts = json.loads(result.read_text())
        return int(done.ret), counts, done.stdout.str()

    return run_source


def test_passing_tests_are_counted(run) -> None:
    status, counts, _output = run("def test_a(): pass\ndef test_b(): pass")
    assert (status, counts) == (0, {"passed": 2, "failed": 0})


def test_skipped_test_fails_the_run_and_is_named(run) -> None:
    status, counts, output = run(
        "import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip('no browser')"
    )
    assert (status, counts) == (1, {"passed": 1, "failed": 1})
    assert "test_b: no browser" in output


def test_skipped_file_fails_the_run(run) -> None:
    status, counts, _output = run(
        "import pytest\npytest.importorskip('no_such_package_at_all')"
    )
    assert (status, counts["failed"]) == (1, 1)


def test_expected_failure_is_no_skip(run) -> None:
    status, counts, _output = run(
        "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False"
    )
    assert (status, counts["failed"]) == (0, 0)


def test_failed_subtests_count_as_one_test(run) -> None:
    status, counts, _output = run(
        "import unittest\n"
        "class Test(unittest.TestCase):\n"
        "    def test_a(self):\n"
        "        for number in range(4):\n"
        "            with self.subTest(number=number):\n"
        "                self.assertFalse(number % 2)\n"
    )
    assert (status, counts) == (1, {"passed": 0, "failed": 1})


def test_list_of_allowed_skips_gives_reasons() -> None:
    assert all(pytest_report.ALLOWED_SKIPS.values())
