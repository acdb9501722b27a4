"""Database ids that a file names, looked up at once where it is imported.

Core asks for each of them by a statement of its own.
"""

from .carrier import Carried

# Any number of so many digits is an id that PostgreSQL takes
_DIGITS = 9


class FoundIds(Carried):
    """Remembers which ids exist, as they are written in the file."""

    def __init__(self):
        self._found = {}

    def look_up(self, model, texts):
        """Look up the records of a model.

        :param texts: cells of the file, each with an id or several, parted by commas
        """
        written = {part for text in texts for part in str(text).split(",")}
        ids = {part: int(part) for part in written if _is_id(part)}
        existing = set(model.browse(ids.values()).exists().ids)
        found = {part: id_ for part, id_ in ids.items() if id_ in existing}
        self._found.setdefault(model._name, {}).update(found)

    def get(self, model_name, text):
        """The id of a record that exists, ``None`` for one that core has to look up."""
        return self._found.get(model_name, {}).get(text)


def _is_id(text):
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS
