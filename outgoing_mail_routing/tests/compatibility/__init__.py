"""Compatibility with other addons that take part in sending mail.

The tests need a database in which these are installed: ``google_gmail``,
``microsoft_outlook``, and from PyPI ``mail_outbound_static`` and ``mail_multicompany``.
The test command makes it; Odoo's own test runner leaves them alone.
"""
