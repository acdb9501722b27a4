"""What Odoo's own tests need where they run with all modules loaded.

Odoo runs the tests of ``base`` before ``mail`` is loaded. Here they run with ``mail``
and the addon loaded, which is stricter, but ``mail`` gives another address than they
expect for testing a connection (``odoo@`` instead of ``noreply@`` the filter's domain).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest.mock import patch


@contextlib.contextmanager
def own_test_address(module: str) -> Iterator[None]:
    """Let the tests of ``base`` see its own ``_get_test_email_from``.

    :param module: the Python module of the test that is about to run
    """
    if not module.startswith("odoo.addons.base."):
        yield
        return
    from odoo.addons.base.models.ir_mail_server import IrMail_Server as OfBase
    from odoo.addons.mail.models.ir_mail_server import IrMail_Server as OfMail

    method = OfBase._get_test_email_from
    with patch.object(OfMail, "_get_test_email_from", method):
        yield
