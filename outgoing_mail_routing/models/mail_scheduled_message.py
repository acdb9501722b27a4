import json

from odoo import api, models


class MailScheduledMessage(models.Model):
    _inherit = "mail.scheduled.message"

    @api.model
    def _get_chosen_mail_server(self, vals):
        """Among what core keeps as text, and passes on when it posts the message."""
        parameters = json.loads(vals.get("notification_parameters") or "{}")
        return parameters.get("mail_server_id")
