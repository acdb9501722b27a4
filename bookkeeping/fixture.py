"""Makes in Odoo what :mod:`bookkeeping.plan` says, and mends it; run in Odoo's shell.

Servers are assigned to users and to companies by turns, so that routing spreads the
mails over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.fixtures import credit_to_authors

BATCH = 1000


def make_books(env: Any, plan: Mapping[str, Any]) -> dict[str, str]:
    """Make servers, their holders and the mails of a plan.

    :return: the Message-IDs of the mails by their numbers
    """
    env["ir.mail_server"].search([]).active = False
    holders = [
        _assign(env, number, env["ir.mail_server"].create(values))
        for number, values in enumerate(plan["servers"])
    ]
    made: dict[str, str] = {}
    for mails in _batches(plan["mails"]):
        records = env["mail.mail"].create(_values_of_all(env, mails, holders))
        credit_to_authors(env, records)
        if "delivery_lane" in records._fields:
            _set_lanes(env, mails, records)
        made.update(
            (str(mail["number"]), record.message_id)
            for mail, record in zip(mails, records, strict=True)
        )
        env.invalidate_all()
    return made


def mend_logins(env: Any, passwords: Mapping[str, str]) -> None:
    """Have the servers of these names log in as they should, as by their forms."""
    for server in env["ir.mail_server"].search([("name", "in", list(passwords))]):
        server.smtp_pass = passwords[server.name]


def _assign(env: Any, number: int, server: Any) -> tuple[Any, Any]:
    """Assign a server; return the user and the company whose mail it carries."""
    company = env["res.company"].create({"name": f"Books {number}"})
    login = f"books{number}@own.example"
    values = {"name": f"Writer {number}", "login": login, "email": login}
    companies = {"company_id": company.id, "company_ids": [(6, 0, company.ids)]}
    users = env["res.users"].with_context(no_reset_password=True)
    user = users.create({**values, **companies})
    if number % 2:
        server.own_user_ids = user
    else:
        server.default_company_ids = company
    return user, company


def _values_of_all(
    env: Any, mails: Sequence[Mapping[str, Any]], holders: Sequence[tuple[Any, Any]]
) -> list[dict[str, Any]]:
    addresses = [address for mail in mails for address in mail["partners"]]
    partners = env["res.partner"].create(
        [{"name": address, "email": address} for address in addresses]
    )
    by_address = dict(zip(addresses, partners, strict=True))
    return [_values(mail, holders[mail["server"]], by_address) for mail in mails]


def _values(
    mail: Mapping[str, Any], holders: tuple[Any, Any], partners: Mapping[str, Any]
) -> dict[str, Any]:
    """A mail that a user wrote on a company's record."""
    user, company = holders
    return {
        "subject": f"Books {mail['number']}",
        "body_html": f"<p>Entry {mail['number']} of the books.</p>",
        "email_from": user.email_formatted,
        "author_id": user.partner_id.id,
        "record_company_id": company.id,
        "recipient_ids": [(4, partners[address].id) for address in mail["partners"]],
        "email_to": ", ".join(mail["email_to"]),
        "email_cc": ", ".join(mail["email_cc"]),
        "auto_delete": False,
        "message_type": "comment",
    }


def _set_lanes(env: Any, mails: Sequence[Mapping[str, Any]], records: Any) -> None:
    """Make mails urgent, which only what they are about could do."""
    lanes = [mail["lane"] for mail in mails]
    env.cr.execute(
        """
        UPDATE mail_mail SET delivery_lane = new.lane
        FROM unnest(%s, %s) AS new(id, lane) WHERE mail_mail.id = new.id
        """,
        [records.ids, lanes],
    )


def _batches(mails: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(mails), BATCH):
        yield mails[start : start + BATCH]
