"""Who may choose an outgoing mail server by hand, and read its name."""

from odoo import api, models
from odoo.exceptions import AccessError


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    @api.model
    def _check_open_to_user(self, server_ids, shared=False):
        """Refuse servers that the calling user may not choose by hand.

        :param list server_ids: values of a many2one field, as a client may send them
        :param bool shared: chosen for everybody who uses a template or mailing
        :raise AccessError: the same for a closed server and for none of that id
        """
        chosen = [server_id for server_id in server_ids if server_id]
        if not chosen or self.env.user.has_group("base.group_system"):
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

    @api.model
    def _check_may_assign(self, vals_list, *names):
        """Refuse to assign servers in sudo for who may not assign them.

        A client can put commands of any record into values that code writes in sudo,
        and links of many2many fields are not checked there.

        :param vals_list: values of users, companies or servers
        :param names: the fields that assign
        :raise AccessError: they are written for somebody who is no administrator
        """
        if not self.env.su or all(vals.keys().isdisjoint(names) for vals in vals_list):
            return
        hands = self.env["mail.routing.hand"]
        users = self.env.user | hands._get_requesting_user()
        if hands._is_incoming() or not all(map(hands._is_trusted, users)):
            raise AccessError(
                self.env._("Only administrators assign outgoing mail servers.")
            )

    def _filter_open_to(self, user, shared=False):
        """Those of the servers that a user who is no administrator may choose.

        Nobody may choose those that are assigned to nobody and not reserved.

        :param user: ``res.users`` or ``mail.routing.leaver``
        :param bool shared: leave out the user's own, which nobody else may choose
        """
        companies = user.company_ids.parent_ids

        def is_open(server):
            users = server.own_user_ids | server.owner_user_id
            if server.default_company_ids & companies:
                return True
            if user.id in users.ids:
                return not shared
            if users or server.default_company_ids or server.reserved:
                return False
            return not server.company_ids or bool(server.company_ids & companies)

        servers = self.sudo().with_context(active_test=False)
        return self & servers.filtered(is_open).with_env(self.env)

    def _is_open_to_mail_of(self, choosers, company, given=False):
        """Whether mail may leave through this server, on which it is set by hand.

        Asked of every mail before it is sent, whoever asked for the server. Odoo's own
        mail may, but not through a user's server unless its delegation allows that.

        :param list choosers: ``res.users`` or ``mail.routing.leaver`` who all have to
            be allowed to choose it, an empty recordset for somebody who cannot be told;
            none for Odoo itself
        :param res.company company: the company that the mail is sent for
        :param bool given: whether its template or mailing gives the server, so that it
            is open to whoever may use that
        """
        self.ensure_one()
        server = self.sudo().with_context(active_test=False)
        closed_to = [user for user in choosers if not server._is_open_to(user)]
        if choosers and not closed_to:
            return True
        if not server.own_user_ids:
            return given or not choosers
        if not choosers:
            return server.delegation != "nobody"
        both = [server.own_user_ids, *closed_to]
        return (
            given
            and server.delegation == "colleagues"
            and all(company in users.company_ids for users in both)
        )

    def _is_open_to(self, user):
        """Whether a user, an administrator too, may choose this server by hand."""
        if not user:
            return False
        return user.has_group("base.group_system") or bool(self._filter_open_to(user))

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
