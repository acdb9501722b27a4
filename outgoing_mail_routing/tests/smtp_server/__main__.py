"""Run SMTP servers in a process of their own, until it is ended.

``python -m smtp_server FOLDER`` takes its accounts from standard input, as JSON:
passwords by login, by the name of the server; null instead of accounts makes one that
takes every mail without a login and keeps none. It writes into the folder

* ``ports.json``, once all of them listen: their ports by name,
* ``received.jsonl``: a line for each mail, with server, login, envelope and file,
* ``mails/``: the mails themselves.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from smtp_server import ReceivedMail, SmtpServer


class Journal:
    """Writes down what the servers receive; they run in threads of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.lock = threading.Lock()
        (folder / "mails").mkdir(parents=True, exist_ok=True)

    def note(self, server: str, mail: ReceivedMail) -> None:
        """Keep a mail and a line about it."""
        with self.lock:
            self.count += 1
            file = f"mails/{self.count:03}-{server}.eml"
            (self.folder / file).write_bytes(mail.content)
            facts = {
                "server": server,
                "login": mail.login,
                "mail_from": mail.mail_from,
                "rcpt_tos": mail.rcpt_tos,
                "file": file,
            }
            with open(self.folder / "received.jsonl", "a") as lines:
                lines.write(json.dumps(facts) + "\n")

    def server(self, name: str, accounts: Mapping[str, str] | None) -> SmtpServer:
        """Return a server that notes each mail before it says that it has it."""
        if accounts is None:
            return SmtpServer(None, keep=lambda mail: None)
        return SmtpServer(accounts, keep=lambda mail: self.note(name, mail))


def main(folder: Path) -> None:
    """Listen until the process is ended."""
    accounts, journal = json.load(sys.stdin), Journal(folder)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.ExitStack() as running:
        ports = {
            name: running.enter_context(journal.server(name, logins)).port
            for name, logins in accounts.items()
        }
        partial = folder / "ports.json.partial"
        partial.write_text(json.dumps(ports))
        partial.rename(folder / "ports.json")
        ended.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
