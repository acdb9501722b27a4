"""Opening SMTP connections, each in the thread that needs it."""

import threading
from collections import defaultdict

from odoo import SUPERUSER_ID, api
from odoo.tools import SQL

#: The first key of the locks of those that write tokens on their server's row.
TOKENS = 0x746F6B6E

# One at a time for each server, in this process
_locks = defaultdict(threading.Lock)


def connector(env, batch):
    """What opens a connection for a batch: core's ``_connect__``.

    :return: a function that raises what ``smtplib`` and ``socket`` raise; it uses a
        cursor of its own, which ends before the first message
    """
    registry, server_id = env.registry, batch.server.id or False
    routed = batch.routed
    by_token = bool(server_id) and batch.server.smtp_authentication in (
        "gmail",
        "outlook",
    )

    def connect():
        if not by_token:
            return _connect(registry, server_id, routed)
        with _locks[registry.db_name, server_id]:
            return _connect(registry, server_id, routed, by_token)

    return connect


def _connect(registry, server_id, routed, by_token=False):
    with registry.cursor() as cr:
        if by_token:
            cr.execute(SQL("SELECT pg_advisory_xact_lock(%s, %s)", TOKENS, server_id))
        servers = api.Environment(cr, SUPERUSER_ID, {})["ir.mail_server"]
        return servers._connect__(mail_server_id=server_id, smtp_from=routed)
