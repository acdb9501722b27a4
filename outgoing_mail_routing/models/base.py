from odoo import api, models

# What of records is sent later, by Odoo, or decides to whom and in whose name
_SENT_LATER = {
    "mailing.mailing": frozenset(
        {"attachment_ids", "body_arch", "body_html", "contact_list_ids", "email_from"}
        | {"mail_server_id", "mailing_domain", "mailing_model_id", "preview"}
        | {"reply_to", "subject", "user_id"}
    ),
    "calendar.event": frozenset(
        {"alarm_ids", "description", "location", "name", "partner_ids", "start"}
        | {"stop", "user_id", "videocall_location"}
    ),
}


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

    @api.model_create_multi
    def create(self, vals_list):
        """Note, too, for whom code makes a mailing or event as somebody else."""
        records = super().create(vals_list)
        if self._name in _SENT_LATER:
            hands = self.env["mail.routing.hand"]
            hands._note_asking(records, hands._get_asking_user().ids)
        return records

    def write(self, vals):
        """Note, too, who changes mailings and events of others: they have a company."""
        self._check_chosen_mail_servers([vals])
        if self._name in _SENT_LATER:
            hands = self.env["mail.routing.hand"]
            hands._note(hands._filter_changed(self, vals, _SENT_LATER[self._name]))
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
        """The id of the outgoing mail server in values of this model, if any.

        Nobody chose the one that administrators preset for mailings.
        """
        field = self._fields.get("mail_server_id")
        if not vals.get("mail_server_id") or field.comodel_name != "ir.mail_server":
            return None
        if self._name == "mailing.mailing":
            if vals["mail_server_id"] == self._get_default_mail_server_id():
                return None
        return vals["mail_server_id"]
