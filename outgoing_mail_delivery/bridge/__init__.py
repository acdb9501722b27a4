"""The glue between ``delivery/`` and Odoo: plain classes that take an environment.

Models and the engine import this floor; it imports ``delivery/`` and never a model.
"""
