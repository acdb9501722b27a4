"""Misbehaviour, written down: what a server answers at which stage of a session.

A script is a list of rules. At each stage the first rule that fits is played, and a
server without a fitting rule behaves:

>>> script = Script()
>>> script.at(Stage.RCPT, Answer("550 5.1.1 No such user"), matching="nobody@")
>>> script.at(Stage.END_OF_DATA, Answer("451 4.3.0 Try again later"), times=1)
>>> script.answer_to(Stage.RCPT, "TO:<nobody@customer.example>").reply
'550 5.1.1 No such user'
>>> script.answer_to(Stage.RCPT, "TO:<anna@customer.example>")
>>> script.answer_to(Stage.END_OF_DATA).reply
'451 4.3.0 Try again later'
>>> script.answer_to(Stage.END_OF_DATA)

A server that keeps the mail and never says so: ``Answer(silent=True, keeps=True)`` at
the end of data. One that is slow to read: ``Answer(bytes_per_second=1000)`` at DATA.
One that ends a session after its third message: a rule for MAIL with ``after=3``.

A server in a process of its own gets its rules as JSON:

>>> rule = Rule(Stage.MAIL, Answer("421 4.4.2 Bye", close=Close.PLAIN), after=3)
>>> Rule.of_json(rule.as_json()) == rule
True
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


class Stage(enum.Enum):
    """The moments of an SMTP session at which a script may answer."""

    CONNECT = "connect"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END_OF_DATA = "."
    RSET = "RSET"
    QUIT = "QUIT"


class Close(enum.Enum):
    """How a server ends the connection after an answer."""

    NO = "stays open"
    PLAIN = "is closed"
    RESET = "is reset"


@dataclass(frozen=True)
class Answer:
    """What a server does at a stage instead of behaving; parts combine.

    :param reply: the line to answer; empty: what a server that behaves would say
    :param delay: seconds to wait before that
    :param silent: say nothing, and nothing any more on this connection
    :param characters: send only so many of the reply and no line break, -1 for all
    :param close: what becomes of the connection after the reply
    :param bytes_per_second: read no faster from here on, 0 for as fast as it comes
    :param keeps: at the end of data: whether the mail counts as received although the
        reply does not say so
    """

    reply: str = ""
    delay: float = 0.0
    silent: bool = False
    characters: int = -1
    close: Close = Close.NO
    bytes_per_second: int = 0
    keeps: bool = False

    @property
    def behaves(self) -> bool:
        """Whether the server goes on as if there were no script."""
        return not self.reply and not self.silent and self.close is Close.NO


@dataclass(frozen=True)
class Rule:
    """An answer, and when it is played.

    :param matching: a part of the command's argument, as a recipient's address; of the
        envelope at DATA and at the end of data
    :param times: how often it is played, None for always
    :param after: how often the server behaves before
    """

    stage: Stage
    answer: Answer
    matching: str = ""
    times: int | None = None
    after: int = 0

    def fits(self, stage: Stage, argument: str) -> bool:
        """Whether it is about a stage with this argument."""
        return self.stage is stage and self.matching in argument

    def as_json(self) -> dict[str, Any]:
        """Return its values as JSON has them."""
        answer = {**asdict(self.answer), "close": self.answer.close.name}
        return {**vars(self), "stage": self.stage.name, "answer": answer}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Rule:
        """Return the rule of such values."""
        answer = {**values["answer"], "close": Close[values["answer"]["close"]]}
        stage = Stage[values["stage"]]
        return cls(**{**values, "stage": stage, "answer": Answer(**answer)})


@dataclass
class _Playing:
    """A rule, and how often it has fitted."""

    rule: Rule
    fitted: int = 0

    def plays(self, stage: Stage, argument: str) -> bool:
        """Whether it is the rule's turn."""
        rule = self.rule
        if not rule.fits(stage, argument):
            return False
        last = None if rule.times is None else rule.after + rule.times
        if last is not None and self.fitted >= last:
            return False
        self.fitted += 1
        return self.fitted > rule.after


@dataclass
class Script:
    """The rules of one server; tests may change them while it serves."""

    _rules: list[_Playing] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def at(
        self,
        stage: Stage,
        answer: Answer,
        *,
        matching: str = "",
        times: int | None = None,
        after: int = 0,
    ) -> None:
        """Add a rule, after those that are there: see :class:`Rule`."""
        self.add(Rule(stage, answer, matching, times, after))

    def add(self, rule: Rule) -> None:
        """Add a rule, after those that are there."""
        with self._lock:
            self._rules.append(_Playing(rule))

    def clear(self) -> None:
        """Have the server behave again."""
        with self._lock:
            self._rules.clear()

    def answer_to(self, stage: Stage, argument: str = "") -> Answer | None:
        """Return the answer to play now, None where the server behaves."""
        with self._lock:
            for playing in self._rules:
                if playing.plays(stage, argument):
                    return playing.rule.answer
        return None
