"""The demonstration: its scenario, its table, its SMTP servers."""

import dataclasses
import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from smtp_server import ReceivedMail
from workbench import demo_table, paths
from workbench.demo_scenario import MAIL_SERVERS, PEOPLE, ROUTE, ROWS, Row, subject_of
from workbench.demo_table import Outcome
from workbench.smtp_service import SmtpService


def received_mail(row: Row, **values: str) -> ReceivedMail:
    """The mail of a row as an SMTP server should receive it, but for ``values``."""
    route = {**row, **values}
    message = EmailMessage()
    message["Subject"], message["From"] = subject_of(row), route["email_from"]
    message["Reply-To"] = route["reply_to"]
    message["Return-Path"] = route["return_path"]
    sender = route["envelope_sender"]
    return ReceivedMail(route["login"], sender, (row["to"],), bytes(message))


def outcomes(**values: str) -> list[Outcome]:
    """The outcomes of the rows, whose first mail left with ``values``."""
    received = [received_mail(row) for row in ROWS]
    received[0] = received_mail(ROWS[0], **values)
    explained = [
        {**row, "subject": subject_of(row), "recipients": [row["to"]], "steps": ["So."]}
        for row in ROWS
    ]
    return demo_table.match(received, explained, {})


def test_rows_have_own_subjects_and_cover_every_login_and_way() -> None:
    assert len({subject_of(row) for row in ROWS}) == len(ROWS)
    logins = {login for _server, login in MAIL_SERVERS.values()}
    assert {row["login"] for row in ROWS} == logins
    assert {bool(row["queued"]) for row in ROWS} == {True, False}


def test_names_are_those_of_the_demonstration_data() -> None:
    data = "".join(path.read_text() for path in paths.REPO.glob("*/demo/*.xml"))
    wanted = {*MAIL_SERVERS, *(f"user_{login}" for login in PEOPLE)}
    for row in ROWS:
        wanted |= {row["record"], *row["template"].split()}
        wanted |= {*row["open_companies"].split()}
    assert not {name for name in wanted if f'id="{name}"' not in data}


@pytest.mark.parametrize("name", [name for name in ROUTE if name != "rule"])
def test_other_header_is_marked_in_its_row_and_explained_below(name: str) -> None:
    assert demo_table.render_faults(outcomes(), []) == ""
    found = outcomes(**{name: "other@other.example"})
    table = demo_table.render(found, 200).splitlines()
    marks = [line.split()[0] for line in table if line[:2] in ("ok", "NO")]
    assert marks == ["NO", *["ok"] * (len(ROWS) - 1)]
    faults, value = demo_table.render_faults(found, []), ROWS[0][name]
    for link in ("should be", "explained"):
        assert f"{ROUTE[name]} is 'other@other.example', {link} {value!r}" in faults
    assert "the addon: So." in faults


def test_lost_doubled_and_stray_mails_are_faults() -> None:
    first, mail = outcomes()[0], received_mail(ROWS[0])
    lost = dataclasses.replace(first, received=[], unsent="exception: no route")
    assert lost.faults() == ["0 mails arrived instead of one exception: no route"]
    doubled = dataclasses.replace(first, received=[mail, mail])
    assert doubled.faults() and dataclasses.replace(first, explained={}).faults()
    stray = dataclasses.replace(mail, rcpt_tos=("x@x.example",))
    assert "x@x.example" in demo_table.render_faults([first], [mail, stray])


def test_table_puts_facts_one_above_the_other_or_into_cards() -> None:
    lines = demo_table.render(outcomes(), 170).splitlines()
    assert max(map(len, lines)) <= 170
    assert lines[0].index("envelope sender") == lines[1].index("Return-Path")
    cards = demo_table.render(outcomes(), 80)
    assert max(map(len, cards.splitlines())) <= 80
    assert f"  Return-Path      {ROWS[0]['return_path']}" in cards


def test_smtp_service_notes_mail_until_it_is_stopped(tmp_path: Path) -> None:
    service = SmtpService(tmp_path / "smtp")
    service.start({"one": {"a@a.example": "right"}, "two": {"b@b.example": "right"}})
    message = EmailMessage()
    message["Subject"], message["From"] = "Grüße", "Änne <anne@a.example>"
    with smtplib.SMTP("127.0.0.1", service.ports["one"]) as client:
        client.login("a@a.example", "right")
        client.send_message(message, "bounce@a.example", ["x@x.example"])
    (mail,) = service.received()
    assert (mail.login, mail.mail_from) == ("a@a.example", "bounce@a.example")
    assert (mail.rcpt_tos, mail.header("Subject")) == (("x@x.example",), "Grüße")
    assert service.stop() and not service.stop()
