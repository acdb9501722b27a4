"""Take the pictures of the documentation, in a real browser.

Makes a database with the addons and their demonstration data, plays the demonstration
in it, and opens the pages as the users who see them. The pictures that README.rst and
index.html show are written again. An error on the browser's console fails the command.
"""

import argparse
import contextlib
import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageChops

from . import browser, demo, environment, locks, paths
from .odoo_server import OdooServer
from .pictures import LOOKS, PICTURES, Picture
from .steps import CORRECT, StepFailed, say, step

DATABASE = "screenshots"
TAKEN = paths.WORK / "browser"
#: Larger files would make the list of apps slow.
LARGEST = 150_000
#: The share of pixels that may differ before a picture counts as another, and by how
#: much a colour has to differ, of 255, before a pixel does.
TOLERANCE, SAME_COLOUR = 0.002, 24
#: Ports, passwords and dates, which a picture must not depend on.
SAME_EVERY_TIME = """
UPDATE ir_mail_server
   SET smtp_host = 'smtp.' || split_part(smtp_user, '@', 2), smtp_port = 587,
       smtp_encryption = 'starttls', smtp_pass = 'secret',
       tested_date = '2026-02-27 16:00'
 WHERE smtp_user IS NOT NULL;
UPDATE mail_message
   SET date = '2026-03-02 06:00'::timestamp
       + (id - (SELECT min(id) FROM mail_message)) * interval '1 minute';
-- the colour behind a person's letter comes from the second they were created
DELETE FROM ir_attachment
 WHERE res_model = 'res.partner' AND res_field LIKE 'image_%'
   AND mimetype = 'image/svg+xml';
UPDATE res_users SET create_date = '2026-01-05';
UPDATE res_partner SET create_date = '2026-01-05';
UPDATE mail_mail SET create_date = message.date, write_date = message.date
  FROM mail_message AS message WHERE message.id = mail_message_id;
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "pictures", nargs="*", type=picture_of, default=PICTURES, help="only these"
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


def main(options: argparse.Namespace) -> int:
    """Take the pictures, and write or compare them; return the exit status."""
    pictures = options.pictures
    if options.look:
        pictures = [look for picture in pictures for look in looks(picture)]
    with (
        locks.exclusive("screenshots"),
        environment.prepare(options, ["browser"]) as odoo,
    ):
        _take(odoo, pictures)
        odoo.drop_database(DATABASE)
    if options.look:
        shutil.copytree(TAKEN, options.look, dirs_exist_ok=True)
        return 0
    return _keep(pictures, options.check)


def picture_of(name: str) -> Picture:
    """Return the picture of a name, for the parser."""
    for picture in PICTURES:
        if picture.name == name:
            return picture
    names = ", ".join(picture.name for picture in PICTURES)
    raise argparse.ArgumentTypeError(f"there is none called {name}, only {names}")


def looks(picture: Picture) -> list[Picture]:
    """Return the pictures of a whole page on all kinds of screens."""
    return [
        dataclasses.replace(picture, name=f"{picture.name}.{end}", whole=True, **values)
        for end, values in LOOKS.items()
    ]


def _take(odoo: OdooServer, pictures: Sequence[Picture]) -> None:
    """Play the demonstration, and take pictures in its database."""
    shutil.rmtree(TAKEN, ignore_errors=True)
    TAKEN.mkdir()
    with contextlib.ExitStack() as running:
        player = demo.start(odoo, DATABASE, running)
        player.write_messages()
        player.run_queue()
        odoo.databases.query(SAME_EVERY_TIME, DATABASE)
        title = f"Take pictures ({len(pictures)})"
        with step(title):
            fonts = odoo.source.root.parents[2] / "share" / "fonts"
            studio = browser.Studio(player.url, DATABASE, player.ids, TAKEN)
            if problems := studio.take(pictures, fonts):
                raise StepFailed(title, "\n".join(problems), CORRECT)


def shrink(origin: Path, target: Path) -> int:
    """Write a picture with 256 colours at most; return the file's size in bytes."""
    with Image.open(origin) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(target, optimize=True)
    return target.stat().st_size


def difference(one: Path, other: Path) -> float:
    """Return the share of pixels, from 0 to 1, in which two pictures differ.

    Pictures of different sizes differ in all of them, as does one that is missing.
    """
    if not other.is_file():
        return 1.0
    with Image.open(one) as first, Image.open(other) as second:
        if first.size != second.size:
            return 1.0
        apart = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
    red, green, blue = apart.split()
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    histogram = strongest.histogram()
    return sum(histogram[SAME_COLOUR:]) / sum(histogram)


def _keep(pictures: Sequence[Picture], check: bool) -> int:
    """Write the files, or say which look different now; return the exit status."""
    faults = []
    for picture in pictures:
        now, kept = TAKEN / f"{picture.name}.small.png", paths.relative(picture.file)
        size = shrink(TAKEN / f"{picture.name}.png", now)
        if size > LARGEST:
            faults.append(f"{kept} has {size} bytes, more than {LARGEST}: crop it")
        if check and (share := difference(now, picture.file)) > TOLERANCE:
            faults.append(
                f"{kept}: {share:.1%} differ; now it is {paths.relative(now)}"
            )
        if not check:
            shutil.copy(now, picture.file)
    say("\n".join(faults) or "All pictures are current.")
    return 1 if faults else 0
