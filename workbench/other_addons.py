"""Addons of others, from the package index, that ours have to get on with."""

from __future__ import annotations

import shutil

from . import locks, paths, python_env
from .odoo_server import OdooServer
from .steps import Command

MODULES = ("mail_multicompany", "mail_outbound_static")
#: It takes logins out of the database, so tests with it have one for themselves.
ENVIRONMENT_MODULES = ("mail_environment",)
_REQUIREMENTS = paths.REQUIREMENTS / "other-addons.txt"
_FOLDER = paths.WORK / "other-addons"


def server_with_other_addons(odoo: OdooServer) -> OdooServer:
    """Return the same Odoo with these addons on its addons path.

    They are not installed into the environment: there Odoo would find them in every
    database, and they would ask for Odoo itself.

    :raise StepFailed: they cannot be fetched
    """
    stamp, wanted = _FOLDER / "unpacked", locks.fingerprint(_REQUIREMENTS)
    with locks.exclusive("other-addons"):
        if not locks.is_current(stamp, wanted):
            shutil.rmtree(_FOLDER, ignore_errors=True)
            options: Command = ["--no-deps", "--target", _FOLDER]
            python_env.install(options, [_REQUIREMENTS], "addons of others")
            stamp.write_text(wanted)
    return odoo.with_addons(_FOLDER / "odoo" / "addons", _REQUIREMENTS)
