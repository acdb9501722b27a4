"""Call a function in a process of Odoo's: see ``OdooServer.call``.

Run as ``python -m workbench.inside CONFIG DATABASE MODULE:FUNCTION VALUES``, it calls
the function as the superuser, who runs the mail queue, commits, and prints what it
returns as one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import sys


def main(config: str, database: str, name: str, values: str) -> None:
    """Call it; an error ends the process and rolls back."""
    from odoo import SUPERUSER_ID, api, tools
    from odoo.modules.registry import Registry

    tools.config.parse_config(["-c", config, "-d", database])
    module, _, function = name.partition(":")
    with Registry(database).cursor() as cursor:
        env = api.Environment(cursor, SUPERUSER_ID, {})
        called = getattr(importlib.import_module(module), function)
        answer = called(env, *json.loads(values))
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
