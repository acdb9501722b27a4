"""The addon as a wheel: what ``pip install`` puts beside an Odoo that is there."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import idna
import pytest

from workbench import paths, python_env

INSTALLED = Path("odoo") / "addons" / paths.ADDON_NAME


def _run(*command: str | Path, **variables: str) -> str:
    """Run a command in a bare environment; its output is shown if it fails."""
    bare = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **variables}
    result = subprocess.run(
        [str(part) for part in command],
        env=bare,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def bare_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel and what ``routing/`` needs."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / paths.ADDON_NAME
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.ADDON, source, ignore=ignored)
    options = ["--wheel", "--no-isolation", "--outdir", folder / "dist"]
    # The version is the manifest's: a copy has no history to count commits in.
    strategy = {"WHOOL_POST_VERSION_STRATEGY_OVERRIDE": "none"}
    _run(sys.executable, "-m", "build", *options, source, **strategy)
    (wheel,) = (folder / "dist").glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python = python_env.python_of(environment)
    _run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel)
    packages = python_env.site_packages(environment)
    shutil.copytree(Path(idna.__file__).parent, packages / "idna")
    return environment


def test_wheel_holds_every_file_of_the_addon(bare_environment: Path) -> None:
    installed = python_env.site_packages(bare_environment) / INSTALLED
    for file in paths.ADDON.rglob("*"):
        name = file.relative_to(paths.ADDON)
        ours = file.is_file() and "__pycache__" not in name.parts
        if ours and name.name != "pyproject.toml":
            assert (installed / name).is_file(), name


def test_wheel_requires_odoo_19_and_its_packages(bare_environment: Path) -> None:
    program = (
        "import importlib.metadata as metadata; "
        f"print(metadata.requires('odoo-addon-{paths.ADDON_NAME}'))"
    )
    required = _run(python_env.python_of(bare_environment), "-c", program)
    assert "19.0" in required
    assert "idna" in required


def test_installed_routing_works_without_odoo(bare_environment: Path) -> None:
    installed = python_env.site_packages(bare_environment) / INSTALLED
    program = "import routing; print(routing.__file__)"
    python = python_env.python_of(bare_environment)
    assert str(installed) in _run(python, "-c", program, PYTHONPATH=str(installed))
