"""Servers that are hostile, broken or slow: replies and texts end, or the session."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from smtp_server import tls

from ...delivery.connection import Connection, Over, Timeouts, answer_of
from ...delivery.types import Phase
from .carriers import QUICK, ListCarrier, carry, message

Reply = Callable[[socket.socket], None]
WELL = (b"220 Hi", b"250 Hi", b"250 Ok", b"250 Ok", b"354 Go on", b"250 Accepted")


class RawServer:
    """Says what it is told to, whatever it is asked.

    :param replies: in their order, the greeting first; then it hangs up
    """

    def __init__(self, *replies: bytes | Reply) -> None:
        self._replies = replies
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listening.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.heard = b""

    def __enter__(self) -> RawServer:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listening.close()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        client, _address = self._listening.accept()
        with client, contextlib.suppress(OSError):
            for number, reply in enumerate(self._replies):
                if number:
                    self.heard += client.recv(1 << 16)
                if callable(reply):
                    reply(client)
                else:
                    client.sendall(reply + b"\r\n")
            while more := client.recv(1 << 16):
                self.heard += more


def endless(part: bytes, every: float = 0.0) -> Reply:
    """A reply that goes on until the other side hangs up."""

    def reply(client: socket.socket) -> None:
        while True:
            client.sendall(part)
            time.sleep(every)

    return reply


def carried(
    number: int, reply: bytes | Reply, timeouts: Timeouts = QUICK
) -> tuple[str, ListCarrier]:
    """Carry a message to a server with one reply of its own; return what became of it.

    :param number: of the reply, the greeting's is 0
    """
    replies = (*WELL[:number], reply, *WELL[number + 1 :])
    carrier = ListCarrier([message(1)])
    with RawServer(*replies) as server:
        carry(server, carrier, pipelining=False, timeouts=timeouts)  # type: ignore[arg-type]
    return carrier.outcomes["r1@x.example"], carrier


@pytest.mark.parametrize(
    ("number", "expected"),
    [(2, "deferred server"), (3, "deferred server"), (5, "unknown message")],
)
@pytest.mark.parametrize(
    "reply",
    [endless(b"250-and\r\n"), endless(b"250-" + b"x" * 4000 + b"\r\n"), endless(b"x")],
    ids=["of lines", "of long lines", "without lines"],
)
def test_endless_reply_ends_the_session(
    number: int, expected: str, reply: Reply
) -> None:
    started = time.monotonic()
    patient = Timeouts(command=30, data=30, final=30, quit=1)
    outcome, _carrier = carried(number, reply, patient)
    assert outcome.startswith(expected)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("part", [b"2", b"250-x\r\n"])
def test_reply_that_drips_is_given_its_time_once(part: bytes) -> None:
    started = time.monotonic()
    outcome, _carrier = carried(5, endless(part, every=0.1))
    assert outcome == "unknown message connection"
    assert time.monotonic() - started < 3


def test_reply_comes_in_a_shape_that_a_database_keeps() -> None:
    lines = b"".join(b"550-%s\r\n" % (b"x" * 500) for _ in range(100))
    outcome, carrier = carried(3, lines + b"550 5.1.1 No\0body \xff")
    assert outcome == "refused recipient address"
    (attempt,) = carrier.results[0].attempts
    assert len(attempt.answer.text) < 5000
    _outcome, carrier = carried(3, b"550 5.1.1 No\0body \xff")
    (attempt,) = carrier.results[0].attempts
    assert attempt.answer.text == "5.1.1 No\ufffdbody \ufffd"


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPConnectError(554, b"No\0" + b"x" * 9000),
        smtplib.SMTPResponseException(554, "No\0" + "x" * 9000),
        OSError("No\0" + "x" * 9000),
    ],
)
def test_failure_to_open_is_kept_in_such_a_shape_too(error: Exception) -> None:
    text = answer_of(error).text
    assert text.startswith("No\ufffdx") and len(text) < 5000


def test_half_a_refusal_is_not_read_as_another() -> None:
    def cut(client: socket.socket) -> None:
        client.sendall(b"554 5.7.1 <a@x.example>: Relay acc")  # ess denied: ours
        client.shutdown(socket.SHUT_WR)

    assert carried(3, cut)[0] == "deferred server connection"


@pytest.mark.parametrize("code", [b"999", b"100", b"2x0", b"-25", b"", b"600", b"0"])
def test_reply_that_is_none_of_smtp_is_no_verdict(code: bytes) -> None:
    assert carried(2, code + b" Hi")[0] == "deferred server connection"
    assert carried(5, code + b" Hi")[0] == "unknown message connection"


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_reply_cut_at_any_byte_is_never_taken_for_more(number: int) -> None:
    whole = WELL[number] + b"\r\n"
    for length in range(len(whole)):

        def cut(client: socket.socket, length: int = length) -> None:
            client.sendall(whole[:length])
            client.shutdown(socket.SHUT_WR)

        outcome, carrier = carried(number, cut)
        assert (("intent", 1) in carrier.events) is (number == 5)
        if number < 5:
            assert outcome.startswith("deferred server")
        else:
            assert outcome.startswith("sent" if length >= 3 else "unknown")


# ----------------------------------------------------------------------
# Texts
# ----------------------------------------------------------------------


@pytest.fixture
def line() -> Iterator[tuple[smtplib.SMTP, socket.socket]]:
    """Both ends of a connection that holds little."""
    ours, theirs = socket.socketpair()
    smtp = smtplib.SMTP(timeout=60)
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 13)
        smtp.sock = ours
        yield smtp, theirs


def test_text_that_is_read_slowly_is_given_its_time_once(
    line: tuple[smtplib.SMTP, socket.socket],
) -> None:
    smtp, theirs = line

    def read() -> None:
        with contextlib.suppress(OSError):
            while theirs.recv(1 << 11):
                time.sleep(0.02)

    threading.Thread(target=read, daemon=True).start()
    connection = Connection(smtp, QUICK)
    started = time.monotonic()
    with pytest.raises(Over) as over:
        connection.send_text(b"x" * (1 << 18), b".\r\n")
    connection.close()
    assert (over.value.answer.phase, over.value.answer.text) == (
        Phase.DATA,
        "timed out",
    )
    assert time.monotonic() - started < 3


def test_dot_that_tls_may_have_carried_is_known_to_be_under_way(
    line: tuple[smtplib.SMTP, socket.socket],
) -> None:
    """What stands behind the dot is stuck, and the text has arrived all the same."""
    smtp, theirs = line
    got: list[bytes] = []
    context = tls.self_signed_context()

    def read() -> None:
        with context.wrap_socket(theirs, server_side=True) as server:
            got.append(server.recv(1 << 14))
            stuck.wait(10)

    stuck = threading.Event()
    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    smtp.sock = tls.trusting_context().wrap_socket(
        smtp.sock, server_hostname="localhost"
    )
    connection = Connection(smtp, replace(QUICK, block=1))
    with pytest.raises(Over) as over:
        connection.send_text(b"Hi\r\n", b".\r\n" + b"RCPT\r\n" * 20_000)
    stuck.set()
    reading.join()
    assert got[0].startswith(b"Hi\r\n.\r\n")
    assert over.value.answer.phase is Phase.MESSAGE
