"""Measure what the addon costs, beside Odoo without it.

Two databases from one template, one with the module mail alone and one with the addon,
are worked on in turns by two Odoo processes, and the queues are really sent, to
an SMTP server that keeps nothing. The table is kept in .workbench/benchmark.rst.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence

from workbench import environment, locks, paths
from workbench.addons import NAMES
from workbench.odoo_server import OdooServer
from workbench.smtp_service import SmtpService
from workbench.steps import say, step

from . import delivery, large, measures
from .figures import MISSED, Result, rst_table, text_table
from .large_sizes import COMPANIES, USERS
from .measures import Bench

CORE, ADDON, DELIVERY = "benchmark_core", "benchmark_addon", "benchmark_delivery"
#: What is installed in each database: routing is measured by itself.
INSTALLED = {CORE: (), ADDON: NAMES[:1], DELIVERY: NAMES}
#: The copies that are worked on.
COPIES = (
    (CORE, "run"),
    (ADDON, "run"),
    (CORE, "run_many"),
    (ADDON, "run_many"),
    (DELIVERY, "run"),
)
#: Two benchmarks at once would use the same databases, and measure each other.
LOCK = "benchmark"
MEASURES = {
    "split": measures.split,
    "servers": measures.servers,
    "sql": measures.sql,
    "queue": measures.whole_queue,
    "delivery": delivery.measure,
}
RESULT = paths.WORK / "benchmark.rst"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help="two minutes instead of ten; too short to tell 3 %% for certain",
    )
    parser.add_argument(
        "--large",
        action="store_true",
        help=f"measure a big customer with {COMPANIES} companies and {USERS:,} users "
        "instead",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=sorted({*MEASURES, *delivery.MEASURES, *large.NAMES}),
        help="measure this alone (may be given several times)",
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="compare Odoo without the addon to itself: how far apart equals measure",
    )
    parser.add_argument(
        "--no-fail",
        action="store_true",
        help="exit with 0 even if a target is missed",
    )


def main(options: argparse.Namespace) -> int:
    """Measure, print and keep the table; return 1 if a target is missed."""
    names = options.only or list(large.NAMES if options.large else MEASURES)
    results: list[Result] = []
    with environment.prepare(options) as odoo, locks.exclusive(LOCK):
        with _databases(odoo, options.control) as copies, _sink() as port:
            effort = measures.QUICK if options.quick else measures.FULL
            core, addon, core_many, addon_many, ours = copies
            bench = Bench(odoo, core, addon, core_many, addon_many, ours, port, effort)
            for result in _measure(bench, names):
                say(f"    {' | '.join(result.cells)}")
                results.append(result)
    say(f"\n{text_table(results)}\n")
    if not options.control:
        RESULT.write_text(rst_table(results))
        say(f"The same as reStructuredText: {paths.relative(RESULT)}")
    missed = [result.measure for result in results if result.verdict == MISSED]
    for measure in missed:
        say(f"Missed: {measure}")
    return 1 if missed and not options.no_fail else 0


def _measure(bench: Bench, names: Sequence[str]) -> Iterator[Result]:
    """Measure what is named; the big customer last, as it stays in the databases."""
    known = {**MEASURES, **delivery.MEASURES}
    for name in names:
        if name in known:
            yield from known[name](bench)
    if of_large := [name for name in names if name in large.NAMES]:
        yield from large.measure(bench, of_large)


@contextlib.contextmanager
def _sink() -> Iterator[int]:
    """Run an SMTP server that takes everything and keeps nothing; give its port."""
    smtp = SmtpService(paths.WORK / "benchmark-sink")
    smtp.start({"sink": None})
    try:
        yield smtp.ports["sink"]
    finally:
        smtp.stop()


@contextlib.contextmanager
def _databases(odoo: OdooServer, control: bool) -> Iterator[list[str]]:
    """Copies of the databases to work on; dropped at the end."""
    for name, modules in INSTALLED.items():
        odoo.ensure_database(name, () if control else modules)
    copies = [f"{origin}_{use}" for origin, use in COPIES]
    try:
        with step("Copy the databases"):
            for copy, (origin, _use) in zip(copies, COPIES, strict=True):
                odoo.databases.drop(copy)
                odoo.databases.create(copy, origin)
        yield copies
    finally:
        for copy in copies:
            odoo.drop_database(copy)
