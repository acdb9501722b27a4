"""What an SMTP server received."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property


@dataclass(frozen=True)
class ReceivedMail:
    """One mail as a server received it.

    ``login`` is the account that sent it, ``mail_from`` the envelope sender (RFC
    5321, section 4.1.1.2), ``rcpt_tos`` are the envelope recipients, ``content`` is the
    message to the letter, ``token`` the access token of an XOAUTH2 login.
    """

    login: str
    mail_from: str
    rcpt_tos: tuple[str, ...]
    content: bytes
    token: str = ""

    @cached_property
    def message(self) -> EmailMessage:
        """The message with its headers."""
        return message_from_bytes(self.content, policy=policy.default)

    def header(self, name: str) -> str:
        """The decoded text of a header, ``""`` where it is missing."""
        return str(self.message[name] or "")
