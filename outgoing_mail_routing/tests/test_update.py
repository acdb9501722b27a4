from odoo.tests import TransactionCase, tagged


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
