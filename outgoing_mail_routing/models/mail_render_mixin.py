from odoo import api, models

from ..bridge.company_text import NOBODYS_MODELS, CompanyText


class MailRenderMixin(models.AbstractModel):
    _inherit = "mail.render.mixin"

    @api.model
    def _render_template(self, template_src, model, res_ids, *args, **kwargs):
        """Let a text remember its company, where a mail of it would be nobody's."""
        rendered = super()._render_template(
            template_src, model, res_ids, *args, **kwargs
        )
        if model not in NOBODYS_MODELS:
            return rendered
        # a template is rendered for no record, or a new one, to be looked at
        records = self.env[model].sudo().browse(rendered).exists()
        companies = records._mail_get_companies(default=self.env.company)
        return {
            id_: CompanyText.of(
                text, self._lend_company(companies.get(id_, self.env.company)).id
            )
            for id_, text in rendered.items()
        }

    @api.model
    def _lend_company(self, company):
        """A company, or the user's own where they may not write in its name.

        Odoo itself, in sudo, writes about every account.
        """
        user = self.env.user
        if self.env.su or company.id in user._get_company_ids():
            return company
        return user.company_id

    @api.model
    def _render_encapsulate(self, layout_xmlid, html, *args, **kwargs):
        """A text in its layout is still sent for the same company."""
        encapsulated = super()._render_encapsulate(layout_xmlid, html, *args, **kwargs)
        if not isinstance(html, CompanyText):
            return encapsulated
        return CompanyText.of(encapsulated, html.company_id)
