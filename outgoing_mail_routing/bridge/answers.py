"""Whether the answers to mail come back to Odoo."""

from odoo.fields import Domain

from .addresses import email_of
from .known_addresses import KnownAddresses
from .server_rows import COLLECTING


class Answers:
    """What becomes of answers to some addresses, read once for all of them.

    ``brought_back`` has those of the addresses of which answers come back, as far as
    known: an incoming mail server collects them, or they are Odoo's own and its mail
    arrives. It does where another server than a mailbox of replies only brings it in,
    or where some mail has arrived before.
    """

    def __init__(self, env, emails, names_collectors=True):
        """Read what is known of addresses, normalised or in From headers.

        :param bool names_collectors: name every incoming server, and not only one that
            belongs to the server which carries the mail: a user can write any address
            into their own e-mail
        """
        self._env = env
        self._names_collectors = names_collectors
        emails = {email_of(email) for email in emails} - {""}
        self._collectors = env["fetchmail.server"].sudo()._find_collectors()
        self.brought_back = emails.intersection(self._collectors)
        addresses = KnownAddresses(env)
        addresses.learn(emails, whose=False)
        received = addresses.received
        # asked last: where no mail ever arrived, it looks at all messages
        if received and self._arrives_otherwise():
            self.brought_back |= received

    def _arrives_otherwise(self):
        """Whether mail to Odoo's own addresses arrives, and not only replies."""
        others = COLLECTING & Domain("replies_only", "=", False)
        return bool(
            self._env["fetchmail.server"].sudo().search(others, limit=1)
            or self._env["mail.message"]
            .sudo()
            .search([("message_type", "=", "email")], limit=1)
        )

    def come_back(self, mail):
        """Whether answers to a mail reach Odoo.

        :param PreviewMail mail: one of those whose ``reply_email`` was asked for
        """
        return mail.reply_email in self.brought_back

    def get_collector_name(self, mail):
        """The name of the incoming server that collects answers, ``""`` for none.

        :param PreviewMail mail: likewise
        """
        collector = self._collectors.get(mail.reply_email)
        if not collector:
            return ""
        if self._names_collectors:
            return collector.name
        profile = mail.decision.profile
        server = (
            self._env["ir.mail_server"].sudo().browse(profile.id if profile else ())
        )
        return collector.name if server.fetchmail_server_id == collector else ""
