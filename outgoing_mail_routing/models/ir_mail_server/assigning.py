"""To whom a server is assigned, for whom it is open, and by which policies it sends."""

from odoo import api, fields, models, tools
from odoo.exceptions import UserError, ValidationError

from ...bridge.column_defaults import keep_column_defaults
from ...bridge.directory_source import DirectorySource
from ...bridge.found_ids import FoundIds
from ...bridge.registry_cache import forget_kept
from ...bridge.server_rows import SERVER_FIELDS
from ..import_templates import with_template

_SYSTEM = "base.group_system"
_POLICIES = ("from_policy", "reply_to_policy", "bounce_policy")
_ASSIGNED_TO = ("own_user_ids", "default_company_ids")
# Under what a transaction keeps that nothing is configured
_NOTHING = "outgoing_mail_routing_nothing_configured"


class _NothingConfiguredError(Exception):
    """Nothing is configured, for now."""


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
        tracking=True,
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
        tracking=True,
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
        tracking=True,
        groups=_SYSTEM,
        help="Only mail of these companies ever leaves through this server. Leave it "
        "empty to allow every company.",
    )
    reserved = fields.Boolean(
        tracking=True,
        groups=_SYSTEM,
        help="Only the users and companies above send through this server: its FROM "
        "filter attracts nobody else's mail and it is nobody else's fallback.",
    )
    out_of_service = fields.Boolean(
        string="Out of Service",
        tracking=True,
        copy=False,
        groups=_SYSTEM,
        help="Mail takes another way while it is on, as if this server did not exist; "
        "users and companies stay assigned. For a server that is broken for a while.",
    )
    delegation = fields.Selection(
        selection=[
            ("nobody", "Only what its users send themselves"),
            ("odoo", "Also what Odoo makes in their name"),
            ("colleagues", "Also what colleagues send in their name"),
        ],
        string="Mail in Their Name",
        required=True,
        default="nobody",
        tracking=True,
        groups=_SYSTEM,
        help="Whose mail leaves through a user's server besides their own. By default "
        "nobody's: what they write and schedule themselves. Reminders, automations and "
        "the like name their sender by a field that others may have filled in. "
        "Colleagues have to belong to the company of the mail, as its users do.",
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
        tracking=True,
        groups=_SYSTEM,
        help="The addresses this server may put into From. Automatic: those of its "
        "FROM filter; without a filter the sender address alone if users or companies "
        "are assigned; without that, those at the e-mail domains of its companies; "
        "else every address.",
    )
    reply_to_policy = fields.Selection(
        selection=[
            ("auto", "Automatic"),
            ("odoo", "Odoo's reply address"),
            ("from", "The address in From"),
            ("custom", "Another address"),
        ],
        string="Replies Go To",
        default="auto",
        required=True,
        tracking=True,
        groups=_SYSTEM,
        help="Where answers go. Automatic: to the sender address if the mail leaves as "
        "it and an incoming server collects it, else to Odoo's own reply address, else "
        "to the person who wrote.",
    )
    reply_to_email = fields.Char(
        string="Reply Address",
        tracking=True,
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
        tracking=True,
        groups=_SYSTEM,
        help="Envelope sender and Return-Path. Automatic: Odoo's bounce address if "
        "this server may send as it, else the address in From.",
    )
    fetchmail_server_id = fields.Many2one(
        comodel_name="fetchmail.server",
        string="Replies Collected By",
        copy=False,
        index="btree_not_null",
        tracking=True,
        groups=_SYSTEM,
        help="The incoming mail server that fetches what arrives at the sender "
        "address, so that answers sent there reach the document in Odoo.",
    )

    def init(self):
        """Let SQL insert a server without policies, as ``odoo neutralize`` does."""
        defaults = {**dict.fromkeys(_POLICIES, "auto"), "delegation": "nobody"}
        keep_column_defaults(self, defaults)

    @api.model_create_multi
    def create(self, vals_list):
        """Forget sender addresses that were proposed too early.

        Core checks constraints before it knows the values of fields without a column,
        which is what an addon makes of a login that it takes from a file.
        """
        servers = super().create(vals_list)
        servers.invalidate_recordset(["sender_email"], flush=False)
        return servers

    def write(self, vals):
        """Reserve those that are left to nobody, unless that is said at once."""
        taken = not vals.keys().isdisjoint(_ASSIGNED_TO) and "reserved" not in vals
        private = self._filter_private() if taken else self.browse()
        result = super().write(vals)
        private._reserve_unassigned()
        return result

    def unlink(self):
        """Forget whether anything is configured, where that changes by it."""
        result = super().unlink()
        self.browse()._renew_is_configured()
        return result

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
        """Forget whether anything is configured, where that changed."""
        if self._is_configured() != DirectorySource(self.env).is_configured():
            self.env.cr.cache.pop(_NOTHING, None)
            forget_kept(self.env)

    @api.model
    def _is_configured(self):
        """Whether anything is assigned or any policy set, most often without SQL.

        Unlike a directory, the answer misses what SQL changed. That something is
        configured is kept by the process: where it is not any more, more is checked
        than need be. That nothing is, would leave out what protects mail: it is kept by
        this transaction alone, and core forgets it where a savepoint is rolled back.
        """
        kept = self.env.cr.cache
        if _NOTHING not in kept:
            try:
                return self._ask_configured()
            except _NothingConfiguredError:
                kept[_NOTHING] = True
        return False

    @api.model
    @tools.ormcache()
    def _ask_configured(self):
        """Tell that something is configured; core keeps no error.

        :raise _NothingConfiguredError: nothing is
        """
        if not DirectorySource(self.env).is_configured():
            raise _NothingConfiguredError
        return True

    @api.constrains("own_user_ids")
    def _check_own_users_internal(self):
        users = self.sudo().own_user_ids
        users.fetch(["share"])  # and no more of them, where a file assigns thousands
        outsiders = users.filtered("share")
        for server in self.sudo() if outsiders else ():
            if outsider := (server.own_user_ids & outsiders)[:1]:
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
        if not self._is_named_to_user():
            return self._get_nameless_refusal()
        return self.env._(
            "“%(server)s” is the personal mail server of %(user)s and cannot be "
            "assigned. Choose another server.",
            server=self.name,
            user=self.owner_user_id.name,
        )

    def _get_outsider_refusal(self, user):
        if not self._is_named_to_user():
            return self._get_nameless_refusal()
        return self.env._(
            "%(user)s is not an internal user: “%(server)s” cannot be assigned to "
            "them.",
            user=user.name,
            server=self.name,
        )

    def _get_barred_refusal(self, names):
        """Why it cannot be assigned to users or companies of these names."""
        if not self._is_named_to_user():
            return self._get_nameless_refusal()
        return self.env._(
            "“%(server)s” only carries mail of %(companies)s, so it cannot be "
            "assigned to %(barred)s. Allow the company on the server, or remove the "
            "assignment.",
            server=self.name,
            companies=", ".join(self.company_ids.mapped("name")),
            barred=", ".join(names),
        )

    @api.model
    def _is_named_to_user(self):
        """Whether a refusal may say which servers there are, and whose."""
        return self.env.user.has_group(_SYSTEM)

    @api.model
    def _get_nameless_refusal(self):
        return self.env._(
            "An outgoing mail server that an administrator assigned does not allow "
            "this: its mail would no longer leave. Ask your administrator."
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
    # Where it is in use
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

    def _filter_assigned(self):
        """Those that users or companies send through, archived ones too."""
        servers = self.sudo().with_context(active_test=False)
        assigned = servers.filtered(lambda s: s.own_user_ids or s.default_company_ids)
        return self & assigned.with_env(self.env)

    def _filter_private(self):
        """Those that nobody else should send through once they are left to nobody.

        The mailboxes of users, and what companies have without a FROM filter: it would
        carry everybody's mail. One with a filter carries what that names.
        """
        assigned = self._filter_assigned()
        return assigned.filtered(lambda s: s.sudo().own_user_ids or not s.from_filter)

    def _reserve_unassigned(self):
        """Reserve those that nobody is assigned to any more, and log why.

        Called where users or companies lost their servers or were deleted: a mailbox
        among them must not become everybody's fallback by that.
        """
        for server in self - self._filter_assigned():
            if not server.reserved:
                server._track_set_log_message(
                    self.env._(
                        "Nobody sends through it any more. It is reserved, so that it "
                        "does not carry everybody's mail."
                    )
                )
                server.reserved = True

    @api.onchange(*_ASSIGNED_TO)
    def _onchange_assigned_to(self):
        """Show at once what saving does."""
        if self._origin._filter_private() and not self._filter_assigned():
            self.reserved = True

    @api.model
    def load(self, fields, data):
        """Look up at once whom a file names by database id."""
        found = FoundIds()
        for number, path in enumerate(fields):
            name, _separator, subfield = path.partition("/")
            field = self._fields.get(name)
            if field and field.relational and subfield == ".id":
                texts = (text for row in data for text in row[number : number + 1])
                found.look_up(self.env[field.comodel_name], texts)
        return super(IrMailServer, found.on(self)).load(fields, data)

    @api.model
    def get_import_templates(self):
        """Offer an example of servers with users, where Odoo imports files."""
        return with_template(
            getattr(super(), "get_import_templates", None),
            self.env._("Import Template for Outgoing Mail Servers"),
            "mail_servers.csv",
        )
