"""The translations are whole in every language."""

import re
from collections import Counter

import polib
import pytest

from workbench.addons import ADDONS, Addon
from workbench.translations import LANGUAGES, template_of

TRANSLATED = [addon for addon in ADDONS if template_of(addon).is_file()]
#: What a translation has to have as often as the sentence it translates.
PLACEHOLDERS = re.compile(r"%(?:\(\w+\))?[sdrif]|\{\{.*?\}\}|</?\w+[^<>]*>", re.S)
#: What a tag says to the reader is translated with it.
SPOKEN = re.compile(r'\b(title|alt|placeholder|aria-label)="[^"]*"')
#: Addresses in angle brackets, which look like tags, are not.
ADDRESS = re.compile(r"<[^<>\s]+@[^<>\s]+>")


def placeholders(sentence: str) -> Counter[str]:
    """Return what is filled into a sentence, and its tags, with their numbers.

    >>> sorted(placeholders("<b>%(name)s</b> {{ object.name }} %s <a@a.example>"))
    ['%(name)s', '%s', '</b>', '<b>', '{{ object.name }}']
    >>> placeholders('<i title="Warning"/>') == placeholders('<i title="Warnung"/>')
    True
    """
    bare = SPOKEN.sub(r"\1", ADDRESS.sub("", sentence))
    return Counter(PLACEHOLDERS.findall(bare))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("addon", TRANSLATED, ids=lambda addon: addon.name)
def test_language_is_whole(addon: Addon, language: str) -> None:
    path = template_of(addon).with_name(f"{language}.po")
    catalogue = [it for it in polib.pofile(str(path)) if not it.obsolete]
    sentences = {entry.msgid for entry in polib.pofile(str(template_of(addon)))}
    assert sentences and {entry.msgid for entry in catalogue} == sentences
    assert not [it.msgid for it in catalogue if it.fuzzy or not it.msgstr]
    for entry in catalogue:
        assert placeholders(entry.msgstr) == placeholders(entry.msgid), entry.msgid
