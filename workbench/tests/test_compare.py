"""The comparison of test suites: outcomes are counted right, and none gets lost."""

import argparse
import json
from pathlib import Path

import pytest

from workbench import compare, suite_results
from workbench.suite_results import FAILED, PASSED, SKIPPED, Ending, collect

GOOD, BAD, LEFT_OUT = map(Ending, (PASSED, FAILED, SKIPPED))


def noted(name: str, outcome: str, detail: str = "") -> dict[str, str]:
    return {"test": name, "outcome": outcome, "detail": detail}


def test_worst_outcome_of_a_test_counts_whatever_the_order() -> None:
    for outcomes in ((PASSED, FAILED), (FAILED, PASSED), (SKIPPED, FAILED)):
        lines = [noted("m.A.test_x", outcome) for outcome in outcomes]
        assert collect(["m.A.test_x"], lines)["m.A.test_x"].outcome == FAILED


def test_tests_of_a_class_without_set_up_share_its_outcome() -> None:
    planned = ["m.A.test_x", "m.A.test_y", "m.B.test_x"]
    for outcome in (FAILED, SKIPPED):
        lines = [noted("setUpClass (m.A)", outcome), noted("m.B.test_x", PASSED)]
        found = collect(planned, lines)
        assert found.keys() == set(planned)
        assert [found[name].outcome for name in planned] == [outcome, outcome, PASSED]


def test_tests_of_a_class_that_cannot_be_torn_down_failed() -> None:
    lines = [noted("m.A.test_x", PASSED), noted("tearDownClass (m.A)", FAILED, "No")]
    assert collect(["m.A.test_x"], lines) == {"m.A.test_x": Ending(FAILED, "No")}


def test_tests_that_were_never_reached_failed(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    lines = [{"planned": ["m.A.test_x", "m.A.test_y"]}, noted("m.A.test_x", PASSED)]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert suite_results.failed(suite_results.read(file)) == ["m.A.test_y"]
    assert suite_results.read(tmp_path / "none.jsonl") == {}


@pytest.mark.parametrize(
    ("without", "with_addon", "differs", "breaks"),
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
def test_addon_breaks_what_passes_without_it_alone(
    without: Ending | None,
    with_addon: Ending | None,
    differs: bool,
    breaks: bool,
) -> None:
    sides = [{"t": side} if side else {} for side in (without, with_addon)]
    assert suite_results.differing(*sides) == ["t"] * differs
    assert suite_results.broken(*sides) == ["t"] * breaks


def test_summary_lists_both_sides_and_what_was_chance() -> None:
    first = [
        {"chance": GOOD, "old": BAD, "new": GOOD},
        {"chance": BAD, "old": BAD, "new": BAD},
    ]
    final = [first[0], {**first[1], "chance": GOOD, "new": Ending(FAILED, "No")}]
    text = compare.summary(["mail"], first, final, 1)
    without, with_addon, chance, breaks = text.split("\n\n")[1:]
    assert "2 passed, 1 failed" in without and "failed: old" in without
    assert "1 passed, 2 failed" in with_addon and "failed: new" in with_addon
    assert chance.splitlines()[1:] == ["  chance"]
    assert breaks.splitlines()[1:] == ["  new: No"]


def test_unknown_suite_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="nonsense"):
        compare.suites_of("mail,nonsense")
