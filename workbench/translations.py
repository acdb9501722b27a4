"""Write the templates of translations again, and bring the translations up to them.

Odoo itself exports each addon's template, ``i18n/<addon>.pot``, from a database with
the addons; gettext merges it into every ``i18n/*.po``. Those keep their translations;
what has changed is marked fuzzy, to be looked at, and what is gone goes.
"""

import argparse
import shutil
from pathlib import Path

import polib

from . import environment, locks, paths
from .addons import ADDONS, NAMES, Addon
from .steps import run

DATABASE = "translations"
FOLDER = paths.WORK / "translations"
#: The addons speak English and these languages, whole.
LANGUAGES = ("de", "es", "fr", "nl")
NEW = """msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


def main(options: argparse.Namespace) -> int:
    """Write what is out of date; return the exit status."""
    with (
        locks.exclusive("translations"),
        environment.prepare(options, ["gettext"]) as odoo,
    ):
        _copy_to_folder()
        odoo.ensure_database(DATABASE, NAMES)
        run(
            [
                *(odoo.python, "-m", "click_odoo_contrib.makepot"),
                *("-c", odoo.write_config(DATABASE), "-d", DATABASE),
                *("--addons-dir", FOLDER, "--msgmerge", "--purge-old-translations"),
            ],
            title="Export the sentences to translate, and merge them",
            log="translations",
            cwd=paths.ODOO_RUN,
        )
    for made in sorted((*FOLDER.glob("*/i18n/*.pot"), *FOLDER.glob("*/i18n/*.po"))):
        text = f"{str(polib.pofile(str(made))).rstrip()}\n"
        paths.write_changed({paths.REPO / made.relative_to(FOLDER): text})
    return 0


def _copy_to_folder() -> None:
    """Copy what Odoo and gettext need of the addons, with a file for each language."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for addon in ADDONS:
        copy = FOLDER / addon.name
        (copy / "i18n").mkdir(parents=True)
        shutil.copy(addon.folder / "__manifest__.py", copy)
        for language in LANGUAGES:
            kept = addon.folder / "i18n" / f"{language}.po"
            text = kept.read_text() if kept.is_file() else NEW.format(language=language)
            (copy / "i18n" / kept.name).write_text(text)


def template_of(addon: Addon) -> Path:
    """Return the file of an addon's sentences."""
    return addon.folder / "i18n" / f"{addon.name}.pot"
