"""Where things are: all that the workbench creates lives in one ignored folder."""

from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPO / "workbench" / "requirements"

WORK = REPO / ".workbench"
LOGS = WORK / "logs"
LOCKS = WORK / "locks"
UV = WORK / "uv"
VENV = WORK / "venv"
LINT_VENV = WORK / "lint-venv"
BROWSER_VENV = WORK / "browser-venv"
ODOO_TREE = WORK / "odoo-19"
ODOO_RUN = WORK / "odoo"
POSTGRES = WORK / "postgres"
RESULTS = WORK / "results"


def create_work_folders() -> None:
    """Create the ignored folder and those of its sub-folders that others expect."""
    for folder in (WORK, LOGS, LOCKS, ODOO_RUN, RESULTS):
        folder.mkdir(exist_ok=True)


def relative(path: Path) -> str:
    """Return ``path`` as a person would type it from the top of the repository."""
    return str(path.relative_to(REPO) if path.is_relative_to(REPO) else path)
