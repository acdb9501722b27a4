from odoo import models


class IrModel(models.Model):
    _inherit = "ir.model"

    def _reflect_model_params(self, model):
        """Offer mail servers nowhere as what an incoming mail creates or reaches.

        Their chatter is a log. Core offers a model by this mark, and would not take
        it back when the addon is uninstalled.
        """
        values = super()._reflect_model_params(model)
        if model._name == "ir.mail_server":
            values["is_mail_thread"] = False
        return values
