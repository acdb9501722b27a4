"""The pictures of the documentation, which are the rows of pictures.csv."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import paths


@dataclass(frozen=True)
class Picture:
    """A picture: who opens what in how large a window, and which part of it it shows.

    ``action`` is a full XML id, ``record`` the name in the demonstration data of the
    one that it opens. In the context ``@name`` stands for a record's id, and
    ``model@name`` for it with its model. Then the ``clicks`` are made, each on what a
    selector finds. ``crop`` selects the part that the picture shows, or, if ``whole``,
    that is scrolled to. ``debug`` opens the pages that only developers see; ``dark``
    lets the browser darken them, for Odoo Community has no dark mode.
    """

    name: str
    addon: str
    action: str
    crop: str
    login: str
    record: str
    clicks: Sequence[str]
    context: Mapping[str, Any]
    height: int
    debug: bool
    width: int = 1280
    whole: bool = False
    dark: bool = False

    @property
    def phone(self) -> bool:
        """Whether the window is that of a phone, which is touched."""
        return self.width < 500

    @property
    def file(self) -> Path:
        """The file that the documentation shows."""
        folder = paths.REPO / self.addon / "static" / "description"
        return folder / f"screenshot_{self.name}.png"


def _picture(
    clicks: str, context: str, height: str, debug: str, **texts: str
) -> Picture:
    """Read a row; the clicks are separated by semicolons, the context is JSON."""
    places = [place.strip() for place in clicks.split(";") if place]
    facts: dict[str, Any] = {"height": int(height), "debug": bool(debug), **texts}
    return Picture(clicks=places, context=json.loads(context), **facts)


# The last is one that edits a form, which may save itself when it is left.
with open(Path(__file__).with_suffix(".csv"), newline="") as _file:
    PICTURES = [_picture(**row) for row in csv.DictReader(_file, quotechar="'")]
#: How every page is looked at: by the end of the file's name.
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "wide": {"width": 1400, "height": 1200},
    "phone": {"width": 390, "height": 2600},
    "dark": {"width": 1400, "height": 1200, "dark": True},
}


def resolve(value: Any, ids: Mapping[str, int]) -> Any:
    """Return a value with the ids of the records that it refers to.

    >>> resolve({"one": "@a", "named": "model@a", "many": ["@b"]}, {"a": 3, "b": 4})
    {'one': 3, 'named': 'model,3', 'many': [4]}
    """
    if isinstance(value, Mapping):
        return {name: resolve(part, ids) for name, part in value.items()}
    if isinstance(value, list):
        return [resolve(part, ids) for part in value]
    if isinstance(value, str) and "@" in value:
        model, _, name = value.partition("@")
        return f"{model},{ids[name]}" if model else ids[name]
    return value
