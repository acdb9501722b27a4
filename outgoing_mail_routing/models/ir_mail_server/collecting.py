"""Creating the incoming mail server that collects the answers."""

from odoo import models
from odoo.exceptions import UserError

from ...routing.incoming import guess_imap_host, is_sending_only


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    def action_collect_replies(self):
        """Create the incoming mail server of this account, and open it.

        The button of the form. What logs in is copied here, so that it does not travel
        to the browser and back.

        :return: the action that opens the form, to test and confirm the server
        :raise UserError: the server is somebody's personal one, or has no mailbox
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
        if not self.fetchmail_server_id and not self._has_mailbox():
            raise UserError(
                self.env._(
                    "“%(server)s” only sends mail: no mailbox belongs to the login "
                    "“%(login)s”. Create an incoming mail server for the mailbox in "
                    "which answers arrive, and choose it here.",
                    server=self.name,
                    login=self.smtp_user or "",
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

    def _has_mailbox(self):
        """Whether a mailbox may belong to the login: not to a key of a service."""
        keeps_mailboxes = not is_sending_only(self.smtp_host or "")
        return keeps_mailboxes and bool(self.smtp_user or self.sender_email)

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
