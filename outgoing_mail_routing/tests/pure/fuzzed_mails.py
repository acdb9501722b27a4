"""Mails as anybody may write them: a few of each shape, and what becomes of them.

All of them are made up here, and so are their domains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

OURS = "<1-openerp-7-res.partner@odoo.example>"
CUSTOMER = "b@customer.example"

ANSWER = f"""Message-ID: <good-answer@customer.example>
From: Bea <{CUSTOMER}>
In-Reply-To: {OURS}
References: <0@odoo.example> {OURS}
Content-Type: text/plain; charset=utf-8

Yes, please.
"""

_STATUS = """Reporting-MTA: dns; mx.customer.example

Final-Recipient: rfc822; b@customer.example
Action: {action}
Status: 5.1.1
"""


def _report(
    returned: str,
    part: str = "message/rfc822",
    action: str = "failed",
    parameters: str = "report-type=delivery-status",
) -> str:
    """A delivery status notification (RFC 3464)."""
    return f"""Message-ID: <good-bounce@mx.customer.example>
From: Mail System <MAILER-DAEMON@mx.customer.example>
MIME-Version: 1.0
Content-Type: multipart/report; {parameters}; boundary="=_1"

--=_1
Content-Type: text/plain; charset=utf-8

No such user.

--=_1
Content-Type: message/delivery-status

{_STATUS.format(action=action)}
--=_1
Content-Type: {part}

{returned}
--=_1--
"""


_RETURNED = f"Message-ID: {OURS}\nFrom: a@odoo.example\nSubject: Offer\n\nHello\n"
BOUNCE = _report(_RETURNED)

_CORPUS = (
    ANSWER,
    BOUNCE,
    _report(_RETURNED.partition("\n\n")[0], "text/rfc822-headers"),
    _report(_RETURNED, action="delayed"),
    _report(_RETURNED, parameters='report-type=" delivery-status"'),
    _report("Message-ID: =?utf-8?q?=3C1=40odoo=2Eexample=3E?=\n\n"),
    _report("=?utf-8?b?broken?=", "message/global"),
    "From: =?utf-8?q?M=C3=BCller=2C_Bea?= <b@customer.example>\n"
    f"In-Reply-To: =?us-ascii?q?{OURS.replace('<', '=3C').replace('>', '=3E')}?=\n\nHi",
    f"From: MAILER-DAEMON\nSubject: failure notice\n\nHi. This is qmail.\n{OURS}\n",
    "From: a@news.example\nContent-Type: multipart/alternative; boundary=b\n\n"
    "--b\nContent-Type: text/plain; charset=latin-1\n\nNews\n"
    "--b\nContent-Type: text/html; charset=none\n\n<p>News\n--b--\n",
    "Subject: nothing\n\n",
    "",
)

#: Each raised in Python's parser at some time, or took very long
NAMED = {
    "parameters twice": b"Content-Type: text/plain; a*=x; a*0=y\r\n\r\nHi",
    "parameters twice in a report": b"Content-Type: multipart/report; a*=x; a*0=y; "
    b"boundary=b\r\n\r\n--b\r\n\r\nHi\r\n--b--\r\n",
    "charset as a triple": BOUNCE.replace(
        "text/plain; charset=utf-8", "text/plain; charset*=utf-8''utf-8"
    )
    .replace("No such user", "Kein Empfänger")
    .encode(),
    "charset of what is returned": _report(
        f"Message-ID: {OURS}\nX: ä", "text/rfc822-headers; charset*=utf-8''utf-8"
    ).encode(),
    "charset of a status": BOUNCE.replace(
        "delivery-status\n\n", "delivery-status; charset*=utf-8''utf-8\n\nä\n\n"
    ).encode(),
    "status in no base64": BOUNCE.replace(
        "delivery-status\n\n",
        "delivery-status\nContent-Transfer-Encoding: base64\n\n=A=\n\n",
    ).encode(),
    "zero bytes": f"In-Reply-To: <\0{OURS}\0>\r\n\r\n".encode(),
    "encoded zero byte": b"In-Reply-To: <=?utf-8?q?=00?=@a.example>\r\n\r\n",
    "encoded surrogate": b"In-Reply-To: <=?unicode_escape?q?=5Cud800?=@a>\r\n\r\n",
    "no text encoding": b"From: =?rot13?q?a?= <a@a.example>\r\n\r\n",
    "broken base64": b"Message-ID: =?utf-8?b?A?=\r\n\r\n",
    "comments": b"From: " + b"(" * 5000 + b"\r\n\r\n",
    "encoded words without end": b"References: " + b"=?a?q?" * 100_000 + b"\r\n\r\n",
    "ids without end": b"References: " + b"<a" * 300_000 + b"\r\n\r\n",
    "many ids": b"References: " + b"<a@a.example> " * 50_000 + b"\r\n\r\n",
}


def _cut(random: Random, mail: bytes) -> bytes:
    start, end = _place(random, mail)
    return mail[:start] + mail[end:]


def _repeat(random: Random, mail: bytes) -> bytes:
    start, end = _place(random, mail)
    return mail[:end] + mail[start:end] * random.randrange(1, 5) + mail[end:]


def _insert(random: Random, mail: bytes) -> bytes:
    start, _end = _place(random, mail)
    return mail[:start] + random.randbytes(random.randrange(1, 9)) + mail[start:]


def _spoil(random: Random, mail: bytes) -> bytes:
    """Put in something that means something to a parser."""
    start, _end = _place(random, mail)
    piece = random.choice(
        (b"\0", b"\xff", b"\r\n", b"\n\n", b"<", b">", b"=?", b"?=", b"(", b'"', b";")
        + (b"\r", b" \n", b"--=_1", b"=?utf-8?q?=00?=", b"\xc3\xa4", b"*0=", b":")
    )
    return mail[:start] + piece + mail[start:]


def _add_parameter(random: Random, mail: bytes) -> bytes:
    parameter = random.choice(
        (
            b"; a*=x; a*0=y",
            b"; charset*=utf-8''utf-8",
            b"; charset*0*=''",
            b"; =",
            b";;",
        )
        + (
            b"; boundary*=utf-8''%FF",
            b"; report-type*0=delivery-; x",
            b"; charset=\xff",
        )
    )
    types = (b"text/plain", b"multipart/report", b"message/rfc822", b"rfc822-headers")
    kind = random.choice(types)
    return mail.replace(kind, kind + parameter, random.randrange(1, 3))


def _spoil_boundary(random: Random, mail: bytes) -> bytes:
    spoiled = random.choice((b"--=", b"--", b"--=_1--", b"", b"--=_1 x"))
    return mail.replace(b"--=_1", spoiled, random.randrange(1, 4))


def _transfer(random: Random, mail: bytes) -> bytes:
    """Claim another encoding of a part."""
    encoding = random.choice((b"base64", b"quoted-printable", b"uuencode", b"\xff"))
    header = b"\nContent-Transfer-Encoding: " + encoding + b"\nContent-Type: "
    return mail.replace(b"\nContent-Type: ", header, random.randrange(1, 5))


def _nest(random: Random, mail: bytes) -> bytes:
    """Put it into parts of parts, at times deeper than any parser goes."""
    depth = random.choice((1, 3, 30, 400))
    kind = random.choice((b"multipart/mixed; boundary=n%d", b"message/rfc822"))
    levels = []
    for level in range(depth):
        levels.append(b"Content-Type: " + (kind % level if b"%" in kind else kind))
        levels.append(b"\n--n%d" % level if b"%" in kind else b"")
    head, _blank, _rest = mail.partition(b"\n\n")
    return head.replace(b"Content-Type", b"X") + b"\n" + b"\n".join([*levels, mail])


def _add_huge_header(random: Random, mail: bytes) -> bytes:
    name = random.choice((b"References", b"From", b"In-Reply-To", b"Content-Type"))
    piece = random.choice(
        (b"<a@a.example> ", b"=?a?q?", b"(", b'"', b"; a*0=x", b"\xff")
    )
    return name + b": " + piece * random.randrange(1000, 20_000) + b"\n" + mail


_MUTATIONS: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(_cut, _repeat, _insert, _spoil, _add_parameter, _spoil_boundary, _transfer) * 4,
    *(_nest, _add_huge_header),
)


def _place(random: Random, mail: bytes) -> tuple[int, int]:
    start = random.randrange(len(mail) + 1)
    return start, min(len(mail), start + random.randrange(1, 40))


def fuzzed_mails(seed: int, count: int) -> Iterator[bytes]:
    """Mails of the corpus, each changed a few times; the same for the same seed."""
    random = Random(seed)
    for _number in range(count):
        mail = random.choice(_CORPUS).encode()
        if random.randrange(2):
            mail = mail.replace(b"\n", b"\r\n")
        for _time in range(random.randrange(1, 5)):
            mail = random.choice(_MUTATIONS)(random, mail)
        yield mail
