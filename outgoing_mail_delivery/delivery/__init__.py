"""Delivery without Odoo: what is offered, what answers mean, when to try again.

Nothing in this package imports Odoo. The floor above feeds it records as plain values
and writes down what it decides; the same functions serve runs, buttons and pages.
"""
