from odoo import api, models

from .rendered_text import NOBODYS_MODELS, RenderedText


class MailRenderMixin(models.AbstractModel):
    _inherit = "mail.render.mixin"

    @api.model
    def _render_template(self, template_src, model, res_ids, *args, **kwargs):
        """Let a text remember its record, where a mail of it would be nobody's."""
        rendered = super()._render_template(
            template_src, model, res_ids, *args, **kwargs
        )
        if model not in NOBODYS_MODELS:
            return rendered
        return {
            res_id: RenderedText.about(text, model, res_id)
            for res_id, text in rendered.items()
        }

    @api.model
    def _render_encapsulate(self, layout_xmlid, html, *args, **kwargs):
        """A text in its layout is still about the same record."""
        encapsulated = super()._render_encapsulate(layout_xmlid, html, *args, **kwargs)
        if not isinstance(html, RenderedText):
            return encapsulated
        return RenderedText.about(encapsulated, html.model, html.res_id)
