from dataclasses import dataclass

from odoo import api, fields, models

from ..routing import Decision, Rule, choosable
from .addresses import email_of
from .import_templates import with_template
from .mail_routing import OBSTACLES
from .telling import is_told, lines_of

# What of a user tells which servers carry their mail
_ASSIGNING = ("own_mail_server_ids", "use_own_mail_servers")


@dataclass(frozen=True)
class MailWay:
    """Where a user's messages leave from one company, and where answers go.

    ``collector`` is the name of the incoming server, empty for none; ``collected``
    says that answers reach Odoo, maybe without a server of its own.
    """

    company: str
    decision: Decision
    reply_email: str
    collector: str | None
    collected: bool


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
        self.env["mail.routing"]._renew_is_configured()

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
        ways_of = readable._filter_internal()._get_mail_ways(is_administrator)
        configured = self.env["mail.routing"]._is_configured()
        for user in self:
            asked = user if is_administrator else user._origin
            ways, untold = ways_of.get(asked, ((), ()))
            lost = dict.fromkeys(way.reply_email for way in ways if not way.collected)
            if not (configured or user.own_mail_server_ids):
                lost = {}  # all leaves as core sends it
            lines = [*map(user._describe_mail_way, ways), *untold]
            warnings = user._get_own_server_warnings(ways)
            user.outgoing_mail_summary = "\n".join(lines) or False
            user.uncollected_replies_warning = (
                "\n".join(map(user._warn_of_lost_answers, lost)) or False
            )
            user.mail_routing_warning = "\n".join(warnings) or False

    def _filter_internal(self):
        """Those who send mail through servers of Odoo's."""
        return self.filtered(lambda user: not user.share)

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
        out = routing._get_out_of_service(directory)
        return Server.browse(
            profile.id
            for profile in choosable(request, directory, out)
            if is_member or user.id in {*profile.user_ids, profile.owner_id}
        )

    def _get_mail_ways(self, names_collectors=True):
        """Where users' own messages leave from each of their companies, and answers go.

        A form asks for what was edited there, too, before it is saved. The number of
        statements does not grow with the users.

        :param bool names_collectors: name every incoming server, and not only one that
            belongs to the server which carries the mail: a user can write any address
            into their own e-mail
        :return: ``{res.users: ([MailWay], [Untold])}``, nothing for users without an
            e-mail address
        """
        routing = self.env["mail.routing"]
        directory = routing._get_directory()
        users = self.filtered(lambda user: email_of(user.email))
        received = routing._collected_among(users.mapped("email"))
        routes_of = {
            user: lines_of(user, type(self)._decide_for_own_mail, directory, received)
            for user in users
        }
        told = [route for routes in routes_of.values() for route in routes]
        emails = {email for *_route, email in filter(is_told, told)}
        collectors = self.env["fetchmail.server"]._find_collectors()
        brought = routing._brought_back_among(emails, collectors)
        return {
            user: (
                [
                    self._get_mail_way(*route, brought, collectors, names_collectors)
                    for route in filter(is_told, routes)
                ],
                [line for line in routes if not is_told(line)],
            )
            for user, routes in routes_of.items()
        }

    @api.model
    def _get_mail_way(
        self, company, decision, reply_email, brought, collectors, names_collectors
    ):
        """A route of a user's own messages with the way that answers take.

        :param brought: the addresses whose answers come back
        :param dict collectors: incoming servers by address
        """
        collector = collectors.get(reply_email)
        is_named = names_collectors or self._is_collector_of(collector, decision)
        return MailWay(
            company=company.name,
            decision=decision,
            reply_email=reply_email,
            collector=collector and is_named and collector.name,
            collected=reply_email in brought,
        )

    @api.model
    def _is_collector_of(self, collector, decision):
        """Whether an incoming server is linked to the server that a route takes."""
        profile = decision.profile
        server = self.env["ir.mail_server"].sudo().browse(profile.id if profile else ())
        return bool(collector) and server.fetchmail_server_id == collector

    def _decide_for_own_mail(self, directory, received):
        """The routes of a user's own messages: company, decision, where answers go.

        :param routing.Directory directory: all servers
        :param received: those of some users' addresses that Odoo itself receives
        """
        if not self.id:
            directory = directory.with_servers_of_user(
                self._origin.id or 0, self.own_mail_server_ids._origin.ids
            )
        routes = []
        for company in self.company_ids._origin:
            decision = self.env["mail.routing"]._decide_for_form(
                self.email_formatted, company, directory, self, collected=received
            )
            reply_email = self._get_reply_email(company, decision)
            routes.append((company, decision, reply_email))
        return routes

    def _get_reply_email(self, company, decision):
        """The address that answers go to, once a route has set the headers.

        :param routing.Decision decision: the route of the user's mail in a company
        """
        routing = self.env["mail.routing"].with_company(company)
        reply_to = routing._get_odoos_reply_email(self.email_formatted)
        return routing._get_reply_email(self.email_formatted, reply_to, decision)

    def _get_own_server_warnings(self, ways):
        """Why none of this user's own servers carries their mail, a sentence each.

        :param ways: the :class:`MailWay` of all their companies
        """
        self.ensure_one()
        if self.own_mail_server_ids and not email_of(self.email):
            return [
                self.env._(
                    "They have mail servers of their own, but no e-mail address to "
                    "send from. Fill in their e-mail address."
                )
            ]
        if any(way.decision.rule is Rule.USER for way in ways):
            return []
        if self.own_mail_server_ids and not self.use_own_mail_servers:
            return [
                self.env._(
                    "Their own mail servers are switched off and carry none of their "
                    "mail. Switch them on again, or remove them."
                )
            ]
        if obstacles := self._get_own_server_obstacles(ways):
            return [
                self.env._(
                    "None of their own mail servers carries their mail: assign another "
                    "one, or none. %(reasons)s",
                    reasons=" ".join(obstacles),
                )
            ]
        return []

    @api.model
    def _get_own_server_obstacles(self, ways):
        """Why servers of their own do not carry mail at all, each sentence once."""
        routing = self.env["mail.routing"]
        return dict.fromkeys(
            routing._sentence(step)
            for way in ways
            for step in way.decision.steps
            if step.rule is Rule.USER and step.reason in OBSTACLES
        )

    @api.model
    def _describe_mail_way(self, way):
        """Both directions in one line."""
        routing = self.env["mail.routing"]
        profile = way.decision.profile
        facts = {
            "company": way.company,
            "server": profile.name if profile else routing._quote_server(None),
            "address": way.decision.from_email,
            "reply_address": way.reply_email,
            "collector": way.collector,
        }
        if way.collector:
            return self.env._(
                "%(company)s: through %(server)s as %(address)s; answers to "
                "%(reply_address)s are collected by %(collector)s",
                **facts,
            )
        if way.collected:
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
        """Reserve servers that are left to nobody, or they would be everybody's."""
        Server = self.env["ir.mail_server"].sudo()
        servers = self.sudo().with_context(active_test=False).own_mail_server_ids
        Server._log_departure(["own_user_ids", "owner_user_id"], self)
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
