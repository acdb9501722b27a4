from odoo import api, fields, models

from ..bridge.addresses import email_of
from ..bridge.answers import Answers
from ..bridge.explanation import OBSTACLES, quote_server, sentence_of
from ..bridge.facts import may_be_sender
from ..bridge.preview import Preview
from ..bridge.telling import is_told, lines_of
from ..routing import Rule, choosable
from .import_templates import with_template

# What of a user tells which servers carry their mail
_ASSIGNING = ("own_mail_server_ids", "use_own_mail_servers")


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
        copy=False,
        groups="base.group_system",
        help="Switch it off to send this user's mail through the servers of the "
        "company for a while; the assigned servers and an account they connected "
        "themselves are kept.",
    )
    outgoing_mail_summary = fields.Text(
        string="Your Mail",
        compute="_compute_outgoing_mail_summary",
        compute_sudo=True,
        help="The outgoing mail server your own messages leave through, the address "
        "they are sent as, and where the answers go. Ask your administrator to change "
        "it.",
    )
    uncollected_replies_warning = fields.Text(
        string="Lost Answers",
        compute="_compute_outgoing_mail_summary",
        compute_sudo=True,
        help="The addresses that answers to your messages go to, although nothing "
        "brings them back to Odoo.",
    )
    mail_routing_warning = fields.Text(
        string="Own Mail Servers Not Used",
        compute="_compute_outgoing_mail_summary",
        compute_sudo=True,
        groups="base.group_system",
        help="What keeps the user's own mail servers from carrying their mail.",
    )

    @api.constrains("own_mail_server_ids", "company_ids")
    def _check_own_mail_servers(self):
        users = self.sudo().with_context(active_test=False)
        users.own_mail_server_ids._check_assignments()
        self.env["ir.mail_server"]._renew_is_configured()

    @api.constrains("own_mail_server_ids", "share")
    def _check_own_mail_servers_internal(self):
        self.sudo().own_mail_server_ids._check_own_users_internal()

    @property
    def SELF_READABLE_FIELDS(self):
        return super().SELF_READABLE_FIELDS + [
            "outgoing_mail_summary",
            "uncollected_replies_warning",
        ]

    @api.depends("own_mail_server_ids", "use_own_mail_servers", "email", "company_ids")
    @api.depends_context("uid", "lang")
    def _compute_outgoing_mail_summary(self):
        """One line a company; to others than the user and administrators, nothing.

        Administrators see what their form edits. A user sees what is stored: by values
        of a form they could ask what becomes of any address.
        """
        reader = self.env["res.users"].browse(self.env.uid)
        is_administrator = reader.has_group("base.group_system")
        readable = self if is_administrator else reader & self._origin
        mails_of, answers = readable._filter_internal()._preview_own_mails(
            is_administrator
        )
        configured = self.env["ir.mail_server"]._is_configured()
        for user in self:
            asked = user if is_administrator else user._origin
            mails, untold = mails_of.get(asked, ((), ()))
            lost = dict.fromkeys(
                mail.reply_email for mail in mails if not answers.come_back(mail)
            )
            if not (configured or user.own_mail_server_ids):
                lost = {}  # all leaves as core sends it
            lines = [user._describe_both_ways(mail, answers) for mail in mails]
            warnings = user._get_own_server_warnings(mails)
            user.outgoing_mail_summary = "\n".join([*lines, *untold]) or False
            user.uncollected_replies_warning = (
                "\n".join(map(user._warn_of_lost_answers, lost)) or False
            )
            user.mail_routing_warning = "\n".join(warnings) or False

    def _filter_internal(self):
        """Those who send mail through servers of Odoo's."""
        return self.filtered(lambda user: not user.share)

    def _get_choosable_mail_servers(self, company, email_from=None, preview=None):
        """The servers this user may choose by hand for a mail of a company.

        Their own, then those of the company if it is one of theirs, as far as they
        may carry the mail; in the order in which the rules would ask them.

        :param res.company company: the company the mail is sent for
        :param str email_from: the mail's From header, by default the user's own; a
            personal server they connected is theirs to choose for its own address
        :param Preview preview: in sudo, where several companies are asked
        :return: ``ir.mail_server`` in sudo, for callers that tell names and addresses
        """
        self.ensure_one()
        Server = self.env["ir.mail_server"].sudo()
        if not may_be_sender(self):
            return Server
        user = self.sudo()
        preview = preview or Preview(user.env)
        email_from = email_from or user.email_formatted
        mail = preview.get_mail(email_from, company.sudo(), user)
        is_member = company in user.company_ids
        out = user.env["mail.routing"]._get_out_of_service(preview.directory)
        return Server.browse(
            profile.id
            for profile in choosable(mail.request, preview.directory, out)
            if is_member or user.id in {*profile.user_ids, profile.owner_id}
        )

    def _preview_own_mails(self, names_collectors=True, preview=None):
        """Users' own messages from each of their companies, and what answers become.

        A form asks for what was edited there, too, before it is saved. The number of
        statements does not grow with the users.

        :param bool names_collectors: as :class:`Answers` takes it
        :param Preview preview: over the servers as they are stored, where one asks more
        :return: ``{res.users: ([PreviewMail], [Untold])}``, nothing for users without
            an e-mail address, and the :class:`Answers` to all of them
        """
        preview = preview or Preview(self.env)
        users = self.filtered(lambda user: email_of(user._get_contact().email))
        preview.learn(user._get_contact().email for user in users)
        told_of = {
            user: lines_of(user, type(self)._preview_own_mail, preview)
            for user in users
        }
        mails_of = {
            user: (
                [mail for mail in told if is_told(mail)],
                [line for line in told if not is_told(line)],
            )
            for user, told in told_of.items()
        }
        emails = {mail.reply_email for mails, _ in mails_of.values() for mail in mails}
        return mails_of, Answers(self.env, emails, names_collectors)

    def _preview_own_mail(self, preview):
        """A user's own message from each of their companies.

        :param Preview preview: over the servers as they are stored
        :return: list of ``PreviewMail``
        """
        if not self.id:  # edited on a form
            directory = preview.directory.with_servers_of_user(
                self._origin.id or 0, self.own_mail_server_ids._origin.ids
            )
            preview = Preview(self.env, directory)
        email_from = self._get_contact().email_formatted
        return [
            preview.get_mail(email_from, company, self).with_reply_email()
            for company in self.company_ids._origin
        ]

    def _get_contact(self):
        """Who has the name and the address of a user: their partner.

        A form edits those of the user. Core computes each of them for the user again.
        """
        return self.partner_id if self.id else self

    def _get_own_server_warnings(self, mails):
        """Why none of this user's own servers carries their mail, a sentence each.

        :param mails: the ``PreviewMail`` of all their companies
        """
        self.ensure_one()
        if any(mail.decision.rule is Rule.USER for mail in mails):
            return []
        if not email_of(self._get_contact().email) and self.own_mail_server_ids:
            return [
                self.env._(
                    "They have mail servers of their own, but no e-mail address to "
                    "send from. Fill in their e-mail address."
                )
            ]
        if self.own_mail_server_ids and not self.use_own_mail_servers:
            return [
                self.env._(
                    "Their own mail servers are switched off and carry none of their "
                    "mail. Switch them on again, or remove them."
                )
            ]
        if obstacles := self._get_own_server_obstacles(mails):
            return [
                self.env._(
                    "None of their own mail servers carries their mail: assign another "
                    "one, or none. %(reasons)s",
                    reasons=" ".join(obstacles),
                )
            ]
        return []

    @api.model
    def _get_own_server_obstacles(self, mails):
        """Why servers of their own do not carry mail at all, each sentence once."""
        return dict.fromkeys(
            sentence_of(self.env, step)
            for mail in mails
            for step in mail.decision.steps
            if step.rule is Rule.USER and step.reason in OBSTACLES
        )

    @api.model
    def _describe_both_ways(self, mail, answers):
        """How a message leaves and which way answers take, in one line.

        :param PreviewMail mail: a user's own
        :param Answers answers: to it
        """
        profile = mail.decision.profile
        collector = answers.get_collector_name(mail)
        facts = {
            "company": mail.company.name,
            "server": profile.name if profile else quote_server(self.env, None),
            "address": mail.decision.from_email,
            "reply_address": mail.reply_email,
            "collector": collector,
        }
        if collector:
            return self.env._(
                "%(company)s: through %(server)s as %(address)s; answers to "
                "%(reply_address)s are collected by %(collector)s",
                **facts,
            )
        if answers.come_back(mail):
            return self.env._(
                "%(company)s: through %(server)s as %(address)s; answers to "
                "%(reply_address)s reach Odoo",
                **facts,
            )
        return self.env._(
            "%(company)s: through %(server)s as %(address)s; answers go to "
            "%(reply_address)s",
            **facts,
        )

    @api.model
    def _warn_of_lost_answers(self, email):
        return self.env._(
            "No incoming mail server collects %(email)s: answers sent there do not "
            "reach Odoo. An administrator can choose or create one on the outgoing "
            "mail server.",
            email=email,
        )

    @api.model
    def get_import_templates(self):
        """Offer an example of users with their servers, where Odoo imports files."""
        return with_template(
            getattr(super(), "get_import_templates", None),
            self.env._("Import Template for Users with Own Mail Servers"),
            "user_mail_servers.csv",
        )

    @api.model_create_multi
    def create(self, vals_list):
        """Log on servers that they are assigned to new users."""
        servers = self.env["ir.mail_server"]
        servers._check_may_assign(vals_list, *_ASSIGNING)
        servers._track_assignments(self, "own_mail_server_ids", vals_list)
        users = super().create(vals_list)
        users._log_switched_servers()
        return users

    def write(self, vals):
        """Log on servers that users get or lose them, or switch them on or off."""
        servers = self.env["ir.mail_server"]
        servers._check_may_assign([vals], *_ASSIGNING)
        servers._track_assignments(self, "own_mail_server_ids", [vals])
        before = "use_own_mail_servers" in vals and {
            user: user.use_own_mail_servers for user in self.sudo()
        }
        own = servers.sudo()
        if "own_mail_server_ids" in vals:
            own = self.sudo().with_context(active_test=False).own_mail_server_ids
        result = super().write(vals)
        own._reserve_unassigned()
        if before:
            self._log_switched_servers(before)
        return result

    def unlink(self):
        """Reserve servers that are left to nobody, or they would be everybody's.

        What these users had a hand in stays limited to their companies.
        """
        self.check_access("unlink")  # before anything is noted
        Server = self.env["ir.mail_server"].sudo()
        servers = self.sudo().with_context(active_test=False).own_mail_server_ids
        Server._log_departure(["own_user_ids", "owner_user_id"], self)
        self.env["mail.routing.leaver"]._note_leaving(self.sudo())
        result = super().unlink()
        servers._reserve_unassigned()
        return result

    def _log_switched_servers(self, before=None):
        """Log on the servers of those users who switched them on or off.

        :param dict before: by user whether they were on; they are for a new user
        """
        for user in self.sudo().with_context(active_test=False):
            old = before[user] if before else True
            if user.use_own_mail_servers != old:
                personal = user.env["ir.mail_server"].search(
                    [("owner_user_id", "=", user.id)]
                )
                (user.own_mail_server_ids | personal)._log_switch(user, old)
