"""SMTP servers in the background, which note every mail that they receive."""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from smtp_server import ReceivedMail

from . import background

#: Passwords by login, by the name of the server that holds the accounts; None for a
#: server that takes every mail and keeps none.
Accounts = Mapping[str, Mapping[str, str] | None]


@dataclass(frozen=True)
class SmtpService:
    """The servers that write into a folder."""

    folder: Path

    @property
    def ports(self) -> dict[str, int]:
        """The ports by the names that their accounts were given."""
        return dict(json.loads((self.folder / "ports.json").read_text()))

    def received(self) -> list[ReceivedMail]:
        """Return all mails received since the start, in their order."""
        journal = self.folder / "received.jsonl"
        lines = journal.read_text().splitlines() if journal.is_file() else []
        return [
            ReceivedMail(
                noted["login"],
                noted["mail_from"],
                tuple(noted["rcpt_tos"]),
                (self.folder / noted["file"]).read_bytes(),
            )
            for noted in map(json.loads, lines)
        ]

    def start(self, accounts: Accounts) -> None:
        """Start the servers in a process of their own; what the folder held is removed.

        They go on running when the workbench ends, until :meth:`stop`.
        """
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        with tempfile.TemporaryFile() as given:
            given.write(json.dumps(accounts).encode())
            given.seek(0)
            background.start(
                [sys.executable, "-m", "smtp_server", self.folder],
                *self._marks,
                title=f"Start {len(accounts)} SMTP servers",
                ready=(self.folder / "ports.json").is_file,
                stdin=given,
            )

    def stop(self) -> bool:
        """End the servers; return whether they ran. The mails are kept."""
        return background.stop(*self._marks)

    @property
    def _marks(self) -> tuple[str, Path]:
        return "smtp_server", self.folder
