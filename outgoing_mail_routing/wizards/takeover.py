"""What other addons that assign mail servers have set, as this addon's fields.

Each kind of addon is one :class:`Source`, told by the fields that it adds. To take over
from one more, subclass it here and list it in ``SOURCES``.
"""

from collections import defaultdict
from dataclasses import dataclass

from odoo import models, tools
from odoo.fields import Command

from ..routing import domain_of


@dataclass(frozen=True)
class Takeover:
    """What one server gets: the values to write, or why it cannot have them."""

    server: models.BaseModel
    values: dict
    problem: str | None = None


class Source:
    """Another addon's fields: ``(model, name, type, comodel)`` each.

    One of them is enough to tell that such an addon is installed.
    """

    key = ""
    known_fields = ()

    def __init__(self, env):
        self.env = env(su=True)

    @property
    def fields(self):
        """Those of its fields that this database has."""
        return [
            field
            for model, name, type_, comodel in self.known_fields
            if (field := self.env[model]._fields.get(name))
            and (field.type, field.comodel_name, bool(field.store))
            == (type_, comodel, True)
        ]

    @property
    def label(self):
        """The addons that have the fields, and what the fields are called there."""
        addons = defaultdict(list)
        for field in self.fields:
            known = self.env["ir.model.fields"]._get(field.model_name, field.name)
            addon = known.modules or self.env._("Custom field")
            addons[addon].append(known.field_description)
        return ", ".join(f"{name} ({', '.join(addons[name])})" for name in addons)

    def _records(self, field):
        """The active records on which a field is set."""
        return self.env[field.model_name].search([(field.name, "!=", False)])

    def get_takeovers(self):
        """What to assign.

        :return: iterable of :class:`Takeover`
        """
        raise NotImplementedError

    @property
    def difference(self):
        """What is not the same here as with the other addon, in a few sentences."""
        raise NotImplementedError


class CompanyOfServer(Source):
    """``mail_multicompany``: the one company of a server."""

    key = "company"
    known_fields = (("ir.mail_server", "company_id", "many2one", "res.company"),)

    def get_takeovers(self):
        for field in self.fields:
            for server in self._records(field):
                linked = [Command.link(server[field.name].id)]
                yield Takeover(
                    server, {"default_company_ids": linked, "company_ids": linked}
                )

    @property
    def difference(self):
        return self.env._(
            "The other addon sets the first server of the company on each message, "
            "before anything else. Here the servers of the user go first, then those "
            "of the company, and branches use those of their parent; no other "
            "company's mail leaves through them."
        )


class StaticFrom(Source):
    """``mail_outbound_static``: a fixed From, except for some domains."""

    key = "static_from"
    known_fields = (
        ("ir.mail_server", "smtp_from", "char", None),
        ("ir.mail_server", "domain_whitelist", "char", None),
    )

    def get_takeovers(self):
        servers = self.env["ir.mail_server"].union(*map(self._records, self.fields))
        for server in servers.sorted():
            address, *domains = self._get_addresses(server)
            values = self._get_values(address, domains)
            yield Takeover(server, values, self._get_problem(server, values))

    def _get_addresses(self, server):
        """The fixed From, then the domains that are let be; both may be missing."""
        found = {field.name: server[field.name] for field in self.fields}
        domains = found.get("domain_whitelist") or tools.config.get(
            "smtp_domain_whitelist"
        )
        return [
            found.get("smtp_from") or "",
            *filter(None, map(str.strip, (domains or "").split(","))),
        ]

    def _get_values(self, address, domains):
        """The FROM filter has to admit what the server sends as, the fixed From too."""
        values = {"sender_email": address} if address else {}
        if not domains:
            return {**values, "from_policy": "login"}
        admitted = domains if domain_of(address) in domains else [*domains, address]
        return {
            **values,
            "from_filter": ", ".join(filter(None, admitted)),
            "from_policy": "filter" if address else "any",
        }

    def _get_problem(self, server, values):
        new = values.get("from_filter")
        parse = server._parse_from_filter
        if not (new and server.from_filter) or set(parse(server.from_filter)) == set(
            parse(new)
        ):
            return None
        return self.env._(
            "“%(server)s” has the FROM filter “%(old)s” already, while “%(new)s” is to "
            "be taken over. Decide for one and change the FROM filter on the server.",
            server=server.name,
            old=server.from_filter,
            new=new,
        )

    @property
    def difference(self):
        return self.env._(
            "The fixed From becomes the sender address. The domains of the whitelist "
            "become the FROM filter, so that mail from them finds this server and "
            "keeps its From, where Odoo itself could have replaced it. Answers to a "
            "mail whose From is replaced still reach who wrote it."
        )


class UserOfServer(Source):
    """Addons of earlier versions that give users a server of their own."""

    key = "user"
    known_fields = (
        ("ir.mail_server", "user_id", "many2one", "res.users"),
        ("ir.mail_server", "log_user", "many2one", "res.users"),
        ("res.users", "out_mail_server_id", "many2one", "ir.mail_server"),
        ("res.users", "server_mail_id", "many2one", "ir.mail_server"),
    )

    def get_takeovers(self):
        for field in self.fields:
            for record in self._records(field):
                server, user = record, record[field.name]
                if field.comodel_name == "ir.mail_server":
                    server, user = user, server
                if server.active:
                    linked = [Command.link(user.id)]
                    yield Takeover(server, {"own_user_ids": linked})

    @property
    def difference(self):
        return self.env._(
            "The server becomes one of the user's own. Mail that a colleague writes in "
            "the user's name leaves through it only if the server says that colleagues "
            "may send, and no campaign or automatic mail of nobody's does."
        )


SOURCES = (CompanyOfServer, StaticFrom, UserOfServer)


def find_sources(env):
    """The sources that this database has.

    :return: ``{key: Source}``
    """
    sources = (source(env) for source in SOURCES)
    return {source.key: source for source in sources if source.fields}
