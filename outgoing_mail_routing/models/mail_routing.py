import logging
from dataclasses import replace

from odoo import api, models, tools

from ..bridge.addresses import clean_name, email_of, name_of, only_email_of
from ..bridge.carrier import RequestFrom, RoutedFrom
from ..bridge.directory_source import DirectorySource
from ..bridge.message_request import message_request
from ..routing import Decision, Reason, Rule, decide

_logger = logging.getLogger(__name__)


class MailRouting(models.AbstractModel):
    """The door to the decision, and what other addons may override of it.

    Whatever asks where mail goes comes through here: what sends it, what explains it,
    and what previews it (``bridge/preview.py``).
    """

    _name = "mail.routing"
    _description = "Outgoing Mail Routing"

    @api.model
    def _route(self, email_from, mail_servers=None, forced_id=0):
        """The route for a From, whoever asks.

        A From that was routed before keeps its route, so that the queue, the
        connection and the message cannot disagree.

        :param str email_from: a plain From header, a :class:`RequestFrom` that
            carries the facts of a mail, or a :class:`RoutedFrom`
        :param mail_servers: candidates, ``None`` for all servers
        :param int forced_id: server that the caller insists on
        :rtype: RoutedFrom
        """
        if isinstance(email_from, RoutedFrom):
            return email_from
        if isinstance(email_from, RequestFrom):
            request, directory = email_from.request, email_from.directory
        else:
            directory = DirectorySource(self.env).get()
            request = message_request(
                self.env, email_from, directory, mail_servers, forced_id
            )
            # as core takes a header: one of several addresses has none
            if not only_email_of(email_from):
                request = replace(request, email="", name="")
        if mail_servers is not None:
            directory = directory.subset(mail_servers.ids)
        return self._decide_to_send(request, directory)

    @api.model
    def _accept_answer(self, asked, server, answer):
        """The route for an answer of ``_find_mail_server``, whoever gave it.

        An addon that overrides it knows nothing of decisions: a server that it chose
        counts as set by hand, and the From that it gave as the mail's own.

        :param RequestFrom asked: the From of the mails, with their facts
        :param server: the chosen ``ir.mail_server``, or nothing
        :param str answer: the From to send with
        :rtype: RoutedFrom
        """
        chosen_id = server.id if server else 0
        if isinstance(answer, RoutedFrom):
            profile = answer.decision.profile
            if chosen_id == (profile.id if profile else 0):
                return answer
        facts = {"email": email_of(answer), "name": name_of(answer)}
        request = replace(asked.request, email_from=str(answer or ""), **facts)
        if not chosen_id:
            decision = Decision(Rule.SYSTEM, None, request.email_from, request.email)
            return RoutedFrom(request.email_from, decision, request)
        return self._decide_to_send(
            replace(request, forced_id=chosen_id), asked.directory
        )

    @api.model
    def _decide_to_send(self, request, directory):
        """As :meth:`_decide`; the log tells where mail leaves as anybody's may."""
        routed = self._decide(request, directory)
        decision = routed.decision
        if decision.notes[-1].reason is Reason.PRIORITY_FIRST:
            # as core does: a server of another domain carries this mail
            last = decision.steps[-1]
            _logger.warning("%s It sends as %s.", last, decision.email_from)
        return routed

    @api.model
    def _decide(self, request, directory):
        """The decision of ``routing/`` and the From header that it asks for.

        :rtype: RoutedFrom
        """
        out = self._get_out_of_service(directory)
        return self._as_routed_from(decide(request, directory, out), request)

    @api.model
    def _get_out_of_service(self, directory):
        """The servers that every rule passes over, for now.

        :param routing.Directory directory: all servers
        :return: a frozenset of ids
        """
        return directory.out_of_service

    @api.model
    def _as_routed_from(self, decision, request):
        """The From header that a decision asks for.

        :rtype: RoutedFrom
        """
        if not decision.rewritten:
            return RoutedFrom(decision.email_from, decision, request)
        name = clean_name(decision.from_name)
        email_from = tools.formataddr((name, decision.from_email))
        return RoutedFrom(email_from, decision, request)
