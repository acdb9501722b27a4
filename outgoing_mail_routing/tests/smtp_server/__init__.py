"""Real SMTP servers on loopback, for tests, the demonstration and benchmarks.

The package knows nothing of Odoo, nor of the addon around it. Addons' tests import it
as ``odoo.addons.outgoing_mail_routing.tests.smtp_server``, wherever the addon was
installed; programs of this repository import it as ``smtp_server``, from its top.

* :class:`SmtpServer` serves in a thread of the test; ``python -m smtp_server FOLDER``
  serves in a process of its own.
* :class:`Script` teaches a server to misbehave: :mod:`.script` has examples.
"""

from .mail import ReceivedMail
from .script import Answer, Close, Rule, Script, Stage
from .server import SmtpServer

__all__ = [
    "Answer",
    "Close",
    "ReceivedMail",
    "Rule",
    "Script",
    "SmtpServer",
    "Stage",
]
