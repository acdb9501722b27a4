"""Run SMTP servers in a process of their own, until it is ended.

``python -m smtp_server FOLDER`` takes its servers from standard input, as JSON: by the
name of each its ``accounts``, which are passwords by login, its ``rules`` and whether
it offers ``tls``. Null instead of accounts makes one that takes every mail without a
login and keeps none. It writes into the folder

* ``ports.json``: their ports by name,
* ``listening``: nothing, once all of them listen,
* ``received.jsonl``: a line for each mail, with server, login, envelope and file,
* ``forsaken.jsonl``: the same for each mail whose client never got its answer,
* ``mails/``: the mails themselves.

Each is written before the client is answered. A process that is started again goes on
with the same ports and files.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smtp_server import ReceivedMail, Rule, SmtpServer
from smtp_server.tls import self_signed_context


class Journal:
    """Writes down what the servers receive; they run in threads of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self.mails = folder / "mails"
        self.mails.mkdir(parents=True, exist_ok=True)
        self.count = sum(1 for _ in self.mails.iterdir())
        ports = folder / "ports.json"
        self.ports = json.loads(ports.read_text()) if ports.is_file() else {}

    def note(self, server: str, mail: ReceivedMail, lines: str) -> None:
        """Keep a mail, and a line about it in a file."""
        with self.lock:
            self.count += 1
            file = self.mails / f"{self.count:03}-{server}.eml"
            file.write_bytes(mail.content)
            facts = {
                "server": server,
                "login": mail.login,
                "mail_from": mail.mail_from,
                "rcpt_tos": mail.rcpt_tos,
                "message_id": mail.header("Message-Id"),
                "file": str(file.relative_to(self.folder)),
            }
            with open(self.folder / lines, "a") as opened:
                opened.write(json.dumps(facts) + "\n")

    def server(self, name: str, setup: Mapping[str, Any]) -> SmtpServer:
        """Return a server that notes each mail before it says that it has it."""
        accounts = setup["accounts"]

        def keep(mail: ReceivedMail) -> None:
            if accounts is not None:
                self.note(name, mail, "received.jsonl")

        server = SmtpServer(
            accounts,
            keep=keep,
            forsake=lambda mail: self.note(name, mail, "forsaken.jsonl"),
            tls=self_signed_context() if setup.get("tls") else None,
            port=self.ports.get(name, 0),
        )
        for rule in setup.get("rules", ()):
            server.script.add(Rule.of_json(rule))
        return server


def main(folder: Path) -> None:
    """Listen until the process is ended."""
    setups, journal = json.load(sys.stdin), Journal(folder)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.ExitStack() as running:
        ports = {
            name: running.enter_context(journal.server(name, setup)).port
            for name, setup in setups.items()
        }
        (folder / "ports.json").write_text(json.dumps(ports))
        (folder / "listening").touch()
        ended.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
