"""Tests of ``delivery/`` alone: no database, no Odoo.

Run by pytest-odoo with all other tests, or on a bare Python with pytest, hypothesis and
aiosmtpd:  ``python outgoing_mail_delivery/tests/pure [options of pytest]``
"""
