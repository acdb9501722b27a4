"""A line on which what passes takes its time, as between two computing centres."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Line:
    """Passes on what it gets, both ways, each half a round trip later.

    Nothing is slower than that: what is sent together arrives together.

    :param round_trip: seconds there and back
    """

    def __init__(self, round_trip: float) -> None:
        self._delay = round_trip / 2
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    def start(self, host: str, port: int) -> None:
        """Listen for what is meant for a port; its own is known from here on."""
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(
                lambda reader, writer: self._pass(reader, writer, host, port), host, 0
            ),
            self._loop,
        )
        self.port = listening.result(10).sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Close it, with all that passes."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        host: str,
        port: int,
    ) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self._one_way(reader, far_writer), self._one_way(far_reader, writer)
        )

    async def _one_way(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                self._loop.call_later(self._delay, writer.write, data)
        self._loop.call_later(self._delay, writer.close)
