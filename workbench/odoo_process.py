"""Odoo in a process of our own: what other programs of this repository run it by."""

from __future__ import annotations

from odoo.modules.module import initialize_sys_path
from odoo.modules.registry import Registry
from odoo.tools import config


def boot(config_file: str, database: str) -> Registry:
    """Load Odoo, with its log on standard error; return the registry of a database."""
    config.parse_config(["-c", config_file, "-d", database], setup_logging=True)
    initialize_sys_path()
    return Registry(database)
