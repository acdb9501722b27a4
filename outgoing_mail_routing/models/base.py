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
    "calendar.attendee": frozenset({"common_name", "event_id", "partner_id"}),
    "calendar.alarm": frozenset({"mail_template_id", "name"}),
    "mail.template": frozenset(
        {"attachment_ids", "body_html", "email_from", "reply_to", "report_template_ids"}
        | {"subject"}
    ),
}

# What of these is sent with another record: the path to that one
_SENT_WITH = {"calendar.attendee": "event_id"}

# What others choose as they find it, so that its maker, too, may change what they chose
_CHOSEN = ("calendar.alarm",)


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
        """Note, too, for whom code makes as somebody else what is sent later."""
        records = super().create(vals_list)
        if self._name in _SENT_WITH:
            records._note_sent_later()
        elif self._name in _SENT_LATER:
            hands = self.env["mail.routing.hand"]
            hands._note_asking(records, hands._get_asking_ids())
        return records

    def copy(self, default=None):
        """Note, too, whose is what Odoo itself copies, as the winner of an A/B test."""
        copies = super().copy(default)
        hands = self.env["mail.routing.hand"]
        if self._name in _SENT_LATER and not hands._get_acting_ids():
            for record, copied in zip(self, copies, strict=True):
                hands._note_all(copied, hands._get_all_ids(record))
        return copies

    def write(self, vals):
        """Note, too, who changes what others made and is sent later."""
        self._check_chosen_mail_servers([vals])
        if self._name not in _SENT_LATER:
            return super().write(vals)
        changed = self._filter_sent_later(vals)
        changed._note_sent_later()
        result = super().write(vals)
        if _SENT_WITH.get(self._name) in vals:
            changed._note_sent_later()  # with another record from now on
        return result

    def _update_field_translations(self, field_name, *args, **kwargs):
        """Note, too, who changes by translating what is sent later."""
        if field_name in _SENT_LATER.get(self._name, ()):
            self._note_sent_later()
        return super()._update_field_translations(field_name, *args, **kwargs)

    def _filter_sent_later(self, vals):
        """Those of which these values change what is sent."""
        own = self._name in _SENT_WITH or self._name in _CHOSEN
        return self.env["mail.routing.hand"]._filter_changed(
            self, vals, _SENT_LATER[self._name], own
        )

    def _note_sent_later(self):
        """Note who changes these now, on what they are sent with."""
        records = self.mapped(_SENT_WITH.get(self._name, ""))
        self.env["mail.routing.hand"]._note(records, own=self._name in _CHOSEN)

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
