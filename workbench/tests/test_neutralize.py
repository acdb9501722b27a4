"""A neutralised copy of a database with assigned servers sends nothing anywhere."""

from collections.abc import Iterator

import pytest

from workbench.addons import NAMES
from workbench.odoo_server import OdooServer
from workbench.run_tests import CORE_MODULES
from workbench.smtp_service import SmtpService
from workbench.tests import send_everything
from workbench.tests.send_everything import ACCOUNTS, PASSWORD

pytestmark = pytest.mark.slow
PERSONAL = "ben@a.example"
ORIGIN, NEUTRALISED, LIVE = "assigned", "neutralised", "not_neutralised"


@pytest.fixture(scope="module")
def smtp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpService]:
    folder = tmp_path_factory.mktemp("smtp")
    accounts = {name: {name: PASSWORD} for name in ACCOUNTS}
    accounts["personal"] = {PERSONAL: PASSWORD}
    running = SmtpService(folder)
    running.start(accounts)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def origin(odoo: OdooServer, smtp: SmtpService) -> Iterator[str]:
    """A database with servers assigned in every way, and mails in its queue."""
    odoo.ensure_database(ORIGIN, NAMES, core=CORE_MODULES, fresh=True)
    odoo.call(ORIGIN, send_everything.prepare, smtp.ports)
    yield ORIGIN
    for name in (ORIGIN, NEUTRALISED, LIVE):
        odoo.drop_database(name)


def test_neutralised_database_sends_nothing(
    odoo: OdooServer, smtp: SmtpService, origin: str
) -> None:
    odoo.databases.create(NEUTRALISED, origin)
    odoo.run(NEUTRALISED, "neutralize", title="Neutralise it")
    before = smtp.received()
    outcomes = odoo.call(NEUTRALISED, send_everything.send, smtp.ports)
    assert smtp.received() == before
    assert outcomes["a message"] and outcomes["at once"]
    failed = "SELECT bool_or(state = 'sent'), count(failure_reason) > 8 FROM mail_mail"
    assert odoo.databases.query(failed, NEUTRALISED) == [(False, True)]
    hosts = "SELECT smtp_host FROM ir_mail_server WHERE active"
    assert odoo.databases.query(hosts, NEUTRALISED) == [("invalid",)]


def test_database_that_is_not_neutralised_sends_through_every_server(
    odoo: OdooServer, smtp: SmtpService, origin: str
) -> None:
    """Else the test above could not fail."""
    odoo.databases.create(LIVE, origin)
    odoo.call(LIVE, send_everything.send, smtp.ports)
    logins = {PERSONAL if name == "personal" else name for name in ACCOUNTS[:-1]}
    assert {mail.login for mail in smtp.received()} >= logins
