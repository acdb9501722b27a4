from odoo import api, models, tools

from ..bridge.registry_cache import forget_kept


class MailAliasDomain(models.Model):
    _inherit = "mail.alias.domain"

    @api.model_create_multi
    def create(self, vals_list):
        """Forget whose bounce addresses are."""
        forget_kept(self.env)
        return super().create(vals_list)

    def write(self, vals):
        """Forget whose bounce addresses are."""
        forget_kept(self.env)
        return super().write(vals)

    def unlink(self):
        """Forget whose bounce addresses are."""
        forget_kept(self.env)
        return super().unlink()

    @api.model
    @tools.ormcache()
    def _get_bounce_owners(self):
        """The bounce addresses of alias domains, with the companies that use each.

        Forgotten where alias domains or their companies change: above, and by the model
        of companies.
        """
        domains = self.env["mail.alias.domain"].sudo().search([])
        companies = self.env["res.company"].sudo().with_context(active_test=False)
        users = companies.search([("alias_domain_id", "in", domains.ids)]).grouped(
            "alias_domain_id"
        )
        return tuple(
            (domain.bounce_email, frozenset(users[domain].ids))
            for domain in domains
            if domain.bounce_email and domain in users
        )
