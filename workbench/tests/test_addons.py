"""The addons are found by their manifests, and everything follows them."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import addons, paths, python_env
from workbench.addons import ADDONS, Addon

TYPED = sorted(file.parent for file in paths.REPO.glob("*/*/py.typed"))


def make(folder: Path, name: str, *depends: str) -> None:
    (folder / name).mkdir()
    manifest = f"# a comment\n{{'name': '{name}', 'depends': {[*depends]}}}"
    (folder / name / "__manifest__.py").write_text(manifest)


def test_addons_come_after_those_that_they_depend_on(tmp_path: Path) -> None:
    make(tmp_path, "a_last", "mail", "z_first", "m_between")
    make(tmp_path, "m_between", "z_first")
    make(tmp_path, "z_first", "mail")
    (tmp_path / "no_addon").mkdir()
    found = [addon.name for addon in addons.find(tmp_path)]
    assert found == ["z_first", "m_between", "a_last"]


def test_addon_is_installed_with_those_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "one", "mail")
    make(tmp_path, "other", "mail")
    make(tmp_path, "upon_one", "one")
    one, other, upon = found = addons.find(tmp_path)
    monkeypatch.setattr(addons, "ADDONS", found)
    monkeypatch.setattr(addons, "NAMES", tuple(addon.name for addon in found))
    assert addons.up_to(one) == ["one"]
    assert addons.up_to(upon) == ["one", "upon_one"]


@pytest.mark.parametrize("folder", TYPED, ids=lambda it: it.name)
def test_doctests_of_the_pure_part_pass_without_odoo(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setitem(sys.modules, "odoo", None)
    found = pkgutil.walk_packages([str(folder)], prefix=f"{folder.name}.")
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for name in [folder.name, *(module.name for module in found)]:
        for case in doctest.DocTestFinder().find(importlib.import_module(name)):
            runner.run(case, out=report.append)
    for name in [name for name in sys.modules if name.split(".")[0] == folder.name]:
        del sys.modules[name]
    assert runner.tries and not runner.failures, "".join(report)


@pytest.fixture(scope="module", params=ADDONS, ids=lambda it: it.name)
def wheel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Addon, Path]]:
    """An addon, and where its wheel is installed, in an environment of its own."""
    addon, folder = request.param, tmp_path_factory.mktemp("wheel")
    copied = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", addon.name],
        cwd=paths.REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in copied.stdout.splitlines():
        if (paths.REPO / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((paths.REPO / name).read_bytes())
    uv = [python_env.python_of(paths.UV), "-m", "uv"]
    python = python_env.python_of(folder / "venv")
    # The version is the manifest's: a copy has no history to count commits in.
    strategy = {"WHOOL_POST_VERSION_STRATEGY_OVERRIDE": "none", "PATH": "/usr/bin:/bin"}
    options = ["--wheel", "--no-build-isolation", "--python", sys.executable]
    for command in (
        [*uv, "build", *options, "--out-dir", folder / "dist", folder / addon.name],
        [*uv, "venv", "--python", sys.executable, folder / "venv"],
    ):
        subprocess.run([*map(str, command)], env=strategy, check=True)
    (file,) = (folder / "dist").glob("*.whl")
    install = [*uv, "pip", "install", "--no-deps", "--python", python, file]
    subprocess.run([*map(str, install)], env=strategy, check=True)
    yield addon, python_env.site_packages(folder / "venv")


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_addon(wheel: tuple[Addon, Path]) -> None:
    addon, packages = wheel
    installed = packages / "odoo" / "addons" / addon.name
    for file in addon.folder.rglob("*"):
        name = file.relative_to(addon.folder)
        ours = file.is_file() and "__pycache__" not in name.parts
        if ours and name.name != "pyproject.toml":
            assert (installed / name).is_file(), name


@pytest.mark.slow
def test_wheel_requires_odoo_19_and_its_packages(wheel: tuple[Addon, Path]) -> None:
    addon, packages = wheel
    (metadata,) = packages.glob(f"odoo_addon_{addon.name}-*/METADATA")
    required = [
        line
        for line in metadata.read_text().splitlines()
        if line.startswith("Requires-Dist")
    ]
    assert "19.0" in "".join(line for line in required if "odoo" in line)
    external = addon.manifest.get("external_dependencies", {}).get("python", ())
    assert all(any(name in line for line in required) for name in external)


@pytest.mark.slow
def test_pure_part_of_a_wheel_works_without_odoo(wheel: tuple[Addon, Path]) -> None:
    addon, packages = wheel
    installed = packages / "odoo" / "addons" / addon.name
    for marker in installed.glob("*/py.typed"):
        name = marker.parent.name
        program = f"import sys; sys.modules['odoo'] = None; import {name} as p"
        subprocess.run(
            [sys.executable, "-c", f"{program}; print(p.__file__)"],
            cwd=installed,
            check=True,
        )
