"""Plays the demonstration over Odoo's RPC: every message as the user who writes it."""

import secrets
from collections import defaultdict
from typing import Any

import requests

from .addons import NAMES
from .demo_scenario import MAIL_SERVERS, PEOPLE, ROWS, Row, subject_of
from .smtp_service import SmtpService
from .steps import StepFailed, step

ADMINISTRATOR = "admin"


class Session:
    """A user's session in Odoo, as the web client has it; the password is the login."""

    def __init__(self, url: str, database: str, login: str) -> None:
        self.url = url
        self._session = requests.Session()
        values = {"db": database, "login": login, "password": login}
        self._post("/web/session/authenticate", values)

    def call(self, model: str, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a public method of a model; one of records takes their ids first."""
        values = {"model": model, "method": method, "args": arguments, "kwargs": named}
        return self._post(f"/web/dataset/call_kw/{model}/{method}", values)

    def _post(self, path: str, parameters: dict[str, Any]) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": parameters}
        # the first call after a start may have to load every view and translation
        answer = self._session.post(self.url + path, json=body, timeout=120)
        content = answer.json()
        if "error" in content:
            what = str(content["error"].get("data", content["error"]).get("message"))
            raise StepFailed(f"Ask Odoo for {path}", what, "Odoo's log says more.")
        return content.get("result")


class Player:
    """The administrator and the users of a running Odoo, each in an own session."""

    def __init__(self, url: str, database: str) -> None:
        """Log everybody in."""
        self.url = url
        self.last_message = 0
        with step("Log in as the administrator and as the users"):
            logins = (ADMINISTRATOR, *PEOPLE)
            self.sessions = {it: Session(url, database, it) for it in logins}
            self.administer = self.sessions[ADMINISTRATOR].call
            found = self.administer(
                "ir.model.data",
                "search_read",
                [("module", "in", [*NAMES, "mail"])],
                ["name", "res_id"],
            )
        #: Of the demonstration data, and of what else the addons and mail name.
        self.ids: dict[str, int] = {row["name"]: row["res_id"] for row in found}

    def start_servers(self, smtp: SmtpService) -> None:
        """Start the SMTP servers, and point Odoo's outgoing mail servers at them."""
        accounts: dict[str, dict[str, str]] = defaultdict(dict)
        for server, login in MAIL_SERVERS.values():
            accounts[server][login] = secrets.token_urlsafe(12)
        smtp.start(accounts)
        with step("Tell Odoo the ports and passwords, as administrator"):
            for xmlid, (server, login) in MAIL_SERVERS.items():
                values = {
                    "smtp_host": "127.0.0.1",
                    "smtp_port": smtp.ports[server],
                    "smtp_user": login,
                    "smtp_pass": accounts[server][login],
                    "smtp_encryption": "none",
                    "smtp_authentication": "login",
                }
                self.administer("ir.mail_server", "write", [self.ids[xmlid]], values)

    def write_messages(self) -> None:
        """Post the messages and send the templates, each as its user.

        They leave at once, but for the queued ones.
        """
        with step("Post messages and send templates as the users"):
            for row in ROWS:
                self._write(row)

    def post(self, login: str, subject: str) -> None:
        """Post a message as a user, to the first customer of the scenario."""
        row = next(row for row in ROWS if row["sender"] == login)
        self.sessions[login].call(
            "res.partner",
            "message_post",
            [self.ids[row["record"]]],
            subject=subject,
            body="Hello",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            mail_auto_delete=False,
            partner_ids=[self._partner(row["to"])],
            context={"mail_post_autofollow_author_skip": True},
        )

    def run_queue(self) -> None:
        """Have the administrator start the job that sends what is queued.

        The job runs as OdooBot, as it does when its time has come.
        """
        with step("Run the mail queue: the scheduled action, as OdooBot"):
            job = self.ids["ir_cron_mail_scheduler_action"]
            self.administer("ir.cron", "method_direct_trigger", [job])

    def unsent(self) -> dict[str, str]:
        """Return why mails did not leave, by subject."""
        fields = ["subject", "state", "failure_reason"]
        unsent = [("state", "!=", "sent")]
        mails = self.administer("mail.mail", "search_read", unsent, fields)
        return {it["subject"]: f"{it['state']}: {it['failure_reason']}" for it in mails}

    def _write(self, row: Row) -> None:
        # who wrote does not follow the record from then on: a message makes one mail
        context: dict[str, Any] = {}
        context["mail_post_autofollow_author_skip"] = not row["follows"]
        if row["queued"]:
            context["mail_notify_force_send"] = False
        if companies := row["open_companies"].split():
            context["allowed_company_ids"] = [self.ids[name] for name in companies]
        (self._send_template if row["template"] else self._post)(row, context)

    def _post(self, row: Row, context: dict[str, Any]) -> None:
        """Write in the chatter; the mail is kept, so that its route can be asked."""
        values: dict[str, Any] = {}
        if named := PEOPLE.get(row["named"]):
            values["author_id"] = self._partner(named.email)
            values["email_from"] = f'"{named.name}" <{named.email}>'
        if row["answers"]:
            values["parent_id"] = self.last_message
        else:
            values["partner_ids"] = [self._partner(row["to"])]
        (self.last_message,) = self.sessions[row["sender"]].call(
            "res.partner",
            "message_post",
            [self.ids[row["record"]]],
            subject=subject_of(row),
            body="Hello",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            mail_auto_delete=False,
            context=context,
            **values,
        )

    def _partner(self, email: str) -> int:
        (found,) = self.administer("res.partner", "search", [("email", "=", email)])
        return int(found)

    def _send_template(self, row: Row, context: dict[str, Any]) -> None:
        """Send a template from the composer, or, queued, as an application's button."""
        call, record = self.sessions[row["sender"]].call, self.ids[row["record"]]
        template = self.ids[row["template"]]
        values = {"subject": subject_of(row), "auto_delete": False}
        if row["queued"]:
            arguments = ([template], record, False, False, values)
            call("mail.template", "send_mail", *arguments, context=context)
            return
        values |= {"composition_mode": "comment", "model": "res.partner"}
        values |= {"res_ids": str([record]), "template_id": template}
        model = "mail.compose.message"
        composer = call(model, "create", values, context=context)
        call(model, "action_send_mail", [composer], context=context)
