"""The text of a mail that remembers the record it was rendered for.

Core makes some mails without a record, password resets and digests among them: nothing
but their text was rendered for one. So that is where the record travels: as a
``Markup`` the text is what core expects, and no RPC client can make one up, as it could
a context key.
"""

from markupsafe import Markup

# Mail about these is Odoo's own, whoever made Odoo send it
NOBODYS_MODELS = ("res.users", "digest.digest")


class RenderedText(Markup):
    """A text and the record it is about; whatever is cut out of it is about none."""

    model = ""
    res_id = 0

    @classmethod
    def about(cls, text, model, res_id):
        """The same text with its record; what is no markup stays as it is."""
        if not isinstance(text, Markup):
            return text
        self = cls(text)
        self.model, self.res_id = model, res_id
        return self
