from contextlib import suppress
from dataclasses import replace

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.mail import email_split

from ..bridge.addresses import clean_name, only_email_of
from ..bridge.server_rows import COLLECTING
from ..bridge.telling import is_told, tell_of
from ..routing.incoming import KnownMessage, answers_a_stranger, read_summary
from .replies_connection import ImapReplies, MissingFolder, PopReplies

# What tells which mailbox it is, and since when replies only are taken
_MAILBOX = ("server_type", "server", "user", "replies_only", "replies_folder")

# Of how many answers that could not be posted the form tells
_LINES_TOLD = 20


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
        help="Take only answers to messages of Odoo, and bounces of them, whether they "
        "were read or not. All other mail stays in the mailbox as it is, so a private "
        "mailbox can be collected. Off: all unread mail is taken.",
    )

    replies_folder = fields.Char(
        string="Folder",
        help="The folder in which answers arrive, such as the one that a rule of the "
        "mailbox moves them to, as the mail server names it. Leave it empty for the "
        "inbox.",
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
        help="Answers that Odoo could not post, and why. They are still in the "
        "mailbox.",
    )

    def write(self, vals):
        """Begin anew in another mailbox; ids of mails may be the same in several."""
        names = [name for name in _MAILBOX if name in vals]
        moved = self.filtered(
            lambda s: any((s[n] or "") != (vals[n] or "") for n in names)
        )
        result = super().write(vals)
        for server in moved.sudo():
            if server.replies_place:
                server.replies_place = False
        return result

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
        replies = layer(
            connection,
            self._find_known_messages,
            self._keep_place,
            self.sudo().replies_place,
        )
        folder = (self.replies_folder or "").strip()
        try:
            replies.open(folder)
        except Exception as error:
            with suppress(Exception):  # it is only said goodbye
                replies.disconnect()
            if not isinstance(error, MissingFolder):
                raise
            raise UserError(
                self.env._(
                    "The mailbox does not open the folder “%(folder)s”: %(answer)s",
                    folder=folder or "INBOX",
                    answer=error,
                )
            ) from error
        return replies

    def _keep_place(self, connection):
        """Keep how far a mailbox was looked at, and tell what could not be posted.

        Core commits it along with the date of the run.
        """
        server = self.sudo()
        place = connection.get_place()
        if place != server.replies_place:
            server.replies_place = place
        if connection.left:
            server._tell_left_mails(connection.left.values())

    def _tell_left_mails(self, mails):
        """Say on the form which answers Odoo could not post, the latest last.

        :param mails: collection of ``FetchedMail``
        """
        known = (self.left_mails or "").splitlines()
        lines = [*known, *map(self._get_left_line, mails)]
        self.left_mails = "\n".join(lines[-_LINES_TOLD:])

    @api.model
    def _get_left_line(self, mail):
        """The line that tells of a mail which could not be posted, and why."""
        sender, subject = map(clean_name, read_summary(mail))
        return self.env._(
            "“%(subject)s” from %(sender)s: %(error)s",
            subject=subject or self.env._("No subject"),
            sender=sender,
            error=clean_name(mail.error) or self.env._("it could not be saved"),
        )

    def action_look_again(self):
        """Let the next run take what could not be posted, and let it start at once."""
        self.check_access("write")
        for server in self.sudo():
            place = dict(server.replies_place or {})
            again = {*place.pop("again", ()), *place.pop("left", ())}
            if place:
                server.replies_place = {**place, "again": sorted(again), "left": []}
            server.left_mails = False
        self.env.ref("mail.ir_cron_mail_gateway_action").sudo()._trigger()

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
            domain = [("message_id", "in", list(returned))]
            traces = self.env["mailing.trace"].sudo()
            traces = traces.search_fetch(domain, ["message_id"])
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
            emails = tell_of(message, self._get_emails_in)
            if is_told(emails):  # else nobody is known to be in it
                id_ = message.message_id
                known[id_] = replace(known[id_], emails=emails)
        return known

    @api.model
    def _get_emails_in(self, message):
        """The addresses of those who are in a message or in its document.

        Authors, recipients, followers and contacts; nothing that a mail says of itself.

        :return: frozenset, in lower case
        """
        partners = (
            message.author_id | message.partner_ids | message.notified_partner_ids
        )
        texts = [
            message.email_from,
            message.outgoing_email_to,
            message.incoming_email_cc,
        ]
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
