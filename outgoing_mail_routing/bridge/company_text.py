"""The text of a mail that remembers the company it is sent for, and nobody else.

Core makes some mails without a record, password resets and digests among them, as
whoever pressed the button. Only their text was rendered for the account or the digest,
so that is where the company travels: as a ``Markup`` the text is what core expects, and
no RPC client can make one up, as it could a value or a context key.
"""

from markupsafe import Markup

# Mail about these is Odoo's own, whoever made Odoo send it
NOBODYS_MODELS = ("res.users", "digest.digest")


class CompanyText(Markup):
    """A text and its company; whatever is cut out of it has none."""

    company_id = False

    @classmethod
    def of(cls, text, company_id):
        """The same text with its company; what is no markup stays as it is."""
        if not isinstance(text, Markup):
            return text
        self = cls(text)
        self.company_id = company_id
        return self
