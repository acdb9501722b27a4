"""Notes that are logged on many records at once, as where a file is imported.

Core makes each message and each tracking value by itself. Most of these messages say
the same: core makes the first of them, with all that it and other addons fill in, and
SQL makes the others like it.
"""

import json
from collections import defaultdict

from odoo.tools import SQL

from .carrier import Carried

# What of a record core forgets where it gets a message
_FORGOTTEN = ("message_ids", "message_needaction", "message_needaction_counter")


class Notes(Carried):
    """Collects the notes that one transaction logs, to write them all at once."""

    def __init__(self):
        self._noted = defaultdict(dict)
        self._first = {}

    def describe(self, name, kind, old, new, create):
        """The tracking values of a field that changed.

        Those of a short text are the first ones from the same text with another new
        one, as core makes them.

        :param str name: of the field
        :param str kind: its type
        :param create: makes the values, without arguments
        """
        if kind != "char":
            return create()
        if (name, old) not in self._first:
            self._first[name, old] = create()
        return {**self._first[name, old], "new_value_char": new}

    def collect(self, record, body, author_id, values_list):
        """Take a note on a record, the only one on it.

        :param int author_id: a partner, ``None`` for that of the user
        :param values_list: of ``mail.tracking.value``, without the message
        """
        self._noted[body, author_id][record] = values_list

    def post(self):
        """Create the messages, and then their tracking values."""
        for (body, author_id), noted in self._noted.items():
            records = next(iter(noted)).union(*noted)
            first = self.off(records[0])._message_log(body=body, author_id=author_id)
            message_ids = [first.id, *_copy_message(first, records[1:].ids)]
            pairs = zip(message_ids, noted.values(), strict=True)
            _create_values(
                first.env["mail.tracking.value"],
                [
                    {**values, "mail_message_id": message_id}
                    for message_id, values_list in pairs
                    for values in values_list
                ],
            )
            first.invalidate_recordset(["tracking_value_ids"], flush=False)
            records.invalidate_recordset(_FORGOTTEN, flush=False)


def _copy_message(message, record_ids):
    """Copy a message onto other records, as they are logged by core in a batch.

    Like there, they share its Message-Id.

    :return: the ids of the copies
    """
    if not record_ids:
        return []
    message.flush_recordset()
    columns = SQL(", ").join(map(SQL.identifier, _get_columns(message, "res_id")))
    copies = message.env.execute_query(
        SQL(
            "INSERT INTO mail_message (%(columns)s, res_id)"
            " SELECT %(columns)s, record_id"
            " FROM mail_message, unnest(%(record_ids)s::integer[]) AS record_id"
            " WHERE id = %(message_id)s RETURNING res_id, id",
            columns=columns,
            record_ids=record_ids,
            message_id=message.id,
        )
    )
    id_by_record = dict(copies)
    return [id_by_record[record_id] for record_id in record_ids]


def _create_values(model, values_list):
    """Create tracking values in one statement.

    :param model: ``mail.tracking.value``
    :param values_list: as of ``create``
    """
    if not values_list:
        return
    defaults = model._add_missing_default_values({})
    values_list = [{**defaults, **values} for values in values_list]
    given = frozenset().union(*values_list)
    fields = [model._fields[n] for n in _get_columns(model) if n in given]
    rows = [
        {
            field.name: field.convert_to_column_insert(
                values[field.name], model, values
            )
            for field in fields
            if field.name in values
        }
        for values in values_list
    ]
    now = model.env.cr.now()
    model.env.cr.execute(
        SQL(
            "INSERT INTO mail_tracking_value"
            " (create_uid, write_uid, create_date, write_date, %(columns)s)"
            " SELECT %(uid)s, %(uid)s, %(now)s, %(now)s, %(columns)s"
            # one text: PostgreSQL would read each value of an array by itself
            " FROM json_populate_recordset(NULL::mail_tracking_value, %(rows)s)",
            columns=SQL(", ").join(SQL.identifier(field.name) for field in fields),
            uid=model.env.uid,
            now=now,
            rows=json.dumps(rows, default=str),
        )
    )


def _get_columns(model, *left_out):
    """The columns of a model, without its id and some others."""
    return [
        name
        for name, field in model._fields.items()
        if field.store and field.column_type and name not in ("id", *left_out)
    ]
