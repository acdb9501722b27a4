"""The addon's README and page are made from its fragments, and current."""

import pytest
from docutils.utils import SystemMessage

from workbench import paths, readme


def test_generated_files_are_current():
    stale = [
        paths.relative(path)
        for path, text in readme.generated().items()
        if not path.is_file() or path.read_text() != text
    ]
    assert not stale, "write them again: workbench/launch readme"


def test_readme_has_all_its_fragments_and_tables_in_it():
    text = readme.readme_text()
    folder = paths.ADDON / "readme"
    assert {path.stem for path in folder.glob("*.rst")} == set(readme.FRAGMENTS)
    assert ":file:" not in text
    for table in folder.glob("*.csv"):
        for row in table.read_text().splitlines():
            assert f"   {row}\n" in text, table.name


def test_contents_lead_to_every_chapter():
    page = readme.index_text(readme.readme_text())
    for heading in filter(None, readme.FRAGMENTS.values()):
        target = heading.lower().replace(" ", "-")
        assert f'<a class="reference internal" href="#{target}"' in page
        assert f'<section id="{target}">' in page


def test_index_needs_nothing_from_elsewhere():
    page = readme.index_text(readme.readme_text())
    assert "<script" not in page
    assert "<link" not in page
    assert "://" not in page


def test_index_names_images_beside_itself():
    page = readme.index_text(".. image:: static/description/picture.png\n   :alt: P")
    assert 'src="picture.png"' in page


def test_index_text_refuses_bad_markup():
    with pytest.raises(SystemMessage):
        readme.index_text("`no end")


@pytest.mark.parametrize("folder", [paths.REPO, paths.ADDON])
def test_every_image_and_file_a_readme_names_exists(folder):
    for line in (folder / "README.rst").read_text().splitlines():
        directive, found, target = line.strip().partition(":: ")
        if found and directive in (".. figure", ".. image"):
            assert (folder / target).is_file(), target
