"""How each server is doing, and who may change that."""

from odoo import api, fields, models

from ..bridge.healths import Healths
from ..delivery import Cause, Health
from ..delivery.health import resumed, suspended_by_hand
from .words import CAUSES, HEALTHS, selection_of


class MailDeliveryHealth(models.Model):
    """One row a server; the row without a server is that of Odoo's configuration."""

    _name = "mail.delivery.health"
    _description = "Mail Server Health"
    _log_access = False
    _order = "since desc, id"
    _rec_name = "mail_server_id"

    mail_server_id = fields.Many2one(
        comodel_name="ir.mail_server",
        string="Mail Server",
        ondelete="cascade",
        help="The outgoing mail server; none for the one of Odoo's configuration.",
    )
    state = fields.Selection(
        selection=selection_of(Health, HEALTHS),
        required=True,
        default=Health.OK.value,
        help="How the server is doing.",
    )
    since = fields.Datetime(help="Since when it is doing so.")
    until = fields.Datetime(
        string="Next Try", help="When the server is tried again with one message."
    )
    troubles = fields.Integer(
        string="Troubles in a Row",
        aggregator=None,
        help="How often it failed without accepting anything in between.",
    )
    cause = fields.Selection(
        selection=selection_of(Cause, CAUSES), help="What kind of trouble it is."
    )
    words = fields.Text(string="Its Answer", help="Why, in the server's own words.")
    rate = fields.Float(
        string="Messages a Minute",
        aggregator=None,
        help="The most it is offered, since it asked for less.",
    )
    connections = fields.Integer(
        aggregator=None, help="The most connections at once, since it asked for less."
    )
    paused_until = fields.Datetime(help="Nothing is offered until then.")
    asked_at = fields.Datetime(
        string="Asked for Less", help="When the server last asked for less."
    )
    credit = fields.Integer(
        string="Accepted Since",
        aggregator=None,
        help="Messages accepted since it was last offered more.",
    )
    waiting_count = fields.Integer(
        string="Waiting",
        compute="_compute_waiting_count",
        help="How many mails wait for this server.",
    )

    _one_for_each_server = models.UniqueIndex("(COALESCE(mail_server_id, 0))")

    @api.depends("state")
    def _compute_waiting_count(self):
        mails = self.env["mail.mail"].sudo()
        groups = mails._read_group(
            [("delivery_health_id", "in", self.ids), ("state", "=", "outgoing")],
            ["delivery_health_id"],
            ["__count"],
        )
        counts = {health.id: count for health, count in groups}
        for health in self:
            health.waiting_count = counts.get(health.id, 0)

    @api.depends("mail_server_id")
    def _compute_display_name(self):
        for health in self:
            health.display_name = health.mail_server_id.sudo().name or self.env._(
                "Odoo's configuration"
            )

    def action_resume(self):
        """Offer mail to these servers again, and wake what waits for them."""
        self._change(resumed)

    def action_suspend(self):
        """Offer nothing to these servers until somebody resumes them."""
        words = self.env._("Suspended by %(user)s", user=self.env.user.name)
        self._change(lambda now, health: suspended_by_hand(health, words, now))

    def _change(self, change):
        """Change the health of these servers, as somebody may who administers them.

        :param change: called with the time, and the health where it takes it
        """
        self.check_access("write")
        healths = Healths(self.env.cr)
        for health in self.sudo():
            key = health.mail_server_id.id or 0
            now = healths.now()
            if change is resumed:
                healths.update(key, lambda _health, now=now: resumed(now))
            else:
                healths.update(key, lambda before, now=now: change(now, before))
        self.invalidate_recordset()
        self.env["mail.mail"]._wake_queue()
