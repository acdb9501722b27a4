"""Have a database send in every way it can, in a process of Odoo's own code.

``OdooServer.call`` takes both steps, with the ports of the SMTP servers by account.
"""

from collections.abc import Callable
from typing import Any

PASSWORD = "right"
#: The accounts: whom the mail server is assigned to; the last is no record of Odoo's.
ACCOUNTS = ("user", "company", "personal", "template", "nobody", "command-line")
CUSTOMER = "customer@customer.example"


def prepare(env: Any, ports: dict[str, int]) -> None:
    """Make users and servers assigned in every way, and put mails in the queue."""
    servers = {}
    for name in ACCOUNTS[:-1]:
        account = {"smtp_user": name, "smtp_pass": PASSWORD, "smtp_port": ports[name]}
        values = {"name": name, "smtp_host": "127.0.0.1", **account}
        servers[name] = env["ir.mail_server"].create(values)
    anna, ben = env["res.users"].create(
        [
            {"name": name, "login": name, "email": f"{name}@a.example"}
            for name in ("anna", "ben")
        ]
    )
    anna.own_mail_server_ids = servers["user"]
    env["res.company"].search([]).mail_server_ids = servers["company"]
    personal = {"from_filter": ben.email, "smtp_user": ben.email}
    servers["personal"].write({**personal, "owner_user_id": ben.id})
    servers["template"].reserved = True
    for user in (anna, ben, env.user):
        for server in (env["ir.mail_server"], servers["template"], servers["user"]):
            _mail(env, user, mail_server_id=server.id)


def _user(env: Any, login: str) -> Any:
    return env["res.users"].search([("login", "=", login)])


def _mail(env: Any, user: Any, **values: Any) -> Any:
    texts = {"subject": user.login, "body_html": "<p>Hello</p>", "email_to": CUSTOMER}
    email_from = user.email_formatted or "odoo@elsewhere.example"
    mails = env["mail.mail"].with_user(user).sudo()
    return mails.create({**texts, "email_from": email_from, **values})


def send(env: Any, ports: dict[str, int]) -> dict[str, str]:
    """Send in every way; return the error of each that failed, by its name."""
    from odoo import tools

    tools.config["smtp_server"], tools.config["smtp_user"] = "127.0.0.1", "command-line"
    tools.config["smtp_port"] = ports["command-line"]
    tools.config["smtp_password"] = PASSWORD
    anna, ben = (_user(env, name) for name in ("anna", "ben"))
    servers = env["ir.mail_server"].with_context(active_test=False).search([])
    partner = env["res.partner"].create({"name": "Customer", "email": CUSTOMER})
    post = {"partner_ids": partner.ids, "send_after_commit": False}
    ways: dict[str, Callable[[], object]] = {
        "the queue": env["mail.mail"].process_email_queue,
        "a message": lambda: _hand_over(env, anna),
        "at once": lambda: _mail(env, ben).send(raise_exception=True),
        "in the chatter": lambda: partner.with_user(anna).sudo().message_post(**post),
    }
    for server in servers:
        ways[f"forced through {server.name}"] = _forced(env, anna, server)
        ways[f"testing {server.name}"] = server.test_smtp_connection
        ways[f"a message through {server.name}"] = _forced_message(env, anna, server)
    return {name: _error(way) for name, way in ways.items()}


def _forced(env: Any, user: Any, server: Any) -> Callable[[], object]:
    mail = _mail(env, server.owner_user_id or user, mail_server_id=server.id)
    return lambda: mail.send(raise_exception=True)


def _hand_over(env: Any, user: Any, **values: Any) -> object:
    servers = env["ir.mail_server"].with_user(user).sudo()
    message = servers._build_email__(user.email, [CUSTOMER], "Hello", "Hello")
    return servers.send_email(message, **values)


def _forced_message(env: Any, user: Any, server: Any) -> Callable[[], object]:
    return lambda: _hand_over(env, user, mail_server_id=server.id)


def _error(way: Callable[[], object]) -> str:
    try:
        way()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
