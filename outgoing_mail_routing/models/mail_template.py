from collections import defaultdict

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command

from ..bridge.addresses import email_of
from ..bridge.explanation import quote_server
from ..bridge.origin import Origin
from ..bridge.preview import Preview
from ..bridge.telling import is_told, tell_of
from ..routing import Rule, may_send_as

_EDITORS = "mail.group_mail_template_editor,base.group_system"

# What decides as whom the server of a template sends
_GIVEN_TO_SERVER = frozenset({"email_from", "model", "model_id"})


class MailTemplate(models.Model):
    _inherit = "mail.template"

    mail_routing_summary = fields.Text(
        string="Its Mails Leave",
        compute="_compute_mail_routing_summary",
        groups=_EDITORS,
        help="Where mails of this template leave today if you send them, and the rule "
        "that decides it.",
    )
    mail_routing_warning = fields.Boolean(
        string="May Not Send as From",
        compute="_compute_mail_routing_summary",
        groups=_EDITORS,
        help="Whether From will be replaced, or the mail server may not send as it.",
    )

    @api.depends("email_from", "mail_server_id", "model")
    @api.depends_context("uid", "lang", "allowed_company_ids")
    def _compute_mail_routing_summary(self):
        """Where mails leave if the reader sends them; in sudo there is no reader.

        Core reads every field of a template in sudo to look for unsafe placeholders
        (``_has_unsafe_expression``): that must neither fill in one of them nor find
        one in the name of a record.
        """
        for template in self:
            lines, warning = [], False
            if not self.env.su:
                answer = tell_of(template, type(self)._get_routing_lines)
                lines, warning = answer if is_told(answer) else ([answer], True)
            template.mail_routing_summary = "\n".join(lines)
            template.mail_routing_warning = warning

    def _get_routing_lines(self):
        """One sentence for each different route, and how From comes about.

        :return: list of sentences, and whether one of them is a warning
        """
        self.ensure_one()
        lines = [*self._describe_expression(), *self._warn_of_users_server()]
        email_from, record = self._get_previewed_from()
        if not self._may_preview_server():
            email_from = ""
            lines.append(self.env._("Leaves through the mail server that is set here."))
        companies_by_route = defaultdict(list)
        preview = Preview(self.sudo().env) if email_from else None
        for company in self._get_previewed_companies(record) if email_from else ():
            route = self._preview_route(preview, email_from, company)
            companies_by_route[route].append(company.name)
        for (text, _warning), names in companies_by_route.items():
            subject = self._describe_from(email_from, record)
            if len(companies_by_route) > 1:
                subject += f" ({', '.join(names)})"
            line = self.env._("%(mail)s: %(route)s", mail=subject, route=text)
            lines.append(line)
        warned = any(warning for _text, warning in companies_by_route)
        return lines, warned or bool(self._warn_of_users_server())

    def _warn_of_users_server(self):
        """Where the server set here is that of users, who are not all that send it.

        :return: a list of no sentence or one
        """
        if not self._may_preview_server():
            return []
        server = self.mail_server_id._origin.sudo().with_context(active_test=False)
        users = server.own_user_ids | server.owner_user_id
        if not users:
            return []
        if server.delegation == "nobody":
            return [
                self.env._(
                    "The mail server set here belongs to %(users)s and carries nobody "
                    "else's mail: what others send from this template fails.",
                    users=", ".join(users.mapped("name")),
                )
            ]
        return [
            self.env._(
                "The mail server set here belongs to %(users)s: mail of this template "
                "fails where it may not carry it in their name.",
                users=", ".join(users.mapped("name")),
            )
        ]

    # ------------------------------------------------------------------
    # From
    # ------------------------------------------------------------------

    def _is_from_expression(self):
        return "{{" in (self.email_from or "")

    def _describe_expression(self):
        """What decides where From differs from record to record, in a list."""
        if not self._is_from_expression():
            return []
        if self.mail_server_id:
            return [self.env._("From is filled in for each record.")]
        return [
            self.env._(
                "From is filled in for each record, and decides then: servers of the "
                "user who sends go first, then those of the company, then a FROM "
                "filter, then the priority."
            )
        ]

    def _get_previewed_from(self):
        """A From that mails of this template have.

        An expression is filled in for the first record, as in core's preview, with
        the rights of the reader.

        :return: the From, empty where it cannot be told, and the record
        """
        if not self.email_from:
            return self.env.user.email_formatted, None
        if not self._is_from_expression():
            return self.email_from, None
        if self.model not in self.env:
            return "", None
        try:
            record = self.env[self.model].search([], limit=1)
            rendered = self.env["mail.render.mixin"]._render_template(
                self.email_from, self.model, record.ids
            )
        except (UserError, ValueError):
            return "", None
        return rendered.get(record.id), record

    def _get_previewed_companies(self, record):
        if record is None:
            return self.env.companies
        companies = record._mail_get_companies(default=self.env.company)[record.id]
        # nobody sends for a company that is not theirs
        return companies & self.env.user.company_ids or self.env.company

    def _describe_from(self, email_from, record):
        email = email_of(email_from) or email_from
        if record is not None:
            return self.env._(
                "For “%(record)s” it is “%(email)s”",
                record=record.display_name,
                email=email,
            )
        if self.email_from:
            return self.env._("From is “%(email)s”", email=email)
        return self.env._(
            "From is empty, so it is that of whoever sends, yours is “%(email)s”",
            email=email,
        )

    # ------------------------------------------------------------------
    # Route
    # ------------------------------------------------------------------

    def _preview_route(self, preview, email_from, company):
        """The route of a mail of this template that the reader sends, as a text.

        :param Preview preview: of all companies that are asked
        :return: the text, and whether it is a warning
        """
        server_id = self.mail_server_id._origin.id
        mail = preview.get_readers_mail(email_from, company.sudo(), server_id)
        routed, profile = mail.routed, mail.decision.profile
        values = {
            "email": email_of(routed),
            "server": self._name_server(profile, company, preview),
            "rule": self._name_rule(routed.decision),
        }
        if routed.decision.refused:
            text = self.env._("%(server)s may not carry it (%(rule)s).", **values)
        elif email_of(routed) != email_of(email_from):
            text = self.env._(
                "will be replaced by “%(email)s”, leaves through %(server)s "
                "(%(rule)s).",
                **values,
            )
        elif profile and not may_send_as(profile, email_of(routed)):
            text = self.env._(
                "leaves through %(server)s (%(rule)s), which may not send as it.",
                **values,
            )
        else:
            text = self.env._("leaves through %(server)s (%(rule)s).", **values)
            return text, False
        return text, True

    def _may_preview_server(self):
        """Whether the reader may know where the server set here leads.

        A client can send any id before it is saved, and refused.
        """
        server = self.mail_server_id._origin
        saved = self._origin.mail_server_id
        return server <= saved or self.env.user.has_group("base.group_system")

    def _name_server(self, profile, company, preview):
        """A server's name, for those who may know it; of others, that it is one."""
        if profile is None:
            return quote_server(self.env, None)
        user = self.env.user
        if user.has_group("base.group_system"):
            return profile.name
        choosable = user._get_choosable_mail_servers(company, preview=preview)
        if profile.id in choosable.ids:
            return profile.name
        return self.env._("a mail server")

    def _name_rule(self, decision):
        """The rule that chose the server, in the words of the template's form."""
        profile = decision.profile
        own = profile and self.env.uid in {*profile.user_ids, profile.owner_id}
        return {
            Rule.FORCED: self.env._("set on this template"),
            Rule.USER: self.env._("your own") if own else self.env._("lent to you"),
            Rule.COMPANY: self.env._("server of the company"),
            Rule.FROM_FILTER: self.env._("FROM filter"),
            Rule.DEFAULT_FROM: self.env._("default From"),
            Rule.PRIORITY: self.env._("priority"),
            Rule.SYSTEM: self.env._("no other is left"),
        }[decision.rule]

    # ------------------------------------------------------------------
    # Sending
    # ------------------------------------------------------------------

    def write(self, vals):
        """Refuse another From where the server of the template is closed to the user.

        That server carries what is made from the template, whoever uses it.
        """
        if not self.env.su and not _GIVEN_TO_SERVER.isdisjoint(vals):
            given = self.sudo().mail_server_id
            if "mail_server_id" in vals:  # another one is checked as all are
                given &= given.browse(vals["mail_server_id"] or ())
            given._check_open_to_user(given.ids, shared=True)
        return super().write(vals)

    def send_mail_batch(
        self,
        res_ids,
        force_send=False,
        raise_exception=False,
        email_values=None,
        email_layout_xmlid=False,
    ):
        """Core creates the mails in sudo, from values that a user may have sent."""
        if email_values and not self.env.su:
            self._check_client_values(email_values)
            email_values = self.env["mail.message"]._without_foreign_company(
                email_values
            )
        template = Origin(self.id).on(self)
        return super(MailTemplate, template).send_mail_batch(
            res_ids, force_send, raise_exception, email_values, email_layout_xmlid
        )

    def _check_client_values(self, values):
        """Refuse values of a mail by which a client would act beyond that mail.

        :param dict values: of a ``mail.mail``, as a client sends them
        :raise AccessError: they name a server that is closed to the user or a mass
            mailing, or create, change or delete other records
        """
        if values.get("mailing_id"):
            raise AccessError(
                self.env._(
                    "A mail that is sent by a template belongs to no mailing. Send the "
                    "mailing instead."
                )
            )
        server_id = values.get("mail_server_id")
        if server_id != self.sudo().mail_server_id.id:
            self.env["ir.mail_server"]._check_open_to_user([server_id])
        fields_of_mail = self.env["mail.mail"]._fields
        for name, value in values.items():
            field = fields_of_mail.get(name)
            if field and field.type in ("one2many", "many2many"):
                self._check_links_only(field, value)

    @api.model
    def _check_links_only(self, field, value):
        """Refuse commands that do more than link records to a new mail."""
        commands = value if isinstance(value, (list, tuple)) else ()
        for command in commands:
            if (
                isinstance(command, (list, tuple))
                and command[:1]
                and (command[0] in (Command.CREATE, Command.UPDATE, Command.DELETE))
            ):
                raise AccessError(
                    self.env._(
                        "A mail that is sent by a template can only be linked to "
                        "records that exist (%(field)s). Create or change them first.",
                        field=field.name,
                    )
                )

    # ------------------------------------------------------------------
    # The server that it gives
    # ------------------------------------------------------------------

    def _filter_giving_server(self, vals):
        """This template, if a new message of these values has its server from it.

        It does only on the model and with the From of the template, so that a user who
        may use it sends nothing else through its server than by the composer.

        :param dict vals: of a ``mail.message``
        """
        template = self.sudo()
        gives = (
            bool(template.mail_server_id)
            and template.mail_server_id.id == vals.get("mail_server_id")
            and template.model == vals.get("model")
            and template._gives_from(vals.get("email_from"), vals.get("res_id"))
        )
        return self if gives else self.browse()

    def _gives_from(self, email_from, res_id):
        """Whether a From is the one that this template gives mail about a record.

        A template without a From leaves it to the user who sends, in their own name.
        """
        email = email_of(email_from)
        if not self.email_from:
            user = self.env.user
            return user.id == SUPERUSER_ID or email == email_of(user.email)
        try:
            rendered = self._render_field("email_from", [res_id])
        except (UserError, ValueError):
            return False
        return bool(email) and email == email_of(rendered.get(res_id))

    def _register_hook(self):
        """Let invoices be made from their template, whose server they are given.

        Core's ``account.move.send`` posts with the server of the template as a bare
        id. This addon does not depend on ``account``, so there is no class to extend.
        """
        result = super()._register_hook()
        sender = self.env.registry.get("account.move.send")
        if sender is not None and not hasattr(sender._send_mail, "origin"):
            send_mail = sender._send_mail

            def _send_mail(self, move, mail_template, **kwargs):
                move = Origin(mail_template.id or 0).on(move)
                return send_mail(self, move, mail_template, **kwargs)

            _send_mail.origin = send_mail
            sender._send_mail = _send_mail
        return result
