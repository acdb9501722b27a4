"""Each addon's README and page are made from its fragments, and current."""

from pathlib import Path

import pytest
from docutils.utils import SystemMessage

from workbench import paths, readme
from workbench.addons import ADDONS, Addon

DOCUMENTED = [addon for addon in ADDONS if (addon.folder / "readme").is_dir()]


def test_generated_files_are_current() -> None:
    stale = [path for path, text in readme.texts().items() if path.read_text() != text]
    assert not stale, "write them again: workbench/launch readme"


@pytest.mark.parametrize("addon", DOCUMENTED, ids=lambda it: it.name)
def test_readme_and_page_are_whole(addon: Addon) -> None:
    text, folder = readme.readme_text(addon), addon.folder / "readme"
    assert ":file:" not in text
    for table in folder.glob("*.csv"):
        for row in table.read_text().splitlines():
            assert f"   {row}\n" in text, table.name
    page = readme.index_text(text)
    for fragment in folder.glob("*.rst"):
        if heading := readme.FRAGMENTS[fragment.stem]:
            target = heading.lower().replace(" ", "-")
            assert f'<a class="reference internal" href="#{target}"' in page
            assert f'<section id="{target}">' in page
    assert not [it for it in ("<script", "<link", "://") if it in page], (
        "from elsewhere"
    )


def test_page_names_images_beside_itself_and_refuses_bad_markup() -> None:
    page = readme.index_text(".. image:: static/description/picture.png\n   :alt: P")
    assert 'src="picture.png"' in page
    with pytest.raises(SystemMessage):
        readme.index_text("`no end")


@pytest.mark.parametrize("folder", [paths.REPO, *(it.folder for it in DOCUMENTED)])
def test_every_image_a_readme_names_exists(folder: Path) -> None:
    for line in (folder / "README.rst").read_text().splitlines():
        directive, found, target = line.strip().partition(":: ")
        if found and directive in (".. figure", ".. image"):
            assert (folder / target).is_file(), target
