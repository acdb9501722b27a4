"""Take the pictures of the documentation, in a real browser.

Makes a database with the addon and its demonstration data, plays the demonstration in
it, and opens the pages as the users who see them. The pictures that README.rst and
index.html show are written again. An error on the browser's console fails the command.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import browser, demo, environment, images, locks, odoo_server, paths
from .browser import Shot
from .demo_play import ADMINISTRATOR, Player
from .demo_scenario import ANNA, ROWS
from .environment import Environment
from .odoo_server import RunningOdoo
from .steps import StepFailed, say, step

NEEDS = ("browser",)
DATABASE = "omr_screenshots"
FOLDER = paths.ADDON / "static" / "description"
PREFIX = "screenshot_"
#: Larger files would make the list of apps slow.
LARGEST = 150_000
#: The share of pixels that may differ before a picture counts as another.
TOLERANCE = 0.002
PHONE = 390


@dataclass(frozen=True)
class Ref:
    """A record of the demonstration data, in a context: its id, or with model and id.

    >>> Ref("user_anna").value({"user_anna": 7})
    7
    >>> Ref("partner_paul", "res.partner").value({"partner_paul": 9})
    'res.partner,9'
    """

    name: str
    model: str = ""

    def value(self, ids: Mapping[str, int]) -> int | str:
        """Return what stands for it in a context."""
        return f"{self.model},{ids[self.name]}" if self.model else ids[self.name]


@dataclass(frozen=True)
class Picture:
    """A picture of the documentation; for the rest see :class:`workbench.browser.Shot`.

    ``action`` is a full XML id, the others are names in the demonstration data:
    ``record`` of the one that the action opens, ``companies`` of those that are open,
    the active one first.
    """

    name: str
    action: str
    crop: str
    margin: int = 0
    login: str = ADMINISTRATOR
    record: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    companies: Sequence[str] = ("company_alder",)
    clicks: Sequence[str] = ()
    width: int = 1280
    height: int = 1150
    debug: bool = False

    def shot(self, ids: Mapping[str, int]) -> Shot:
        """Return what the browser has to do for it.

        :param ids: of the demonstration data's records, by name
        """
        return Shot(
            name=self.name,
            login=self.login,
            action=self.action,
            res_id=ids[self.record] if self.record else 0,
            context={
                name: _resolve(value, ids) for name, value in self.context.items()
            },
            company_ids=[ids[name] for name in self.companies],
            clicks=self.clicks,
            crop=self.crop,
            margin=self.margin,
            width=self.width,
            height=self.height,
            debug=self.debug,
        )


def _resolve(value: Any, ids: Mapping[str, int]) -> Any:
    """Return a value with the ids of the records that it refers to."""
    if isinstance(value, list):
        return [_resolve(part, ids) for part in value]
    return value.value(ids) if isinstance(value, Ref) else value


SHEET, DIALOG = ".o_form_sheet", ".modal-content"
SERVERS, USERS = "base.action_ir_mail_server_list", "base.action_res_users"
SIMULATOR = "outgoing_mail_routing.mail_routing_simulation_action"
OVERVIEW = "outgoing_mail_routing.mail_routing_overview_action"
ASSIGNMENT = "outgoing_mail_routing.mail_routing_assignment_action"
PREFERENCES = ".o_notebook a[name=preferences]"
PRESS_MAIL_OF_ANNA = {
    "default_sender_id": Ref("user_anna"),
    "default_template_id": Ref("mail_template_unknown_from"),
    "default_resource_ref": Ref("partner_customer_alder", "res.partner"),
}
PICTURES = (
    Picture(
        "server_form", SERVERS, SHEET, record="mail_server_relay_alder", height=1250
    ),
    Picture("user_form", USERS, SHEET, record="user_anna", clicks=[PREFERENCES]),
    Picture(
        "preferences",
        "base.action_res_users_my",
        DIALOG,
        login=ANNA.login,
        record="user_anna",
    ),
    Picture(
        "company_form", "base.action_res_company_form", SHEET, record="company_birch"
    ),
    Picture(
        "settings",
        "base_setup.action_general_configuration",
        ".o_settings_container:has(#outgoing_mail_routing_company)",
    ),
    Picture(
        "composer",
        "mail.action_email_compose_message_wizard",
        DIALOG,
        login=ANNA.login,
        context={
            "default_model": "res.partner",
            "default_res_ids": [Ref("partner_customer_alder")],
            "default_partner_ids": [Ref("partner_customer_alder")],
            "default_subject": "Your offer",
        },
        clicks=[".o_field_widget[name=sender_choice] input"],
    ),
    Picture(
        "template_form",
        "mail.action_email_template_tree_all",
        SHEET,
        record="mail_template_unknown_from",
        clicks=[".o_notebook a[name=email_configuration]"],
        debug=True,
    ),
    Picture("simulator", SIMULATOR, DIALOG, context=PRESS_MAIL_OF_ANNA),
    Picture(
        "what_would_change",
        USERS,
        DIALOG,
        record="user_anna",
        clicks=[
            PREFERENCES,
            ".o_field_widget[name=use_own_mail_servers] input",
            ".o_widget_mail_routing_changes button",
        ],
    ),
    Picture("overview", OVERVIEW, ".o_action", height=820),
    Picture(
        "assignment",
        ASSIGNMENT,
        DIALOG,
        context={
            "default_user_ids": [*map(Ref, ("user_anna", "user_ben", "user_clara"))],
            "default_mail_server_ids": [Ref("mail_server_shared")],
        },
    ),
)
#: How every page is looked at: by the end of the file's name.
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "wide": {"width": 1400, "height": 1200, "dark": False},
    "phone": {"width": PHONE, "height": 2600, "dark": False},
    "dark": {"width": 1400, "height": 1200, "dark": True},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    names = [picture.name for picture in PICTURES]
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"only these pictures, of {', '.join(names)}",
    )
    purpose = parser.add_mutually_exclusive_group()
    purpose.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if a picture is missing or looks different",
    )
    purpose.add_argument(
        "--look",
        metavar="FOLDER",
        type=Path,
        help="write the whole pages into a folder to look at, each as on a wide "
        "screen, on a phone, and in dark mode",
    )
    odoo_server.add_port_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Take the pictures, and write or compare them; return the exit status."""
    pictures = chosen(options.names)
    with locks.exclusive("screenshots"), environment.prepare(options) as prepared:
        with _demonstration(prepared, options.port) as (odoo, ids):
            shots = [picture.shot(ids) for picture in pictures]
            if options.look:
                shots = [look for shot in shots for look in looks(shot)]
            fonts = prepared.source.root.parents[2] / "share" / "fonts"
            taken = browser.photograph(odoo, fonts, shots)
        prepared.odoo.drop_database(DATABASE)
    if options.look:
        options.look.mkdir(parents=True, exist_ok=True)
        for shot in shots:
            shutil.copy(taken / f"{shot.name}.png", options.look)
        say(f"{len(shots)} pictures are in {options.look}")
        return 0
    return _compare(taken, pictures) if options.check else _write(taken, pictures)


def chosen(names: Collection[str]) -> list[Picture]:
    """Return the pictures of these names, all if none is given.

    :raise StepFailed: there is no picture of a name
    """
    known = {picture.name: picture for picture in PICTURES}
    if unknown := set(names) - set(known):
        what = f"there is none called {', '.join(sorted(unknown))}"
        how = f"The pictures are {', '.join(known)}."
        raise StepFailed("Find the pictures to take", what, how)
    return [known[name] for name in names or known]


def looks(shot: Shot) -> list[Shot]:
    """Return the shots of a whole page on all kinds of screens."""
    if shot.phone:
        return []  # the same page is a picture on a wide screen, too
    return [
        dataclasses.replace(shot, name=f"{shot.name}.{name}", whole=True, **values)
        for name, values in LOOKS.items()
    ]


def file_of(picture: Picture) -> Path:
    """Return the file that the documentation shows."""
    return FOLDER / f"{PREFIX}{picture.name}.png"


@contextlib.contextmanager
def _demonstration(
    prepared: Environment, port: int
) -> Iterator[tuple[RunningOdoo, Mapping[str, int]]]:
    """Play the demonstration; yield the Odoo, and the ids of its data by name."""
    with contextlib.ExitStack() as running:
        smtp, odoo, accounts = demo.start(prepared, DATABASE, port, running)
        player = Player(odoo)
        player.connect_servers(smtp, accounts)
        player.write_messages(ROWS)
        player.run_queue()
        with step("Put in place of what changes from run to run what does not"):
            for statement in SAME_EVERY_TIME:
                prepared.databases.query(statement, DATABASE)
        yield odoo, player.ids


#: Ports, passwords and dates, which a picture must not depend on.
SAME_EVERY_TIME = (
    """
    UPDATE ir_mail_server
       SET smtp_host = 'smtp.' || split_part(smtp_user, '@', 2), smtp_port = 587,
           smtp_encryption = 'starttls', smtp_pass = 'secret',
           tested_date = '2026-02-27 16:00'
     WHERE smtp_user IS NOT NULL
    """,
    """
    UPDATE mail_message
       SET date = '2026-03-02 06:00'::timestamp
           + (id - (SELECT min(id) FROM mail_message)) * interval '1 minute'
    """,
    # the colour behind a person's letter comes from the second they were created
    """
    DELETE FROM ir_attachment
     WHERE res_model = 'res.partner' AND res_field LIKE 'image_%'
       AND mimetype = 'image/svg+xml'
    """,
    "UPDATE res_users SET create_date = '2026-01-05'",
    "UPDATE res_partner SET create_date = '2026-01-05'",
    """
    UPDATE mail_mail
       SET create_date = message.date, write_date = message.date
      FROM mail_message AS message
     WHERE message.id = mail_message_id
    """,
)


def _write(taken: Path, pictures: Sequence[Picture]) -> int:
    """Write the files that the documentation shows; return the exit status."""
    for picture in pictures:
        target = file_of(picture)
        size = images.shrink(taken / f"{picture.name}.png", target)
        say(f"{paths.relative(target)} written: {size / 1000:.0f} kB")
        if size > LARGEST:
            raise StepFailed(
                f"Keep {target.name} small",
                f"it has {size} bytes, more than {LARGEST}",
                "Crop it closer in workbench/screenshots.py.",
            )
    return 0


def _compare(taken: Path, pictures: Sequence[Picture]) -> int:
    """Say which files look different now; return the exit status."""
    stale = []
    for picture in pictures:
        now, kept = taken / f"{picture.name}.small.png", file_of(picture)
        images.shrink(taken / f"{picture.name}.png", now)
        share = images.difference(now, kept) if kept.is_file() else 1.0
        if share > TOLERANCE:
            stale.append(kept)
            what = f"{share:.1%} of it differ" if kept.is_file() else "it is missing"
            say(f"{paths.relative(kept)}: {what}; now it is {paths.relative(now)}")
    say("Take them again: ./screenshots" if stale else "All pictures are current.")
    return 1 if stale else 0
