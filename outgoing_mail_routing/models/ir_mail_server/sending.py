"""The hooks into core's sending: which server, which From, which headers."""

import logging
from email.message import Message

from odoo import api, models
from odoo.exceptions import AccessError, UserError
from odoo.http import request

from odoo.addons.base.models.ir_mail_server import extract_rfc2822_addresses

from ...bridge.carrier import RoutedFrom
from ...bridge.directory_source import DirectorySource
from ...bridge.explanation import sentence_of
from ...bridge.message_headers import ROUTING_KEYS, MessageHeaders
from ...routing import Reason, decides_headers

_logger = logging.getLogger(__name__)

# By these a caller of send_email() names the server itself
_SERVER_ARGUMENTS = ("mail_server_id", "smtp_server", "smtp_session")


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

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
            # another one, where it is out of service
            profile = smtp_from.decision.profile
            mail_server_id = profile.id if profile else None
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
        return f"{sentence_of(self.env, step)} {advice}"

    @api.model
    def send_email(self, message, *args, **kwargs):
        """Choose the server of a message for which the caller names none.

        Core would choose it further down, where an addon in between may have forced
        one by the From alone: one that may not carry this message, for example.
        """
        servers = self._for_message(message, kwargs)
        named = (*args, *map(kwargs.get, _SERVER_ARGUMENTS))
        send_email = super(IrMailServer, servers).send_email
        if any(named) or not DirectorySource(self.env).get().configured:
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
            if routed and self._is_configured():
                _logger.warning(
                    "The mail %s from %s lost its route, as another addon made a new "
                    "text of the From: it leaves with the headers that core gives it.",
                    message["Message-Id"],
                    routed,
                )
            return super()._prepare_email_message__(message, smtp_session)
        headers = self._get_routed_headers(message, routed)
        self._set_headers(message, headers)
        smtp_from, smtp_to, message = super()._prepare_email_message__(
            message, smtp_session
        )
        if decides_headers(routed.decision):
            headers.setdefault("Return-Path", smtp_from)
        # an addon that is asked after this one may have put in its own
        self._set_headers(message, headers)
        return headers.get("Return-Path", smtp_from), smtp_to, message

    @api.model
    def _get_routed_headers(self, message, routed):
        """From, Reply-To and Return-Path as far as the route decides them, by name.

        What core decides is left out. Return-Path is the envelope sender too; where
        the route leaves that one to core, Return-Path becomes what core answers.
        """
        headers = {}
        plan = MessageHeaders(self.env).plan(message, routed)
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
