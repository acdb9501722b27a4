"""Which mails of a mailbox are for Odoo, and where a mailbox may be."""

from __future__ import annotations

from base64 import b64encode

import pytest

from ...routing.incoming import (
    IncomingMail,
    KnownMessage,
    guess_imap_host,
    is_for_odoo,
    read_bounce,
    read_headers,
    read_summary,
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
        # encoded, and twice, as core reads them
        (f"References: =?us-ascii?q?{OURS.replace('<', '=3C')}?=", True),
        (f"In-Reply-To: =?utf-8?q?{OURS[:9]}?=\r\n =?utf-8?q?{OURS[9:]}?=", True),
        (f"References: {OTHER}\r\nSubject: x\r\nReferences: {OURS}", True),
        (f"In-Reply-To: {OTHER}\r\nIn-Reply-To: {OURS}", True),
        # in a thread of Odoo's, somebody answers somebody else
        (f"References: {OURS} {OTHER}", False),
        (f"From: x@x.example\r\nReferences: {OURS}\r\nIn-Reply-To: {OTHER}", False),
        (f"From: B <{CUSTOMER.upper()}>\r\nReferences: {OURS} {OTHER}", True),
        (
            f"From: =?utf-8?q?M=C3=BCller=2C_B?= <{CUSTOMER}>\r\n"
            f"References: {OURS} {OTHER}",
            True,
        ),
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
        (
            'Content-Type: multipart/report; report-type=" delivery-status"\r\n'
            f"References: {OURS}",
            True,
        ),
        (
            "Content-Type: multipart/report; report-type*=us-ascii''feedback-report\r\n"
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
        (
            "Content-Type: message/rfc822\n\n"
            f"Message-Id: =?utf-8?q?{GONE.replace('<', '=3C').replace('>', '=3E')}?=\n",
            (GONE,),
        ),
        # what core cannot read, RFC 6533
        (f"Content-Type: message/global\n\nMessage-Id: {GONE}\n\nHi\n--=--", ()),
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


def _bounce_with_status(status: str, header: str = "") -> IncomingMail:
    """What is read of a report with such a status, which returns a mail of Odoo's."""
    returned = f"Content-Type: message/rfc822\n\nMessage-Id: {OURS}\n\nHi\n--=--"
    raw = _report(returned).replace(
        b"delivery-status\n\nReporting-MTA: dns; mx\n",
        f"delivery-status\n{header}\n{status}".encode(),
    )
    assert status.encode() in raw
    return read_bounce(read_headers(raw), raw)


@pytest.mark.parametrize(
    ("actions", "taken"),
    [
        (("failed",), True),
        (("Failed",), True),
        (("delivered", "failed"), True),
        (("delayed",), False),
        (("delivered",), False),
        (("relayed", "expanded"), False),
        ((), True),
    ],
)
def test_bounce_is_one_of_a_failed_action(
    actions: tuple[str, ...], taken: bool
) -> None:
    status = "Reporting-MTA: dns; mx\n"
    for action in actions:
        status += f"\nFinal-Recipient: rfc822; b@b.example\nAction : {action} (x)\n"
    assert is_for_odoo(_bounce_with_status(status), KNOWN) is taken


def test_status_is_read_in_its_encoding() -> None:
    status = "Reporting-MTA: dns; mx\n\nFinal-Recipient: b\nAction: delayed\n"
    encoded = b64encode(status.encode()).decode()
    mail = _bounce_with_status(encoded, "Content-Transfer-Encoding: base64\n")
    assert mail.report


def test_text_of_a_mailer_daemon_is_no_bounce() -> None:
    raw = (
        f"From: mailer-daemon@mx.example\nReferences: {OURS}\n\nFailed: {OURS}".encode()
    )
    mail = read_bounce(read_headers(raw), raw)
    assert not is_for_odoo(mail, KNOWN)


@pytest.mark.parametrize(
    ("raw", "summary"),
    [
        (b"From: b\nSubject: =?utf-8?b?w6Q=?= =?utf-8?b?w7Y=?=\n\n", ("b", "äö")),
        (b"Subject: \xff\n\n", ("", "\ufffd")),
        (b"", ("", "")),
    ],
)
def test_summary_is_read(raw: bytes, summary: tuple[str, str]) -> None:
    assert read_summary(raw) == summary


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
