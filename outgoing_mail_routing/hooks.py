from odoo.models import is_model_definition

from odoo.addons.base.models.ir_model import MODULE_UNINSTALL_FLAG

_MODULE = "outgoing_mail_routing"


def uninstall_hook(env):
    """Remove what core would leave behind."""
    if not _others_give_servers_a_chatter(env):
        _forget_server_log(env)
        _forget_chatter(env)
    forget_foreign_keys(env, _MODULE)


def _others_give_servers_a_chatter(env):
    definitions = filter(is_model_definition, type(env["ir.mail_server"]).mro())
    return any(
        "mail.thread" in definition._inherit and definition._module != _MODULE
        for definition in definitions
        if definition._name == "ir.mail_server"
    )


def _forget_server_log(env):
    """Remove what hangs on mail servers by model and id, for the model stays.

    Tracking values, notifications and reactions go with their messages.
    """
    messages = env["mail.message"].search([("model", "=", "ir.mail_server")])
    messages.attachment_ids.unlink()
    messages.unlink()
    env["mail.followers"].search([("res_model", "=", "ir.mail_server")]).unlink()
    env["mail.scheduled.message"].search([("model", "=", "ir.mail_server")]).unlink()


def _forget_chatter(env):
    """Remove core's notes of what mail servers inherit, also in others' names.

    Modules that extend the chatter, as ``sms`` does, extend that of servers too, and
    core takes it for theirs.
    """
    names = list(env["mail.thread"]._fields.keys() - env["base"]._fields.keys())
    model = env["ir.model"]._get("ir.mail_server")
    for notes in (
        env["ir.model.fields"].search(
            [("model_id", "=", model.id), ("name", "in", names)]
        ),
        env["ir.model.inherit"].search(
            [("model_id", "=", model.id), ("parent_id.model", "=", "mail.thread")]
        ),
    ):
        ids = env["ir.model.data"].search(
            [("model", "=", notes._name), ("res_id", "in", notes.ids)]
        )
        ours = ids.filtered(lambda note: note.module == _MODULE)
        (ids - ours).unlink()
        orphans = notes - notes.browse(ours.mapped("res_id"))
        orphans.with_context(**{MODULE_UNINSTALL_FLAG: True}).unlink()


def forget_foreign_keys(env, module):
    """Remove core's notes of a module's foreign keys.

    Core finds what to remove by external ids, and gives these notes none.
    """
    constraints = env["ir.model.constraint"].search(
        [("module.name", "=", module), ("type", "=", "f")]
    )
    constraints.unlink()
