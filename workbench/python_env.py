"""The virtual environments, made by uv: for Odoo, for the linters, for a browser.

uv itself comes from the package index by pip; it finds an interpreter that Odoo 19
runs on, or fetches one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import locks, paths, system_packages
from .steps import Command, run

#: The Pythons that Odoo 19 runs on.
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
INTERPRETER = ">=3.10,<3.14"
#: Variables that would mix another Python's packages into the environment.
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_USER", "PIP_PREFIX")
REACHABLE = (
    "The package index, or the one that pip is configured for, must be reachable. "
    "Start again once it is."
)
PTH = "workbench.pth"


def enter(arguments: Sequence[str]) -> None:
    """Go on in the Python of Odoo's environment, made or renewed if need be.

    :raise StepFailed: the packages could not be installed
    """
    if Path(sys.prefix).resolve() == paths.VENV.resolve():
        return
    for name in FOREIGN:
        os.environ.pop(name, None)
    paths.create_work_folders()
    with locks.exclusive("environment"):
        python = ensure(paths.VENV, ("odoo.txt", "test.txt"), "Odoo and the tests")
    sys.stdout.flush()
    os.execv(python, [str(python), str(paths.REPO / "workbench"), *arguments])


def python_of(folder: Path) -> Path:
    """Return the interpreter of the virtual environment in ``folder``."""
    return folder / "bin" / "python"


def site_packages(folder: Path) -> Path:
    """Return where the virtual environment in ``folder`` keeps its packages."""
    return next((folder / "lib").glob("python3.*/site-packages"))


def ensure(folder: Path, files: Sequence[str], purpose: str) -> Path:
    """Create or renew an environment; return its Python.

    :param files: names of requirement files
    :raise StepFailed: the packages could not be installed
    """
    requirements = [paths.REQUIREMENTS / name for name in files]
    python, stamp = python_of(folder), folder / "installed"
    wanted = locks.fingerprint(INTERPRETER, str(folder), *requirements)
    # a link to an interpreter that the system has no more leads nowhere
    if not locks.is_current(stamp, wanted) or not python.exists():
        shutil.rmtree(folder, ignore_errors=True)
        options: Command = ["--no-project", "--python", INTERPRETER, folder]
        uv("venv", *options, title=f"Create the Python environment for {purpose}")
        install(["--python", python], requirements, f"the packages for {purpose}")
        (site_packages(folder) / PTH).write_text(f"{paths.REPO}\n")
        stamp.write_text(wanted)
    return python


def install(options: Command, requirements: Sequence[Path], what: str) -> None:
    """Install what requirement files pin, where the options say.

    :raise StepFailed: the packages could not be installed
    """
    files = [part for path in requirements for part in ("-r", path)]
    uv("pip", "install", *options, *files, title=f"Install {what}")


def uv(command: str, *arguments: str | Path, title: str) -> None:
    """Run uv, fetched first where this is the first time.

    :raise StepFailed: it failed
    """
    python, stamp = python_of(paths.UV), paths.UV / "installed"
    pinned = paths.REQUIREMENTS / "uv.txt"
    wanted = locks.fingerprint(pinned, str(paths.UV))
    if not locks.is_current(stamp, wanted) or not python.exists():
        system_packages.ensure(["venv"])
        venv: Command = [sys.executable, "-m", "venv", "--clear", paths.UV]
        pip: Command = [python, "-m", "pip", "install", "-r", pinned]
        run(venv, title="Make a place for uv", log="venv", how_to_go_on=REACHABLE)
        run(pip, title="Fetch uv", log="pip-uv", how_to_go_on=REACHABLE)
        stamp.write_text(wanted)
    run(
        [python, "-m", "uv", command, *arguments],
        title=title,
        log=f"uv-{command}",
        how_to_go_on=REACHABLE,
        env=_index_of_pip(python),
    )


def _index_of_pip(python: Path) -> dict[str, str]:
    """Return the variables by which uv uses the index that pip is configured for."""
    command = [str(python), "-m", "pip", "config", "get", "global.index-url"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    index = os.environ.get("PIP_INDEX_URL") or answer.stdout.strip()
    return {"UV_DEFAULT_INDEX": index} if index else {}


def make_importable(root: Path) -> None:
    """Make ``import odoo`` and ``python -m odoo`` find the tree at ``root``.

    It holds for the environment's Python from its next start on, and for this one.
    """
    link = site_packages(paths.VENV) / PTH
    line = f"{paths.REPO}\n{root}\n"
    if link.read_text() != line:
        link.write_text(line)
    if str(root) not in sys.path:
        sys.path.append(str(root))
