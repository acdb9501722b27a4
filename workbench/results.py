"""What became of tests: read from the files that pytest writes about its runs."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PASSED, SKIPPED, FAILED = "passed", "skipped", "failed"
#: Of several outcomes of one test (its sub-tests, its tear down) the worst counts.
RANK = (PASSED, SKIPPED, FAILED)
OUTCOMES = {"failure": FAILED, "error": FAILED, "skipped": SKIPPED}


@dataclass(frozen=True)
class Ending:
    """How one test ended; ``detail`` is the error or the reason of a skip."""

    outcome: str
    detail: str = ""


#: How tests ended by their names, as pytest takes them.
Endings = Mapping[str, Ending]


def read(file: Path) -> dict[str, Ending]:
    """Return how the tests of a run ended; none if it did not come to its end.

    A test that is expected to fail, and does, has passed.
    """
    endings: dict[str, Ending] = {}
    cases = ElementTree.parse(file).iter("testcase") if file.is_file() else ()
    for case in cases:
        place = case.get("file") or case.get("classname") or ""
        names = [case.get("classname", "").rpartition(".")[2], case.get("name", "")]
        # of a file that could not be read or skipped itself only the name is known
        name = "::".join([place, *names] if case.get("classname") else names[1:])
        ending = _ending(case)
        known = endings.get(name, ending)
        endings[name] = max(known, ending, key=lambda it: RANK.index(it.outcome))
    return endings


def _ending(case: ElementTree.Element) -> Ending:
    for part in case:
        if part.tag in OUTCOMES and part.get("type") != "pytest.xfail":
            return Ending(OUTCOMES[part.tag], part.text or part.get("message") or "")
    return Ending(PASSED)


def count(endings: Endings) -> str:
    """Return the counts in words.

    >>> count({"a": Ending(PASSED), "b": Ending(SKIPPED)})
    '1 passed, 0 failed, 1 skipped'
    """
    counts = Counter(ending.outcome for ending in endings.values())
    return ", ".join(f"{counts[name]} {name}" for name in (PASSED, FAILED, SKIPPED))


def having(endings: Endings, outcome: str) -> list[str]:
    """Return the names of the tests with an outcome, sorted."""
    return sorted(name for name in endings if endings[name].outcome == outcome)


def differing(without: Endings, with_addons: Endings) -> list[str]:
    """Return the tests whose outcomes differ, those that one side alone has too."""
    nothing = Ending("")
    return sorted(
        name
        for name in {*without, *with_addons}
        if without.get(name, nothing).outcome != with_addons.get(name, nothing).outcome
    )


def broken(without: Endings, with_addons: Endings) -> list[str]:
    """Return the tests that pass without the addons, and do not pass with them.

    >>> broken({"a": Ending(PASSED)}, {})
    ['a']
    """
    passing = having(without, PASSED)
    return [name for name in differing(without, with_addons) if name in passing]
