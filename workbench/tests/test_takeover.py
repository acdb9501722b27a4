"""What is taken over from other addons stays when they are uninstalled."""

from collections.abc import Iterator

import pytest

from workbench.addons import NAMES
from workbench.odoo_server import OdooServer
from workbench.run_tests import OTHER_MODULES
from workbench.tests import lifecycle_steps

pytestmark = pytest.mark.slow
DATABASE = "takeover"
ASSIGNED = (
    "SELECT name, sender_email_custom, from_filter, from_policy, d.company_id, "
    "a.company_id FROM ir_mail_server s "
    "LEFT JOIN ir_mail_server_default_company_rel d ON d.mail_server_id = s.id "
    "LEFT JOIN ir_mail_server_allowed_company_rel a ON a.mail_server_id = s.id "
    "ORDER BY name"
)


@pytest.fixture(scope="module")
def compatible(odoo: OdooServer) -> Iterator[OdooServer]:
    """The same Odoo with other addons, and a database that has them."""
    server = odoo.with_other_addons()
    server.ensure_database(DATABASE, NAMES, core=OTHER_MODULES, fresh=True)
    yield server
    server.drop_database(DATABASE)


def test_taken_over_assignments_outlive_the_other_addons(
    compatible: OdooServer,
) -> None:
    assert compatible.call(DATABASE, lifecycle_steps.take_over) == ["ready", "ready"]
    assigned = compatible.databases.query(ASSIGNED, DATABASE)
    relay, static = [row for row in assigned if row[0] in ("Relay", "Static")]
    assert relay[4] and relay[4] == relay[5]
    assert static[1:4] == ("static@x.example", "x.example", "filter")
    compatible.run(DATABASE, "module uninstall", *OTHER_MODULES, title="Uninstall")
    columns = (
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_name = 'ir_mail_server' "
        "AND column_name IN ('company_id', 'smtp_from')"
    )
    assert not compatible.databases.query(columns, DATABASE), "they are gone"
    assert compatible.databases.query(ASSIGNED, DATABASE) == assigned
