"""Mail that is sent right away, in the transaction of who sends it: core's way."""

from odoo import models

from ...bridge.collecting import InRun
from ...bridge.noting import Noted


class MailMail(models.Model):
    _inherit = "mail.mail"

    def send(self, auto_commit=False, raise_exception=False, *args, **kwargs):
        """Note the attempts in this transaction; leave alone what a run has.

        Where nobody asked for errors, what failed for a passing reason is left to the
        queue instead of failing for good.
        """
        if not self.env["mail.delivery.run"]._is_on():
            return super().send(auto_commit, raise_exception, *args, **kwargs)
        mails = self - self._find_taken()
        noted = Noted(self.env)
        result = super(MailMail, noted.on(mails)).send(
            auto_commit, raise_exception, *args, **kwargs
        )
        noted.write_down(InRun().on(mails), leave_to_queue=not raise_exception)
        return result

    def _prepare_outgoing_list(self, *args, **kwargs):
        """Say whose messages come next."""
        if noted := Noted.of(self.env):
            noted.begin(self)
        return super()._prepare_outgoing_list(*args, **kwargs)
