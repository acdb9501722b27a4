"""Ask the addon for the route of mails, in a process of Odoo's own code.

Run as ``python -m workbench.explain_routes CONFIG DATABASE`` it prints one line of
JSON: a list of :class:`Explanation` for every mail that the database holds. The answer
is private to Python (``mail.mail._get_mail_routes``), so it cannot be had over RPC.
Nothing is sent or changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import paths
from .odoo_server import OdooServer
from .steps import StepFailed, step

MODULE = "workbench.explain_routes"


@dataclass(frozen=True)
class Explanation:
    """What the addon says of a mail; ``steps`` are its sentences, the last decides."""

    subject: str
    recipients: tuple[str, ...]
    rule: str
    login: str
    envelope_sender: str
    email_from: str
    reply_to: str
    return_path: str
    steps: tuple[str, ...]


def explain(odoo: OdooServer, database: str) -> list[Explanation]:
    """Return the routes of all mails of a database, sent ones too if they were kept.

    :raise StepFailed: the addon could not answer
    """
    title = "Ask the addon by which rule each mail leaves"
    config = odoo.write_config(database)
    with step(title):
        result = subprocess.run(
            [str(odoo.python), "-m", MODULE, str(config), database],
            cwd=paths.REPO,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise StepFailed(
                title,
                "\n".join(result.stderr.splitlines()[-15:]),
                f"Correct {paths.ADDON_NAME}/models/mail_mail.py, then start again.",
            )
        rows = json.loads(result.stdout.splitlines()[-1])
    return [_explanation(values) for values in rows]


def _explanation(values: dict[str, Any]) -> Explanation:
    lists = {name: tuple(values[name]) for name in ("recipients", "steps")}
    return Explanation(**{**values, **lists})


# What follows runs in the process that knows Odoo.


def main(config: Path, database: str) -> None:
    """Print the explanations as the user who runs the mail queue would get them."""
    from odoo import SUPERUSER_ID, api, tools
    from odoo.modules.registry import Registry

    tools.config.parse_config(["-c", str(config), "-d", database])
    with Registry(database).cursor() as cursor:
        env = api.Environment(cursor, SUPERUSER_ID, {})
        mails = env["mail.mail"].search([])
        routes = mails._get_mail_routes()
        explained = [_explain(mail, routes[mail.id]) for mail in mails]
    print(json.dumps([asdict(explanation) for explanation in explained]))


def _explain(mail: Any, route: Any) -> Explanation:
    return Explanation(
        subject=mail.subject or "",
        recipients=tuple(mail.recipient_ids.mapped("email_normalized")),
        rule=route.rule,
        login=route.mail_server.smtp_user or "",
        envelope_sender=route.envelope_sender or "",
        email_from=route.email_from,
        reply_to=route.reply_to,
        return_path=route.return_path,
        steps=tuple(map(str, route.steps)),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
