"""One SMTP session against a real server that misbehaves by script."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from smtp_server import Answer, Close, SmtpServer, Stage

from ...delivery.connection import Timeouts
from ...delivery.session import Allowance
from ...delivery.types import Message, Scope
from .carriers import ListCarrier, carry, keys, message, scope
from .test_connection import RawServer

GONE = Answer(close=Close.PLAIN)
RESET = Answer(close=Close.RESET)
SILENT = Answer(silent=True)
HALF = Answer("25", characters=2, close=Close.PLAIN)


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer(None) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["pipelined", "one by one"])
def pipelining(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def received(server: SmtpServer) -> list[str]:
    """The recipients of what a server has, in the order of its mails."""
    return [name for mail in server.received for name in mail.rcpt_tos]


def test_messages_arrive_whole_and_in_order(
    server: SmtpServer, pipelining: bool
) -> None:
    text = b"Subject: Hi\r\n\r\n.\r\n..dots\r\n.\r\nbare\nline\r\n"
    carrier = ListCarrier([message(number, text=text) for number in range(5)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert received(server) == [f"r{number}@x.example" for number in range(5)]
    assert server.received[0].content.endswith(
        b"\r\n\r\n.\r\n..dots\r\n.\r\nbare\r\nline\r\n"
    )
    assert set(carrier.outcomes.values()) == {"sent recipient other"}
    assert (ending.accepted, ending.verdict, ending.left) == (5, None, ())


def test_intent_of_the_next_comes_after_the_answer_of_the_last(
    server: SmtpServer, pipelining: bool
) -> None:
    carrier = ListCarrier([message(1), message(2)])
    carry(server, carrier, pipelining=pipelining)
    assert carrier.events == [
        ("intent", 1),
        ("answer", 1),
        ("intent", 2),
        ("answer", 2),
    ]


def test_message_of_somebody_else_is_not_transmitted(
    server: SmtpServer, pipelining: bool
) -> None:
    carrier = ListCarrier([message(1), message(2), message(3)], forbidden=[2])
    ending = carry(server, carrier, pipelining=pipelining)
    assert received(server) == ["r1@x.example"]
    assert carrier.outcomes == {"r1@x.example": "sent recipient other"}
    assert (keys(ending), ending.verdict) == ([], None)
    assert [each.key for each in carrier.waiting] == [3]


# ----------------------------------------------------------------------
# Refusals
# ----------------------------------------------------------------------

REFUSALS = [
    (Stage.MAIL, "553 5.7.1 not owned by user", "refused message identity"),
    (Stage.MAIL, "450 4.7.1 Greylisted", "deferred recipient policy"),
    (Stage.RCPT, "550 5.1.1 No such user", "refused recipient address"),
    (Stage.RCPT, "452 4.2.2 Mailbox full", "deferred recipient address"),
    (Stage.DATA, "554 5.7.1 Spam", "refused message content"),
    (Stage.DATA, "451 Later", "deferred message other"),
    (Stage.END_OF_DATA, "554 5.7.1 Spam", "refused message content"),
    (Stage.END_OF_DATA, "452 4.2.2 Mailbox full", "deferred recipient address"),
]


@pytest.mark.parametrize(("stage", "reply", "expected"), REFUSALS)
def test_refusal_of_one_message_holds_up_no_other(
    server: SmtpServer, stage: Stage, reply: str, expected: str, pipelining: bool
) -> None:
    bad = message(2, "nobody@x.example")
    bad = Message(2, "nobody@a.example", bad.recipients, bad.text)
    server.script.at(stage, Answer(reply), matching="nobody@")
    carrier = ListCarrier([message(1), bad, message(3), message(4)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert received(server) == ["r1@x.example", "r3@x.example", "r4@x.example"]
    assert carrier.outcomes["nobody@x.example"] == expected
    assert carrier.sent == {1: 1, 3: 1, 4: 1}
    assert (ending.left, ending.verdict) == ((), None)


def test_recipients_fare_differently(server: SmtpServer, pipelining: bool) -> None:
    server.script.at(Stage.RCPT, Answer("550 5.1.1 Nobody"), matching="nobody@")
    server.script.at(
        Stage.RCPT, Answer("450-4.2.1 Too quickly\r\n450 4.2.1 Later"), matching="busy@"
    )
    names = ("a@x.example", "nobody@x.example", "busy@x.example", "b@x.example")
    carrier = ListCarrier([message(1, *names), message(2)])
    carry(server, carrier, pipelining=pipelining)
    assert server.received[0].rcpt_tos == ("a@x.example", "b@x.example")
    assert [outcome.split()[0] for outcome in carrier.outcomes.values()] == [
        "refused",
        "deferred",
        "sent",
        "sent",
        "sent",
    ]
    (first, _second) = carrier.results
    texts = {attempt.recipient: attempt.answer.text for attempt in first.attempts}
    assert texts["busy@x.example"] == "4.2.1 Too quickly\n4.2.1 Later"


def test_text_is_not_sent_where_nobody_is_to_get_it(
    server: SmtpServer, pipelining: bool
) -> None:
    server.script.at(Stage.RCPT, Answer("550 5.1.1 Nobody"), matching="nobody@")
    server.script.at(Stage.DATA, Answer("354 Go on"), times=1)
    carrier = ListCarrier([message(1, "nobody@x.example"), message(2)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert ("intent", 1) not in carrier.events
    assert carrier.outcomes["nobody@x.example"] == "refused recipient address"
    if pipelining:  # one by one, DATA is not even asked, and plays for the second
        assert received(server) == ["r2@x.example"]
        assert ending.verdict is None


def test_no_dot_goes_where_somebody_would_get_an_empty_mail() -> None:
    """A server that refuses MAIL and takes RCPT and DATA all the same."""
    replies = (b"220 Hi", b"250-Hi\r\n250 PIPELINING")
    envelope = b"553 5.7.1 not owned by user\r\n250 Ok\r\n354 Go on"
    with RawServer(*replies, envelope) as server:
        carrier = ListCarrier([message(1), message(2)])
        ending = carry(server, carrier)  # type: ignore[arg-type]
    assert carrier.outcomes == {"r1@x.example": "refused message identity"}
    assert b"\r\n.\r\n" not in server.heard and b"RSET" not in server.heard
    assert [*keys(ending), *(each.key for each in carrier.waiting)] == [2]


def test_too_many_recipients_leaves_the_rest_for_another_transaction(
    server: SmtpServer, pipelining: bool
) -> None:
    for reply in ("452 4.5.3 Too many recipients", "550 5.5.3 Too many recipients"):
        server.script.clear()
        server.script.at(Stage.RCPT, Answer(reply), matching="third@")
        names = ("a@x.example", "b@x.example", "third@x.example")
        carrier = ListCarrier([message(1, *names)])
        carry(server, carrier, pipelining=pipelining)
        assert carrier.outcomes["third@x.example"] == "deferred recipient other"
        assert carrier.sent == {1: 1}


def test_many_recipients_go_in_several_flights(
    server: SmtpServer, pipelining: bool
) -> None:
    names = tuple(f"r{number}@x.example" for number in range(350))
    carrier = ListCarrier([message(1), message(2, *names), message(3)])
    carry(server, carrier, pipelining=pipelining)
    assert [len(mail.rcpt_tos) for mail in server.received] == [1, 350, 1]


# ----------------------------------------------------------------------
# The session's and the server's troubles
# ----------------------------------------------------------------------

BEFORE_THE_DOT = [Stage.MAIL, Stage.RCPT, Stage.DATA]


@pytest.mark.parametrize("answer", [GONE, RESET, SILENT, HALF])
@pytest.mark.parametrize("stage", BEFORE_THE_DOT)
def test_session_lost_before_the_dot_counts_nothing_against_the_message(
    server: SmtpServer, stage: Stage, answer: Answer, pipelining: bool
) -> None:
    carrier = ListCarrier([message(1), message(2), message(3)])
    server.script.at(stage, Answer(), times=1)
    server.script.at(stage, answer)
    ending = carry(server, carrier, pipelining=pipelining)
    assert received(server) == ["r1@x.example"]
    assert carrier.outcomes["r2@x.example"] == "deferred session connection"
    assert scope(ending) is Scope.SESSION
    # the first that goes behind a text and gets no answer: it may be forgotten there
    forgotten = pipelining and answer is SILENT and stage is Stage.MAIL
    left = [(each.key, each.interrupted) for each in ending.left]
    assert left == [(2, 0 if forgotten else 1)]
    assert ending.pipelines is not forgotten
    assert [each.key for each in carrier.waiting] == [3]


@pytest.mark.parametrize("stage", BEFORE_THE_DOT)
def test_session_lost_at_its_first_message_is_the_servers_trouble(
    server: SmtpServer, stage: Stage, pipelining: bool
) -> None:
    server.script.at(stage, GONE)
    carrier = ListCarrier([message(1), message(2)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert carrier.outcomes == {"r1@x.example": "deferred server connection"}
    assert scope(ending) is Scope.SERVER


def test_message_that_ends_two_sessions_is_counted(
    server: SmtpServer, pipelining: bool
) -> None:
    server.script.at(Stage.RCPT, GONE, matching="r2@")
    carrier = ListCarrier([message(1), message(2)])
    ending = carry(server, carrier, pipelining=pipelining)
    again = ListCarrier([*ending.left, message(3)])
    ending = carry(server, again, pipelining=pipelining)
    assert again.outcomes == {"r2@x.example": "deferred message connection"}
    assert (scope(ending), ending.left) == (Scope.SESSION, ())


@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "lost"])
@pytest.mark.parametrize("close", [Close.PLAIN, Close.RESET])
def test_no_answer_after_the_dot_is_unknown(
    server: SmtpServer, close: Close, keeps: bool, pipelining: bool
) -> None:
    server.script.at(
        Stage.END_OF_DATA, Answer(close=close, keeps=keeps), matching="r2@"
    )
    carrier = ListCarrier([message(1), message(2), message(3)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert carrier.outcomes["r2@x.example"] == "unknown message connection"
    assert scope(ending) is Scope.SESSION
    assert [*keys(ending), *(each.key for each in carrier.waiting)] == [3]
    assert ("intent", 3) not in carrier.events


def test_silence_after_the_first_dot_is_the_servers_trouble_too(
    server: SmtpServer, pipelining: bool
) -> None:
    server.script.at(Stage.END_OF_DATA, Answer(silent=True, keeps=True))
    carrier = ListCarrier([message(1), message(2)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert carrier.outcomes == {"r1@x.example": "unknown message connection"}
    assert carrier.results[0].attempts[0].answer.text.endswith("timed out")
    assert scope(ending) is Scope.SERVER


CLOSINGS = [
    ("421 4.7.0 Connection expired", Scope.SESSION, "deferred session connection"),
    ("421 Too many messages in this session", Scope.SESSION, "deferred session"),
    ("421 4.7.28 Rate limit exceeded", Scope.SERVER, "throttled server quota"),
    ("421 4.7.0 suspicious content", Scope.SESSION, "deferred message content"),
]


@pytest.mark.parametrize(
    "stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END_OF_DATA]
)
@pytest.mark.parametrize(("reply", "whose", "expected"), CLOSINGS)
def test_closing_reply_ends_the_session(
    server: SmtpServer,
    stage: Stage,
    reply: str,
    whose: Scope,
    expected: str,
    pipelining: bool,
) -> None:
    server.script.at(stage, Answer(), times=1)
    server.script.at(stage, Answer(reply, close=Close.PLAIN))
    carrier = ListCarrier([message(1), message(2), message(3)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert received(server) == ["r1@x.example"]
    assert carrier.outcomes["r2@x.example"].startswith(expected)
    assert scope(ending) is whose
    left = [*keys(ending), *(each.key for each in carrier.waiting)]
    assert sorted(left, key=str) == ([2, 3] if "session" in expected else [3])


def test_server_that_closes_for_one_recipient_leaves_the_others(
    server: SmtpServer, pipelining: bool
) -> None:
    busy = Answer("421 4.7.1 Messages to b@x.example deferred", close=Close.PLAIN)
    server.script.at(Stage.RCPT, busy, matching="b@x")
    names = ("a@x.example", "b@x.example", "c@x.example")
    carrier = ListCarrier([message(1), message(2, *names)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert carrier.outcomes["b@x.example"] == "deferred recipient policy"
    (left,) = ending.left
    assert (left.recipients, left.interrupted) == (("a@x.example", "c@x.example"), 0)
    assert scope(ending) is Scope.SESSION


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.END_OF_DATA])
def test_trouble_of_the_server_ends_the_session(
    server: SmtpServer, stage: Stage, pipelining: bool
) -> None:
    server.script.at(stage, Answer("530 5.7.0 Authentication required"))
    carrier = ListCarrier([message(1), message(2), message(3)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert carrier.outcomes == {"r1@x.example": "deferred server login"}
    assert ending.verdict is not None and ending.verdict.stops_server
    waiting = [*keys(ending), *(each.key for each in carrier.waiting)]
    assert waiting == [2, 3] and received(server) == []


def test_relaying_denied_to_one_does_not_keep_it_from_the_others(
    server: SmtpServer, pipelining: bool
) -> None:
    denied = Answer("554 5.7.1 Relay access denied")
    server.script.at(Stage.RCPT, denied, matching="outside@")
    names = ("a@x.example", "outside@y.example")
    carrier = ListCarrier([message(1, *names), message(2)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert received(server) == ["a@x.example"]
    assert carrier.outcomes["outside@y.example"] == "deferred server login"
    assert scope(ending) is Scope.SERVER


def test_server_that_does_not_bear_pipelining_is_asked_one_by_one(
    server: SmtpServer,
) -> None:
    refusal = Answer("554 SMTP synchronization error", close=Close.PLAIN)
    server.script.at(Stage.MAIL, refusal, times=1)
    carrier = ListCarrier([message(1), message(2)])
    ending = carry(server, carrier)
    assert carrier.outcomes == {"r1@x.example": "deferred session connection"}
    assert not ending.pipelines and scope(ending) is Scope.SESSION
    assert [(each.key, each.interrupted) for each in ending.left] == [(1, 0)]
    again = ListCarrier([*ending.left, *carrier.waiting])
    assert carry(server, again, pipelining=ending.pipelines).verdict is None
    assert received(server) == ["r1@x.example", "r2@x.example"]


EXTRA = (
    b"250 Accepted\r\n250 And again\r\n"  # the second is taken for that to MAIL
    b"250 Ok\r\n550 5.1.1 No such user\r\n250 Ok\r\n354 Go on"
)


def test_answer_that_was_not_asked_for_mixes_up_no_recipients() -> None:
    well = b"250 Ok\r\n250 Ok\r\n354 Go on"
    with RawServer(b"220 Hi", b"250-Hi\r\n250 PIPELINING", well, EXTRA) as server:
        names = ("nobody@x.example", "b@x.example")
        carrier = ListCarrier([message(1), message(2, *names)])
        ending = carry(server, carrier)  # type: ignore[arg-type]
    assert carrier.outcomes == {
        "r1@x.example": "sent recipient other",
        **dict.fromkeys(names, "deferred session connection"),
    }
    assert [each.recipients for each in ending.left] == [names]


def test_reset_that_fails_is_no_verdict_on_the_next(
    server: SmtpServer, pipelining: bool
) -> None:
    server.script.at(Stage.RCPT, Answer("550 5.1.1 Nobody"), matching="nobody@")
    server.script.at(Stage.RSET, Answer("502 Not here"))
    carrier = ListCarrier([message(1), message(2, "nobody@x.example"), message(3)])
    ending = carry(server, carrier, pipelining=pipelining)
    assert carrier.outcomes["r3@x.example"] == "deferred session connection"
    assert keys(ending) == [3]


# ----------------------------------------------------------------------
# What is offered, and for how long
# ----------------------------------------------------------------------


def test_session_ends_after_its_messages(server: SmtpServer, pipelining: bool) -> None:
    carrier = ListCarrier([message(number) for number in range(7)])
    allowance = Allowance(messages=3, idle=0.1)
    ending = carry(server, carrier, pipelining=pipelining, allowance=allowance)
    assert (ending.accepted, len(carrier.waiting)) == (3, 4)


def test_session_ends_after_its_time(server: SmtpServer, pipelining: bool) -> None:
    server.script.at(Stage.END_OF_DATA, Answer(delay=0.1))
    carrier = ListCarrier([message(number) for number in range(9)])
    allowance = Allowance(seconds=0.15, idle=0.1)
    ending = carry(server, carrier, pipelining=pipelining, allowance=allowance)
    assert 1 <= ending.accepted <= 3
    assert ending.accepted + len(carrier.waiting) == 9


def test_size_is_asked_before_sending() -> None:
    with SmtpServer(None, size=1000) as server:
        carrier = ListCarrier([message(1, text=b"x" * 2000), message(2)])
        carry(server, carrier)
        assert carrier.outcomes == {
            "r1@x.example": "refused message content",
            "r2@x.example": "sent recipient other",
        }
        answer = carrier.results[0].attempts[0].answer
        assert (answer.code, "SIZE 1000" in answer.text) == (None, True)


def test_utf8_address_needs_a_server_that_offers_it() -> None:
    for offered, outcome in ((True, "sent"), (False, "refused")):
        with SmtpServer(None, smtputf8=offered) as server:
            carrier = ListCarrier([message(1, "jürgen@x.example", "a@x.example")])
            carry(server, carrier)
            assert carrier.outcomes["jürgen@x.example"].startswith(outcome)
            assert carrier.outcomes["a@x.example"].startswith("sent")


@pytest.mark.parametrize("bad", ["a@x.example>\r\nDATA", "a\n@x.example", ""])
def test_address_that_would_be_a_command_is_refused(
    server: SmtpServer, bad: str
) -> None:
    carrier = ListCarrier([message(1, bad, "b@x.example"), message(2)])
    carry(server, carrier)
    assert carrier.outcomes[bad] == "refused recipient address"
    assert received(server) == ["b@x.example", "r2@x.example"]


def test_large_text_arrives_whole_also_where_it_is_read_slowly() -> None:
    text = b"Subject: Hi\r\n\r\n" + b"0123456789abcde\r\n" * 60_000
    with SmtpServer(None) as server:
        carrier = ListCarrier([message(1, text=text), message(2)])
        carry(server, carrier, timeouts=Timeouts())
        assert server.received[0].content.endswith(text)
        assert carrier.sent == {1: 1, 2: 1}


def test_connection_lost_amid_a_large_text_is_not_unknown() -> None:
    """Nothing can be delivered before the dot, so it is simply tried again."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        reading = threading.Thread(target=_hang_up_amid_text, args=(listening,))
        reading.start()
        server = _Endpoint(listening)
        carrier = ListCarrier([message(1, text=b"x" * 78 + b"\r\n" * 4_000_000)])
        ending = carry(server, carrier)  # type: ignore[arg-type]
        reading.join()
    assert carrier.outcomes == {"r1@x.example": "deferred server connection"}
    assert carrier.events == [("intent", 1), ("answer", 1)]
    assert scope(ending) is Scope.SERVER


class _Endpoint:
    def __init__(self, listening: socket.socket) -> None:
        self.host, self.port = listening.getsockname()


def _hang_up_amid_text(listening: socket.socket) -> None:
    client, _address = listening.accept()
    with client:
        client.sendall(b"220 Hi\r\n")
        client.recv(1000)
        client.sendall(b"250 Hi\r\n")
        for reply in (b"250 Ok\r\n", b"250 Ok\r\n", b"354 Go on\r\n"):
            client.recv(1000)
            client.sendall(reply)
        client.recv(100_000)
