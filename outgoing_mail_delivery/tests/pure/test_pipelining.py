"""Servers that offer PIPELINING, and forget what goes behind a command or a text."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from ...delivery.types import Scope
from .carriers import ListCarrier, carry, keys, message, scope


class ForgetfulServer:
    """Reads a text, forgets what came together with it, and answers.

    :param commands: whether it does so behind each command as well
    """

    def __init__(self, commands: bool) -> None:
        self._commands = commands
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listening.getsockname()
        self.texts = 0

    def __enter__(self) -> ForgetfulServer:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listening.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listening.accept()
                threading.Thread(
                    target=self._serve, args=(client,), daemon=True
                ).start()

    def _serve(self, client: socket.socket) -> None:
        self._rest = b""
        with client, contextlib.suppress(OSError, EOFError):
            client.sendall(b"220 Hi\r\n")
            while line := self._part(client, b"\r\n", self._commands):
                verb = line[:4].decode().upper()
                client.sendall(b"250-Hi\r\n250 PIPELINING\r\n" * (verb == "EHLO"))
                client.sendall(b"354 Go on\r\n" * (verb == "DATA"))
                if verb == "DATA":
                    self._part(client, b"\r\n.\r\n", True)
                    self.texts += 1
                client.sendall(b"250 Ok\r\n" * (verb != "EHLO"))

    def _part(self, client: socket.socket, end: bytes, forgets: bool) -> bytes:
        while end not in self._rest:
            more = client.recv(1 << 16)
            if not more:
                raise EOFError
            self._rest += more
        part, _end, rest = self._rest.partition(end)
        self._rest = b"" if forgets else rest
        return part


@pytest.mark.parametrize(
    ("commands", "sent_before"), [(True, 0), (False, 1)], ids=["command", "text"]
)
def test_server_that_forgets_what_is_pipelined_is_asked_one_by_one(
    commands: bool, sent_before: int
) -> None:
    with ForgetfulServer(commands) as server:
        carrier = ListCarrier([message(1), message(2), message(3)])
        ending = carry(server, carrier)  # type: ignore[arg-type]
        assert (ending.accepted, server.texts) == (sent_before, sent_before)
        assert not ending.pipelines
        assert scope(ending) is Scope.SESSION
        assert [(each.key, each.interrupted) for each in ending.left] == [
            (sent_before + 1, 0)
        ]
        again = ListCarrier([*ending.left, *carrier.waiting])
        ending = carry(server, again, pipelining=ending.pipelines)  # type: ignore[arg-type]
        assert (keys(ending), ending.verdict, server.texts) == ([], None, 3)
