from functools import partial, reduce
from operator import and_

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError

from ..bridge.addresses import email_of, name_of
from ..bridge.origin import Origin
from ..bridge.preview import Preview
from ..bridge.telling import is_told, tell_of


class MailComposeMessage(models.TransientModel):
    _inherit = "mail.compose.message"

    sender_choice = fields.Char(
        string="Send As",
        help="The sender this message leaves as: through one of your own mail servers "
        "or of the company's, instead of the automatic choice.",
    )
    sender_options = fields.Json(
        string="Possible Senders",
        compute="_compute_sender_options",
        help="The senders to choose from; nothing where there is no choice.",
    )

    @api.depends(
        lambda self: (
            "composition_mode",
            "email_from",
            "mail_server_id",
            "model",
            "record_company_id",
            "res_domain",
            "res_ids",
            "template_id",
            *self._get_bulk_fields(),
        )
    )
    @api.depends_context("uid", "lang", "allowed_company_ids")
    def _compute_sender_options(self):
        for composer in self:
            options = tell_of(composer, type(self)._get_sender_options)
            composer.sender_options = is_told(options) and options or False

    # ------------------------------------------------------------------
    # Options
    # ------------------------------------------------------------------

    def _get_sender_options(self):
        """The default and the senders that the user may choose instead.

        All that users without access to servers learn of them: the names of those
        they may choose, and the addresses that their own message would leave as.

        :return: list of ``[sender_choice, label]``, empty where there is no choice
        """
        self.ensure_one()
        if not self.env["ir.mail_server"]._is_configured():
            return []
        companies = self._get_sender_companies()
        preview = self._get_preview()
        servers = self._get_choosable_servers(preview, companies)
        default_label, default_ids = self._get_default_sender(preview, companies)
        if set(servers.ids) <= default_ids:
            return []
        options = [["", default_label]]
        for server in servers:
            label = server.name
            if sender := self._describe_sender(
                self._preview_routes(preview, companies, server)
            ):
                label = self.env._(
                    "%(sender)s (%(server)s)", sender=sender, server=server.name
                )
            options.append([str(server.id), label])
        return options

    def _get_default_sender(self, preview, companies):
        """What happens if the user chooses nothing.

        A server that was set neither by the rules nor by the template stays unnamed:
        a client may have made it up.

        :return: the label, and the one server's id where there is just one
        """
        of_template = self.template_id.mail_server_id
        if self.mail_server_id and self.mail_server_id != of_template:
            return self.env._("As set on this message"), set()
        routes = self._preview_routes(preview, companies, self.mail_server_id)
        server_ids = {
            routed.decision.profile.id if routed.decision.profile else 0
            for routed in routes
        }
        sender = self._describe_sender(routes) or self.env._("as each record decides")
        if any(routed.decision.refused for routed in routes):
            label = self.env._("From the template: its mail server may not send this")
        elif self.mail_server_id:
            label = self.env._("From the template: %s", sender)
        else:
            label = self.env._("Automatic: %s", sender)
        return label, server_ids if len(server_ids) == 1 else set()

    def _get_preview(self):
        """The preview of this message; in bulk it is sent for nobody.

        :rtype: Preview
        """
        composer = self.with_user(SUPERUSER_ID) if self._is_bulk() else self
        return Preview(composer.sudo().env)

    def _preview_routes(self, preview, companies, server):
        """The routes of this message, one a company; none where they cannot be told.

        :param Preview preview: of this message
        :param ir.mail_server server: the server set on it, maybe empty
        :return: list of ``RoutedFrom``
        """
        if "{{" in (self.email_from or ""):
            return []
        preview_mail = partial(preview.get_readers_mail, self.email_from)
        mails = [
            tell_of(company, preview_mail, server.id) for company in companies.sudo()
        ]
        return [mail.routed for mail in mails] if all(map(is_told, mails)) else []

    @api.model
    def _describe_sender(self, routes):
        """``Name <address>`` of routes that agree in it, else nothing."""
        senders = {(name_of(routed), email_of(routed)) for routed in routes}
        if len(senders) != 1:
            return ""
        name, email = senders.pop()
        return f"{name} <{email}>" if name and email else email

    # ------------------------------------------------------------------
    # Choice
    # ------------------------------------------------------------------

    def _get_choosable_servers(self, preview, companies):
        """The servers that the user may choose for every one of some companies.

        :param Preview preview: of this message
        """
        user = self.env.user
        servers = reduce(
            and_,
            (
                user._get_choosable_mail_servers(company, self.email_from, preview)
                for company in companies
            ),
        )
        if self._is_bulk():
            servers = servers.filtered(lambda s: not (s.own_user_ids | s.owner_user_id))
        return servers

    def _get_sender_companies(self):
        """The companies that this message is sent for.

        Those of its records, and the one that is noted on it, which a client may set.
        """
        self.ensure_one()
        companies = self.record_company_id.sudo()
        if self.model in self.env:
            records = self.env[self.model]
            if self.res_domain:
                records = records.search(self._evaluate_res_domain())
            else:
                records = records.browse(self._evaluate_res_ids())
            of_records = records._mail_get_companies(default=self.env.company)
            companies = companies.union(*of_records.values())
        return companies or self.env.company.sudo()

    @api.model
    def _get_bulk_fields(self):
        """The fields that make a mass mailing of a message, where there are any."""
        names = ("mass_mailing_id", "mass_mailing_name")
        return [name for name in names if name in self._fields]

    def _is_bulk(self):
        """Whether the message is a mass mailing, which is sent for nobody."""
        return self.composition_mode == "mass_mail" and any(
            self[name] for name in self._get_bulk_fields()
        )

    def _check_sender_choice(self):
        """Refuse a sender that is not one of the user's, whatever a client sent.

        :raise AccessError: the same one for any server, whether it exists or not
        """
        for composer in self.filtered("sender_choice"):
            companies = composer._get_sender_companies()
            preview = composer._get_preview()
            servers = composer._get_choosable_servers(preview, companies)
            if composer.sender_choice not in map(str, servers.ids):
                raise AccessError(
                    self.env._(
                        "This message cannot leave as the sender chosen in “Send As”: "
                        "it is not one of yours for every company concerned. Choose "
                        "another sender."
                    )
                )

    @api.model
    def _get_chosen_mail_server(self, vals):
        """Nobody chose a server that the template or the mass mailing gives."""
        server_id = super()._get_chosen_mail_server(vals)
        for name in ("template_id", "mass_mailing_id"):
            if server_id and name in self._fields:
                source = self.env[self._fields[name].comodel_name]
                source = source.browse(vals.get(name) or self[:1][name].id)
                if self._gives_server(source, server_id):
                    return None
        return server_id

    @api.model
    def _gives_server(self, source, server_id):
        """Whether a template or mailing that the user may use has that server."""
        return (
            bool(source.exists())
            and source.sudo().mail_server_id.id == server_id
            and source.has_access("read")
        )

    def _make_from_template(self):
        """These composers, whose messages are made from their template."""
        template = self.template_id
        if template and template.has_access("read"):
            return Origin(template.id).on(self)
        return self

    def _action_send_mail(self, auto_commit=False):
        """Send from each composer's own template."""
        self._check_sender_choice()
        mails, messages = self.env["mail.mail"].sudo(), self.env["mail.message"]
        for composer in self:
            composer = composer._make_from_template()
            sent = super(MailComposeMessage, composer)._action_send_mail(
                auto_commit=auto_commit
            )
            mails, messages = mails + sent[0], messages + sent[1]
        return mails, messages

    def _action_schedule_message(self):
        """Schedule from each composer's own template."""
        self._check_sender_choice()
        scheduled = self.env["mail.scheduled.message"]
        for composer in self:
            composer = composer._make_from_template()
            scheduled += super(MailComposeMessage, composer)._action_schedule_message()
        return scheduled

    def _prepare_mail_values_static(self):
        """Set the chosen sender's server; checked before any message is prepared."""
        values = super()._prepare_mail_values_static()
        if self.sender_choice:
            values["mail_server_id"] = int(self.sender_choice)
        return values
