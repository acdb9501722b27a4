"""Write the templates of translations again, and bring the translations up to them.

Odoo itself exports each addon's template, ``i18n/<addon>.pot``, from a database with
the addons; gettext merges it into every ``i18n/*.po``. Those keep their translations;
what has changed is marked fuzzy, to be looked at, and what is gone goes.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections import Counter
from pathlib import Path

import polib
from polib import POFile

from . import environment, generated, locks, paths
from .addons import ADDONS, NAMES, Addon
from .odoo_server import SEE_LOG, OdooServer
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
#: What a translation has to have as often as the sentence it translates.
PLACEHOLDERS = re.compile(r"%(?:\(\w+\))?[sdrif]|\{\{.*?\}\}|</?\w+[^<>]*>", re.S)
#: What a tag says to the reader is translated with it.
SPOKEN = re.compile(r'\b(title|alt|placeholder|aria-label)="[^"]*"')
#: Addresses in angle brackets, which look like tags, are not.
ADDRESS = re.compile(r"<[^<>\s]+@[^<>\s]+>")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--check", action="store_true", help="only tell which files are out of date"
    )


def main(options: argparse.Namespace) -> int:
    """Write what is out of date, or with ``--check`` only name it."""
    with (
        locks.exclusive("translations"),
        environment.prepare(options, ["gettext"]) as odoo,
    ):
        files = brought_up_to_date(odoo)
    texts = {path: f"{str(new).rstrip()}\n" for path, new in files.items()}
    return generated.bring_up_to_date(
        texts, options.check, lambda path: f"({summary(files[path])})"
    )


def brought_up_to_date(odoo: OdooServer) -> dict[Path, POFile]:
    """Return what each file should hold.

    :raise StepFailed: Odoo or gettext failed
    """
    odoo.ensure_database(DATABASE, NAMES)
    shutil.rmtree(FOLDER, ignore_errors=True)
    for addon in ADDONS:
        copy = FOLDER / addon.name / "i18n"
        copy.mkdir(parents=True)
        shutil.copy(addon.folder / "__manifest__.py", copy.parent)
        for language in LANGUAGES:
            kept = addon.folder / "i18n" / f"{language}.po"
            text = generated.read(kept) or NEW.format(language=language)
            (copy / kept.name).write_text(text)
    run(
        [
            *(odoo.python, "-m", "click_odoo_contrib.makepot", "--addons-dir", FOLDER),
            *("-c", odoo.write_config(DATABASE), "-d", DATABASE),
            *("--msgmerge", "--purge-old-translations"),
        ],
        title="Export the sentences to translate, and merge them",
        log="translations",
        how_to_go_on=SEE_LOG,
        cwd=paths.ODOO_RUN,
    )
    return {
        addon.folder / "i18n" / new.name: polib.pofile(str(new))
        for addon in ADDONS
        for new in sorted((FOLDER / addon.name / "i18n").iterdir())
        if new.suffix in (".po", ".pot")
    }


def template_of(addon: Addon) -> Path:
    """Return the file of an addon's sentences."""
    return addon.folder / "i18n" / f"{addon.name}.pot"


def faults(catalogue: POFile, template: POFile) -> list[str]:
    """Return what keeps a language from being whole, a sentence each."""
    translated = {entry.msgid: entry for entry in catalogue if not entry.obsolete}
    wrong = []
    for entry in template:
        found = translated.pop(entry.msgid, None)
        if found is None or not found.msgstr:
            wrong.append(f"not translated: {entry.msgid!r}")
        elif found.fuzzy:
            wrong.append(f"to be looked at (fuzzy): {entry.msgid!r}")
        elif placeholders(found.msgstr) != placeholders(entry.msgid):
            wrong.append(f"other placeholders: {entry.msgid!r} in {found.msgstr!r}")
    return [*wrong, *(f"not in the template: {msgid!r}" for msgid in translated)]


def placeholders(sentence: str) -> Counter[str]:
    """Return what is filled into a sentence, and its tags, with their numbers.

    >>> sorted(placeholders("<b>%(name)s</b> {{ object.name }} %s <a@a.example>"))
    ['%(name)s', '%s', '</b>', '<b>', '{{ object.name }}']
    >>> placeholders('<i title="Warning"/>') == placeholders('<i title="Warnung"/>')
    True
    """
    bare = SPOKEN.sub(r"\1", ADDRESS.sub("", sentence))
    return Counter(PLACEHOLDERS.findall(bare))


def summary(catalogue: POFile) -> str:
    """Say how much of a catalogue is translated."""
    done, fuzzy = len(catalogue.translated_entries()), len(catalogue.fuzzy_entries())
    return f"{len(catalogue)} sentences, {done} translated, {fuzzy} fuzzy"
