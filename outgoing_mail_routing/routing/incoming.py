"""The way back: which mails of a mailbox answer mail of Odoo's.

RFC 5322, section 3.6.4 (Message-ID, In-Reply-To, References), RFC 6522
(``multipart/report``) and RFC 3464 (delivery status notifications).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import Message
from email.utils import parseaddr

#: The headers that :func:`read_headers` looks at, to be asked of a mail server.
HEADERS = (
    *("Message-ID", "In-Reply-To", "References"),
    *("From", "Content-Type", "X-Odoo-Objects"),
)
#: As core's ``message_route``: of a long thread only the latest are looked up.
_MAX_REFERENCES = 32
_MESSAGE_ID = re.compile(r"<[^<>]+>")
_SMTP_HOST = re.compile(r"^smtps?\d*\.", re.IGNORECASE)
_MAILBOX_HOSTS = {
    "smtp.office365.com": "outlook.office365.com",
    "smtp-mail.outlook.com": "outlook.office365.com",
}


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """What the headers of a mail in a mailbox say about the mail it answers.

    ``references`` and ``in_reply_to`` are the ids in the headers of these names;
    ``returned`` those of the mail that a ``bounce`` brings back. ``report`` is a
    report of another kind, such as a receipt, and ``from_odoo`` says that some Odoo
    made the mail.
    """

    message_id: str = ""
    references: tuple[str, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    bounce: bool = False
    report: bool = False
    from_odoo: bool = False

    @property
    def mentioned(self) -> set[str]:
        """All the ids that tell whether the mail is for Odoo."""
        ids = (self.message_id, *self.references, *self.in_reply_to, *self.returned)
        return {id_ for id_ in ids if id_}


def read_headers(raw: bytes) -> IncomingMail:
    """What the headers of a mail say; a mail without any answers nothing.

    >>> read_headers(b"In-Reply-To: <1@odoo.example>\\r\\n\\r\\n").in_reply_to
    ('<1@odoo.example>',)
    >>> read_headers(b"From: Mailer <MAILER-DAEMON@mx.example>\\r\\n\\r\\n").bounce
    True
    """
    message = message_from_bytes(raw)
    is_report = message.get_content_type() == "multipart/report"
    kind = str(message.get_param("report-type") or "delivery-status").lower()
    sender = parseaddr(str(message["From"] or ""))[1].partition("@")[0].lower()
    report = is_report and kind != "delivery-status"
    return IncomingMail(
        message_id="".join(_ids(message, "Message-ID")[:1]),
        references=_ids(message, "References")[-_MAX_REFERENCES:],
        in_reply_to=_ids(message, "In-Reply-To"),
        # as core's _detect_is_bounce tells them
        bounce=not report and (is_report or sender == "mailer-daemon"),
        report=report,
        from_odoo="X-Odoo-Objects" in message,
    )


def read_bounce(mail: IncomingMail, raw: bytes) -> IncomingMail:
    """Add what a bounce returns: the original mail, or its headers.

    :param raw: the bounce, or as much of its beginning as holds these headers

    >>> bounce = IncomingMail(bounce=True)
    >>> read_bounce(bounce, b'''Content-Type: multipart/report; boundary="="
    ...
    ... --=
    ... Content-Type: text/rfc822-headers
    ...
    ... Message-ID: <1@odoo.example>
    ... --=--''').returned
    ('<1@odoo.example>',)
    """
    for part in message_from_bytes(raw).walk():
        original = _original(part)
        if original is not None:
            # Exchange keeps there the id that it put another in the place of
            renamed = _ids(original, "X-Microsoft-Original-Message-ID")
            return replace(mail, returned=_ids(original, "Message-ID") + renamed)
    return mail


def is_for_odoo(mail: IncomingMail, known: Mapping[str, bool]) -> bool:
    """Whether a mail answers one of Odoo's, or is a bounce of one.

    A bounce that returns the original is told by the original alone: what somebody
    answered on their own, in a thread that Odoo began, is not Odoo's when it comes
    back. Odoo's own mail refers to messages of Odoo's too, but answers nothing: it is
    known by its id, or, where a relay gave it another one, by its own id standing last
    in References, where core puts it.

    :param known: the ids of Odoo's messages, and whether a message can be answered,
        because it stands on a document

    >>> known = {"<1@odoo.example>": True, "<2@odoo.example>": False}
    >>> is_for_odoo(IncomingMail(references=("<1@odoo.example>",)), known)
    True
    >>> is_for_odoo(IncomingMail(in_reply_to=("<2@odoo.example>",)), known)
    False
    >>> is_for_odoo(IncomingMail(in_reply_to=("<3@private.example>",)), known)
    False
    """
    answered = (*mail.references, *mail.in_reply_to)
    if mail.report:
        return False
    if mail.bounce:
        return any(id_ in known for id_ in mail.returned or answered)
    renamed = mail.from_odoo and not mail.in_reply_to and mail.references[-1:]
    if mail.message_id in known or (renamed and renamed[0] in known):
        return False
    return any(known.get(id_) for id_ in answered)


def guess_imap_host(smtp_host: str) -> str:
    """The host where the mailbox of an SMTP account probably is.

    >>> guess_imap_host("smtp.mailbox.example"), guess_imap_host("mail.a.example")
    ('imap.mailbox.example', 'mail.a.example')
    """
    known = _MAILBOX_HOSTS.get(smtp_host.lower())
    return known or _SMTP_HOST.sub("imap.", smtp_host)


def _ids(message: Message, name: str) -> tuple[str, ...]:
    """The message ids in a header; some clients fold them in their middle."""
    header = str(message[name] or "")
    return tuple("".join(id_.split()) for id_ in _MESSAGE_ID.findall(header))


def _original(part: Message) -> Message | None:
    """The mail that a part of a bounce returns, ``None`` for any other part."""
    if part.get_content_type() == "text/rfc822-headers":
        return message_from_bytes(part.get_payload(decode=True) or b"")
    payload = part.get_payload()
    if part.get_content_type() == "message/rfc822" and isinstance(payload, list):
        return payload[0]
    return None
