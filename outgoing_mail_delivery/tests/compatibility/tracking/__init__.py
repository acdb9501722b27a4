"""Compatibility with ``mail_tracking`` and ``mail_post_defer``, both from PyPI."""
