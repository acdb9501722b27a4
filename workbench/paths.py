"""Where things are: all that the workbench creates lives in one ignored folder."""

from collections.abc import Mapping
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPO / "workbench" / "requirements"

WORK = REPO / ".workbench"
LOGS = WORK / "logs"
VENV = WORK / "venv"
ODOO_TREE = WORK / "odoo-19"
ODOO_RUN = WORK / "odoo"


def relative(path: Path) -> str:
    """Return ``path`` as a person would type it from the top of the repository."""
    return str(path.relative_to(REPO) if path.is_relative_to(REPO) else path)


def write_changed(texts: Mapping[Path, str]) -> None:
    """Write the files that do not hold their text yet, and name them."""
    for path, text in texts.items():
        if not path.is_file() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"{relative(path)} written")
