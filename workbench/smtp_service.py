"""SMTP servers in the background, which note every mail that they receive."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smtp_server import ReceivedMail, Rule

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
        return [
            ReceivedMail(
                noted["login"],
                noted["mail_from"],
                tuple(noted["rcpt_tos"]),
                (self.folder / noted["file"]).read_bytes(),
            )
            for noted in self.noted("received.jsonl")
        ]

    def count(self) -> int:
        """How many mails they have received."""
        file = self.folder / "received.jsonl"
        return file.read_bytes().count(b"\n") if file.is_file() else 0

    def noted(self, name: str) -> list[dict[str, Any]]:
        """Return what the lines of a file say of mails: see :mod:`smtp_server`."""
        file = self.folder / name
        lines = file.read_text().splitlines() if file.is_file() else []
        return [json.loads(line) for line in lines]

    def start(
        self,
        accounts: Accounts,
        rules: Mapping[str, Sequence[Rule]] | None = None,
        tls: bool = False,
    ) -> None:
        """Start the servers in a process of their own; what the folder held is removed.

        They go on running when the workbench ends, until :meth:`stop`.

        :param rules: the scripts of those that misbehave
        :param tls: whether they offer STARTTLS
        """
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        setups = {
            name: {
                "accounts": logins,
                "rules": [rule.as_json() for rule in (rules or {}).get(name, ())],
                "tls": tls,
            }
            for name, logins in accounts.items()
        }
        self._setups.write_text(json.dumps(setups))
        self.start_again()

    def start_again(self) -> None:
        """Start servers that were stopped, on the same ports; their mails are kept."""
        count = len(json.loads(self._setups.read_text()))
        with open(self._setups) as given:
            background.start(
                [sys.executable, "-m", "smtp_server", self.folder],
                *self._marks,
                title=f"Start {count} SMTP servers",
                ready=self._ready.is_file,
                stdin=given,
            )

    def stop(self) -> bool:
        """End the servers; return whether they ran. The mails are kept."""
        self._ready.unlink(missing_ok=True)
        return background.stop(*self._marks)

    @property
    def _ready(self) -> Path:
        """A file that is there while the servers listen."""
        return self.folder / "listening"

    @property
    def _setups(self) -> Path:
        return self.folder / "setups.json"

    @property
    def _marks(self) -> tuple[str, Path]:
        return "smtp_server", self.folder
