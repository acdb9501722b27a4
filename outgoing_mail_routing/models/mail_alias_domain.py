from odoo import api, models


class MailAliasDomain(models.Model):
    _inherit = "mail.alias.domain"

    @api.model_create_multi
    def create(self, vals_list):
        """Forget whose bounce addresses are."""
        self.env.registry.clear_cache()
        return super().create(vals_list)

    def write(self, vals):
        """Forget whose bounce addresses are."""
        self.env.registry.clear_cache()
        return super().write(vals)

    def unlink(self):
        """Forget whose bounce addresses are."""
        self.env.registry.clear_cache()
        return super().unlink()
