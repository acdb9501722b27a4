import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import SMTP
from types import SimpleNamespace

from odoo import SUPERUSER_ID, api, models, tools
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import SQL
from odoo.tools.lru import LRU

from ..routing import (
    Company,
    Decision,
    Directory,
    FromFilter,
    HeaderFacts,
    HeaderPlan,
    Person,
    Reason,
    Request,
    Rule,
    ServerProfile,
    decide,
    domain_of,
    header_route,
    plan_headers,
    spellings,
)
from .addresses import clean_name, email_of, is_clean, name_of, only_email_of
from .fetchmail_server import COLLECTING
from .routed_from import RequestFrom, RoutedFrom
from .telling import tell_of

_logger = logging.getLogger(__name__)

# Directories by database and fingerprint: a few, since a changed one never comes back
_directories = LRU(16)

# Every column of a server that a directory is built from
SERVER_FIELDS = (
    "name",
    "active",
    "out_of_service",
    "sequence",
    "from_filter",
    "company_ids",
    "own_user_ids",
    "default_company_ids",
    "owner_user_id",
    "reserved",
    "delegation",
    "from_policy",
    "sender_email",
    "reply_to_policy",
    "reply_to_email",
    "bounce_policy",
    "fetchmail_server_id",
)
# What a server's sender address is proposed from, besides its FROM filter
PROPOSED_FROM = ("sender_email_custom", "smtp_user", "smtp_authentication")
# What of a company tells which domains are its own
_COMPANY_FIELDS = ("email", "alias_domain_id", "parent_id")

# Why an assigned server cannot carry the mail it is assigned for
OBSTACLES = (
    Reason.ARCHIVED,
    Reason.OUT_OF_SERVICE,
    Reason.BARRED,
    Reason.NO_SENDER_ADDRESS,
)

# What of a user, and of the partner behind, tells where their mail leaves
USER_FIELDS = (
    "partner_id",
    "login",
    "active",
    "share",
    "company_id",
    "company_ids",
    "own_mail_server_ids",
    "use_own_mail_servers",
)
PARTNER_FIELDS = ("name", "email", "email_normalized")

# What of an incoming server tells whether it brings answers back
_COLLECTOR_FIELDS = ("active", "state", "server_type")


@dataclass(frozen=True)
class MailHeaders:
    """What a mail says of its sender, as texts; ``envelope_sender`` is an address."""

    email_from: str
    reply_to: str
    return_path: str
    envelope_sender: str


class RouteStep(str):
    """The reason why a server was taken or not, a sentence in the reader's language.

    It carries the ``rule`` that looked, the ``mail_server`` it looked at (maybe empty),
    and whether it was ``taken``.
    """

    def __new__(cls, reason, rule, mail_server, taken):
        self = super().__new__(cls, reason)
        self.rule = rule
        self.mail_server = mail_server
        self.taken = taken
        return self


@dataclass(frozen=True)
class MailRoute(MailHeaders):
    """The route of one mail as an administrator reads it.

    The headers are those it leaves with, ``before`` has those Odoo gave it.
    ``mail_server`` is empty on the ``system`` rule, ``sender`` where the mail is sent
    for nobody; the last of the ``steps`` tells why the server was taken.
    """

    rule: str
    mail_server: models.BaseModel
    sender: models.BaseModel
    company: models.BaseModel
    before: MailHeaders
    rewritten: bool
    refused: bool
    steps: tuple[RouteStep, ...]


class MailRouting(models.AbstractModel):
    """Feeds ``routing/`` with facts from records, and carries out its answer."""

    _name = "mail.routing"
    _description = "Outgoing Mail Routing"

    # ------------------------------------------------------------------
    # Directory
    # ------------------------------------------------------------------

    @api.model
    def _get_directory(self):
        """The directory of all servers as this transaction sees them.

        Called once per batch. It is kept by the rows it is built from, so there is
        nothing to invalidate: one statement tells whether a directory of this process
        still stands, whoever changed what and by whatever means, in this transaction
        too. Rows that changed where it does not matter (core counts the mails of
        personal servers) are told by a second one.

        :rtype: routing.Directory
        """
        for model, names in self._depended_on().items():
            self.env[model].sudo().flush_model(names)
        known = (self.env.cr.dbname, self._read_without_column())
        versions = (*known, self._row_versions())
        directory = _directories.get(versions)
        if directory is None:
            content = (*known, self._row_contents())
            directory = _directories.get(content) or self._build_directory()
            _directories[versions] = _directories[content] = directory
        return directory

    @api.model
    def _depended_on(self):
        """The fields that a directory depends on, by model."""
        return {
            "ir.mail_server": (*SERVER_FIELDS, *PROPOSED_FROM),
            "fetchmail.server": _COLLECTOR_FIELDS,
            "res.company": _COMPANY_FIELDS,
            "mail.alias.domain": ("name",),
        }

    @api.model
    def _read_without_column(self):
        """What a directory depends on and another addon took out of the database.

        Some read the login of a server from a file of the machine, and so the fields of
        core have no column any more. Most often there is none to be read.
        """
        values = []
        for model, names in self._depended_on().items():
            records = self.env[model].sudo().with_context(active_test=False)
            columns = self._columns_of(model)
            known = ("sender_email", *columns)
            fields = self.env[model]._fields
            read = [n for n in names if n not in known and fields[n].column_type]
            if read:
                rows = records.search([], order="id").read(read, load=None)
                values += [tuple(row.values()) for row in rows]
        return tuple(values)

    @api.model
    def _columns_of(self, model):
        """The columns among the fields that a directory depends on."""
        fields = self.env[model]._fields
        names = self._depended_on()[model]
        return [n for n in names if fields[n].store and fields[n].column_type]

    @api.model
    @tools.ormcache()
    def _is_configured(self):
        """Whether anything is assigned or any policy set, most often without SQL.

        For what a form offers: unlike a directory, the answer misses what SQL changed.
        Core forgets it where a transaction is rolled back, and in other processes.
        """
        return self._get_directory().configured

    @api.model
    def _renew_is_configured(self):
        """Forget the answer where it changed: called where servers are written."""
        if self._is_configured() != self._get_directory().configured:
            self.env.registry.clear_cache()

    @api.model
    def _row_versions(self):
        """Count and hash of the versions of all rows that a directory depends on.

        PostgreSQL never changes a row in place: each change writes a new version, known
        by its place (``ctid``) and its transaction (``xmin``), and these cost a third
        of what the content does. Incoming servers are few, and each fetch writes a new
        version of them: of these the content tells more.
        """
        version = SQL("concat(line.ctid, line.xmin)")
        tables = ("ir_mail_server", *self._relation_tables())
        return self._count_and_hash(
            {**self._content_columns(), **dict.fromkeys(tables, version)}
        )

    @api.model
    def _row_contents(self):
        """Count and hash of the content of all rows that a directory depends on."""
        relations = dict.fromkeys(self._relation_tables(), SQL("line::text"))
        return self._count_and_hash({**self._content_columns(), **relations})

    @api.model
    def _content_columns(self):
        """The SQL of the text of the columns that count in a row, by table."""
        texts = {}
        for model in self._depended_on():
            names = ("id", *self._columns_of(model))
            columns = (SQL.identifier("line", name) for name in names)
            text = SQL("ROW(%s)::text", SQL(", ").join(columns))
            texts[self.env[model]._table] = text
        return texts

    @api.model
    def _relation_tables(self):
        """The tables that link servers to users and companies."""
        fields = map(self.env["ir.mail_server"]._fields.get, SERVER_FIELDS)
        return [field.relation for field in fields if field.type == "many2many"]

    @api.model
    def _count_and_hash(self, hashed):
        """How many rows some tables have, and a hash of something in each of them.

        :param dict hashed: by table, the SQL of a text, with the row as ``line``
        """
        counted = (
            SQL(
                "(SELECT concat(count(*), ':', sum(hashtextextended(%s, 0)))"
                " FROM %s AS line)",
                text,
                SQL.identifier(table),
            )
            for table, text in hashed.items()
        )
        return self.env.execute_query(SQL("SELECT %s", SQL(", ").join(counted)))[0]

    @api.model
    def _build_directory(self, edits=None):
        """Read all servers, archived ones too, in core's order.

        :param dict edits: values to put in place of what is stored, by server id; 0
            for a server that is not saved yet
        """
        edits = dict(edits or {})
        servers = self.env["ir.mail_server"].sudo().with_context(active_test=False)
        collectors = self.env["fetchmail.server"].sudo().search(COLLECTING)
        collector_ids = frozenset(collectors.ids)
        rows = servers.search([], order="sequence, id").read(SERVER_FIELDS, load=None)
        for row in rows:
            row.update(edits.get(row["id"], {}))
        if 0 in edits:
            last_id = max((row["id"] for row in rows), default=0)
            rows.append({"id": last_id + 1, **edits[0]})
        if edits:
            rows.sort(key=lambda row: (row["sequence"], row["id"]))
        domains = self._get_domains_of_companies()
        profiles = [self._server_profile(row, collector_ids, domains) for row in rows]
        directory = Directory(profiles)
        if not directory.configured:
            return directory
        return Directory(self._with_usable_filter(profile) for profile in profiles)

    @api.model
    def _with_usable_filter(self, profile):
        """A profile whose filter has only what is an address or a domain.

        With nothing configured a filter is taken as core takes it, whatever it says,
        and so is that of a personal server, which core itself writes.
        """
        if profile.owner_id or not profile.from_filter:
            return profile
        parsed = self.env["ir.mail_server"]._parse_usable(profile.from_filter.text)
        return replace(profile, from_filter=parsed)

    @api.model
    def _get_domains_of_companies(self):
        """The e-mail domains of each company and of its branches.

        :return: ``{res.company id: set of domains}``, each in all its spellings
        """
        companies = self.env["res.company"].sudo().with_context(active_test=False)
        domains = defaultdict(set)
        for company in companies.search([]):
            own = {company.alias_domain_id.name, domain_of(email_of(company.email))}
            own -= {False, ""}
            spelled = {spelling for domain in own for spelling in spellings(domain)}
            for ancestor in company | company._get_branch_of():
                domains[ancestor.id] |= spelled
        return domains

    @api.model
    def _get_edited_directory(self, server):
        """The directory with a server as a form has it, maybe not saved yet.

        :return: the directory, and the profile of the server in it
        """
        if server.id:
            directory = self._get_directory()
            return directory, directory.get(server.id)
        server_id = server._origin.id or 0
        values = self._read_edited(server, SERVER_FIELDS)
        directory = self._build_directory({server_id: values})
        return directory, directory.get(server_id or directory.last_id)

    @api.model
    def _read_edited(self, record, names):
        """Values of a record in memory, relations as the ids of saved records."""
        values = {}
        for name in names:
            value = record[name]
            if isinstance(value, models.BaseModel):
                many = record._fields[name].type == "many2many"
                value = value._origin.ids if many else value._origin.id
            values[name] = value
        return values

    @api.model
    def _server_profile(self, values, collector_ids, domains):
        """The profile of one server from the values that ``read`` gave.

        :param dict values: ``SERVER_FIELDS`` and ``id``, many2one fields as ids
        :param collector_ids: the incoming servers that bring in what arrives
        :param dict domains: e-mail domains by company
        :rtype: routing.ServerProfile
        """
        return ServerProfile(
            id=values["id"],
            name=values["name"],
            active=values["active"],
            out_of_service=values["out_of_service"],
            from_filter=self._parse_from_filter(values["from_filter"]),
            company_ids=frozenset(values["company_ids"]),
            user_ids=frozenset(values["own_user_ids"]),
            default_company_ids=frozenset(values["default_company_ids"]),
            company_domains=frozenset().union(
                *(domains.get(id_, ()) for id_ in values["default_company_ids"])
            ),
            owner_id=values["owner_user_id"] or 0,
            reserved=values["reserved"],
            delegation=values["delegation"],
            from_policy=values["from_policy"],
            sender_email=email_of(values["sender_email"]),
            reply_to_policy=values["reply_to_policy"],
            reply_to_email=values["reply_to_email"] or "",
            bounce_policy=values["bounce_policy"],
            collects_replies=values["fetchmail_server_id"] in collector_ids,
        )

    @api.model
    def _parse_from_filter(self, text):
        """A FROM filter as core's ``_match_from_filter`` takes it apart.

        A part that is no address although it has an ``@`` admits, in core, a From
        that is no address either: it becomes the address ``""``. One with a control
        character is left out: it must not get into the From that is made of it.
        """
        parts = self.env["ir.mail_server"]._parse_from_filter(text)
        parts = list(filter(is_clean, parts))
        return FromFilter(
            text or "",
            tuple(email_of(part) for part in parts if "@" in part),
            tuple(
                tools.mail.email_domain_normalize(part)
                for part in parts
                if "@" not in part
            ),
        )

    # ------------------------------------------------------------------
    # Facts
    # ------------------------------------------------------------------

    @api.model
    def _person(self, user):
        """The facts of an internal user, ``None`` for an empty recordset."""
        if not user:
            return None
        partner = user.partner_id
        return Person(
            user._origin.id or 0,
            partner.name or user.login or "",
            partner.email_normalized or "",
            user.use_own_mail_servers,
            frozenset(user.company_ids.ids),
        )

    @api.model
    def _fetch_facts(self, users):
        """Read at once what is told of each of some users, or a form asks of them.

        Whoever tells of users reads them one by one, as the texts of one must not
        spoil what is told of the others; and what is read along comes in thousands.
        """
        users.fetch(USER_FIELDS)
        users.partner_id.fetch(PARTNER_FIELDS)

    @api.model
    def _company(self, company):
        """The facts of a company, saved or not, and of those it is a branch of."""
        parent = None
        for ancestor in company._get_branch_of():  # the topmost first
            parent = Company(ancestor.id, ancestor.name, parent=parent)
        return Company(
            company._origin.id or 0,
            company.name or "",
            company.default_from_email or "",
            company.bounce_email or "",
            parent,
            self._get_others_bounces(company),
            email_of(company.email),
        )

    @api.model
    def _get_others_bounces(self, company):
        """The bounce addresses of alias domains that only other companies use."""
        company_id = company._origin.id
        return frozenset(
            bounce_email
            for bounce_email, company_ids in self._get_bounce_owners()
            if company_id not in company_ids
        )

    @api.model
    @tools.ormcache()
    def _get_bounce_owners(self):
        """The bounce addresses of alias domains, with the companies that use each.

        Forgotten where alias domains or their companies change: see their models.
        """
        domains = self.env["mail.alias.domain"].sudo().search([])
        companies = self.env["res.company"].sudo().with_context(active_test=False)
        users = companies.search([("alias_domain_id", "in", domains.ids)]).grouped(
            "alias_domain_id"
        )
        return tuple(
            (domain.bounce_email, frozenset(users[domain].ids))
            for domain in domains
            if domain.bounce_email and domain in users
        )

    @api.model
    def _may_be_sender(self, user):
        """Whether mail can be sent for a user: internal, active, not OdooBot."""
        return bool(user) and user.active and not user.share and user.id != SUPERUSER_ID

    @api.model
    def _personal_server_id(self, user, directory, forced_id=0):
        """The personal server that a user connected and still uses, 0 for none.

        :param res.users user: maybe empty
        :param routing.Directory directory: all servers
        :param int forced_id: server set on the mail, which wins over the user's switch
        """
        profile = directory.personal(user._origin.id)
        if profile is None:
            return 0
        if profile.id != forced_id and not user.use_own_mail_servers:
            return 0
        params = self.env["ir.config_parameter"].sudo()
        if params.get_param("mail.disable_personal_mail_servers"):
            return 0
        # core computes it for saved users only
        in_use = user._origin.outgoing_mail_server_id
        return profile.id if in_use.id == profile.id else 0

    @api.model
    def _request_core_facts(self, email_from, defaults=None):
        """What core's ``_find_mail_server`` itself looks at, as request arguments.

        The alias domain reaches it by context, as it reaches core.

        :param str email_from: the From header
        :param dict defaults: ``_default_facts()``, where they are known already
        """
        return {
            "email_from": email_from or "",
            "email": email_of(email_from),
            "name": name_of(email_from),
            **(defaults or self._default_facts()),
        }

    @api.model
    def _default_facts(self):
        """The part of core's facts that all mails of an alias domain share."""
        Server = self.env["ir.mail_server"].sudo()
        return {
            "notifications_email": self.env.context.get("domain_notifications_email")
            or email_of(Server._get_default_from_address()),
            "system_from_filter": self._parse_from_filter(
                Server._get_default_from_filter()
            ),
        }

    @api.model
    def _message_request(
        self, email_from, directory, mail_servers=None, forced_id=0, company=None
    ):
        """The request of a message that no ``mail.mail`` stands behind.

        It is sent for the calling user, which matters only where something is
        assigned or a policy set. A personal server is open to it only where
        the caller names it among its candidates, as core's queue does, or asks for it
        by its id: core checks that one itself.

        :param str email_from: the From header of the message
        :param routing.Directory directory: all servers
        :param mail_servers: the candidates that the caller allows, ``None`` for all
        :param int forced_id: the server that the caller insists on
        :param company: the company it is sent for, by default the user's
        :rtype: routing.Request
        """
        personal = mail_servers.filtered("owner_user_id") if mail_servers else ()
        core_facts = {
            "personal_id": forced_id or (personal.id if len(personal) == 1 else 0),
            "forced_id": forced_id or 0,
            **self._request_core_facts(email_from),
        }
        if not directory.configured:
            return Request(**core_facts)
        user = self.env.user.sudo()
        sender = user if self._may_be_sender(user) else user.browse()
        company = company or sender.company_id or self.env.company.sudo()
        email = email_of(email_from)
        named = self._users_by_email([email_from]).get(email, user.browse())
        named |= self._users_by_sender_address([email_from], directory).get(
            email, named
        )
        return Request(
            collected=bool(self._collected_among([email_from])),
            sender=self._person(sender),
            colleagues=tuple(map(self._person, sender and named - sender)),
            company=self._company(company),
            **core_facts,
        )

    @api.model
    def _users_by_email(self, emails):
        """Active internal users by their normalised e-mail, in one statement.

        :param emails: From headers or addresses
        :return: ``{normalised e-mail: res.users}``, only e-mails that users have
        """
        normalized = {email_of(email) for email in emails} - {""}
        users = self.env["res.users"].sudo()
        found = defaultdict(users.browse)
        if normalized:
            spelled = {text for email in normalized for text in spellings(email)}
            for user in users.search(
                [
                    ("partner_id.email_normalized", "in", list(spelled)),
                    ("share", "=", False),
                ],
                order="id",
            ).filtered(self._may_be_sender):
                for email in spellings(user.partner_id.email_normalized):
                    found[email] |= user
        return dict(found)

    @api.model
    def _users_by_sender_address(self, emails, directory):
        """Active internal users by the sender address of a server of their own.

        :param emails: From headers or addresses
        :param routing.Directory directory: all servers
        :return: ``{normalised address: res.users}``, only addresses that users have
        """
        normalized = {email_of(email) for email in emails} - {""}
        ids_by_address = {
            email: ids
            for email in normalized
            if (ids := directory.users_sending_as(email))
        }
        users = self.env["res.users"].sudo()
        users = users.browse({id_ for ids in ids_by_address.values() for id_ in ids})
        known = frozenset(users.filtered(self._may_be_sender).ids)
        return {
            email: users.browse(sorted(ids & known))
            for email, ids in ids_by_address.items()
        }

    @api.model
    def _collected_among(self, emails):
        """Those of some addresses that Odoo itself receives, in two statements.

        :param emails: From headers or addresses
        :return: the normalised addresses that are a catchall or an alias
        """
        normalized = {email_of(email) for email in emails} - {""}
        if not normalized:
            return normalized
        domains = self.env["mail.alias.domain"].sudo().search([])
        aliases = self.env["mail.alias"].sudo()
        aliases = aliases.search([("alias_full_name", "in", list(normalized))])
        collected = (
            *domains.mapped("catchall_email"),
            *aliases.mapped("alias_full_name"),
        )
        return normalized.intersection(collected)

    @api.model
    def _brought_back_among(self, emails, collectors=None):
        """Those of some addresses of which answers come back to Odoo, as far as known.

        An incoming mail server collects them, or they are Odoo's own and its mail
        arrives: another one than a mailbox of replies only brings it in, or some mail
        has arrived before.

        :param emails: From headers or addresses
        :param dict collectors: incoming servers by address, where they are known
        :return: set of normalised addresses
        """
        normalized = {email_of(email) for email in emails} - {""}
        incoming = self.env["fetchmail.server"].sudo()
        if collectors is None:
            collectors = incoming._find_collectors()
        brought = normalized.intersection(collectors)
        others = COLLECTING & Domain("replies_only", "=", False)
        messages = self.env["mail.message"].sudo()
        if incoming.search(others, limit=1) or messages.search(
            [("message_type", "=", "email")], limit=1
        ):
            brought |= self._collected_among(normalized)
        return brought

    # ------------------------------------------------------------------
    # Decision
    # ------------------------------------------------------------------

    @api.model
    def _route(self, email_from, mail_servers=None, forced_id=0):
        """The route for a From, whoever asks: the one door to the decision.

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
            directory = self._get_directory()
            request = self._message_request(
                email_from, directory, mail_servers, forced_id
            )
            # as core takes a header: one of several addresses has none
            if not only_email_of(email_from):
                request = replace(request, email="", name="")
        if mail_servers is not None:
            directory = directory.subset(mail_servers.ids)
        return self._decide(request, directory)

    @api.model
    def _foresee(self, email_from, company, forced_id=0):
        """The route that a mail of the calling user would take, were it sent now.

        For forms that tell before there is a mail. The user has to be asked what they
        may know of it before it is shown.

        :param str email_from: the From header
        :param res.company company: the company of the record it is about
        :param int forced_id: the server that would be set on the mail
        :rtype: RoutedFrom
        """
        routing = self.sudo().with_company(company)
        directory = routing._get_directory()
        user = routing.env.user
        request = routing._message_request(
            email_from, directory, forced_id=forced_id, company=company.sudo()
        )
        personal_id = routing._personal_server_id(user, directory, forced_id)
        return self._as_routed_from(
            routing._ask(replace(request, personal_id=personal_id), directory)
        )

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
        if not chosen_id:
            decision = Decision(Rule.SYSTEM, None, answer or "", facts["email"])
            return RoutedFrom(answer or "", decision)
        facts.update(email_from=str(answer or ""), forced_id=chosen_id)
        return self._decide(replace(asked.request, **facts), asked.directory)

    @api.model
    def _decide(self, request, directory):
        """The decision of ``routing/`` and the From header that it asks for.

        :rtype: RoutedFrom
        """
        decision = self._ask(request, directory)
        last = decision.steps[-1]
        if last.reason is Reason.PRIORITY_FIRST:
            # as core does: a server of another domain carries this mail
            _logger.warning("%s It sends as %s.", last, decision.email_from)
        return self._as_routed_from(decision)

    @api.model
    def _ask(self, request, directory):
        """The decision of ``routing/`` over the servers that are in service.

        :rtype: routing.Decision
        """
        return decide(request, directory, self._get_out_of_service(directory))

    @api.model
    def _get_out_of_service(self, directory):
        """The servers that every rule passes over, for now.

        :param routing.Directory directory: all servers
        :return: a frozenset of ids
        """
        return directory.out_of_service

    @api.model
    def _as_routed_from(self, decision):
        """The From header that a decision asks for."""
        if not decision.rewritten:
            return RoutedFrom(decision.email_from, decision)
        name = clean_name(decision.from_name)
        return RoutedFrom(tools.formataddr((name, decision.from_email)), decision)

    @api.model
    def _decide_for_form(
        self, email_from, company, directory, sender=None, forced_id=0, collected=None
    ):
        """The route of a mail that a company, or a user in it, would write now.

        The decision of :meth:`_decide`, without its warning in the log: nothing leaves.

        :param res.company company: as it stands on a form, maybe not saved yet
        :param routing.Directory directory: with what the form assigns
        :param res.users sender: likewise; without one the mail is nobody's
        :param int forced_id: the server that is set on the mail
        :param collected: what :meth:`_collected_among` answers, where it is known
        :rtype: routing.Decision
        """
        request = self._form_request(email_from, company, directory, sender, collected)
        return self._ask(replace(request, forced_id=forced_id), directory)

    @api.model
    def _form_request(
        self, email_from, company, directory, sender=None, collected=None
    ):
        """The request of a mail that a company, or a user in it, would write now.

        Takes the first arguments of :meth:`_decide_for_form`.
        """
        if collected is None:
            collected = self._collected_among([email_from])
        return Request(
            sender=self._person(sender),
            personal_id=self._personal_server_id(sender, directory) if sender else 0,
            collected=email_of(email_from) in collected,
            **self._request_core_facts(email_from, self._company_defaults(company)),
        )

    @api.model
    def _company_defaults(self, company):
        """What all mails that a company would write now have in common.

        :return: arguments of a request, as :meth:`_default_facts` gives them too
        """
        routing = self.with_company(company._origin or self.env.company).with_context(
            domain_notifications_email=company.default_from_email
        )
        return {"company": self._company(company), **routing._default_facts()}

    @api.model
    def _own_requests(self, users, directory):
        """The mail that each of some users would write now in their own company.

        For any number of users: no statement is made for each of them.

        :param routing.Directory directory: all servers
        :return: ``routing.Request`` of each user, in this order, or ``Untold``
        """
        self._fetch_facts(users)
        defaults = {c: self._company_defaults(c) for c in users.company_id}
        collected = self._collected_among(users.partner_id.mapped("email_normalized"))
        return [
            tell_of(user, self._own_request, directory, defaults, collected)
            for user in users
        ]

    @api.model
    def _own_request(self, user, directory, defaults, collected):
        """The mail that a user would write now in their own company.

        :param dict defaults: what all mails of a company have in common
        :param collected: what :meth:`_collected_among` answers
        """
        return Request(
            sender=self._person(user),
            personal_id=self._personal_server_id(user, directory),
            collected=user.partner_id.email_normalized in collected,
            **self._request_core_facts(
                user.partner_id.email_formatted, defaults[user.company_id]
            ),
        )

    @api.model
    def _plan_message_headers(self, message, routed):
        """What the route sets in the headers of a message about to be sent.

        :param email.message.EmailMessage message: as core built it
        :param RoutedFrom routed: the From of the session it is sent over
        :rtype: routing.HeaderPlan
        """
        route = header_route(routed.decision)
        if route is None:
            return HeaderPlan()
        facts = self._header_facts(message, route.company, str(routed))
        return plan_headers(routed.decision, facts)

    @api.model
    def _header_facts(self, message, company, final_from=""):
        """What the headers of a route depend on, from a message that core built.

        :param email.message.EmailMessage message: with the headers that core gave it
        :param routing.Company company: the mail is sent for, ``None`` where unknown
        :param str final_from: the From header it leaves with
        :rtype: routing.HeaderFacts
        """
        return HeaderFacts(
            email=email_of(message["From"]),
            final_from=final_from,
            reply_to_email=only_email_of(message["Reply-To"] or message["From"]),
            bounce_email=email_of(self._get_bounce_email(message, company)),
        )

    @api.model
    def _get_reply_email(self, email_from, reply_to, decision):
        """The address that answers to a message go to, once its route set the headers.

        :param str email_from: the From header that Odoo computed, before the route
        :param str reply_to: likewise the address in Reply-To
        :param routing.Decision decision: the route
        """
        message = EmailMessage(policy=SMTP)
        message["From"], message["Reply-To"] = email_from, reply_to
        routed = RoutedFrom(decision.from_email, decision)
        plan = self._plan_message_headers(message, routed)
        return email_of(plan.reply_to or reply_to)

    @api.model
    def _get_form_headers(self, email_from, company, decision):
        """The headers that a mail decided on by :meth:`_decide_for_form` leaves with.

        :param res.company company: likewise, saved
        :rtype: MailHeaders
        """
        routing = self.with_company(company).with_context(
            domain_notifications_email=company.default_from_email,
            domain_bounce_address=company.bounce_email,
        )
        message = EmailMessage(policy=SMTP)
        message["From"] = email_from
        message["To"] = email_from
        message["Reply-To"] = routing._get_odoos_reply_email(email_from)
        if company.bounce_email:
            message["Return-Path"] = company.bounce_email
        routed = routing._as_routed_from(decision)
        envelope_sender, message = routing._prepare_explained(routed, message)
        return routing._message_headers(message, envelope_sender)

    @api.model
    def _get_odoos_reply_email(self, email_from):
        """The address that core has answers sent to, to mail about no record.

        :param str email_from: the From header, for answers that Odoo does not receive
        """
        # core puts the name of who asks before it
        threads = self.env["mail.thread"].with_user(SUPERUSER_ID)
        return email_of(threads._notify_get_reply_to(default=email_from)[False])

    @api.model
    def _get_bounce_email(self, message, company):
        """The bounce address of a message, never that of another company.

        Core notes the alias domain of the company that happens to be open, or gives
        mail without one that of the company which runs the queue.

        :param routing.Company company: of the decision, ``None`` where unknown
        """
        noted = self.env.context.get("domain_bounce_address") or message["Return-Path"]
        noted = str(noted or "")
        return (company.bounce_address(noted) if company else noted) or self.env[
            "ir.mail_server"
        ]._get_default_bounce_address()

    # ------------------------------------------------------------------
    # Explanation
    # ------------------------------------------------------------------

    @api.model
    def _check_administrator(self):
        """Refuse to explain routes to others than administrators, sudo or not.

        :raise AccessError: the user is no administrator
        """
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(
                self.env._(
                    "Routes name servers and addresses, so only administrators see "
                    "them. Ask your administrator."
                )
            )

    @api.model
    def _explain(self, routed, request, message):
        """The route of a message as it would be sent, without sending it.

        Runs the very code that prepares a message for its SMTP session.

        :param RoutedFrom routed: the decision
        :param routing.Request request: what was decided
        :param email.message.EmailMessage message: From, To, Reply-To and Return-Path
            as core would build them
        :rtype: MailRoute
        """
        decision = routed.decision
        before = self._message_headers(
            message,
            email_of(self._get_bounce_email(message, request.company))
            or email_of(message["From"]),
        )
        envelope_sender, message = self._prepare_explained(routed, message)
        return MailRoute(
            **vars(self._message_headers(message, envelope_sender)),
            rule=decision.rule.value,
            mail_server=self.env["ir.mail_server"].browse(
                decision.profile and decision.profile.id
            ),
            sender=self.env["res.users"].browse(request.sender and request.sender.id),
            company=self.env["res.company"].browse(
                request.company and request.company.id
            ),
            before=before,
            rewritten=decision.from_email != request.email,
            refused=decision.refused,
            steps=tuple(map(self._explained_step, decision.steps)),
        )

    @api.model
    def _prepare_explained(self, routed, message):
        """Envelope sender and message as the server's SMTP session would get them."""
        profile = routed.decision.profile
        Server = self.env["ir.mail_server"].sudo()
        from_filter = (
            profile.from_filter.text if profile else Server._get_default_from_filter()
        )
        session = SimpleNamespace(smtp_from=routed, from_filter=from_filter)
        envelope_sender, _to, message = Server._prepare_email_message__(
            message, session
        )
        return envelope_sender, message

    @api.model
    def _message_headers(self, message, envelope_sender):
        """The headers of a message that a route decides.

        :rtype: MailHeaders
        """
        return MailHeaders(
            email_from=str(message["From"] or ""),
            reply_to=str(message["Reply-To"] or ""),
            return_path=str(message["Return-Path"] or ""),
            envelope_sender=envelope_sender,
        )

    @api.model
    def _explained_step(self, step):
        """A step of ``routing/`` with its record, in the reader's language."""
        server = self.env["ir.mail_server"].browse(step.server_id)
        return RouteStep(self._sentence(step), step.rule.value, server, step.taken)

    @api.model
    def _quote_server(self, profile):
        """A server as sentences name it.

        :param routing.ServerProfile profile: ``None`` for the server of rule ``system``
        """
        if profile is None:
            # the file or the command line that Odoo is started with
            return self.env._("the server of Odoo's configuration")
        return self.env._("“%(server)s”", server=profile.name)

    @api.model
    def _sentence(self, step):
        """A step's reason in the reader's language."""
        # the text is marked for translation in routing/reasons.py
        return self.env._(step.reason.value, **dict(step.values))
