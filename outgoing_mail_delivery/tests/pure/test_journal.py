"""Nothing is handed over twice, whatever the order of events and whoever dies.

The sessions are real; the server, the database and the processes are models, so that
each can fail between any two steps. ``DELIVERY_EXAMPLES`` in the environment sets the
number of random histories.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from ...delivery.journal import after_death, may_follow, may_offer
from ...delivery.session import Allowance, Session
from ...delivery.types import Message, Outcome, Result, Scope
from .model_server import Died, Fate, ModelServer

Recipient = tuple[str, str]


@dataclass
class Attempt:
    """A row of the journal."""

    run: int
    outcome: Outcome


@dataclass
class Database:
    """What is committed: claims, and attempts by message and recipient."""

    claims: dict[str, int] = field(default_factory=dict)
    journal: dict[Recipient, list[Attempt]] = field(default_factory=dict)

    def outcomes(self, recipient: Recipient) -> list[Outcome]:
        """All outcomes of a recipient."""
        return [attempt.outcome for attempt in self.journal.get(recipient, [])]

    def write_intent(self, run: int, key: str, recipients: tuple[str, ...]) -> bool:
        """Write ``sending`` where the claim still stands."""
        if self.claims.get(key) != run:
            return False
        for name in recipients:
            attempts = self.journal.setdefault((key, name), [])
            attempts.append(Attempt(run, Outcome.SENDING))
        return True

    def write_answer(self, run: int, result: Result) -> None:
        """Write what became of each recipient."""
        key = str(result.message.key)
        for attempt in result.attempts:
            rows = self.journal.setdefault((key, attempt.recipient), [])
            outcome = attempt.verdict.outcome
            mine = [row for row in rows if row.run == run and row is rows[-1]]
            if mine and may_follow(mine[0].outcome, outcome):
                mine[0].outcome = outcome
            elif self.claims.get(key) == run:
                rows.append(Attempt(run, outcome))

    def recover(self, run: int) -> None:
        """Settle what a run left behind whose lease is over."""
        for rows in self.journal.values():
            for row in rows:
                if row.run == run:
                    row.outcome = after_death(row.outcome)
        self.claims = {key: who for key, who in self.claims.items() if who != run}


class Run:
    """A run's side of a session: what it claimed, and the database."""

    def __init__(
        self, number: int, database: Database, messages: list[Message]
    ) -> None:
        self.number = number
        self.database = database
        self.messages = messages
        self.interfere: Callable[[], None] = lambda: None
        self.dies_at = -1
        self._steps = 0

    def step(self) -> None:
        """Between two steps anything may happen, death too."""
        self._steps += 1
        self.interfere()
        if self._steps == self.dies_at:
            raise Died

    def take(self, wait: float) -> Message | None:
        self.step()
        return self.messages.pop(0) if self.messages else None

    def intent(self, message: Message, recipients: tuple[str, ...]) -> bool:
        self.step()
        key = str(message.key)
        granted = self.database.write_intent(self.number, key, recipients)
        self.step()
        return granted

    def answer(self, result: Result, followed: bool) -> None:
        self.step()
        self.database.write_answer(self.number, result)
        self.step()


def history(misfortunes: dict[int, Fate]) -> list[Fate]:
    """The fates of a session's replies, of which most are well."""
    last = max(misfortunes, default=-1)
    return [misfortunes.get(number, Fate.WELL) for number in range(last + 1)]


histories = st.dictionaries(st.integers(0, 25), st.sampled_from(Fate), max_size=4).map(
    history
)


class Delivery(RuleBasedStateMachine):
    """Runs that claim, carry, die, are taken for dead and go on all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ModelServer()
        self.database = Database()
        self.recipients: dict[str, tuple[str, ...]] = {}
        self.runs = 0

    @initialize(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=5))
    def mails_wait(self, sizes: list[int]) -> None:
        for number, size in enumerate(sizes):
            names = tuple(f"r{number}-{n}@x.example" for n in range(size))
            self.recipients[f"m{number}"] = names

    @precondition(lambda self: len(self.recipients) < 12)
    @rule(size=st.integers(1, 3))
    def a_mail_comes(self, size: int) -> None:
        number = len(self.recipients)
        names = tuple(f"r{number}-{n}@x.example" for n in range(size))
        self.recipients[f"m{number}"] = names

    def due(self) -> list[Message]:
        """What nobody has claimed, for those who may be offered it."""
        found = []
        for key, names in self.recipients.items():
            open_ = tuple(
                name for name in names if may_offer(self.database.outcomes((key, name)))
            )
            if open_ and key not in self.database.claims:
                text = f"{key}\r\n\r\nHi\r\n".encode()
                found.append(Message(key, "office@a.example", open_, text))
        return found

    def claim(self, most: int) -> Run:
        """A new run with its claims."""
        self.runs += 1
        messages = self.due()[:most]
        for message in messages:
            self.database.claims[str(message.key)] = self.runs
        return Run(self.runs, self.database, messages)

    @rule(
        most=st.integers(1, 5),
        fates=histories,
        dies_at=st.integers(-1, 20),
        stolen_at=st.integers(0, 30),
        pipelining=st.booleans(),
    )
    def run_carries(
        self,
        most: int,
        fates: list[Fate],
        dies_at: int,
        stolen_at: int,
        pipelining: bool,
    ) -> None:
        """A run carries; amid it, it may die, or be taken for dead and go on."""
        run = self.claim(most)
        run.dies_at = dies_at
        steps = 0

        def interfere() -> None:
            nonlocal steps
            steps += 1
            if steps == stolen_at:
                self.database.recover(run.number)
                other = self.claim(most)
                self.carry(other, [], pipelining)
                self.database.recover(other.number)

        run.interfere = interfere
        self.carry(run, fates, pipelining)
        self.database.recover(run.number)

    def carry(self, run: Run, fates: list[Fate], pipelining: bool) -> None:
        """Sessions, one after the other, until one ends in trouble or none is left."""
        left = True
        with contextlib.suppress(Died):
            while left:
                connection = self.server.connect(fates, pipelining)
                fates = []
                allowance = Allowance(idle=0)
                ending = Session(connection, run, allowance=allowance).run()
                run.messages += ending.left
                left = bool(run.messages) and (
                    ending.verdict is None or ending.verdict.scope is Scope.SESSION
                )

    @invariant()
    def nothing_was_handed_over_twice(self) -> None:
        assert all(count == 1 for count in self.server.has.values())

    @invariant()
    def books_agree(self) -> None:
        for key, names in self.recipients.items():
            for name in names:
                has = (key, name) in self.server.has
                outcomes = self.database.outcomes((key, name))
                if Outcome.SENT in outcomes:
                    assert has
                if has:
                    assert not may_offer(outcomes)
                    assert outcomes[-1] in (Outcome.SENT, Outcome.UNKNOWN)

    def teardown(self) -> None:
        """All that waits still goes, where nothing happens any more."""
        for _ in range(3):
            if not self.due():
                break
            run = self.claim(100)
            self.carry(run, [], True)
            self.database.recover(run.number)
        assert self.due() == []


EXAMPLES = int(os.environ.get("DELIVERY_EXAMPLES", "200"))

TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("fate", [Fate.LOST, Fate.CUT, Fate.DIES_AFTER])
@pytest.mark.parametrize("at", range(12))
def test_every_step_of_two_messages_may_be_the_last(
    pipelining: bool, fate: Fate, at: int
) -> None:
    delivery = Delivery()
    delivery.mails_wait([2, 1])
    delivery.carry(
        run := delivery.claim(5), [Fate.WELL] * at + [fate], pipelining=pipelining
    )
    delivery.database.recover(run.number)
    delivery.nothing_was_handed_over_twice()
    delivery.books_agree()
    delivery.teardown()
