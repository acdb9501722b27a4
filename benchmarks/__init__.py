"""What the addon costs, measured beside Odoo without it: see :mod:`benchmarks.run`."""
