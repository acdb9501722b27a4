"""The journal, and for as long as it is kept, the log."""

import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL
from odoo.tools.sql import escape_psql

from ..bridge.plans import keep_days_of
from ..bridge.routes import reason_of, rules_of
from ..delivery import Cause, Lane, Outcome, Phase, Scope
from .words import (
    CAUSES,
    LANES,
    OUTCOMES,
    PHASES,
    SCOPES,
    selection_of,
)

#: Attempts that are removed in one transaction.
PRUNED_AT_ONCE = 5000
# The end of an address, in SQL as in Python
_DOMAIN = "@([^@]+)$"


class MailDeliveryAttempt(models.Model):
    """One message offered once to one server, for one recipient.

    Runs write it by SQL (``bridge/journal.py``); nobody changes it by hand.
    """

    _name = "mail.delivery.attempt"
    _description = "Delivery Attempt"
    _log_access = False
    _order = "id desc"
    _rec_name = "recipient"

    mail_mail_id_int = fields.Integer(
        string="Mail",
        index=True,
        help="The mail in the queue, even after Odoo has deleted it.",
    )
    part = fields.Integer(
        help="The contact of the mail that the message was for, 0 for its To and Cc."
    )
    run_id_int = fields.Integer(string="Run", help="The run that made the attempt.")
    mail_message_id = fields.Many2one(
        comodel_name="mail.message",
        string="Message",
        ondelete="set null",
        index="btree_not_null",
        help="The message in the chatter.",
    )
    message_id = fields.Char(
        string="Message-ID", index="btree_not_null", help="The same for every attempt."
    )
    subject = fields.Char(help="What the mail was about.")
    model = fields.Char(
        string="Document Model", help="The kind of document that the mail is about."
    )
    res_id = fields.Many2oneReference(
        string="Document", model_field="model", help="The document it is about."
    )
    company_id = fields.Many2one(
        comodel_name="res.company",
        ondelete="set null",
        index="btree_not_null",
        help="The company that the mail was sent for.",
    )
    sender_id = fields.Many2one(
        comodel_name="res.users",
        string="Sender",
        ondelete="set null",
        index="btree_not_null",
        help="The user whose mail it was.",
    )
    mail_server_id = fields.Many2one(
        comodel_name="ir.mail_server",
        string="Mail Server",
        ondelete="set null",
        index="btree_not_null",
        groups="base.group_system",
        help="The outgoing mail server that the message was offered to.",
    )
    mail_server_name = fields.Char(
        string="Name of the Server", help="Its name then, even after it was deleted."
    )
    rule = fields.Selection(
        selection=lambda self: rules_of(self.env),
        string="By Rule",
        help="The rule that chose the server.",
    )
    reason = fields.Char(
        string="Name of the Reason", help="Why that rule chose it, by its name."
    )
    reason_text = fields.Char(
        string="Why This Server",
        compute="_compute_reason_text",
        compute_sudo=True,
        help="Why that rule chose the server.",
    )
    email_from_before = fields.Char(
        string="From Before", help="The From that Odoo gave the mail."
    )
    email_from = fields.Char(string="From", help="The From that the message left with.")
    envelope_sender = fields.Char(help="The address that reports of failures go to.")
    recipient = fields.Char(index=True, help="The address it was offered for.")
    recipient_domain = fields.Char(
        string="Domain of the Recipient",
        compute="_compute_recipient_domain",
        search="_search_recipient_domain",
        help="What comes after the @ of the address.",
    )
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Contact",
        ondelete="set null",
        index="btree_not_null",
        help="The contact whose address it is.",
    )
    lane = fields.Selection(
        selection=selection_of(Lane, LANES),
        string="Urgency",
        help="How urgent the mail was.",
    )
    started_at = fields.Datetime(index=True, help="When it was offered.")
    duration = fields.Float(
        string="Seconds", digits=(12, 3), aggregator="avg", help="How long it took."
    )
    outcome = fields.Selection(
        selection=selection_of(Outcome, OUTCOMES),
        required=True,
        index=True,
        help="What became of it.",
    )
    scope = fields.Selection(
        selection=selection_of(Scope, SCOPES),
        string="Whose Trouble",
        help="Whose trouble the answer tells of.",
    )
    cause = fields.Selection(
        selection=selection_of(Cause, CAUSES), help="What kind of trouble it is."
    )
    phase = fields.Selection(
        selection=selection_of(Phase, PHASES),
        help="The moment of the SMTP session that the answer came at.",
    )
    code = fields.Integer(aggregator=None, help="The server's answer, as a number.")
    enhanced_code = fields.Char(help="The same in detail (RFC 3463).")
    reply = fields.Text(string="Answer", help="The answer in the server's own words.")
    wait = fields.Integer(
        string="Asked to Wait", aggregator=None, help="Seconds the answer asked for."
    )
    number = fields.Integer(
        string="Attempt", aggregator=None, help="The how manieth for this recipient."
    )
    next_attempt_at = fields.Datetime(
        string="Next Try", help="When the mail was to be tried again after it."
    )
    bounced_at = fields.Datetime(
        string="Bounced", help="When a report of its failure came back."
    )
    settled = fields.Boolean(
        help="Whether the mail says already what became of the attempt."
    )

    _unsettled = models.Index("(mail_mail_id_int) WHERE NOT settled")
    _sending = models.Index("(run_id_int) WHERE outcome = 'sending'")

    def init(self):
        """Have the table vacuumed often: its newest rows change with each message."""
        self.env.cr.execute(
            "ALTER TABLE mail_delivery_attempt SET (fillfactor = 70, "
            "autovacuum_vacuum_scale_factor = 0.02, "
            "autovacuum_analyze_scale_factor = 0.05)"
        )

    @api.depends("rule", "reason", "mail_server_name", "sender_id", "company_id")
    @api.depends_context("lang")
    def _compute_reason_text(self):
        for attempt in self:
            attempt.reason_text = reason_of(attempt)

    @api.depends("recipient")
    def _compute_recipient_domain(self):
        for attempt in self:
            found = re.search(_DOMAIN, attempt.recipient or "")
            attempt.recipient_domain = found[1].lower() if found else False

    def _search_recipient_domain(self, operator, value):
        if operator == "ilike":
            return [("recipient", "=ilike", f"%@%{escape_psql(value)}%")]
        if operator != "in":
            return NotImplemented
        return Domain.OR(
            [("recipient", "=ilike", f"%@{escape_psql(name)}")]
            if name
            else ["!", ("recipient", "=ilike", "%@_%")]
            for name in value
        )

    def _field_to_sql(self, alias, field_expr, query=None):
        """Let attempts be grouped by the domain of their recipient."""
        if field_expr == "recipient_domain":
            recipient = self._field_to_sql(alias, "recipient", query)
            return SQL("lower(substring(%s from %s))", recipient, _DOMAIN)
        return super()._field_to_sql(alias, field_expr, query)

    def action_open_document(self):
        """Open the document that the mail is about, for those who may read it."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.model,
            "res_id": self.res_id,
            "views": [[False, "form"]],
        }

    @api.autovacuum
    def _gc_attempts(self):
        """Remove what is older than the settings say, unless a mail still needs it.

        :return: how many are gone, and whether there are more (``ir.autovacuum``)
        """
        days = keep_days_of(self.env)
        old = self.search(
            [
                ("settled", "=", True),
                ("started_at", "<", fields.Datetime.now() - timedelta(days=days)),
            ],
            order="id",
            limit=PRUNED_AT_ONCE,
        )
        old.unlink()
        return len(old), len(old) == PRUNED_AT_ONCE
