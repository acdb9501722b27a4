"""The example files that Odoo's import offers to download."""

_FOLDER = "/outgoing_mail_routing/static/example"


def with_template(inherited, label, name):
    """The import templates of a model, with one of ours.

    :param inherited: the inherited method, ``None`` without the addon ``base_import``
    :return: list as ``base_import`` asks for
    """
    templates = inherited() if inherited else []
    return [*templates, {"label": label, "template": f"{_FOLDER}/{name}"}]
