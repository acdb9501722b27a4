"""Threads and sessions of a run against real servers, and what its journal is told."""

from __future__ import annotations

import random
import smtplib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest

from smtp_server import Answer, Close, SmtpServer, Stage, tls

from ...delivery import pool as pool_module
from ...delivery.connection import Timeouts
from ...delivery.events import Answered, Event, Intent, Later, Returned, Trouble
from ...delivery.pool import Pool
from ...delivery.queues import ServerPlan
from ...delivery.session import Allowance
from ...delivery.types import Lane, Message, Outcome, Phase, Scope
from .carriers import message

PATIENT = Timeouts(command=5, data=5, block=5, final=30, quit=1)
LOGIN = {"a@a.example": "right"}


@dataclass
class Books:
    """The journal of a test: every event, and who may be transmitted."""

    forbidden: Collection[object] = ()
    fails_at: int = -1
    events: list[Event] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def note(self, events: Sequence[Event]) -> list[Intent]:
        """Keep the events."""
        if len(self.batches) == self.fails_at:
            raise RuntimeError("the database is gone")
        self.batches.append(len(events))
        self.threads.add(threading.get_ident())
        self.events += events
        intents = [event for event in events if isinstance(event, Intent)]
        return [each for each in intents if each.message.key not in self.forbidden]

    def outcomes(self) -> dict[object, list[Outcome]]:
        """All outcomes of each message, in their order."""
        found: dict[object, list[Outcome]] = {}
        for event in self.of(Answered):
            outcomes = [attempt.verdict.outcome for attempt in event.result.attempts]
            found.setdefault(event.result.message.key, []).extend(outcomes)
        return found

    def of(self, kind: type) -> list:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def last_words(self) -> set[object]:
        """The messages that an answer, or its absence, was the end of."""
        return {
            event.result.message.key
            for event in self.of(Answered)
            for attempt in event.result.attempts
            if attempt.verdict.scope is not Scope.SESSION
        }

    @property
    def sent(self) -> set[object]:
        """The messages that were accepted."""
        outcomes = self.outcomes().items()
        return {key for key, each in outcomes if Outcome.SENT in each}

    @property
    def returned(self) -> list[object]:
        """The messages that were given back."""
        return [each.key for event in self.of(Returned) for each in event.messages]


class Place:
    """A real server, and connections to it that are counted."""

    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self.opened = 0
        self.most = 0
        self._open: set[smtplib.SMTP] = set()
        self._lock = threading.Lock()

    def connect(self) -> smtplib.SMTP:
        """Open a connection, with the login where there is one."""
        with self._lock:
            self.opened += 1
        smtp = smtplib.SMTP(self.server.host, self.server.port, timeout=5)
        for login, password in self.server.accounts.items():
            smtp.login(login, password)
        with self._lock:
            self._open = {other for other in self._open if other.sock} | {smtp}
            self.most = max(self.most, len(self._open))
        return smtp

    @property
    def counts(self) -> Counter[str]:
        """How often each recipient has something from it."""
        mails = self.server.received
        return Counter(name for mail in mails for name in mail.rcpt_tos)


def closed_port() -> smtplib.SMTP:
    """Connect to a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return smtplib.SMTP("127.0.0.1", port, timeout=60)


def some(name: str, count: int, lane: Lane = Lane.NORMAL) -> list[Message]:
    """Messages of which each has a recipient of its own."""
    return [
        replace(message(f"{name}{number}", f"{name}{number}@x.example"), lane=lane)
        for number in range(count)
    ]


def run(
    plans: Iterable[ServerPlan],
    books: Books,
    *,
    seconds: float = 30,
    timeouts: Timeouts = PATIENT,
    memory: int = 1 << 24,
) -> float:
    """Run a pool; return the seconds that it took."""
    started = time.monotonic()
    deadline = started + seconds
    pool = Pool(plans, books.note, deadline=deadline, timeouts=timeouts, memory=memory)
    pool.run()
    return time.monotonic() - started


def came_back(books: Books, name: str) -> int:
    """How many messages came back: all that were built, and the rest never was."""
    count = len(books.returned)
    assert set(books.returned) == {f"{name}{number}" for number in range(count)}
    return count


@pytest.fixture
def places() -> Iterator[Callable[..., Place]]:
    with ExitStack() as running:

        def place(*arguments: object, **options: object) -> Place:
            arguments = arguments or (None,)
            server = SmtpServer(*arguments, **options)  # type: ignore[arg-type]
            return Place(running.enter_context(server))

        yield place


def plan(place: Place, messages: Iterable[Message], **options: object) -> ServerPlan:
    """A plan with short idling."""
    options = {"allowance": Allowance(idle=0.2), **options}
    return ServerPlan(id(place), place.connect, iter(messages), **options)  # type: ignore


@pytest.mark.parametrize("pipelining", [True, False])
def test_every_message_is_carried_once_by_few_connections(
    places: Callable[..., Place], pipelining: bool
) -> None:
    three = [places(pipelining=pipelining) for _ in range(3)]
    books = Books()
    run([plan(p, some(f"p{n}-", 60)) for n, p in enumerate(three)], books)
    for number, place in enumerate(three):
        assert place.counts == {f"p{number}-{n}@x.example": 1 for n in range(60)}
        assert (place.opened, place.most) == (2, 2)
    assert len(books.sent) == 180
    assert (books.returned, books.of(Trouble)) == ([], [])
    assert books.threads == {threading.get_ident()}


def test_intent_is_written_before_the_text_and_the_answer_with_the_next(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()
    has: list[bool] = []

    def write(events: Sequence[Event]) -> list[Intent]:
        for event in events:
            if isinstance(event, Intent):
                has.append(event.message.recipients[0] in place.counts)
        return books.note(events)

    plans = [plan(place, some("m", 40), connections=1)]
    Pool(plans, write, deadline=time.monotonic() + 30, timeouts=PATIENT).run()
    assert has == [False] * 40
    assert len(books.events) == 80
    # one commit a message, and a few where the machine was slow
    assert len(books.batches) < 60


def test_sessions_that_wait_are_written_down_together_and_nobody_waits_for_others(
    places: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "LINGER", 60.0)
    place, books = places(), Books()
    took = run([plan(place, some("m", 60))], books)
    assert len(books.sent) == 60
    assert took < 30  # the last message, and one alone, waited for nobody
    # two intents a time, wherever the next messages were ready
    assert len(books.batches) < 55


def test_sessions_go_on_while_the_next_message_is_built(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()
    answered: list[int] = []

    def slow() -> Iterator[Message]:
        yield from some("m", 4)
        until = time.monotonic() + 10
        while len(books.sent) < 4 and time.monotonic() < until:
            pool.breathe()
        answered.append(len(books.sent))
        yield from some("n", 1)

    plans = [plan(place, slow())]
    pool = Pool(plans, books.note, deadline=time.monotonic() + 30, timeouts=PATIENT)
    pool.run()
    assert answered == [4]
    assert len(books.sent) == 5
    assert books.threads == {threading.get_ident()}


def test_journal_that_fails_while_a_message_is_built_ends_the_run_afterwards(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books(fails_at=0)
    built: list[str] = []

    def slow() -> Iterator[Message]:
        yield from some("m", 4)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            pool.breathe()
        built.append("whole")
        yield from some("n", 1)

    plans = [plan(place, slow())]
    pool = Pool(plans, books.note, deadline=time.monotonic() + 30, timeouts=PATIENT)
    with pytest.raises(RuntimeError, match="database"):
        pool.run()
    assert built == ["whole"]  # building is not to blame, and is not told
    assert not place.counts


def test_journal_that_can_write_later_is_asked_again_with_all_there_was(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()
    refused: list[int] = []

    def write(events: Sequence[Event]) -> list[Intent]:
        if len(refused) < 5:
            refused.append(len(events))
            raise Later
        return books.note(events)

    plans = [plan(place, some("m", 10))]
    Pool(plans, write, deadline=time.monotonic() + 30, timeouts=PATIENT).run()
    assert len(refused) == 5
    assert place.counts == {f"m{number}@x.example": 1 for number in range(10)}
    assert len(books.events) == 20


def test_intent_that_does_not_stand_is_not_transmitted(
    places: Callable[..., Place],
) -> None:
    place = places()
    books = Books(forbidden={"m3", "m4", "m9"})
    run([plan(place, some("m", 12))], books)
    missing = {"m3@x.example", "m4@x.example", "m9@x.example"}
    expected = {f"m{n}@x.example": 1 for n in range(12)}
    assert place.counts == {k: v for k, v in expected.items() if k not in missing}
    assert not {"m3", "m4", "m9"} & set(books.outcomes())


# ----------------------------------------------------------------------
# Servers in trouble
# ----------------------------------------------------------------------


def test_dead_server_gives_all_back_and_holds_up_nobody(
    places: Callable[..., Place],
) -> None:
    well, books = places(), Books()
    closed = replace(plan(well, some("d", 30)), key="dead", connect=closed_port)
    assert run([closed, plan(well, some("w", 30))], books) < 10
    assert len(books.sent) == 30
    assert came_back(books, "d") > 0
    troubles = books.of(Trouble)
    assert 1 <= len(troubles) <= 2
    assert all("refused" in event.answer.text.lower() for event in troubles)
    assert not any(event.partial for event in troubles)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage", [Stage.CONNECT, Stage.EHLO, Stage.MAIL, Stage.DATA, Stage.END_OF_DATA]
)
def test_server_that_hangs_holds_up_its_own_mail_alone(
    places: Callable[..., Place], stage: Stage
) -> None:
    hung, well = places(), places()
    hung.server.script.at(stage, Answer(silent=True, keeps=True))
    books = Books()
    plans = [plan(hung, some("h", 9)), plan(well, some("w", 30))]
    last: list[float] = []

    def write(events: Sequence[Event]) -> list[Intent]:
        last.extend(
            time.monotonic()
            for event in events
            if isinstance(event, Answered) and event.result.message.key == "w29"
        )
        return books.note(events)

    started = time.monotonic()
    pool = Pool(plans, write, deadline=started + 4, timeouts=PATIENT)
    pool.run()
    assert time.monotonic() - started < 6
    assert len(books.sent) == 30 and last[0] - started < 3
    unknown = [k for k, o in books.outcomes().items() if o == [Outcome.UNKNOWN]]
    assert len(unknown) == (2 if stage is Stage.END_OF_DATA else 0)
    assert all(str(key).startswith("h") for key in unknown)


def test_wrong_login_is_tried_once_a_session(places: Callable[..., Place]) -> None:
    place = places(LOGIN)
    place.server.accounts = {"a@a.example": "changed"}

    def connect() -> smtplib.SMTP:
        place.opened += 1
        smtp = smtplib.SMTP(place.server.host, place.server.port, timeout=60)
        smtp.login("a@a.example", "right")
        return smtp

    books = Books()
    run([replace(plan(place, some("m", 10)), connect=connect)], books)
    assert place.opened <= 2
    assert came_back(books, "m") > 0
    assert all(event.verdict.stops_server for event in books.of(Trouble))
    assert books.outcomes() == {}


def test_server_with_few_connections_is_used_with_those(
    places: Callable[..., Place],
) -> None:
    place = places()
    full = Answer("421 4.7.0 Too many connections", close=Close.PLAIN)
    place.server.script.at(Stage.CONNECT, Answer(), times=1)
    place.server.script.at(Stage.CONNECT, full)
    place.server.script.at(Stage.END_OF_DATA, Answer(delay=0.02))
    books, first = Books(), threading.Event()

    def connect() -> smtplib.SMTP:
        with ExitStack() as turn:
            if place.opened:
                first.wait(5)
                time.sleep(0.1)  # until its session has begun
            turn.callback(first.set)
            return place.connect()

    plans = [plan(place, some("m", 30), connections=4)]
    run([replace(each, connect=connect) for each in plans], books)
    assert (len(books.sent), books.returned) == (30, [])
    assert books.of(Trouble) and all(event.partial for event in books.of(Trouble))


BROKEN_TLS = {
    "expired": (True, None, "expired"),
    "broken": (False, Answer("220 2.0.0 Go on"), ""),
    "refused": (False, Answer("454 4.7.0 Not now"), "Not now"),
}


@pytest.mark.parametrize("how", BROKEN_TLS)
def test_handshake_that_fails_is_the_servers_trouble(
    places: Callable[..., Place], how: str
) -> None:
    expired, answer, words = BROKEN_TLS[how]
    place = places(None, tls=tls.self_signed_context(expired))
    books = Books()
    if answer is not None:
        place.server.script.at(Stage.STARTTLS, answer)

    def connect() -> smtplib.SMTP:
        smtp = smtplib.SMTP(place.server.host, place.server.port, timeout=5)
        code, text = smtp.starttls(context=tls.trusting_context(expired))
        if code != 220:  # as core does
            raise smtplib.SMTPResponseException(code, text)
        return smtp

    run([replace(plan(place, some("m", 3)), connect=connect)], books)
    (trouble, *_) = books.of(Trouble)
    assert (trouble.answer.phase, words in trouble.answer.text) == (
        Phase.STARTTLS,
        True,
    )
    assert trouble.verdict.scope is Scope.SERVER
    assert came_back(books, "m") > 0


def test_session_that_is_lost_is_opened_again_and_nothing_comes_twice(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()
    gone = Answer("421 4.7.0 Connection expired", close=Close.PLAIN)
    for number in (7, 15, 28):
        place.server.script.at(Stage.MAIL, Answer(), times=number)
        place.server.script.at(Stage.MAIL, gone, times=1)
    run([plan(place, some("m", 80), connections=1)], books)
    assert place.counts == {f"m{n}@x.example": 1 for n in range(80)}
    assert place.opened == 4
    assert all(event.partial for event in books.of(Trouble))


def test_answers_that_are_lost_are_unknown_and_not_sent_again(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()
    lost = Answer(close=Close.RESET, keeps=True)
    place.server.script.at(Stage.END_OF_DATA, lost, matching="m5@")
    place.server.script.at(Stage.END_OF_DATA, lost, matching="m17@")
    run([plan(place, some("m", 30), connections=1)], books)
    assert place.counts == {f"m{n}@x.example": 1 for n in range(30)}
    assert books.outcomes()["m5"] == [Outcome.UNKNOWN]
    assert books.outcomes()["m17"] == [Outcome.UNKNOWN]
    assert len(books.sent) == 28


def test_probe_goes_alone_until_it_is_accepted(places: Callable[..., Place]) -> None:
    place, books = places(), Books()
    place.server.script.at(Stage.END_OF_DATA, Answer("451 4.3.0 spool error"))
    run([plan(place, some("m", 9), probe=True)], books)
    assert (place.opened, len(books.outcomes()), len(books.returned)) == (1, 1, 8)
    place.server.script.clear()
    books = Books()
    run([plan(place, some("m", 9), probe=True)], books)
    assert len(books.sent) == 9


#: What may happen to a message once, and how often of a hundred.
MISFORTUNES = [
    (5, Stage.MAIL, Answer("450 4.7.1 Greylisted")),
    (5, Stage.RCPT, Answer("550 5.1.1 No such user")),
    (4, Stage.RCPT, Answer(close=Close.RESET)),
    (4, Stage.DATA, Answer("421 4.4.2 timeout exceeded", close=Close.PLAIN)),
    (4, Stage.DATA, Answer("250", characters=2, close=Close.PLAIN)),
    (3, Stage.END_OF_DATA, Answer("554 5.7.1 Spam")),
    (3, Stage.END_OF_DATA, Answer(close=Close.RESET, keeps=True)),
    (3, Stage.END_OF_DATA, Answer(close=Close.PLAIN)),
]


@pytest.mark.parametrize("seed", range(5))
def test_books_agree_with_servers_after_faults_of_every_kind(
    places: Callable[..., Place], seed: int
) -> None:
    chance, books = random.Random(seed), Books()
    three, plans = [places(), places(), places(pipelining=False)], []
    for number, place in enumerate(three):
        mails = some(f"p{number}-", 60)
        for mail in mails[8:]:  # a server whose first session is lost is out
            kinds = [*MISFORTUNES, (69, None, None)]
            _n, stage, answer = chance.choices(kinds, [n for n, *_ in kinds])[0]
            # the envelope sender tells them apart at MAIL
            if stage is not None and answer is not None:
                place.server.script.at(stage, answer, matching=f"{mail.key}@", times=1)
        plans.append(plan(place, (replace(m, sender=f"{m.key}@a") for m in mails)))
    run(plans, books)
    outcomes = books.outcomes()
    counts = sum((place.counts for place in three), Counter())
    for number in range(3):
        for mail in some(f"p{number}-", 60):
            told = outcomes.get(mail.key, [])
            has = counts[mail.recipients[0]]
            assert has == 1 if Outcome.SENT in told else has <= 1
            if has:
                assert told[-1] in (Outcome.SENT, Outcome.UNKNOWN)
            if Outcome.UNKNOWN in told:
                assert told[-1] is Outcome.UNKNOWN
            if mail.key in books.last_words:
                assert mail.key not in books.returned
            elif told:
                assert mail.key in books.returned
    assert len(books.sent) > 40


# ----------------------------------------------------------------------
# Lanes, memory, pace and time
# ----------------------------------------------------------------------


def test_higher_lanes_go_first_and_bulk_never_has_all_sessions(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()
    place.server.script.at(Stage.END_OF_DATA, Answer(delay=0.02))
    mails = [*some("b", 14, Lane.BULK), *some("n", 9), *some("u", 9, Lane.URGENT)]
    run([plan(place, mails, connections=3)], books)
    assert len(books.sent) == 32
    order = [str(event.message.key)[0] for event in books.of(Intent)]
    # some bulk was there before anything else was built
    assert order.index("u") < 8 and "".join(order).rindex("u") < order.index("b") + 25
    under_way, most = set(), 0
    for event in books.events:
        if isinstance(event, Intent) and event.message.lane is Lane.BULK:
            under_way.add(event.message.key)
        elif isinstance(event, Answered):
            under_way.discard(event.result.message.key)
        most = max(most, len(under_way))
    assert 0 < most <= 2


def test_messages_are_built_as_there_is_room(places: Callable[..., Place]) -> None:
    place, books = places(), Books()
    place.server.script.at(Stage.END_OF_DATA, Answer(delay=0.01))
    built = 0

    def large() -> Iterator[Message]:
        nonlocal built
        for number in range(30):
            open_ = built - sum(len(each.result.message.text) for each in answered())
            assert open_ <= 3_000_000 + 1_000_100
            made = message(f"m{number}", text=(b"x" * 998 + b"\r\n") * 1000)
            built += len(made.text)
            yield made

    def answered() -> list[Answered]:
        return books.of(Answered)

    run([plan(place, large())], books, memory=3_000_000)
    assert len(books.sent) == 30


@pytest.mark.slow
def test_run_is_over_at_its_deadline(places: Callable[..., Place]) -> None:
    place, books = places(), Books()
    place.server.script.at(Stage.END_OF_DATA, Answer(delay=0.6))
    took = run([plan(place, some("m", 50), connections=2)], books, seconds=4)
    assert took < 5
    assert 2 <= len(books.sent) < 15
    told = set(books.outcomes()) | set(books.returned)
    assert len(told) == len(books.outcomes()) + len(books.returned)
    # none was begun that could not be finished
    assert all(outcome == [Outcome.SENT] for outcome in books.outcomes().values())
    assert len(place.counts) == len(books.sent)


def test_rate_is_kept(places: Callable[..., Place]) -> None:
    place, books = places(), Books()
    took = run([plan(place, some("m", 6), rate=600.0)], books)
    assert len(books.sent) == 6 and took >= 0.45


@pytest.mark.slow
def test_run_ends_when_nothing_could_be_finished(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()
    place.server.script.at(Stage.END_OF_DATA, Answer(delay=3), times=1)
    took = run([plan(place, some("m", 5), connections=1)], books, seconds=5.5)
    assert took < 4.5
    assert len(books.sent) + len(books.returned) == 5


def test_slow_pace_takes_one_session_at_a_time(places: Callable[..., Place]) -> None:
    place, books = places(), Books()
    run([plan(place, some("m", 4), rate=120.0, connections=4)], books)
    assert (len(books.sent), place.most) == (4, 1)
    assert place.opened <= 4


@pytest.mark.parametrize("none", [Allowance(messages=0), Allowance(seconds=0)])
def test_session_carries_one_message_at_least(
    places: Callable[..., Place], none: Allowance
) -> None:
    place, books = places(), Books()
    plans = [plan(place, some("m", 3), allowance=none, connections=1)]
    run(plans, books, seconds=6)
    assert (len(books.sent), place.opened) == (3, 3)


def test_connecting_that_would_end_a_thread_is_tried_once(
    places: Callable[..., Place],
) -> None:
    opened: list[int] = []

    def connect() -> smtplib.SMTP:
        opened.append(1)
        raise SystemExit

    books = Books()
    plans = [replace(plan(places(), some("m", 6)), connect=connect)]
    assert run(plans, books, seconds=4) < 2
    assert len(opened) <= 2 and came_back(books, "m") > 0


def test_stopped_run_ends_what_is_under_way(places: Callable[..., Place]) -> None:
    place, books = places(), Books()
    place.server.script.at(Stage.END_OF_DATA, Answer(delay=0.2))
    plans = [plan(place, some("m", 50))]
    pool = Pool(plans, books.note, deadline=time.monotonic() + 60, timeouts=PATIENT)
    threading.Timer(1.0, pool.stop).start()
    started = time.monotonic()
    pool.run()
    assert time.monotonic() - started < 3
    assert 0 < len(books.sent) < 50
    assert set(books.outcomes()).isdisjoint(books.returned)
    assert len(place.counts) == len(books.sent)


def test_journal_that_fails_ends_the_run_as_a_crash_would(
    places: Callable[..., Place],
) -> None:
    place = places()
    books = Books(fails_at=5)
    with pytest.raises(RuntimeError, match="database"):
        run([plan(place, some("m", 40))], books)
    intended = {event.message.recipients[0] for event in books.of(Intent)}
    assert set(place.counts) <= intended
    assert len(place.counts) <= len(books.sent) + 2


def test_building_that_fails_ends_the_run_and_loses_nothing(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()

    def broken() -> Iterator[Message]:
        yield from some("m", 5)
        raise ValueError("cannot be built")

    with pytest.raises(ValueError, match="cannot be built"):
        run([plan(place, broken())], books)
    told = Counter([*books.returned, *books.outcomes()])
    assert told == {f"m{number}": 1 for number in range(5)}
    assert len(place.counts) == len(books.sent)


def test_message_that_makes_servers_hang_up_holds_up_no_other(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()
    place.server.script.at(Stage.RCPT, Answer(close=Close.RESET), matching="m20@")
    run([plan(place, some("m", 60), connections=1)], books)
    assert len(books.sent) == 59
    assert books.outcomes()["m20"] == [Outcome.DEFERRED, Outcome.DEFERRED]
    assert "m20" in books.last_words and books.returned == []


class Unreadable(bytes):
    """A text that cannot be written, whatever the reason."""

    def count(self, *_arguments: object) -> int:
        """Fail, as a bug of our own would."""
        raise ValueError("cannot be read")


def test_message_that_errors_holds_up_no_other(places: Callable[..., Place]) -> None:
    place, books = places(), Books()
    mails = some("m", 30)
    mails[9] = replace(mails[9], text=Unreadable(mails[9].text))
    run([plan(place, mails)], books)
    assert len(books.sent) == 29
    assert books.outcomes()["m9"] == [Outcome.DEFERRED]
    assert books.returned == []
    assert all("cannot be read" in event.answer.text for event in books.of(Trouble))


class Unsendable(bytes):
    """A text that can be read, and fails once its intent is written down."""

    def __getitem__(self, _index: object) -> bytes:  # type: ignore[override]
        """Fail, as a bug of our own would."""
        raise ValueError("cannot be sent")


def test_error_amid_a_text_leaves_only_whom_it_was_for_unknown(
    places: Callable[..., Place],
) -> None:
    place, books = places(), Books()
    place.server.script.at(
        Stage.RCPT, Answer("550 5.1.1 No such user"), matching="nobody@"
    )
    names = ("a@x.example", "nobody@x.example")
    bad = replace(message("bad", *names), text=Unsendable(b"Hi\r\n"))
    run([plan(place, [bad, *some("m", 9)], connections=1)], books)
    told = {
        attempt.recipient: attempt.verdict.outcome
        for event in books.of(Answered)
        for attempt in event.result.attempts
        if event.result.message.key == "bad"
    }
    assert told == {
        "a@x.example": Outcome.UNKNOWN,
        "nobody@x.example": Outcome.REFUSED,
    }
    assert len(books.sent) == 9 and not place.counts["a@x.example"]


class Late(bytes):
    """A text that is ready only once it may be."""

    begun = threading.Event()
    ready = threading.Event()

    def count(self, *arguments: object) -> int:
        """Wait, as a thread that the system does not let go on."""
        self.begun.set()
        assert self.ready.wait(10)
        return super().count(*arguments)  # type: ignore[arg-type]


@pytest.fixture
def late_run(
    places: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[], None]], Books]]:
    """Have a run end while a thread is about to tell its intent."""
    place, books = places(), Books()
    for event in (Late.begun, Late.ready):
        event.clear()

    def mails() -> Iterator[Message]:
        first, *others = some("m", 4)
        yield from (replace(first, text=Late(first.text)), *others)
        assert Late.begun.wait(10)
        raise ValueError("cannot be built")

    def run_late(meanwhile: Callable[[], None], patience: float = 0.1) -> Books:
        monkeypatch.setattr(pool_module, "LAST_ANSWERS", patience)

        def write(events: Sequence[Event]) -> list[Intent]:
            if not Late.ready.is_set():
                Late.ready.set()
                time.sleep(0.3)  # until the intent is told
                meanwhile()
            return books.note(events)

        with pytest.raises((ValueError, RuntimeError)):
            run_pool(write)
        return books

    def run_pool(write: Callable[[Sequence[Event]], list[Intent]]) -> None:
        plans = [plan(place, mails(), connections=1)]
        Pool(plans, write, deadline=time.monotonic() + 30, timeouts=PATIENT).run()

    yield run_late
    Late.ready.set()
    for thread in threading.enumerate():
        if thread.name == f"delivery to {id(place)}":
            thread.join(2)
            assert not thread.is_alive(), "a thread is left behind"


def test_journal_that_fails_at_the_end_leaves_no_thread_behind(
    late_run: Callable[..., Books],
) -> None:
    def fail() -> None:
        raise RuntimeError("the database is gone")

    late_run(fail)


def test_intent_that_comes_after_the_end_is_not_written(
    late_run: Callable[..., Books],
) -> None:
    assert late_run(lambda: None).of(Intent) == []


def test_intent_that_stands_at_the_end_is_released_and_comes_back(
    late_run: Callable[..., Books],
) -> None:
    books = late_run(lambda: None, patience=5)
    assert books.outcomes() == {"m0": [Outcome.RELEASED]}
    assert sorted(books.returned) == [
        f"m{number}" for number in range(len(books.returned))
    ]
    assert "m0" in books.returned
