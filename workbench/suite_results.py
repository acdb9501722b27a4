"""What became of Odoo's tests on two databases, and what differs between them."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
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

    A planned test without an outcome failed: the process ended before its turn. No
    file means that the process never came to plan.
    """
    if not file.is_file():
        return {}
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    planned = [name for line in lines for name in line.get("planned", ())]
    return collect(planned, (line for line in lines if "test" in line))


def collect(
    planned: Iterable[str], noted: Iterable[Mapping[str, str]]
) -> dict[str, Ending]:
    """Return one outcome for each test; that of a class counts for all tests of it.

    >>> collect(["a.A.test_x"], [])["a.A.test_x"]
    Ending(outcome='failed', detail='did not end')
    """
    endings: dict[str, list[Ending]] = defaultdict(list)
    for line in noted:
        of_class = _CLASS_LEVEL.match(line["test"])
        name = of_class[1] if of_class else line["test"]
        endings[name].append(Ending(line["outcome"], line["detail"]))
    return {
        name: _worst(endings[name] + endings[name.rpartition(".")[0]])
        for name in planned
    }


def _worst(endings: Sequence[Ending]) -> Ending:
    rank = _WORST_FIRST.index
    unfinished = Ending(FAILED, "did not end")
    return min(endings, key=lambda ending: rank(ending.outcome), default=unfinished)


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
