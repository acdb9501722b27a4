"""The translations: whole in every language, and kept when the template changes."""

import polib
import pytest

from workbench import translations
from workbench.translations import LANGUAGES, TEMPLATE


def catalogue(**sentences: str) -> polib.POFile:
    """A catalogue with a translation of each sentence, ``_`` for a blank."""
    made = polib.POFile()
    for msgid, msgstr in sentences.items():
        made.append(polib.POEntry(msgid=msgid.replace("_", " "), msgstr=msgstr))
    return made


def sentences(translated: polib.POFile) -> dict[str, str]:
    """The translations by sentence."""
    return {entry.msgid: entry.msgstr for entry in translated}


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_is_whole(language: str) -> None:
    path = TEMPLATE.parent / f"{language}.po"
    assert path.is_file(), (
        f"the language {language} is missing: make its file by workbench/launch "
        "translations, then translate it"
    )
    template = polib.pofile(str(TEMPLATE))
    faults = translations.faults(polib.pofile(str(path)), template)
    assert not faults, "\n".join([f"{len(faults)} faults in {path.name}:", *faults])


def test_merge_keeps_the_order_of_the_template_and_what_is_translated() -> None:
    merged = translations.merge(
        catalogue(Server="Servidor", Company="Empresa"),
        catalogue(Company="", Another="", Server=""),
    )
    expected = {"Company": "Empresa", "Another": "", "Server": "Servidor"}
    assert list(sentences(merged).items()) == list(expected.items())
    assert not merged.fuzzy_entries()


def test_merge_marks_a_sentence_that_changed_and_drops_one_that_is_gone() -> None:
    merged = translations.merge(
        catalogue(Choose_a_server="Serverwahl", Entirely_different="Weg"),
        catalogue(Choose_another_server=""),
    )
    assert sentences(merged) == {"Choose another server": "Serverwahl"}
    (entry,) = merged.fuzzy_entries()
    assert entry.previous_msgid == "Choose a server"


def test_merged_twice_is_merged_once() -> None:
    template = catalogue(Choose_another_server="", Added="")
    once = translations.merge(catalogue(Choose_a_server="Serverwahl"), template)
    first = translations.text(once)
    again = translations.merge(polib.pofile(first), template)
    kept = [(e.msgid, e.msgstr, e.fuzzy) for e in polib.pofile(first)]
    assert [(e.msgid, e.msgstr, e.fuzzy) for e in again] == kept


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
