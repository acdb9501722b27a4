"""The test mail of the simulator: it leaves by exactly the route that is shown."""

import logging
import smtplib

from odoo import fields, models
from odoo.exceptions import UserError

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...bridge.directory_source import DirectorySource
from ...bridge.explanation import check_administrator, quote_server

_logger = logging.getLogger(__name__)

# What a test mail runs into between here and the SMTP server's answer
_NOT_SENT = (
    MailDeliveryException,
    UserError,
    smtplib.SMTPException,
    OSError,
    ValueError,
    AssertionError,
)


class MailRoutingSimulation(models.TransientModel):
    _inherit = "mail.routing.simulation"

    test_email_to = fields.Char(
        string="Send a Test Mail To",
        default=lambda self: self.env.user.email,
        help="The only address that receives the test mail.",
    )

    def action_send_test_mail(self):
        """Send a message by exactly the route that is shown.

        :return: a notification that says how it went; a mail server's error is no
            error of Odoo's
        """
        self.ensure_one()
        check_administrator(self.env)
        server = self.route_server_id.sudo()
        try:
            email_to = server._parse_one_address(self.test_email_to or "")
            self._get_mail()._send_test_mail(email_to, *self._get_test_content())
        except _NOT_SENT as error:
            _logger.info("The test mail was not sent: %s", error)
            return self._notify("danger", self._get_failure(error))
        server.tested_date = fields.Datetime.now()
        return self._notify(
            "success",
            self.env._(
                "The test mail left through %(server)s as %(email_from)s.",
                server=self._quote_route_server(),
                email_from=self.after_email_from,
            ),
        )

    def _get_test_content(self):
        """Subject and text of the test mail."""
        return (
            self.env._("Test of outgoing mail routing"),
            self.env._(
                "An administrator sent this message with the Routing Simulator, to see "
                "how mail leaves. Nothing has to be done."
            ),
        )

    def _get_failure(self, error):
        """What an administrator can make of an error between here and the server."""
        if isinstance(error, (UserError, AssertionError, ValueError)):
            return str(error)
        if isinstance(error, MailDeliveryException):
            error = error.args[-1]
        return self.env._(
            "%(server)s did not take the test mail. Check its host, port, encryption "
            "and login. It answered:\n%(error)s",
            server=self._quote_route_server(),
            error=error,
        )

    def _quote_route_server(self):
        """The server that carries the mail, as sentences name it."""
        profile = DirectorySource(self.env).get().get(self.route_server_id.id)
        return quote_server(self.env, profile)

    def _notify(self, kind, message):
        """A notification of the web client, sticky where something is wrong."""
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": kind,
                "message": message,
                "sticky": kind != "success",
            },
        }
