"""Compatibility with ``mail_environment``, which has a database for itself.

A port that is typed for a new server is lost with it, and with it every SMTP server
that the other tests start.
"""
