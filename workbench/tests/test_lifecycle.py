"""The addons' whole life on a database that is full of servers, users and mail.

Installed, put to use, upgraded and uninstalled by Odoo's command line; mail leaves over
SMTP. The tests look at what was noted on the way.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from email.utils import parseaddr
from typing import Any

import pytest

from workbench.addons import NAMES
from workbench.odoo_server import OdooServer
from workbench.postgres import identifier
from workbench.smtp_service import SmtpService
from workbench.tests import lifecycle_steps
from workbench.tests.lifecycle_steps import MAILS

pytestmark = pytest.mark.slow
DATABASE = "lifecycle"
#: How many mails of the queue are sent with the addon, and after it is gone.
SENT = 60
#: For each addon; one that handles record by record would take far longer.
INSTALL_SECONDS = 60.0
#: What a database is made of; nothing of the addon may be left behind there.
CATALOG = {
    "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default "
    "FROM information_schema.columns WHERE table_schema = 'public'",
    "relations": "SELECT relname, relkind FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) "
    "FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "triggers": "SELECT tgrelid::regclass, tgname FROM pg_trigger "
    "WHERE NOT tgisinternal",
    "functions": "SELECT proname FROM pg_proc "
    "WHERE pronamespace = 'public'::regnamespace",
    "models": "SELECT model, name, is_mail_thread FROM ir_model",
    "fields": "SELECT model, name, ttype, relation_table FROM ir_model_fields",
    "inheritance": "SELECT m.model, p.model AS parent FROM ir_model_inherit "
    "JOIN ir_model m ON m.id = model_id JOIN ir_model p ON p.id = parent_id",
    "selections": "SELECT f.model, f.name, s.value FROM ir_model_fields_selection s "
    "JOIN ir_model_fields f ON f.id = s.field_id",
    "model constraints": "SELECT name, type, definition FROM ir_model_constraint",
    "model relations": "SELECT name FROM ir_model_relation",
    "external ids": "SELECT module, name, model FROM ir_model_data",
    "modules": "SELECT name, state FROM ir_module_module",
    "parameters": "SELECT key, value FROM ir_config_parameter",
    "views": "SELECT name, model, type, arch_db, active FROM ir_ui_view",
    "menus": "SELECT name FROM ir_ui_menu",
    "actions": "SELECT type, name FROM ir_actions",
    "access": "SELECT name FROM ir_model_access",
    "rules": "SELECT name FROM ir_rule",
    "groups": "SELECT name FROM res_groups",
    "crons": "SELECT cron_name, active FROM ir_cron",
    "assets": "SELECT name, path FROM ir_asset",
    "attachments": "SELECT name, res_model, res_field, url FROM ir_attachment",
    "defaults": "SELECT field_id, json_value FROM ir_default",
}
#: Tables whose records the addon must not touch, beyond its own columns.
RECORDS = (
    *("ir_mail_server", "res_users", "res_company", "res_partner", "mail_template"),
    *("mail_alias_domain", "mail_message", "mail_mail"),
    *("mail_tracking_value", "mail_followers", "mail_notification"),
)
#: Columns that core writes at every change, or when it sends.
CHANGING = {"write_date", "write_uid", "owner_limit_time", "owner_limit_count"}
Rows = Mapping[str, set[str]]
#: Login and From address by the mail's subject.
Routes = Mapping[str, list[str]]


class Life:
    """A database on its way, and what was noted of it: by moment, then by name."""

    def __init__(self, odoo: OdooServer, service: SmtpService) -> None:
        self.odoo = odoo
        self.service = service
        self.catalog: dict[str, Rows] = {}
        self.records: dict[str, Rows] = {}
        self.assigned: dict[str, Rows] = {}
        self.routes: dict[str, Routes] = {}
        self.arrived: dict[str, Routes] = {}
        self.install_seconds = 0.0

    def take(self, step: Callable[..., Any], *values: object) -> Any:
        """Take a step in Odoo's shell."""
        return self.odoo.call(DATABASE, step, *values)

    def note(self, moment: str) -> None:
        """Note what the database holds, and the routes of its queue."""
        self.catalog[moment] = self._rows(CATALOG)
        now = _columns(self.catalog[moment])
        before = _columns(self.catalog["before"])
        self.records[moment] = self._rows(
            {table: _select(table, before[table] - CHANGING) for table in RECORDS}
        )
        self.assigned[moment] = self._rows(
            {
                table: _select(table, columns - before[table] | columns & {"id"})
                for table, columns in now.items()
                if columns - before[table]
            }
        )
        self.routes[moment] = self.take(lifecycle_steps.routes)

    def _rows(self, statements: Mapping[str, str]) -> Rows:
        """Run named queries; return their rows, each as JSON, by the query's name."""
        as_json = "SELECT to_jsonb(r)::text FROM ({}) AS r"
        ask = self.odoo.databases.query
        return {
            name: {row for (row,) in ask(as_json.format(statement), DATABASE)}
            for name, statement in statements.items()
        }

    def send(self, moment: str, count: int) -> None:
        """Send mails of the queue, and note how each arrived."""
        known = len(self.service.received())
        assert self.take(lifecycle_steps.send, count) == [], "no mail fails"
        mails = self.service.received()[known:]
        self.arrived[moment] = {
            mail.header("Subject"): [mail.login, parseaddr(mail.header("From"))[1]]
            for mail in mails
        }
        assert len(self.arrived[moment]) == len(mails) == count, "each arrives once"


def _select(table: str, columns: set[str]) -> str:
    named = ", ".join(map(identifier, sorted(columns)))
    return f"SELECT {named} FROM {identifier(table)}"


def _columns(catalog: Rows) -> dict[str, set[str]]:
    """Return the names of all columns by table."""
    columns: dict[str, set[str]] = defaultdict(set)
    for row in map(json.loads, catalog["columns"]):
        columns[row["table_name"]].add(row["column_name"])
    return columns


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpService]:
    running = SmtpService(tmp_path_factory.mktemp("lifecycle") / "smtp")
    running.start({"all": lifecycle_steps.accounts()})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def life(odoo: OdooServer, service: SmtpService) -> Iterator[Life]:
    life = Life(odoo, service)
    odoo.ensure_database(DATABASE, [], fresh=True)
    assert life.take(lifecycle_steps.populate, service.ports["all"]) == MAILS
    life.note("before")
    started = time.monotonic()
    odoo.install(DATABASE, NAMES, demo=False)
    life.install_seconds = time.monotonic() - started
    life.note("installed")
    life.take(lifecycle_steps.assign)
    life.take(lifecycle_steps.keep_waiting)
    life.note("assigned")
    odoo.upgrade(DATABASE, NAMES)
    life.note("upgraded")
    life.send("upgraded", SENT)
    odoo.run(DATABASE, "module uninstall", *NAMES, title="Uninstall the addons")
    life.note("uninstalled")
    life.send("uninstalled", SENT)
    yield life
    odoo.drop_database(DATABASE)


def difference(before: Rows, after: Rows) -> dict[str, set[str]]:
    """Return the rows that only one of two moments has, by name."""
    names = {*before, *after}
    changed = {name: before.get(name, set()) ^ after.get(name, set()) for name in names}
    return {name: rows for name, rows in changed.items() if rows}


def test_installation_takes_its_time_only(life: Life) -> None:
    assert life.install_seconds < INSTALL_SECONDS * len(NAMES)


def test_installation_leaves_every_record_and_route(life: Life) -> None:
    assert len(life.routes["before"]) == MAILS
    assert life.routes["installed"] == life.routes["before"]
    assert not difference(life.records["before"], life.records["installed"])


def test_assignment_changes_routes(life: Life) -> None:
    before, after = life.routes["before"], life.routes["assigned"]
    assert sum(before[mail] != after[mail] for mail in before) > MAILS / 10
    assert difference(life.assigned["installed"], life.assigned["assigned"])


def test_assignment_is_logged(life: Life) -> None:
    """Else there would be nothing to leave behind."""
    logged = difference(life.records["installed"], life.records["assigned"])
    assert logged.keys() >= {"mail_message", "mail_tracking_value", "mail_followers"}


def test_upgrade_keeps_assignments_and_routes(life: Life) -> None:
    assert not difference(life.assigned["assigned"], life.assigned["upgraded"])
    changed = difference(life.catalog["assigned"], life.catalog["upgraded"])
    # at an upgrade core notes more or less of the models that inherit from an extended
    # one: modules that extend the same are not loaded yet, or loaded already
    notes = map(json.loads, changed.pop("external ids", set()))
    inherited = {"ir.model.inherit", "ir.model.fields"}
    assert {note["model"] for note in notes} <= inherited
    assert not changed
    assert life.routes["upgraded"] == life.routes["assigned"]


def test_uninstallation_leaves_nothing_behind(life: Life) -> None:
    assert difference(life.catalog["before"], life.catalog["installed"])
    assert not difference(life.catalog["before"], life.catalog["uninstalled"])


def test_uninstallation_leaves_the_queue_to_core(life: Life) -> None:
    left = life.routes["uninstalled"]
    assert len(left) == MAILS - SENT
    assert left == {mail: life.routes["before"][mail] for mail in left}
    changed = difference(life.records["before"], life.records["uninstalled"])
    assert len(changed.pop("mail_mail")) == 2 * SENT, "those that were sent"
    assert not changed


@pytest.mark.parametrize("moment", ["upgraded", "uninstalled"])
def test_mail_leaves_by_its_route(life: Life, moment: str) -> None:
    routes, arrived = life.routes[moment], life.arrived[moment]
    assert arrived == {mail: routes[mail] for mail in arrived}
