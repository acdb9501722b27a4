"""The demonstration: its scenario, its table, its SMTP servers."""

import dataclasses
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from workbench import demo_scenario, demo_table, paths, smtp_service
from workbench.demo_scenario import ROWS, SMTP_SERVERS, Route, Row
from workbench.demo_table import Explanation
from workbench.smtp_service import NotedMail, SmtpService

PASSWORD = "right"


def received_mail(row: Row, **values: str) -> NotedMail:
    """The mail of a row as an SMTP server should receive it, but for ``values``."""
    route = dataclasses.replace(row.expected, **values)
    message = EmailMessage()
    message["Subject"], message["From"] = row.subject, route.email_from
    message["Reply-To"], message["Return-Path"] = route.reply_to, route.return_path
    return NotedMail(route.login, route.envelope_sender, (row.to,), bytes(message))


def explanation(row: Row, **values: str) -> Explanation:
    """What the addon should say of a row, but for ``values``."""
    route = dataclasses.replace(row.expected, **values)
    return Explanation(row.subject, [row.to], route, ["Because."])


def outcomes(**values: str) -> list[demo_table.Outcome]:
    """The outcomes of the rows, whose first mail left with ``values``."""
    received = [received_mail(row) for row in ROWS]
    received[0] = received_mail(ROWS[0], **values)
    explained = [explanation(row) for row in ROWS]
    return demo_table.match(ROWS, received, explained, {})


def test_rows_have_subjects_of_their_own() -> None:
    assert len({row.subject for row in ROWS}) == len(ROWS)


def test_rows_cover_every_login_and_both_ways_of_sending() -> None:
    logins = {login for names in SMTP_SERVERS.values() for login in names}
    assert {row.expected.login for row in ROWS} == logins
    used = {name for name, _login in demo_scenario.MAIL_SERVERS.values()}
    assert used == set(SMTP_SERVERS)
    assert {row.queued for row in ROWS} == {True, False}


def test_names_are_those_of_the_demonstration_data() -> None:
    data = "".join(path.read_text() for path in paths.REPO.glob("*/demo/*.xml"))
    wanted = {
        *demo_scenario.MAIL_SERVERS,
        *(person.xmlid for person in demo_scenario.PEOPLE),
        *(row.record.xmlid for row in ROWS),
        *(row.template for row in ROWS if row.template),
        *(name for row in ROWS for name in row.open_companies),
    }
    assert not {name for name in wanted if f'id="{name}"' not in data}


def test_mails_as_expected_have_no_faults() -> None:
    assert demo_table.render_faults(outcomes(), []) == ""


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Route)][1:])
def test_other_header_is_marked_in_its_row_and_explained_below(field: str) -> None:
    found = outcomes(**{field: "other@other.example"})
    table = demo_table.render(found, 200).splitlines()
    assert [line.split()[0] for line in table if line[:2] in ("ok", "NO")] == [
        "NO",
        *["ok"] * (len(ROWS) - 1),
    ]
    faults = demo_table.render_faults(found, [])
    title, value = demo_table.TITLES[field], getattr(ROWS[0].expected, field)
    assert f"{title} is 'other@other.example', should be {value!r}" in faults
    assert (
        f"{title} is 'other@other.example', but the addon explains {value!r}" in faults
    )
    assert "the addon: Because." in faults


def test_other_rule_is_a_fault() -> None:
    row = ROWS[0]
    found = demo_table.match(
        [row], [received_mail(row)], [explanation(row, rule="system")], {}
    )
    assert found[0].faults() == ["rule is 'system', should be 'user'"]


def test_mail_that_did_not_arrive_says_why() -> None:
    row = ROWS[0]
    unsent = {row.subject: "exception: no route to host"}
    (found,) = demo_table.match([row], [], [explanation(row)], unsent)
    assert found.actual == Route("user", "-", "-", "-", "-", "-")
    (fault,) = found.faults()
    assert "no route to host" in fault


def test_mail_that_arrives_twice_is_a_fault() -> None:
    row = ROWS[0]
    twice = [received_mail(row)] * 2
    (found,) = demo_table.match([row], twice, [explanation(row)], {})
    assert found.faults() == ["2 mails arrived instead of one"]


def test_mail_of_no_row_is_reported() -> None:
    stray = dataclasses.replace(received_mail(ROWS[0]), rcpt_tos=("x@x.example",))
    assert demo_table.unexpected(ROWS, [received_mail(ROWS[0]), stray]) == [stray]
    assert "x@x.example" in demo_table.render_faults([], [stray])


def test_table_fits_160_columns_and_puts_facts_one_above_the_other() -> None:
    lines = demo_table.render(outcomes(), 160).splitlines()
    assert max(map(len, lines)) <= 160
    upper, lower = lines[1:3]
    assert upper.index("envelope sender") == lower.index("Return-Path")
    assert upper.index("From") == lower.index("Reply-To")


def test_narrow_terminal_gets_cards() -> None:
    text = demo_table.render(outcomes(), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert f"  Return-Path      {ROWS[0].expected.return_path}" in text
    assert text.count("\n\n") == len(ROWS) - 1


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SmtpService]:
    accounts = {"one": {"a@a.example": PASSWORD}, "two": {"b@b.example": PASSWORD}}
    running = smtp_service.start(tmp_path / "smtp", accounts)
    yield running
    running.stop()


def test_smtp_service_notes_login_envelope_and_headers(service: SmtpService) -> None:
    message = EmailMessage()
    message["Subject"], message["From"] = "Grüße", "Änne <anne@a.example>"
    with smtplib.SMTP("127.0.0.1", service.ports["one"]) as client:
        client.login("a@a.example", PASSWORD)
        client.send_message(message, "bounce@a.example", ["x@x.example"])
    (mail,) = service.received()
    assert (mail.server, mail.login) == ("one", "a@a.example")
    assert (mail.mail_from, mail.rcpt_tos) == ("bounce@a.example", ("x@x.example",))
    assert mail.header("Subject") == "Grüße"
    assert (service.folder / mail.file).is_file()


def test_smtp_service_survives_and_is_found_until_it_is_stopped(
    service: SmtpService,
) -> None:
    assert smtp_service.find_running(service.folder) == service
    service.stop()
    assert smtp_service.find_running(service.folder) is None
    service.stop()
