"""The SMTP servers of a measure, from outside: :mod:`benchmarks.sink`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from workbench import paths
from workbench.steps import StepFailed

TITLE = "Receive mail"
#: How often is looked for what has arrived, in seconds.
POLL = 0.1


class Sinks:
    """Servers in a process of their own, by their names.

    :param setups: the arguments of :class:`benchmarks.sink.Sink` for each
    """

    def __init__(self, setups: Mapping[str, Mapping[str, Any]]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sink"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=paths.REPO,
            text=True,
        )
        self.ports: dict[str, int] = self._ask(json.dumps(setups))

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(timeout=10)

    def tally(self) -> dict[str, dict[str, Any]]:
        """What each server received: :meth:`benchmarks.sink.Sink.tally`."""
        return dict(self._ask("tally"))

    def forget(self) -> None:
        """Have all count anew."""
        self._ask("forget")

    def release(self) -> None:
        """Have those that hang close their connections."""
        self._ask("release")

    @property
    def connections(self) -> int:
        """How many connections all servers were opened."""
        return sum(each["connections"] for each in self.tally().values())

    @property
    def taken_at(self) -> list[float]:
        """When the messages were taken, in their order (``time.monotonic``)."""
        tally = self.tally().values()
        return sorted(moment for each in tally for moment in each["taken_at"])

    def wait_for(self, messages: int, seconds: float) -> None:
        """Wait until so many messages were taken.

        :raise StepFailed: fewer were in that time
        """
        deadline = time.monotonic() + seconds
        while (taken := len(self.taken_at)) < messages:
            if time.monotonic() > deadline:
                what = f"{taken} of {messages} messages came in {seconds:.0f} s"
                raise StepFailed(TITLE, what, "Look at the logs of the benchmark.")
            time.sleep(POLL)

    def _ask(self, line: str) -> Any:
        self._process.stdin.write(f"{line}\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        return json.loads(self._process.stdout.readline())  # type: ignore[union-attr]


@contextlib.contextmanager
def receiving(*setups: Mapping[str, Any]) -> Iterator[Sinks]:
    """Run a server for each of these arguments; they are named by their numbers."""
    sinks = Sinks({str(number): setup for number, setup in enumerate(setups)})
    try:
        yield sinks
    finally:
        sinks.close()
