"""The SMTP server: it demands logins, keeps mail, and misbehaves by its script."""

import contextlib
import doctest
import smtplib
import ssl
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from smtp_server import (
    Answer,
    Close,
    ReceivedMail,
    Rule,
    SmtpServer,
    Stage,
    script,
    tls,
)
from workbench.smtp_service import SmtpService

LOGIN, PASSWORD = "a@a.example", "right"
GONE = smtplib.SMTPServerDisconnected
#: What a client sees of an answer at each stage, and the reply's code.
REFUSALS = {
    Stage.CONNECT: (smtplib.SMTPConnectError, "554 5.3.2 Go away"),
    Stage.AUTH: (smtplib.SMTPAuthenticationError, "454 4.7.0 Later"),
    Stage.MAIL: (smtplib.SMTPSenderRefused, "451 4.7.1 Greylisted"),
    Stage.RCPT: (smtplib.SMTPRecipientsRefused, "550 5.1.1 No such user"),
    Stage.DATA: (smtplib.SMTPDataError, "452 4.3.1 Full"),
    Stage.END_OF_DATA: (smtplib.SMTPDataError, "554 5.7.1 Spam"),
}


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer({LOGIN: PASSWORD}) as running:
        yield running


def send(server: SmtpServer, *recipients: str, timeout: float = 5) -> None:
    """Send a mail in a session of its own."""
    message = EmailMessage()
    message["Subject"], message["From"] = "Grüße", "Änne <anne@a.example>"
    with smtplib.SMTP(server.host, server.port, timeout=timeout) as client:
        if server.accounts:
            client.login(LOGIN, PASSWORD)
        client.send_message(message, "bounce@a.example", recipients or ["x@x.example"])


def test_mail_is_kept_with_login_envelope_and_headers(server: SmtpServer) -> None:
    send(server, "x@x.example", "y@y.example")
    (mail,) = server.wait_for(1)
    assert (mail.login, mail.mail_from) == (LOGIN, "bounce@a.example")
    assert mail.rcpt_tos == ("x@x.example", "y@y.example")
    assert mail.header("Subject") == "Grüße" and mail.header("Reply-To") == ""
    assert mail.header("From") == "Änne <anne@a.example>"


def test_login_is_demanded_where_there_are_accounts(server: SmtpServer) -> None:
    with smtplib.SMTP(server.host, server.port) as client:
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail("x@x.example", ["y@y.example"], "")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(LOGIN, "wrong")
    assert server.received == []
    with SmtpServer(None) as open_server:
        send(open_server)
        assert [mail.login for mail in open_server.received] == [""]


@pytest.mark.parametrize("stage", REFUSALS, ids=lambda stage: stage.name)
def test_refusal_reaches_the_client_until_it_is_forgotten(
    server: SmtpServer, stage: Stage
) -> None:
    error, reply = REFUSALS[stage]
    server.script.at(stage, Answer(reply))
    with pytest.raises(error) as refused:
        send(server)
    assert reply[4:] in str(refused.value) and server.received == []
    server.script.clear()
    send(server)
    assert len(server.received) == 1


def test_one_recipient_is_refused_as_often_as_asked_for(server: SmtpServer) -> None:
    refusal = Answer("550 5.1.1 Nobody")
    server.script.at(Stage.RCPT, refusal, times=1, matching="nobody@")
    send(server, "nobody@x.example", "somebody@x.example")
    send(server, "nobody@x.example")
    received = [mail.rcpt_tos for mail in server.received]
    assert received == [("somebody@x.example",), ("nobody@x.example",)]


@pytest.mark.parametrize("close", [Close.PLAIN, Close.RESET])
@pytest.mark.parametrize("keeps", [True, False])
def test_connection_is_lost_after_the_dot(
    server: SmtpServer, close: Close, keeps: bool
) -> None:
    server.script.at(Stage.END_OF_DATA, Answer(close=close, keeps=keeps))
    with pytest.raises((GONE, ConnectionResetError)):
        send(server)
    assert len(server.received) == keeps


def test_rule_may_wait_for_its_turn(server: SmtpServer) -> None:
    server.script.at(Stage.MAIL, Answer("450 4.7.1 Slow down"), after=1, times=1)
    send(server)
    with pytest.raises(smtplib.SMTPSenderRefused):
        send(server)
    send(server)
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("answer", "forsaken"),
    [
        (Answer(close=Close.RESET), True),
        (Answer(close=Close.RESET, keeps=True), True),
        (Answer("250 OK", characters=2, close=Close.PLAIN, keeps=True), True),
        (Answer(silent=True), True),
        (Answer("421 4.3.2 Going down", close=Close.PLAIN), False),
        (Answer("554 5.7.1 Spam"), False),
        (Answer(), False),
    ],
)
def test_server_knows_whom_it_never_answered(answer: Answer, forsaken: bool) -> None:
    left: list[ReceivedMail] = []
    with SmtpServer(None, forsake=left.append) as server:
        server.script.at(Stage.END_OF_DATA, answer)
        with contextlib.suppress(smtplib.SMTPException, ConnectionError):
            send(server, timeout=0.3)
        assert len(left) == forsaken
        assert all(mail.rcpt_tos == ("x@x.example",) for mail in left)


def test_process_goes_on_with_its_port_and_its_mails(tmp_path: Path) -> None:
    service = SmtpService(tmp_path / "smtp")
    lost = Answer(close=Close.RESET, keeps=True)
    rule = Rule(Stage.END_OF_DATA, lost, matching="TO:<lost@")
    try:
        service.start({"one": {LOGIN: PASSWORD}}, {"one": [rule]})
        port = service.ports["one"]
        for again in (False, True):
            with contextlib.closing(smtplib.SMTP("127.0.0.1", port, timeout=5)) as it:
                it.login(LOGIN, PASSWORD)
                text = f"Message-Id: <{again:d}@x>\r\n\r\nOne"
                it.sendmail("a@a.example", ["x@x.example"], text)
                with pytest.raises((GONE, ConnectionResetError)):
                    it.sendmail("a@a.example", ["lost@x.example"], text)
            if not again:
                assert service.stop()
                with pytest.raises(ConnectionRefusedError):
                    smtplib.SMTP("127.0.0.1", port)
                service.start_again()
        received = [mail.rcpt_tos for mail in service.received()]
        assert received == [("x@x.example",), ("lost@x.example",)] * 2
        assert service.count() == len(received)
        forsaken = [noted["message_id"] for noted in service.noted("forsaken.jsonl")]
        assert forsaken == ["<0@x>", "<1@x>"]
    finally:
        service.stop()


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.DATA, Stage.END_OF_DATA])
def test_silent_server_answers_nothing(server: SmtpServer, stage: Stage) -> None:
    server.script.at(stage, Answer(silent=True, keeps=True))
    with pytest.raises(GONE, match="timed out"):
        send(server, timeout=0.3)
    assert len(server.received) == (stage is Stage.END_OF_DATA)


def test_half_an_answer_delay_and_slow_reading(server: SmtpServer) -> None:
    half = Answer("250 OK", characters=2, close=Close.PLAIN)
    server.script.at(Stage.MAIL, half, times=1)
    with pytest.raises((GONE, smtplib.SMTPSenderRefused)):
        send(server)
    server.script.at(Stage.MAIL, Answer(delay=0.2), times=1)
    server.script.at(Stage.DATA, Answer(bytes_per_second=200), times=1)
    started = time.monotonic()
    send(server)
    assert time.monotonic() - started > 0.5
    outcome = doctest.testmod(script)
    assert outcome.attempted and not outcome.failed


@pytest.mark.parametrize("offered", [True, False])
def test_extensions_are_offered_as_asked(offered: bool) -> None:
    server = SmtpServer(None, size=1234, pipelining=offered, smtputf8=offered)
    with server:
        with smtplib.SMTP(server.host, server.port) as client:
            client.ehlo()
            assert client.esmtp_features["size"] == "1234"
            assert client.has_extn("pipelining") is offered
            assert client.has_extn("smtputf8") is offered


def test_commands_that_come_together_are_answered_in_order(
    server: SmtpServer,
) -> None:
    with smtplib.SMTP(server.host, server.port, timeout=5) as client:
        client.login(LOGIN, PASSWORD)
        client.send(
            b"MAIL FROM:<a@a.example>\r\nRCPT TO:<x@x.example>\r\nDATA\r\n"
            b"Subject: One\r\n\r\nOne\r\n.\r\nMAIL FROM:<a@a.example>\r\n"
            b"RCPT TO:<y@y.example>\r\nDATA\r\nSubject: Two\r\n\r\nTwo\r\n.\r\n"
        )
        codes = [client.getreply()[0] for _ in range(8)]
    assert codes == [250, 250, 354, 250] * 2
    assert [mail.header("Subject") for mail in server.received] == ["One", "Two"]


def test_end_of_data_is_answered_by_recipient(server: SmtpServer) -> None:
    refusal = Answer("554 5.7.1 Spam")
    server.script.at(Stage.END_OF_DATA, refusal, matching="TO:<y@")
    send(server, "x@x.example")
    with pytest.raises(smtplib.SMTPDataError):
        send(server, "y@y.example")
    assert len(server.received) == 1


def test_certificate_may_be_expired() -> None:
    for expired in (False, True):
        context = tls.self_signed_context(expired=expired)
        with SmtpServer(None, tls=context) as server:
            with smtplib.SMTP(server.host, server.port) as client:
                trusting = tls.trusting_context(expired=expired)
                if not expired:
                    assert client.starttls(context=trusting)[0] == 220
                    continue
                with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
                    client.starttls(context=trusting)


def test_line_takes_its_time_for_what_passes_together() -> None:
    with SmtpServer(None, round_trip=0.2) as server:
        with smtplib.SMTP(server.host, server.port, timeout=5) as client:
            client.ehlo()
            started = time.monotonic()
            client.send(b"NOOP\r\n" * 5)
            assert [client.getreply()[0] for _ in range(5)] == [250] * 5
            assert 0.2 <= time.monotonic() - started < 0.4
            send(server)
    assert len(server.received) == 1
