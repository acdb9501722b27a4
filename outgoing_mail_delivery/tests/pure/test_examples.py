"""The examples in the docstrings of ``delivery/`` hold."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module
from types import ModuleType

import pytest

from ... import delivery

MODULES = [
    import_module(f"{delivery.__name__}.{info.name}")
    for info in pkgutil.iter_modules(delivery.__path__)
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_docstring_examples_give_what_they_show(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_docstring_examples_exist() -> None:
    attempted = {
        module.__name__: doctest.testmod(module).attempted for module in MODULES
    }
    assert sum(map(bool, attempted.values())) > len(MODULES) / 2, attempted
