"""Where mails would go, told without sending them; and a test mail on the same way."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid

from odoo import models

from ...bridge.directory_source import DirectorySource
from ...bridge.explanation import explain
from ...bridge.message_headers import MessageHeaders
from ...bridge.telling import untold
from ...routing import Question

# The recipient of a message that is prepared to be explained, and never sent
_NOBODY = "nobody@explained.invalid"


class MailMail(models.Model):
    _inherit = "mail.mail"

    def _get_mail_routes(self):
        """The route each mail would take now, without sending anything.

        The mails need not be stored: one made by ``new()`` is routed by its values.
        Decided by the very calls that send. For administrators: the answer names
        servers, so callers have to check the group before they show it.

        :return: ``{mail.mail id: MailRoute}``
        """
        mails = self._without_client_keys()
        routes = mails._get_routed(DirectorySource(self.env).get(), explain=True)
        return {
            mail.id: explain(
                mail._get_alias_domain_env(),
                routes[mail.id],
                mail._get_explained_message(routes[mail.id].request),
            )
            for mail in mails.browse(routes)
        }

    def _get_route_questions(self):
        """What each mail's route depends on, apart from the servers.

        :return: ``{mail.mail id: routing.Question}``, or :class:`Untold` where that
            cannot be told
        """
        directory = DirectorySource(self.env).get()
        return self._ask_apart(
            lambda mails: mails._find_route_questions(directory),
            lambda mail, error: {mail.id: untold(mail, error)},
            directory.configured,
        )

    def _find_route_questions(self, directory):
        """As :meth:`_get_route_questions`, where every text can be read."""
        asked = self._get_asked(directory, explain=True)
        return {
            mail.id: mail._get_question(asked[mail.id].request)
            for mail in self.browse(asked)
        }

    def _get_question(self, request):
        """What a mail's route depends on, apart from the servers."""
        message = self._get_explained_message(request)
        headers = MessageHeaders(self._get_alias_domain_env())
        return Question(request, headers.get_facts(message, request.company))

    def _get_explained_message(self, request, email_to=_NOBODY):
        """The headers that a route depends on, as core builds them for this mail."""
        self.ensure_one()
        header_from = request.email_from or request.notifications_email
        message = EmailMessage(policy=SMTP)
        message["From"] = header_from
        message["To"] = email_to
        message["Reply-To"] = self.reply_to or header_from
        if bounce_email := self._get_odoos_bounce_email():
            message["Return-Path"] = bounce_email
        return message

    def _send_test_mail(self, email_to, subject, body):
        """Send a message by exactly the route that this mail would take.

        Nothing is stored, and the mail itself, which may be made by ``new()``, is not
        sent. For administrators, like ``_get_mail_routes``.

        :param str email_to: one address, the only one that receives it
        :raise UserError: the server may not carry this mail
        :raise OSError, MailDeliveryException: as the SMTP server answered
        """
        routed = self._get_routed(DirectorySource(self.env).get(), explain=True)
        [routed] = routed.values()
        message = self._get_explained_message(routed.request, email_to)
        message["Subject"] = subject
        message["Date"] = localtime()
        message["Message-Id"] = make_msgid()
        message.set_content(body)
        servers = self._get_alias_domain_env()["ir.mail_server"]
        profile = routed.decision.profile
        session = servers._connect__(
            mail_server_id=profile.id if profile else False, smtp_from=routed
        )
        try:
            servers.send_email(message, smtp_session=session)
        finally:
            if session:
                session.close()
