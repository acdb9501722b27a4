from collections import Counter
from contextlib import closing
from functools import partial

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain

from ..bridge.explanation import check_administrator, quote_server
from ..bridge.preview import Preview
from ..bridge.telling import is_told
from ..routing import Suggester
from .takeover import find_sources

# Refused lines first: they are what an administrator has to see
_STATES = ("refused", "ready", "unchanged")

# Of more users a form that is edited shows no lines: it sends all of them each time
_LIVE_LINES = 200


class MailRoutingAssignment(models.TransientModel):
    """Assigns servers to many users, and takes over what other addons assign.

    Everything it does is lines, made in one of three ways: of the chosen servers, of
    suggestions, of another addon's fields. They are shown, and the good ones written.
    """

    _name = "mail.routing.assignment"
    _description = "Assign Mail Servers"

    user_ids = fields.Many2many(
        comodel_name="res.users",
        string="Users",
        default=lambda self: self._default_user_ids(),
        domain="[('share', '=', False)]",
        context={"active_test": False},
        help="The users whose outgoing mail servers are assigned. Leave it empty to "
        "get suggestions for all who have none.",
    )
    user_count = fields.Integer(
        string="Number of Users",
        compute="_compute_user_count",
        help="How many users are chosen.",
    )
    mail_server_ids = fields.Many2many(
        comodel_name="ir.mail_server",
        string="Mail Servers",
        domain="[('owner_user_id', '=', False)]",
        help="The outgoing mail servers to assign. Personal servers belong to who "
        "connected them.",
    )
    mode = fields.Selection(
        selection=[
            ("add", "Add to their servers"),
            ("replace", "Replace their servers"),
            ("remove", "Remove from their servers"),
        ],
        string="What to Do",
        default="add",
        required=True,
        help="Whether the chosen servers join those that the users have, take their "
        "place, or are taken away from them.",
    )
    proposal = fields.Selection(
        selection=[
            ("chosen", "Chosen servers"),
            ("suggested", "Suggested servers"),
            ("taken_over", "Servers of another addon"),
        ],
        default="chosen",
        required=True,
        help="Where the lines come from.",
    )
    source = fields.Selection(
        selection="_selection_source",
        string="Take Over From",
        default=lambda self: next(iter(find_sources(self.env)), False),
        help="Another addon that assigns outgoing mail servers, and its fields.",
    )
    has_source = fields.Boolean(
        compute="_compute_has_source",
        help="Whether another addon that assigns outgoing mail servers is installed.",
    )
    difference = fields.Text(
        compute="_compute_difference",
        help="What is not the same here as with the other addon.",
    )
    line_ids = fields.One2many(
        comodel_name="mail.routing.assignment.line",
        inverse_name="assignment_id",
        string="Changes",
        compute="_compute_line_ids",
        store=True,
        readonly=False,
        help="What is assigned now and then.",
    )
    summary = fields.Char(
        compute="_compute_summary",
        help="How many lines are assigned, refused, or change nothing.",
    )
    warning = fields.Text(
        compute="_compute_summary",
        help="What may go wrong with mail once this is assigned.",
    )

    @api.model
    def _default_user_ids(self):
        """The users that are selected in the list it is opened from."""
        context = self.env.context
        selected = context.get("active_model") == "res.users"
        return self.env["res.users"].browse(selected and context.get("active_ids"))

    @api.model
    def _selection_source(self):
        sources = find_sources(self.env)
        return [(key, source.label) for key, source in sources.items()]

    @api.depends("user_ids")
    def _compute_user_count(self):
        for assignment in self:
            assignment.user_count = len(assignment.user_ids)

    def _compute_has_source(self):
        self.has_source = bool(find_sources(self.env))

    @api.depends("source")
    @api.depends_context("lang")
    def _compute_difference(self):
        sources = find_sources(self.env)
        for assignment in self:
            source = sources.get(assignment.source)
            assignment.difference = source and source.difference

    @api.depends("user_ids", "mail_server_ids", "mode")
    def _compute_line_ids(self):
        """Follow what is chosen; the buttons put other lines in their place."""
        for assignment in self:
            shown = assignment.id or len(assignment.user_ids) <= _LIVE_LINES
            lines = assignment._get_chosen_lines() if shown else ()
            assignment.line_ids = assignment._as_commands(lines)

    @api.depends("line_ids.selected", "line_ids.state")
    @api.depends_context("lang")
    def _compute_summary(self):
        for assignment in self:
            lines = assignment.line_ids
            states = Counter(lines.mapped(lambda line: line.state))
            assignment.summary = bool(lines) and self.env._(
                "To assign: %(ready)s. Refused: %(refused)s. Unchanged: %(unchanged)s.",
                ready=len(lines.filtered("selected")),
                refused=states["refused"],
                unchanged=states["unchanged"],
            )
            assignment.warning = "\n".join(assignment._get_warnings()) or False

    def _get_warnings(self):
        """Servers that would be left to nobody: then they are reserved."""
        changes = self.line_ids.filtered("selected")._get_changes()
        for server_id, values in changes.items():
            commands = values.get("own_user_ids", ())
            linked = {id_ for kind, id_, _ in commands if kind == Command.LINK}
            unlinked = {id_ for kind, id_, _ in commands if kind == Command.UNLINK}
            server = self.env["ir.mail_server"].sudo().browse(server_id)
            left = {*server.own_user_ids.ids, *linked} - unlinked
            if unlinked and not (left or server.default_company_ids or server.reserved):
                yield self.env._(
                    "“%(server)s” is assigned to nobody then and becomes reserved: no "
                    "mail leaves through it.",
                    server=server.name,
                )

    # ------------------------------------------------------------------
    # Lines
    # ------------------------------------------------------------------

    @api.model
    def _as_commands(self, lines):
        """Lines in place of those that are there.

        :param lines: iterable of values
        """
        ordered = sorted(lines, key=lambda line: _STATES.index(line["state"]))
        return [Command.clear(), *map(Command.create, ordered)]

    def _get_chosen_lines(self):
        """The lines of the chosen servers; without any, what the users have now."""
        servers = self.mail_server_ids._origin.sudo()
        preview = Preview(self.sudo().env)
        users = self.user_ids._origin.sudo()
        mails = preview.get_own_mails(users)
        for user, mail in zip(users, mails, strict=True):
            own = user.own_mail_server_ids
            added, removed = servers - own, servers.browse()
            if self.mode == "remove":
                added, removed = servers.browse(), servers & own
            elif self.mode == "replace" and servers:
                removed = own - servers
            sender_of = partial(self._get_sender, mail, preview.directory)
            yield self._get_user_line(user, added, removed, sender_of)

    def _get_suggested_lines(self):
        """The lines of what fits the e-mail addresses of the users."""
        preview = Preview(self.sudo().env)
        suggester = Suggester(preview.directory)
        users = self._get_users_to_suggest()
        servers = self.env["ir.mail_server"].sudo()
        mails = preview.get_own_mails(users)
        for user, mail in zip(users, mails, strict=True):
            sender_of = partial(self._get_sender, mail, preview.directory)
            if not is_told(mail):
                yield self._get_user_line(
                    user, servers, servers, sender_of, refusal=mail
                )
                continue
            companies = frozenset(user.company_ids.ids)
            suggestion = suggester.suggest(mail.request, companies)
            proposed = suggestion.proposed
            note = self.env._(
                # the text is marked for translation in routing/suggest.py
                suggestion.fit.value,
                email=mail.email,
                servers=", ".join(
                    quote_server(self.env, profile) for profile in suggestion.profiles
                ),
            )
            added = servers.browse(proposed and proposed.id)
            yield self._get_user_line(user, added, servers, sender_of, note)

    def _get_users_to_suggest(self):
        """The chosen users, else all internal ones who have no servers."""
        internal = Domain("share", "=", False)
        without_servers = Domain("own_mail_server_ids", "=", False)
        users = self.user_ids.sudo()
        return users or users.search(internal & without_servers)

    @api.model
    def _get_user_line(self, user, added, removed, sender_of, note=None, refusal=None):
        """The values of a line that changes a user's servers.

        :param sender_of: called with the user and their servers, tells as which address
            they send then
        :param str note: why it is proposed, or why nothing is
        :param str refusal: why nothing can be assigned, whatever the servers
        """
        own = user.own_mail_server_ids
        refusals = [refusal, *(server._get_refusal_for_user(user) for server in added)]
        refusal = "\n".join(filter(None, refusals))
        then = (own - removed + added).sorted()
        linked = {"own_user_ids": [Command.link(user.id)]}
        unlinked = {"own_user_ids": [Command.unlink(user.id)]}
        return self._get_line(
            user_id=user.id,
            before=", ".join(own.mapped("name")),
            after=", ".join(then.mapped("name")),
            sends_as=sender_of(user, own if refusal else then),
            changes={
                **dict.fromkeys(added.ids, linked),
                **dict.fromkeys(removed.ids, unlinked),
            },
            refusal=refusal,
            note=note,
        )

    @api.model
    def _get_sender(self, mail, directory, user, servers):
        """As which address a user sends in their own company, with these servers.

        :param mail: their mail now, a ``PreviewMail`` or ``Untold``
        :param routing.Directory directory: all servers as they are assigned now
        :return: ``False`` for who sends nothing, or where it cannot be told
        """
        if not is_told(mail) or not (mail.email and user.active) or user.share:
            return False
        if servers != user.own_mail_server_ids:
            directory = directory.with_servers_of_user(user.id, servers.ids)
            mail = Preview(user.env, directory).again(mail)
        return mail.decision.from_email

    def _get_taken_over_lines(self):
        """The lines of what another addon has set."""
        source = find_sources(self.env).get(self.source)
        for takeover in source.get_takeovers() if source else ():
            server, values = takeover.server, takeover.values
            before, after, refusal = self._try_values(server, values)
            refusal = takeover.problem or refusal
            unchanged = before == after and not refusal
            yield self._get_line(
                mail_server_id=server.id,
                before=before,
                after=after,
                changes={} if unchanged else {server.id: values},
                refusal=refusal,
                note=unchanged and self.env._("It is taken over already."),
            )

    @api.model
    def _try_values(self, server, values):
        """What a server looks like before and after values are written.

        They are written and rolled back: every constraint is asked, of whatever addon.

        :return: both as text, and why the values are refused, if they are
        """
        before = self._describe(server, values)
        try:
            with closing(self.env.cr.savepoint()):
                server.write(values)
                return before, self._describe(server, values), None
        except UserError as error:
            return before, before, str(error)
        finally:
            server._renew_is_configured()  # as it was

    @api.model
    def _describe(self, server, names):
        """Some fields of a server, a line each."""
        return "\n".join(
            f"{field._description_string(self.env)}: "
            f"{field.convert_to_export(server[field.name], server) or '–'}"
            for field in map(server._fields.get, names)
        )

    @api.model
    def _get_line(self, before, after, changes, refusal, note, **values):
        """The values of a line, with the state that follows."""
        state = "refused" if refusal else "ready" if changes else "unchanged"
        if state == "unchanged":
            note = note or self.env._("Nothing changes.")
        return {
            **values,
            "before": before,
            "after": before if refusal else after,
            "changes": changes,
            "state": state,
            "selected": state == "ready",
            "note": refusal or note,
        }

    # ------------------------------------------------------------------
    # Buttons
    # ------------------------------------------------------------------

    def action_suggest(self):
        """Show the servers that fit the e-mail addresses of the users."""
        return self._show("suggested", self._get_suggested_lines())

    def action_take_over(self):
        """Show what another addon has set."""
        return self._show("taken_over", self._get_taken_over_lines())

    def action_choose(self):
        """Show what the chosen servers change, for any number of users."""
        return self._show("chosen", self._get_chosen_lines())

    def _show(self, proposal, lines):
        """Put lines in place of those that are shown."""
        self.ensure_one()
        check_administrator(self.env)
        self.write({"proposal": proposal, "line_ids": self._as_commands(lines)})
        return self._reopen()

    def _reopen(self):
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "outgoing_mail_routing.mail_routing_assignment_action"
        )
        return {**action, "res_id": self.id}

    def action_assign(self):
        """Write the good lines, and say how many they were.

        :return: a notification; the dialog stays open where a line was refused
        :raise UserError: there is nothing to assign
        """
        self.ensure_one()
        check_administrator(self.env)
        lines = self.line_ids.filtered(lambda line: line.selected and line.changes)
        if not lines:
            raise UserError(
                self.env._(
                    "There is nothing to assign. Choose users and mail servers that "
                    "they do not have yet, or ask for suggestions."
                )
            )
        written = lines._assign()
        close = {"type": "ir.actions.act_window_close"}
        refused = len(lines - written)
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "warning" if refused else "success",
                "message": self._get_outcome(len(written), refused),
                "next": self._reopen() if refused else close,
            },
        }

    def _get_outcome(self, written, refused):
        """How many lines were written, in a sentence."""
        if refused:
            return self.env._(
                "Assigned: %(written)s. Refused: %(refused)s, see there why.",
                written=written,
                refused=refused,
            )
        if self.proposal == "taken_over":
            return self.env._("Mail servers taken over: %s.", written)
        return self.env._("Users whose mail servers were changed: %s.", written)
