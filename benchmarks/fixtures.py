"""Servers, users, companies and mails to measure with, the same on both sides.

Sender ``n`` has the address :func:`address`, and server ``n`` the FROM filter that
admits it, so core and the addon choose the same server, assigned or not.
"""

from __future__ import annotations

from typing import Any

BODY = """<div><p>Dear customer,</p><p>thank you for your message about order
<b>S%05d</b>. The parts left our warehouse this morning and should be with you
within two working days; the carrier will announce the day of delivery.</p>
<p>Kind regards</p><p style="color:#888">--<br/>Sales department</p></div>"""


def address(number: int) -> str:
    """The address of a sender."""
    return f"sender{number}@bench.example"


def make_servers(
    env: Any,
    count: int,
    port: int,
    assign_to: str = "nobody",
    holders: int = 0,
    filtered: bool = True,
) -> None:
    """Replace all outgoing servers; no login, no encryption, one FROM filter each.

    :param port: of the SMTP server on loopback
    :param assign_to: ``nobody``, ``users`` or ``companies``
    :param holders: how many users or companies share the servers
    :param filtered: without, the servers admit every From
    """
    env.cr.execute("DELETE FROM ir_mail_server")
    env.registry.clear_cache()
    values: list[dict[str, Any]] = [
        {
            "name": f"Server {number}",
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_encryption": "none",
            "from_filter": address(number) if filtered else False,
        }
        for number in range(count)
    ]
    if assign_to != "nobody":
        find = {"users": _users, "companies": _companies}[assign_to]
        field = {"users": "own_user_ids", "companies": "default_company_ids"}[assign_to]
        records = find(env, holders)
        for number, server in enumerate(values):
            server[field] = [(4, records[number % holders].id)]
    env["ir.mail_server"].create(values)


def make_mails(
    env: Any,
    count: int,
    senders: int,
    users: int = 0,
    companies: int = 0,
) -> None:
    """Replace the mail queue by chatter mails, each to a customer of its own.

    They have no notifications, no attachment and one recipient: the cheaper a mail
    is, the more an addition shows. (Odoo keeps the environment of a recipient as long
    as the garbage collector lets it, so that mails to the same one would cost now
    more, now fewer SQL statements.)

    :param senders: how many addresses take turns in From
    :param users: how many users take turns in writing; 0: Odoo itself
    :param companies: how many companies' records they are written on; 0: the main one
    """
    env.cr.execute(
        "DELETE FROM mail_message WHERE id IN (SELECT mail_message_id FROM mail_mail)"
    )
    env.invalidate_all()
    writers = _users(env, users)
    owners = _companies(env, companies) if companies else env.company
    values = []
    for number, customer in enumerate(customers(env, count)):
        sender = number % senders
        writer = writers[sender % users] if users else env.user
        owner = owners[sender % len(owners)]
        values.append(_mail_values(number, sender, writer, owner, customer))
    mails = env["mail.mail"].create(values)
    if users:
        credit_to_authors(env, mails)


def _mail_values(
    number: int, sender: int, writer: Any, owner: Any, customer: Any
) -> dict[str, Any]:
    """A chatter mail of a user, on a company's record, to a customer."""
    return {
        "subject": f"Re: Order S{number:05d}",
        "body_html": BODY % number,
        "email_from": f'"Sender {sender}" <{address(sender)}>',
        "author_id": writer.partner_id.id,
        "recipient_ids": [(4, customer.id)],
        "model": customer._name,
        "res_id": customer.id,
        "record_company_id": owner.id,
        "auto_delete": False,
        "message_type": "comment",
    }


def credit_to_authors(env: Any, mails: Any) -> None:
    """Make the authors' users those who wrote the mails, as in the chatter."""
    env.flush_all()
    env.cr.execute(
        """
        UPDATE mail_message AS message SET create_uid = writer.id
        FROM mail_mail AS mail, res_users AS writer
        WHERE mail.mail_message_id = message.id AND mail.id = ANY(%s)
        AND writer.partner_id = message.author_id
        """,
        [mails.ids],
    )
    env.invalidate_all()


def customers(env: Any, count: int) -> Any:
    """So many contacts with an address, outside of the companies."""
    return _named(env["res.partner"], "Customer", count)


def _users(env: Any, count: int) -> Any:
    """So many internal users, of one e-mail address each."""
    users = env["res.users"].with_context(no_reset_password=True)
    found = users.search([("login", "=like", "sender%@bench.example")], order="id")
    missing = [
        {"name": f"Sender {number}", "login": address(number), "email": address(number)}
        for number in range(len(found), count)
    ]
    return (found + users.create(missing))[:count]


def _companies(env: Any, count: int) -> Any:
    return _named(env["res.company"], "Company", count)


def _named(model: Any, name: str, count: int) -> Any:
    """So many records of a model; made once, then found again by their name."""
    found = model.search([("name", "=like", f"Bench {name} %")], order="id")
    missing: list[dict[str, Any]] = []
    for number in range(len(found), count):
        values = {"name": f"Bench {name} {number}"}
        if model._name == "res.partner":
            # none on companies: modules would look their domain up on the internet
            values["email"] = f"customer{number}@client.example"
        missing.append(values)
    return (found + model.create(missing))[:count]
