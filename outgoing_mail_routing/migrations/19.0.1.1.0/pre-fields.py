"""``allow_delegation`` becomes ``delegation``, and ``sender_email`` is not stored."""

from odoo.tools import SQL, sql


def migrate(cr, version):
    """Let servers that colleagues could use stay theirs, and close all others.

    What Odoo makes in the name of a user left through their server whether it was lent
    or not. A field of a record tells that name, so it does no longer by itself.
    """
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
