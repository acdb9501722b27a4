"""The translations are whole in every language."""

import polib
import pytest

from workbench import translations
from workbench.addons import ADDONS, Addon
from workbench.translations import LANGUAGES, template_of

TRANSLATED = [addon for addon in ADDONS if template_of(addon).is_file()]


def catalogue(**sentences: str) -> polib.POFile:
    """A catalogue with a translation of each sentence, ``_`` for a blank."""
    made = polib.POFile()
    for msgid, msgstr in sentences.items():
        made.append(polib.POEntry(msgid=msgid.replace("_", " "), msgstr=msgstr))
    return made


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("addon", TRANSLATED, ids=lambda addon: addon.name)
def test_language_is_whole(addon: Addon, language: str) -> None:
    path = template_of(addon).with_name(f"{language}.po")
    assert path.is_file(), f"make {path} by workbench/launch translations"
    template = polib.pofile(str(template_of(addon)))
    faults = translations.faults(polib.pofile(str(path)), template)
    assert not faults, "\n".join([f"{len(faults)} faults in {path.name}:", *faults])


def test_whole_language_has_no_faults() -> None:
    template = catalogue(Server="", **{"%(name)s_leaves": ""})
    whole = catalogue(Server="Server", **{"%(name)s_leaves": "Fort ist %(name)s"})
    assert translations.faults(whole, template) == []


@pytest.mark.parametrize(
    ("translated", "fault"),
    [
        ({}, "not translated"),
        ({"%(name)s_leaves": ""}, "not translated"),
        ({"%(name)s_leaves": "Fort ist %(nom)s"}, "other placeholders"),
        ({"%(name)s_leaves": "<b>Fort</b> ist %(name)s"}, "other placeholders"),
        ({"%(name)s_leaves": "%(name)s", "Gone": "Weg"}, "not in the template"),
    ],
)
def test_language_that_is_not_whole_is_told(
    translated: dict[str, str], fault: str
) -> None:
    template = catalogue(**{"%(name)s_leaves": ""})
    (found,) = translations.faults(catalogue(**translated), template)
    assert found.startswith(fault)


def test_fuzzy_translation_is_a_fault() -> None:
    translated = catalogue(Server="Server")
    translated[0].flags.append("fuzzy")
    (found,) = translations.faults(translated, catalogue(Server=""))
    assert found == "to be looked at (fuzzy): 'Server'"
