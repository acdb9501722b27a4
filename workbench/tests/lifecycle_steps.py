"""A database full of mail servers, users and queued mail, as Odoo itself sees it.

Each step is called by ``OdooServer.call``, in a process of Odoo's. ``assign`` and
``take_over`` need the routing addon, ``keep_waiting`` delivery; the others work without
them and with them.
"""

from typing import Any

COMPANIES, SERVERS, USERS, MAILS = 10, 300, 300, 300
#: One server of so many is a user's personal one, one of so many is archived.
PERSONAL, ARCHIVED = 30, 25


def login_of(number: int) -> str:
    """Return the login of a server that is nobody's personal one."""
    return f"server{number}@d{number % COMPANIES}.example"


def email_of(number: int) -> str:
    """Return the e-mail of a user, which is the login of their personal server."""
    return f"user{number}@d{number % COMPANIES}.example"


def accounts() -> dict[str, str]:
    """Return the passwords of all servers by login."""
    logins = [*map(login_of, range(SERVERS)), *map(email_of, range(USERS))]
    return {login: f"secret of {login}" for login in logins}


def populate(env: Any, port: int) -> int:
    """Fill a database without the addon; return how many mails are in its queue.

    :param port: of the SMTP server behind all ``ir.mail_server`` records
    """
    numbers = range(COMPANIES)
    domains = [{"name": f"d{number}.example"} for number in numbers]
    of_company = env["mail.alias.domain"].create(domains)
    companies = env["res.company"].create(
        [{"name": f"Company {n}", "alias_domain_id": of_company[n].id} for n in numbers]
    )
    quiet = env["res.users"].with_context(no_reset_password=True, tracking_disable=True)
    users = quiet.create([_user(number, companies) for number in range(USERS)])
    env["ir.mail_server"].create([_server(n, users, port) for n in range(SERVERS)])
    env["ir.config_parameter"].set_param("mail.default.from_filter", "d1.example")
    # OdooBot, and one user of ten
    makers = [env.user, *users[PERSONAL - 1 :: 10]]
    for number in range(MAILS):
        maker = makers[number % len(makers)]
        env["mail.mail"].with_user(maker).sudo().create(_mail(number, maker))
    return len(_queue(env))


def _user(number: int, companies: Any) -> dict[str, Any]:
    return {
        "name": f"User {number}",
        "login": f"user{number}",
        "email": email_of(number),
        "company_id": companies[number % COMPANIES].id,
        "company_ids": companies[number % COMPANIES].ids,
    }


def _server(number: int, users: Any, port: int) -> dict[str, Any]:
    """One of the servers with every kind of FROM filter, some personal or archived."""
    login = login_of(number)
    filters = (False, login, login.partition("@")[2], f"{login}, other.example")
    personal = number % PERSONAL == PERSONAL - 1
    login = email_of(number) if personal else login
    return {
        "name": f"Server {number}",
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_encryption": "none",
        "smtp_user": login,
        "smtp_pass": f"secret of {login}",
        "from_filter": login if personal else filters[number // 7 % 4],
        "owner_user_id": users[number].id if personal else False,
        "sequence": number * 13 % 50,
        "active": number % ARCHIVED != 0,
    }


def _mail(number: int, maker: Any) -> dict[str, Any]:
    """A queued mail, some with a server set by hand, or with the From of a template."""
    shop = f"shop@d{number % 12}.example"
    free = maker.env["ir.mail_server"].search([("owner_user_id", "=", False)])
    companies = maker.env["res.company"].search([("name", "=like", "Company %")])
    company = companies[number % COMPANIES]
    return {
        "subject": f"Mail {number}",
        "body_html": "<p>Hello</p>",
        "email_from": shop if number % 7 == 0 else maker.email_formatted,
        "email_to": f"customer{number}@customer.example",
        "mail_server_id": number % 11 == 0 and free[60 + number % 20].id,
        "record_alias_domain_id": number % 3 == 0 and company.alias_domain_id.id,
    }


def routes(env: Any) -> dict[str, list[str]]:
    """Return by subject the login and the From address that each mail would take."""
    from odoo.tools import email_normalize

    servers = env["ir.mail_server"]
    batches = _queue(env)._split_by_mail_configuration()
    return {
        mail.subject: [servers.browse(server_id).smtp_user, email_normalize(email_from)]
        for server_id, _domain, email_from, ids in batches
        for mail in env["mail.mail"].browse(ids)
    }


def assign(env: Any) -> dict[str, int]:
    """Assign servers to users and companies, and set each new field somewhere."""
    servers = env["ir.mail_server"].search([("owner_user_id", "=", False)], order="id")
    users = env["res.users"].search([("login", "=like", "user%")], order="id")
    companies = env["res.company"].search([("name", "=like", "Company %")], order="id")
    assigned, shared, changed = servers[:20], servers[50:55], servers[55:60]
    for user, server in zip(users[9::10], assigned, strict=False):
        user.own_mail_server_ids = server
    for company, server in zip(companies, shared, strict=False):
        company.mail_server_ids = server
        server.company_ids = company
    users[:5].use_own_mail_servers = False
    incoming = env["fetchmail.server"].create(
        {"name": "Incoming", "server_type": "imap"}
    )
    changed.write(
        {
            "delegation": "colleagues",
            "from_policy": "any",
            "reply_to_policy": "custom",
            "reply_to_email": "office@d1.example",
            "bounce_policy": "from",
            "fetchmail_server_id": incoming.id,
            "sender_email": "office@d1.example",
        }
    )
    assigned.reserved = True
    changed.message_subscribe(users[0].partner_id.ids)
    for server in changed:
        server.message_post(body="Note", attachments=[("note.txt", b"Note")])
    return {"users": len(assigned), "companies": len(shared)}


def keep_waiting(env: Any) -> None:
    """Have a mail wait as one that was put off, and use what delivery can set."""
    env["ir.config_parameter"].set_param("mail_delivery.normal_then_every", "5 h")
    env["mail.delivery.run"]._keep_crons(3)
    _queue(env)[-1].write(
        {
            "scheduled_date": "2100-01-01",
            "failure_reason": "Try again later",
            "delivery_mark": "deferred",
        }
    )


def take_over(env: Any) -> list[str]:
    """Take over a server of each of the other addons; return the states of the lines.

    Needs ``mail_multicompany`` and ``mail_outbound_static``, besides the addon.
    """
    company = env["res.company"].create({"name": "Of the other addon"})
    static = {"smtp_from": "static@x.example", "domain_whitelist": "x.example"}
    for name, values in (("Relay", {"company_id": company.id}), ("Static", static)):
        env["ir.mail_server"].create(
            {"name": name, "smtp_host": "smtp.invalid", **values}
        )
    states = []
    for source in ("company", "static_from"):
        assignment = env["mail.routing.assignment"].create({"source": source})
        assignment.action_take_over()
        states += assignment.line_ids.mapped("state")
        assignment.action_assign()
    return states


def send(env: Any, count: int) -> list[str]:
    """Send so many mails of the queue; return the subjects of those that failed."""
    mails = _queue(env)[:count]
    mails.auto_delete = False
    mails.send(auto_commit=True)
    return list(mails.filtered(lambda mail: mail.state != "sent").mapped("subject"))


def _queue(env: Any) -> Any:
    return env["mail.mail"].search([("state", "=", "outgoing")], order="id")
