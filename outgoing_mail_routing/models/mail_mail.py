import logging
import re
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid
from functools import cache

import psycopg2

from odoo import SUPERUSER_ID, models, tools
from odoo.tools.mail import email_split_and_format_normalize

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ..routing import Company, Person, Question, Request, session_key
from .addresses import email_of
from .company_text import NOBODYS_MODELS
from .ir_mail_server_sending import ROUTING_KEYS
from .routed_from import RequestFrom
from .telling import text_of, untold

_logger = logging.getLogger(__name__)

# The context key of the reasons why mails could not be routed
_FAILURES_KEY = "outgoing_mail_routing_failures"

# Failures that whoever wrote a mail can mend, whose reasons name no server
_FAILURES_OF_WRITER = frozenset(
    {"mail_email_invalid", "mail_email_missing", "mail_from_missing"}
)

# What a mail says of its sender is decided by its route, and by core
_SENDER_HEADERS = frozenset(
    {"return-path", "sender", "errors-to", "resent-from", "resent-sender"}
)

# The name of a header (RFC 5322, section 3.6.8): a line break in it begins another one
_HEADER_NAME = re.compile(r"[!-9;-~]+")

# What of a message its route depends on
_ROUTED_BY = (
    *("create_uid", "author_id", "email_from", "model", "res_id"),
    *("record_company_id", "record_alias_domain_id"),
    *("made_by_gateway", "message_type", "server_template_id"),
)

# The recipient of a message that is prepared to be explained, and never sent
_NOBODY = "nobody@explained.invalid"


class Failures(list):
    """Reasons why mails cannot be routed, to be raised: no client can send one."""


@dataclass(frozen=True)
class MailFacts:
    """For whom a mail is; what is left out does not matter to its route."""

    sender: Person | None = None
    sender_named: bool = False
    colleagues: tuple[Person, ...] = ()
    company: Company | None = None
    personal_id: int = 0
    collected: bool = False
    forced_open: bool = True


class MailMail(models.Model):
    _inherit = "mail.mail"

    # ------------------------------------------------------------------
    # Sending
    # ------------------------------------------------------------------

    def send(self, auto_commit=False, raise_exception=False, **kwargs):
        """Hide servers in errors, and raise for mails that cannot be routed."""
        failures = Failures() if raise_exception else None
        mails = self._without_client_keys().with_context(**{_FAILURES_KEY: failures})
        try:
            result = super(MailMail, mails).send(auto_commit, raise_exception, **kwargs)
        except MailDeliveryException as error:
            if self.env["mail.routing.hand"]._is_trusted(self.env.user):
                raise
            raise self._hide_mail_server(error) from None
        if self.env.context.get("mailing_test_mail"):
            mails._hide_reasons_of_test()
        return result

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
        if told or not self.env["mail.routing"]._is_configured():
            return reason
        return self._get_neutral_reason()

    def _get_neutral_reason(self):
        return self.env._("The mail could not be sent. Ask your administrator why.")

    def _without_client_keys(self):
        """These mails in a context that steers nothing: a client may have sent it.

        Core sends after the request, as OdooBot, but in the context of the request.
        What it sets itself, for the alias domain of a mail, comes after this. The keys
        of default values do not get here: core's ``sudo()`` takes them out.
        """
        context = dict(self.env.context)
        opened = set(context.get("allowed_company_ids") or ())
        # another process may have sent and deleted some
        makers = self.sudo().exists().create_uid if opened else ()
        if any(
            opened - set(maker._get_company_ids())
            for maker in makers
            if maker.id != SUPERUSER_ID
        ):
            context["allowed_company_ids"] = []  # with_context() keeps a missing one
        for key in ROUTING_KEYS:
            context.pop(key, None)
        return self.with_env(self.env(context=context))

    def _prepare_outgoing_list(self, *args, **kwargs):
        """Take no envelope sender out of ``headers``, which a user may have written.

        Core keeps their Return-Path, and makes it the envelope sender. Any user gives
        headers along with a message or a template, so what they say of the sender is
        left out, in whatever spelling, as is what is no name of a header, and
        Return-Path is what core computes itself. With nothing configured they are
        core's.
        """
        emails = super()._prepare_outgoing_list(*args, **kwargs)
        if self.env["mail.routing"]._is_configured():
            own = {"Return-Path": self._get_odoos_bounce_email()}
            for email in emails:
                kept = {
                    name: value
                    for name, value in email["headers"].items()
                    if _HEADER_NAME.fullmatch(str(name))
                    and str(name).lower() not in _SENDER_HEADERS
                }
                email["headers"] = {**kept, **own}
        return emails

    def _get_odoos_bounce_email(self):
        """The bounce address that core computes for a mail, or nothing."""
        of_alias_domain = self.record_alias_domain_id.sudo().bounce_email
        return of_alias_domain or self.env.company.bounce_email

    # ------------------------------------------------------------------
    # Batches
    # ------------------------------------------------------------------

    def _split_by_mail_configuration(self):
        """Batches of mails that share server, From and the headers of their route.

        Takes the place of core's split, which filters all servers for every mail.
        With nothing assigned the batches are core's, in core's order.
        """
        ids_by_session = defaultdict(list)
        directory = self.env["mail.routing"]._get_directory()
        routes = self._ask_apart(
            lambda mails: mails._get_routed(directory),
            type(self)._fail_to_route,
            directory.configured,
        )
        failures = self.env.context.get(_FAILURES_KEY)
        if isinstance(failures, Failures) and failures:
            # before any is sent: who asked for errors rolls back, and sends all again
            raise MailDeliveryException(failures[0])
        for key, mail_ids in routes:
            ids_by_session[key].extend(mail_ids)
        batch_size = self._get_session_batch_size()
        for (server_id, alias_domain_id, routed, _key), ids in ids_by_session.items():
            for batch_ids in tools.split_every(batch_size, ids):
                yield server_id, alias_domain_id, routed, batch_ids

    def _ask_apart(self, ask, fail, configured):
        """The answers for these mails; whatever is wrong with one fails that one alone.

        All are asked at once. Only where that fails, each half is, and so on down to
        the one mail that is to blame.

        :param ask: called with mails, answers a list
        :param fail: called with the one mail and the error, answers a list in its place
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
        return [
            answer
            for mails in parts
            for answer in mails._ask_apart(ask, fail, configured)
        ]

    def _get_routed(self, directory):
        """The routes of these mails.

        :return: list of what a batch has in common, and ids of mails
        """
        routes = []
        for alias_domain_id, email_from, ids in self._group_by_request(directory):
            routed = self._find_route(alias_domain_id, email_from)
            profile = routed.decision.profile
            server_id = profile.id if profile else False
            key = (server_id, alias_domain_id, routed, session_key(routed.decision))
            routes.append((key, ids))
        return routes

    def _fail_to_route(self, error):
        """Let one mail fail as core lets it where it cannot be sent.

        :return: no route, in a list of them
        """
        _logger.warning("Mail %s cannot be routed", self.ids, exc_info=error)
        reason = self.env._(
            "The outgoing mail server for this mail could not be found out: %(error)s. "
            "Correct the mail, or delete it.",
            error=text_of(error),
        )
        failure = {"failure_reason": reason, "failure_type": "unknown"}
        failures = self.env.context.get(_FAILURES_KEY)
        if isinstance(failures, Failures):
            failures.append(reason)
        try:
            with self.env.cr.savepoint():
                self.write({"state": "exception", **failure})
                self._postprocess_sent_message([], [], **failure)
        except (MemoryError, psycopg2.OperationalError):
            raise
        except Exception:
            _logger.exception("The failure of mail %s cannot be shown", self.ids)
            self.write({"state": "exception", **failure})
        return []

    def _find_route(self, alias_domain_id, email_from):
        """The route of mails that ask the same question.

        As in core, ``_find_mail_server`` is asked where no server is forced.

        :param RequestFrom email_from: the From of the mails, with their facts
        :rtype: RoutedFrom
        """
        servers = self._routing_servers(alias_domain_id)
        if email_from.request.forced_id:
            return servers.env["mail.routing"]._route(email_from)
        answer = servers._find_mail_server(email_from)
        return servers.env["mail.routing"]._accept_answer(email_from, *answer)

    def _get_session_batch_size(self):
        """How many mails one SMTP session carries at most, as in core."""
        params = self.env["ir.config_parameter"].sudo()
        return int(params.get_param("mail.session.batch.size")) or 1000

    def _routing_servers(self, alias_domain_id):
        """``ir.mail_server`` in the context that core gives mail of an alias domain."""
        servers = self.env["ir.mail_server"]
        if not alias_domain_id:
            return servers
        alias_domain = self.env["mail.alias.domain"].sudo().browse(alias_domain_id)
        return servers.with_context(
            domain_notifications_email=alias_domain.default_from_email,
            domain_bounce_address=alias_domain.bounce_email,
        )

    # ------------------------------------------------------------------
    # Explanation
    # ------------------------------------------------------------------

    def _get_mail_routes(self):
        """The route each mail would take now, without sending anything.

        The mails need not be stored: one made by ``new()`` is routed by its values.
        Decided by the very calls that send. For administrators: the answer names
        servers, so callers have to check the group before they show it.

        :return: ``{mail.mail id: MailRoute}``
        """
        routes = {}
        self = self._without_client_keys()  # noqa: PLW0642
        directory = self.env["mail.routing"]._get_directory()
        groups = self._group_by_request(directory, explain=True)
        for alias_domain_id, email_from, mail_ids in groups:
            routed = self._find_route(alias_domain_id, email_from)
            routing = self._routing_servers(alias_domain_id).env["mail.routing"]
            for mail in self.browse(mail_ids):
                message = mail._explained_message(email_from)
                routes[mail.id] = routing._explain(routed, email_from.request, message)
        return routes

    def _get_route_questions(self):
        """What each mail's route depends on, apart from the servers.

        :return: list of pairs, each mail with its :class:`routing.Question`, or with
            :class:`Untold` where that cannot be told
        """
        directory = self.env["mail.routing"]._get_directory()
        return self._ask_apart(
            lambda mails: mails._find_route_questions(directory),
            lambda mail, error: [(mail, untold(mail, error))],
            directory.configured,
        )

    def _find_route_questions(self, directory):
        """As :meth:`_get_route_questions`, where every text can be read."""
        questions = []
        groups = self._group_by_request(directory, explain=True)
        for alias_domain_id, email_from, ids in groups:
            routing = self._routing_servers(alias_domain_id).env["mail.routing"]
            request = email_from.request
            for mail in self.browse(ids):
                message = mail._explained_message(email_from)
                facts = routing._header_facts(message, request.company)
                questions.append((mail, Question(request, facts)))
        return questions

    def _explained_message(self, email_from, email_to=_NOBODY):
        """The headers that a route depends on, as core builds them for this mail."""
        self.ensure_one()
        header_from = str(email_from) or email_from.request.notifications_email
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
        directory = self.env["mail.routing"]._get_directory()
        [group] = self._group_by_request(directory, explain=True)
        alias_domain_id, email_from, _ids = group
        routed = self._find_route(alias_domain_id, email_from)
        message = self._explained_message(email_from, email_to)
        message["Subject"] = subject
        message["Date"] = localtime()
        message["Message-Id"] = make_msgid()
        message.set_content(body)
        servers = self._routing_servers(alias_domain_id)
        profile = routed.decision.profile
        session = servers._connect__(
            mail_server_id=profile.id if profile else False, smtp_from=routed
        )
        try:
            servers.send_email(message, smtp_session=session)
        finally:
            if session:
                session.close()

    # ------------------------------------------------------------------
    # The facts of each mail
    # ------------------------------------------------------------------

    def _group_by_request(self, directory, explain=False):
        """Ids of the mails that ask the same question, in the order of the queue.

        :param routing.Directory directory: all servers
        :param bool explain: gather also what does not change the answer
        :return: list of ``(alias domain id, RequestFrom, [mail.mail ids])``
        """
        values_list = self.with_context(prefetch_fields=False).read(
            ["id", "email_from", "mail_server_id", "record_alias_domain_id"]
            + ["create_uid"],
            load=None,
        )
        # read() leaves out mails that another process has sent and deleted
        mails = self.browse(values["id"] for values in values_list)
        facts = mails._get_mail_facts(directory, explain)
        groups = defaultdict(list)
        for values in values_list:
            formatted = email_split_and_format_normalize(values["email_from"])
            key = (
                values["record_alias_domain_id"],
                formatted[0] if formatted else values["email_from"],
                values["mail_server_id"] or 0,
                facts[values["id"]],
            )
            groups[key].append(values["id"])
        defaults = {
            id_: self._routing_servers(id_).env["mail.routing"]._default_facts()
            for id_ in {alias_domain_id for alias_domain_id, *_key in groups}
        }
        return [
            (id_, self._request_from(directory, defaults[id_], *key), mail_ids)
            for (id_, *key), mail_ids in groups.items()
        ]

    def _request_from(self, directory, defaults, email_from, forced_id, facts):
        """The From of a group of mails, with all that its route depends on."""
        request = Request(
            sender=facts.sender,
            sender_named=facts.sender_named,
            colleagues=facts.colleagues,
            company=facts.company,
            personal_id=facts.personal_id,
            collected=facts.collected,
            forced_id=forced_id,
            forced_open=facts.forced_open,
            **self.env["mail.routing"]._request_core_facts(email_from, defaults),
        )
        return RequestFrom(request, directory)

    def _get_mail_facts(self, directory, explain):
        """Sender, colleagues, company and personal server of each mail.

        Where nothing is assigned nor any policy set they change nothing but core's
        personal servers, so only these are looked up, unless it is to be explained.
        Needs the same few statements however many mails there are.

        :return: ``{mail.mail id: MailFacts}``
        """
        personal_ids = self._get_personal_server_ids(directory)
        if not (directory.configured or explain):
            return {id_: MailFacts(personal_id=personal_ids[id_]) for id_ in self._ids}
        routing = self.env["mail.routing"]
        self.sudo().mail_message_id.fetch(_ROUTED_BY)
        emails = self._get_emails_to_look_up(explain or directory.assigned_to_users)
        by_email = routing._users_by_email(emails)
        by_sender = routing._users_by_sender_address(emails, directory)
        collected = routing._collected_among(emails)
        senders = {mail.id: mail.sudo()._get_sender(by_email) for mail in self}
        companies = self._get_companies(senders)
        person, company = cache(routing._person), cache(routing._company)
        return {
            mail.id: MailFacts(
                sender=person(senders[mail.id]),
                sender_named=senders[mail.id] != mail.sudo()._get_maker(),
                colleagues=tuple(
                    person(user)
                    for user in mail.sudo()._get_colleagues(
                        senders[mail.id], by_email, by_sender
                    )
                ),
                company=company(companies[mail.id]),
                personal_id=personal_ids[mail.id],
                collected=email_of(mail.email_from) in collected,
                forced_open=mail.sudo()._is_forced_server_open(companies[mail.id]),
            )
            for mail in self
        }

    def _get_emails_to_look_up(self, users_matter):
        """The From headers that have to be traced to users and aliases.

        :param bool users_matter: where no server is assigned to users, a From only
            tells for whom mail without an author was made by Odoo
        """
        return [
            message.email_from
            for message in self.sudo().mail_message_id
            if users_matter
            or (not message.author_id and message.create_uid.id == SUPERUSER_ID)
        ]

    def _get_personal_server_ids(self, directory):
        """The personal server that core lets each mail use, 0 for none.

        Core's own conditions decide, and whether the owner still uses it. Once
        something is configured, what is sent for nobody leaves through none.
        """
        if not directory.owner_ids:
            return dict.fromkeys(self._ids, 0)
        routing = self.env["mail.routing"]
        server_ids = {}
        for mail in self.sudo():
            maker = mail._get_maker()
            forced_id = mail.mail_server_id.id
            server_id = routing._personal_server_id(maker, directory, forced_id)
            if server_id != forced_id and directory.configured and mail._is_nobodys():
                server_id = 0
            server = self.env["ir.mail_server"].sudo().browse(server_id or ())
            allowed = mail._filter_mail_mail_servers(server)
            server_ids[mail.id] = server_id if allowed else 0
        return server_ids

    def _is_bulk(self):
        """Whether the mail belongs to a mass mailing."""
        return "mailing_id" in self._fields and bool(self.mailing_id)

    def _is_nobodys(self):
        """Whether Odoo itself sends the mail, whoever made it do so.

        Campaigns, and what core sends about user accounts, digests and bounces.
        """
        return (
            self._is_bulk()
            or bool(self.sent_for_company_id)
            or self.mail_message_id.model in NOBODYS_MODELS
        )

    def _get_senders(self):
        """The internal users that the mails are sent for, by ``mail.mail`` id."""
        users = self.env["mail.routing"]._users_by_email(
            self._get_emails_to_look_up(users_matter=False)
        )
        return {mail.id: mail.sudo()._get_sender(users) for mail in self}

    def _get_sender(self, users_by_email):
        """The internal user the mail is sent for, or nobody.

        Who made it, not who is named on it; only what Odoo made itself is sent for
        the user behind its author, or, without an author, behind its From.

        :param dict users_by_email: internal users by normalised e-mail
        :return: a ``res.users`` record or the empty recordset
        """
        self.ensure_one()
        routing = self.env["mail.routing"]
        message = self.mail_message_id
        maker = self._get_maker()
        if self._is_nobodys():
            return maker.browse()
        if routing._may_be_sender(maker):
            return maker
        if maker.id != SUPERUSER_ID:
            return maker.browse()
        if message.author_id:
            return self._get_author_user()
        users = users_by_email.get(email_of(message.email_from), maker)
        return users if len(users) == 1 and users != maker else maker.browse()

    def _get_author_user(self):
        """The active internal user behind the author; the first of several."""
        users = self.mail_message_id.author_id.user_ids
        return users.filtered(self.env["mail.routing"]._may_be_sender).sorted("id")[:1]

    def _get_colleagues(self, sender, *users_by_address):
        """Other internal users whose address is the From, or who are its author.

        :param res.users sender: nobody has no colleagues
        :param dict users_by_address: internal users by normalised address
        """
        if not sender:
            return sender
        email = email_of(self.mail_message_id.email_from)
        named = sender
        if self.mail_message_id.author_id != sender.partner_id:
            named = self._get_author_user()
        for users in users_by_address:
            named |= users.get(email, sender)
        return named - sender
