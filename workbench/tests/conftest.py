"""What tests share that look at a whole Odoo from outside."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import environment, odoo_source
from workbench.odoo_server import OdooServer


@pytest.fixture(scope="session")
def odoo() -> Iterator[OdooServer]:
    """The Odoo that these tests themselves run with."""
    spec = importlib.util.find_spec("odoo")
    assert spec and spec.submodule_search_locations
    source = odoo_source.inspect(Path(next(iter(spec.submodule_search_locations))))
    system = bool(os.environ.get(environment.SYSTEM_VARIABLE))
    with environment.databases(system) as databases:
        yield OdooServer(source, databases)
