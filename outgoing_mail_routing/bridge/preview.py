"""Where mail would go that nobody has made: for forms, wizards and pages."""

from dataclasses import dataclass, replace
from functools import cached_property

from odoo import models

from ..routing import Decision, Request
from .carrier import RoutedFrom
from .directory_source import DirectorySource
from .facts import Facts, may_be_sender
from .known_addresses import KnownAddresses
from .message_headers import MessageHeaders
from .telling import tell_of


@dataclass(frozen=True)
class PreviewMail:
    """A mail that would be sent now, about no record, and the route it would take.

    ``sender`` is the user who writes it, empty for mail of nobody in particular;
    ``company`` is the one that it is sent for. ``message_headers`` are those of all its
    messages.
    """

    sender: models.BaseModel
    company: models.BaseModel
    routed: RoutedFrom
    message_headers: MessageHeaders

    @property
    def decision(self) -> Decision:
        """The decision of ``routing/``."""
        return self.routed.decision

    @property
    def request(self) -> Request:
        """What was decided on."""
        return self.routed.request

    @property
    def email(self) -> str:
        """The address in From, before the route."""
        return self.request.email

    @cached_property
    def headers(self):
        """The ``MailHeaders`` it leaves with."""
        return self.message_headers.get_preview(self.routed)

    @cached_property
    def reply_email(self):
        """The address that answers go to."""
        return self.message_headers.get_reply_email(self.routed)

    def with_headers(self):
        """This mail, its headers read already.

        For who tells of records whose texts may be anything: what cannot be read
        raises here, and not where it is told.
        """
        _read = self.headers
        return self

    def with_reply_email(self):
        """This mail, the address of answers read already, as :meth:`with_headers`."""
        _read = self.reply_email
        return self


class Preview:
    """Previews any number of mails over one directory.

    Made for one answer and thrown away: it reads each fact once. What is to be asked
    of many is told it before (:meth:`learn`), and read in a few statements.
    """

    def __init__(self, env, directory=None):
        """Preview what the records of an environment would send.

        :param env: mostly in sudo; who asks has to be allowed to see the answer
        :param routing.Directory directory: with what a form edits; by default that of
            what is stored
        """
        self.env = env
        self.directory = directory or DirectorySource(env).get()
        self._facts = Facts(env)
        self._addresses = KnownAddresses(env, self.directory)
        self._defaults = {}
        self._headers = {}
        self._persons = {}

    def learn(self, emails):
        """Read what is known of some addresses at once.

        :param emails: From headers or addresses
        """
        if self.directory.configured:
            self._addresses.learn(emails, whose=self.directory.assigned_to_users)

    def get_mail(self, email_from, company, sender=None, forced_id=0):
        """The mail that a company, or a user in it, would write now.

        :param str email_from: the From header
        :param res.company company: as it stands on a form, maybe not saved yet
        :param res.users sender: likewise; without one the mail is nobody's
        :param int forced_id: the server that is set on the mail by hand
        :rtype: PreviewMail
        """
        sender = self.env["res.users"] if sender is None else sender
        return self._decide(
            sender, company, self._get_request(email_from, company, sender, forced_id)
        )

    def get_own_mail(self, user, forced_id=0):
        """The mail that a user would write now in their own company.

        :param res.users user: a single one
        :rtype: PreviewMail
        """
        email_from = user.partner_id.email_formatted
        return self.get_mail(email_from, user.company_id, user, forced_id)

    def get_own_mails(self, users):
        """The mail that each of some users would write now in their own company.

        For any number of users: no statement is made for each of them.

        :return: list of ``PreviewMail`` or ``Untold``, in the order of the users
        """
        self._facts.fetch(users)
        self.learn(users.partner_id.mapped("email_normalized"))
        return [tell_of(user, self.get_own_mail) for user in users]

    def get_readers_mail(self, email_from, company, forced_id=0):
        """The mail that who asks would write now: nobody's where they may not send.

        Takes the arguments of :meth:`get_mail`, but for the sender.
        """
        user = self.env.user
        sender = user if may_be_sender(user) else user.browse()
        return self.get_mail(email_from, company, sender, forced_id)

    def again(self, mail, **facts):
        """A previewed mail over the servers of this preview, with other facts.

        :param PreviewMail mail: of another preview
        :param facts: of its ``routing.Request``
        :rtype: PreviewMail
        """
        return self._decide(mail.sender, mail.company, replace(mail.request, **facts))

    def _decide(self, sender, company, request):
        routed = self.env["mail.routing"]._decide(request, self.directory)
        return PreviewMail(sender, company, routed, self._get_headers(company))

    def _get_request(self, email_from, company, sender, forced_id):
        """The request of a mail; takes the arguments of :meth:`get_mail`."""
        self.learn([email_from])
        personal_id = 0
        if sender:
            personal_id = self._facts.personal_server_id(
                sender, self.directory, forced_id
            )
        return Request(
            sender=self._get_person(sender),
            colleagues=self._get_colleagues(email_from, sender),
            personal_id=personal_id,
            forced_id=forced_id or 0,
            received=self._addresses.is_received(email_from),
            **self._facts.core_facts(email_from, self._get_defaults(company)),
        )

    def _get_colleagues(self, email_from, sender):
        """The other users in whose name a sender writes; nobody has none."""
        named = sender and self._addresses.named_by(email_from) - sender._origin
        return tuple(map(self._get_person, named))

    def _get_person(self, user):
        """The facts of a user who may write from many companies."""
        if user not in self._persons:
            self._persons[user] = self._facts.person(user)
        return self._persons[user]

    def _get_defaults(self, company):
        """What all mails that a company would write now have in common.

        :return: arguments of a request, as :meth:`Facts.default_facts` gives them too
        """
        if company not in self._defaults:
            env = self._get_headers(company).env
            if not company.id:  # edited on a form
                notifications_email = company.default_from_email
                env = env(
                    context={
                        **env.context,
                        "domain_notifications_email": notifications_email,
                    }
                )
            self._defaults[company] = {
                "company": self._facts.company(company),
                **Facts(env).default_facts(),
            }
        return self._defaults[company]

    def get_company(self, company):
        """The facts of a company, saved or not, each read once.

        :rtype: routing.Company
        """
        return self._get_defaults(company)["company"]

    def _get_headers(self, company):
        """What plans the headers of all messages of a company, saved or not."""
        if company not in self._headers:
            saved = company._origin or self.env.company
            self._headers[company] = MessageHeaders.of_company(saved)
        return self._headers[company]
