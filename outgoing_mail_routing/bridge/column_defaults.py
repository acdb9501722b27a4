"""Defaults of columns, for whoever inserts by SQL: ``odoo neutralize``, for example."""

from odoo.tools import SQL


def keep_column_defaults(model, defaults):
    """Have SQL without a value insert the default of each of these columns.

    Asked first what the defaults are: setting one locks the table until the update of
    the addon ends, and no mail could leave meanwhile.

    :param model: the model, in the environment of its ``init``
    :param dict defaults: texts by column
    """
    cr = model.env.cr
    cr.execute(
        SQL(
            "SELECT column_name, column_default FROM information_schema.columns"
            " WHERE table_schema = current_schema AND table_name = %s"
            " AND column_name IN %s",
            model._table,
            tuple(defaults),
        )
    )
    present = dict(cr.fetchall())
    for name, default in defaults.items():
        # as PostgreSQL writes it: 'auto'::character varying
        if not (present[name] or "").startswith(f"'{default}'::"):
            cr.execute(
                SQL(
                    "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s",
                    SQL.identifier(model._table),
                    SQL.identifier(name),
                    default,
                )
            )
