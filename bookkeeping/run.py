"""Send mail through misbehaving servers while things are killed; compare the books.

Makes a database, SMTP servers in processes of their own, and mails of several kinds;
runs the queue in several processes at once; kills them, and PostgreSQL, at random. At
the end it compares what the servers accepted with what Odoo says of every recipient,
prints the books by server, and exits with 1 where anything is wrong: a mail accepted
twice, a mail lost, one that is unknown although nothing interrupted it, one that failed
without a reason that its server gave.
"""

from __future__ import annotations

import argparse
import functools
import random
from collections.abc import Callable

from workbench import environment, locks, paths
from workbench.addons import NAMES
from workbench.odoo_server import OdooServer
from workbench.postgres import Cluster
from workbench.steps import StepFailed, say, step

from . import fixture, ledger, reading
from .plan import REPLIES, Plan, make
from .stage import Stage

DATABASE = "books"
#: Killed at will, so it is nobody else's.
CLUSTER = Cluster(paths.WORK / "books-postgres")
DELIVERY = "outgoing_mail_delivery"
#: Of each kind of fault.
SHOWN = 3
FULL = {"mails": 10000, "servers": 10, "runs": 4, "kills": 20, "postgres_kills": 1}
SMALL = {"mails": 300, "servers": 5, "runs": 4, "kills": 3, "postgres_kills": 0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    for name, what in (
        ("mails", "so many mails"),
        ("servers", "so many servers"),
        ("runs", "so many processes run the queue at once"),
        ("kills", "so many times one of these processes is killed"),
        ("postgres-kills", "so many times PostgreSQL is killed"),
    ):
        default = FULL[name.replace("-", "_")]
        described = f"{what} (default: {default})"
        parser.add_argument(f"--{name}", type=int, help=described)
    parser.add_argument(
        "--seed", type=int, default=0, help="what chance goes by (default: 0)"
    )
    parser.add_argument(
        "--seconds",
        type=int,
        default=3600,
        help="how long the queue may take (default: 3600)",
    )
    parser.add_argument(
        "--faults",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="have the servers misbehave, or not",
    )
    parser.add_argument(
        "--core",
        action="store_true",
        help="show what Odoo's own queue does instead, without the delivery addon",
    )
    parser.add_argument(
        "--small",
        action="store_true",
        help="by default 300 mails, 5 servers, 3 kills, none of PostgreSQL",
    )


def main(options: argparse.Namespace) -> int:
    """Make the books, print them, and return 1 where they do not agree."""
    fill_in(options)
    if options.system_postgres:
        say("The machine's own PostgreSQL is not killed.")
        options.postgres_kills = 0
    with (
        locks.exclusive(DATABASE),
        environment.prepare(options, cluster=CLUSTER) as odoo,
    ):
        report = keep_books(odoo, DATABASE, options, CLUSTER)
        if report is None or not report.right:
            say(f"Database {DATABASE} is kept for looking into it.")
            return 1
        odoo.drop_database(DATABASE)
    return 0


def fill_in(options: argparse.Namespace) -> None:
    """Give the options that nobody named what they are by default."""
    for name, default in (SMALL if options.small else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, default)


def keep_books(
    odoo: OdooServer,
    database: str,
    options: argparse.Namespace,
    cluster: Cluster | None = None,
) -> ledger.Report | None:
    """Make a database and the books in it; print and return what came of them.

    :param cluster: the PostgreSQL that may be killed
    :return: None where it did not come to its end in time
    """
    names = [name for name in NAMES if not (options.core and name == DELIVERY)]
    if not options.core and DELIVERY not in names:
        what = f"{DELIVERY} has no manifest: Odoo does not know of it"
        raise StepFailed("Deliver", what, "See Odoo's own queue instead: --core.")
    odoo.ensure_database(database, names, fresh=True)
    keep = f"ALTER DATABASE {database} SET synchronous_commit = on"
    odoo.databases.query(keep, database)
    plan = make(options.mails, options.servers, options.faults, options.seed)
    chance = random.Random(options.seed)
    delivery = DELIVERY in names
    stage = Stage(odoo, database, plan, chance, cluster, delivery=delivery)
    with stage.servers() as ports:
        made = odoo.call(database, fixture.make_books, plan.for_odoo(ports))
        with step(f"Run the queue in {options.runs} processes at once"):
            with stage.working(options.runs):
                ended = stage.play(_events(stage, plan, options), options.seconds)
            stage.settle()
    report = ledger.compare(_facts(stage, made))
    _say(report, stage, ended)
    return report if ended else None


def _events(
    stage: Stage, plan: Plan, options: argparse.Namespace
) -> list[tuple[int, Callable[[], None]]]:
    """What is done in the course of it, and after how many messages."""

    def sometime(before: float) -> int:
        return int(stage.chance.uniform(0.02, before) * options.mails)

    events: list[tuple[int, Callable[[], None]]] = [
        *((sometime(0.75), stage.kill_worker) for _ in range(options.kills)),
        *((sometime(0.7), stage.kill_postgres) for _ in range(options.postgres_kills)),
    ]
    for server in plan.servers:
        if server.down:
            down = functools.partial(stage.take_down, server.name)
            events.append((sometime(0.5), down))
    if any(server.wrong_password for server in plan.servers):
        events.append((sometime(0.6), stage.mend_logins))
    return events


def _facts(stage: Stage, made: dict[str, str]) -> ledger.Facts:
    services = stage.services.values()
    return ledger.Facts(
        reading.planned(stage.plan, made),
        list(reading.accepted(services)),
        reading.said(stage.odoo.databases, stage.database, stage.deaths),
        reading.forsaken(services),
        {death.name: death.sessions for death in stage.deaths},
        REPLIES,
    )


def _say(report: ledger.Report, stage: Stage, ended: bool) -> None:
    say(f"\n{report.table()}\n")
    say(f"{stage.failed_runs()} runs ended with an error of their own.")
    for kind in ledger.Kind:
        faults = [fault for fault in report.faults if fault.kind is kind]
        if faults:
            say(f"Wrong: {len(faults):,} {kind.value}, such as")
        for fault in faults[:SHOWN]:
            say(f"    {fault}")
    if not ended:
        say("Wrong: it did not come to its end in time.")
    say("The books agree." if ended and report.right else "The books do not agree.")
