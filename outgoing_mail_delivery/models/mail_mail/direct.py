"""Mail that is sent right away, not by the queue."""

from odoo import fields, models

from ...bridge.collecting import InRun
from ...bridge.noting import Noted


class MailMail(models.Model):
    _inherit = "mail.mail"

    def send(
        self,
        auto_commit=False,
        raise_exception=False,
        post_send_callback=None,
        **kwargs,
    ):
        """Send in core's way what an open transaction sends, and note the attempts.

        What a run has is left alone. Where nobody asked for errors, what failed for a
        passing reason is left to the queue instead of failing for good. What may be
        committed after each mail is no part of a transaction: a run delivers it.
        """
        mails = self - self._find_taken()
        if not self.env["mail.delivery.run"]._is_on():
            return super(MailMail, mails).send(
                auto_commit, raise_exception, post_send_callback, **kwargs
            )
        if auto_commit and not raise_exception:
            mails = mails._deliver_due(post_send_callback)
        noted = Noted(self.env)
        result = super(MailMail, noted.on(mails)).send(
            auto_commit, raise_exception, post_send_callback, **kwargs
        )
        # whoever tests a mailing deletes its mails, after a look at their states
        is_test = self.env.context.get("mailing_test_mail")
        if noted.write_down(InRun().on(mails), not (raise_exception or is_test)):
            self._wake_queue_for_next()
        return result

    def _deliver_due(self, post_send_callback):
        """Deliver by a run those of these mails that are due; it commits.

        :param post_send_callback: called with the ids of what the run had, as in core
        :return: the other mails, with a date that is yet to come
        """
        self.check_access("write")
        now = fields.Datetime.now()
        due = self.sudo().filtered(
            lambda mail: (
                mail.state == "outgoing"
                and (not mail.scheduled_date or mail.scheduled_date <= now)
            )
        )
        if due:
            self.env["mail.delivery.run"].sudo()._process(due.ids)
            self._wake_queue_for_next()
            if post_send_callback:
                post_send_callback(due.ids)
        return self - self.browse(due.ids)

    def _take_back_failure(self):
        """Have a mail wait again that core has just failed, and all that says so."""
        self.write({"state": "outgoing", "failure_type": False})
        notifications = self.env["mail.notification"].search(
            [
                ("mail_mail_id", "=", self.id),
                ("notification_type", "=", "email"),
                ("notification_status", "=", "exception"),
            ]
        )
        notifications.write(
            {
                "notification_status": "ready",
                "failure_type": False,
                "failure_reason": False,
            }
        )
        messages = notifications.mail_message_id
        messages.filtered(
            lambda message: message._is_thread_message()
        )._notify_message_notification_update()
        if "mailing_trace_ids" in self._fields:
            self.mailing_trace_ids.filtered(
                lambda trace: trace.trace_status == "error"
            ).write({"trace_status": "outgoing", "failure_type": False})

    def _prepare_outgoing_list(self, *args, **kwargs):
        """Say whose messages come next."""
        if noted := Noted.of(self.env):
            noted.begin(self)
        return super()._prepare_outgoing_list(*args, **kwargs)
