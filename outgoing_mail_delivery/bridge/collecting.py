"""An SMTP session that transmits nothing: it keeps what core hands to it."""

import smtplib
from dataclasses import dataclass

from odoo.addons.outgoing_mail_routing.bridge.carrier import Carried


@dataclass(frozen=True)
class Collected:
    """A message as ``smtplib`` would have transmitted it, and its envelope."""

    sender: str
    recipients: tuple[str, ...]
    text: bytes
    utf8: bool


class CollectingSession(smtplib.SMTP):
    """What ``send_email`` gets in place of a connection.

    ``smtplib`` makes the text of a message; what it would transmit then is kept. All
    that a server may offer counts as offered here: the real session looks again.

    :param from_filter: as core puts it on a session (``_connect__``)
    :param smtp_from: the From of the batch, with its route
    """

    def __init__(self, from_filter, smtp_from):
        # smtplib would ask the system's resolver for its name, once a message
        super().__init__(local_hostname="localhost")
        self.from_filter = from_filter
        self.smtp_from = smtp_from
        self.collected = []

    def ehlo_or_helo_if_needed(self):
        """Everything is known already."""

    def has_extn(self, opt):
        """Whatever is needed is taken to be there."""
        return True

    def sendmail(self, from_addr, to_addrs, msg, mail_options=(), rcpt_options=()):
        """Keep a message instead of transmitting it (``smtplib.SMTP.sendmail``)."""
        recipients = (to_addrs,) if isinstance(to_addrs, str) else tuple(to_addrs)
        text = msg.encode("ascii") if isinstance(msg, str) else msg
        utf8 = any(option.upper() == "SMTPUTF8" for option in mail_options)
        self.collected.append(
            Collected(from_addr, tuple(dict.fromkeys(recipients)), text, utf8)
        )
        return {}

    def quit(self):
        """There is nothing to end."""

    def close(self):
        """There is nothing to close."""


class InRun(Carried):
    """Says that a run writes on its own mails, which nobody else may do meanwhile."""
