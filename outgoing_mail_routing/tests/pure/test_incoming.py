"""Which mails of a mailbox are for Odoo, and where a mailbox may be."""

from __future__ import annotations

import pytest

from ...routing.incoming import (
    IncomingMail,
    KnownMessage,
    guess_imap_host,
    is_for_odoo,
    read_bounce,
    read_headers,
)

OURS = "<1-openerp-7-res.partner@odoo.example>"
PRIVATE_MESSAGE = "<2-openerp-private@odoo.example>"
GONE = "<3-openerp-8-res.partner@odoo.example>"
OTHER = "<x@elsewhere.example>"
CUSTOMER = "b@customer.example"
KNOWN = {
    OURS: KnownMessage(answerable=True, emails=frozenset({CUSTOMER})),
    PRIVATE_MESSAGE: KnownMessage(),
}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (f"In-Reply-To: {OURS}", True),
        (f"in-reply-to: your message {OURS} of Monday", True),
        (f"References: {OTHER} {OURS}", True),
        (f"References: {OTHER}\r\n {OURS}", True),
        (f"References: {OTHER},{OURS}", True),
        (f"References: {OURS[:9]}\r\n {OURS[9:]}", True),
        (f"References: {OURS}\r\nIn-Reply-To: {OTHER}", False),
        (f"From: {CUSTOMER}\r\nReferences: {OURS}\r\nIn-Reply-To: {OTHER}", True),
        (f"References: {OTHER}\r\nIn-Reply-To: {OURS}", True),
        (f"From: {CUSTOMER}\r\nReferences: {OURS} " + OTHER * 31, True),
        (f"From: {CUSTOMER}\r\nReferences: {OURS} " + OTHER * 32, False),
        (f"References: {PRIVATE_MESSAGE}", False),
        (f"References: {GONE}", False),
        (f"Message-ID: {OURS}\r\nReferences: {OURS}", False),
        (f"X-Odoo-Objects: a-1\r\nReferences: {OTHER} {OURS}", False),
        (f"X-Odoo-Objects: a-1\r\nReferences: {OURS} {OTHER}", True),
        (f"X-Odoo-Objects: a-1\r\nIn-Reply-To: {OURS}\r\nReferences: {OURS}", True),
        ("Subject: nothing", False),
        ("", False),
        ("References: \xff\xfe <", False),
        ("References: <>\r\nIn-Reply-To: >", False),
        (f"From: MAILER-DAEMON@mx.example\r\nReferences: {OURS}", False),
        (f"From: mailer-daemon\r\nIn-Reply-To: {PRIVATE_MESSAGE}", False),
        ("From: MAILER-DAEMON@mx.example", False),
        (f"Content-Type: multipart/report\r\nReferences: {OURS}", True),
        (
            "Content-Type: multipart/report; report-type=feedback-report\r\n"
            f"References: {OURS}",
            False,
        ),
    ],
)
def test_mail_is_for_odoo_by_its_headers(headers: str, expected: bool) -> None:
    mail = read_headers(f"{headers}\r\n\r\n".encode("latin-1"))
    assert is_for_odoo(mail, KNOWN) is expected


def _report(part: str) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.example\n"
        f"References: {OURS}\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="="\n\n'
        "--=\nContent-Type: text/plain\n\nUser unknown\n"
        "--=\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\n"
        f"--=\n{part}"
    ).encode()


@pytest.mark.parametrize(
    ("part", "returned"),
    [
        (f"Content-Type: message/rfc822\n\nMessage-Id: {GONE}\n\nHi\n--=--", (GONE,)),
        (f"Content-Type: message/rfc822\n\nMessage-Id: {GONE}\nSubj", (GONE,)),
        (f"Content-Type: text/rfc822-headers\n\nMessage-Id: {GONE}\n--=--", (GONE,)),
        (
            "Content-Type: message/rfc822\n\n"
            f"Message-Id: {OTHER}\nX-Microsoft-Original-Message-ID: {GONE}\n\nHi",
            (OTHER, GONE),
        ),
        ("Content-Type: message/rfc822\n\nNo headers at all", ()),
        ("Content-Type: message/rfc822", ()),
        ("", ()),
    ],
)
def test_bounce_names_what_it_returns(part: str, returned: tuple[str, ...]) -> None:
    raw = _report(part)
    mail = read_bounce(read_headers(raw), raw)
    assert mail.returned == returned
    assert mail.mentioned == {OURS, *returned}


def test_bounce_is_told_by_what_it_returns_alone() -> None:
    bounce = IncomingMail(bounce=True, references=(OURS,), returned=(OTHER,))
    assert not is_for_odoo(bounce, KNOWN)
    assert is_for_odoo(bounce, {OTHER: KnownMessage()})


@pytest.mark.parametrize(
    ("smtp_host", "imap_host"),
    [
        ("smtp.mailbox.example", "imap.mailbox.example"),
        ("SMTP2.mailbox.example", "imap.mailbox.example"),
        ("smtps.mailbox.example", "imap.mailbox.example"),
        ("smtp.office365.com", "outlook.office365.com"),
        ("mail.mailbox.example", "mail.mailbox.example"),
        ("smtp-relay.mailbox.example", "smtp-relay.mailbox.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("", ""),
    ],
)
def test_imap_host_is_guessed(smtp_host: str, imap_host: str) -> None:
    assert guess_imap_host(smtp_host) == imap_host
