"""Small SMTP servers that take everything and keep only counts, in one process.

Started as ``python -m benchmarks.sink``. They are no more than what is needed, so
that it is the client that is measured: PIPELINING (RFC 2920), SIZE and 8BITMIME are
offered, no login is asked for, and no mail is kept. The first line on standard input
says in JSON what servers there are, by their names: the arguments of :class:`Sink`. The
answer is one line with their ports. Each further line is one of these, answered by one
line:

* ``tally``: what each received, :meth:`Sink.tally`
* ``forget``: count anew, and misbehave as at first
* ``release``: close the connections that hang, and each new one
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from .sink_text import TextReader

GREETING = b"220 sink ready\r\n"
OFFER = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 8BITMIME\r\n"
TAKEN = b"250 2.0.0 taken\r\n"
OK, TEXT_PLEASE, BYE = b"250 2.1.0 ok\r\n", b"354 go ahead\r\n", b"221 bye\r\n"
UNKNOWN = b"500 5.5.2 unknown\r\n"
ANSWERS = {
    **dict.fromkeys((b"EHLO", b"HELO"), OFFER),
    **dict.fromkeys((b"MAIL", b"RCPT", b"RSET", b"NOOP"), OK),
    b"DATA": TEXT_PLEASE,
    b"QUIT": BYE,
}


class Sink:
    """One server, and what it received.

    :param round_trip: seconds that what passes needs, there and back
    :param silent: it takes connections and never says a word
    :param hangs: it never answers after the final dot
    :param thinks: seconds until it answers the final dot
    """

    def __init__(
        self,
        round_trip: float = 0.0,
        silent: bool = False,
        hangs: bool = False,
        thinks: float = 0.0,
    ) -> None:
        self.way = round_trip / 2
        self.silent = silent
        self.hangs = hangs
        self.thinks = thinks
        self.released = False
        self.waiting: set[asyncio.Transport] = set()
        self.forget()

    def forget(self) -> None:
        """Count anew."""
        self.connections = 0
        self.taken_at: list[float] = []
        self.message_ids: Counter[bytes] = Counter()
        self.released = False

    def release(self) -> None:
        """Close the connections that wait for an answer, and each new one."""
        self.released = self.silent or self.hangs
        for transport in self.waiting:
            transport.close()
        self.waiting.clear()

    def tally(self) -> dict[str, Any]:
        """What was received: connections, messages, and when (``time.monotonic``)."""
        return {
            "connections": self.connections,
            "messages": len(self.taken_at),
            "different": len(self.message_ids),
            "taken_at": self.taken_at,
        }


class Session(asyncio.Protocol):
    """One connection, each half of the round trip later."""

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self._sink = sink
        self._loop = loop
        self._buffer = bytearray()
        self._text: TextReader | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._sink.connections += 1
        if self._sink.released:
            transport.close()
        elif self._sink.silent:
            self._sink.waiting.add(transport)
        else:
            self._later(self._sink.way, transport.write, GREETING)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        self._sink.waiting.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends."""
        self._later(self._sink.way, self._read, data)

    def _later(self, seconds: float, do: Callable[[bytes], Any], data: bytes) -> None:
        if seconds:
            self._loop.call_later(seconds, do, data)
        else:
            do(data)

    def _read(self, data: bytes) -> None:
        self._buffer += data
        answers = b""
        while self._buffer:
            answer = self._read_text() if self._text else self._read_command()
            if answer is None:
                break
            answers += answer
        if answers:
            self._later(self._sink.way, self._say, answers)

    def _say(self, answers: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(answers)
        if answers.endswith(BYE):
            self._transport.close()

    def _read_command(self) -> bytes | None:
        """The answer to a command, ``None`` where it is not there as a whole."""
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        verb = bytes(self._buffer[:4]).upper()
        del self._buffer[: end + 2]
        if verb == b"DATA":
            self._text = TextReader()
        return ANSWERS.get(verb, UNKNOWN)

    def _read_text(self) -> bytes | None:
        """The answer to a text, ``None`` where it has not ended, or there is none."""
        assert self._text is not None
        if not self._text.read(self._buffer):
            return None
        message_id, self._text = self._text.message_id, None
        if self._sink.hangs:
            self._sink.waiting.add(self._transport)
            return None
        self._sink.taken_at.append(time.monotonic())
        self._sink.message_ids[message_id] += 1
        if self._sink.thinks:
            self._later(self._sink.thinks, self._say, TAKEN)
            return b""
        return TAKEN


async def serve() -> None:
    """Listen, and do what standard input says until it ends."""
    loop = asyncio.get_running_loop()
    sinks = {
        name: Sink(**options)
        for name, options in json.loads(sys.stdin.readline()).items()
    }
    listening = {
        name: await loop.create_server(partial(Session, sink, loop), "127.0.0.1", 0)
        for name, sink in sinks.items()
    }
    ports = {name: it.sockets[0].getsockname()[1] for name, it in listening.items()}
    print(json.dumps(ports), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        done = {name: getattr(sink, line.strip())() for name, sink in sinks.items()}
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
