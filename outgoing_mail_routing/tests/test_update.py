import runpy
from pathlib import Path

from odoo.tests import TransactionCase, tagged

_MIGRATION = Path(__file__).parents[1] / "migrations" / "19.0.1.1.0" / "pre-fields.py"


@tagged("post_install", "-at_install")
class TestUpdate(TransactionCase):
    """The module is updated while mail leaves."""

    def _defaults(self):
        self.env.cr.execute(
            "SELECT column_name, column_default FROM information_schema.columns"
            " WHERE table_name = 'ir_mail_server' AND column_default IS NOT NULL"
            " AND column_name != 'id'"
        )
        return dict(self.env.cr.fetchall())

    def test_update_locks_no_server_for_defaults_that_are_there(self):
        with self.assertQueryCount(1):
            self.env["ir.mail_server"].init()

    def test_update_sets_defaults_that_are_missing_or_others(self):
        before = self._defaults()
        self.assertEqual(
            before.keys(),
            {"from_policy", "reply_to_policy", "bounce_policy", "delegation"},
        )
        self.env.cr.execute(
            "ALTER TABLE ir_mail_server ALTER from_policy DROP DEFAULT,"
            " ALTER delegation SET DEFAULT 'odoo'"
        )
        self.env["ir.mail_server"].init()
        self.assertEqual(self._defaults(), before)

    def test_update_notes_which_mail_that_waits_is_of_a_mailing(self):
        mails = self.env["mail.mail"].create([{"email_to": "x@x.test"}] * 2)
        self.env.flush_all()
        execute = self.env.cr.execute
        if "mailing_id" in mails._fields:
            constraint = "mail_mail_mailing_id_fkey"
            execute(f"ALTER TABLE mail_mail DROP CONSTRAINT {constraint}")
        else:
            execute("ALTER TABLE mail_mail ADD COLUMN mailing_id integer")
        execute("UPDATE mail_mail SET mailing_id = 1 WHERE id = %s", mails[0].ids)
        execute("ALTER TABLE mail_mail DROP COLUMN made_in_bulk")
        runpy.run_path(str(_MIGRATION))["migrate"](self.env.cr, "19.0.1.0.0")
        self.env.invalidate_all(flush=False)
        self.assertEqual(mails.mapped("made_in_bulk"), [True, False])
