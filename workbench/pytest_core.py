"""Pytest plugin for Odoo's own tests, run with all modules loaded.

Odoo runs the tests of ``base`` before ``mail`` is loaded, so they would never meet an
addon that depends on ``mail``. Here they run with ``mail`` and the addons loaded, which
is stricter, but ``mail`` gives another address than they expect for testing a
connection (``odoo@`` instead of ``noreply@`` the filter's domain).
"""

from collections.abc import Iterator
from unittest.mock import patch

import pytest


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what Odoo runs by its tags only, such as measures of speed."""
    tags = [
        getattr(getattr(item, "cls", None), "test_tags", "standard") for item in items
    ]
    apart = [item for item, of in zip(items, tags, strict=True) if "standard" not in of]
    items[:] = [item for item in items if item not in apart]
    config.hook.pytest_deselected(items=apart)


def pytest_sessionstart() -> None:
    """Name a server for mail that no other takes: some of the tests expect one."""
    from odoo.tools import config

    config["smtp_server"] = "localhost"


@pytest.fixture(autouse=True)
def base_test_address(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the tests of ``base`` see its own ``_get_test_email_from``."""
    if not request.module.__name__.startswith("odoo.addons.base."):
        yield
        return
    from odoo.addons.base.models.ir_mail_server import IrMail_Server as OfBase
    from odoo.addons.mail.models.ir_mail_server import IrMail_Server as OfMail

    method = OfBase._get_test_email_from
    with patch.object(OfMail, "_get_test_email_from", method):
        yield
