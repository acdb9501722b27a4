from odoo import api, fields, models

from ..routing import choosable


class ResUsers(models.Model):
    _inherit = "res.users"

    own_mail_server_ids = fields.Many2many(
        comodel_name="ir.mail_server",
        relation="ir_mail_server_own_user_rel",
        column1="user_id",
        column2="mail_server_id",
        string="Own Mail Servers",
        domain="[('owner_user_id', '=', False)]",
        copy=False,
        groups="base.group_system",
        help="Outgoing mail servers this user's mail leaves through, in the order of "
        "their priority. They go before the servers of the company.",
    )
    use_own_mail_servers = fields.Boolean(
        string="Send Through Own Mail Servers",
        default=True,
        groups="base.group_system",
        help="Switch it off to send this user's mail through the servers of the "
        "company for a while; the assigned servers and an account they connected "
        "themselves are kept.",
    )
    outgoing_mail_summary = fields.Text(
        string="Your Mail Leaves",
        compute="_compute_outgoing_mail_summary",
        compute_sudo=True,
        help="The outgoing mail server your own messages leave through and the address "
        "they are sent as. Ask your administrator to change it.",
    )

    @api.constrains("own_mail_server_ids", "company_ids")
    def _check_own_mail_servers(self):
        users = self.sudo().with_context(active_test=False)
        users.own_mail_server_ids._check_assignments()

    @api.constrains("own_mail_server_ids", "share")
    def _check_own_mail_servers_internal(self):
        self.sudo().own_mail_server_ids._check_own_users_internal()

    @property
    def SELF_READABLE_FIELDS(self):
        return super().SELF_READABLE_FIELDS + ["outgoing_mail_summary"]

    @api.depends("own_mail_server_ids", "use_own_mail_servers", "email", "company_ids")
    @api.depends_context("uid", "lang")
    def _compute_outgoing_mail_summary(self):
        """One line a company; to others than the user and administrators, nothing."""
        reader = self.env["res.users"].browse(self.env.uid)
        may_read_all = reader.has_group("base.group_system")
        for user in self:
            may_read = may_read_all or user._origin == reader
            lines = user._get_outgoing_mail_lines() if may_read else ()
            user.outgoing_mail_summary = "\n".join(lines) or False

    def _get_choosable_mail_servers(self, company, email_from=None):
        """The servers this user may choose by hand for a mail of a company.

        Their own, then those of the company if it is one of theirs, as far as they
        may carry the mail; in the order in which the rules would ask them.

        :param res.company company: the company the mail is sent for
        :param str email_from: the mail's From header, by default the user's own; a
            personal server they connected is theirs to choose for its own address
        :return: ``ir.mail_server`` in sudo, for callers that tell names and addresses
        """
        self.ensure_one()
        routing = self.env["mail.routing"].sudo()
        Server = self.env["ir.mail_server"].sudo()
        if not routing._may_be_sender(self):
            return Server
        user = self.sudo()
        directory = routing._get_directory()
        request = routing._form_request(
            email_from or user.email_formatted, company.sudo(), directory, user
        )
        is_member = company in user.company_ids
        return Server.browse(
            profile.id
            for profile in choosable(request, directory)
            if is_member or user.id in {*profile.user_ids, profile.owner_id}
        )

    def _get_outgoing_mail_lines(self):
        """Where a user's own messages leave from each of their companies.

        A form asks for what was edited there, too, before it is saved.
        """
        routing = self.env["mail.routing"]
        directory = routing._get_directory()
        if not self.id:
            directory = directory.with_servers_of_user(
                self._origin.id or 0, self.own_mail_server_ids._origin.ids
            )
        default_server = self.env._("the default server")
        lines = []
        for company in self.company_ids._origin if self.email_normalized else ():
            decision = routing._decide_for_form(
                self.email_formatted, company, directory, sender=self
            )
            lines.append(
                self.env._(
                    "%(company)s: through %(server)s as %(address)s",
                    company=company.name,
                    server=decision.profile.name
                    if decision.profile
                    else default_server,
                    address=decision.from_email,
                )
            )
        return lines

    def unlink(self):
        """Reserve servers that are left to nobody, or they would be everybody's."""
        servers = self.sudo().with_context(active_test=False).own_mail_server_ids
        result = super().unlink()
        servers._reserve_unassigned()
        return result
