import psycopg2

from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import AccessError
from odoo.tools.mail import decode_message_header, email_split

from ..bridge.carrier import Incoming
from ..bridge.company_text import CompanyText
from ..bridge.telling import text_of
from ..routing import domain_of
from .replies_connection import FetchedMail

# By these a caller of message_process() tells of the record that a mail makes
_OF_THE_RECORD = ("custom_values", "thread_id")

# Context keys by which core finds other users, records and companies
_STEERING_KEYS = ("active_test", "allowed_company_ids")


class MailThread(models.AbstractModel):
    _inherit = "mail.thread"

    @api.model
    def _routing_create_bounce_email(
        self, email_from, body_html, message, **mail_values
    ):
        """Bounce for the company written to: who runs the gateway did not write it."""
        company = self._get_company_written_to(message) or self.env.company
        text = CompanyText.of(body_html, company.id)
        thread = self.with_company(company)
        return super(MailThread, thread)._routing_create_bounce_email(
            email_from, text, message, **mail_values
        )

    @api.model
    def _get_company_written_to(self, message):
        """The only company at the email domains that an incoming mail was sent to.

        :param email.message.Message message: the incoming mail
        :return: a ``res.company``, empty where there are several or none
        """
        headers = (
            "To",
            "Cc",
            "Delivered-To",
            "X-Original-To",
            "Resent-To",
            "Resent-Cc",
        )
        texts = [decode_message_header(message, name) for name in headers]
        emails = email_split(",".join(filter(None, texts)))
        domains = self.env["mail.alias.domain"].sudo()
        written_to = domains.search(
            [("name", "in", [domain_of(email) for email in emails])]
        )
        companies = written_to.company_ids
        user = self.env.user
        theirs = user.id == SUPERUSER_ID or companies <= user.company_ids
        return companies if len(companies) == 1 and theirs else companies.browse()

    @api.model
    def message_process(self, model, message, *args, **kwargs):
        """Tell the connection that fetched a mail whether it was posted."""
        thread = self._for_who_hands_in(args, kwargs)
        try:
            result = super(MailThread, thread).message_process(
                model, message, *args, **kwargs
            )
        except Exception as error:
            if isinstance(message, FetchedMail):
                message.error = text_of(error)
                message.passing = isinstance(error, psycopg2.OperationalError)
            raise
        if isinstance(message, FetchedMail):
            # it is, unless what is left of the transaction fails: core rolls back then
            self.env.cr.precommit.add(message.note_posted)
            self.env.cr.prerollback.add(message.note_lost)
        return result

    @api.model
    def _for_who_hands_in(self, args, kwargs):
        """Take no values of the record that an incoming mail makes from any user.

        Core writes them in sudo, as the user in the From of the mail, and the default
        values of the context, too.

        :raise AccessError: somebody who is no administrator gives some along
        """
        hands = self.env["mail.routing.hand"]
        trusted = hands._is_trusted(hands._get_requesting_user())
        if trusted or not self.env["ir.mail_server"]._is_configured():
            return self
        if any((*args[:1], *args[3:], *map(kwargs.get, _OF_THE_RECORD))):
            raise AccessError(
                self.env._(
                    "Only administrators hand in a mail with values of the record that "
                    "it makes. Hand in the mail alone."
                )
            )
        kept = {
            key: value
            for key, value in self.env.context.items()
            if not (key.startswith("default_") or key in _STEERING_KEYS)
        }
        return self.with_env(self.env(context=kept))

    @api.model
    def message_route(self, message, message_dict, *args, **kwargs):
        """Find the document that a reply names in In-Reply-To alone.

        Where there are References too, core asks these alone, and a reply taken out of
        a mailbox of replies only would find no document.
        """
        server_id = self.env.context.get("default_fetchmail_server_id")
        server = self.env["fetchmail.server"].sudo().browse(server_id or ())
        if server.replies_only and message_dict["references"]:
            message_dict["references"] += f" {message_dict['in_reply_to']}"
        return super().message_route(message, message_dict, *args, **kwargs)

    @api.model
    def _routing_check_route(self, message, message_dict, route, raise_exception=True):
        """Let no incoming mail reach the log of a mail server, or create a server."""
        if route[0] != "ir.mail_server":
            return super()._routing_check_route(
                message, message_dict, route, raise_exception
            )
        refusal = self.env._("mail servers take no incoming mail")
        self._routing_warn(refusal, message_dict["message_id"], route, raise_exception)
        return ()

    @api.model
    def _message_route_process(self, message, message_dict, routes):
        """Mark what an incoming mail causes: core acts as the user named in its From.

        That From is not authenticated, and any user may hand core a mail.
        """
        return super(MailThread, Incoming().on(self))._message_route_process(
            message, message_dict, routes
        )
