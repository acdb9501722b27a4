"""A real SMTP server that takes everything and keeps nothing: postfix's smtp-sink."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator

from workbench import paths
from workbench.postgres import free_port
from workbench.steps import StepFailed, tail
from workbench.system_packages import find_program

BACKLOG = 100
READY_SECONDS = 10.0


@contextlib.contextmanager
def running() -> Iterator[int]:
    """Run smtp-sink on loopback; give its port.

    :raise StepFailed: it does not start
    """
    port = free_port()
    program = str(find_program("smtp-sink") or "smtp-sink")
    # it refuses to run with root's rights
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    log_file = paths.LOGS / "benchmark-smtp-sink.log"
    with open(log_file, "wb") as log:
        process = subprocess.Popen(
            [program, *user, f"127.0.0.1:{port}", str(BACKLOG)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
        )
    try:
        if not _answers(process, port):
            raise StepFailed(
                "Start smtp-sink",
                tail(log_file),
                "See that postfix's smtp-sink runs on this machine.",
            )
        yield port
    finally:
        process.terminate()
        process.wait()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it greets; False when it ended or stays silent."""
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                return connection.recv(3) == b"220"
        time.sleep(0.05)
    return False
