"""What is left behind when the addon goes: core's queue goes on where it stopped."""

from odoo.addons.outgoing_mail_routing.hooks import forget_foreign_keys


def uninstall_hook(env):
    """Leave each mail in a state that core's queue goes on from.

    What waits is due at once, what may have arrived or is held stays failed, and
    nothing is sent twice: what was accepted is settled first, and what a run was
    transmitting counts as failed.
    """
    env["mail.delivery.run"]._end_for_good()
    env["ir.config_parameter"].search([("key", "=like", "mail_delivery.%")]).unlink()
    forget_foreign_keys(env, "outgoing_mail_delivery")
