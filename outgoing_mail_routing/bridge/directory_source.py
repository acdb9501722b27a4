"""Where the directory of all servers comes from: kept while their rows stand."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cache, partial

from odoo import models
from odoo.tools.lru import LRU

from ..routing import Directory, ServerProfile, domain_of, spellings
from .addresses import email_of
from .from_filters import read_as_core, read_usable
from .kept_values import kept_values
from .sender_address import login_email, propose_sender
from .server_rows import (
    COLLECTING,
    COMPANY_FIELDS,
    PROPOSED_FROM,
    SERVER_FIELDS,
    ServerRows,
)

# What was read, by database and versions of rows: a few, since a changed one never
# comes back
_read = LRU(16)

# The last of them, by database and what is around the servers
_last_read = LRU(4)


@dataclass(frozen=True)
class Surroundings:
    """What profiles depend on besides their servers.

    ``domains`` are the e-mail domains by company, ``collector_ids`` the incoming
    servers that bring in what arrives.
    """

    domains: dict
    collector_ids: frozenset


@dataclass(frozen=True)
class ReadServers:
    """The directory of all servers, and what the next one is made of.

    ``rows`` are the fingerprints that :class:`ServerRows` gives, ``profiles`` the
    servers whose FROM filters have only what is an address or a domain, and ``as_core``
    those whose filters are as core takes them, as far as they were asked for: while
    nothing was configured. All of them are by server id.
    """

    surroundings: Surroundings
    rows: dict = field(default_factory=dict)
    profiles: dict = field(default_factory=dict)
    as_core: dict = field(default_factory=dict)
    directory: Directory = field(default_factory=lambda: Directory(()))


class DirectorySource:
    """Makes ``routing.Directory`` of the servers that an environment sees."""

    def __init__(self, env):
        self.env = env
        self._servers = env["ir.mail_server"]
        self._rows = ServerRows(env)
        self._read_as_core = partial(read_as_core, self._servers)
        # asked twice of each server
        self._read_usable = cache(partial(read_usable, self._servers))

    def get(self):
        """The directory of all servers as this transaction sees them.

        Called once per batch. It is kept by the rows it is built from, so there is
        nothing to invalidate: one statement tells whether a directory of this process
        still stands, whoever changed what and by whatever means, in this transaction
        too. Where it does not, the servers that changed are read, and no others.

        :rtype: routing.Directory
        """
        return self._get_read().directory

    def is_configured(self):
        """Whether anything was set that core does not know: most often one statement.

        The same as ``configured`` of the directory.
        """
        self._rows.flush()
        configured = self._rows.is_configured()
        return self.get().configured if configured is None else configured

    def build(self, edits):
        """The directory with values in place of what is stored.

        :param dict edits: by server id; 0 for a server that is not saved yet
        """
        stored = self._get_read()
        kept = [server_id for server_id in edits if server_id in stored.profiles]
        rows = {row["id"]: {**row, **edits[row["id"]]} for row in self._read_rows(kept)}
        if 0 in edits:
            new_id = stored.directory.last_id + 1
            rows[new_id] = {"id": new_id, **edits[0]}
        order = {id_: sequence for id_, (sequence, _hash) in stored.rows.items()}
        order.update((id_, row["sequence"]) for id_, row in rows.items())
        return self._make(
            stored,
            rows.values(),
            dict.fromkeys(sorted(order, key=lambda id_: _in_order(order[id_], id_))),
        ).directory

    def _get_read(self):
        """What was read of the servers, as they are now.

        :rtype: ReadServers
        """
        self._rows.flush()
        dbname, (of_around, of_servers) = self.env.cr.dbname, self._rows.get_versions()
        around = (dbname, of_around)
        read = _read.get((around, of_servers))
        if read is None:
            read = self._read_changed(around)
            _read[around, of_servers] = read
        return read

    def _read_changed(self, around):
        """Read the servers that have changed since some were read last.

        :param around: the database, and the fingerprint of what is around servers
        """
        last = _last_read.get(around) or ReadServers(self._read_surroundings())
        rows = self._rows.get_servers()
        changed = [id_ for id_, row in rows.items() if last.rows.get(id_) != row]
        if changed or len(rows) != len(last.rows):
            last = self._make(last, self._read_rows(changed), rows)
            _last_read[around] = last
        return last

    def _read_surroundings(self):
        collectors = self.env["fetchmail.server"].sudo().search(COLLECTING)
        return Surroundings(
            self._read_domains_of_companies(), frozenset(collectors.ids)
        )

    def _read_rows(self, server_ids):
        """Values of servers as they stand in the database, many2one fields as ids."""
        rows = self._rows.get_values(server_ids)
        for server_id, values in self._read_without_column(server_ids).items():
            rows[server_id].update(values)
        for values in rows.values():
            values["sender_email"] = self._find_sender(values)
        return list(rows.values())

    def _read_without_column(self, server_ids):
        """Values that another addon keeps in no column of the servers, if any."""
        names = self._rows.get_names_without_column()
        if not names:
            return {}
        servers = self.env["ir.mail_server"].sudo().with_context(active_test=False)
        servers = servers.browse(server_ids)
        self._forget_cached(servers, (*SERVER_FIELDS, *PROPOSED_FROM))
        return {
            server_id: dict(zip(names, values, strict=True))
            for server_id, values in kept_values(servers, names).items()
        }

    def _find_sender(self, values):
        """The sender address of a server: what was typed, else what is proposed."""
        if values["sender_email_custom"]:
            return values["sender_email_custom"]
        login = login_email(values["smtp_user"], values["smtp_authentication"])
        return propose_sender(self._read_usable(values["from_filter"]), login)

    def _forget_cached(self, records, names):
        """Read fields anew, as SQL may have changed them behind the cache.

        Other transactions get what is made of them. Nothing may be forgotten of records
        that a form edits, so it is done field by field, of these records alone.
        """
        for name in names:
            records._fields[name]._invalidate_cache(self.env, records._ids)

    def _make(self, last, changed, rows):
        """What is read of servers where some have changed.

        :param ReadServers last: before
        :param changed: values of those that are others or new
        :param dict rows: all that there are, in core's order
        :rtype: ReadServers
        """
        profiles, as_core = {**last.profiles}, {**last.as_core}
        for values in changed:
            profile = self.make_profile(
                values,
                last.surroundings.collector_ids,
                last.surroundings.domains,
                usable=True,
            )
            profiles[profile.id] = profile
            as_core.pop(profile.id, None)
        profiles = {id_: profiles[id_] for id_ in rows}
        if any(profile.configured for profile in profiles.values()):
            directory = Directory(profiles.values())
        else:
            as_core = {
                id_: as_core.get(id_) or self._with_filter_as_core(profile)
                for id_, profile in profiles.items()
            }
            directory = Directory(as_core.values())
        return ReadServers(last.surroundings, rows, profiles, as_core, directory)

    def _with_filter_as_core(self, profile):
        """A profile whose FROM filter admits what core's would, whatever it says."""
        if profile.owner_id or not profile.from_filter:
            return profile
        as_core = self._read_as_core(profile.from_filter.text)
        if as_core == profile.from_filter:
            return profile
        return replace(profile, from_filter=as_core)

    def get_domains_of_companies(self):
        """The e-mail domains of each company and of its branches.

        :return: ``{res.company id: set of domains}``, each in all its spellings
        """
        return self._get_read().surroundings.domains

    def _read_domains_of_companies(self):
        """As :meth:`get_domains_of_companies`, read anew."""
        companies = self.env["res.company"].sudo().with_context(active_test=False)
        companies = companies.search([])
        self._forget_cached(companies, (*COMPANY_FIELDS, "parent_ids"))
        self._forget_cached(companies.alias_domain_id, ("name",))
        domains = defaultdict(set)
        for company in companies:
            own = {company.alias_domain_id.name, domain_of(email_of(company.email))}
            own -= {False, ""}
            spelled = {spelling for domain in own for spelling in spellings(domain)}
            for ancestor in company | company._get_branch_of():
                domains[ancestor.id] |= spelled
        return dict(domains)

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

    def make_profile(self, values, collector_ids, domains, usable=False):
        """The profile of one server from the values that ``read`` gave.

        :param dict values: ``SERVER_FIELDS`` and ``id``, many2one fields as ids
        :param collector_ids: the incoming servers that bring in what arrives
        :param dict domains: e-mail domains by company
        :param bool usable: leave out parts of its FROM filter that are no address and
            no domain. That of a personal server core itself writes, and reads.
        :rtype: routing.ServerProfile
        """
        usable = usable and not values["owner_user_id"]
        read_filter = self._read_usable if usable else self._read_as_core
        return ServerProfile(
            id=values["id"],
            name=values["name"] or "",
            active=values["active"],
            out_of_service=values["out_of_service"],
            from_filter=read_filter(values["from_filter"]),
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


def _in_order(sequence, server_id):
    """What core's order of servers compares: one without a sequence comes last."""
    return sequence is None, sequence or 0, server_id
