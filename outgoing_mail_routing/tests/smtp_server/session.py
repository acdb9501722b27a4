"""One SMTP session: aiosmtpd's, with the script's word before each of its stages."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from aiosmtpd.smtp import SMTP

from .script import Answer, Close, Script, Stage

COMMANDS = {stage.value: stage for stage in Stage}


class ScriptedSession(SMTP):
    """A session that plays a script, and behaves where the script says nothing."""

    def __init__(self, script: Script, *arguments: Any, **options: Any) -> None:
        self._script = script
        super().__init__(*arguments, **options)
        for command, method in self._smtp_methods.items():
            if stage := COMMANDS.get(command):
                played = functools.partial(self._command, stage, method)
                self._smtp_methods[command] = played

    async def _handle_client(self) -> None:
        if await self.plays(Stage.CONNECT):
            await super()._handle_client()

    async def _command(
        self, stage: Stage, method: Callable[[Any], Awaitable[None]], argument: Any
    ) -> None:
        envelope = self._envelope_words() if stage is Stage.DATA else ""
        if await self.plays(stage, argument or envelope):
            await method(argument)

    def _envelope_words(self) -> str:
        """The envelope as its commands named it, for rules about one recipient."""
        envelope = self.envelope
        if envelope is None:
            return ""
        recipients = " ".join(f"TO:<{address}>" for address in envelope.rcpt_tos)
        return f"FROM:<{envelope.mail_from}> {recipients}"

    async def plays(self, stage: Stage, argument: str = "") -> bool:
        """Play what the script has for a stage; return whether the session behaves.

        :param argument: of the command
        """
        answer = self._script.answer_to(stage, argument)
        if answer is None:
            return True
        await asyncio.sleep(answer.delay)
        if answer.bytes_per_second:
            self._read_slowly(answer.bytes_per_second)
        await self._answer(answer)
        return answer.behaves

    async def end_of_data(
        self, keep: Callable[[], None], forsake: Callable[[], None]
    ) -> str:
        """Play the end of data; return the reply to a complete message.

        :param keep: called once the message counts as received
        :param forsake: called where no whole reply will say what became of it
        """
        words = self._envelope_words()
        answer = self._script.answer_to(Stage.END_OF_DATA, words) or Answer()
        await asyncio.sleep(answer.delay)
        if answer.keeps or answer.behaves or answer.reply.startswith("2"):
            keep()
        if answer.silent or answer.characters >= 0 or answer.close is not Close.NO:
            if answer.silent or answer.characters >= 0 or not answer.reply:
                forsake()
            await self._answer(answer)
            await asyncio.Event().wait()  # until the connection is gone
        return answer.reply or "250 Message accepted for delivery"

    async def _answer(self, answer: Answer) -> None:
        if answer.silent:
            await asyncio.Event().wait()
        if answer.characters >= 0:
            self._writer.write(answer.reply[: answer.characters].encode())
        elif answer.reply:
            await self.push(answer.reply)
        transport: Any = self.transport
        if answer.close is Close.PLAIN:
            transport.close()
        elif answer.close is Close.RESET:
            transport.abort()

    def _read_slowly(self, bytes_per_second: int) -> None:
        """Let the client's data pile up, but for a little at a time."""
        reader: Any = self._reader
        read = reader.readuntil

        async def slowly(separator: bytes = b"\n") -> bytes:
            line: bytes = await read(separator)
            await asyncio.sleep(len(line) / bytes_per_second)
            return line

        reader.readuntil = slowly
