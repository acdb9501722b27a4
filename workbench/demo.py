"""Send mail through real SMTP servers from a real Odoo, and show how it left.

Makes a database with the addon and its demonstration data, starts SMTP servers that
demand logins, starts Odoo, and then, as the users themselves, posts chatter messages
and sends templates. Prints one table of what the SMTP servers received. Then it takes
the servers down, posts, brings them back and waits; kills a worker amid a run, prints
the books, and leaves Odoo running. Every start begins with a new database.
"""

import argparse
import contextlib
import shutil

from bookkeeping import demonstration

from . import demo_table, environment, locks, odoo_server, paths
from .addons import NAMES
from .demo_play import ADMINISTRATOR, Player
from .demo_scenario import PEOPLE
from .odoo_server import OdooServer
from .smtp_service import SmtpService
from .steps import say

#: The one left running, and the one that --check makes beside it.
DATABASE, CHECKED_DATABASE = "demo", "demo_check"
#: Pages of the web client, by their actions.
CUSTOMERS, MAIL_SERVERS = "base.action_partner_form", "base.action_ir_mail_server_list"
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


def main(options: argparse.Namespace) -> int:
    """Play the demonstration, or stop the one that runs; return the exit status."""
    if options.stop:
        with environment.databases(options.system_postgres):
            ran = [odoo_server.stop(DATABASE), smtp_of(DATABASE).stop()]
        say("Stopped." if any(ran) else "Nothing was running.")
        return 0
    database = CHECKED_DATABASE if options.check else DATABASE
    with (
        locks.exclusive(f"play-{database}"),
        environment.prepare(options) as odoo,
        contextlib.ExitStack() as running,
    ):
        player = start(odoo, database, running)
        right = _play(odoo, player, database)
        smtp = smtp_of(database)
        right = demonstration.play(odoo, player, smtp, database) and right
        if not options.check:
            running.pop_all()
            _say_how_to_go_on(player.url)
    return 0 if right else 1


def smtp_of(database: str) -> SmtpService:
    """Return the SMTP servers of a demonstration in a database."""
    return SmtpService(paths.WORK / "demo" / database)


def start(odoo: OdooServer, database: str, running: contextlib.ExitStack) -> Player:
    """Make the database; start Odoo and the SMTP servers, connect them, log in."""
    odoo.ensure_database(database, NAMES, demo=True, fresh=True)
    odoo.databases.query(PUT_OFF_JOBS, database)
    running.callback(odoo_server.stop, database)
    player, smtp = Player(odoo.start(database), database), smtp_of(database)
    running.callback(smtp.stop)
    player.start_servers(smtp)
    return player


def _play(odoo: OdooServer, player: Player, database: str) -> bool:
    """Have the users write, and print what came of it; return whether all is right."""
    player.write_messages()
    explained = odoo.call(database, demo_table.explain)
    player.run_queue()
    received = smtp_of(database).received()
    outcomes = demo_table.match(received, explained, player.unsent())
    # where nobody says how wide the terminal is, it may be as wide as it wants
    width = shutil.get_terminal_size((200, 50)).columns
    say(f"\n{demo_table.render(outcomes, width)}\n\n{demo_table.LEGEND}")
    if faults := demo_table.render_faults(outcomes, received):
        say(f"\nNot as it should be:\n{faults}")
        return False
    say(f"\nAll {len(outcomes)} mails left as they should.")
    return True


def _say_how_to_go_on(url: str) -> None:
    say(f"\nOdoo goes on running: {url}")
    say(f"  administrator    login {ADMINISTRATOR}, password {ADMINISTRATOR}")
    for login, person in PEOPLE.items():
        account = f"login {login}, password {login}"
        say(f"  {person.name:<15}  {account:<28} {person.what}")
    say(f"  chatters         {url}/odoo/action-{CUSTOMERS}")
    say(f"  mail servers     {url}/odoo/action-{MAIL_SERVERS}")
    say(f"  mails received   {paths.relative(smtp_of(DATABASE).folder / 'mails')}")
    say("Stop it: ./demo --stop")
