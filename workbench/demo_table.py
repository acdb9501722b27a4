"""The table of the demonstration: what happened beside what should have happened."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from smtp_server import ReceivedMail

from .demo_scenario import PEOPLE, ROUTE, ROWS, Row, subject_of

LEGEND = """\
Rule: what the addon answers when it is asked to explain the mail, before the queue ran
(mails sent at once are kept in Odoo and asked about afterwards). All else is what the
SMTP server received."""
#: The columns: two facts one above the other.
HEADINGS = (
    ("", ""),
    ("sent by", "how"),
    ("record of", "sent"),
    ("rule", "SMTP login"),
    ("envelope sender", "Return-Path"),
    ("From", "Reply-To"),
)
Cells = Sequence[tuple[str, str]]


def explain(env: Any) -> list[dict[str, Any]]:
    """Return the routes of all mails of a database, sent ones too if they were kept.

    Called in Odoo's shell: the answer is private to Python
    (``mail.mail._get_mail_routes``), so it cannot be had over RPC.
    """
    mails = env["mail.mail"].search([])
    routes = mails._get_mail_routes()
    return [
        {
            "subject": mail.subject,
            "recipients": mail.recipient_ids.mapped("email_normalized"),
            "steps": list(map(str, route.steps)),
            **{name: getattr(route, name, "") or "" for name in ROUTE},
            "login": route.mail_server.smtp_user or "",
        }
        for mail, route in ((mail, routes[mail.id]) for mail in mails)
    ]


@dataclass(frozen=True)
class Outcome:
    """A row of the scenario and all that is known of its mail.

    :param explained: what :func:`explain` says of it; nothing if Odoo has no such mail
    :param unsent: why it did not leave
    """

    row: Row
    received: Sequence[ReceivedMail]
    explained: dict[str, Any]
    unsent: str = ""

    @property
    def actual(self) -> dict[str, str]:
        """How the mail left, as the SMTP server saw it; the rule from the addon."""
        actual = {**dict.fromkeys(ROUTE, "-"), "rule": self.explained.get("rule", "-")}
        for mail in self.received[:1]:
            actual |= {"login": mail.login, "envelope_sender": mail.mail_from}
            headers = ("email_from", "reply_to", "return_path")
            actual |= {name: mail.header(ROUTE[name]) for name in headers}
        return actual

    def faults(self) -> list[str]:
        """Return what is not as it should be, a sentence each."""
        if len(self.received) != 1:
            return [f"{len(self.received)} mails arrived instead of one {self.unsent}"]
        if not self.explained:
            return ["the addon was not asked: Odoo did not keep the mail"]
        wanted = {"should be": self.row, "explained": self.explained}
        return [
            f"{title} is {self.actual[name]!r}, {link} {route[name]!r}"
            for link, route in wanted.items()
            for name, title in ROUTE.items()
            if self.actual[name] != route[name]
        ]


def match(
    received: Sequence[ReceivedMail],
    explained: Sequence[dict[str, Any]],
    unsent: dict[str, str],
) -> list[Outcome]:
    """Find each row's mail by its subject and recipient."""
    answers = {(it["subject"], to): it for it in explained for to in it["recipients"]}
    outcomes = []
    for row in ROWS:
        subject, mails = subject_of(row), [it for it in received if _is_of(row, it)]
        answer = answers.get((subject, row["to"]), {})
        outcomes.append(Outcome(row, mails, answer, unsent.get(subject, "")))
    return outcomes


def _is_of(row: Row, mail: ReceivedMail) -> bool:
    return mail.header("Subject") == subject_of(row) and row["to"] in mail.rcpt_tos


def render(outcomes: Sequence[Outcome], width: int) -> str:
    """Return the table, or where it is wider than that a card for each mail."""
    rows = [HEADINGS, *(_cells(*numbered) for numbered in enumerate(outcomes, 1))]
    widths = [
        max(len(text) for cell in column for text in cell)
        for column in zip(*rows, strict=True)
    ]
    if sum(widths) + 2 * len(widths) > width:
        return "\n\n".join(map(_card, rows[1:]))

    def line(texts: Iterable[str]) -> str:
        return "  ".join(map(str.ljust, texts, widths)).rstrip()

    return "\n\n".join("\n".join(map(line, zip(*row, strict=True))) for row in rows)


def _cells(number: int, outcome: Outcome) -> Cells:
    row, route = outcome.row, outcome.actual
    return (
        (str(number), "NO" if outcome.faults() else "ok"),
        (PEOPLE[row["sender"]].name, row["what"]),
        (row["company"], "by the queue" if row["queued"] else "at once"),
        (route["rule"], route["login"]),
        (route["envelope_sender"], route["return_path"]),
        (route["email_from"], route["reply_to"]),
    )


def _card(cells: Cells) -> str:
    titles = [title for pair in HEADINGS[1:] for title in pair]
    texts = [text for pair in cells[1:] for text in pair]
    lines = map("  {:<15}  {}".format, titles, texts)
    return "\n".join([" ".join(cells[0]), *lines])


def render_faults(outcomes: Sequence[Outcome], received: Sequence[ReceivedMail]) -> str:
    """Return what is wrong with rows, and the addon's reasons, and mails of no row."""
    lines = []
    for number, outcome in enumerate(outcomes, 1):
        if faults := outcome.faults():
            lines.append(f"Row {number}: {subject_of(outcome.row)}")
            lines += [f"  - {fault}" for fault in faults]
            reasons = outcome.explained.get("steps", ())
            lines += [f"    the addon: {reason}" for reason in reasons]
    for mail in received:
        if not any(_is_of(outcome.row, mail) for outcome in outcomes):
            subject, recipients = mail.header("Subject"), ", ".join(mail.rcpt_tos)
            lines.append(f"Of no row: {mail.login} carried {subject!r} to {recipients}")
    return "\n".join(lines)
