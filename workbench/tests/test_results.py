"""Outcomes of tests are read right, none gets lost, and a skipped test has failed."""

import argparse
from pathlib import Path

import pytest

from workbench import compare, paths, results
from workbench.results import FAILED, PASSED, SKIPPED, Ending
from workbench.run_tests import Run, Suite, suite_of
from workbench.steps import Command

pytest_plugins = ["pytester"]

GOOD, BAD, LEFT_OUT = map(Ending, (PASSED, FAILED, SKIPPED))
SOURCE = """
import pytest, unittest

@pytest.fixture
def broken_end():
    yield
    raise ValueError("no end")

def test_good(): pass
def test_bad(): assert False, "wrong"
def test_left_out(): pytest.skip("no browser")
def test_bad_end(broken_end): pass
@pytest.mark.xfail
def test_expected(): assert False

class Test(unittest.TestCase):
    def test_parts(self):
        for number in range(4):
            with self.subTest(number=number):
                self.assertFalse(number % 2)

class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise ValueError("no start")
    def test_never(self): pass
"""


def test_every_outcome_is_read_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=SOURCE)
    pytester.makepyfile(test_absent="import pytest\npytest.importorskip('no_such')")
    ini, report = paths.REPO / "workbench" / "pytest.ini", Path("report.xml")
    options: Command = [
        "-p",
        "no:odoo",
        "-c",
        ini,
        "--rootdir=.",
        f"--junitxml={report}",
    ]
    pytester.runpytest_subprocess(*options)
    endings = results.read(report)
    assert {name: ending.outcome for name, ending in endings.items()} == {
        "test_it.py::test_it::test_good": PASSED,
        "test_it.py::test_it::test_bad": FAILED,
        "test_it.py::test_it::test_left_out": SKIPPED,
        "test_it.py::test_it::test_bad_end": FAILED,
        "test_it.py::test_it::test_expected": PASSED,
        "test_it.py::Test::test_parts": FAILED,
        "test_it.py::Broken::test_never": FAILED,
        "test_absent": SKIPPED,
    }


def test_run_without_an_end_has_no_endings(tmp_path: Path) -> None:
    assert results.read(tmp_path / "none.xml") == {}


@pytest.mark.parametrize(
    ("endings", "status", "fine"),
    [
        ({"a": GOOD}, 0, True),
        ({"a": GOOD}, 5, True),
        ({"a": GOOD}, 3, False),
        ({"a": GOOD, "b": BAD}, 1, False),
        ({"a": GOOD, "b": LEFT_OUT}, 0, False),
        ({}, 5, False),
    ],
)
def test_run_is_fine_if_all_of_it_passed(
    endings: dict[str, Ending], status: int, fine: bool
) -> None:
    assert Suite(runs=[Run(endings, status)]).report() is fine


def test_skipped_test_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Suite(runs=[Run({"a": Ending(SKIPPED, "no browser")}, 0)]).report()
    printed = capsys.readouterr().out
    assert "a no browser" in printed and "0 passed, 1 failed" in printed


def test_named_files_are_told_from_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths.REPO)
    (addon,) = [path.parent for path in paths.REPO.glob("*_routing/__manifest__.py")]
    extra = addon / "tests" / "compatibility"
    suite = suite_of(["-x", "./workbench/cli.py::test_a", str(extra), "-k", "name"])
    assert suite.options == ["-x", "-k", "name"]
    cli = f"{paths.REPO}/workbench/cli.py::test_a"
    assert suite.chosen(paths.REPO / "workbench") == [cli]
    assert suite.chosen(extra, extra / "inner") == [
        str(extra),
        f"--ignore={extra}/inner",
    ]
    assert suite.chosen(addon / "tests", extra) == []
    assert suite_of([str(addon)]).chosen(extra) == [str(extra)]
    assert suite_of([]).chosen(extra / "nowhere") == []


@pytest.mark.parametrize("name", ["demo", "smtp_server"])
def test_what_an_option_takes_is_no_file(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(paths.REPO)
    assert (paths.REPO / name).exists()
    suite = suite_of(["-k", name])
    assert suite.options == ["-k", name] and not suite.named


@pytest.mark.parametrize(
    ("without", "with_addons", "differs", "breaks"),
    [
        (GOOD, GOOD, False, False),
        (GOOD, BAD, True, True),
        (GOOD, LEFT_OUT, True, True),
        (GOOD, None, True, True),
        (BAD, GOOD, True, False),
        (BAD, Ending(FAILED, "otherwise"), False, False),
        (None, BAD, True, False),
    ],
)
def test_addons_break_what_passes_without_them_alone(
    without: Ending | None,
    with_addons: Ending | None,
    differs: bool,
    breaks: bool,
) -> None:
    sides = [{"t": side} if side else {} for side in (without, with_addons)]
    assert results.differing(*sides) == ["t"] * differs
    assert results.broken(*sides) == ["t"] * breaks


def test_summary_lists_both_sides_and_what_was_chance() -> None:
    first = [
        {"chance": GOOD, "old": BAD, "new": GOOD},
        {"chance": BAD, "old": BAD, "new": BAD},
    ]
    final = [first[0], {**first[1], "chance": GOOD, "new": Ending(FAILED, "No")}]
    text = compare.summary(first, final)
    without, with_addons, chance, breaks = text.strip().split("\n\n")
    assert "2 passed, 1 failed" in without and "failed: old" in without
    assert "1 passed, 2 failed" in with_addons and "failed: new" in with_addons
    assert chance.splitlines()[1:] == ["  chance"]
    assert breaks.splitlines()[1:] == ["  new: No"]


def test_unknown_suite_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="nonsense"):
        compare.suites_of("mail,nonsense")
