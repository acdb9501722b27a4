from odoo import api, fields, models


class ResCompany(models.Model):
    _inherit = "res.company"

    mail_server_ids = fields.Many2many(
        comodel_name="ir.mail_server",
        relation="ir_mail_server_default_company_rel",
        column1="company_id",
        column2="mail_server_id",
        string="Outgoing Mail Servers",
        domain="[('owner_user_id', '=', False)]",
        copy=False,
        groups="base.group_system",
        help="Outgoing mail servers this company's mail leaves through, in the order "
        "of their priority, unless the user who sends it has a server of their own.",
    )
    mail_routing_warning = fields.Text(
        compute="_compute_mail_routing_warning",
        groups="base.group_system",
        help="What can lose this company's mail or send it under a wrong name.",
    )

    @api.constrains("mail_server_ids")
    def _check_mail_servers(self):
        companies = self.sudo().with_context(active_test=False)
        companies.mail_server_ids._check_assignments()

    @api.depends("mail_server_ids")
    def _compute_mail_routing_warning(self):
        for company in self:
            company.mail_routing_warning = not company.mail_server_ids and self.env._(
                "No outgoing mail server is assigned: mail of this company leaves "
                "through whichever server its From address or the priority selects."
            )
