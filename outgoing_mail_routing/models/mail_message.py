from odoo import SUPERUSER_ID, api, fields, models

from ..bridge.origin import origin_of

# What of a message is sent, or decides how
SENT_FIELDS = frozenset(
    {"attachment_ids", "author_id", "body", "email_add_signature", "email_from"}
    | {"email_layout_xmlid", "mail_server_id", "message_type", "model"}
    | {"outgoing_email_to", "partner_ids", "record_alias_domain_id"}
    | {"record_company_id", "reply_to", "res_id", "subject"}
)

# What of a message its template has to agree to, to give it a server
_GIVEN_FOR = frozenset({"mail_server_id", "model", "res_id", "email_from"})

# What only this addon writes, however the values came here
_OUR_FIELDS = frozenset({"made_by_gateway", "server_template_id"})


class MailMessage(models.Model):
    _inherit = "mail.message"
    # commands in values of other models act with the rights of whoever sent them
    _allow_sudo_commands = False

    made_by_gateway = fields.Boolean(
        string="Made by an Incoming Email",
        readonly=True,
        copy=False,
        groups="base.group_system",
        help="Written or caused by an email that Odoo received. Anybody can write any "
        "address into the From of such an email: what follows from it never leaves "
        "through the outgoing mail server of a user.",
    )
    server_template_id = fields.Many2one(
        comodel_name="mail.template",
        string="Outgoing Mail Server of Template",
        readonly=True,
        copy=False,
        index="btree_not_null",
        groups="base.group_system",
        help="The email template that this message was made from, and that gave it its "
        "outgoing mail server.",
    )
    hand_ids = fields.One2many(
        comodel_name="mail.routing.hand",
        compute="_compute_hand_ids",
        string="Hands in What Is Sent",
        compute_sudo=True,
        groups="base.group_system",
        help="Who, besides the one that made it, had a hand in what is sent.",
    )
    changed_by_others = fields.Boolean(
        compute="_compute_hand_ids",
        compute_sudo=True,
        groups="base.group_system",
        help="Whether anybody but who made it changed what is sent. Such a message "
        "never leaves through the outgoing mail server of a user.",
    )

    asked_by_others = fields.Boolean(
        compute="_compute_hand_ids",
        compute_sudo=True,
        groups="base.group_system",
        help="Whether code made it in the name of somebody else than who asked for it.",
    )

    def _compute_hand_ids(self):
        hands_of = self.env["mail.routing.hand"]._of(self)
        self.hand_ids = self.changed_by_others = self.asked_by_others = False
        for message in self.browse(hands_of.keys() & set(self._ids)):
            hands = hands_of[message.id]
            message.hand_ids = hands
            message.changed_by_others = not all(hands.mapped("only_asked"))
            message.asked_by_others = any(
                hand.only_asked and not hand.made_it for hand in hands
            )

    @api.model_create_multi
    def create(self, vals_list):
        messages = super().create(vals_list)
        origin, hands = origin_of(self.env), self.env["mail.routing.hand"]
        hands._note_made(messages, origin.left_by)
        hands._note_all(messages, origin.changed_by)
        hands._note_asking(messages, origin.get_asking_ids(self.env))
        return messages

    def _prepare_create_values(self, vals_list):
        """Keep out what no client may say, and note what this process knows."""
        made_by_gateway = self.env["mail.routing.hand"]._is_incoming()
        vals_list = super()._prepare_create_values(
            [self._without_our_fields(vals) for vals in vals_list]
        )
        return [
            {
                **self._without_foreign_company(vals),
                "made_by_gateway": made_by_gateway,
                "server_template_id": self._get_server_template(vals).id,
            }
            for vals in vals_list
        ]

    def write(self, vals):
        """Note who changes what others made and is sent."""
        if self.env.su or self.env.user.has_group("base.group_system"):
            vals = self._without_our_fields(vals)  # others are refused by core
        vals = self._without_foreign_company(vals)
        hands = self.env["mail.routing.hand"]
        changed = hands._filter_changed(self, vals, SENT_FIELDS)
        hands._note(changed, "mail_server_id" in vals)
        result = super().write(vals)
        if not _GIVEN_FOR.isdisjoint(vals):
            strange = self.sudo().filtered(MailMessage._is_strange_to_template)
            super(MailMessage, strange).write({"server_template_id": False})
        return result

    def _is_strange_to_template(self):
        """Whether the template that gave it a server would not do so now."""
        vals = {
            name: self._fields[name].convert_to_write(self[name], self)
            for name in _GIVEN_FOR
        }
        template = self.server_template_id
        return bool(template) and not template._filter_giving_server(vals)

    def _get_forbidden_access(self, operation):
        """Let administrators delete messages about what has no records.

        Core asks the record, and there is none to answer.
        """
        messages = self
        if operation == "unlink" and self.env.user.has_group("base.group_system"):
            messages = self.filtered(lambda message: message.sudo()._has_document())
        return super(MailMessage, messages)._get_forbidden_access(operation)

    def _has_document(self):
        """Whether the message is about a model that stores records, or nothing."""
        model = self.env.get(self.model) if self.model else None
        return not self.model or (model is not None and model._auto)

    @api.model
    def _without_our_fields(self, vals):
        return {name: vals[name] for name in vals if name not in _OUR_FIELDS}

    @api.model
    def _get_server_template(self, vals):
        """The template that gives a new message its server, empty where none does."""
        return origin_of(self.env).get_server_template(self.env, vals)

    @api.model
    def _get_chosen_mail_server(self, vals):
        """Nobody chose a server that the template gives."""
        if self._get_server_template(vals):
            return None
        return super()._get_chosen_mail_server(vals)

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
