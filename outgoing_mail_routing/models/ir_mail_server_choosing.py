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
