from odoo import api, fields, models

from ..bridge.company_facts import CompanyFacts
from ..bridge.directory_source import DirectorySource
from ..bridge.preview import Preview


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    mail_server_ids = fields.Many2many(
        related="company_id.mail_server_ids",
        readonly=False,
        groups="base.group_system",
    )
    mail_server_placeholder = fields.Char(
        string="Inherited Mail Servers",
        compute="_compute_outgoing_mail",
        groups="base.group_system",
        help="The servers of the parent company, which are used while none is "
        "assigned to the company.",
    )
    outgoing_mail_summary = fields.Text(
        string="Outgoing Mail",
        compute="_compute_outgoing_mail",
        groups="base.group_system",
        help="The outgoing mail servers the company's mail leaves through now, and "
        "the addresses it is sent as.",
    )
    mail_routing_warning = fields.Text(
        compute="_compute_outgoing_mail",
        groups="base.group_system",
        help="What can lose the company's mail or send it under a wrong name.",
    )

    @api.depends("company_id", "mail_server_ids")
    @api.depends_context("lang")
    def _compute_outgoing_mail(self):
        """What the form of the company says, with the servers chosen here."""
        directory = DirectorySource(self.env).get()
        for settings in self:
            company = settings.company_id.sudo()
            edited = directory.with_servers_of_company(
                company.id, settings.mail_server_ids._origin.ids
            )
            preview = Preview(company.env, edited)
            facts = CompanyFacts(company)
            settings.update(company._describe_outgoing_mail(preview, facts))
