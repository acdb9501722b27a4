"""Who has a mail: runs take them, and let nobody else take or change them.

A claim is a row of a narrow table. A run is alive as long as it holds the lock of its
connection and renews its lease on the database's clock; what a dead one had is taken
over, and what it was transmitting is *unknown*.
"""

from contextlib import contextmanager, suppress

import psycopg2
from psycopg2.errors import LockNotAvailable

from odoo.tools import SQL

from ..delivery import Lane
from .cursors import commit

#: Seconds for which a run counts as alive without renewing its lease.
LEASE = 300
#: The first key of the locks that runs hold (``pg_advisory_lock``).
RUNS = 0x6D61696C

#: When a mail is due, as queries of ``mail_mail`` and its index have it.
DUE_AT = "COALESCE(scheduled_date, create_date, TIMESTAMP '1970-01-01 00:00:00')"
_NOW = SQL("clock_timestamp() AT TIME ZONE 'UTC'")

# Whoever holds a row keeps it; what is not settled yet is not due again
_TAKE = """
    WITH due AS (
        SELECT mail.id, %(due_at)s AS at
        FROM mail_mail mail
        WHERE mail.state = 'outgoing' AND mail.delivery_lane = %(lane)s
            AND %(due_at)s <= %(now)s
            AND (%(due_at)s, mail.id) > (%(at)s::timestamp, %(last_id)s)
            AND NOT EXISTS (
                SELECT FROM mail_delivery_claim claim
                WHERE claim.mail_mail_id_int = mail.id
            )
            AND NOT EXISTS (
                SELECT FROM mail_delivery_attempt attempt
                WHERE attempt.mail_mail_id_int = mail.id
                    AND NOT attempt.settled
            )
            %(only)s
        ORDER BY %(due_at)s, mail.id
        LIMIT %(most)s
        FOR UPDATE SKIP LOCKED
    ), claimed AS (
        INSERT INTO mail_delivery_claim (mail_mail_id_int, run_id)
        SELECT id, %(run_id)s FROM due
        ON CONFLICT (mail_mail_id_int) DO NOTHING
        RETURNING mail_mail_id_int
    )
    SELECT due.id, due.at
    FROM due JOIN claimed ON claimed.mail_mail_id_int = due.id
    ORDER BY due.at, due.id
"""


class Claims:
    """The claims of one run.

    :param cr: of :func:`fresh_cursor`, open as long as the run
    :param only_ids: the only mails that are taken, ``None`` for all that are due
    """

    def __init__(self, cr, database_uuid, only_ids=None):
        self._cr = cr
        self._uuid = database_uuid
        self._only_ids = only_ids
        self._positions = {}
        self.run_id = 0

    def begin(self):
        """Make the run known, with a lease and the lock of this connection."""
        self._cr.execute(
            SQL(
                "INSERT INTO mail_delivery_run (until, database_uuid)"
                " VALUES (%s + %s * INTERVAL '1 second', %s) RETURNING id",
                _NOW,
                LEASE,
                self._uuid,
            )
        )
        [self.run_id] = self._cr.fetchone()
        self._cr.execute(SQL("SELECT pg_advisory_lock(%s, %s)", RUNS, self.run_id))
        commit(self._cr)

    @contextmanager
    def locked(self):
        """Let go of the lock in the end: without it, others see that the run is dead.

        Where the connection is gone, so is the lock.
        """
        try:
            yield
        finally:
            with suppress(psycopg2.Error):
                self._cr.rollback()
                self._cr.execute(
                    SQL("SELECT pg_advisory_unlock(%s, %s)", RUNS, self.run_id)
                )
                commit(self._cr)

    def add(self, mail_ids):
        """Claim mails that this run has made of others of its own.

        :return: the ids of those that no other run was quicker with
        """
        self._cr.execute(
            SQL(
                "INSERT INTO mail_delivery_claim (mail_mail_id_int, run_id)"
                " SELECT unnest(%s), %s ON CONFLICT DO NOTHING"
                " RETURNING mail_mail_id_int",
                list(mail_ids),
                self.run_id,
            )
        )
        claimed = {mail_id for [mail_id] in self._cr.fetchall()}
        commit(self._cr)
        return claimed

    def renew(self):
        """Live on for another lease.

        :return: whether the run counts as alive at all
        """
        self._cr.execute(
            SQL(
                "UPDATE mail_delivery_run SET until = %s + %s * INTERVAL '1 second'"
                " WHERE id = %s",
                _NOW,
                LEASE,
                self.run_id,
            )
        )
        alive = bool(self._cr.rowcount)
        commit(self._cr)
        return alive

    def give_up(self):
        """Take for unknown what this run was transmitting: no answer is waited for."""
        self._cr.execute(
            SQL(
                "UPDATE mail_delivery_attempt SET outcome = 'unknown',"
                " scope = 'message', cause = 'connection'"
                " WHERE run_id_int = %s AND outcome = 'sending'",
                self.run_id,
            )
        )
        commit(self._cr)

    def end(self):
        """Give back what is still claimed, and be gone."""
        self._cr.execute(
            SQL("DELETE FROM mail_delivery_claim WHERE run_id = %s", self.run_id)
        )
        self._cr.execute(
            SQL("DELETE FROM mail_delivery_run WHERE id = %s", self.run_id)
        )
        commit(self._cr)

    # ------------------------------------------------------------------
    # Mails that are due
    # ------------------------------------------------------------------

    def take(self, most):
        """Claim mails that are due, in the order of lane, time and id.

        What has an answer that is not settled yet is not due: it may have been sent.
        What was passed in this run is not looked at again, until :meth:`start_over`:
        the rows of sent mails would be read over and over where vacuum is held back.

        :return: their ids, at most so many
        """
        ids = []
        for lane in Lane:
            if len(ids) < most:
                ids += self._take_of_lane(lane.value, most - len(ids))
        commit(self._cr)
        return ids

    def start_over(self):
        """Look at all that is due again."""
        self._positions.clear()

    def _take_of_lane(self, lane, most):
        """Claim what is due in a lane.

        Whoever holds a row keeps it: a mail that is being edited is not waited for.
        """
        at, last_id = self._positions.get(lane, ("-infinity", 0))
        only = SQL()
        if self._only_ids is not None:
            only = SQL("AND mail.id = ANY(%s)", list(self._only_ids))
        self._cr.execute(
            SQL(
                _TAKE,
                due_at=SQL(DUE_AT),
                lane=lane,
                now=_NOW,
                at=at,
                last_id=last_id,
                only=only,
                most=most,
                run_id=self.run_id,
            )
        )
        rows = self._cr.fetchall()
        if rows:
            last_id, at = rows[-1]
            self._positions[lane] = (at, last_id)
        return [mail_id for mail_id, _at in rows]

    # ------------------------------------------------------------------
    # What others left
    # ------------------------------------------------------------------

    def take_over(self, everybody=False):
        """Claim what has to be settled although nobody will: of dead runs, and late.

        What a dead run was transmitting is unknown from then on. What it had only
        claimed is due again.

        :param bool everybody: whether the runs that are alive are ended as well
        :return: ids of mails to settle
        """
        for run_id in self._find_dead(everybody):
            with suppress(LockNotAvailable):
                self._bury(run_id)
            self._cr.rollback()
        self._cr.execute(
            SQL(
                "UPDATE mail_delivery_attempt attempt SET outcome = 'unknown',"
                " scope = 'message', cause = 'connection'"
                " WHERE outcome = 'sending' AND NOT EXISTS ("
                "SELECT FROM mail_delivery_run run WHERE run.id = attempt.run_id_int)"
            )
        )
        # a mail that somebody is editing is not waited for, nor one that is deleted
        self._cr.execute(
            SQL(
                """
                WITH late AS (
                    SELECT DISTINCT mail_mail_id_int AS id
                    FROM mail_delivery_attempt attempt
                    WHERE NOT settled AND outcome != 'sending' AND NOT EXISTS (
                        SELECT FROM mail_delivery_claim claim
                        WHERE claim.mail_mail_id_int = attempt.mail_mail_id_int
                    )
                ), free AS (
                    SELECT mail.id FROM mail_mail mail JOIN late ON late.id = mail.id
                    FOR UPDATE OF mail SKIP LOCKED
                )
                INSERT INTO mail_delivery_claim (mail_mail_id_int, run_id)
                SELECT id, %s FROM late WHERE id IN (SELECT id FROM free)
                    OR NOT EXISTS (SELECT FROM mail_mail WHERE mail_mail.id = late.id)
                ON CONFLICT (mail_mail_id_int) DO NOTHING
                """,
                self.run_id,
            )
        )
        self._cr.execute(
            SQL(
                "SELECT mail_mail_id_int FROM mail_delivery_claim"
                " WHERE run_id = %s ORDER BY mail_mail_id_int",
                self.run_id,
            )
        )
        mail_ids = [mail_id for [mail_id] in self._cr.fetchall()]
        commit(self._cr)
        return mail_ids

    def _find_dead(self, everybody):
        """The runs whose lease is over, whose connection is gone, or of a copy."""
        self._cr.execute(
            SQL(
                """
                SELECT id FROM mail_delivery_run
                WHERE id != %s AND (
                    %s OR until < %s OR database_uuid != %s
                    OR pg_try_advisory_xact_lock(%s, id)
                )
                ORDER BY id
                """,
                self.run_id,
                everybody,
                _NOW,
                self._uuid,
                RUNS,
            )
        )
        dead_ids = [run_id for [run_id] in self._cr.fetchall()]
        commit(self._cr)
        return dead_ids

    def _bury(self, run_id):
        """End a run that is dead, or at least not let it transmit any more.

        Its claims are locked first: none of its intents can be written afterwards. What
        has to be settled is ours from then on, so that nobody else takes it before.
        What is locked by a transaction that is still open, maybe of a process that was
        stopped amid it, is left to a later run.

        :raise LockNotAvailable: more was locked than its claims
        """
        self._cr.execute("SET LOCAL lock_timeout = '2s'")
        self._cr.execute(
            SQL(
                "SELECT mail_mail_id_int FROM mail_delivery_claim WHERE run_id = %s"
                " FOR UPDATE SKIP LOCKED",
                run_id,
            )
        )
        mail_ids = [mail_id for [mail_id] in self._cr.fetchall()]
        self._give_up(run_id, mail_ids)
        self._cr.execute(
            SQL(
                "UPDATE mail_delivery_claim claim SET run_id = %s"
                " WHERE mail_mail_id_int = ANY(%s) AND EXISTS ("
                "SELECT FROM mail_delivery_attempt attempt WHERE NOT attempt.settled"
                " AND attempt.mail_mail_id_int = claim.mail_mail_id_int)",
                self.run_id,
                mail_ids,
            )
        )
        self._cr.execute(
            SQL(
                "DELETE FROM mail_delivery_claim"
                " WHERE run_id = %s AND mail_mail_id_int = ANY(%s)",
                run_id,
                mail_ids,
            )
        )
        commit(self._cr)
        self._cr.execute("SET LOCAL lock_timeout = '2s'")
        self._cr.execute(
            SQL(
                "DELETE FROM mail_delivery_run run WHERE id = %s AND NOT EXISTS ("
                "SELECT FROM mail_delivery_claim claim WHERE claim.run_id = run.id)",
                run_id,
            )
        )
        commit(self._cr)

    def _give_up(self, run_id, mail_ids):
        """Take for unknown what a run was transmitting of mails, or of none it has."""
        self._cr.execute(
            SQL(
                """
                UPDATE mail_delivery_attempt attempt SET outcome = 'unknown',
                    scope = 'message', cause = 'connection'
                WHERE run_id_int = %(run_id)s AND outcome = 'sending' AND (
                    mail_mail_id_int = ANY(%(mail_ids)s) OR NOT EXISTS (
                        SELECT FROM mail_delivery_claim claim
                        WHERE claim.run_id = %(run_id)s
                            AND claim.mail_mail_id_int = attempt.mail_mail_id_int
                    )
                )
                """,
                run_id=run_id,
                mail_ids=mail_ids,
            )
        )
