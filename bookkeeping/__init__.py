"""What servers accepted and what Odoo says of it: see :mod:`bookkeeping.run`."""
