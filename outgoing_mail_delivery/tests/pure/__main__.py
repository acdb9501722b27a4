"""Run the tests of this folder where Odoo is not installed.

``python outgoing_mail_delivery/tests/pure [options of pytest]``
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

ADDON = Path(__file__).resolve().parents[2]
ROUTING = ADDON.parent / "outgoing_mail_routing"

if __name__ == "__main__":
    # what runs routing's tests runs these
    runner = runpy.run_path(str(ROUTING / "tests" / "pure" / "__main__.py"))
    sys.exit(runner["main"](sys.argv[1:], ADDON))
