"""Servers that are hostile, broken or slow: replies and texts end, or the session."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from smtp_server import tls

from ...delivery.connection import Connection, Over
from ...delivery.types import Phase
from .carriers import QUICK


@pytest.fixture
def line() -> Iterator[tuple[smtplib.SMTP, socket.socket]]:
    """Both ends of a connection that holds little."""
    ours, theirs = socket.socketpair()
    smtp = smtplib.SMTP()
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
