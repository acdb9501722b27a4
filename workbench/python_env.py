"""The virtual environments: for Odoo and its tests, for the linters, for a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import paths, stamps
from .steps import StepFailed, run
from .system_packages import ensure

OLDEST, NEWEST = (3, 10), (3, 13)
SUPPORTED = [f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
ODOO_REQUIREMENTS = ("odoo.txt", "test.txt")
PTH = "workbench_odoo.pth"
#: Variables that would mix another Python's packages into the environment.
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_USER", "PIP_PREFIX")


def is_supported(version: Sequence[int]) -> bool:
    """Tell whether Odoo 19 runs on a Python of this version.

    >>> [is_supported((3, minor)) for minor in (9, 10, 13, 14)]
    [False, True, True, False]
    """
    return OLDEST <= tuple(version[:2]) <= NEWEST


def find_python() -> Path:
    """Return a Python that Odoo 19 runs on: this one, else the newest in PATH.

    :raise StepFailed: there is none
    """
    if is_supported(sys.version_info):
        return Path(sys.executable)
    for version in reversed(SUPPORTED):
        found = shutil.which(f"python{version}")
        if found:
            return Path(found)
    raise StepFailed(
        "Find a Python for Odoo 19",
        f"Odoo 19 runs on Python {SUPPORTED[0]} to {SUPPORTED[-1]}; this is "
        f"{sys.version.split()[0]}, and no other is in PATH",
        f"Install one of them, for example the package python{SUPPORTED[-2]}.",
    )


def python_of(folder: Path) -> Path:
    """Return the interpreter of the virtual environment in ``folder``."""
    return folder / "bin" / "python"


def site_packages(folder: Path) -> Path:
    """Return where the virtual environment in ``folder`` keeps its packages.

    :raise StepFailed: the folder holds no environment
    """
    for found in sorted((folder / "lib").glob("python3.*/site-packages")):
        return found
    raise StepFailed(
        "Look into the Python environment",
        f"{folder} holds none",
        f"Remove {folder} and start again.",
    )


def runs_inside() -> bool:
    """Tell whether the running Python is that of Odoo's virtual environment."""
    return Path(sys.prefix).resolve() == paths.VENV.resolve()


def ensure_odoo_environment() -> Path:
    """Create or renew the environment for Odoo and the tests; return its Python.

    :raise StepFailed: no fitting Python, or the packages could not be installed
    """
    return _ensure(paths.VENV, ODOO_REQUIREMENTS, "Odoo and the tests")


def ensure_lint_environment(with_node: bool) -> Path:
    """Create or renew the linters' environment; return its Python.

    :param with_node: Node.js is installed into it as well
    :raise StepFailed: no fitting Python, or the packages could not be installed
    """
    files = ("lint.txt", "node.txt") if with_node else ("lint.txt",)
    return _ensure(paths.LINT_VENV, files, "the linters")


def ensure_browser_environment() -> Path:
    """Create or renew the environment that drives a browser; return its Python.

    :raise StepFailed: no fitting Python, or the packages could not be installed
    """
    return _ensure(paths.BROWSER_VENV, ("browser.txt",), "the pictures")


def _ensure(folder: Path, files: Iterable[str], purpose: str) -> Path:
    requirements = [paths.REQUIREMENTS / name for name in files]
    python, base = python_of(folder), _base_python(folder)
    version = subprocess.run(
        [base, "-c", "import sys; print(sys.version, sys.base_prefix)"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    wanted = stamps.fingerprint(version, str(folder), *requirements)
    stamp = folder / "installed"
    if stamps.is_current(stamp, wanted) and python.exists():
        return python
    ensure(["venv"])
    shutil.rmtree(folder, ignore_errors=True)
    run(
        [base, "-m", "venv", folder],
        title=f"Create the Python environment for {purpose}",
        log=f"venv-{folder.name}",
        how_to_go_on="Install Python's venv module (package python3-venv).",
    )
    _install(python, requirements, purpose, f"pip-{folder.name}")
    stamp.write_text(wanted)
    return python


def _base_python(folder: Path) -> Path:
    """Return the Python to build on: from within an environment, the one below it."""
    if sys.prefix == sys.base_prefix:
        return find_python()
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    below = Path(sys.base_prefix) / "bin" / name
    return below if below.exists() else find_python()


def _install(python: Path, requirements: list[Path], purpose: str, log: str) -> None:
    options = ["--prefer-binary", "--disable-pip-version-check", "--no-input"]
    files = [part for path in requirements for part in ("-r", str(path))]
    run(
        [python, "-m", "pip", "install", *options, *files],
        title=f"Install the Python packages of {purpose}",
        log=log,
        how_to_go_on=(
            "PyPI, or the index that pip is configured for, must be reachable. "
            "Start again once it is."
        ),
        watch=_last_package,
    )


def _last_package(log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").splitlines()
    collecting = [line for line in lines if line.startswith("Collecting ")]
    if lines and lines[-1].startswith("Installing collected"):
        return "installing"
    return collecting[-1].split()[1] if collecting else ""


def make_importable(root: Path) -> None:
    """Make ``import odoo`` and ``python -m odoo`` find the tree at ``root``.

    It holds for the environment's Python from its next start on, and for this one.
    """
    link = site_packages(paths.VENV) / PTH
    line = f"{root}\n"
    if not link.is_file() or link.read_text() != line:
        link.write_text(line)
    if runs_inside() and str(root) not in sys.path:
        sys.path.append(str(root))


def forget_foreign_variables() -> None:
    """Drop the variables that would mix another Python's packages into ours."""
    for name in FOREIGN:
        os.environ.pop(name, None)
