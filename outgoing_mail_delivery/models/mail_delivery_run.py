"""A run: one worker's pass over the queue."""

import logging

from odoo import SUPERUSER_ID, api, fields, models, modules

from ..bridge.run import Run

_logger = logging.getLogger(__name__)


class MailDeliveryRun(models.Model):
    """The runs that are alive, each with its lease."""

    _name = "mail.delivery.run"
    _description = "Delivery Run"
    _log_access = False

    until = fields.Datetime(
        required=True,
        help="When the run counts as dead unless it renews its lease before.",
    )
    database_uuid = fields.Char(
        help="The database that the run belongs to: a copy of it has no runs."
    )

    @api.model
    def _is_on(self):
        """Whether mail leaves by runs here: not in tests, nor where it is off."""
        if modules.module.current_test or self.env["ir.mail_server"]._disable_send():
            return False
        off = self.env["ir.config_parameter"].sudo().get_param("mail_delivery.off")
        return off not in ("1", "True", "true")

    @api.model
    def _process(self, mail_ids=None):
        """Deliver what is due, until nothing is or the time is up.

        Commits what the caller has done: what they queued is due as well.

        :param mail_ids: the only mails to deliver, ``None`` for all that are due
        :return: how many mails were settled
        """
        self.env.cr.commit()
        env = self.env(user=SUPERUSER_ID)
        with Run.begin(env, mail_ids) as run:
            run.settle_what_others_left()
            run.transmit()
            run.settle()
        return run.settled

    @api.model
    def _settle_for_good(self):
        """End all runs, settle what they left, and let go of what waits for a server.

        One that is alive transmits nothing any more then: its claims are gone.
        """
        env = self.env(user=SUPERUSER_ID)
        with Run.begin(env, ()) as run:
            run.settle_what_others_left(everybody=True)
        waiting = env["mail.mail"].search(
            [("state", "=", "outgoing"), ("delivery_mark", "=", "deferred")]
        )
        waiting.write({"scheduled_date": False, "failure_reason": False})
