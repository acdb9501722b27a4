"""The benchmarks' statistics and tables; they need no Odoo."""

import doctest

import pytest

from benchmarks import figures, run
from benchmarks.figures import MET, MISSED, NO_TARGET, Result
from workbench import cli

LINE = Result("Split", "10.4 s", "80 ms", "130")


@pytest.mark.parametrize(
    ("result", "target", "verdict"),
    [
        (LINE, NO_TARGET, NO_TARGET),
        (LINE.at_least(50.0, 50), "≥ 50", MET),
        (LINE.at_least(49.9, 50), "≥ 50", MISSED),
        (LINE.at_most(1.03, 1.03), "≤ 1.03", MET),
        (LINE.at_most(1.031, 1.03), "≤ 1.03", MISSED),
    ],
)
def test_verdict_follows_from_the_unrounded_figure(
    result: Result, target: str, verdict: str
) -> None:
    assert (result.target, result.verdict) == (target, verdict)


def test_ratios_are_taken_round_by_round() -> None:
    spread = figures.ratios([2.0, 40.0, 6.0], [1.0, 20.0, 2.0])
    assert (spread.low, spread.median, spread.high) == (2.0, 2.0, 2.5)
    with pytest.raises(ValueError):
        figures.ratios([1.0], [1.0, 2.0])
    outcome = doctest.testmod(figures)
    assert outcome.attempted and not outcome.failed


def test_tables_hold_every_cell() -> None:
    header, rule, line = figures.text_table([LINE]).splitlines()
    assert header.index("Core") == line.index("10.4 s") == rule.index("  -") + 2
    lines = figures.rst_table([LINE.at_least(130, 50)]).splitlines()
    assert (lines[0], lines[3]) == (".. list-table::", "   * - Measure")
    cells = ["Split", "10.4 s", "80 ms", "130", "≥ 50", "met"]
    assert [line.strip(" *-") for line in lines[9:]] == cells


def test_arguments_name_the_measures() -> None:
    options = cli.parse("benchmark", run, ["--only", "sql", "--only", "queue"])
    assert options.only == ["sql", "queue"] and not options.no_fail
