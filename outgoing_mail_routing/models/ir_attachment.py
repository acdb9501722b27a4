from odoo import models

from .mail_routing_hand import ATTACHED_FIELDS


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

    def write(self, vals):
        """Note who changes what somebody else is about to send."""
        if not ATTACHED_FIELDS.isdisjoint(vals):
            self.env["mail.routing.hand"]._note_attached(self)
        return super().write(vals)

    def unlink(self):
        """Note who takes away what somebody else is about to send."""
        self.env["mail.routing.hand"]._note_attached(self)
        return super().unlink()
