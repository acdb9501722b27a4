"""Where the directory of all servers comes from: rows, kept while they stand."""

from collections import defaultdict
from dataclasses import replace

from odoo import models
from odoo.fields import Domain
from odoo.tools import SQL
from odoo.tools.lru import LRU

from ..routing import Directory, ServerProfile, domain_of, spellings
from .addresses import email_of
from .from_filters import read_as_core, read_usable

# Directories by database and fingerprint: a few, since a changed one never comes back
_directories = LRU(16)

# Incoming servers that bring in what arrives; those of core's type "local" are never
# confirmed, for there the mail system hands over the mails by itself
COLLECTING = Domain("active", "=", True) & (
    Domain("state", "=", "done") | Domain("server_type", "=", "local")
)

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

# What of an incoming server tells whether it brings answers back
_COLLECTOR_FIELDS = ("active", "state", "server_type")


class DirectorySource:
    """Makes ``routing.Directory`` of the servers that an environment sees."""

    def __init__(self, env):
        self.env = env

    def get(self):
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
            directory = _directories.get(content) or self.build()
            _directories[versions] = _directories[content] = directory
        return directory

    def _depended_on(self):
        """The fields that a directory depends on, by model."""
        return {
            "ir.mail_server": (*SERVER_FIELDS, *PROPOSED_FROM),
            "fetchmail.server": _COLLECTOR_FIELDS,
            "res.company": _COMPANY_FIELDS,
            "mail.alias.domain": ("name",),
        }

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

    def _columns_of(self, model):
        """The columns among the fields that a directory depends on."""
        fields = self.env[model]._fields
        names = self._depended_on()[model]
        return [n for n in names if fields[n].store and fields[n].column_type]

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

    def _row_contents(self):
        """Count and hash of the content of all rows that a directory depends on."""
        relations = dict.fromkeys(self._relation_tables(), SQL("line::text"))
        return self._count_and_hash({**self._content_columns(), **relations})

    def _content_columns(self):
        """The SQL of the text of the columns that count in a row, by table."""
        texts = {}
        for model in self._depended_on():
            names = ("id", *self._columns_of(model))
            columns = (SQL.identifier("line", name) for name in names)
            text = SQL("ROW(%s)::text", SQL(", ").join(columns))
            texts[self.env[model]._table] = text
        return texts

    def _relation_tables(self):
        """The tables that link servers to users and companies."""
        fields = map(self.env["ir.mail_server"]._fields.get, SERVER_FIELDS)
        return [field.relation for field in fields if field.type == "many2many"]

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

    def build(self, edits=None):
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
        domains = self.get_domains_of_companies()
        profiles = [self.make_profile(row, collector_ids, domains) for row in rows]
        directory = Directory(profiles)
        if not directory.configured:
            return directory
        return Directory(self._with_usable_filter(profile) for profile in profiles)

    def _with_usable_filter(self, profile):
        """A profile whose filter has only what is an address or a domain.

        With nothing configured a filter is taken as core takes it, whatever it says,
        and so is that of a personal server, which core itself writes.
        """
        if profile.owner_id or not profile.from_filter:
            return profile
        usable = read_usable(self.env, profile.from_filter.text)
        return replace(profile, from_filter=usable)

    def get_domains_of_companies(self):
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

    def get_edited(self, server):
        """The directory with a server as a form has it, maybe not saved yet.

        :return: the directory, and the profile of the server in it
        """
        if server.id:
            directory = self.get()
            return directory, directory.get(server.id)
        server_id = server._origin.id or 0
        values = self.read_edited(server, SERVER_FIELDS)
        directory = self.build({server_id: values})
        return directory, directory.get(server_id or directory.last_id)

    def read_edited(self, record, names):
        """Values of a record in memory, relations as the ids of saved records."""
        values = {}
        for name in names:
            value = record[name]
            if isinstance(value, models.BaseModel):
                many = record._fields[name].type == "many2many"
                value = value._origin.ids if many else value._origin.id
            values[name] = value
        return values

    def make_profile(self, values, collector_ids, domains):
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
            from_filter=read_as_core(self.env, values["from_filter"]),
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
