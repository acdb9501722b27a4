"""The pictures of the documentation: data, and no logic but where a file is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import paths

ROUTING = "outgoing_mail_routing"


@dataclass(frozen=True)
class Picture:
    """A picture: who opens what in how large a window, and which part of it it shows.

    ``action`` is a full XML id, ``record`` the name in the demonstration data of the
    one that it opens. In the context ``@name`` stands for a record's id, and
    ``model@name`` for it with its model. Then the ``clicks`` are made, each on what a
    selector finds. ``crop`` selects the part that the picture shows, or, if ``whole``,
    that is scrolled to. ``debug`` opens the pages that only developers see; ``dark``
    lets the browser darken them, for Odoo Community has no dark mode.
    """

    name: str
    action: str
    crop: str
    addon: str = ROUTING
    login: str = "admin"
    record: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    clicks: Sequence[str] = ()
    width: int = 1280
    height: int = 1150
    debug: bool = False
    whole: bool = False
    dark: bool = False

    @property
    def phone(self) -> bool:
        """Whether the window is that of a phone, which is touched."""
        return self.width < 500

    @property
    def file(self) -> Path:
        """The file that the documentation shows."""
        folder = paths.REPO / self.addon / "static" / "description"
        return folder / f"screenshot_{self.name}.png"


def resolve(value: Any, ids: Mapping[str, int]) -> Any:
    """Return a value with the ids of the records that it refers to.

    >>> resolve({"one": "@a", "named": "model@a", "many": ["@b"]}, {"a": 3, "b": 4})
    {'one': 3, 'named': 'model,3', 'many': [4]}
    """
    if isinstance(value, Mapping):
        return {name: resolve(part, ids) for name, part in value.items()}
    if isinstance(value, list):
        return [resolve(part, ids) for part in value]
    if isinstance(value, str) and "@" in value:
        model, _, name = value.partition("@")
        return f"{model},{ids[name]}" if model else ids[name]
    return value


SHEET, DIALOG = ".o_form_sheet", ".modal-content"
SERVERS, USERS = "base.action_ir_mail_server_list", "base.action_res_users"
ANNA, RELAY = "user_anna", "mail_server_relay_alder"
PREFERENCES = ".o_notebook a[name=preferences]"
PICTURES = (
    Picture("server_form", SERVERS, SHEET, record=RELAY, height=1250),
    Picture("user_form", USERS, SHEET, record=ANNA, clicks=[PREFERENCES]),
    Picture(
        "preferences", "base.action_res_users_my", DIALOG, login="anna", record=ANNA
    ),
    Picture(
        "company_form", "base.action_res_company_form", SHEET, record="company_birch"
    ),
    Picture(
        "settings",
        "base_setup.action_general_configuration",
        ".o_settings_container:has(#outgoing_mail_routing_company)",
    ),
    Picture(
        "composer",
        "mail.action_email_compose_message_wizard",
        DIALOG,
        login="anna",
        context={
            "default_model": "res.partner",
            "default_res_ids": ["@partner_customer_alder"],
            "default_partner_ids": ["@partner_customer_alder"],
            "default_subject": "Your offer",
        },
        clicks=[".o_field_widget[name=sender_choice] input"],
    ),
    Picture(
        "template_form",
        "mail.action_email_template_tree_all",
        SHEET,
        record="mail_template_unknown_from",
        clicks=[".o_notebook a[name=email_configuration]"],
        debug=True,
    ),
    Picture(
        "simulator",
        f"{ROUTING}.mail_routing_simulation_action",
        DIALOG,
        context={
            "default_sender_id": "@user_anna",
            "default_template_id": "@mail_template_unknown_from",
            "default_resource_ref": "res.partner@partner_customer_alder",
        },
    ),
    Picture(
        "overview", f"{ROUTING}.mail_routing_overview_action", ".o_action", height=820
    ),
    Picture(
        "assignment",
        f"{ROUTING}.mail_routing_assignment_action",
        DIALOG,
        context={
            "default_user_ids": ["@user_anna", "@user_ben", "@user_clara"],
            "default_mail_server_ids": ["@mail_server_shared"],
        },
    ),
    # the last, for it edits a form, which may save itself when it is left
    Picture(
        "what_would_change",
        USERS,
        DIALOG,
        record=ANNA,
        clicks=[
            PREFERENCES,
            ".o_field_widget[name=use_own_mail_servers] input",
            ".o_widget_mail_routing_changes button",
        ],
    ),
)
#: How every page is looked at: by the end of the file's name.
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "wide": {"width": 1400, "height": 1200},
    "phone": {"width": 390, "height": 2600},
    "dark": {"width": 1400, "height": 1200, "dark": True},
}
