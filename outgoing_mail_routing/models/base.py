from odoo import api, models


class Base(models.AbstractModel):
    """Wherever a user chooses an outgoing mail server, it has to be open to them.

    Messages, composers and templates have a field for it, and so have mailings and
    invitations of modules that this one does not depend on.
    """

    _inherit = "base"

    @api.model
    def default_get(self, fields):
        defaults = super().default_get(fields)
        self._check_chosen_mail_servers([defaults])
        return defaults

    def _prepare_create_values(self, vals_list):
        vals_list = super()._prepare_create_values(vals_list)
        self._check_chosen_mail_servers(vals_list)
        return vals_list

    def write(self, vals):
        self._check_chosen_mail_servers([vals])
        return super().write(vals)

    @api.model
    def _check_chosen_mail_servers(self, vals_list):
        """Refuse mail servers that are closed to the user, unless in sudo.

        :param vals_list: values as of ``create`` and ``write``
        :raise AccessError: nothing tells a closed server from one that does not exist
        """
        if not self.env.su:
            chosen = filter(None, map(self._get_chosen_mail_server, vals_list))
            self.env["ir.mail_server"]._check_open_to_user(
                list(chosen), shared=self._name in ("mail.template", "mailing.mailing")
            )

    @api.model
    def _get_chosen_mail_server(self, vals):
        """The id of the outgoing mail server in values of this model, if any."""
        if "mail_server_id" in vals:
            field = self._fields["mail_server_id"]
            return field.comodel_name == "ir.mail_server" and vals["mail_server_id"]
        return None
