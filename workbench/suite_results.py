"""What became of Odoo's tests on two databases, and what differs between them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
#: Of several outcomes of one test (its sub-tests, its tear down) the worst counts.
_WORST_FIRST = (FAILED, SKIPPED, PASSED)
_CLASS_LEVEL = re.compile(r"^(?:setUp|tearDown)Class \((.+)\)$")


@dataclass(frozen=True)
class Ending:
    """How one test ended; ``detail`` is the error or the reason of a skip."""

    outcome: str
    detail: str = ""


#: Outcomes by the test's id: module, class and method, joined by dots.
Outcomes = Mapping[str, Ending]


def read(file: Path) -> dict[str, Ending]:
    """Return the outcomes that :mod:`workbench.suite_runner` wrote, line by line.

    A planned test without an outcome failed: its class could not be set up, or the
    process ended before its turn. No file means that the process never came to plan.
    """
    if not file.is_file():
        return {}
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    planned = [name for line in lines for name in line.get("planned", ())]
    return collect(planned, (line for line in lines if "test" in line))


def collect(
    planned: Iterable[str], noted: Iterable[Mapping[str, str]]
) -> dict[str, Ending]:
    """Return one outcome for each test.

    >>> collect(["a.A.test_x"], [])["a.A.test_x"]
    Ending(outcome='failed', detail='did not end')
    """
    outcomes: dict[str, Ending] = {}
    for line in noted:
        known = outcomes.get(line["test"])
        new = Ending(line["outcome"], line["detail"])
        if known is None or _rank(new) < _rank(known):
            outcomes[line["test"]] = new
    of_classes = {
        found[1]: outcomes[name]
        for name in outcomes
        if (found := _CLASS_LEVEL.match(name))
    }
    for name in planned:
        if name not in outcomes:
            of_class = of_classes.get(name.rpartition(".")[0])
            outcomes[name] = of_class or Ending(FAILED, "did not end")
    return outcomes


def _rank(outcome: Ending) -> int:
    return _WORST_FIRST.index(outcome.outcome)


def count(outcomes: Outcomes) -> str:
    """Return the counts in words.

    >>> count({"a": Ending(PASSED), "b": Ending(SKIPPED)})
    '1 passed, 0 failed, 1 skipped'
    """
    counts = Counter(outcome.outcome for outcome in outcomes.values())
    return ", ".join(f"{counts[name]} {name}" for name in (PASSED, FAILED, SKIPPED))


def passed(outcomes: Outcomes, name: str) -> bool:
    """Tell whether a test was run and passed."""
    return name in outcomes and outcomes[name].outcome == PASSED


def failed(outcomes: Outcomes) -> list[str]:
    """Return the names of the tests that failed, sorted."""
    return sorted(name for name in outcomes if outcomes[name].outcome == FAILED)


def differing(without: Outcomes, with_addon: Outcomes) -> list[str]:
    """Return the tests whose outcomes differ, those that one side alone has too."""
    nothing = Ending("")
    return sorted(
        name
        for name in {*without, *with_addon}
        if without.get(name, nothing).outcome != with_addon.get(name, nothing).outcome
    )


def broken(without: Outcomes, with_addon: Outcomes) -> list[str]:
    """Return the tests that pass without the addon, and do not pass with it.

    >>> broken({"a": Ending(PASSED)}, {})
    ['a']
    """
    return [name for name in differing(without, with_addon) if passed(without, name)]
