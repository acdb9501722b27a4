"""Write the template of translations again, and bring the translations up to it.

Odoo itself exports the template, ``i18n/outgoing_mail_routing.pot``, from a database
with the addon. Every ``i18n/*.po`` keeps its translations; those of sentences that have
changed are marked fuzzy, to be looked at, and those of sentences that are gone go too.
"""

from __future__ import annotations

import argparse
import difflib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from . import environment, locks, paths
from .odoo_server import SEE_LOG, OdooServer
from .steps import run, say

if TYPE_CHECKING:
    from polib import POEntry, POFile

NEEDS: tuple[str, ...] = ()
DATABASE = "omr_translations"
FOLDER = paths.ADDON / "i18n"
TEMPLATE = FOLDER / f"{paths.ADDON_NAME}.pot"
#: The addon speaks English and these languages, whole.
LANGUAGES = ("de", "es", "fr", "nl")
#: What Odoo writes anew each time; without it a file changes when a sentence does.
DATES = ("POT-Creation-Date", "PO-Revision-Date")
#: How alike two sentences have to be for one to be the changed other, from 0 to 1.
ALIKE = 0.6
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
    with locks.exclusive("translations"), environment.prepare(options) as prepared:
        files = brought_up_to(export(prepared.odoo))
    stale = [
        path for path, catalogue in files.items() if _read(path) != text(catalogue)
    ]
    for path in stale:
        if not options.check:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text(files[path]))
        verb = "is out of date" if options.check else "written"
        say(f"{paths.relative(path)} {verb}: {summary(files[path])}")
    if not stale:
        say("All translations are up to the template.")
    return 1 if stale and options.check else 0


def export(odoo: OdooServer) -> POFile:
    """Return the template, as Odoo exports it from a database with nothing else in it.

    :raise StepFailed: Odoo failed
    """
    import polib

    odoo.ensure_database(DATABASE, [paths.ADDON_NAME])
    target = paths.ODOO_RUN / TEMPLATE.name
    command = [odoo.python, "-m", "odoo", "i18n", "export"]
    run(
        [
            *(*command, "-c", odoo.write_config(DATABASE), "-d", DATABASE),
            *("-o", target, paths.ADDON_NAME),
        ],
        title="Export the sentences to translate",
        log="translations",
        how_to_go_on=SEE_LOG,
        cwd=paths.ODOO_RUN,
    )
    template = polib.pofile(str(target))
    for name in DATES:
        template.metadata.pop(name, None)
    return template


def brought_up_to(template: POFile) -> dict[Path, POFile]:
    """Return what each file should hold: the template's, and that of every language."""
    import polib

    languages = {*LANGUAGES, *(path.stem for path in FOLDER.glob("*.po"))}
    files = {TEMPLATE: template}
    for language in sorted(languages):
        path = FOLDER / f"{language}.po"
        catalogue = polib.pofile(str(path)) if path.is_file() else polib.POFile()
        if not path.is_file():
            catalogue.header = template.header
            catalogue.metadata = {**template.metadata, "Language": language}
        files[path] = merge(catalogue, template)
    return files


def merge(catalogue: POFile, template: POFile) -> POFile:
    """Bring a language up to the template, as ``msgmerge`` does; return it.

    What the template has no more is dropped, unless a sentence there is much like it:
    that one takes its translation over, marked fuzzy.
    """
    known = {entry.msgid for entry in catalogue}
    catalogue.merge(template)
    gone = {entry.msgid: entry for entry in catalogue if entry.obsolete}
    for entry in catalogue:
        if entry.msgid not in known:
            _take_over(entry, gone)
    order = {entry.msgid: number for number, entry in enumerate(template)}
    kept = [entry for entry in catalogue if not entry.obsolete]
    catalogue[:] = sorted(kept, key=lambda entry: order[entry.msgid])
    return catalogue


def _take_over(entry: POEntry, gone: Mapping[str, POEntry]) -> None:
    """Give a new sentence the translation of the one that it was before, if any."""
    for msgid in difflib.get_close_matches(entry.msgid, gone, n=1, cutoff=ALIKE):
        entry.previous_msgid = msgid
        entry.msgstr = gone[msgid].msgstr
        if entry.msgstr:
            entry.flags.append("fuzzy")


def faults(catalogue: POFile, template: POFile) -> list[str]:
    """Return what keeps a language from being whole, a sentence each."""
    translated = {entry.msgid: entry for entry in catalogue if not entry.obsolete}
    wrong = []
    for entry in template:
        found = translated.pop(entry.msgid, None)
        if found is None or not found.msgstr:
            wrong.append(f"not translated: {entry.msgid!r}")
            continue
        if found.fuzzy:
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


def text(catalogue: POFile) -> str:
    """Return the text of a file."""
    return f"{str(catalogue).rstrip()}\n"


def summary(catalogue: POFile) -> str:
    """Say how much of a catalogue is translated."""
    done, fuzzy = len(catalogue.translated_entries()), len(catalogue.fuzzy_entries())
    return f"{len(catalogue)} sentences, {done} translated, {fuzzy} fuzzy"


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
