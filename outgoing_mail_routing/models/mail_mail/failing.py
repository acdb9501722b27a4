"""What is told of mail that failed: administrators read all, others no server."""

import logging

import psycopg2

from odoo import models

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...bridge.addresses import clean_name
from ...bridge.carrier import Failures
from ...bridge.telling import text_of

_logger = logging.getLogger(__name__)

# Failures that whoever wrote a mail can mend, whose reasons name no server
_FAILURES_OF_WRITER = frozenset(
    {"mail_email_invalid", "mail_email_missing", "mail_from_missing"}
)


class MailMail(models.Model):
    _inherit = "mail.mail"

    def _hide_mail_server(self, error):
        """What is raised for users: the text of an error may name host or login.

        :param MailDeliveryException error: as core raises it, maybe with its cause
        """
        _logger.info("Mail %s could not be sent: %s", self.ids, error)
        cause = [arg for arg in error.args if isinstance(arg, ConnectionRefusedError)]
        return MailDeliveryException(
            self._get_neutral_reason(),
            # its class tells core's callers what to say
            *(type(arg)() for arg in cause),
        )

    def _hide_reasons_of_test(self):
        """Let core's test of a mailing log no reason that may name host or login.

        It deletes the mails then: the log of Odoo keeps the reason.
        """
        for mail in self.exists().filtered(lambda mail: mail._is_bulk()):
            reason = mail._get_told_reason(mail.failure_reason, mail.failure_type)
            if reason != mail.failure_reason:
                _logger.info("Test %s failed: %s", mail.ids, mail.failure_reason)
                mail.failure_reason = reason

    def _postprocess_sent_message(
        self, success_pids, success_emails, failure_reason=False, failure_type=None
    ):
        """Tell notifications, which every user reads, no answer of an SMTP server."""
        return super()._postprocess_sent_message(
            success_pids,
            success_emails,
            failure_reason=self._get_told_reason(failure_reason, failure_type),
            failure_type=failure_type,
        )

    def _get_told_reason(self, reason, failure_type):
        """What users are told of why mail failed; administrators read the mail itself.

        With nothing configured it is what core tells.

        :param str reason: as core has it, maybe none
        """
        told = not reason or failure_type in _FAILURES_OF_WRITER
        if told or not self._is_sent_as_configured():
            return reason
        return self._get_neutral_reason()

    def _get_neutral_reason(self):
        return self.env._("The mail could not be sent. Ask your administrator why.")

    def _fail_to_route(self, error):
        """Let one mail fail as core lets it where it cannot be sent.

        :return: no route, as :meth:`_get_routed` answers it
        """
        _logger.warning("Mail %s cannot be routed", self.ids, exc_info=error)
        if self.state != "outgoing":
            return {}  # core leaves it alone as well
        reason = self.env._(
            "The outgoing mail server for this mail could not be found out: %(error)s. "
            "Correct the mail, or delete it.",
            error=clean_name(text_of(error)),
        )
        failure = {"failure_reason": reason, "failure_type": "unknown"}
        if failures := Failures.of(self.env):
            failures.reasons.append(reason)
        try:
            with self.env.cr.savepoint():
                self.write({"state": "exception", **failure})
                self._postprocess_sent_message([], [], **failure)
        except (MemoryError, psycopg2.OperationalError):
            raise
        except Exception:
            _logger.exception("The failure of mail %s cannot be shown", self.ids)
            self.write({"state": "exception", **failure})
        return {}
