import json

from odoo import api, fields, models, modules

from ..bridge.origin import Origin, origin_of, without_origin

# What of it is sent, or decides how
_SENT_FIELDS = frozenset(
    {"attachment_ids", "author_id", "body", "is_note", "notification_parameters"}
    | {"partner_ids", "send_context", "subject"}
)


class MailScheduledMessage(models.Model):
    _inherit = "mail.scheduled.message"
    # commands in values of other models act with the rights of whoever sent them
    _allow_sudo_commands = False

    server_template_id = fields.Many2one(
        comodel_name="mail.template",
        string="Outgoing Mail Server of Template",
        readonly=True,
        copy=False,
        groups="base.group_system",
        help="The email template that this message was made from, and that gave it its "
        "outgoing mail server.",
    )

    def _prepare_create_values(self, vals_list):
        """Note the template that gives the server, whatever a client says."""
        for vals in vals_list:
            if vals.get("send_context"):
                vals["send_context"] = without_origin(vals["send_context"])
        vals_list = super()._prepare_create_values(vals_list)
        return [
            {**vals, "server_template_id": self._get_server_template(vals).id}
            for vals in vals_list
        ]

    @api.model_create_multi
    def create(self, vals_list):
        """Note for whom code schedules messages in the name of somebody else."""
        scheduled = super().create(vals_list)
        hands = self.env["mail.routing.hand"]
        hands._note_asking(scheduled, hands._get_asking_ids())
        return scheduled

    def write(self, vals):
        """Note who changes what somebody else scheduled."""
        vals = {name: vals[name] for name in vals if name != "server_template_id"}
        hands = self.env["mail.routing.hand"]
        hands._note(hands._filter_changed(self, vals, _SENT_FIELDS))
        return super().write(vals)

    def _message_created_hook(self, message):
        """Be gone with the commit that keeps the message.

        Core deletes what it posted after that: a process that dies in between leaves it
        to be posted again.
        """
        result = super()._message_created_hook(message)
        self.unlink()
        return result

    def unlink(self):
        """Leave out what is gone: core deletes once more what it posted."""
        return super(MailScheduledMessage, self.exists()).unlink()

    def _post_message(self, raise_exception=True):
        """Post each as what it is made of: its template, and who changed it.

        Every commit lets others change or cancel the next one, or post it themselves.
        """
        for scheduled in self:
            if not scheduled.try_lock_for_update():
                continue  # it is gone, or somebody has it in hand
            origin = scheduled._get_origin()
            # core replaces the context where it posts, and rolls back before it tells
            scheduled = origin.on(scheduled)
            with origin.during(self.env):
                super(MailScheduledMessage, scheduled)._post_message(raise_exception)
            if not modules.module.current_test:
                # as core does, or an error of the next one brings this one back
                self.env.cr.commit()  # pylint: disable=invalid-commit
        return None  # as core's

    def _get_origin(self):
        """What the message is made of, as it is now."""
        hands = self.env["mail.routing.hand"]
        hands = hands._of(self).get(self.id, hands)
        made, asked = hands.filtered("made_it"), hands.filtered("only_asked")
        left_by, asked_by, changed_by = (
            frozenset(hand.noted_id for hand in noted)
            for noted in (made, asked - made, hands - asked)
        )
        scheduled = self.sudo()
        maker = scheduled.create_uid
        return Origin(
            scheduled.server_template_id.id or 0,
            maker.id or 0,
            # core posts as OdooBot what the user scheduled who was deleted
            left_by or frozenset(() if maker else (0,)),
            asked_by,
            changed_by,
        )

    @api.model
    def _get_server_template(self, vals):
        """The template that gives the message its server, empty where none does."""
        values = {**vals, **self._get_notification_parameters(vals)}
        return origin_of(self.env).get_server_template(self.env, values)

    @api.model
    def _get_notification_parameters(self, vals):
        """What core keeps as text, and passes on when it posts the message."""
        return json.loads(vals.get("notification_parameters") or "{}")

    @api.model
    def _get_chosen_mail_server(self, vals):
        """The server among the parameters; nobody chose the one of the template."""
        if self._get_server_template(vals):
            return None
        return self._get_notification_parameters(vals).get("mail_server_id")
