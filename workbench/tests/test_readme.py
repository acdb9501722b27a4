"""Each addon's README and page are made from its fragments, and current."""

from pathlib import Path

import pytest
from docutils.utils import SystemMessage

from workbench import paths, readme
from workbench.addons import ADDONS, Addon

DOCUMENTED = [addon for addon in ADDONS if (addon.folder / "readme").is_dir()]
each_addon = pytest.mark.parametrize("addon", DOCUMENTED, ids=lambda it: it.name)


def test_generated_files_are_current() -> None:
    stale = [path for path, text in readme.texts().items() if path.read_text() != text]
    assert not stale, "write them again: workbench/launch readme"


@each_addon
def test_readme_has_all_its_fragments_and_tables_in_it(addon: Addon) -> None:
    text, folder = readme.readme_text(addon), addon.folder / "readme"
    assert {path.stem for path in folder.glob("*.rst")} <= set(readme.FRAGMENTS)
    assert ":file:" not in text
    for table in folder.glob("*.csv"):
        for row in table.read_text().splitlines():
            assert f"   {row}\n" in text, table.name


@each_addon
def test_contents_lead_to_every_chapter(addon: Addon) -> None:
    page = readme.index_text(readme.readme_text(addon))
    for fragment in (addon.folder / "readme").glob("*.rst"):
        if heading := readme.FRAGMENTS[fragment.stem]:
            target = heading.lower().replace(" ", "-")
            assert f'<a class="reference internal" href="#{target}"' in page
            assert f'<section id="{target}">' in page


@each_addon
def test_index_needs_nothing_from_elsewhere(addon: Addon) -> None:
    page = readme.index_text(readme.readme_text(addon))
    assert not [text for text in ("<script", "<link", "://") if text in page]


def test_index_names_images_beside_itself() -> None:
    page = readme.index_text(".. image:: static/description/picture.png\n   :alt: P")
    assert 'src="picture.png"' in page


def test_index_text_refuses_bad_markup() -> None:
    with pytest.raises(SystemMessage):
        readme.index_text("`no end")


@pytest.mark.parametrize(
    "folder", [paths.REPO, *(addon.folder for addon in DOCUMENTED)]
)
def test_every_image_and_file_a_readme_names_exists(folder: Path) -> None:
    for line in (folder / "README.rst").read_text().splitlines():
        directive, found, target = line.strip().partition(":: ")
        if found and directive in (".. figure", ".. image"):
            assert (folder / target).is_file(), target
