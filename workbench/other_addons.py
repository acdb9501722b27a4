"""Addons of others, from PyPI, that ours has to get on with."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

from . import locks, paths, stamps
from .odoo_server import OdooServer
from .odoo_source import OdooSource
from .steps import run

MODULES = ("mail_multicompany", "mail_outbound_static")
#: It takes logins out of the database, so tests beside it have one for themselves.
ENVIRONMENT_MODULES = ("mail_environment",)
_REQUIREMENTS = paths.REQUIREMENTS / "other-addons.txt"
_FOLDER = paths.WORK / "other-addons"


def server_with_other_addons(odoo: OdooServer) -> OdooServer:
    """Return the same Odoo with these addons on its addons path.

    :raise StepFailed: they cannot be fetched
    """
    with locks.exclusive("other-addons"):
        folder = _ensure()
    source = _source_with(odoo.source, folder)
    return OdooServer(odoo.python, source, odoo.databases, odoo.users_lock)


def _source_with(source: OdooSource, folder: Path) -> OdooSource:
    return dataclasses.replace(
        source,
        addons_paths=(*source.addons_paths, folder),
        fingerprint=stamps.fingerprint(source.fingerprint, _REQUIREMENTS),
    )


def _ensure() -> Path:
    """Unpack the wheels, unless they are there already; return their addons folder.

    They are not installed into the environment: there Odoo would find them in every
    database, and pip would ask for Odoo itself.
    """
    stamp, wanted = _FOLDER / "unpacked", stamps.fingerprint(_REQUIREMENTS)
    if not stamps.is_current(stamp, wanted):
        shutil.rmtree(_FOLDER, ignore_errors=True)
        run(
            [
                *(sys.executable, "-m", "pip", "install", "--no-deps", "--no-input"),
                *("--disable-pip-version-check", "--target", _FOLDER),
                *("-r", _REQUIREMENTS),
            ],
            title="Fetch other addons to test beside",
            log="pip-other-addons",
            how_to_go_on=(
                "PyPI, or the index that pip is configured for, must be reachable. "
                "Start again once it is."
            ),
        )
        stamp.write_text(wanted)
    return _FOLDER / "odoo" / "addons"
