"""What tests share that look at a whole Odoo from outside."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import odoo_source, paths, postgres
from workbench.odoo_server import OdooServer


@pytest.fixture(scope="module")
def odoo() -> Iterator[OdooServer]:
    """The Odoo that these tests themselves run with."""
    spec = importlib.util.find_spec("odoo")
    assert spec and spec.submodule_search_locations
    package = Path(next(iter(spec.submodule_search_locations)))
    source = odoo_source.inspect(package, "Use the Odoo of these tests")
    python = Path(sys.executable)
    if os.environ.get(paths.SYSTEM_VARIABLE):
        with postgres.system_server() as databases:
            yield OdooServer(python, source, databases)
        return
    with postgres.private_server() as (databases, users):
        yield OdooServer(python, source, databases, users)
