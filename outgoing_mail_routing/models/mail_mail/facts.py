"""For whom each mail is, and what else its route depends on."""

from dataclasses import dataclass
from functools import cache

from odoo import SUPERUSER_ID, models

from ...bridge.addresses import email_of, formatted_of
from ...bridge.carrier import RequestFrom
from ...bridge.company_text import NOBODYS_MODELS
from ...bridge.facts import PARTNER_FIELDS, Facts, may_be_sender
from ...bridge.message_headers import in_alias_domain
from ...routing import Company, Person, Request

# What of a mail its route depends on, and of its message
_OF_MAIL = (
    *("create_uid", "mail_message_id", "mailing_id", "made_in_bulk"),
    *("sent_for_company_id", "settled_company_id"),
)
_ROUTED_BY_CORE = ("email_from", "mail_server_id", "record_alias_domain_id")
_ROUTED_BY = (
    *_ROUTED_BY_CORE,
    *("create_uid", "author_id", "model", "res_id", "record_company_id"),
    *("made_by_gateway", "message_type", "server_template_id"),
)

# What of who made a mail its route depends on, besides their companies
_MAKER_FIELDS = ("active", "share", "partner_id", "company_id", "use_own_mail_servers")


@dataclass(frozen=True)
class MailFacts:
    """For whom a mail is; what is left out does not matter to its route."""

    sender: Person | None = None
    sender_named: bool = False
    colleagues: tuple[Person, ...] = ()
    company: Company | None = None
    personal_id: int = 0
    received: bool = False
    forced_open: bool = True


class MailMail(models.Model):
    _inherit = "mail.mail"

    def _get_asked(self, directory, explain=False):
        """What each mail asks; mails that ask the same share one object.

        :param routing.Directory directory: all servers
        :param bool explain: gather also what does not change the answer
        :return: ``{mail.mail id: RequestFrom}``, in the order of the queue
        """
        mails = self._fetch_to_route(directory.configured or explain)
        facts = mails._get_mail_facts(directory, explain)
        asked, questions, defaults = {}, {}, {}
        for mail in mails.sudo():
            message = mail.mail_message_id
            question = (
                message.record_alias_domain_id,
                formatted_of(message.email_from) or message.email_from,
                message.mail_server_id.id or 0,
                facts[mail.id],
            )
            if question not in questions:
                alias_domain, email_from, forced_id, of_mail = question
                if alias_domain not in defaults:
                    env = in_alias_domain(self.env, alias_domain)
                    defaults[alias_domain] = Facts(env).default_facts()
                core_facts = Facts.core_facts(email_from, defaults[alias_domain])
                request = Request(**vars(of_mail), forced_id=forced_id, **core_facts)
                questions[question] = RequestFrom(request, directory)
            asked[mail.id] = questions[question]
        return asked

    def _fetch_to_route(self, facts_matter):
        """Those of the mails that are still there, with what their routes depend on.

        In a few statements for all of them: other fields, the text among them, are not
        read. Another process may have sent and deleted some.

        :param bool facts_matter: whether more than core looks at does
        """
        self.check_access("read")
        names = [name for name in _OF_MAIL if name in self._fields]
        mails = self.sudo().with_context(prefetch_fields=False)
        mails = self.browse(row["id"] for row in mails.read(names, load=None))
        names = _ROUTED_BY if facts_matter else _ROUTED_BY_CORE
        mails.sudo().mail_message_id.fetch(names)
        return mails

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
        known = Facts(self.env)
        makers = self.sudo().mail_message_id.create_uid | self.sudo().create_uid
        makers.fetch(_MAKER_FIELDS)
        makers.partner_id.fetch(PARTNER_FIELDS)
        emails = self._get_emails_to_look_up(explain or directory.assigned_to_users)
        by_email = known.users_by_email(emails)
        by_sender = known.users_by_sender_address(emails, directory)
        received = known.received_among(emails)
        mails = self.sudo()
        makers = {mail.id: mail._get_maker() for mail in mails}
        senders = {
            mail.id: mail._get_sender(makers[mail.id], by_email) for mail in mails
        }
        companies = self._get_companies(senders)
        all_companies = mails.env["res.company"].union(*companies.values())
        domain_fields = ["name", "bounce_alias", "default_from"]
        all_companies.alias_domain_id.fetch(domain_fields)  # each is asked by itself
        person, company = cache(known.person), cache(known.company)
        return {
            mail.id: MailFacts(
                sender=person(senders[mail.id]),
                sender_named=senders[mail.id] != makers[mail.id],
                colleagues=tuple(
                    person(user)
                    for user in mail._get_colleagues(
                        senders[mail.id], by_email, by_sender
                    )
                ),
                company=company(companies[mail.id]),
                personal_id=personal_ids[mail.id],
                received=email_of(mail.mail_message_id.email_from) in received,
                forced_open=mail._is_forced_server_open(companies[mail.id]),
            )
            for mail in mails
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
        known = Facts(self.env)
        server_ids = {}
        for mail in self.sudo():
            maker = mail._get_maker()
            forced_id = mail.mail_message_id.mail_server_id.id
            server_id = known.personal_server_id(maker, directory, forced_id)
            if server_id != forced_id and directory.configured and mail._is_nobodys():
                server_id = 0
            server = self.env["ir.mail_server"].sudo().browse(server_id or ())
            allowed = mail._filter_mail_mail_servers(server)
            server_ids[mail.id] = server_id if allowed else 0
        return server_ids

    def _is_bulk(self):
        """Whether the mail belongs to a mass mailing, even to a deleted one."""
        of_mailing = "mailing_id" in self._fields and bool(self.mailing_id)
        return of_mailing or self.made_in_bulk

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
        users = Facts(self.env).users_by_email(
            self._get_emails_to_look_up(users_matter=False)
        )
        return {
            mail.id: mail._get_sender(mail._get_maker(), users) for mail in self.sudo()
        }

    def _get_sender(self, maker, users_by_email):
        """The internal user the mail is sent for, or nobody.

        Who made it, not who is named on it; only what Odoo made itself is sent for
        the user behind its author, or, without an author, behind its From.

        :param res.users maker: as of :meth:`_get_maker`
        :param dict users_by_email: internal users by normalised e-mail
        :return: a ``res.users`` record or the empty recordset
        """
        self.ensure_one()
        message = self.mail_message_id
        if self._is_nobodys():
            return maker.browse()
        if may_be_sender(maker):
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
        return users.filtered(may_be_sender).sorted("id")[:1]

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
