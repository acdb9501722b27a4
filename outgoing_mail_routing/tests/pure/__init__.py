"""Tests of ``routing/`` alone: no database, no Odoo.

Run by pytest-odoo with all other tests, or on a bare Python with pytest and
hypothesis:  ``python outgoing_mail_routing/tests/pure [options of pytest]``
"""
