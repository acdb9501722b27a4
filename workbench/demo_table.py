"""The table of the demonstration: what happened beside what should have happened."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from .demo_scenario import Route, Row
from .smtp_service import NotedMail

TITLES = {
    "rule": "rule",
    "login": "SMTP login",
    "envelope_sender": "envelope sender",
    "email_from": "From",
    "reply_to": "Reply-To",
    "return_path": "Return-Path",
}
NOTHING = "-"
GAP = "  "
LEGEND = """\
Rule: what the addon answers when it is asked to explain the mail, before the queue ran
(mails sent at once are kept in Odoo and asked about afterwards). All else is what the
SMTP server received."""


@dataclass(frozen=True)
class Explanation:
    """What the addon says of a mail; ``steps`` are its sentences, the last decides."""

    subject: str
    recipients: list[str]
    route: Route
    steps: list[str]


def explain(env: Any) -> list[dict[str, Any]]:
    """Return the routes of all mails of a database, sent ones too if they were kept.

    Called in a process of Odoo's: the answer is private to Python
    (``mail.mail._get_mail_routes``), so it cannot be had over RPC.
    """
    mails = env["mail.mail"].search([])
    routes = mails._get_mail_routes()
    return [_explain(mail, routes[mail.id]) for mail in mails]


def _explain(mail: Any, route: Any) -> dict[str, Any]:
    facts = {name: getattr(route, name) or "" for name in TITLES if name != "login"}
    return {
        "subject": mail.subject or "",
        "recipients": mail.recipient_ids.mapped("email_normalized"),
        "route": {**facts, "login": route.mail_server.smtp_user or ""},
        "steps": list(map(str, route.steps)),
    }


def read_explanations(answer: Iterable[dict[str, Any]]) -> list[Explanation]:
    """Return what :func:`explain` answered."""
    return [
        Explanation(**{**values, "route": Route(**values["route"])})
        for values in answer
    ]


@dataclass(frozen=True)
class Outcome:
    """A row of the scenario and all that is known of its mail."""

    row: Row
    received: Sequence[NotedMail]
    explained: Explanation | None
    unsent: str = ""

    @property
    def actual(self) -> Route:
        """How the mail left, as the SMTP server saw it; the rule from the addon."""
        rule = self.explained.route.rule if self.explained else NOTHING
        if not self.received:
            return Route(rule, *([NOTHING] * 5))
        mail = self.received[0]
        headers = map(mail.header, ("From", "Reply-To", "Return-Path"))
        return Route(rule, mail.login, mail.mail_from, *headers)

    def faults(self) -> list[str]:
        """Return what is not as it should be, a sentence each."""
        if not self.received:
            return [f"no SMTP server received the mail ({self.unsent or 'not made'})"]
        found = _differences(self.actual, self.row.expected, "should be")
        if len(self.received) > 1:
            found.append(f"{len(self.received)} mails arrived instead of one")
        if self.explained is None:
            return [*found, "the addon was not asked: Odoo did not keep the mail"]
        said = _differences(self.actual, self.explained.route, "but the addon explains")
        return found + said


def _differences(actual: Route, wanted: Route, link: str) -> list[str]:
    pairs = (
        (TITLES[field.name], getattr(actual, field.name), getattr(wanted, field.name))
        for field in fields(Route)
    )
    return [
        f"{title} is {found!r}, {link} {value!r}"
        for title, found, value in pairs
        if found != value
    ]


def match(
    rows: Iterable[Row],
    received: Sequence[NotedMail],
    explained: Sequence[Explanation],
    unsent: dict[str, str],
) -> list[Outcome]:
    """Find each row's mail by its subject and recipient."""
    return [
        Outcome(
            row,
            [mail for mail in received if _is_of(row, mail)],
            next((it for it in explained if _explains(row, it)), None),
            unsent.get(row.subject, ""),
        )
        for row in rows
    ]


def _is_of(row: Row, mail: NotedMail) -> bool:
    return mail.header("Subject") == row.subject and row.to in mail.rcpt_tos


def _explains(row: Row, explained: Explanation) -> bool:
    return explained.subject == row.subject and row.to in explained.recipients


def unexpected(rows: Sequence[Row], received: Iterable[NotedMail]) -> list[NotedMail]:
    """Return the mails that belong to no row."""
    return [mail for mail in received if not any(_is_of(row, mail) for row in rows)]


#: The columns: two facts one above the other.
HEADINGS = (
    ("", ""),
    ("sent by", "how"),
    ("record of", "sent"),
    ("rule", "SMTP login"),
    ("envelope sender", "Return-Path"),
    ("From", "Reply-To"),
)


def render(outcomes: Sequence[Outcome], width: int) -> str:
    """Return the table, or where it does not fit a card for each mail.

    :param width: columns of the terminal
    """
    rows = [_cells(number, outcome) for number, outcome in enumerate(outcomes, 1)]
    widths = [
        max(len(text) for cell in column for text in cell)
        for column in zip(HEADINGS, *rows, strict=True)
    ]
    total = sum(widths) + len(GAP) * (len(widths) - 1)
    if total > width:
        return "\n\n".join(map(_card, rows))
    rule = "-" * total
    blocks = ("\n".join(_lines(row, widths)) for row in rows)
    return "\n".join([rule, *_lines(HEADINGS, widths), rule, "\n\n".join(blocks), rule])


def render_faults(outcomes: Sequence[Outcome], more: Sequence[NotedMail]) -> str:
    """Return what is wrong, row by row, with the addon's reasons; empty if nothing.

    :param more: mails that nobody should have received
    """
    lines = []
    for number, outcome in enumerate(outcomes, 1):
        if faults := outcome.faults():
            lines.append(f"Row {number}: {outcome.row.subject}")
            lines += [f"  - {fault}" for fault in faults]
            lines += _reasons(outcome)
    for mail in more:
        subject, recipients = mail.header("Subject"), ", ".join(mail.rcpt_tos)
        lines.append(
            f"Not in the table: {mail.login} carried {subject!r} to {recipients}"
        )
    return "\n".join(lines)


def render_reasons(outcomes: Sequence[Outcome]) -> str:
    """Return the addon's sentences for every row: what it looked at, and why."""
    lines = []
    for number, outcome in enumerate(outcomes, 1):
        lines += [f"Row {number}: {outcome.row.subject}", *_reasons(outcome)]
    return "\n".join(lines)


def _reasons(outcome: Outcome) -> list[str]:
    steps = outcome.explained.steps if outcome.explained else ()
    return [f"    the addon: {sentence}" for sentence in steps]


def _cells(number: int, outcome: Outcome) -> list[tuple[str, str]]:
    row, route = outcome.row, outcome.actual
    return [
        (str(number), "NO" if outcome.faults() else "ok"),
        (row.sender.name, row.what),
        (row.record.company, "by the queue" if row.queued else "at once"),
        (route.rule, route.login),
        (route.envelope_sender, route.return_path),
        (route.email_from, route.reply_to),
    ]


def _lines(cells: Sequence[tuple[str, str]], widths: Sequence[int]) -> list[str]:
    return [
        GAP.join(map(str.ljust, line, widths)).rstrip()
        for line in zip(*cells, strict=True)
    ]


def _card(cells: Sequence[tuple[str, str]]) -> str:
    titles, texts = (itertools.chain(*pairs[1:]) for pairs in (HEADINGS, cells))
    lines = [
        f"  {title:<15}  {text}" for title, text in zip(titles, texts, strict=True)
    ]
    return "\n".join([" ".join(cells[0]), *lines])
