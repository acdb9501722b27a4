"""A run: one worker's pass over the queue."""

from odoo import SUPERUSER_ID, api, fields, models, modules

from ..bridge.cursors import commit
from ..bridge.plans import MOST_RUNS, parallel_runs_of
from ..bridge.run import Run

_MODULE = "outgoing_mail_delivery"
_CRON = "mail.ir_cron_mail_scheduler_action"


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
        return self._may_be() and not self._is_off()

    @api.model
    def _may_be(self):
        """Whether there may be runs at all: not in tests."""
        if modules.module.current_test:
            return False
        return not self.env["ir.mail_server"]._disable_send()

    @api.model
    def _is_off(self):
        """Whether the settings have Odoo's own queue send."""
        off = self.env["ir.config_parameter"].sudo().get_param("mail_delivery.off")
        return off in ("1", "True", "true")

    @api.model
    def _is_left(self):
        """Whether a run is at work, or has left something behind."""
        self.env.cr.execute(
            "SELECT FROM mail_delivery_run UNION ALL"
            " SELECT FROM mail_delivery_attempt WHERE NOT settled LIMIT 1"
        )
        return bool(self.env.cr.rowcount)

    @api.model
    def _process(self, mail_ids=None):
        """Deliver what is due, until nothing is or the time is up.

        Commits what the caller has done: what they queued is due as well.

        :param mail_ids: the only mails to deliver, ``None`` for all that are due
        :return: how many mails were settled
        """
        commit(self.env.cr)
        env = self.env(user=SUPERUSER_ID)
        with Run.begin(env, mail_ids) as run:
            run.settle_what_others_left()
            run.transmit()
            run.settle()
        return run.settled

    @api.model
    def _end_all(self):
        """End all runs, and settle what they left; commits where there is anything.

        One that is alive transmits nothing any more then: its claims are gone.

        :return: whether nothing is left
        """
        if not self._is_left():
            return True
        with Run.begin(self.env(user=SUPERUSER_ID), ()) as run:
            run.settle_what_others_left(everybody=True)
        commit(self.env.cr)
        return not self._is_left()

    @api.model
    def _end_for_good(self):
        """End all runs and their scheduled actions, and let go of what waits."""
        env = self.env(user=SUPERUSER_ID)
        env["mail.delivery.run"]._end_all()
        env["mail.delivery.run"]._keep_crons(1)
        waiting = env["mail.mail"].search(
            [("state", "=", "outgoing"), ("delivery_mark", "=", "deferred")]
        )
        waiting.write({"scheduled_date": False, "failure_reason": False})

    # ------------------------------------------------------------------
    # Runs at once: a scheduled action is taken by one process at a time
    # ------------------------------------------------------------------

    @api.model
    def _get_crons(self):
        """The scheduled actions that process the queue: core's, and those beside it.

        :return: ``ir.cron`` as superuser, active ones alone
        """
        beside = range(2, parallel_runs_of(self.env) + 1)
        names = [_CRON, *(f"{_MODULE}.{_name_of_cron(number)}" for number in beside)]
        crons = self.env["ir.cron"].sudo()
        for name in names:
            crons += self.env.ref(name, raise_if_not_found=False) or crons.browse()
        return crons.filtered("active")

    @api.model
    def _keep_crons(self, number):
        """Have so many runs go on at once, each by a scheduled action of its own.

        Those beside core's are active where core's is. They have external ids, so that
        they go with the addon.

        :param int number: from 1 to 8, core's own is the first
        :raise UserError: one that is not wanted any more is running
        """
        core = self.env.ref(_CRON, raise_if_not_found=False)
        if not core:
            return
        for each in range(2, MOST_RUNS + 1):
            self._keep_cron(core.sudo(), each, wanted=each <= number)

    def _keep_cron(self, core, number, *, wanted):
        """Create, change or remove the scheduled action of one run beside core's."""
        xmlid = f"{_MODULE}.{_name_of_cron(number)}"
        found = self.env.ref(xmlid, raise_if_not_found=False)
        if found and not wanted:
            action = found.sudo().ir_actions_server_id
            found.sudo().unlink()
            action.unlink()  # core leaves it behind
        elif found and found.sudo().active != core.active:
            found.sudo().active = core.active
        elif wanted and not found:
            self.env["ir.model.data"].sudo().create(
                {
                    "module": _MODULE,
                    "name": _name_of_cron(number),
                    "model": "ir.cron",
                    "res_id": self._create_cron(core, number).id,
                    "noupdate": True,
                }
            )

    def _create_cron(self, core, number):
        """A scheduled action as core's, beside it."""
        return core.create(
            {
                "name": f"{core.name} ({number})",
                "model_id": core.model_id.id,
                "state": "code",
                "code": "model._process_queue_beside()",
                "user_id": core.user_id.id,
                "interval_number": core.interval_number,
                "interval_type": core.interval_type,
                "priority": core.priority,
                "active": core.active,
            }
        )


def _name_of_cron(number):
    return f"ir_cron_run_{number}"
