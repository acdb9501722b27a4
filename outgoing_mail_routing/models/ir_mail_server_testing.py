"""Testing the connection of an outgoing mail server."""

from odoo import api, fields, models


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    tested_date = fields.Datetime(
        string="Last Tested",
        compute="_compute_tested_date",
        store=True,
        copy=False,
        groups="base.group_system",
        help="When a test of the connection or a test mail last succeeded, with the "
        "server as it is configured now.",
    )

    @api.depends(
        "smtp_host",
        "smtp_port",
        "smtp_encryption",
        "smtp_authentication",
        "smtp_user",
        "smtp_pass",
    )
    def _compute_tested_date(self):
        """Forget a test of what is now another connection."""
        self.tested_date = False

    def test_smtp_connection(self, *args, **kwargs):
        """Note when it succeeded; core raises where it does not."""
        result = super().test_smtp_connection(*args, **kwargs)
        self.sudo().tested_date = fields.Datetime.now()
        return result
