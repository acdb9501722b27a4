"""The examples in the docstrings of ``routing/`` hold."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from ...routing import directory, headers, incoming, policy, reasons, types


@pytest.mark.parametrize(
    "module",
    [directory, headers, incoming, policy, reasons, types],
    ids=lambda m: m.__name__,
)
def test_docstring_examples_give_what_they_show(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("module", [directory, headers, incoming, policy, types])
def test_docstring_examples_exist(module: ModuleType) -> None:
    assert doctest.testmod(module).attempted
