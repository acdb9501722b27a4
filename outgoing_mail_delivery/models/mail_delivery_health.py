"""How each server is doing, and who may change that."""

from odoo import api, fields, models
from odoo.exceptions import AccessError

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
    _rec_name = None

    mail_server_id = fields.Many2one(
        comodel_name="ir.mail_server",
        string="Mail Server",
        ondelete="cascade",
        groups="base.group_system",
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
        for health in self.sudo():
            health.display_name = health.mail_server_id.name or self.env._(
                "Odoo's configuration"
            )

    def write(self, vals):
        """Let nobody write what servers did not answer; who may, has buttons.

        :raise AccessError: a client tries
        """
        if not self.env.su:
            raise AccessError(
                self.env._(
                    "How a mail server is doing is not written by hand. Resume or "
                    "suspend it."
                )
            )
        return super().write(vals)

    def action_resume(self):
        """Offer mail to these servers again, and wake what waits for them."""
        self.check_access("write")
        self._resume(self._get_server_keys())

    def action_suspend(self):
        """Offer nothing to these servers until somebody resumes them."""
        self.check_access("write")
        self._suspend(self._get_server_keys())

    def _get_server_keys(self):
        """The ids of these servers, 0 for that of Odoo's configuration."""
        return [health.mail_server_id.id or 0 for health in self.sudo()]

    @api.model
    def _resume(self, keys):
        """Hold nothing against some servers any more; the caller may do so.

        :param list keys: ids of servers, 0 for that of Odoo's configuration
        """
        self._change(keys, lambda _before, now: resumed(now))

    @api.model
    def _suspend(self, keys):
        """Suspend some servers, in the name of the user; the caller may do so.

        :param list keys: ids of servers, 0 for that of Odoo's configuration
        """
        words = self.env._("Suspended by %(user)s", user=self.env.user.name)
        self._change(keys, lambda before, now: suspended_by_hand(before, words, now))

    @api.model
    def _change(self, keys, change):
        """Change the health of some servers, and wake what waits for them.

        :param change: gives the new health for the one there is, and the time
        """
        healths = Healths(self.env.cr)
        self.env.flush_all()
        for key in keys:
            now = healths.now()
            healths.update(key, lambda before, now=now: change(before, now))
        self.env["mail.delivery.health"].invalidate_model()
        self.env["ir.mail_server"].invalidate_model(
            ["delivery_health", "delivery_health_text"]
        )
        self.env["mail.mail"].invalidate_model()
        self.env["mail.mail"]._wake_queue()
