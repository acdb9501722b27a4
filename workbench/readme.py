"""Write each addon's README.rst and index.html again from its readme/ fragments."""

import argparse
import re
import textwrap
from pathlib import Path

from docutils.core import publish_parts

from . import paths
from .addons import ADDONS, Addon

#: Fragments in the order of the page, and their headings; the first has none, and the
#: list of contents comes after it. An addon has those that it needs.
FRAGMENTS = {
    "DESCRIPTION": "",
    "INSTALL": "Installation",
    "CONFIGURE": "Configuration",
    "SETUPS": "Three typical setups",
    "ROUTE": "How a route is decided",
    "SETTINGS": "Every setting",
    "USAGE": "Usage",
    "WHY": "How to see why",
    "SOURCES": "Sources of mail",
    "MIGRATION": "Moving over from other addons",
    "COMPATIBILITY": "Compatibility with other addons",
    "ROADMAP": "Limits",
    "FAQ": "Questions",
    "CONTRIBUTORS": "Contributors",
}
CONTENTS = ".. contents::\n   :depth: 1\n"
MADE_FROM = ".. This file is made from the fragments in readme/: change them instead."
IMAGES = "static/description/"


def main(options: argparse.Namespace) -> int:
    """Write the files that are out of date; return the exit status."""
    paths.write_changed(texts())
    return 0


def texts() -> dict[Path, str]:
    """Return the text that each generated file should have."""
    found = {}
    for addon in ADDONS:
        if (addon.folder / "readme").is_dir():
            text = readme_text(addon)
            found[addon.folder / "README.rst"] = text
            found[addon.folder / IMAGES / "index.html"] = index_text(text)
    return found


def readme_text(addon: Addon) -> str:
    """Return the README: title, contents, then every fragment under its heading."""
    title = addon.manifest["name"]
    parts = [f"{'=' * len(title)}\n{title}\n{'=' * len(title)}\n", f"{MADE_FROM}\n"]
    for name, heading in FRAGMENTS.items():
        file = addon.folder / "readme" / f"{name}.rst"
        if file.is_file():
            text = _fragment_text(file)
            above = f"{heading}\n{'=' * len(heading)}\n"
            parts += [above, text] if heading else [text, CONTENTS]
    return "\n".join(parts)


def _fragment_text(fragment: Path) -> str:
    """Return a fragment with its tables in it: who shows a README reads no files."""

    def table(found: re.Match[str]) -> str:
        text = (fragment.parent / found[2]).read_text()
        return "\n" + textwrap.indent(text, found[1]).rstrip()

    return re.sub("^( *):file: (.*)$", table, fragment.read_text(), flags=re.M)


def index_text(readme: str) -> str:
    """Return the page that Odoo's list of apps shows, from the README's text.

    Odoo looks for images beside the page itself, and its own class keeps them from
    being wider than the page.

    :raise docutils.utils.SystemMessage: the text is no valid reStructuredText
    """
    parts = publish_parts(
        readme.replace(IMAGES, ""),
        writer_name="html5",
        settings_overrides={
            "embed_stylesheet": False,
            "halt_level": 2,
            "initial_header_level": 2,
            "table_style": "table table-bordered",
            "toc_backlinks": False,
        },
    )
    body = parts["body"].strip().replace("<img ", '<img class="img-fluid" ')
    title = f"<h1>{parts['title']}</h1>"
    return f'<section class="oe_container">\n{title}\n{body}\n</section>\n'
