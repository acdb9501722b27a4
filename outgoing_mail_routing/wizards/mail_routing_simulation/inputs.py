"""What is typed into the simulator, and the mail that is made of it in memory."""

from operator import itemgetter

from odoo import SUPERUSER_ID, api, fields, models

from ...bridge.explanation import check_administrator
from ...bridge.telling import NOT_OF_TEXTS, is_told, tell_of

# The context key of the server whose form opens the simulator
_OF_SERVER = "simulate_mail_server_id"


class MailRoutingSimulation(models.TransientModel):
    """Shows the route that a mail would take, by the code that would send it.

    The inputs become a ``mail.mail`` that is never stored, made by the chosen user as
    the chatter or code would make it; ``_get_mail_routes`` answers for it.
    """

    _name = "mail.routing.simulation"
    _description = "Routing Simulator"

    mail_id = fields.Many2one(
        comodel_name="mail.mail",
        string="Email",
        ondelete="cascade",
        help="The e-mail whose route is shown. Remove it here to try other values.",
    )
    sender_id = fields.Many2one(
        comodel_name="res.users",
        string="Made By",
        default=lambda self: self.env.user,
        domain="[('share', '=', False)]",
        help="The user who writes the mail or whose click makes it. Leave it empty for "
        "mail that Odoo makes by itself, such as a scheduled action's.",
    )
    company_id = fields.Many2one(
        comodel_name="res.company",
        help="The company the mail is for. Leave it empty to let Odoo find it: the "
        "record's, else the sender's.",
    )
    template_id = fields.Many2one(
        comodel_name="mail.template",
        string="Email Template",
        help="The template that gives the mail its From, Reply-To and server.",
    )
    resource_ref = fields.Reference(
        selection="_selection_resource_ref",
        string="Record",
        compute="_compute_resource_ref",
        compute_sudo=False,
        store=True,
        readonly=False,
        help="The record that the mail is about. Its company counts, and Odoo may "
        "collect the answers to it.",
    )
    posted = fields.Boolean(
        string="In the Chatter",
        compute="_compute_posted",
        store=True,
        readonly=False,
        help="On: a message written on the record, sent at once. Off: a mail that a "
        "button, an automation or other code makes, sent by the queue.",
    )
    bulk = fields.Boolean(
        string="Mass Mailing",
        help="Mail of a mass mailing is sent for nobody in particular.",
    )
    bulk_known = fields.Boolean(compute="_compute_bulk_known")
    email_from = fields.Char(
        string="From",
        compute="_compute_email_from",
        compute_sudo=False,
        store=True,
        readonly=False,
        help="The From that the mail is given: the template's, else the address of who "
        "makes it. Type another one to try it.",
    )
    reply_to = fields.Char(
        string="Reply-To",
        compute="_compute_reply_to",
        compute_sudo=False,
        store=True,
        readonly=False,
        help="The Reply-To that the mail is given: the template's, else the reply "
        "address of the record or the company.",
    )
    mail_server_id = fields.Many2one(
        comodel_name="ir.mail_server",
        string="Server Set on the Mail",
        compute="_compute_mail_server_id",
        compute_sudo=False,
        store=True,
        readonly=False,
        help="The outgoing mail server that the mail or its template asks for.",
    )

    # ------------------------------------------------------------------
    # Inputs
    # ------------------------------------------------------------------

    @api.model
    def default_get(self, fields):
        """Take what a mail says itself, or a typical one of those who use a server.

        The simulator is opened on the mail, or on the server by its form.
        """
        values = super().default_get(fields)
        mail = self.env["mail.mail"].browse(values.get("mail_id"))
        server = self.env["ir.mail_server"].browse(self.env.context.get(_OF_SERVER))
        if mail:
            values.update(self._get_values_of_mail(mail))
        elif server:
            values.update(self._get_values_of_server(server))
        return {name: values[name] for name in values if name in fields}

    @api.model
    def _get_values_of_mail(self, mail):
        """The inputs that describe an existing mail."""
        check_administrator(self.env)
        known_models = dict(self._selection_resource_ref())
        known = mail.res_id and mail.model in known_models
        return {
            "sender_id": self._as_input(mail.mail_message_id.create_uid).id,
            "company_id": mail.record_company_id.id,
            "resource_ref": f"{mail.model},{mail.res_id}" if known else False,
            "posted": mail.is_notification,
            "bulk": mail._is_bulk(),
            "email_from": mail.email_from,
            "reply_to": mail.reply_to,
            "mail_server_id": mail.mail_server_id.id,
        }

    @api.model
    def _get_values_of_server(self, server):
        """The inputs of the mail that the form of a server tells of first.

        One that is assigned to nobody is set by hand.
        """
        check_administrator(self.env)
        mail = server._get_typical_mail()
        if mail is None:
            return {"mail_server_id": server.id}
        return {
            "sender_id": mail.sender.id,
            "company_id": mail.company.id,
            "email_from": mail.request.email_from,
        }

    @api.model
    def _as_input(self, user):
        """A user as the sender to choose: mail that OdooBot makes has none."""
        return user if user.id != SUPERUSER_ID else user.browse()

    @api.model
    def _selection_resource_ref(self):
        """Models that mail is about: those with a chatter, and those of templates."""
        of_templates = self.env["mail.template"].sudo().search([]).mapped("model")
        domain = [
            ("transient", "=", False),
            "|",
            ("is_mail_thread", "=", True),
            ("model", "in", of_templates),
        ]
        found = self.env["ir.model"].sudo().search(domain, order="name")
        return [
            (model.model, model.name)
            for model in found
            if model.model in self.env and not self.env[model.model]._abstract
        ]

    @api.depends("template_id")
    def _compute_resource_ref(self):
        """A record that the template can be rendered on, as core's preview does."""
        for simulation in self:
            model = simulation.template_id.sudo().model
            record = simulation.resource_ref
            known = model and model in self.env
            if known and (not record or record._name != model):
                record = self.env[model].search([], limit=1)
            simulation.resource_ref = f"{record._name},{record.id}" if record else False

    @api.depends("template_id", "resource_ref")
    def _compute_posted(self):
        for simulation in self:
            record = simulation.resource_ref
            simulation.posted = not simulation.template_id and (
                self._has_chatter(record)
            )

    @api.model
    def _has_chatter(self, record):
        return bool(record) and hasattr(record, "message_post")

    def _compute_bulk_known(self):
        self.bulk_known = "mailing_id" in self.env["mail.mail"]._fields

    @api.depends("sender_id", "template_id", "resource_ref")
    def _compute_email_from(self):
        for simulation in self:
            rendered = simulation._render_template().get("email_from")
            maker = simulation._get_maker().partner_id
            of_maker = tell_of(maker, itemgetter("email_formatted"))
            simulation.email_from = rendered or (is_told(of_maker) and of_maker)

    @api.depends("template_id")
    def _compute_mail_server_id(self):
        for simulation in self:
            of_template = simulation.template_id.mail_server_id
            simulation.mail_server_id = of_template or simulation.mail_server_id

    @api.depends(
        "sender_id", "company_id", "template_id", "resource_ref", "posted", "email_from"
    )
    def _compute_reply_to(self):
        for simulation in self:
            rendered = simulation._render_template()
            if "reply_to" in rendered:
                simulation.reply_to = rendered["reply_to"]
            else:
                answer = tell_of(simulation, type(self)._get_default_reply_to)
                simulation.reply_to = is_told(answer) and answer

    def _get_default_reply_to(self):
        """The Reply-To that core gives a message without one of its own."""
        Message = self._in_makers_name("mail.message").sudo()
        return Message._get_reply_to(self._get_message_values())

    def _render_template(self):
        """From and Reply-To of the template on the record, for who makes the mail.

        :return: empty without a template and a record, or where rendering fails
        """
        try:
            return self._try_to_render_template()
        except NOT_OF_TEXTS:
            raise
        except Exception:
            return {}  # the answer tells why

    def _try_to_render_template(self):
        """Render as the user who makes the mail, on what the administrator may read.

        :raise UserError, ValueError: as core's preview of a template
        """
        self.ensure_one()
        record, template = self.resource_ref, self.template_id
        if not template or not record or record._name != template.sudo().model:
            return {}
        record.check_access("read")
        template = self._in_makers_name("mail.template").browse(template.id)
        rendered = template._generate_template([record.id], ("email_from", "reply_to"))
        return rendered[record.id]

    # ------------------------------------------------------------------
    # The mail
    # ------------------------------------------------------------------

    def _get_maker(self):
        """The user who makes the mail; OdooBot for mail that Odoo makes by itself."""
        return self.sender_id or self.env["res.users"].browse(SUPERUSER_ID)

    def _in_makers_name(self, model_name):
        """A model as who makes the mail uses it.

        The mail's company is the one they have open, where they may open it.

        :raise AccessError: for anybody but administrators
        """
        check_administrator(self.env)
        maker = self._get_maker()
        companies = self.company_id | maker.sudo().company_id | maker.sudo().company_ids
        if maker.id != SUPERUSER_ID:
            companies &= maker.sudo().company_ids
        model = self.env[model_name].with_user(maker)
        return model.with_context(allowed_company_ids=companies.ids)

    def _get_mail(self):
        """The mail to explain: an existing one, or one made of the inputs in memory.

        :return: a ``mail.mail`` as it is sent: by the queue, or at once if it is
            posted, so with the company open in which it was written
        """
        self.ensure_one()
        context = {"lang": self.env.lang}
        if self.posted and not self.mail_id:
            current = self._in_makers_name("res.company").env.company
            context["allowed_company_ids"] = current.ids
        Mail = self.env(user=SUPERUSER_ID, context=context)["mail.mail"]
        if self.mail_id:
            return Mail.browse(self.mail_id.id)
        values = {
            **self._get_message_values(),
            "create_uid": self._get_maker().id,
            "reply_to": self.reply_to,
            "mail_server_id": self.mail_server_id.id,
        }
        template = self._in_makers_name("mail.template").browse(self.template_id.id)
        values["server_template_id"] = template._filter_giving_server(values).id
        values = {"mail_message_id": Mail.env["mail.message"].new(values)}
        if self.bulk and "mailing_id" in Mail._fields:
            values["mailing_id"] = Mail.mailing_id.new()
        return Mail.new(values)

    def _get_message_values(self):
        """What core would note on the message, apart from its content."""
        record = self.resource_ref
        values = {
            "message_type": "email_outgoing",
            "author_id": self._get_maker().sudo().partner_id.id,
            "email_from": self.email_from,
            "model": record._name if record else False,
            "res_id": record.id if record else False,
            "record_company_id": self.company_id.id,
        }
        if self.posted and self._has_chatter(record):
            values.update(self._get_posted_values(record))
        return values

    def _get_posted_values(self, record):
        """What ``message_post`` notes on a message besides.

        Unlike other code it looks for the author behind the From.
        """
        record = self._in_makers_name(record._name).sudo().browse(record.id)
        current = record.env.company
        author_id, email_from = record._message_compute_author(
            None, self.email_from or None
        )
        companies = record._mail_get_companies(default=current)
        alias_domains = record._mail_get_alias_domains(default_company=current)
        alias_domain = self.company_id.alias_domain_id or alias_domains[record.id]
        return {
            "message_type": "comment",
            "author_id": author_id,
            "email_from": email_from,
            "record_company_id": (self.company_id or companies[record.id]).id,
            "record_alias_domain_id": alias_domain.id,
        }
