"""How far a mail got, and why it waits."""

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.outgoing_mail_routing.bridge.column_defaults import (
    keep_column_defaults,
)

from ...bridge.claims import DUE_AT
from ...delivery import Lane
from ..words import LANES, selection_of

_MARKS = [
    ("waiting", "Waiting"),
    ("deferred", "Put Off"),
    ("held", "Held"),
    ("unknown", "May Have Arrived"),
]
_STATES = [_MARKS[0], ("sending", "Being Sent"), *_MARKS[1:]]

# Mail that somebody waits for before their screen
_URGENT_MODELS = frozenset({"res.users", "portal.wizard.user"})
_BULK_MODELS = frozenset({"digest.digest", "mailing.mailing"})


class MailMail(models.Model):
    _inherit = "mail.mail"

    delivery_state = fields.Selection(
        selection=_STATES,
        compute="_compute_delivery_state",
        search="_search_delivery_state",
        help="How far the delivery of a mail got that is neither sent nor failed.",
    )
    delivery_mark = fields.Selection(
        selection=_MARKS,
        default="waiting",
        readonly=True,
        copy=False,
        help="What the last run made of it.",
    )
    delivery_lane = fields.Selection(
        selection=selection_of(Lane, LANES),
        string="Urgency",
        default=Lane.NORMAL.value,
        readonly=True,
        help="Urgent mail goes first: passwords, invitations and codes. Mailings and "
        "digests go last.",
    )
    delivery_tries = fields.Integer(
        string="Tries",
        readonly=True,
        copy=False,
        aggregator=None,
        help="How often it was put off for a reason of its own.",
    )
    delivery_since = fields.Datetime(
        string="Due Since",
        readonly=True,
        copy=False,
        help="When it was first to be sent: its age counts from then.",
    )
    delivery_health_id = fields.Many2one(
        comodel_name="mail.delivery.health",
        string="Waits For",
        readonly=True,
        copy=False,
        ondelete="set null",
        index="btree_not_null",
        help="The mail server that it waits for.",
    )
    attempt_count = fields.Integer(
        string="Attempts",
        compute="_compute_attempt_count",
        compute_sudo=True,
        help="How often it was offered to a mail server, counted by recipient.",
    )

    _delivery_due = models.Index(
        f"(delivery_lane, {DUE_AT}, id) WHERE state = 'outgoing'"
    )
    _delivery_next = models.Index(
        "(scheduled_date) WHERE state = 'outgoing' AND delivery_mark = 'deferred'"
    )

    def init(self):
        """Let SQL insert a mail without a lane."""
        result = super().init()
        keep_column_defaults(self, {"delivery_lane": Lane.NORMAL.value})
        return result

    @api.model_create_multi
    def create(self, vals_list):
        """Note how urgent each mail is; no client may say so."""
        for vals in vals_list:
            vals["delivery_lane"] = self._find_lane(vals).value
        mails = super().create(vals_list)
        self._note_new(mails)
        return mails

    @api.model
    def _find_lane(self, vals):
        """How urgent a mail is, by what it is about.

        :rtype: delivery.Lane
        """
        model = vals.get("model")
        if not model and vals.get("mail_message_id"):
            model = (
                self.env["mail.message"].browse(vals["mail_message_id"]).sudo().model
            )
        if vals.get("mailing_id") or model in _BULK_MODELS:
            return Lane.BULK
        return Lane.URGENT if model in _URGENT_MODELS else Lane.NORMAL

    def _get_due_since(self):
        """When the mail was first to be sent."""
        return self.delivery_since or self.scheduled_date or self.create_date

    @api.depends("state", "delivery_mark")
    def _compute_delivery_state(self):
        claimed = self._filter_claimed()
        for mail in self:
            if mail.state == "outgoing":
                is_claimed = mail._origin in claimed
                mail.delivery_state = (
                    "sending" if is_claimed else mail.delivery_mark or "waiting"
                )
            else:
                told = mail.state == "exception" and mail.delivery_mark
                kept = told in ("held", "unknown")
                mail.delivery_state = told if kept else False

    def _filter_claimed(self):
        """Those of these mails that a run has now, as this transaction sees it."""
        self.env.cr.execute(
            SQL(
                "SELECT mail_mail_id_int FROM mail_delivery_claim"
                " WHERE mail_mail_id_int = ANY(%s)",
                list(self._origin.ids),
            )
        )
        return self.browse(mail_id for [mail_id] in self.env.cr.fetchall())

    @api.model
    def _delivery_state_to_sql(self, alias):
        """The value of ``delivery_state`` in a query, as its compute method has it."""
        return SQL(
            """CASE
                WHEN %(state)s = 'outgoing' AND EXISTS (
                    SELECT FROM mail_delivery_claim claim
                    WHERE claim.mail_mail_id_int = %(id)s
                ) THEN 'sending'
                WHEN %(state)s = 'outgoing' THEN COALESCE(%(mark)s, 'waiting')
                WHEN %(state)s = 'exception' AND %(mark)s IN ('held', 'unknown')
                    THEN %(mark)s
            END""",
            id=SQL.identifier(alias, "id"),
            state=self._field_to_sql(alias, "state"),
            mark=self._field_to_sql(alias, "delivery_mark"),
        )

    def _field_to_sql(self, alias, field_expr, query=None):
        if field_expr == "delivery_state":
            return self._delivery_state_to_sql(alias)
        return super()._field_to_sql(alias, field_expr, query)

    def _search_delivery_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        values = [each for each in value if each]

        def to_sql(model, alias, _query):
            state = model._delivery_state_to_sql(alias)
            found = SQL("%s = ANY(%s)", state, values)
            if len(values) < len(list(value)):
                return SQL("(%s OR %s IS NULL)", found, state)
            return SQL("COALESCE(%s, FALSE)", found)

        return Domain.custom(to_sql=to_sql)

    def _compute_attempt_count(self):
        groups = self.env["mail.delivery.attempt"]._read_group(
            [("mail_mail_id_int", "in", self.ids)], ["mail_mail_id_int"], ["__count"]
        )
        counts = dict(groups)
        for mail in self:
            mail.attempt_count = counts.get(mail._origin.id, 0)
