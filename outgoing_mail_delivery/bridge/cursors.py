"""Cursors that see what others have committed, and what may be tried again."""

from contextlib import contextmanager

from psycopg2.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED

#: What another transaction was quicker with: the same again may well succeed.
CONCURRENT = (DeadlockDetected, LockNotAvailable, SerializationFailure)


@contextmanager
def fresh_cursor(env):
    """Open a cursor whose every statement sees what is committed by then.

    Odoo's own cursors are REPEATABLE READ: there ``SKIP LOCKED`` raises for a row that
    changed since the snapshot. The next cursor on this connection is Odoo's again.

    :return: a context manager that gives the cursor; it commits at the end
    """
    with env.registry.cursor() as cr:
        cr.connection.set_isolation_level(ISOLATION_LEVEL_READ_COMMITTED)
        yield cr


def commit(cr):
    """Commit what a run has done so far.

    A run is no part of its caller's transaction: what it has told a server cannot be
    taken back, and is written down for good at once.
    """
    cr.commit()  # pylint: disable=invalid-commit
