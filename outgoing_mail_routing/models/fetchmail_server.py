from odoo import api, fields, models
from odoo.fields import Domain

from .addresses import only_email_of
from .replies_connection import ImapReplies, PopReplies

# Servers that bring in what arrives; those of core's type "local" are never confirmed,
# for there the mail system hands over the mails by itself
COLLECTING = Domain("active", "=", True) & (
    Domain("state", "=", "done") | Domain("server_type", "=", "local")
)


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
        return layer(connection, self._find_known_ids)

    def _find_known_ids(self, mails):
        """Which ids that mails mention are Odoo's, in one statement for all mails.

        A second one is needed for bounces where mass mailings, whose messages may be
        gone, keep ids of their own.

        :param mails: iterable of ``routing.incoming.IncomingMail``
        :return: ``{id: whether core's message_route answers such a message}``
        """
        mentioned = set().union(*(mail.mentioned for mail in mails))
        returned = {id_ for mail in mails for id_ in mail.returned}
        known = {}
        if returned and "mailing.trace" in self.env:
            traces = self.env["mailing.trace"].sudo()
            traces = traces.search_fetch(
                [("message_id", "in", list(returned))], ["message_id"]
            )
            known = dict.fromkeys(traces.mapped("message_id"), False)
        domain = [("message_id", "in", list(mentioned))]
        for message in (
            self.env["mail.message"]
            .sudo()
            .search_fetch(domain, ["message_id", "model", "res_id"])
        ):
            id_ = message.message_id
            # the mark of messages whose answers begin a new document
            answerable = message.model and message.res_id and "reply_to" not in id_
            known[id_] = known.get(id_) or bool(answerable)
        return known

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
