_MODULE = "outgoing_mail_routing"


def uninstall_hook(env):
    """Remove what core would leave behind."""
    _forget_server_log(env)
    _forget_foreign_keys(env)


def _forget_server_log(env):
    """Remove what hangs on mail servers, which have a chatter by this module alone.

    Core finds it by model and id, and the model stays. Tracking values, notifications
    and reactions go with their messages.
    """
    messages = env["mail.message"].search([("model", "=", "ir.mail_server")])
    messages.attachment_ids.unlink()
    messages.unlink()
    env["mail.followers"].search([("res_model", "=", "ir.mail_server")]).unlink()
    env["mail.scheduled.message"].search([("model", "=", "ir.mail_server")]).unlink()


def _forget_foreign_keys(env):
    """Remove core's notes of this module's foreign keys.

    Core finds what to remove by external ids, and gives these notes none.
    """
    constraints = env["ir.model.constraint"].search(
        [("module.name", "=", _MODULE), ("type", "=", "f")]
    )
    constraints.unlink()
