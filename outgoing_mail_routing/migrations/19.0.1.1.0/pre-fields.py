"""Bring what is stored up to the fields of this version.

``allow_delegation`` becomes ``delegation``, ``sender_email`` is not stored, and mail
that waits knows that it is of a mailing.
"""

from odoo.tools import SQL, sql


def migrate(cr, version):
    """Let servers that colleagues could use stay theirs, and close all others.

    What Odoo makes in the name of a user left through their server whether it was lent
    or not. A field of a record tells that name, so it does no longer by itself.
    """
    _note_mailings(cr)
    if sql.column_exists(cr, "ir_mail_server", "sender_email"):
        cr.execute(SQL("ALTER TABLE ir_mail_server DROP COLUMN sender_email"))
    if not sql.column_exists(cr, "ir_mail_server", "allow_delegation"):
        return
    sql.create_column(cr, "ir_mail_server", "delegation", "varchar")
    cr.execute(
        SQL(
            "UPDATE ir_mail_server SET delegation ="
            " CASE WHEN allow_delegation THEN 'colleagues' ELSE 'nobody' END"
        )
    )


def _note_mailings(cr):
    """Note on mail that waits whether it is of a mass mailing, which may be deleted."""
    if sql.column_exists(cr, "mail_mail", "made_in_bulk"):
        return
    sql.create_column(cr, "mail_mail", "made_in_bulk", "boolean")
    if sql.column_exists(cr, "mail_mail", "mailing_id"):
        cr.execute(
            "UPDATE mail_mail SET made_in_bulk = true WHERE mailing_id IS NOT NULL"
        )
