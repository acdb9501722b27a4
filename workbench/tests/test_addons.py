"""The addons are found by their manifests, and everything follows them."""

import doctest
import importlib
import pkgutil
import shutil
import subprocess
import sys
import zipfile
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


@pytest.mark.slow
@pytest.mark.parametrize("addon", ADDONS, ids=lambda it: it.name)
def test_wheel_is_whole_and_its_pure_part_works_without_odoo(
    addon: Addon, tmp_path: Path
) -> None:
    copy, unpacked = tmp_path / addon.name, tmp_path / "unpacked"
    unused = shutil.ignore_patterns("__pycache__")
    shutil.copytree(addon.folder, copy, ignore=unused)
    build = [python_env.uv_program(), "build", "--wheel", "--no-build-isolation"]
    options = ["--python", sys.executable, "--out-dir", tmp_path, copy]
    # the version is the manifest's: a copy has no history to count commits in
    strategy = {"WHOOL_POST_VERSION_STRATEGY_OVERRIDE": "none", "PATH": "/usr/bin:/bin"}
    subprocess.run([*map(str, [*build, *options])], env=strategy, check=True)
    (file,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(file).extractall(unpacked)
    installed = unpacked / "odoo" / "addons" / addon.name
    for kept in copy.rglob("*"):
        if kept.is_file() and kept.name != "pyproject.toml":
            assert (installed / kept.relative_to(copy)).is_file(), kept
    (metadata,) = unpacked.glob("*.dist-info/METADATA")
    lines = metadata.read_text().splitlines()
    required = [line for line in lines if line.startswith("Requires-Dist")]
    assert "19.0" in "".join(line for line in required if "odoo" in line)
    for name in addon.manifest.get("external_dependencies", {}).get("python", ()):
        assert any(name in line for line in required), name
    for marker in installed.glob("*/py.typed"):
        program = f"import sys; sys.modules['odoo'] = None; import {marker.parent.name}"
        subprocess.run([sys.executable, "-c", program], cwd=installed, check=True)
