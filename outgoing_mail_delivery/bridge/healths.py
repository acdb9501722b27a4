"""The health of servers, as runs read and change it: one row a server.

The row of server 0 is that of the SMTP server in Odoo's configuration. Whatever changes
a row locks it, so that several runs and a button see each other's.
"""

from odoo.tools import SQL

from ..delivery import Cause, Health, ServerHealth, Throttle
from .words import clean

#: Mails that are woken or put off by one statement.
MANY = 2000

_COLUMNS = SQL(
    """id, state, EXTRACT(EPOCH FROM since)::float8, EXTRACT(EPOCH FROM until)::float8,
    troubles, cause, words, rate, connections,
    EXTRACT(EPOCH FROM paused_until)::float8, EXTRACT(EPOCH FROM asked_at)::float8,
    credit"""
)


def _at(seconds):
    """An instant as the database keeps it, nothing where there is none."""
    return SQL("to_timestamp(%s::float8) AT TIME ZONE 'UTC'", seconds or None)


def _health_of(row):
    _id, state, since, until, troubles, cause, words, rate, connections, *rest = row
    paused_until, asked_at, credit = rest
    return ServerHealth(
        Health(state),
        since or 0.0,
        until,
        troubles or 0,
        Cause(cause) if cause else None,
        words or "",
        Throttle(
            rate or None,
            connections or None,
            paused_until or 0.0,
            asked_at or 0.0,
            credit or 0,
        ),
    )


class Healths:
    """Reads and writes ``mail.delivery.health`` by one cursor.

    :param cr: committed by the caller
    """

    def __init__(self, cr):
        self._cr = cr
        self.ids = {}

    def now(self):
        """The database's clock, in seconds (UTC)."""
        self._cr.execute(SQL("SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8"))
        [now] = self._cr.fetchone()
        return now

    def get(self, server_id):
        """The health of a server; well, where nothing is known.

        :rtype: ServerHealth
        """
        self._cr.execute(
            SQL(
                "SELECT %s FROM mail_delivery_health"
                " WHERE COALESCE(mail_server_id, 0) = %s",
                _COLUMNS,
                server_id,
            )
        )
        row = self._cr.fetchone()
        if row is None:
            return ServerHealth()
        self.ids[server_id] = row[0]
        return _health_of(row)

    def count_accepted(self, server_id, seconds):
        """How many messages a server has accepted lately, of whatever run.

        :param seconds: how long that is
        """
        self._cr.execute(
            SQL(
                "SELECT count(*) FROM mail_delivery_attempt"
                " WHERE started_at > clock_timestamp() AT TIME ZONE 'UTC'"
                " - %s * INTERVAL '1 second' AND outcome = 'sent'"
                " AND COALESCE(mail_server_id, 0) = %s",
                seconds,
                server_id,
            )
        )
        [count] = self._cr.fetchone()
        return count

    def update(self, server_id, change):
        """Change the health of a server.

        :param change: gives the new health for the one there is
        :return: the new one; of a server that was deleted, nothing is kept
        """
        before = self._lock(server_id)
        after = change(before)
        if after != before and server_id in self.ids:
            self._write(self.ids[server_id], after)
            if _is_mended(before, after):
                self.wake(server_id)
        return after

    def _lock(self, server_id):
        self._cr.execute(
            SQL(
                "INSERT INTO mail_delivery_health (mail_server_id, state)"
                " SELECT NULLIF(%s, 0), 'ok' WHERE %s = 0"
                " OR EXISTS (SELECT FROM ir_mail_server WHERE id = %s FOR KEY SHARE)"
                " ON CONFLICT DO NOTHING",
                server_id,
                server_id,
                server_id,
            )
        )
        self._cr.execute(
            SQL(
                "SELECT %s FROM mail_delivery_health"
                " WHERE COALESCE(mail_server_id, 0) = %s FOR UPDATE",
                _COLUMNS,
                server_id,
            )
        )
        row = self._cr.fetchone()
        if row is None:
            self.ids.pop(server_id, None)
            return ServerHealth()
        self.ids[server_id] = row[0]
        return _health_of(row)

    def _write(self, health_id, health):
        throttle = health.throttle
        self._cr.execute(
            SQL(
                "UPDATE mail_delivery_health SET state = %s, since = %s, until = %s,"
                " troubles = %s, cause = %s, words = %s, rate = %s, connections = %s,"
                " paused_until = %s, asked_at = %s, credit = %s WHERE id = %s",
                health.state.value,
                _at(health.since),
                _at(health.until),
                health.troubles,
                health.cause.value if health.cause else None,
                clean(health.words),
                throttle.rate,
                throttle.connections,
                _at(throttle.paused_until),
                _at(throttle.asked_at),
                throttle.credit,
                health_id,
            )
        )

    # ------------------------------------------------------------------
    # The mails that wait for a server
    # ------------------------------------------------------------------

    def wake(self, server_id):
        """Have what waits for a server sent at once."""
        self._move_waiting(
            server_id,
            SQL(
                "scheduled_date = NULL, delivery_health_id = NULL,"
                " delivery_mark = 'waiting', failure_reason = NULL"
            ),
            SQL("TRUE"),
        )

    def put_off(self, server_id, until):
        """Have what waits for a server wait until then, as it is still down.

        :param float until: an instant by the database's clock
        """
        at = _at(until)
        self._move_waiting(
            server_id, SQL("scheduled_date = %s", at), SQL("scheduled_date < %s", at)
        )

    def _move_waiting(self, server_id, values, where):
        """Change the mails that wait for a server, but those that somebody has now."""
        if server_id not in self.ids:
            return
        moved = MANY
        while moved == MANY:
            self._cr.execute(
                SQL(
                    """
                    UPDATE mail_mail SET %s WHERE id IN (
                        SELECT mail.id FROM mail_mail mail
                        WHERE mail.delivery_health_id = %s AND mail.state = 'outgoing'
                            AND %s
                            AND NOT EXISTS (
                                SELECT FROM mail_delivery_claim claim
                                WHERE claim.mail_mail_id_int = mail.id
                            )
                        LIMIT %s FOR UPDATE SKIP LOCKED
                    )
                    """,
                    values,
                    self.ids[server_id],
                    where,
                    MANY,
                )
            )
            moved = self._cr.rowcount


def _is_mended(before, after):
    """Whether a server takes mail again that took none."""
    closed = (Health.SUSPENDED, Health.STOPPED)
    paused = before.throttle.paused_until > after.throttle.paused_until
    return (before.state in closed or paused) and after.state not in closed
