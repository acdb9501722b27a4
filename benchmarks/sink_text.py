"""Reading the text of a message to its end, without keeping it."""

from __future__ import annotations

import re

#: As much of a text is kept as may hold its headers.
HEAD = 1 << 14
END = b"\r\n.\r\n"
_MESSAGE_ID = re.compile(rb"^Message-Id:\s*(\S+)", re.I | re.M)


class TextReader:
    r"""Reads a text up to its final dot (RFC 5321, 4.1.1.4), however it comes in.

    >>> reader, buffer = TextReader(), bytearray(b"Message-Id: <1@x>\r\n\r\nHello\r\n.")
    >>> reader.read(buffer)
    False
    >>> buffer += b"\r\nMAIL FROM:<a@x>\r\n"
    >>> reader.read(buffer), reader.message_id, bytes(buffer)
    (True, b'<1@x>', b'MAIL FROM:<a@x>\r\n')
    """

    def __init__(self) -> None:
        self._head = bytearray()

    def read(self, buffer: bytearray) -> bool:
        """Take the text out of a buffer; return whether it has ended."""
        end = buffer.find(END)
        taken = end if end >= 0 else max(0, len(buffer) - len(END) + 1)
        if len(self._head) < HEAD:
            self._head += buffer[: min(taken, HEAD)]
        del buffer[: taken + (len(END) if end >= 0 else 0)]
        return end >= 0

    @property
    def message_id(self) -> bytes:
        """The text's Message-ID, nothing where it has none."""
        found = _MESSAGE_ID.search(self._head)
        return found.group(1) if found else b""
