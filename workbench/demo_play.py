"""Plays the demonstration over Odoo's RPC: every message as the user who writes it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import requests

from . import paths
from .addons import NAMES
from .demo_scenario import MAIL_SERVERS, PEOPLE, SMTP_SERVERS, Row
from .odoo_server import RunningOdoo
from .smtp_service import SmtpService
from .steps import Step, StepFailed, step

#: The first call after a start may have to load every view and translation.
CALL_SECONDS = 120

ADMINISTRATOR = "admin"
CHATTER = {"message_type": "comment", "subtype_xmlid": "mail.mt_comment"}
#: Who wrote does not follow the record from then on: a message makes one mail.
NOT_FOLLOWING = {"mail_post_autofollow_author_skip": True}


class RpcError(Exception):
    """Odoo refused a call; the text is what it would show to the user."""


class Session:
    """A user's session in Odoo, as the web client has it.

    :raise RpcError: Odoo knows no such login, here and in all calls: it refused it
    """

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        self.url = url
        self._session = requests.Session()
        values = {"db": database, "login": login, "password": password}
        self._post("/web/session/authenticate", values)

    def call(
        self,
        model: str,
        method: str,
        *arguments: Any,
        context: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Any:
        """Call a public method of a model; one of records takes their ids first."""
        values = {**named, "context": dict(context or {})}
        return self._post(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": arguments, "kwargs": values},
        )

    def _post(self, path: str, parameters: Mapping[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": parameters}
        try:
            response = self._session.post(
                self.url + path, json=body, timeout=CALL_SECONDS
            )
            answer = response.json()
        except requests.RequestException as error:
            raise RpcError(f"{path}: {error}") from error
        if "error" in answer:
            data = answer["error"].get("data", {})
            message = data.get("message") or answer["error"].get("message", "")
            raise RpcError(f"{path}: {message} ({data.get('name', 'error')})")
        return answer.get("result")


def make_accounts() -> dict[str, dict[str, str]]:
    """Return the accounts of the SMTP servers, with a new password for each login."""
    return {
        name: {login: secrets.token_urlsafe(12) for login in logins}
        for name, logins in SMTP_SERVERS.items()
    }


class Player:
    """The administrator and the users of a running Odoo, each in an own session."""

    def __init__(self, odoo: RunningOdoo) -> None:
        """Log everybody in.

        :raise StepFailed: as everywhere here, where Odoo refuses something
        """
        self.odoo = odoo
        self.sessions: dict[str, Session] = {}
        self.ids: dict[str, int] = {}
        self.last_message = 0
        with self._step("Log in as the administrator and as the users") as current:
            for login in (ADMINISTRATOR, *(person.login for person in PEOPLE)):
                current.note = login
                session = Session(odoo.url, odoo.database, login, login)
                self.sessions[login] = session
            self._read_ids()

    def connect_servers(
        self, smtp: SmtpService, accounts: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Point Odoo's outgoing mail servers at the SMTP servers, as administrator."""
        with self._step("Tell Odoo the ports and passwords, as administrator"):
            for xmlid, (server, login) in MAIL_SERVERS.items():
                values = {
                    "smtp_host": "127.0.0.1",
                    "smtp_port": smtp.ports[server],
                    "smtp_user": login,
                    "smtp_pass": accounts[server][login],
                    "smtp_encryption": "none",
                    "smtp_authentication": "login",
                }
                self._administer("ir.mail_server", "write", [self.ids[xmlid]], values)

    def write_messages(self, rows: Sequence[Row]) -> None:
        """Post the messages and send the templates, each as its user.

        They leave at once, but for the queued ones.
        """
        with self._step("Post messages and send templates as the users") as current:
            for number, row in enumerate(rows, 1):
                current.note = f"({number} of {len(rows)}) {row.subject}"
                self._write_message(row)

    def run_queue(self) -> None:
        """Have the administrator start the job that sends what is queued.

        The job runs as OdooBot, as it does when its time has come.
        """
        with self._step("Run the mail queue: the scheduled action, as OdooBot"):
            self._administer("ir.cron", "method_direct_trigger", [self.ids["queue"]])

    def unsent(self) -> dict[str, str]:
        """Return why mails did not leave, by subject."""
        mails = self._administer(
            "mail.mail",
            "search_read",
            [("state", "!=", "sent")],
            ["subject", "state", "failure_reason"],
        )
        reasons = {
            mail["subject"]: f"{mail['state']}: {mail['failure_reason'] or 'no reason'}"
            for mail in mails
        }
        return {subject: " ".join(text.split()) for subject, text in reasons.items()}

    @contextlib.contextmanager
    def _step(self, title: str) -> Iterator[Step]:
        with step(title) as current:
            try:
                yield current
            except RpcError as error:
                what = f"{current.note} {error}".strip()
                log = paths.relative(self.odoo.log)
                how = f"Odoo's log ({log}) says more. Correct it, then start again."
                raise StepFailed(title, what, how) from error

    def _administer(self, model: str, method: str, *arguments: Any) -> Any:
        return self.sessions[ADMINISTRATOR].call(model, method, *arguments)

    def _read_ids(self) -> None:
        """Look up the ids of the demonstration data and of the queue's job."""
        found = self._administer(
            "ir.model.data",
            "search_read",
            [("module", "in", NAMES)],
            ["name", "res_id"],
        )
        self.ids = {row["name"]: row["res_id"] for row in found}
        (job,) = self._administer(
            "ir.model.data",
            "search_read",
            [("module", "=", "mail"), ("name", "=", "ir_cron_mail_scheduler_action")],
            ["res_id"],
        )
        self.ids["queue"] = job["res_id"]

    def _partner(self, email: str) -> int:
        found = self._administer("res.partner", "search", [("email", "=", email)])
        if len(found) != 1:
            raise RpcError(f"{len(found)} contacts have the e-mail {email}, not one")
        return int(found[0])

    def _write_message(self, row: Row) -> None:
        context: dict[str, Any] = {} if row.follows else {**NOT_FOLLOWING}
        if row.queued:
            context["mail_notify_force_send"] = False
        if row.open_companies:
            context["allowed_company_ids"] = [self.ids[x] for x in row.open_companies]
        if not row.template:
            self._post(row, context)
        elif row.queued:
            self._queue_template(row, context)
        else:
            self._compose(row, context)

    def _post(self, row: Row, context: Mapping[str, Any]) -> None:
        """Write in the chatter; the mail is kept, so that its route can be asked."""
        values: dict[str, Any] = {**CHATTER, "mail_auto_delete": False}
        if row.named:
            values["author_id"] = self._partner(row.named.email)
            values["email_from"] = f'"{row.named.name}" <{row.named.email}>'
        if row.answers:
            values["parent_id"] = self.last_message
        else:
            values["partner_ids"] = [self._partner(row.to)]
        (self.last_message,) = self.sessions[row.sender.login].call(
            "res.partner",
            "message_post",
            [self.ids[row.record.xmlid]],
            subject=row.subject,
            body=f"{row.sender.name} writes.",
            context=context,
            **values,
        )

    def _compose(self, row: Row, context: Mapping[str, Any]) -> None:
        """Send a template from the composer."""
        session = self.sessions[row.sender.login]
        composer = session.call(
            "mail.compose.message",
            "create",
            {
                "composition_mode": "comment",
                "model": "res.partner",
                "res_ids": str([self.ids[row.record.xmlid]]),
                "template_id": self.ids[row.template],
                "subject": row.subject,
                "auto_delete": False,
            },
            context=context,
        )
        session.call(
            "mail.compose.message", "action_send_mail", [composer], context=context
        )

    def _queue_template(self, row: Row, context: Mapping[str, Any]) -> None:
        """Send a template without a composer, as a button of an application does."""
        self.sessions[row.sender.login].call(
            "mail.template",
            "send_mail",
            [self.ids[row.template]],
            self.ids[row.record.xmlid],
            email_values={"subject": row.subject, "auto_delete": False},
            context=context,
        )
