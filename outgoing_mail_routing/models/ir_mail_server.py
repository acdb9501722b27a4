from email.message import Message

from odoo import api, fields, models, tools
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.http import request
from odoo.tools import SQL
from odoo.tools.mail import email_split_tuples

from odoo.addons.base.models.ir_mail_server import extract_rfc2822_addresses

from ..routing import Reason
from ..routing.incoming import guess_imap_host
from .addresses import is_clean
from .fetchmail_server import COLLECTING
from .import_templates import with_template
from .mail_routing import SERVER_FIELDS
from .routed_from import RoutedFrom

_SYSTEM = "base.group_system"
_POLICIES = ("from_policy", "reply_to_policy", "bounce_policy")

# What core's sending reads from the context, and sets there itself
ROUTING_KEYS = ("domain_notifications_email", "domain_bounce_address")

# By these a caller of send_email() names the server itself
_SERVER_ARGUMENTS = ("mail_server_id", "smtp_server", "smtp_session")


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    own_user_ids = fields.Many2many(
        comodel_name="res.users",
        relation="ir_mail_server_own_user_rel",
        column1="mail_server_id",
        column2="user_id",
        string="Users",
        domain="[('share', '=', False)]",
        copy=False,
        context={"active_test": False},
        groups=_SYSTEM,
        help="Users whose mail leaves through this server. A user may have several "
        "servers: they are asked in the order of their priority.",
    )
    default_company_ids = fields.Many2many(
        comodel_name="res.company",
        relation="ir_mail_server_default_company_rel",
        column1="mail_server_id",
        column2="company_id",
        string="Companies",
        copy=False,
        context={"active_test": False},
        groups=_SYSTEM,
        help="Companies whose mail leaves through this server, unless the user who "
        "sends it has a server of their own.",
    )
    company_ids = fields.Many2many(
        comodel_name="res.company",
        relation="ir_mail_server_allowed_company_rel",
        column1="mail_server_id",
        column2="company_id",
        string="Allowed Companies",
        context={"active_test": False},
        groups=_SYSTEM,
        help="Only mail of these companies ever leaves through this server. Leave it "
        "empty to allow every company.",
    )
    reserved = fields.Boolean(
        groups=_SYSTEM,
        help="Only the users and companies above send through this server: its FROM "
        "filter attracts nobody else's mail and it is nobody else's fallback.",
    )
    allow_delegation = fields.Boolean(
        string="Colleagues May Send",
        groups=_SYSTEM,
        help="Off: only mail that its users write themselves, or that Odoo writes in "
        "their name, leaves through a user's server. On: mail that a colleague sends "
        "in their name leaves through it as well.",
    )
    from_policy = fields.Selection(
        selection=[
            ("auto", "Automatic"),
            ("filter", "Addresses of its FROM filter"),
            ("login", "Its sender address only"),
            ("any", "Every address"),
        ],
        string="May Send As",
        default="auto",
        required=True,
        groups=_SYSTEM,
        help="The addresses this server may put into From. Automatic: those of its "
        "FROM filter; without a filter the sender address alone if users or companies "
        "are assigned, else every address.",
    )
    sender_email = fields.Char(
        string="Sender Address",
        compute="_compute_sender_email",
        inverse="_inverse_sender_email",
        store=True,
        groups=_SYSTEM,
        help="The address that takes the place of a From this server may not send as; "
        "the name is kept. Proposed from the user name or the FROM filter; empty it to "
        "return to the proposal.",
    )
    sender_email_custom = fields.Char(
        string="Typed Sender Address",
        groups=_SYSTEM,
        help="The sender address that was typed in, where it is not the proposed one.",
    )
    reply_to_policy = fields.Selection(
        selection=[
            ("auto", "Automatic"),
            ("odoo", "As Odoo computes it"),
            ("from", "The address in From"),
            ("custom", "Another address"),
        ],
        string="Replies Go To",
        default="auto",
        required=True,
        groups=_SYSTEM,
        help="Where answers go. Automatic: to the sender address if the mail leaves as "
        "it and an incoming server collects it, else to Odoo's own reply address, else "
        "to the person who wrote.",
    )
    reply_to_email = fields.Char(
        string="Reply Address",
        groups=_SYSTEM,
        help="The address that answers go to when another address is chosen.",
    )
    bounce_policy = fields.Selection(
        selection=[
            ("auto", "Automatic"),
            ("odoo", "Odoo's bounce address"),
            ("from", "The address in From"),
        ],
        string="Bounces Go To",
        default="auto",
        required=True,
        groups=_SYSTEM,
        help="Envelope sender and Return-Path. Automatic: Odoo's bounce address if "
        "this server may send as it, else the address in From.",
    )
    fetchmail_server_id = fields.Many2one(
        comodel_name="fetchmail.server",
        string="Replies Collected By",
        copy=False,
        index="btree_not_null",
        groups=_SYSTEM,
        help="The incoming mail server that fetches what arrives at the sender "
        "address, so that answers sent there reach the document in Odoo.",
    )
    tested_date = fields.Datetime(
        string="Last Tested",
        compute="_compute_tested_date",
        store=True,
        copy=False,
        groups=_SYSTEM,
        help="When a test of the connection or a test mail last succeeded, with the "
        "server as it is configured now.",
    )
    routing_warning = fields.Text(
        compute="_compute_routing_warning",
        groups=_SYSTEM,
        help="What in this configuration can lose mail or send it under a wrong name.",
    )

    def init(self):
        """Let SQL insert a server without policies, as ``odoo neutralize`` does."""
        for name in _POLICIES:
            self.env.cr.execute(
                SQL(
                    "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT 'auto'",
                    SQL.identifier(self._table),
                    SQL.identifier(name),
                )
            )

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains(
        "own_user_ids", "default_company_ids", "company_ids", "owner_user_id"
    )
    def _check_assignments(self):
        """Refuse an assignment that could never carry a mail.

        Called by ``res.users`` and ``res.company`` too, for the same relations.

        :raise ValidationError: names the server, and the user or company
        """
        for server in self.sudo().with_context(active_test=False):
            allowed = server.company_ids
            if server.owner_user_id and (
                server.own_user_ids or server.default_company_ids
            ):
                raise ValidationError(server._get_personal_refusal())
            if not allowed:
                continue
            barred = [
                *(c.name for c in server.default_company_ids - allowed),
                *(u.name for u in server.own_user_ids if not u.company_ids & allowed),
            ]
            if barred:
                raise ValidationError(server._get_barred_refusal(barred))

    @api.constrains(*SERVER_FIELDS)
    def _renew_is_configured(self):
        self.env["mail.routing"]._renew_is_configured()

    @api.constrains("own_user_ids")
    def _check_own_users_internal(self):
        for server in self.sudo():
            if outsider := server.own_user_ids.filtered("share")[:1]:
                raise ValidationError(server._get_outsider_refusal(outsider))

    def _get_refusal_for_user(self, user):
        """Why this server cannot be assigned to a user, as the constraints would say.

        :return: a sentence, ``None`` where it can
        """
        self.ensure_one()
        if self.owner_user_id:
            return self._get_personal_refusal()
        if self.company_ids and not user.company_ids & self.company_ids:
            return self._get_barred_refusal([user.name])
        return self._get_outsider_refusal(user) if user.share else None

    def _get_personal_refusal(self):
        return self.env._(
            "“%(server)s” is the personal mail server of %(user)s and cannot be "
            "assigned. Choose another server.",
            server=self.name,
            user=self.owner_user_id.name,
        )

    def _get_outsider_refusal(self, user):
        return self.env._(
            "%(user)s is not an internal user: “%(server)s” cannot be assigned to "
            "them.",
            user=user.name,
            server=self.name,
        )

    def _get_barred_refusal(self, names):
        """Why it cannot be assigned to users or companies of these names."""
        return self.env._(
            "“%(server)s” only carries mail of %(companies)s, so it cannot be "
            "assigned to %(barred)s. Allow the company on the server, or remove the "
            "assignment.",
            server=self.name,
            companies=", ".join(self.company_ids.mapped("name")),
            barred=", ".join(names),
        )

    @api.constrains("reply_to_policy", "reply_to_email")
    def _check_reply_to_email(self):
        for server in self:
            if server.reply_to_email:
                self._parse_one_address(server.reply_to_email)
            elif server.reply_to_policy == "custom":
                raise ValidationError(
                    self.env._(
                        "“%(server)s” sends answers to another address: fill in the "
                        "reply address.",
                        server=server.name,
                    )
                )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_in_use(self):
        """Refuse to delete what is assigned, or set on templates and mailings.

        Not so a personal server: its owner may disconnect it at any time, and core's
        autovacuum deletes it with all others that nobody uses any more.
        """
        shared = self.filtered(lambda server: not server.owner_user_id)
        usages = shared._active_usages_compute()
        for server in shared:
            if server.id in usages:
                raise UserError(
                    self.env._(
                        "“%(server)s” cannot be deleted because it is still used:\n"
                        "%(usages)s\nRemove it there first.",
                        server=server.name,
                        usages="\n".join(f"- {usage}" for usage in usages[server.id]),
                    )
                )

    # ------------------------------------------------------------------
    # Computed fields
    # ------------------------------------------------------------------

    @api.depends("smtp_user", "from_filter", "sender_email_custom")
    def _compute_sender_email(self):
        for server in self:
            server.sender_email = server.sender_email_custom or server._propose_sender()

    def _inverse_sender_email(self):
        """Keep what was typed apart from what is proposed.

        Core does not compute a field again that was just written: what was emptied
        or typed in another form takes its final value here.
        """
        for server in self:
            typed = server.sender_email
            email = typed and self._parse_one_address(typed)
            proposed = server._propose_sender()
            server.sender_email_custom = email if email and email != proposed else False
            final = server.sender_email_custom or proposed
            if typed != final:
                server.sender_email = final

    def _propose_sender(self):
        """The login if it is an address that the filter admits, else the filter's."""
        self.ensure_one()
        login = is_clean(self.smtp_user) and tools.email_normalize(self.smtp_user)
        if login and self._match_from_filter(login, self.from_filter):
            return login
        # normalising would join what a control character keeps apart
        parts = filter(is_clean, self._parse_from_filter(self.from_filter))
        return next(filter(None, map(tools.email_normalize, parts)), False)

    @api.model
    def _parse_one_address(self, text):
        """The normalised address of a field that must hold exactly one.

        :raise ValidationError: no address, several, or a control character
        """
        email = tools.email_normalize(text)
        contacts = email_split_tuples(text)
        if not email or len(contacts) != 1 or not is_clean(text):
            raise ValidationError(
                self.env._(
                    "“%(text)s” is not one e-mail address. Type a single address such "
                    "as office@example.com.",
                    text=text,
                )
            )
        return email

    @api.depends(
        "from_filter",
        "from_policy",
        "sender_email",
        "reserved",
        "reply_to_policy",
        "fetchmail_server_id.active",
        "fetchmail_server_id.state",
        "fetchmail_server_id.server_type",
        "fetchmail_server_id.user",
        "own_user_ids.active",
        "own_user_ids.share",
        "default_company_ids",
    )
    def _compute_routing_warning(self):
        for server in self:
            server.routing_warning = "\n".join(server._get_routing_warnings()) or False

    def _get_routing_warnings(self):
        """What can lose or misbrand mail here, a sentence each."""
        self.ensure_one()
        warnings = self._get_assignment_warnings()
        assigned = self.own_user_ids or self.default_company_ids
        if self.sender_email and not self._match_from_filter(
            self.sender_email, self.from_filter
        ):
            warnings.append(
                self.env._(
                    "The FROM filter does not admit the sender address %(email)s: mail "
                    "rewritten to it may be refused or taken for spam.",
                    email=self.sender_email,
                )
            )
        if assigned and self.from_policy == "login" and not self.sender_email:
            warnings.append(
                self.env._(
                    "It may send as its sender address only, but has none. Fill in the "
                    "sender address."
                )
            )
        return warnings + self._get_reply_warnings()

    def _get_reply_warnings(self):
        """What can keep answers from coming back, a sentence each."""
        incoming = self.fetchmail_server_id
        values = {"incoming": incoming.name, "email": self.sender_email}
        warnings = []
        if self.reply_to_policy == "from" and not incoming:
            warnings.append(
                self.env._(
                    "Answers go to the address in From, but no incoming mail server "
                    "collects them: they will not reach Odoo."
                )
            )
        if incoming and not incoming.active:
            warnings.append(
                self.env._(
                    "The incoming mail server “%(incoming)s” is archived and collects "
                    "nothing. Restore it, or choose another one.",
                    **values,
                )
            )
        elif incoming and not incoming.filtered_domain(COLLECTING):
            warnings.append(
                self.env._(
                    "The incoming mail server “%(incoming)s” is not confirmed yet and "
                    "collects nothing. Open it, then test and confirm it.",
                    **values,
                )
            )
        account = tools.email_normalize(incoming.user)
        if account and self.sender_email and account != self.sender_email:
            warnings.append(
                self.env._(
                    "The incoming mail server “%(incoming)s” collects the mailbox "
                    "%(account)s, while answers go to %(email)s. Make sure that they "
                    "arrive there.",
                    account=account,
                    **values,
                )
            )
        return warnings

    def _get_assignment_warnings(self):
        """Where nobody is left whose mail could leave through it."""
        users = self.own_user_ids
        if self.default_company_ids:
            return []
        if users and not any(map(self.env["mail.routing"]._may_be_sender, users)):
            return [
                self.env._(
                    "It is assigned only to users who are archived or no longer "
                    "internal: no mail leaves through it until they are back."
                )
            ]
        if self.reserved and not users:
            return [
                self.env._(
                    "It is reserved, but no user or company is assigned: only mail on "
                    "which it is set by hand leaves through it."
                )
            ]
        return []

    def _reserve_unassigned(self):
        """Reserve those that nobody is assigned to any more.

        Called where users or companies were deleted: their servers, a mailbox among
        them, must not become everybody's fallback by that.
        """
        self.filtered(
            lambda server: not (server.own_user_ids or server.default_company_ids)
        ).reserved = True

    @api.depends(
        "smtp_host",
        "smtp_port",
        "smtp_encryption",
        "smtp_authentication",
        "smtp_user",
        "smtp_pass",
    )
    def _compute_tested_date(self):
        """Forget a test of what is now another connection."""
        self.tested_date = False

    def test_smtp_connection(self, *args, **kwargs):
        """Note when it succeeded; core raises where it does not."""
        result = super().test_smtp_connection(*args, **kwargs)
        self.sudo().tested_date = fields.Datetime.now()
        return result

    @api.model
    def get_import_templates(self):
        """Offer an example of servers with users, where Odoo imports files."""
        return with_template(
            getattr(super(), "get_import_templates", None),
            self.env._("Import Template for Outgoing Mail Servers"),
            "mail_servers.csv",
        )

    # ------------------------------------------------------------------
    # Collecting replies
    # ------------------------------------------------------------------

    def action_collect_replies(self):
        """Create the incoming mail server of this account, and open it.

        The button of the form. What logs in is copied here, so that it does not travel
        to the browser and back.

        :return: the action that opens the form, to test and confirm the server
        :raise UserError: the server is somebody's personal one
        """
        self.ensure_one()
        if self.owner_user_id:
            raise UserError(
                self.env._(
                    "“%(server)s” is the personal mail server of %(user)s, who only "
                    "connected it to send. Create an incoming mail server together "
                    "with them.",
                    server=self.name,
                    user=self.owner_user_id.name,
                )
            )
        if not self.fetchmail_server_id:
            incoming = self.env["fetchmail.server"]
            values = self._prepare_incoming_server()
            self.fetchmail_server_id = incoming.create(values)
        return {
            "type": "ir.actions.act_window",
            "res_model": "fetchmail.server",
            "res_id": self.fetchmail_server_id.id,
            "views": [(False, "form")],
        }

    def _prepare_incoming_server(self):
        """The values of an incoming server for the same account, not confirmed yet."""
        values = {
            "name": self.name,
            "server_type": "imap",
            "server": guess_imap_host(self.smtp_host or ""),
            "port": 993,
            "is_ssl": True,
            "user": self.smtp_user or self.sender_email,
            "replies_only": True,
        }
        if self.smtp_authentication == "gmail":
            # Google grants one token for both directions
            token = self.google_gmail_refresh_token
            values.update(server_type="gmail", google_gmail_refresh_token=token)
        elif self.smtp_authentication == "outlook":
            # Microsoft grants one for each: the account has to be connected again
            values.update(server_type="outlook", server="imap.outlook.com")
        elif self.smtp_authentication == "login":
            values["password"] = self.smtp_pass
        return values

    # ------------------------------------------------------------------
    # Who may choose a server by hand
    # ------------------------------------------------------------------

    @api.model
    def _check_open_to_user(self, server_ids, shared=False):
        """Refuse servers that the calling user may not choose by hand.

        :param list server_ids: values of a many2one field, as a client may send them
        :param bool shared: chosen for everybody who uses a template or mailing
        :raise AccessError: the same for a closed server and for none of that id
        """
        chosen = [server_id for server_id in server_ids if server_id]
        if not chosen or self.env.user.has_group(_SYSTEM):
            return
        # PostgreSQL would take a text or a fraction for an id, too
        ids = {server_id for server_id in chosen if type(server_id) is int}
        servers = self.sudo().browse(ids).exists()
        opened = servers._filter_open_to(self.env.user, shared).ids
        if any(server_id not in opened for server_id in chosen):
            raise AccessError(
                self.env._(
                    "You cannot send through this outgoing mail server. Leave the "
                    "outgoing mail server empty, or ask your administrator."
                )
            )

    def _filter_open_to(self, user, shared=False):
        """Those of the servers that a user who is no administrator may choose.

        :param bool shared: leave out the user's own, which nobody else may choose
        """
        companies = user.company_ids.parent_ids

        def is_open(server):
            users = server.own_user_ids | server.owner_user_id
            if server.default_company_ids & companies:
                return True
            if user in users:
                return not shared
            if users or server.default_company_ids or server.reserved:
                return False
            return not server.company_ids or bool(server.company_ids & companies)

        servers = self.sudo().with_context(active_test=False)
        opened = servers.filtered(is_open) | servers._filter_on_templates_of(user)
        return self & opened.with_env(self.env)

    def _filter_on_templates_of(self, user):
        """Those on a template or mailing of the user's, who sends any text by it."""
        used = self.browse()
        for name in {"mail.template", "mailing.mailing"} & self.env.registry.keys():
            model = self.env[name].with_user(user)
            if model.has_access("read"):
                records = model.search([("mail_server_id", "in", self.ids)]).sudo()
                used |= records.mail_server_id
                if name == "mailing.mailing":
                    used |= self.browse(model._get_default_mail_server_id() or ())
        return used

    @api.depends_context("uid")
    def _compute_display_name(self):
        """Hide the name of a server from users to whom it is closed.

        Core shows it to whoever may read a message or hold a composer.
        """
        result = super()._compute_display_name()
        users = self.with_user(self.env.uid)
        if not users.browse().has_access("read"):
            closed = self - self._filter_open_to(self.env.user)
            closed.display_name = self.env._("Outgoing mail server")
        return result

    # ------------------------------------------------------------------
    # Routing
    # ------------------------------------------------------------------

    def _active_usages_compute(self):
        usages = super()._active_usages_compute()
        for server in self.sudo():
            lines = [
                *(
                    self.env._("%s (User)", user.name)
                    for user in server.own_user_ids.filtered("active")
                ),
                *(
                    self.env._("%s (Company)", company.name)
                    for company in server.default_company_ids.filtered("active")
                ),
            ]
            if lines:
                usages.setdefault(server.id, []).extend(lines)
        return usages

    def _find_mail_server(self, email_from, mail_servers=None):
        """Answer by rule user, company, FROM filter, priority, system.

        Called by the queue with a From that carries its mail, by ``_connect__`` with
        what the queue got from here, and by anybody with a plain From.
        """
        routed = self.env["mail.routing"]._route(email_from, mail_servers)
        profile = routed.decision.profile
        return (self.browse(profile.id) if profile else None), routed

    def _connect__(self, *args, smtp_from=None, mail_server_id=None, **kwargs):
        """Give a server that was asked for by its id the headers of its policies."""
        if mail_server_id and smtp_from and not kwargs.get("allow_archived"):
            smtp_from = self.env["mail.routing"]._route(
                smtp_from, forced_id=mail_server_id
            )
        return super()._connect__(
            *args, smtp_from=smtp_from, mail_server_id=mail_server_id, **kwargs
        )

    def _check_forced_mail_server(self, mail_server, allow_archived, smtp_from):
        """Refuse a server that is forced on mail it may not carry, and say why.

        Before core does: core names the owner's personal server to whoever reads why
        the mail failed.
        """
        if isinstance(smtp_from, RoutedFrom) and smtp_from.decision.refused:
            raise UserError(self._get_refusal(smtp_from.decision.steps[-1]))
        return super()._check_forced_mail_server(mail_server, allow_archived, smtp_from)

    @api.model
    def _get_refusal(self, step):
        """Why a forced server may not carry a mail, and what to do about it."""
        advice = self.env._("Choose another server on the mail or its template.")
        if step.reason is Reason.FORCED_BARRED:
            advice = self.env._(
                "Choose another server on the mail or its template, or allow the "
                "company on the server."
            )
        return f"{self.env['mail.routing']._sentence(step)} {advice}"

    @api.model
    def send_email(self, message, *args, **kwargs):
        """Choose the server of a message for which the caller names none.

        Core would choose it further down, where an addon in between may have forced
        one by the From alone: one that may not carry this message, for example.
        """
        servers = self._for_message(message, kwargs)
        named = (*args, *map(kwargs.get, _SERVER_ARGUMENTS))
        send_email = super(IrMailServer, servers).send_email
        if any(named) or not self.env["mail.routing"]._get_directory().configured:
            return send_email(message, *args, **kwargs)
        session = servers._connect__(smtp_from=message["From"])
        sent = send_email(message, **{**kwargs, "smtp_session": session})
        if session:
            session.quit()
        return sent

    @api.model
    def _for_message(self, message, arguments):
        """These servers for a caller of ``send_email``, which any client may call.

        No client has a message object. Core passes the session that it opened for the
        message; without one, context keys may have come with a request.

        :param dict arguments: the keyword arguments of the caller
        :raise AccessError: it is no message
        """
        if not isinstance(message, Message):
            raise AccessError(self.env._("Only Odoo itself sends messages."))
        if not request or arguments.get("smtp_session"):
            return self
        return self.with_context(**dict.fromkeys(ROUTING_KEYS))

    def _prepare_email_message__(self, message, smtp_session):
        """Set the headers of the route that the session's From carries."""
        routed = getattr(smtp_session, "smtp_from", None)
        if not isinstance(routed, RoutedFrom):
            return super()._prepare_email_message__(message, smtp_session)
        headers = self._get_routed_headers(message, routed)
        self._set_headers(message, headers)
        smtp_from, smtp_to, message = super()._prepare_email_message__(
            message, smtp_session
        )
        # an addon that is asked after this one may have put in its own
        self._set_headers(message, headers)
        return headers.get("Return-Path", smtp_from), smtp_to, message

    @api.model
    def _get_routed_headers(self, message, routed):
        """From, Reply-To and Return-Path as far as the route decides them, by name.

        What core decides is left out. Return-Path is the envelope sender too.
        """
        headers = {}
        plan = self.env["mail.routing"]._plan_message_headers(message, routed)
        if routed.decision.decides_from:
            headers["From"] = str(routed)
        if routed.decision.rewritten:
            # answers go by Reply-To; without one they would go to the new From
            headers["Reply-To"] = message["Reply-To"] or message["From"]
        if plan.reply_to:
            headers["Reply-To"] = plan.reply_to
        if addresses := extract_rfc2822_addresses(plan.return_path):
            headers["Return-Path"] = addresses[-1]
        return headers

    @api.model
    def _set_headers(self, message, headers):
        """Put each header into a message once, in place of what was there."""
        for name, value in headers.items():
            if value:
                del message[name]
                message[name] = str(value)
