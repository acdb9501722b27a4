"""The virtual environments, made by uv: one for Odoo, one for the linters.

uv itself comes from the package index by pip; it finds an interpreter that Odoo 19
runs on, or fetches one.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import locks, paths, system_packages
from .steps import Command, run

UV = "uv==0.13.9"
#: The Pythons that Odoo 19 runs on.
INTERPRETER = ">=3.10,<3.14"
REMEDY = (
    "The package index, or the one that pip is configured for, must be reachable. "
    "Start again once it is."
)


def enter(arguments: Sequence[str]) -> None:
    """Go on in the Python of Odoo's environment, made or renewed if need be."""
    if Path(sys.prefix).resolve() == paths.VENV.resolve():
        # by it this much was found; other Pythons have no use for it
        os.environ.pop("PYTHONPATH", None)
        return
    for folder in (paths.LOGS, paths.ODOO_RUN):
        folder.mkdir(parents=True, exist_ok=True)
    with locks.exclusive("environment"):
        python = ensure(paths.VENV, "odoo", "test")
    sys.stdout.flush()
    os.execv(python, [str(python), "-m", "workbench", *arguments])


def ensure(folder: Path, *files: str) -> Path:
    """Create or renew an environment with requirement files; return its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        options = ["--clear", "--relocatable", "--no-project", "--python", INTERPRETER]
        uv("venv", *options, folder, title=f"Create {paths.relative(folder)}")
    install(["--python", python], *files)
    return python


def install(options: Command, *files: str) -> None:
    """Install what requirement files pin, where the options say, unless it is there."""
    pinned = [
        part for name in files for part in ("-r", paths.REQUIREMENTS / f"{name}.txt")
    ]
    uv("pip", "install", *options, *pinned, title=f"Install {' and '.join(files)}.txt")


def uv(command: str, *arguments: str | Path, title: str) -> None:
    """Run uv, fetched first where this is the first time."""
    run(
        [uv_program(), command, *arguments],
        title=title,
        log=f"uv-{command}",
        remedy=REMEDY,
        env=_index_of_pip(),
    )


def uv_program() -> Path:
    """Return the program, installed if need be."""
    folder = paths.WORK / UV
    program, python = (folder / "bin" / name for name in ("uv", "python"))
    if not program.is_file():
        system_packages.ensure(["venv"])
        venv: Command = [sys.executable, "-m", "venv", "--clear", folder]
        pip: Command = [python, "-m", "pip", "install", UV]
        run(venv, title="Make a place for uv", log="venv", remedy=REMEDY)
        run(pip, title="Fetch uv", log="pip-uv", remedy=REMEDY)
    return program


def _index_of_pip() -> dict[str, str]:
    """Return the variables by which uv uses the index that pip is configured for."""
    python = uv_program().with_name("python")
    command = [str(python), *"-m pip config get global.index-url".split()]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    index = os.environ.get("PIP_INDEX_URL") or answer.stdout.strip()
    return {"UV_DEFAULT_INDEX": index} if index else {}


def site_packages(folder: Path) -> Path:
    """Return where the virtual environment in ``folder`` keeps its packages."""
    return next((folder / "lib").glob("python3.*/site-packages"))


def make_importable(*roots: Path) -> None:
    """Make this repository and the trees at ``roots`` importable, from now on."""
    lines = [str(path) for path in (paths.REPO, *roots)]
    link = site_packages(paths.VENV) / "workbench.pth"
    link.write_text("\n".join([*lines, ""]))
    sys.path += [line for line in lines if line not in sys.path]
