"""Sending: nothing that a client wrote steers it."""

import re

from odoo import SUPERUSER_ID, models
from odoo.exceptions import MissingError

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...bridge.carrier import Failures, Sending
from ...bridge.message_headers import ROUTING_KEYS

# What a mail says of its sender is decided by its route, and by core
_SENDER_HEADERS = frozenset(
    {"return-path", "sender", "errors-to", "resent-from", "resent-sender"}
)

# The name of a header (RFC 5322, section 3.6.8): a line break in it begins another one
_HEADER_NAME = re.compile(r"[!-9;-~]+")


class MailMail(models.Model):
    _inherit = "mail.mail"

    def send(self, auto_commit=False, raise_exception=False, *args, **kwargs):
        """Hide servers in errors, and raise for mails that cannot be routed."""
        mails = self._without_client_keys()
        mails = Failures().on(mails) if raise_exception else Failures.off(mails)
        mails = Sending().on(mails)
        try:
            result = super(MailMail, mails).send(
                auto_commit, raise_exception, *args, **kwargs
            )
        except MailDeliveryException as error:
            if self.env["mail.routing.hand"]._is_trusted(self.env.user):
                raise
            raise self._hide_mail_server(error) from None
        if self.env.context.get("mailing_test_mail"):
            mails._hide_reasons_of_test()
        return result

    def _without_client_keys(self):
        """These mails in a context that steers nothing: a client may have sent it.

        Core sends after the request, as OdooBot, but in the context of the request.
        What it sets itself, for the alias domain of a mail, comes after this. The keys
        of default values do not get here: core's ``sudo()`` takes them out.
        """
        context = dict(self.env.context)
        opened = set(context.get("allowed_company_ids") or ())
        makers = self._get_stored_makers() if opened else ()
        if any(
            opened - set(maker._get_company_ids())
            for maker in makers
            if maker.id != SUPERUSER_ID
        ):
            context["allowed_company_ids"] = []  # with_context() keeps a missing one
        for key in ROUTING_KEYS:
            context.pop(key, None)
        return self.with_env(self.env(context=context))

    def _get_stored_makers(self):
        """The users who made these mails, as far as the mails are still there."""
        mails = self.sudo()
        try:
            return mails.create_uid
        except MissingError:  # another process has sent and deleted some
            return mails.exists().create_uid

    def _prepare_outgoing_list(self, *args, **kwargs):
        """Take no envelope sender out of ``headers``, which a user may have written.

        Core keeps their Return-Path, and makes it the envelope sender. Any user gives
        headers along with a message or a template, so what they say of the sender is
        left out, in whatever spelling, as is what is no name of a header, and
        Return-Path is what core computes itself. With nothing configured they are
        core's.
        """
        emails = super()._prepare_outgoing_list(*args, **kwargs)
        if self._is_sent_as_configured():
            own = {"Return-Path": self._get_odoos_bounce_email()}
            for email in emails:
                kept = {
                    name: value
                    for name, value in email["headers"].items()
                    if _HEADER_NAME.fullmatch(str(name))
                    and str(name).lower() not in _SENDER_HEADERS
                }
                email["headers"] = {**kept, **own}
        return emails

    def _is_sent_as_configured(self):
        """Whether anything was configured when this mail was routed, or is now."""
        sending = Sending.of(self.env)
        if sending and sending.configured is not None:
            return sending.configured
        return self.env["ir.mail_server"]._is_configured()

    def _get_odoos_bounce_email(self):
        """The bounce address that core computes for a mail, or nothing."""
        of_alias_domain = self.record_alias_domain_id.sudo().bounce_email
        return of_alias_domain or self.env.company.bounce_email
