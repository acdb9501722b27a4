"""The rows that a directory is built from: whether they changed, and which of them."""

from collections import defaultdict

from odoo.fields import Domain
from odoo.tools import SQL

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
COMPANY_FIELDS = ("email", "alias_domain_id", "parent_id", "parent_path")

# What of an incoming server tells whether it brings answers back
_COLLECTOR_FIELDS = ("active", "state", "server_type")

# What of a server configures it, and the value that does not; ``None`` for links
_CONFIGURED_BY = {
    "own_user_ids": None,
    "default_company_ids": None,
    "company_ids": None,
    "reserved": False,
    "out_of_service": False,
    "from_policy": "auto",
    "reply_to_policy": "auto",
    "bounce_policy": "auto",
}


class ServerRows:
    """Tells of the rows of servers, and of those around them, as one transaction sees.

    What is changed in memory has to be flushed before: :meth:`flush`.
    """

    def __init__(self, env):
        self.env = env

    def flush(self):
        """Write what the rest of this class asks for."""
        for model, names in self._depended_on().items():
            self.env[model].sudo().flush_model(names)

    def _depended_on(self):
        """The fields that a directory depends on, by model."""
        return {
            "ir.mail_server": (*SERVER_FIELDS, *PROPOSED_FROM),
            "fetchmail.server": _COLLECTOR_FIELDS,
            "res.company": COMPANY_FIELDS,
            "mail.alias.domain": ("name",),
        }

    # ------------------------------------------------------------------
    # All rows
    # ------------------------------------------------------------------

    def get_versions(self):
        """Fingerprints of all rows that a directory depends on, by one statement.

        PostgreSQL never changes a row in place: each change writes a new version, known
        by its place (``ctid``) and its transaction (``xmin``), and these cost a third
        of what the content does. Incoming servers are few, and each fetch writes a new
        version of them: of what is around servers the content tells more.

        :return: that of what servers depend on besides their own rows, and that of the
            servers
        """
        around = self._content_columns()
        del around["ir_mail_server"]
        version = SQL("concat(line.ctid, line.xmin)")
        tables = ("ir_mail_server", *self._get_relations())
        counted = self._count_and_hash({**around, **dict.fromkeys(tables, version)})
        of_around, of_servers = counted[: len(around)], counted[len(around) :]
        return (*self._read_without_column(), *of_around), of_servers

    def get_servers(self):
        """A fingerprint of each server, with the rows that link it to others.

        :return: ``{server id: (sequence, fingerprint)}``, in core's order
        """
        server = SQL(
            "SELECT id, sequence, hashtextextended(%s, 0) AS hash"
            " FROM ir_mail_server AS line",
            self._content_columns()["ir_mail_server"],
        )
        links = (
            SQL(
                "SELECT %s, NULL, hashtextextended(line::text, %s) FROM %s AS line",
                SQL.identifier("line", column),
                number,
                SQL.identifier(table),
            )
            for number, (table, column) in enumerate(self._get_relations().items(), 1)
        )
        lines = self.env.execute_query(
            SQL(
                "SELECT id, min(sequence) AS sequence, sum(hash) FROM (%s) AS row"
                " GROUP BY id ORDER BY sequence, id",
                SQL(" UNION ALL ").join((server, *links)),
            )
        )
        return {id_: (sequence, hashed) for id_, sequence, hashed in lines}

    def get_values(self, server_ids):
        """The columns of some servers, and the ids that they are linked to.

        :return: ``{server id: {field: value}}``
        """
        if not server_ids:
            return {}
        # one text: the numbers of a list would be adapted one by one
        chosen = SQL("ANY(%s::int[])", f"{{{','.join(map(str, server_ids))}}}")
        servers, links = self.env["ir.mail_server"].sudo(), self._get_links()
        names = ("id", *self._columns_of("ir.mail_server"))
        columns = (servers._field_to_sql("ir_mail_server", name) for name in names)
        lines = self.env.execute_query(
            SQL(
                "SELECT %s FROM ir_mail_server WHERE id = %s",
                SQL(", ").join(columns),
                chosen,
            )
        )
        unlinked = dict.fromkeys((field.name for field in links), ())
        values = {
            line[0]: {**unlinked, **dict(zip(names, line, strict=True))}
            for line in lines
        }
        linked = defaultdict(list)
        for name, id_, linked_id in self._read_links(links, chosen):
            linked[id_, name].append(linked_id)
        for (id_, name), linked_ids in linked.items():
            values[id_][name] = linked_ids
        return values

    def _read_links(self, links, chosen):
        """Rows of a field, the id of a server and that of what it is linked to.

        :param SQL chosen: what the id of a server has to be equal to
        """
        rows = (
            SQL(
                "SELECT %s, %s, %s FROM %s WHERE %s = %s",
                *(field.name, SQL.identifier(field.column1)),
                *map(SQL.identifier, (field.column2, field.relation, field.column1)),
                chosen,
            )
            for field in links
        )
        return self.env.execute_query(SQL(" UNION ALL ").join(rows))

    def is_configured(self):
        """Whether anything was set on any server that core does not know.

        The same as ``Directory.configured``, without a directory; ``None`` where
        another addon keeps what tells that in no column.
        """
        said = [self._says_configured(*item) for item in _CONFIGURED_BY.items()]
        if None in said:
            return None
        return self.env.execute_query(SQL("SELECT %s", SQL(" OR ").join(said)))[0][0]

    def _says_configured(self, name, unset):
        """The SQL of whether a field configures any server, ``None`` for no column."""
        if unset is None:
            relation = self.env["ir.mail_server"]._fields[name].relation
            return SQL("EXISTS (SELECT FROM %s)", SQL.identifier(relation))
        if name not in self._columns_of("ir.mail_server"):
            return None
        column = SQL.identifier(name)
        return SQL(
            "EXISTS (SELECT FROM ir_mail_server WHERE coalesce(%s, %s) != %s)",
            *(column, unset, unset),
        )

    # ------------------------------------------------------------------
    # Tables and columns
    # ------------------------------------------------------------------

    def _read_without_column(self):
        """What a directory depends on and another addon took out of the database.

        Some read the login of a server from a file of the machine, and so the fields of
        core have no column any more. Most often there is none to be read.
        """
        values = []
        for model in self._depended_on():
            records = self.env[model].sudo().with_context(active_test=False)
            if names := self.get_names_without_column(model):
                rows = records.search([], order="id").read(names, load=None)
                values += [tuple(row.values()) for row in rows]
        return tuple(values)

    def get_names_without_column(self, model="ir.mail_server"):
        """The fields that a directory depends on and another addon keeps elsewhere."""
        known = ("sender_email", *self._columns_of(model))
        fields = self.env[model]._fields
        names = self._depended_on()[model]
        return [n for n in names if n not in known and fields[n].column_type]

    def _columns_of(self, model):
        """The columns among the fields that a directory depends on."""
        fields = self.env[model]._fields
        names = self._depended_on()[model]
        return [n for n in names if fields[n].store and fields[n].column_type]

    def _content_columns(self):
        """The SQL of the text of the columns that count in a row, by table."""
        texts = {}
        for model in self._depended_on():
            names = ("id", *self._columns_of(model))
            columns = (SQL.identifier("line", name) for name in names)
            text = SQL("ROW(%s)::text", SQL(", ").join(columns))
            texts[self.env[model]._table] = text
        return texts

    def _get_links(self):
        """The fields that link servers to users and companies."""
        fields = map(self.env["ir.mail_server"]._fields.get, SERVER_FIELDS)
        return [field for field in fields if field.type == "many2many"]

    def _get_relations(self):
        """The tables of these links, and their columns.

        :return: ``{table: column of the server}``
        """
        return {field.relation: field.column1 for field in self._get_links()}

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
