"""Send mail through real SMTP servers from a real Odoo, and show how it left.

Makes a database with the addon and its demonstration data, starts SMTP servers that
demand logins, starts Odoo, and then, as the users themselves, posts chatter messages
and sends templates. Prints one table of what the SMTP servers received, and leaves
Odoo running. Every start begins with a new database.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import (
    demo_play,
    demo_table,
    environment,
    locks,
    odoo_server,
    paths,
    postgres,
    smtp_service,
)
from .addons import NAMES
from .demo_play import Player
from .demo_scenario import PEOPLE, ROWS
from .demo_table import Outcome
from .odoo_server import OdooServer, RunningOdoo
from .smtp_service import NotedMail, SmtpService
from .steps import say

#: The one left running, and the one that --check makes beside it.
DATABASE, CHECKED_DATABASE = "demo", "demo_check"
#: Pages of the web client, by their actions.
CUSTOMERS, MAIL_SERVERS = "base.action_partner_form", "base.action_ir_mail_server_list"
#: Where nobody says how wide the terminal is, the table may be as wide as it wants.
UNKNOWN_WIDTH = 200
#: Puts off Odoo's own jobs, the mail queue among them: its run is part of the show.
PUT_OFF_JOBS = """
UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'UTC' + interval '1 hour'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--check",
        action="store_true",
        help="stop everything at the end, and exit with 1 if a row of the table is not "
        "what it should be; leaves a demonstration alone that is running",
    )
    parser.add_argument(
        "--stop",
        action="store_true",
        help="stop the demonstration that was left running, and do nothing else",
    )
    parser.add_argument(
        "--why",
        action="store_true",
        help="below the table, give the addon's reasons for every mail",
    )
    odoo_server.add_port_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Play the demonstration, or stop the one that runs; return the exit status."""
    if options.stop:
        _stop()
        return 0
    database = CHECKED_DATABASE if options.check else DATABASE
    with locks.exclusive(f"play-{database}"), environment.prepare(options) as odoo:
        with contextlib.ExitStack() as running:
            player, smtp = start(odoo, database, options.port, running)
            outcomes, more = play(odoo, player, smtp)
            right = _show(outcomes, more, options.why)
            if not options.check:
                running.pop_all()
                _say_how_to_go_on(smtp, player.odoo)
        if options.check and right:
            odoo.drop_database(database)
    return 0 if right else 1


def start(
    odoo: OdooServer, database: str, port: int, running: contextlib.ExitStack
) -> tuple[Player, SmtpService]:
    """Make the database; start the SMTP servers and Odoo, connect them, log in.

    :param running: told how to stop what was started
    """
    odoo.ensure_database(database, NAMES, demo=True, fresh=True)
    odoo.databases.query(PUT_OFF_JOBS, database)
    accounts = demo_play.make_accounts()
    smtp = smtp_service.start(_mail_folder(database), accounts)
    running.callback(smtp.stop)
    served = odoo.start(database, port)
    running.callback(served.stop)
    player = Player(served)
    player.connect_servers(smtp, accounts)
    return player, smtp


def play(
    odoo: OdooServer, player: Player, smtp: SmtpService
) -> tuple[list[Outcome], list[NotedMail]]:
    """Have the users write; return what came of each row, and mails of no row."""
    player.write_messages(ROWS)
    answer = odoo.call(player.odoo.database, demo_table.explain)
    player.run_queue()
    explained, received = demo_table.read_explanations(answer), smtp.received()
    outcomes = demo_table.match(ROWS, received, explained, player.unsent())
    return outcomes, demo_table.unexpected(ROWS, received)


def _show(outcomes: Sequence[Outcome], more: Sequence[NotedMail], why: bool) -> bool:
    """Print the table and what is wrong with it; return whether nothing is."""
    width = shutil.get_terminal_size((UNKNOWN_WIDTH, 50)).columns
    say("\n" + demo_table.render(outcomes, width))
    say(demo_table.LEGEND)
    if why:
        say("\n" + demo_table.render_reasons(outcomes))
    faults = demo_table.render_faults(outcomes, more)
    if faults:
        say(f"\nNot as it should be:\n{faults}")
    else:
        say(f"\nAll {len(outcomes)} mails left as they should.")
    return not faults


def _say_how_to_go_on(smtp: SmtpService, odoo: RunningOdoo) -> None:
    admin = demo_play.ADMINISTRATOR
    say(f"\nOdoo goes on running: {odoo.url}")
    say(f"  administrator    login {admin}, password {admin}")
    for person in PEOPLE:
        login = f"login {person.login}, password {person.login}"
        say(f"  {person.name:<15}  {login:<28} {person.what}")
    say(f"  chatters         {odoo.url}/odoo/action-{CUSTOMERS}")
    say(f"  mail servers     {odoo.url}/odoo/action-{MAIL_SERVERS}")
    say(f"  mails received   {paths.relative(smtp.folder / 'mails')}")
    say("Stop it: ./demo --stop")


def _stop() -> None:
    """Stop what earlier runs left running, and PostgreSQL if nobody else uses it."""
    stopped = False
    for database in (DATABASE, CHECKED_DATABASE):
        if odoo := odoo_server.find_running(database):
            odoo.stop()
        if smtp := smtp_service.find_running(_mail_folder(database)):
            smtp.stop()
        stopped = stopped or bool(odoo or smtp)
    postgres.Cluster().stop_if_unused()
    say("Stopped." if stopped else "Nothing was running.")


def _mail_folder(database: str) -> Path:
    return paths.WORK / "demo" / database
