from odoo import api, models

from .company_text import CompanyText


class MailThread(models.AbstractModel):
    _inherit = "mail.thread"

    @api.model
    def _routing_create_bounce_email(
        self, email_from, body_html, message, **mail_values
    ):
        """Bounce for the company alone: who runs the gateway did not write it."""
        text = CompanyText.of(body_html, self.env.company.id)
        return super()._routing_create_bounce_email(
            email_from, text, message, **mail_values
        )
