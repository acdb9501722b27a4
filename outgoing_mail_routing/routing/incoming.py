"""The way back: which mails of a mailbox answer mail of Odoo's.

RFC 5322, section 3.6.4 (Message-ID, In-Reply-To, References), RFC 6522
(``multipart/report``) and RFC 3464 (delivery status notifications).

Anybody may write to a mailbox. Nothing here relies on what a mail says of itself being
well formed, or takes much longer for a header of a megabyte; whoever calls
:func:`read_headers` and :func:`read_bounce` still has to expect any error of Python's
parser, such as one of recursion, and to leave that one mail where it is.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parseaddr

#: The headers that :func:`read_headers` looks at, to be asked of a mail server.
HEADERS = (
    *("Message-ID", "In-Reply-To", "References"),
    *("From", "Content-Type", "X-Odoo-Objects"),
)
#: As core's ``message_route``: of a long thread only the latest are looked up.
_MAX_REFERENCES = 32
_MESSAGE_ID = re.compile(r"<[^<>]+>")
# One that is encoded has asterisks, and its charset before the text (RFC 2231)
_REPORT_TYPE = re.compile(
    r"report-type(?:\*\d*)*\s*=[\s\"]*(?:[\w-]*'[\w-]*')?([\w-]+)", re.IGNORECASE
)
# RFC 2047, section 2; white space between two of them is none of the text
_ENCODED_WORD = re.compile(
    r"(=\?[^?\s]+\?[bq]\?[^?]*\?=)(?:\s+(?==\?))?", re.IGNORECASE
)
_ACTION = re.compile(r"^action\s*:\s*([\w-]+)", re.IGNORECASE | re.MULTILINE)
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_SMTP_HOST = re.compile(r"^smtps?\d*\.", re.IGNORECASE)
_MAILBOX_HOSTS = {
    "smtp.office365.com": "outlook.office365.com",
    "smtp-mail.outlook.com": "outlook.office365.com",
}

#: Services that take mail by SMTP, from logins that are no mailboxes.
_SENDING_ONLY = (
    *("amazonaws.com", "brevo.com", "elasticemail.com", "mailersend.net"),
    *("mailgun.org", "mailjet.com", "mandrillapp.com", "postmarkapp.com"),
    *(
        "resend.com",
        "sendgrid.net",
        "sendinblue.com",
        "smtp2go.com",
        "sparkpostmail.com",
    ),
)


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """What the headers of a mail in a mailbox say about the mail it answers.

    ``references`` and ``in_reply_to`` are the ids in the headers of these names;
    ``returned`` those of the mail that a ``bounce`` brings back. ``structured`` says
    that it is a ``multipart/report``, ``report`` that it is one of another kind than
    of a failure, such as a receipt. ``sender`` is the address in From, in lower case,
    and ``from_odoo`` says that some Odoo made the mail.
    """

    message_id: str = ""
    references: tuple[str, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    sender: str = ""
    bounce: bool = False
    structured: bool = False
    report: bool = False
    from_odoo: bool = False

    @property
    def mentioned(self) -> set[str]:
        """All the ids that tell whether the mail is for Odoo."""
        ids = (self.message_id, *self.references, *self.in_reply_to, *self.returned)
        return {id_ for id_ in ids if id_}


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A message of Odoo's: whether it stands on a document, and who is in it.

    ``emails`` are the addresses, in lower case, of those who are in the message or
    follow its document. They are asked for only where :func:`answers_a_stranger`.
    """

    answerable: bool = False
    emails: frozenset[str] = field(default_factory=frozenset)


def read_headers(raw: bytes) -> IncomingMail:
    """What the headers of a mail say; a mail without any answers nothing.

    >>> read_headers(b"In-Reply-To: <1@odoo.example>\\r\\n\\r\\n").in_reply_to
    ('<1@odoo.example>',)
    >>> read_headers(b"From: Mailer <MAILER-DAEMON@mx.example>\\r\\n\\r\\n").bounce
    True
    """
    # the body is not parsed, and neither are parameters such as the boundary
    message = BytesHeaderParser().parsebytes(raw)
    structured = message.get_content_type() == "multipart/report"
    kind = _REPORT_TYPE.search(_text(message, "Content-Type"))
    of_failure = kind is None or kind[1].lower() == "delivery-status"
    sender = _sender(message)
    report = structured and not of_failure
    by_daemon = sender.partition("@")[0] == "mailer-daemon"
    return IncomingMail(
        message_id="".join(_ids(message, "Message-ID")[:1]),
        references=_ids(message, "References"),
        in_reply_to=_ids(message, "In-Reply-To"),
        sender=sender,
        # as core's _detect_is_bounce tells them
        bounce=not report and (structured or by_daemon),
        structured=structured,
        report=report,
        from_odoo="X-Odoo-Objects" in message,
    )


def read_bounce(mail: IncomingMail, raw: bytes) -> IncomingMail:
    """Add what a bounce returns, the original mail or its headers, and what it is.

    One that tells of a delay or of a delivery, and of no failure, is a report like
    another (RFC 3464, section 2.3.3). One whose parts cannot be told from each other
    returns nothing, and core could not read it either.

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
    try:
        parts = list(_parts(message_from_bytes(raw)))
    except (TypeError, ValueError):
        return replace(mail, structured=False)
    actions = {
        action.lower()
        for part in parts
        if part.get_content_type() in _STATUS_TYPES
        for action in _ACTION.findall(_status_text(part))
    }
    if actions and "failed" not in actions:
        return replace(mail, bounce=False, report=True)
    for part in parts:
        # as core, which looks at the first one only
        if (original := _original(part)) is not None:
            # Exchange keeps there the id that it put another in the place of
            renamed = _ids(original, "X-Microsoft-Original-Message-ID")
            return replace(mail, returned=_ids(original, "Message-ID") + renamed)
    return mail


def read_summary(raw: bytes) -> tuple[str, str]:
    """From and subject of a mail, as far as they can be read.

    >>> read_summary(b"From: b@b.example\\r\\nSubject: =?utf-8?q?=E2=82=AC?=")
    ('b@b.example', '€')
    """
    message = BytesHeaderParser().parsebytes(raw)
    return _text(message, "From"), _text(message, "Subject")


def answers_a_stranger(mail: IncomingMail, known: Mapping[str, KnownMessage]) -> bool:
    """Whether a mail in a thread of Odoo's answers one that Odoo does not know.

    Somebody forwarded a message of Odoo's, for example, and is answered alone. What it
    answers stands in In-Reply-To, or else last in References (RFC 5322, section 3.6.4).

    >>> mail = IncomingMail(in_reply_to=("<2@private.example>",),
    ...                     references=("<1@odoo.example>", "<2@private.example>"))
    >>> answers_a_stranger(mail, {"<1@odoo.example>": KnownMessage(True)})
    True
    """
    # Odoo puts there the own id of a mail
    references = mail.references[:-1] if mail.from_odoo else mail.references
    answered = mail.in_reply_to or references[-1:]
    return bool(answered) and known.keys().isdisjoint(answered)


def is_for_odoo(mail: IncomingMail, known: Mapping[str, KnownMessage]) -> bool:
    """Whether a mail answers one of Odoo's, or is a bounce of one.

    A bounce that returns the original is told by the original alone: what somebody
    answered on their own, in a thread that Odoo began, is not Odoo's when it comes
    back. Without the original only a ``multipart/report`` is one: core can make nothing
    of any other. An answer to somebody else's mail is Odoo's only from who is in the
    message of Odoo's that it refers to.

    Odoo's own mail refers to messages of Odoo's too, but answers nothing: it is
    known by its id, or, where a relay gave it another one, by its own id standing last
    in References, where core puts it.

    :param known: the messages of Odoo's by their ids

    >>> known = {"<1@odoo.example>": KnownMessage(True),
    ...          "<2@odoo.example>": KnownMessage()}
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
        by_thread = answered if mail.structured else ()
        return any(id_ in known for id_ in mail.returned or by_thread)
    renamed = mail.from_odoo and not mail.in_reply_to and mail.references[-1:]
    if mail.message_id in known or (renamed and renamed[0] in known):
        return False
    messages = [known[id_] for id_ in answered if id_ in known]
    stranger = answers_a_stranger(mail, known)
    return any(
        message.answerable and (not stranger or mail.sender in message.emails)
        for message in messages
    )


def guess_imap_host(smtp_host: str) -> str:
    """The host where the mailbox of an SMTP account probably is.

    >>> guess_imap_host("smtp.mailbox.example"), guess_imap_host("mail.a.example")
    ('imap.mailbox.example', 'mail.a.example')
    """
    known = _MAILBOX_HOSTS.get(smtp_host.lower())
    return known or _SMTP_HOST.sub("imap.", smtp_host)


def is_sending_only(smtp_host: str) -> bool:
    """Whether a host is that of a service which sends mail and keeps no mailboxes.

    >>> is_sending_only("email-smtp.eu-west-1.amazonaws.com")
    True
    >>> is_sending_only("smtp.mailbox.example")
    False
    """
    host = smtp_host.lower().rstrip(".")
    return any(host == name or host.endswith(f".{name}") for name in _SENDING_ONLY)


def _text(message: Message, name: str) -> str:
    """The text of all headers of a name, decoded as core does (RFC 2047)."""
    return " ".join(_decoded(str(text)) for text in message.get_all(name, ()))


def _decoded(text: str) -> str:
    return _ENCODED_WORD.sub(_decoded_word, text)


def _decoded_word(word: re.Match[str]) -> str:
    try:
        return str(make_header(decode_header(word[1])))
    except (LookupError, ValueError, MessageError):
        return word[0]  # encoded as nobody can read


def _sender(message: Message) -> str:
    """The address in From, in lower case.

    A name is decoded after the address is found, for it may hold a comma; some encode
    the address too.
    """
    address = ""
    for text in (str(message["From"] or ""), _text(message, "From")):
        try:
            address = parseaddr(text)[1].lower()
        except (IndexError, RecursionError, TypeError, ValueError):
            continue  # Python's parser gives up on some texts
        if "@" in address:
            break
    return address


def _ids(message: Message, name: str) -> tuple[str, ...]:
    """The latest message ids in headers; some clients fold them in their middle.

    What no id may have in it, and no database takes, is none of Odoo's.
    """
    found = _MESSAGE_ID.findall(_text(message, name))
    ids = ("".join(id_.split()) for id_ in found[-_MAX_REFERENCES:])
    return tuple(id_ for id_ in ids if id_.isprintable())


def _parts(message: Message) -> Iterator[Message]:
    """The parts of a mail, but not those of a mail that it returns."""
    yield message
    if message.get_content_maintype() == "multipart":
        for part in _subparts(message):
            yield from _parts(part)


def _subparts(part: Message) -> list[Message]:
    """What Python's parser took apart; the text of any other part is not asked for.

    ``get_payload`` would decode it, and fails where parameters are wrong.
    """
    payload = part.get_payload() if part.is_multipart() else []
    return [subpart for subpart in payload if isinstance(subpart, Message)]


def _status_text(part: Message) -> str:
    """The fields of a delivery status: Python's parser takes each group for a mail."""
    groups = _subparts(part)
    if not groups:
        return _content(part).decode("utf-8", "replace")
    lines = [f"{name}: {value}" for group in groups for name, value in group.items()]
    body = b"".join(map(_content, groups))
    if str(part["Content-Transfer-Encoding"] or "").strip().lower() == "base64":
        body = _from_base64(body)
    return "\n".join([*lines, body.decode("utf-8", "replace")])


def _from_base64(text: bytes) -> bytes:
    try:
        return b64decode(text)
    except ValueError:
        return b""


def _content(part: Message) -> bytes:
    """The content of a part; its charset, which may be none, is not asked for."""
    del part["Content-Type"]
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _original(part: Message) -> Message | None:
    """The mail that a part of a bounce returns, ``None`` for any other part.

    Of the types that core knows; those of RFC 6533 it does not.
    """
    kind = part.get_content_type()
    if kind == "text/rfc822-headers":
        return BytesHeaderParser().parsebytes(_content(part))
    if kind == "message/rfc822":
        return next(iter(_subparts(part)), None)
    return None
