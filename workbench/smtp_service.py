"""SMTP servers in the background, which note every mail that they receive."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from smtp_server import ReceivedMail

from . import background
from .background import Background

#: Passwords by login, by the name of the server that holds the accounts; None for a
#: server that takes every mail and keeps none.
Accounts = Mapping[str, Mapping[str, str] | None]


@dataclass(frozen=True)
class NotedMail(ReceivedMail):
    """A mail, the name of the server that received it, and the file that holds it."""

    server: str = ""
    file: str = ""


@dataclass(frozen=True)
class SmtpService:
    """The running servers, and the folder that they write into."""

    folder: Path
    process: Background

    @property
    def ports(self) -> dict[str, int]:
        """The ports by the names that their accounts were given."""
        ports: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        return ports

    def received(self) -> list[NotedMail]:
        """Return all mails received since the start, in their order."""
        journal = self.folder / "received.jsonl"
        lines = journal.read_text().splitlines() if journal.is_file() else []
        return [self._noted(**json.loads(line)) for line in lines]

    def _noted(
        self, server: str, login: str, mail_from: str, rcpt_tos: list[str], file: str
    ) -> NotedMail:
        content = (self.folder / file).read_bytes()
        recipients = tuple(rcpt_tos)
        return NotedMail(
            login, mail_from, recipients, content, server=server, file=file
        )

    def stop(self) -> None:
        """End the process; one that is gone already is fine. The mails are kept."""
        self.process.stop()


def find_running(folder: Path) -> SmtpService | None:
    """Return the service that writes into a folder and still runs, if any."""
    found = background.find(folder / "service.json")
    return SmtpService(folder, found) if found else None


def start(folder: Path, accounts: Accounts) -> SmtpService:
    """Start the servers in a process of their own; what the folder held is removed.

    They go on running when the workbench ends, until :meth:`SmtpService.stop`.

    :raise StepFailed: they do not listen in time
    """
    if earlier := find_running(folder):
        earlier.stop()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryFile(dir=folder) as given:
        given.write(json.dumps(accounts).encode())
        given.seek(0)
        process = background.start(
            [sys.executable, "-m", "smtp_server", folder],
            folder / "service.json",
            {},
            title=f"Start {len(accounts)} SMTP servers",
            log=folder / "service.log",
            ready=(folder / "ports.json").is_file,
            stdin=given,
        )
    return SmtpService(folder, process)
