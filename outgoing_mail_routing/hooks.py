_MODULE = "outgoing_mail_routing"


def uninstall_hook(env):
    """Remove core's notes of this module's foreign keys, which it would leave behind.

    Core finds what to remove by external ids, and gives these notes none.
    """
    constraints = env["ir.model.constraint"].search(
        [("module.name", "=", _MODULE), ("type", "=", "f")]
    )
    constraints.unlink()
