"""The queue: who takes a mail out of it, and who may change one meanwhile."""

import logging

from odoo import api, fields, models, modules
from odoo.exceptions import UserError
from odoo.tools import SQL

from ...bridge.claims import DUE_AT
from ...bridge.collecting import InRun
from ...delivery import Lane

_logger = logging.getLogger(__name__)

# Under what a transaction keeps the mails that it made: no other one sees them
_NEW = "outgoing_mail_delivery_new"
# How long scheduled actions may be late before they count as not running
_LATE_MINUTES = 10


class MailMail(models.Model):
    _inherit = "mail.mail"

    @api.model
    def process_email_queue(self, email_ids=(), batch_size=1000):
        """Deliver by a run what is due; in core's way where runs are off."""
        runs = self.env["mail.delivery.run"]
        if not runs._is_on():
            # what runs have sent, or are sending, is not for core to send
            if runs._may_be() and not runs.sudo()._end_all():
                return True
            return super().process_email_queue(email_ids, batch_size)
        self.check_access("write")
        only_ids = list(email_ids) or None
        if filters := self.env.context.get("filters"):
            domain = [("state", "=", "outgoing"), *filters]
            found = self.search(domain).ids
            only_ids = [id_ for id_ in found if only_ids is None or id_ in only_ids]
        settled = 0
        try:
            settled = runs.sudo()._process(only_ids)
        except Exception:
            # as core: five failures in a row would switch the scheduled action off
            _logger.exception("Failed processing mail queue")
            self.env.cr.rollback()
        self._report_progress(settled)
        return True

    @api.model
    def _process_queue_beside(self):
        """Deliver what is due beside core's scheduled action, which does the same.

        Where runs are off nothing is done: core's own queue sends twice what two
        processes find.
        """
        if self.env["mail.delivery.run"]._is_on():
            self.process_email_queue()

    @api.model
    def _report_progress(self, settled):
        """Tell the scheduled action what was done, and have it called again in time."""
        due = self._count_due()
        self._wake_queue_for_next()
        self.env["ir.cron"]._commit_progress(settled, remaining=due)

    @api.model
    def _count_due(self, most=1000):
        """How many mails are due, counted up to so many."""
        self.env.cr.execute(
            SQL(
                "SELECT count(*) FROM (SELECT FROM mail_mail mail"
                " WHERE state = 'outgoing' AND delivery_lane = ANY(%s)"
                " AND %s <= clock_timestamp() AT TIME ZONE 'UTC'"
                " AND NOT EXISTS (SELECT FROM mail_delivery_claim claim"
                " WHERE claim.mail_mail_id_int = mail.id) LIMIT %s) due",
                [lane.value for lane in Lane],  # as the index begins with it
                SQL(DUE_AT),
                most,
            )
        )
        [due] = self.env.cr.fetchone()
        return due

    @api.model
    def _wake_queue(self, at=None):
        """Have the queue processed soon, or at a time, by as many runs as there are."""
        for cron in self.env["mail.delivery.run"]._get_crons():
            cron._trigger(at)

    @api.model
    def _wake_queue_for_next(self):
        """Have the queue processed when the next mail is due that was put off."""
        self.env.cr.execute(
            "SELECT min(scheduled_date) FROM mail_mail WHERE state = 'outgoing'"
            " AND delivery_mark = 'deferred' AND scheduled_date IS NOT NULL"
        )
        [at] = self.env.cr.fetchone()
        if not at:
            return
        now = fields.Datetime.now()
        triggers = self.env["ir.cron.trigger"].sudo()
        for cron in self.env["mail.delivery.run"]._get_crons():
            waits = [("cron_id", "=", cron.id), ("call_at", ">", now)]
            if not triggers.search_count([*waits, ("call_at", "<=", at)], limit=1):
                cron._trigger(max(at, now))

    def send_after_commit(self):
        """Leave the mails to the queue, which is woken at once.

        Posting a message never waits for an SMTP server then. Core's way is taken where
        scheduled actions do not run, or where the settings say so.
        """
        runs = self.env["mail.delivery.run"]
        if modules.module.current_test or not runs._is_on() or self._sends_at_once():
            return super().send_after_commit()
        return self._wake_queue()

    @api.model
    def _sends_at_once(self):
        """Whether mail leaves right after the transaction, without the queue."""
        params = self.env["ir.config_parameter"].sudo()
        if params.get_param("mail_delivery.send_at_once"):
            return True
        late = fields.Datetime.subtract(fields.Datetime.now(), minutes=_LATE_MINUTES)
        crons = self.env["ir.cron"].sudo()
        return bool(crons.search_count([("nextcall", "<", late)], limit=1))

    # ------------------------------------------------------------------
    # Who has a mail
    # ------------------------------------------------------------------

    @api.model
    def _note_new(self, mails):
        """Note mails that no other transaction can see yet."""
        self.env.cr.cache.setdefault(_NEW, set()).update(mails.ids)

    def _find_taken(self):
        """Those of these mails that a run has, or may take before we are done.

        The rows are locked: a run passes over them from now on. One that has taken a
        mail since this transaction began makes it fail and be tried again, since its
        claim cannot be seen.
        """
        new = self.env.cr.cache.get(_NEW, ())
        ids = [id_ for id_ in self._ids if id_ and id_ not in new]
        if not ids or InRun.of(self.env) or not self._is_guarded():
            return self.browse()
        self.flush_recordset(["state"])
        self.env.cr.execute(
            SQL(
                "SELECT id FROM mail_mail WHERE id = ANY(%s) AND state = 'outgoing'"
                " ORDER BY id FOR UPDATE",
                ids,
            )
        )
        waiting = [id_ for [id_] in self.env.cr.fetchall()]
        if not waiting:
            return self.browse()
        free = self._claim_for_a_moment(waiting)
        return self.browse(id_ for id_ in waiting if id_ not in free)

    @api.model
    def _is_guarded(self):
        runs = self.env["mail.delivery.run"]
        return runs._is_on() or (runs._may_be() and runs._is_left())

    @api.model
    def _claim_for_a_moment(self, mail_ids):
        """Claim mails that nobody has, and give them back: their locks are kept.

        :return: the ids that nobody had
        :raise SerializationFailure: a run took one since this transaction began
        """
        self.env.cr.execute(
            SQL(
                "INSERT INTO mail_delivery_run (until) VALUES ('-infinity')"
                " RETURNING id"
            )
        )
        [run_id] = self.env.cr.fetchone()
        self.env.cr.execute(
            SQL(
                "INSERT INTO mail_delivery_claim (mail_mail_id_int, run_id)"
                " SELECT unnest(%s), %s ON CONFLICT DO NOTHING"
                " RETURNING mail_mail_id_int",
                mail_ids,
                run_id,
            )
        )
        free = {mail_id for [mail_id] in self.env.cr.fetchall()}
        self.env.cr.execute(
            SQL("DELETE FROM mail_delivery_claim WHERE run_id = %s", run_id)
        )
        self.env.cr.execute(SQL("DELETE FROM mail_delivery_run WHERE id = %s", run_id))
        return free

    def _refuse_taken(self):
        """Refuse to change mails that are being sent.

        :raise UserError: names the mail
        """
        if taken := self._find_taken()[:1]:
            raise UserError(
                self.env._(
                    "“%(mail)s” is being sent right now. Try again in a moment.",
                    mail=taken.sudo().display_name or taken.id,
                )
            )

    def write(self, vals):
        """Let nobody change a mail under a run that sends it."""
        self._refuse_taken()
        if vals.get("state") == "outgoing" and not InRun.of(self.env):
            vals = {**self._get_fresh_start(), **vals}
        return super().write(vals)

    @api.model
    def _get_fresh_start(self):
        """What a mail is given that somebody has sent again."""
        return {
            "delivery_mark": "waiting",
            "delivery_tries": 0,
            "delivery_since": fields.Datetime.now(),
            "delivery_health_id": False,
        }

    def unlink(self):
        """Let nobody delete a mail under a run that sends it."""
        self._refuse_taken()
        return super().unlink()

    def action_try_now(self):
        """Have mails that wait or failed sent at once, whatever they wait for.

        What may have arrived is left alone: :meth:`action_send_again` is for that.
        """
        self._make_due(self.filtered(lambda mail: mail.delivery_state != "unknown"))

    def action_send_again(self):
        """Send again what may have arrived, as somebody has decided."""
        self._make_due(self.filtered(lambda mail: mail.delivery_state == "unknown"))

    def _make_due(self, mails):
        """Have some of these mails sent at once, unless they are sent or cancelled."""
        self.check_access("write")
        due = mails.filtered(lambda mail: mail.state in ("outgoing", "exception"))
        due.write({"state": "outgoing", "scheduled_date": False})
        self._wake_queue()

    # ------------------------------------------------------------------
    # For other addons
    # ------------------------------------------------------------------

    def _delivery_accepted(self, attempts):
        """Told when servers accepted messages of these mails; for other addons.

        Called in the transaction that settles them, before core's
        ``_postprocess_sent_message``.

        :param attempts: ``mail.delivery.attempt``
        """

    def _delivery_failed(self, attempts):
        """Told when messages were refused, put off, or may have arrived.

        :param attempts: ``mail.delivery.attempt``; their outcomes say which
        """
