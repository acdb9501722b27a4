"""For whom each mail is, and what else its route depends on."""

from dataclasses import dataclass
from functools import cache

from odoo import SUPERUSER_ID, models

from ...bridge.addresses import formatted_of
from ...bridge.carrier import RequestFrom
from ...bridge.company_text import NOBODYS_MODELS
from ...bridge.facts import PARTNER_FIELDS, Facts, may_be_sender
from ...bridge.kept_values import kept_values
from ...bridge.known_addresses import KnownAddresses
from ...bridge.message_headers import in_alias_domain
from ...routing import Company, Person, Request

# What of a mail its route depends on, and of its message
_OF_MAIL = (
    *("mail_message_id", "create_uid", "mailing_id", "made_in_bulk"),
    *("sent_for_company_id", "settled_company_id"),
)
_ROUTED_BY_CORE = ("email_from", "mail_server_id", "record_alias_domain_id")
_ALIKE = (
    *("author_id", "create_uid", "model", "record_company_id"),
    *("mail_server_id", "record_alias_domain_id"),
    *("made_by_gateway", "message_type", "server_template_id"),
)
_ROUTED_BY = ("email_from", "res_id", *_ALIKE)
# What tells whether two mails can share what was found out of one of them
_LIKE_NO_OTHER = ("hand_ids", "res_id", "email_from")

# What of who made a mail its route depends on, besides their companies
_MAKER_FIELDS = ("active", "share", "partner_id", "company_id", "use_own_mail_servers")


def _fetch(records, names):
    """Read fields that are not read yet; of a record alone all fields then."""
    fields = map(records._fields.get, names)
    is_read = not any(any(field._cache_missing_ids(records)) for field in fields)
    records.fetch(None if len(records) == 1 and not is_read else names)


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
        mails = self._fetch_to_route(directory.configured or explain).sudo()
        facts = mails._get_mail_facts(directory, explain)
        env_of = cache(self._in_alias_domain)
        default_facts = cache(lambda env: Facts(env).default_facts())
        asked, questions = {}, {}
        for mail_id, values in mails._get_message_values(_ROUTED_BY_CORE).items():
            email_from, forced_id, alias_domain_id = values
            email_from = formatted_of(email_from) or email_from
            of_mail = facts[mail_id]
            question = (alias_domain_id, email_from, forced_id, id(of_mail))
            if question not in questions:
                env = env_of(alias_domain_id)
                core_facts = Facts.core_facts(email_from, default_facts(env))
                request = Request(
                    **vars(of_mail), forced_id=forced_id or 0, **core_facts
                )
                questions[question] = RequestFrom(request, directory, env)
            asked[mail_id] = questions[question]
        return asked

    def _in_alias_domain(self, alias_domain_id):
        """The environment that core gives mail of an alias domain, maybe of none."""
        alias_domains = self.env["mail.alias.domain"].sudo()
        return in_alias_domain(self.env, alias_domains.browse(alias_domain_id))

    def _fetch_to_route(self, facts_matter):
        """Those of the mails that are still there, with what their routes depend on.

        In a few statements for all of them: other fields, the text among them, are not
        read, but of a mail alone, which is sent next. Another process may have sent and
        deleted some.

        :param bool facts_matter: whether more than core looks at does
        """
        self.check_access("read")
        names = [name for name in _OF_MAIL if name in self._fields]
        mails = self.sudo().with_context(prefetch_fields=False)
        _fetch(mails, names)
        gone_ids = set(mails._fields["mail_message_id"]._cache_missing_ids(mails))
        mails = self.browse(id_ for id_ in self._ids if not id_ or id_ not in gone_ids)
        of_message = _ROUTED_BY if facts_matter else _ROUTED_BY_CORE
        _fetch(mails.sudo().mail_message_id, of_message)
        return mails

    def _get_message_values(self, names):
        """The values that the message of each mail has in fields, as they are kept.

        :return: ``{mail.mail id: tuple}``, as of :func:`kept_values`
        """
        mails = self.sudo()
        values = kept_values(mails.mail_message_id, names)
        message_ids = kept_values(mails, ["mail_message_id"])
        return {id_: values[message_id] for id_, [message_id] in message_ids.items()}

    def _get_mail_facts(self, directory, explain):
        """Sender, colleagues, company and personal server of each mail.

        Where nothing is assigned nor any policy set they change nothing but core's
        personal servers, so only these are looked up, unless it is to be explained.
        Needs the same few statements however many mails there are.

        :return: ``{mail.mail id: MailFacts}``, one object where they are equal
        """
        personal_ids = self._get_personal_server_ids(directory)
        if not (directory.configured or explain):
            of_personal = cache(lambda id_: MailFacts(personal_id=id_))
            return {id_: of_personal(personal_ids[id_]) for id_ in self._ids}
        addresses = KnownAddresses(self.env, directory)
        addresses.learn(
            self._get_emails_to_look_up(explain or directory.assigned_to_users)
        )
        alike = self._get_alike()
        facts_of = self.browse(dict.fromkeys(alike.values()))._share_facts(addresses)
        facts = {}
        for mail_id, [email_from] in self._get_message_values(["email_from"]).items():
            facts[mail_id] = facts_of(
                alike[mail_id],
                addresses.ids_named_by(email_from),
                addresses.is_received(email_from),
                personal_ids[mail_id],
            )
        return facts

    def _share_facts(self, addresses):
        """The facts of these mails, which all that are alike share.

        :param KnownAddresses addresses: what is known of their From headers
        :return: a function that answers :class:`MailFacts`, one object where they are
            equal. It takes the id of a mail, the ids of the users whose address is the
            From, whether Odoo receives that, and the personal server.
        """
        known, mails = Facts(self.env), self.sudo()
        users = mails.mail_message_id.create_uid | mails.create_uid
        users.fetch(_MAKER_FIELDS)
        users.partner_id.fetch(PARTNER_FIELDS)
        makers = {mail.id: mail._get_maker() for mail in mails}
        senders = {
            mail.id: mail._get_sender(makers[mail.id], addresses) for mail in mails
        }
        companies = self._get_companies(senders)
        all_companies = mails.env["res.company"].union(*companies.values())
        domain_fields = ["name", "bounce_alias", "default_from"]
        all_companies.alias_domain_id.fetch(domain_fields)  # each is asked by itself
        person, company = cache(known.person), cache(known.company)
        shared = {}

        @cache
        def facts_of(mail_id, named_ids, received, personal_id):
            mail = mails.browse([mail_id]).with_prefetch(mails._prefetch_ids)
            sender, named = senders[mail_id], users.browse(named_ids)
            facts = MailFacts(
                sender=person(sender),
                sender_named=sender != makers[mail_id],
                colleagues=tuple(map(person, mail._get_colleagues(sender, named))),
                company=company(companies[mail_id]),
                personal_id=personal_id,
                received=received,
                forced_open=mail._is_forced_server_open(companies[mail_id]),
            )
            return shared.setdefault(facts, facts)

        return facts_of

    def _get_alike(self):
        """For each mail the first of these that is like it.

        That is, in all that its route depends on, but for From, personal server and,
        where its company is known without it, its record. What somebody else had a hand
        in is like no other.

        :return: ``{mail.mail id: mail.mail id}``
        """
        self.mail_message_id.mapped("hand_ids")  # asked for all at once
        names = [name for name in _OF_MAIL if name in self._fields]
        messages = kept_values(self.mail_message_id, (*_LIKE_NO_OTHER, *_ALIKE))
        alike, firsts = {}, {}
        for mail_id, (message_id, *of_mail) in kept_values(self, names).items():
            hand_ids, res_id, email_from, author_id, *rest = messages[message_id]
            key = mail_id if hand_ids else (*of_mail, author_id, *rest)
            if not author_id:  # Odoo's is for whoever has that From
                key = (key, email_from)
            if key not in firsts:
                mail = self.browse([mail_id]).with_prefetch(self._prefetch_ids)
                firsts[key] = mail_id, mail._is_company_known()
            first_id, is_company_known = firsts[key]
            if not is_company_known:
                first_id, _is_known = firsts.setdefault((key, res_id), (mail_id, False))
            alike[mail_id] = first_id
        return alike

    def _get_emails_to_look_up(self, users_matter):
        """The From headers that have to be traced to users and aliases.

        :param bool users_matter: where no server is assigned to users, a From only
            tells for whom mail without an author was made by Odoo
        """
        messages = self.sudo().mail_message_id
        if not users_matter:
            messages = messages.filtered(
                lambda m: not m.author_id and m.create_uid.id == SUPERUSER_ID
            )
        return messages.mapped("email_from")

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
        addresses = KnownAddresses(self.env)
        addresses.learn(self._get_emails_to_look_up(users_matter=False))
        return {
            mail.id: mail._get_sender(mail._get_maker(), addresses)
            for mail in self.sudo()
        }

    def _get_sender(self, maker, addresses):
        """The internal user the mail is sent for, or nobody.

        Who made it, not who is named on it; only what Odoo made itself is sent for
        the user behind its author, or, without an author, behind its From.

        :param res.users maker: as of :meth:`_get_maker`
        :param KnownAddresses addresses: what is known of its From
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
        users = addresses.users_with(message.email_from)
        return users if len(users) == 1 else maker.browse()

    def _get_author_user(self):
        """The active internal user behind the author; the first of several."""
        users = self.mail_message_id.author_id.user_ids
        return users.filtered(may_be_sender).sorted("id")[:1]

    def _get_colleagues(self, sender, named):
        """Other internal users whose address is the From, or who are its author.

        :param res.users sender: nobody has no colleagues
        :param res.users named: the users whose address is the From
        """
        if not sender:
            return sender
        author = sender
        if self.mail_message_id.author_id != sender.partner_id:
            author = self._get_author_user()
        return (author | named) - sender
