"""A big customer, made by SQL: companies with a domain each, users, servers, mail.

One record of each kind is made by Odoo, and its row is copied, so that every column of
every installed module has the value that Odoo gives it. User ``n`` belongs to company
``n % COMPANIES``; the first servers are the companies', the next ones the first users',
and the last are nobody's. Their FROM filters say the same, so core chooses them, too.
"""

from __future__ import annotations

from typing import Any

from odoo.tools import SQL

from .fixtures import BODY
from .large_sizes import (
    COMPANIES,
    MESSAGES,
    QUEUE,
    SERVERS,
    TEMPLATES,
    USERS,
    USERS_WITH_SERVER,
)


def make(env: Any, port: int, assign: bool) -> None:
    """Fill a database that has none of this yet.

    :param port: of the SMTP server on loopback
    :param assign: the servers to companies and users, which only the addon can
    """
    companies = _make_companies(env)
    users = _make_users(env, companies)
    _make_servers(env, port, companies if assign else [], users if assign else [])
    _make_templates(env)
    _make_messages(env, companies, users)
    env.flush_all()
    env.registry.clear_all_caches()


def _domain(number: SQL) -> SQL:
    return SQL("concat('company', %s, '.example')", number)


def _make_companies(env: Any) -> list[int]:
    """Companies that are all the administrator's, each with an alias domain."""
    count, number = COMPANIES, SQL("n")
    partner = env["res.partner"].create({"name": "Large company", "is_company": True})
    name = SQL("concat('Company ', n)")
    email = SQL("concat('office@', %s)", _domain(number))
    partners = _copy_partners(env, partner, count, name, email)
    domain = env["mail.alias.domain"].create({"name": "large.example"})
    domains = _copy(env, domain, count, name=_domain(number))
    company = env["res.company"].create({"name": "Large company"})
    companies = _copy(
        env,
        company,
        count,
        name=name,
        email=email,
        partner_id=_nth(partners),
        alias_domain_id=_nth(domains),
    )
    env.cr.execute("UPDATE res_company SET parent_path = concat(id, '/')")
    for user_id in (env.ref("base.user_admin").id, env.uid):
        env.cr.execute(
            "INSERT INTO res_company_users_rel (cid, user_id)"
            " SELECT unnest(%s), %s ON CONFLICT DO NOTHING",
            [companies, user_id],
        )
    return companies


def _make_users(env: Any, companies: list[int]) -> list[int]:
    """Internal users of a company each; the first is in all companies."""
    users = env["res.users"].with_context(no_reset_password=True)
    user = users.create(
        {"name": "Large user", "login": "large", "email": "l@l.example"}
    )
    name = SQL("concat('User ', n)")
    email = SQL("concat('user', n, '@', %s)", _domain(SQL("mod(n, %s)", COMPANIES)))
    partners = _copy_partners(env, user.partner_id, USERS, name, email)
    company = _nth(companies)
    ids = _copy(
        env, user, USERS, login=email, partner_id=_nth(partners), company_id=company
    )
    groups = user.group_ids.ids
    for group_id in groups:
        env.cr.execute(
            "INSERT INTO res_groups_users_rel (gid, uid) SELECT %s, unnest(%s)",
            [group_id, ids],
        )
    env.cr.execute(
        "INSERT INTO res_company_users_rel (cid, user_id)"
        " SELECT company_id, id FROM res_users WHERE id = ANY(%s)"
        " UNION SELECT unnest(%s), %s",
        [ids, companies, ids[0]],
    )
    return ids


def _make_servers(
    env: Any, port: int, companies: list[int], users: list[int]
) -> list[int]:
    """Servers of companies, of users, and of nobody, in this order."""
    env.cr.execute("DELETE FROM ir_mail_server")
    server = env["ir.mail_server"].create(
        {
            "name": "Large server",
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_encryption": "none",
        }
    )
    from_filter = SQL(
        "CASE WHEN n < %s THEN %s WHEN n < %s THEN concat('user', n - %s, '@', %s)"
        " ELSE concat('other', n, '.example') END",
        *(COMPANIES, _domain(SQL("n")), COMPANIES + USERS_WITH_SERVER, COMPANIES),
        _domain(SQL("mod(n - %s, %s)", COMPANIES, COMPANIES)),
    )
    name = SQL("concat('Server ', n)")
    servers = _copy(env, server, SERVERS, name=name, from_filter=from_filter)
    env.cr.execute("DELETE FROM ir_mail_server WHERE id = %s", [server.id])
    for field, holders, first in (
        ("default_company_ids", companies, 0),
        ("own_user_ids", users[:USERS_WITH_SERVER], COMPANIES),
    ):
        if holders:
            link(env, field, servers[first : first + len(holders)], holders)
    return servers


def link(env: Any, field: str, servers: list[int], holders: list[int]) -> None:
    """Assign servers to users or companies, one by one, by SQL."""
    relation = env["ir.mail_server"]._fields[field]
    env.cr.execute(
        SQL(
            "INSERT INTO %s (%s, %s) SELECT * FROM unnest(%s, %s)"
            " ON CONFLICT DO NOTHING",
            *map(
                SQL.identifier, (relation.relation, relation.column1, relation.column2)
            ),
            servers,
            holders,
        )
    )


def _make_templates(env: Any) -> None:
    """Templates of contacts with a plain From."""
    template = env["mail.template"].create(
        {
            "name": "Large template",
            "model_id": env["ir.model"]._get_id("res.partner"),
            "email_from": "news@company7.example",
            "subject": "News",
            "body_html": BODY % 1,
        }
    )
    _copy(env, template, TEMPLATES - 1)


def _make_messages(env: Any, companies: list[int], users: list[int]) -> None:
    """Messages of the users that were sent, and a queue of chatter mails."""
    customer = env["res.partner"].create({"name": "C", "email": "c@client.example"})
    message = env["mail.message"].create(
        {
            "subject": "Re: Order",
            "body": BODY % 1,
            "model": "res.partner",
            "res_id": customer.id,
            "message_type": "comment",
        }
    )
    notification = env["mail.notification"].create(
        {
            "mail_message_id": message.id,
            "res_partner_id": customer.id,
            "notification_type": "email",
            "notification_status": "sent",
        }
    )
    messages = _copy_messages(env, message, MESSAGES, companies, users)
    _copy(env, notification, MESSAGES, mail_message_id=_nth(messages))


def make_queue(env: Any) -> None:
    """Put a queue of chatter mails in place of what is in it."""
    env.cr.execute(
        "DELETE FROM mail_message WHERE id IN (SELECT mail_message_id FROM mail_mail)"
    )
    customer = env["res.partner"].create({"name": "C", "email": "c@client.example"})
    mail = env["mail.mail"].create(
        {
            "subject": "Re: Order",
            "body_html": BODY % 1,
            "model": "res.partner",
            "res_id": customer.id,
            "auto_delete": False,
            "message_type": "comment",
        }
    )
    companies = env["res.company"].search([("name", "=like", "Company %")], order="id")
    partners = _copy_partners(
        env,
        customer,
        QUEUE,
        SQL("concat('Customer ', n)"),
        SQL("concat('customer', n, '@client.example')"),
    )
    messages = _copy_messages(
        env, mail.mail_message_id, QUEUE, companies.ids, users_of(env).ids
    )
    mails = _copy(env, mail, QUEUE, mail_message_id=_nth(messages))
    env.cr.execute(
        "INSERT INTO mail_mail_res_partner_rel (mail_mail_id, res_partner_id)"
        " SELECT * FROM unnest(%s, %s)",
        [mails, partners],
    )
    mail.mail_message_id.unlink()


def _copy_messages(
    env: Any, message: Any, count: int, companies: list[int], users: list[int]
) -> list[int]:
    """Messages that users of all companies wrote in turns."""
    messages = _copy(
        env,
        message,
        count,
        message_id=SQL("concat('<', clock_timestamp(), '-', n, '@large.example>')"),
        create_uid=_nth(users),
        record_company_id=_nth(companies),
    )
    env.cr.execute(
        """
        UPDATE mail_message AS message
        SET author_id = partner.id,
            email_from = concat('"', partner.name, '" <', partner.email, '>'),
            record_alias_domain_id = company.alias_domain_id
        FROM res_users AS writer, res_partner AS partner, res_company AS company
        WHERE message.id = ANY(%s) AND writer.id = message.create_uid
        AND partner.id = writer.partner_id AND company.id = message.record_company_id
        """,
        [messages],
    )
    return messages


def _copy_partners(
    env: Any, partner: Any, count: int, name: SQL, email: SQL
) -> list[int]:
    """Contacts of these names and addresses."""
    ids = _copy(
        env,
        partner,
        count,
        name=name,
        complete_name=name,
        email=email,
        email_normalized=email,
    )
    env.cr.execute(
        "UPDATE res_partner SET commercial_partner_id = id WHERE id = ANY(%s)", [ids]
    )
    return ids


def _copy(env: Any, record: Any, count: int, **values: SQL) -> list[int]:
    """Copy the row of a record by SQL; its links to many records are left out.

    :param values: of columns that differ, with the number of the copy as ``n``
    :return: the ids, in the order of the numbers
    """
    env.flush_all()
    table = SQL.identifier(record._table)
    env.cr.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass"
        " AND attnum > 0 AND NOT attisdropped AND attname != 'id'",
        [record._table],
    )
    names = [name for (name,) in env.cr.fetchall()]
    copied = (values.get(name, SQL.identifier("origin", name)) for name in names)
    env.cr.execute(
        SQL(
            "INSERT INTO %s (%s) SELECT %s FROM %s AS origin,"
            " generate_series(0, %s) AS n WHERE origin.id = %s ORDER BY n RETURNING id",
            table,
            SQL(", ").join(map(SQL.identifier, names)),
            SQL(", ").join(copied),
            table,
            count - 1,
            record.id,
        )
    )
    return sorted(id_ for (id_,) in env.cr.fetchall())


def _nth(ids: list[int]) -> SQL:
    """The SQL of the id whose turn it is in the copy of number ``n``."""
    return SQL("(%s::int[])[1 + mod(n, %s)]", ids, len(ids))


def users_of(env: Any) -> Any:
    """The users that were made, in order."""
    return env["res.users"].search([("login", "=like", "user%@company%")], order="id")


def link_all(env: Any, server: Any, users: Any) -> None:
    """Assign a server to all users."""
    link(env, "own_user_ids", [server.id] * len(users), users.ids)
