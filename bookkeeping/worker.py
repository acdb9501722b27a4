"""A process that runs the mail queue again and again, as a cron worker does.

``python -m bookkeeping.worker CONFIG DATABASE`` ends when it is told to (SIGTERM),
between two runs. It writes a line on standard output for each run: how it ended.

``--hold-before STEP`` and ``--hold-after STEP`` stop it: :mod:`bookkeeping.hold`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from odoo import api
from odoo.modules import module
from odoo.modules.registry import Registry

from bookkeeping.hold import hold
from workbench.odoo_process import boot

#: Seconds between two runs, as Odoo's workers would not begin the next at once.
PAUSE = 0.5


def main() -> None:
    """Load Odoo, and run the queue until told to end."""
    options = _arguments()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    ended: list[int] = []
    registry = boot(options.config, options.database)
    # Odoo's own stop of a worker lets what it does come to its end as well
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    module.current_test = False
    for before in (True, False):
        if step := options.hold_before if before else options.hold_after:
            hold(step, options.mark, registry.models, before=before, skip=options.skip)
    print("ready", file=answers)
    while not ended:
        print(_run(registry), file=answers)
        if options.once:
            return
        time.sleep(PAUSE)


def _run(registry: Registry) -> str:
    """Run the queue once; return how that ended."""
    try:
        registry = registry.check_signaling()
        with registry.cursor() as cr:
            env = api.Environment(cr, api.SUPERUSER_ID, {})
            env["mail.mail"].process_email_queue()
    except Exception as error:
        traceback.print_exc()
        return f"failed: {type(error).__name__}"
    return "done"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("database")
    parser.add_argument("--once", action="store_true", help="run the queue once")
    parser.add_argument("--hold-before", metavar="STEP")
    parser.add_argument("--hold-after", metavar="STEP")
    parser.add_argument("--mark", type=Path, help="the file that tells it is held")
    parser.add_argument("--skip", type=int, default=0, help="not the first times")
    return parser.parse_args(sys.argv[1:])


if __name__ == "__main__":
    main()
