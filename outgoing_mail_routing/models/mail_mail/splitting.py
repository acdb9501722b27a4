"""Splitting a queue into batches, each with one server, From and set of headers."""

from collections import defaultdict
from contextlib import nullcontext

import psycopg2

from odoo import api, models, tools

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...bridge.carrier import Failures, Sending
from ...bridge.directory_source import DirectorySource
from ...routing import session_key


class MailMail(models.Model):
    _inherit = "mail.mail"

    def _split_by_mail_configuration(self):
        """Batches of mails that share server, From and the headers of their route.

        Takes the place of core's split, which filters all servers for every mail.
        With nothing assigned the batches are core's, in core's order.
        """
        if not self:
            return
        directory = DirectorySource(self.env).get()
        if sending := Sending.of(self.env):
            sending.configured = directory.configured
        if directory.configured:
            self.env.flush_all()  # what fails here is no fault of these mails
        routes = self._ask_apart(
            lambda mails: mails._get_routed(directory),
            type(self)._fail_to_route,
            directory.configured,
        )
        failures = Failures.of(self.env)
        if failures and failures.reasons:
            # before any is sent: who asked for errors rolls back, and sends all again
            raise MailDeliveryException(failures.reasons[0])
        alias_domain_ids = self.browse(routes)._get_alias_domain_ids()
        ids_by_session = defaultdict(list)
        for routed, mail_ids in self._group_by_question(routes):
            profile = routed.decision.profile
            server_id = profile.id if profile else False
            alias_domain_id = alias_domain_ids[mail_ids[0]]
            key = (server_id, alias_domain_id, routed, session_key(routed.decision))
            ids_by_session[key] += mail_ids
        batch_size = self._get_session_batch_size()
        for (server_id, alias_domain_id, routed, _key), ids in ids_by_session.items():
            for batch_ids in tools.split_every(batch_size, ids):
                yield server_id, alias_domain_id, routed, batch_ids

    def _get_alias_domain_ids(self):
        """The alias domain that core sends each mail for, ``False`` for none."""
        kept = self._get_message_values(["record_alias_domain_id"])
        return {mail_id: domain_id or False for mail_id, [domain_id] in kept.items()}

    def _group_by_question(self, routes):
        """These mails by what they asked, as core groups them before it splits them.

        :param dict routes: as of :meth:`_get_routed`
        :return: list of ``(RoutedFrom, ids)``, in the order of the queue
        """
        ids_by_question = defaultdict(list)
        for mail_id, routed in routes.items():
            ids_by_question[id(routed)].append(mail_id)
        return [(routes[ids[0]], ids) for ids in ids_by_question.values()]

    def _ask_apart(self, ask, fail, configured):
        """The answers for these mails; whatever is wrong with one fails that one alone.

        All are asked at once. Only where that fails, each half is, and so on down to
        the one mail that is to blame.

        :param ask: called with mails, answers a dictionary by mail id
        :param fail: called with the one mail and the error, answers one in its place
        :param bool configured: whether errors of the database are caught, too
        """
        try:
            with self.env.cr.savepoint() if configured else nullcontext():
                return ask(self)
        except (MemoryError, psycopg2.OperationalError):
            raise  # nothing that one mail could be blamed for
        except Exception as error:
            if isinstance(error, psycopg2.Error) and not configured:
                raise
            if len(self) == 1:
                return fail(self, error)
        middle = len(self) // 2
        parts = (self[:middle].with_prefetch(), self[middle:].with_prefetch())
        first, second = (mails._ask_apart(ask, fail, configured) for mails in parts)
        return first | second

    def _get_routed(self, directory, explain=False):
        """The route of each of these mails, without sending any.

        The one door for whatever sends mails, explains them or tests with them. Mails
        that ask the same question share the answer.

        :param routing.Directory directory: all servers
        :param bool explain: gather also what does not change the answer
        :return: ``{mail.mail id: RoutedFrom}``, in the order of the queue; without
            mails that another process has sent and deleted
        """
        asked = self._get_asked(directory, explain)
        questions = {id(question): question for question in asked.values()}
        answers = {key: self._find_route(questions[key]) for key in questions}
        return {mail_id: answers[id(question)] for mail_id, question in asked.items()}

    @api.model
    def _find_route(self, asked):
        """The answer to a question.

        As in core, ``_find_mail_server`` is asked where no server is forced.

        :param RequestFrom asked: the From of mails, with their facts
        :rtype: RoutedFrom
        """
        routing, servers = asked.env["mail.routing"], asked.env["ir.mail_server"]
        if asked.request.forced_id:
            return routing._route(asked)
        return routing._accept_answer(asked, *servers._find_mail_server(asked))

    def _get_session_batch_size(self):
        """How many mails one SMTP session carries at most, as in core."""
        params = self.env["ir.config_parameter"].sudo()
        return int(params.get_param("mail.session.batch.size")) or 1000

    def _get_alias_domain_env(self):
        """The environment that core gives these mails, all of one alias domain."""
        alias_domain = self.sudo().mail_message_id.record_alias_domain_id
        return self._in_alias_domain(alias_domain.id)
