"""A neutralised copy of a database with assigned servers sends nothing anywhere."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import paths, smtp_service
from workbench.odoo_server import OdooServer
from workbench.run_tests import CORE_MODULES
from workbench.smtp_service import SmtpService
from workbench.tests import send_everything
from workbench.tests.send_everything import ACCOUNTS, PASSWORD

ORIGIN, NEUTRALISED, LIVE = "omr_assigned", "omr_neutralised", "omr_not_neutralised"


@pytest.fixture(scope="module")
def smtp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpService]:
    folder = tmp_path_factory.mktemp("smtp")
    accounts = {name: {name: PASSWORD} for name in ACCOUNTS}
    accounts["personal"] = {"ben@a.example": PASSWORD}
    running = smtp_service.start(Path(sys.executable), folder, accounts)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def origin(odoo: OdooServer, smtp: SmtpService) -> Iterator[str]:
    """A database with servers assigned in every way, and mails in its queue."""
    odoo.ensure_database(ORIGIN, [paths.ADDON_NAME], core=CORE_MODULES, fresh=True)
    _take_step(odoo, smtp, ORIGIN, "prepare")
    yield ORIGIN
    for name in (ORIGIN, NEUTRALISED, LIVE):
        odoo.drop_database(name)


def _run(command: list[str]) -> str:
    result = subprocess.run(
        command, cwd=paths.REPO, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def _take_step(
    odoo: OdooServer, smtp: SmtpService, database: str, step: str
) -> dict[str, str]:
    program = [str(odoo.python), "-m", send_everything.__name__]
    config, ports = str(odoo.write_config(database)), json.dumps(dict(smtp.ports))
    output = _run([*program, config, database, ports, step])
    outcomes: dict[str, str] = json.loads(output.splitlines()[-1])
    return outcomes


def test_neutralised_database_sends_nothing(
    odoo: OdooServer, smtp: SmtpService, origin: str
) -> None:
    odoo.databases.create(NEUTRALISED, origin)
    _run(odoo.command(NEUTRALISED, "neutralize"))
    before = smtp.received()
    outcomes = _take_step(odoo, smtp, NEUTRALISED, "send")
    assert smtp.received() == before
    assert outcomes["a message"] and outcomes["at once"]
    failed = "SELECT bool_or(state = 'sent'), count(failure_reason) > 8 FROM mail_mail"
    assert odoo.databases.query(failed, NEUTRALISED) == [["f", "t"]]
    hosts = "SELECT smtp_host FROM ir_mail_server WHERE active"
    assert odoo.databases.query(hosts, NEUTRALISED) == [["invalid"]]


def test_database_that_is_not_neutralised_sends_through_every_server(
    odoo: OdooServer, smtp: SmtpService, origin: str
) -> None:
    """Else the test above could not fail."""
    odoo.databases.create(LIVE, origin)
    _take_step(odoo, smtp, LIVE, "send")
    assert {mail.server for mail in smtp.received()} >= set(ACCOUNTS[:-1])
