"""The SMTP server: it demands logins, keeps mail, and misbehaves by its script."""

import doctest
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from smtp_server import Answer, Close, SmtpServer, Stage, script

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
