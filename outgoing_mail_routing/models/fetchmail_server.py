from dataclasses import replace
from email import message_from_bytes

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools.mail import decode_message_header, email_split

from ..routing.incoming import KnownMessage, answers_a_stranger
from .addresses import clean_name, only_email_of
from .replies_connection import ImapReplies, PopReplies

# Servers that bring in what arrives; those of core's type "local" are never confirmed,
# for there the mail system hands over the mails by itself
COLLECTING = Domain("active", "=", True) & (
    Domain("state", "=", "done") | Domain("server_type", "=", "local")
)


# The context key of the connections that a run has opened
_OPENED_KEY = "outgoing_mail_routing_opened"

# Of how many answers that could not be posted the form tells
_LINES_TOLD = 20


class Opened(dict):
    """Connections by server: no client can send one."""

    def __hash__(self):
        return id(self)


class FetchmailServer(models.Model):
    _inherit = "fetchmail.server"

    outgoing_mail_server_ids = fields.One2many(
        comodel_name="ir.mail_server",
        inverse_name="fetchmail_server_id",
        string="Collects Replies For",
        readonly=True,
        help="Outgoing mail servers whose answers arrive in this mailbox.",
    )
    replies_only = fields.Boolean(
        string="Replies Only",
        help="Take only answers to messages of Odoo, and bounces of them. All other "
        "mail stays in the mailbox unread, so a private mailbox can be collected. Off: "
        "all unread mail is taken.",
    )

    replies_folder = fields.Char(
        string="Folder",
        help="The folder in which answers arrive, such as the one that a rule of the "
        "mailbox moves them to. Leave it empty for the inbox.",
    )
    replies_place = fields.Json(
        copy=False,
        groups="base.group_system",
        help="Up to where the mailbox was looked at.",
    )
    left_mails = fields.Text(
        string="Answers Not Taken",
        copy=False,
        readonly=True,
        help="Answers that Odoo could not post, and why. They are still in the mailbox.",
    )

    def unlink(self):
        """Log on outgoing servers that it collects their replies no more."""
        servers = self.env["ir.mail_server"].sudo()
        servers._log_departure(["fetchmail_server_id"], self)
        return super().unlink()

    def _connect__(self, allow_archived=False):
        """Hide from core what is not for Odoo, where replies only are taken."""
        connection = super()._connect__(allow_archived=allow_archived)
        layers = {"imap": ImapReplies, "pop": PopReplies}
        if not self.replies_only or self._get_connection_type() not in layers:
            return connection
        layer = layers[self._get_connection_type()]
        connection = layer(
            connection,
            self._find_known_messages,
            self.sudo().replies_place,
            self.replies_folder,
        )
        opened = self.env.context.get(_OPENED_KEY)
        if isinstance(opened, Opened):
            opened[self.id] = connection
        return connection

    def _fetch_mail(self, *args, **kwargs):
        """Keep how far each mailbox was looked at, and what could not be posted."""
        opened = Opened()
        servers = self.with_context(**{_OPENED_KEY: opened})
        result = super(FetchmailServer, servers)._fetch_mail(*args, **kwargs)
        for server in self.sudo().browse(opened):
            connection = opened[server.id]
            server.replies_place = connection.get_place()
            if connection.left:
                server._tell_left_mails(connection.left.values())
        return result

    def _tell_left_mails(self, mails):
        """Say on the form which answers Odoo could not post, the latest first.

        :param mails: iterable of ``FetchedMail``
        """
        lines = []
        for mail in mails:
            message = message_from_bytes(mail)
            headers = (decode_message_header(message, h) for h in ("From", "Subject"))
            sender, subject = (clean_name(text) for text in headers)
            lines.append(
                self.env._(
                    "%(subject)s, from %(sender)s: %(error)s",
                    subject=subject,
                    sender=sender,
                    error=mail.error or "",
                )
            )
        known = (self.left_mails or "").splitlines()
        self.left_mails = "\n".join([*lines, *known][:_LINES_TOLD])

    def action_look_again(self):
        """Forget what was told, and look once more at all that is unread."""
        self.check_access("write")
        self.sudo().write({"left_mails": False, "replies_place": False})

    def _find_known_messages(self, mails):
        """Which ids that mails mention are Odoo's, in one statement for all mails.

        Another one is needed for bounces where mass mailings, whose messages may be
        gone, keep ids of their own, and a few where a mail is told by its sender.

        :param mails: collection of ``routing.incoming.IncomingMail``
        :return: ``{id: routing.incoming.KnownMessage}``
        """
        mentioned = set().union(*(mail.mentioned for mail in mails))
        returned = {id_ for mail in mails for id_ in mail.returned}
        known = {}
        if returned and "mailing.trace" in self.env:
            traces = self.env["mailing.trace"].sudo()
            traces = traces.search_fetch(
                [("message_id", "in", list(returned))], ["message_id"]
            )
            known = dict.fromkeys(traces.mapped("message_id"), KnownMessage())
        domain = [("message_id", "in", list(mentioned))]
        messages = self.env["mail.message"].sudo()
        messages = messages.search_fetch(domain, ["message_id", "model", "res_id"])
        for message in messages:
            id_ = message.message_id
            # the mark of messages whose answers begin a new document
            answerable = message.model and message.res_id and "reply_to" not in id_
            if answerable or id_ not in known:
                known[id_] = KnownMessage(bool(answerable))
        asked = {
            id_
            for mail in mails
            if answers_a_stranger(mail, known)
            for id_ in (*mail.references, *mail.in_reply_to)
        }
        for message in messages.filtered(lambda m: m.message_id in asked):
            emails = self._get_emails_in(message)
            known[message.message_id] = replace(known[message.message_id], emails=emails)
        return known

    @api.model
    def _get_emails_in(self, message):
        """The addresses of those who are in a message or in its document.

        Authors, recipients, followers and contacts; nothing that a mail says of itself.

        :return: frozenset, in lower case
        """
        partners = message.author_id | message.partner_ids | message.notified_partner_ids
        texts = [message.email_from, message.outgoing_email_to, message.incoming_email_cc]
        if message.model in self.env and not self.env[message.model]._abstract:
            record = self.env[message.model].sudo().browse(message.res_id).exists()
            if "message_partner_ids" in record._fields:
                partners |= record.message_partner_ids
            contacts = record._mail_get_partners() if record else {}
            partners = partners.union(*contacts.values())
        texts += partners.mapped("email")
        emails = {email for text in filter(None, texts) for email in email_split(text)}
        return frozenset(email.lower() for email in emails)

    @api.model
    def _find_collectors(self):
        """The first server that brings in what arrives at an address, for all of them.

        :return: ``{normalised address: fetchmail.server}``
        """
        collectors = {}
        for server in self.search(COLLECTING):
            for email in server._get_collected_emails():
                collectors.setdefault(email, server)
        return collectors

    def _get_collected_emails(self):
        """The addresses whose mail this server brings in, as far as Odoo knows."""
        self.ensure_one()
        texts = (self.user, *self.outgoing_mail_server_ids.mapped("sender_email"))
        return set(map(only_email_of, texts)) - {""}
