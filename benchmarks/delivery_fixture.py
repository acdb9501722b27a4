"""What the delivery of a queue is measured on: messages, put back again and again.

Messages are really posted, once; afterwards their mails, which core deletes when they
were sent, are put back by SQL. Server ``n`` has the FROM filter of domain ``n``, and
each sender an address in one of the domains, so that core and the addon choose alike.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from typing import Any

from .fixtures import BODY, customers

#: The tables that a round changes.
TABLES = (
    *("mail_mail", "mail_mail_res_partner_rel", "mail_notification", "mail_message"),
    *("mail_delivery_attempt", "mail_delivery_claim", "mail_delivery_run"),
)
#: Mails of a backlog have ids from here on, so many for each mail that was posted.
BEYOND = 1_000_000
_SHORT = "<p>Dear customer, your parts left our warehouse this morning.</p>"
_OURS = ("attempt", "claim", "run", "health")


def make_servers(env: Any, ports: Sequence[int]) -> None:
    """Replace all outgoing servers; no login, no encryption, a domain for each.

    :param ports: of the SMTP servers on loopback
    """
    env.cr.execute("DELETE FROM ir_mail_server")
    env.registry.clear_cache()
    env["ir.mail_server"].create(
        [
            {
                "name": f"Server {number}",
                "smtp_host": "127.0.0.1",
                "smtp_port": port,
                "smtp_encryption": "none",
                "from_filter": f"server{number}.example",
            }
            for number, port in enumerate(ports)
        ]
    )


def make_posts(env: Any, count: int) -> None:
    """Post messages to customers, one each, unless that was done; keep their mails."""
    env.cr.execute("SELECT to_regclass('bench_mail')")
    if env.cr.fetchone()[0]:
        return
    env.cr.execute("DELETE FROM mail_mail")
    for number, customer in enumerate(customers(env, count)):
        post(customer, number)
    env.flush_all()
    env.cr.execute(
        """
        CREATE TABLE bench_mail AS SELECT * FROM mail_mail ORDER BY id;
        CREATE TABLE bench_rel AS SELECT * FROM mail_mail_res_partner_rel
        WHERE mail_mail_id IN (SELECT id FROM bench_mail);
        CREATE TABLE bench_order AS
        SELECT id, mail_message_id, row_number() OVER (ORDER BY id) - 1 AS number
        FROM bench_mail;
        """
    )


def post(customer: Any, number: int, at_once: bool = False) -> None:
    """Post a message in a customer's chatter, who is notified by mail.

    :param at_once: as users do it; else the mail is left to the queue in core as well
    """
    context = {} if at_once else {"mail_notify_force_send": False}
    customer.with_context(**context).message_post(
        subject=f"Re: Order S{number:05d}",
        body=BODY % number,
        body_is_html=True,
        email_from='"Sender" <sender@server0.example>',
        author_id=customer.env.user.partner_id.id,
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
        partner_ids=customer.ids,
    )


def put_back(env: Any, count: int, senders: int, servers: int, first: int = 0) -> None:
    """Have so many of the posted messages wait in the queue, and nothing else.

    :param senders: how many addresses take turns in From
    :param servers: how many domains they have
    :param first: the number of the first domain
    """
    _empty(env)
    env.cr.execute(
        """
        INSERT INTO mail_mail SELECT * FROM bench_mail ORDER BY id LIMIT %(count)s;
        INSERT INTO mail_mail_res_partner_rel SELECT * FROM bench_rel
        WHERE mail_mail_id IN (SELECT id FROM mail_mail);
        UPDATE mail_message message SET email_from = format(
            '"Sender %%s" <sender%%s@server%%s.example>', sender, sender,
            %(first)s + sender %% %(servers)s
        ) FROM (
            SELECT mail_message_id, number %% %(senders)s AS sender FROM bench_order
        ) known WHERE message.id = known.mail_message_id;
        UPDATE mail_notification notification SET notification_status = 'ready',
            failure_type = NULL, failure_reason = NULL, mail_mail_id = mail.id
        FROM mail_mail mail WHERE mail.mail_message_id = notification.mail_message_id;
        """,
        {"count": count, "senders": senders, "servers": servers, "first": first},
    )
    keep_scheduled(env)


def make_backlog(env: Any, count: int) -> None:
    """Have so many mails wait that are due, by SQL: copies of those posted."""
    _empty(env)
    env.cr.execute(
        """
        SELECT string_agg(quote_ident(column_name), ', ')
        FROM information_schema.columns
        WHERE table_name = 'bench_mail' AND column_name NOT IN ('id', 'body_html')
        """
    )
    [columns] = env.cr.fetchone()
    env.cr.execute(
        f"""
        CREATE TEMP TABLE copied ON COMMIT DROP AS
        SELECT {BEYOND} * turn + id AS copy_id, id
        FROM bench_mail, generate_series(1, %(turns)s) turn LIMIT %(count)s;
        INSERT INTO mail_mail (id, body_html, {columns})
        SELECT copied.copy_id, %(body)s, {columns}
        FROM copied JOIN bench_mail USING (id);
        INSERT INTO mail_mail_res_partner_rel (mail_mail_id, res_partner_id)
        SELECT copied.copy_id, bench_rel.res_partner_id
        FROM copied JOIN bench_rel ON bench_rel.mail_mail_id = copied.id;
        """,
        {"turns": count, "count": count, "body": _SHORT},
    )
    keep_scheduled(env)


def make_heavy(env: Any, count: int, size: int) -> None:
    """Replace the queue by mails with an attachment each.

    :param size: bytes of each as it is transmitted
    """
    _empty(env)
    raw = random.Random(1).randbytes(size * 3 // 4)
    assert len(base64.b64encode(raw)) <= size
    people = customers(env, count)
    for number, customer in enumerate(people):
        attachment = env["ir.attachment"].create(
            {"name": f"catalogue{number}.bin", "raw": raw}
        )
        env["mail.mail"].create(
            {
                "subject": f"Catalogue {number}",
                "body_html": _SHORT,
                "email_from": "sender@server0.example",
                "recipient_ids": [(4, customer.id)],
                "attachment_ids": [(4, attachment.id)],
            }
        )
        env.flush_all()
        env.invalidate_all()


def keep_scheduled(env: Any) -> None:
    """Have scheduled actions count as running, although nothing runs them here."""
    env.cr.execute("UPDATE ir_cron SET nextcall = now() + interval '1 day'")


def _empty(env: Any) -> None:
    env.cr.execute("DELETE FROM mail_mail")
    for name in _OURS:
        if f"mail.delivery.{name}" in env:
            env.cr.execute(f"DELETE FROM mail_delivery_{name}")
    env.invalidate_all()
