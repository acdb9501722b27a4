"""What administrators and users do at a big customer, one function each.

A task gets an environment, the number of its turn and a :class:`Meter`; only what it
does while the meter runs counts. It runs in a transaction of its own that is rolled
back, unless it commits.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from odoo.fields import Command
from odoo.tools import SQL

from . import large_fixture
from .large_sizes import IMPORTED

#: Messages and what hangs on them: what a log takes in the database.
LOG_TABLES = ("mail_message", "mail_tracking_value")


class Meter:
    """Takes time, SQL statements and bytes of a part of a task."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.seconds = 0.0
        self.statements = 0
        self.size = 0

    def __enter__(self) -> Meter:
        gc.collect()
        self._statements = self.env.cr.sql_log_count
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds += time.perf_counter() - self._started
        self.statements += self.env.cr.sql_log_count - self._statements

    @property
    def figures(self) -> dict[str, float]:
        """What was taken."""
        return {
            "seconds": self.seconds,
            "statements": self.statements,
            "size": self.size,
        }


def run(env: Any, name: str, number: int) -> dict[str, float]:
    """Run a task, and undo what it did not commit."""
    meter = Meter(env)
    TASKS[name](env, number, meter)
    env.cr.rollback()
    return meter.figures


# ----------------------------------------------------------------------
# Servers
# ----------------------------------------------------------------------


def _write(env: Any, number: int, meter: Meter) -> None:
    """Change the FROM filter of one server, up to its commit."""
    with meter:
        _a_server(env).write({"from_filter": f"changed{number}.example"})
        env.cr.commit()


def _after_write(env: Any, number: int, meter: Meter) -> None:
    """Choose the server of a mail after another process changed a server."""
    env.cr.execute(
        "UPDATE ir_mail_server SET from_filter = %s WHERE id = %s",
        [f"sql{number}.example", _a_server(env).id],
    )
    env.cr.commit()
    _choose(env, meter)


def _known(env: Any, number: int, meter: Meter) -> None:
    """Choose the server of a mail where no server was changed."""
    _choose(env, meter)


def _choose(env: Any, meter: Meter) -> None:
    mail = env["mail.mail"].search([("state", "=", "outgoing")], order="id", limit=1)
    with meter:
        list(mail._split_by_mail_configuration())


def _typed(env: Any, number: int, meter: Meter) -> None:
    """Type a FROM filter into the form of a server."""
    env = _as_administrator(env)
    server = _a_server(env)
    fields = _form_fields(server, env.ref("base.ir_mail_server_form").id)
    values = {"from_filter": f"typed{number}.example"}
    with meter:
        server.onchange(values, ["from_filter"], fields)


def _import(env: Any, number: int, meter: Meter) -> None:
    """Import servers with a user each: assigned, and in core the owner."""
    user = "own_user_ids/.id" if _has_addon(env) else "owner_user_id/.id"
    users = large_fixture.users_of(env)[-IMPORTED:]
    rows = [
        [f"Imported {n}", "127.0.0.1", f"imported{n}.example", str(user_id)]
        for n, user_id in enumerate(users.ids)
    ]
    env = _as_administrator(env)
    with meter:
        names = ["name", "smtp_host", "from_filter", user]
        result = env["ir.mail_server"].load(names, rows)
        env.cr.flush()
    assert len(result["ids"]) == IMPORTED, result["messages"]


def _log(env: Any, number: int, meter: Meter) -> None:
    """Take one user off a server that all have; what that leaves in the log."""
    server, users = _a_server(env), large_fixture.users_of(env)
    large_fixture.link_all(env, server, users)
    env.cr.flush()
    env.invalidate_all()
    before = _log_size(env)
    with meter:
        server.write({"own_user_ids": [Command.unlink(users[-1].id)]})
        env.cr.flush()
    meter.size = _log_size(env) - before


def _log_size(env: Any) -> int:
    sizes = (
        env.execute_query(
            SQL(
                "SELECT coalesce(sum(pg_column_size(line.*)), 0) FROM %s AS line"
                " WHERE line.create_date >= now() AT TIME ZONE 'UTC'",
                SQL.identifier(table),
            )
        )[0][0]
        for table in LOG_TABLES
    )
    return int(sum(sizes))


# ----------------------------------------------------------------------
# Other forms and pages
# ----------------------------------------------------------------------


def _template(env: Any, number: int, meter: Meter) -> None:
    """Open the form of a template with a plain From, all companies being open."""
    env = _as_administrator(env)
    template = env["mail.template"].search([("name", "=", "Large template")], limit=1)
    _open(template, env.ref("mail.email_template_form").id, meter)


def _user(env: Any, number: int, meter: Meter) -> None:
    """Open the form of a user who belongs to all companies."""
    user = large_fixture.users_of(env)[:1]
    env = _as_administrator(env)
    _open(user.with_env(env), env.ref("base.view_users_form").id, meter)


def _composer(env: Any, number: int, meter: Meter) -> None:
    """Open the composer of a user on a contact."""
    user = large_fixture.users_of(env)[1]
    contact = env["res.partner"].search([("email", "=", "c@client.example")], limit=1)
    env = env(
        user=user.id,
        context={
            "allowed_company_ids": user.company_ids.ids,
            "default_model": "res.partner",
            "default_res_ids": contact.ids,
            "default_composition_mode": "comment",
        },
    )
    composer = env["mail.compose.message"]
    view = env.ref("mail.email_compose_message_wizard_form").sudo()
    fields = _form_fields(composer, view.id)
    env.invalidate_all()
    with meter:
        composer.onchange({}, [], fields)


def _overview(env: Any, number: int, meter: Meter) -> None:
    """Open the overview."""
    env = _as_administrator(env)
    with meter:
        env["mail.routing.overview"].get_overview()


def _preview(env: Any, number: int, meter: Meter) -> None:
    """Ask what would change with another FROM filter."""
    env = _as_administrator(env)
    changes = {"from_filter": f"preview{number}.example"}
    with meter:
        env["mail.routing.preview"].get_changes(
            "ir.mail_server", _a_server(env).id, changes
        )


def _open(record: Any, view_id: int, meter: Meter) -> None:
    fields = _form_fields(record, view_id)
    record.env.invalidate_all()
    with meter:
        record.web_read(fields)


# ----------------------------------------------------------------------
# Around them
# ----------------------------------------------------------------------


def _has_addon(env: Any) -> bool:
    return "mail.routing" in env


def _a_server(env: Any) -> Any:
    """A server of a user, with the addon; the same one without it."""
    return env["ir.mail_server"].search([("name", "=", "Server 1000")])


def _as_administrator(env: Any) -> Any:
    """The administrator, who has opened all companies."""
    user = env.ref("base.user_admin")
    companies = env.user.company_ids & user.company_ids
    return env(user=user.id, context={"allowed_company_ids": companies.ids})


def _form_fields(record: Any, view_id: int) -> dict[str, Any]:
    """What a form reads, as the web client asks for it."""
    view = record.get_view(view_id, "form")
    fields: dict[str, Any] = {}
    for name in view["models"][record._name]:
        many2one = record._fields[name].type == "many2one"
        fields[name] = {"fields": {"display_name": {}}} if many2one else {}
    return fields


TASKS: dict[str, Callable[[Any, int, Meter], None]] = {
    "write": _write,
    "known": _known,
    "after_write": _after_write,
    "typed": _typed,
    "template": _template,
    "user": _user,
    "composer": _composer,
    "overview": _overview,
    "preview": _preview,
    "import": _import,
    "log": _log,
}
