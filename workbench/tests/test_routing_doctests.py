"""The pure part of the addon: its doctests, run where Odoo cannot be imported."""

import doctest
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import paths

PACKAGE = "routing"


@pytest.fixture(autouse=True)
def without_odoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make ``routing`` importable on its own, and ``import odoo`` fail."""
    monkeypatch.syspath_prepend(str(paths.ADDON))
    monkeypatch.setitem(sys.modules, "odoo", None)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def _modules() -> list[str]:
    folder = str(paths.ADDON / PACKAGE)
    found = pkgutil.walk_packages([folder], prefix=f"{PACKAGE}.")
    return [PACKAGE, *(module.name for module in found)]


@pytest.mark.parametrize("name", _modules())
def test_doctests_pass_without_odoo(name: str) -> None:
    module = importlib.import_module(name)
    assert paths.ADDON in Path(module.__file__ or "").parents
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for case in doctest.DocTestFinder().find(module):
        runner.run(case, out=report.append)
    assert not runner.failures, "".join(report)


def test_the_addon_has_doctests() -> None:
    modules = [importlib.import_module(name) for name in _modules()]
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [case.examples for module in modules for case in finder.find(module)]
    assert any(examples)
