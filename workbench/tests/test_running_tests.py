"""Outcomes of tests are read right, none gets lost, and a skipped test has failed."""

import json
import sys
from pathlib import Path

import pytest

from workbench import compare, paths
from workbench.pytest_endings import FAILED, PASSED, SKIPPED, Ending
from workbench.run_tests import LINTERS, Suite, suite_of

pytest_plugins = ["pytester"]

GOOD, BAD, LEFT_OUT = ((outcome, "") for outcome in (PASSED, FAILED, SKIPPED))
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


def _run(pytester: pytest.Pytester, *more: str) -> pytest.RunResult:
    plugins = ("-p", "no:odoo", "-p", "workbench.pytest_endings")
    return pytester.runpytest_subprocess(*plugins, *more)


def test_every_outcome_is_read_once(pytester: pytest.Pytester) -> None:
    file = pytester.makepyfile(test_it=SOURCE)
    pytester.makepyfile(test_absent="import pytest\npytest.importorskip('no_such')")
    _run(pytester, "--endings=endings.json")
    endings = json.loads(Path("endings.json").read_text())
    assert {name: outcome for name, (outcome, _reason) in endings.items()} == {
        f"{file}::test_good": PASSED,
        f"{file}::test_bad": FAILED,
        f"{file}::test_left_out": SKIPPED,
        f"{file}::test_bad_end": FAILED,
        f"{file}::test_expected": PASSED,
        f"{file}::Test::test_parts": FAILED,
        f"{file}::Broken::test_never": FAILED,
        "test_absent.py": SKIPPED,
    }


def test_skipped_test_fails_a_run_and_is_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\ndef test_it(): pytest.skip('no browser')")
    result = _run(pytester, "-rs")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*counts as failed*", "*no browser*"])


@pytest.mark.parametrize(
    ("statuses", "fine"),
    [((0,), True), ((0, 5), True), ((0, 3), False), ((0, 1), False), ((5,), False)],
)
def test_all_is_well_if_all_passed(statuses: tuple[int, ...], fine: bool) -> None:
    ended = {str(number): status for number, status in enumerate(statuses)}
    assert Suite(ended=ended).is_fine() is fine


def test_named_files_are_told_from_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths.REPO)
    (addon,) = [path.parent for path in paths.REPO.glob("*_routing/__manifest__.py")]
    extra = addon / "tests" / "compatibility"
    suite = suite_of(["-x", "./workbench/cli.py::test_a", str(extra), "-k", "demo"])
    assert suite.options == ["-x", "-k", "demo"]
    cli = f"{paths.REPO}/workbench/cli.py::test_a"
    assert suite.chosen(paths.REPO / "workbench") == [cli]
    ignored = f"--ignore={extra}/inner"
    assert suite.chosen(extra, extra / "inner") == [str(extra), ignored]
    assert suite.chosen(addon / "tests", extra) == []
    assert suite_of([str(addon)]).chosen(extra) == [str(extra)]
    assert suite_of([]).chosen(extra / "nowhere") == []


def test_what_runs_beside_is_shown_whole_and_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "LOGS", tmp_path)
    slow = "import time; print('begun', flush=True); time.sleep(60)"
    quick = "import time; print('some'); time.sleep(0.2); print('more'); exit(1)"
    suite = Suite()
    with suite.stack:
        for title, program in (("slow", slow), ("quick", quick)):
            suite.start(title, [sys.executable, "-c", program])
        suite.end("quick")
        left = suite.started["slow"]
        assert left.poll() is None
    shown = ["==> Start slow", "==> Start quick", "==> Ended: quick", "some", "more"]
    assert capsys.readouterr().out.splitlines() == shown
    assert suite.ended == {"quick": 1} and not suite.is_fine()
    assert left.poll() is not None


def test_linters_that_pass_are_no_test() -> None:
    assert not Suite(ended={LINTERS: 0}).is_fine()
    assert not Suite(ended={LINTERS: 1, "tests": 0}).is_fine()
    assert Suite(ended={LINTERS: 0, "tests": 0}).is_fine()


def test_whole_runs_alone_have_anything_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(
        Suite, "start", lambda suite, title, command: started.append(title)
    )
    for arguments in ([], ["-k", "no_such_name_anywhere"]):
        suite_of(arguments).run(
            "it", [str(paths.REPO / "workbench" / "cli.py")], apart=True
        )
    assert started == ["the tests of it"]


@pytest.mark.parametrize(
    ("without", "with_addons", "differs", "breaks"),
    [
        (GOOD, GOOD, False, False),
        (GOOD, BAD, True, True),
        (GOOD, LEFT_OUT, True, True),
        (GOOD, None, True, True),
        (BAD, GOOD, True, False),
        (BAD, (FAILED, "otherwise"), False, False),
        (None, BAD, True, False),
    ],
)
def test_addons_break_what_passes_without_them_alone(
    without: Ending | None, with_addons: Ending | None, differs: bool, breaks: bool
) -> None:
    sides = [{"t": side} if side else {} for side in (without, with_addons)]
    assert compare.differing(*sides) == ["t"] * differs
    assert compare.broken(*sides) == ["t"] * breaks


def test_summary_lists_both_sides_and_what_was_chance() -> None:
    first = [
        {"chance": GOOD, "old": BAD, "new": GOOD},
        {"chance": BAD, "old": BAD, "new": BAD},
    ]
    final = [first[0], {**first[1], "chance": GOOD, "new": (FAILED, "why\nNo")}]
    assert compare.summary(first, final).splitlines() == [
        "compare_core: {'passed': 2, 'failed': 1}",
        "  failed: old",
        "compare_addons: {'passed': 1, 'failed': 2}",
        "  failed: new",
        "  failed: old",
        "Differed, but not again: chance",
        "Pass without the addons and not with them: 1",
        "  new: No",
    ]
