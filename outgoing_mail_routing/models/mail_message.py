from odoo import SUPERUSER_ID, api, fields, models

# The context key, and the value of it, under which incoming mail is processed. The
# value is an object of this process: no client can send it.
GATEWAY_KEY = "outgoing_mail_routing_gateway"
GATEWAY = object()


class MailMessage(models.Model):
    _inherit = "mail.message"

    made_by_gateway = fields.Boolean(
        string="Made by an Incoming Email",
        default=lambda self: self.env.context.get(GATEWAY_KEY) is GATEWAY,
        readonly=True,
        copy=False,
        groups="base.group_system",
        help="Written or caused by an email that Odoo received. Anybody can write any "
        "address into the From of such an email: what follows from it never leaves "
        "through the outgoing mail server of a user.",
    )

    def _prepare_create_values(self, vals_list):
        vals_list = super()._prepare_create_values(vals_list)
        return [self._without_foreign_company(vals) for vals in vals_list]

    def write(self, vals):
        return super().write(self._without_foreign_company(vals))

    @api.model
    def _without_foreign_company(self, vals):
        """Values in which no client chose a company or alias domain not their own.

        Core notes the record's. Any client may pass another one, and, where core posts
        in sudo, open a company of others: neither may lead a mail to its servers.

        :param dict vals: values of a message, as of ``create`` and ``write``
        """
        company_id = vals.get("record_company_id")
        domain_id = vals.get("record_alias_domain_id")
        if self.env.uid == SUPERUSER_ID or not (company_id or domain_id):
            return vals
        own_ids = self.env.user._get_company_ids()  # kept by core, unlike the field
        opened = self.env.context.get("allowed_company_ids") or ()
        if self.env.su and set(opened) <= set(own_ids):
            return vals
        companies = self.env["res.company"].sudo()
        foreign = []
        if company_id and company_id not in own_ids:
            foreign.append("record_company_id")
        # core has just read the company that it notes, and not the others
        elif (
            company_id and companies.browse(company_id).alias_domain_id.id == domain_id
        ):
            return vals
        if domain_id and domain_id not in companies.browse(own_ids).alias_domain_id.ids:
            foreign.append("record_alias_domain_id")
        if not foreign:
            return vals
        of_record = self._get_company_of_record(vals.get("model"), vals.get("res_id"))
        return {**vals, **{name: of_record.get(name, False) for name in foreign}}

    @api.model
    def _get_company_of_record(self, model, res_id):
        """What ``message_post`` notes on a message of the user's about a record."""
        if not res_id or model not in self.env or self.env[model]._abstract:
            return {}
        company = self.env.user.company_id
        records = self.env[model].sudo().browse(res_id).exists()
        companies = records._mail_get_companies(default=company)
        alias_domains = records._mail_get_alias_domains(default_company=company)
        return {
            name: noted[record.id].id
            for record in records
            for name, noted in (
                ("record_company_id", companies),
                ("record_alias_domain_id", alias_domains),
            )
        }
