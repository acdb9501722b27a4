"""Medians, ratios and the table of results: everything that needs no Odoo."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

HEADINGS = ("Measure", "Core", "Addon", "Ratio", "Target", "Verdict")
MET, MISSED = "met", "missed"
#: A figure that only informs has no target.
NO_TARGET = "–"


@dataclass(frozen=True)
class Result:
    """One line of the table; every cell as it is printed."""

    measure: str
    core: str
    addon: str
    ratio: str
    target: str = NO_TARGET
    verdict: str = NO_TARGET

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells in the order of ``HEADINGS``."""
        return (
            *(self.measure, self.core, self.addon),
            *(self.ratio, self.target, self.verdict),
        )

    def judged(self, met: bool, target: str) -> Result:
        """Return the line with a target in words, and whether it is met."""
        return replace(self, target=target, verdict=MET if met else MISSED)

    def at_most(self, value: float, limit: float) -> Result:
        """Return the line with its verdict: met where ``value`` is not above."""
        return self.judged(value <= limit, f"≤ {limit:g}")

    def at_least(self, value: float, limit: float) -> Result:
        """Return the line with its verdict: met where ``value`` is not below."""
        return self.judged(value >= limit, f"≥ {limit:g}")


@dataclass(frozen=True)
class Spread:
    """The median of repeated figures, and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """Return the spread of at least one figure.

        >>> Spread.of([3, 1, 2])
        Spread(low=1.5, median=2.0, high=2.5)
        """
        ordered = sorted(figures)
        if len(ordered) == 1:
            return cls(ordered[0], ordered[0], ordered[0])
        low, median, high = statistics.quantiles(ordered, n=4, method="inclusive")
        return cls(low, median, high)

    @property
    def as_factor(self) -> str:
        """The median and, in brackets, the quartiles, as factors.

        >>> Spread(0.999, 1.0, 1.01).as_factor
        '1.000 (0.999–1.010)'
        """
        return f"{self.median:.3f} ({self.low:.3f}–{self.high:.3f})"

    @property
    def as_times(self) -> str:
        """The same, of what is a few times faster.

        >>> Spread(3.9, 4.02, 4.1).as_times
        '4.0 × faster (3.9–4.1)'
        """
        return f"{self.median:.1f} × faster ({self.low:.1f}–{self.high:.1f})"

    @property
    def as_speed(self) -> str:
        """The same, of what is many times faster.

        >>> Spread(39.0, 40.2, 41.4).as_speed
        '40 × faster (39–41)'
        """
        return f"{self.median:.0f} × faster ({self.low:.0f}–{self.high:.0f})"


def ratios(measured: Sequence[float], base: Sequence[float]) -> Spread:
    """Return how ``measured`` compares to ``base``, each pair taken in one round.

    >>> ratios([2.0, 3.0, 4.0], [1.0, 1.0, 1.0]).median
    3.0
    """
    return Spread.of(one / other for one, other in zip(measured, base, strict=True))


def quotients(measured: Iterable[float], base: Sequence[float]) -> Spread:
    """Return how ``measured`` compares to ``base``, where no round pairs them.

    >>> quotients([2.0, 4.0], [1.0, 2.0])
    Spread(low=1.75, median=2.0, high=2.5)
    """
    return Spread.of(one / other for one in measured for other in base)


def slope(short: tuple[int, float], long: tuple[int, float]) -> float:
    """Return what one more mail costs, from two queues of different length.

    :param short: number of mails, cost of the queue
    :param long: the same of a longer queue

    >>> slope((10, 130.0), (110, 1230.0))
    11.0
    """
    return (long[1] - short[1]) / (long[0] - short[0])


def duration(seconds: float) -> str:
    """Return a time with three digits that matter and a fitting unit.

    >>> [duration(seconds) for seconds in (10.4, 0.0456, 0.000123)]
    ['10.4 s', '45.6 ms', '0.123 ms']
    """
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1000:.3g} ms"


def megabytes(size: float) -> str:
    """Return a size in bytes as people read it.

    >>> megabytes(12_400_000)
    '12 MB'
    """
    return f"{size / 1e6:.0f} MB"


def text_table(results: Sequence[Result]) -> str:
    """Return the results as columns for a terminal."""
    rows = [HEADINGS, *(result.cells for result in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def rst_table(results: Sequence[Result]) -> str:
    """Return the results as a list table in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (HEADINGS, *(result.cells for result in results)):
        for number, cell in enumerate(row):
            lines.append(f"   {'*' if number == 0 else ' '} - {cell}")
    return "\n".join([*lines, ""])
