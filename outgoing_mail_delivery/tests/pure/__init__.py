"""Tests of ``delivery/`` alone: no database, no Odoo.

Run by pytest-odoo with all other tests, or on a bare Python with pytest, hypothesis and
aiosmtpd:  ``python outgoing_mail_delivery/tests/pure [options of pytest]``
"""

from hypothesis import settings

# how long an example takes tells of the machine, not of the code
settings.register_profile("pure", deadline=None)
settings.load_profile("pure")
