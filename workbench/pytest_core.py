"""Pytest plugin for Odoo's own tests, run with all modules loaded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .core_tests import own_test_address


@pytest.fixture(autouse=True)
def base_test_address(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the tests of ``base`` see its own ``_get_test_email_from``."""
    with own_test_address(request.module.__name__):
        yield
