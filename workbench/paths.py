"""Where things are: all that the workbench creates lives in one ignored folder."""

from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
ADDON_NAME = "outgoing_mail_routing"
ADDON = REPO / ADDON_NAME
REQUIREMENTS = REPO / "workbench" / "requirements"

WORK = REPO / ".workbench"
LOGS = WORK / "logs"
LOCKS = WORK / "locks"
VENV = WORK / "venv"
LINT_VENV = WORK / "lint-venv"
BROWSER_VENV = WORK / "browser-venv"
NODE = WORK / "node"
APT = WORK / "apt"
ODOO_TREE = WORK / "odoo-19"
ODOO_RUN = WORK / "odoo"
ODOO_DATA = ODOO_RUN / "data"
POSTGRES = WORK / "postgres"
RESULTS = WORK / "results"

#: Names the file in which a run of pytest leaves its counts.
RESULT_VARIABLE = "WORKBENCH_RESULT"
#: Tells the tests that the machine's own PostgreSQL is used.
SYSTEM_VARIABLE = "WORKBENCH_SYSTEM_POSTGRES"


def create_work_folders() -> None:
    """Create the ignored folder and those of its sub-folders that others expect."""
    for folder in (WORK, LOGS, LOCKS, ODOO_RUN, RESULTS):
        folder.mkdir(exist_ok=True)


def relative(path: Path) -> str:
    """Return ``path`` as a person would type it from the top of the repository."""
    try:
        return str(path.relative_to(REPO))
    except ValueError:
        return str(path)
