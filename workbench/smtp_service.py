"""Real SMTP servers in the background, which note every mail that they receive.

Run as ``python -m workbench.smtp_service FOLDER`` it takes its accounts from standard
input, listens until it is ended, and writes into the folder:

* ``service.json``, once it listens: its process and the ports,
* ``received.jsonl``: a line for each mail, with its login, envelope and headers,
* ``mails/``: the mails themselves.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from . import paths, processes
from .steps import StepFailed, step, tail

MODULE = "workbench.smtp_service"
START_SECONDS = 30.0
STOP_SECONDS = 5.0
#: Passwords by login, by the name of the server that holds the accounts.
Accounts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class ReceivedMail:
    """A mail as an SMTP server received it; headers are decoded texts."""

    server: str
    login: str
    envelope_sender: str
    recipients: tuple[str, ...]
    subject: str
    email_from: str
    reply_to: str
    return_path: str
    file: str


@dataclass(frozen=True)
class SmtpService:
    """The running servers; ``ports`` by the names that their accounts were given."""

    folder: Path
    pid: int
    ports: Mapping[str, int]

    @property
    def alive(self) -> bool:
        """Whether the process still runs (and its number was not given to another)."""
        return processes.is_running(self.pid, MODULE, str(self.folder))

    def received(self) -> list[ReceivedMail]:
        """Return all mails received since the start, in their order."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.folder / "received.jsonl").read_text().splitlines()
            return [_received_mail(json.loads(line)) for line in lines]
        return []

    def stop(self) -> None:
        """End the process; one that is gone already is fine. The mails are kept."""
        known_by = (MODULE, str(self.folder))
        processes.end(self.pid, *known_by, seconds=STOP_SECONDS)
        (self.folder / "service.json").unlink(missing_ok=True)


def find_running(folder: Path) -> SmtpService | None:
    """Return the service that writes into a folder and still runs, if any."""
    try:
        state = json.loads((folder / "service.json").read_text())
        found = SmtpService(folder, state["pid"], state["ports"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.alive else None


def start(python: Path, folder: Path, accounts: Accounts) -> SmtpService:
    """Start the servers in a process of their own; what the folder held is removed.

    They go on running when the workbench ends, until :meth:`SmtpService.stop`.

    :raise StepFailed: they do not listen in time
    """
    earlier = find_running(folder)
    if earlier:
        earlier.stop()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "mails").mkdir(parents=True)
    title = f"Start {len(accounts)} SMTP servers that demand logins"
    with (
        step(title),
        open(folder / "service.log", "wb") as log,
        tempfile.TemporaryFile(dir=folder) as given,
    ):
        given.write(json.dumps(accounts).encode())
        given.seek(0)
        process = subprocess.Popen(
            [str(python), "-m", MODULE, str(folder)],
            stdin=given,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=paths.REPO,
            start_new_session=True,
        )
        return _await_service(process, folder, title)


def _await_service(
    process: subprocess.Popen[bytes], folder: Path, title: str
) -> SmtpService:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        service = find_running(folder)
        if service:
            return service
        time.sleep(0.05)
    process.kill()
    raise StepFailed(
        title,
        f"they do not listen\n{tail(folder / 'service.log')}",
        "See that the loopback interface is up, then start again.",
    )


def _received_mail(values: dict[str, Any]) -> ReceivedMail:
    return ReceivedMail(**{**values, "recipients": tuple(values["recipients"])})


# What follows runs in the background process.


class _Notebook:
    """Writes down what the servers receive; they run in threads of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.lock = threading.Lock()

    def note(self, server: str, mail: Any, content: bytes) -> None:
        """Keep a mail and a line about it.

        :param mail: a ``ReceivedMail`` of the addon's ``smtp_server``
        :param content: the mail to the letter
        """
        with self.lock:
            self.count += 1
            file = f"mails/{self.count:03}-{server}.eml"
            (self.folder / file).write_bytes(content)
            received = ReceivedMail(
                server=server,
                login=mail.login,
                envelope_sender=mail.mail_from,
                recipients=mail.rcpt_tos,
                subject=mail.header("Subject"),
                email_from=mail.header("From"),
                reply_to=mail.header("Reply-To"),
                return_path=mail.header("Return-Path"),
                file=file,
            )
            with open(self.folder / "received.jsonl", "a") as lines:
                lines.write(json.dumps(asdict(received)) + "\n")


def _load_smtp_server() -> ModuleType:
    """Import the addon's SMTP server from its file: the addon itself needs Odoo."""
    name, file = "smtp_server", paths.ADDON / "tests" / "smtp_server.py"
    spec = importlib.util.spec_from_file_location(name, file)
    if not (spec and spec.loader):
        raise ImportError(file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _noting_server(
    module: ModuleType, name: str, logins: Mapping[str, str], notebook: _Notebook
) -> Any:
    """Return a server that notes each mail before it says that it has it."""

    class NotingServer(module.SmtpServer):  # type: ignore[name-defined,misc]
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> Any:
            answer = await super().handle_DATA(server, session, envelope)
            notebook.note(name, self.received[-1], envelope.content)
            self.clear()
            return answer

    return NotingServer(dict(logins))


def main(folder: Path) -> None:
    """Listen until the process is ended."""
    accounts = json.load(sys.stdin)
    module, notebook = _load_smtp_server(), _Notebook(folder)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.ExitStack() as servers:
        ports = {}
        for name, logins in accounts.items():
            server = _noting_server(module, name, logins, notebook)
            ports[name] = servers.enter_context(server).port
        state = json.dumps({"pid": os.getpid(), "ports": ports})
        partial = folder / "service.json.partial"
        partial.write_text(state)
        partial.rename(folder / "service.json")
        ended.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
