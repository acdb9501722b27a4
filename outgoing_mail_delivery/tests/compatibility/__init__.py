"""Compatibility with other addons that take part in sending mail.

The test command makes their databases; Odoo's own test runner leaves them alone.
"""
