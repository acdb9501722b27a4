from odoo import fields, models


class FetchmailServer(models.Model):
    _inherit = "fetchmail.server"

    outgoing_mail_server_ids = fields.One2many(
        comodel_name="ir.mail_server",
        inverse_name="fetchmail_server_id",
        string="Collects Replies For",
        readonly=True,
        help="Outgoing mail servers whose answers arrive in this mailbox.",
    )
