"""No mail that anybody can write keeps the others of a mailbox from being read."""

from __future__ import annotations

from collections.abc import Iterable
from poplib import error_proto

import pytest

from ...models.replies_connection import ImapReplies, PopReplies, RepliesConnection
from ...routing.incoming import (
    IncomingMail,
    KnownMessage,
    read_bounce,
    read_headers,
    read_summary,
)
from .fuzzed_mails import ANSWER, BOUNCE, CUSTOMER, NAMED, OURS, fuzzed_mails

KNOWN = {OURS: KnownMessage(answerable=True, emails=frozenset({CUSTOMER}))}


class ImapMailbox:
    """As much of a mailbox over IMAP as the connection asks for."""

    def __init__(self, mails: list[bytes]) -> None:
        self.mails = dict(enumerate(mails, start=1))
        self.seen: set[int] = set()

    def select(self, _folder: str) -> tuple[str, list[bytes]]:
        return "OK", [b"%d" % len(self.mails)]

    def response(self, code: str) -> tuple[str, list[bytes | None]]:
        numbers = {"UIDVALIDITY": 1, "UIDNEXT": len(self.mails) + 1}
        return code, [b"%d" % numbers[code] if code in numbers else None]

    def uid(self, command: str, *args: str) -> tuple[str, list[object]]:
        if command == "SEARCH":
            numbers = [str(n) for n in self.mails if n not in self.seen]
            return "OK", [" ".join(numbers).encode()]
        if command == "STORE":
            self.seen.add(int(args[0]))
            return "OK", [None]
        answers: list[object] = []
        for number in map(int, args[0].split(",")):
            text = self.mails[number]
            if "HEADER" in args[1]:
                text = _header_of(text)
            answers += [(b"1 (UID %d BODY[] {%d}" % (number, len(text)), text), b")"]
        return "OK", answers

    def logout(self) -> None:
        pass


class PopMailbox:
    """As much of a mailbox over POP as the connection asks for."""

    def __init__(self, mails: list[bytes]) -> None:
        self.mails = dict(enumerate(mails, start=1))
        self.seen: set[int] = set()

    def stat(self) -> tuple[int, int]:
        return len(self.mails), 0

    def uidl(self) -> tuple[bytes, list[bytes], int]:
        raise error_proto(b"-ERR unknown command")

    def top(self, number: int, lines: int) -> tuple[bytes, list[bytes], int]:
        text = self.mails[number] if lines else _header_of(self.mails[number])
        return b"+OK", text.splitlines(), len(text)

    def retr(self, number: int) -> tuple[bytes, list[bytes], int]:
        return b"+OK", self.mails[number].splitlines(), 0

    def handled_message(self, number: int) -> None:
        self.seen.add(number)

    def quit(self) -> None:
        pass


def _header_of(mail: bytes) -> bytes:
    return mail.replace(b"\r\n", b"\n").partition(b"\n\n")[0] + b"\n\n"


def _find_known(mails: Iterable[IncomingMail]) -> dict[str, KnownMessage]:
    """As a database does: ids that it cannot store raise there."""
    mentioned = {id_ for mail in mails for id_ in mail.mentioned}
    for id_ in mentioned:
        assert "\0" not in id_
        id_.encode()
    return {id_: KNOWN[id_] for id_ in mentioned if id_ in KNOWN}


@pytest.mark.parametrize("name", NAMED)
def test_named_mails_are_read(name: str) -> None:
    read_bounce(read_headers(NAMED[name]), NAMED[name])
    read_summary(NAMED[name])


@pytest.mark.parametrize(
    "name",
    ["charset as a triple", "charset of what is returned", "charset of a status"],
)
def test_bounce_with_unreadable_text_names_what_it_returns(name: str) -> None:
    raw = NAMED[name]
    assert read_bounce(read_headers(raw), raw).returned == (OURS,)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_of_any_mail_can_be_looked_up(seed: int) -> None:
    for raw in fuzzed_mails(seed, 500):
        read_summary(raw)
        mail = read_headers(raw)
        try:
            mail = read_bounce(mail, raw)
        except RecursionError:
            continue  # the connection leaves it
        _find_known([mail])


@pytest.mark.parametrize(
    ("layer", "mailbox_type"), [(ImapReplies, ImapMailbox), (PopReplies, PopMailbox)]
)
@pytest.mark.parametrize("seed", range(4))
def test_good_mails_are_found_among_any_others(
    layer: type[RepliesConnection],
    mailbox_type: type[ImapMailbox | PopMailbox],
    seed: int,
) -> None:
    others = [*fuzzed_mails(100 + seed, 200), *NAMED.values()]
    middle = len(others) // 2
    good = [ANSWER.encode(), BOUNCE.encode()]
    mailbox = mailbox_type([*others[:middle], *good, *others[middle:]])
    kept: list[dict[str, object]] = []
    connection = layer(mailbox, _find_known, lambda c: kept.append(c.get_place()))
    connection.open("")
    assert connection.check_unread_messages() >= len(good)
    for number, mail in connection.retrieve_unread_messages():
        mail.note_posted()
        connection.handled_message(number)
    connection.disconnect()
    assert mailbox.seen >= {middle + 1, middle + 2}
    assert not connection.left
    assert len(kept) == 1
