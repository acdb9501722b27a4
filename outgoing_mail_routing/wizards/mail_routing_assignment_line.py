from collections import defaultdict

from odoo import fields, models
from odoo.exceptions import UserError

# What an assignment ever writes on a server
_WRITTEN_FIELDS = (
    "own_user_ids",
    "default_company_ids",
    "company_ids",
    "sender_email",
    "from_policy",
    "from_filter",
)


class MailRoutingAssignmentLine(models.TransientModel):
    """One change that an assignment makes, or why it cannot: an error is a value."""

    _name = "mail.routing.assignment.line"
    _description = "Line of Assign Mail Servers"
    _order = "id"

    assignment_id = fields.Many2one(
        comodel_name="mail.routing.assignment",
        string="Assignment",
        required=True,
        index=True,
        ondelete="cascade",
        help="What this is a line of.",
    )
    user_id = fields.Many2one(
        comodel_name="res.users",
        string="User",
        ondelete="cascade",
        help="The user whose mail servers change.",
    )
    mail_server_id = fields.Many2one(
        comodel_name="ir.mail_server",
        string="Mail Server",
        ondelete="cascade",
        help="The outgoing mail server that takes over what another addon set on it.",
    )
    selected = fields.Boolean(
        string="Assign",
        help="Off: this line is left as it is.",
    )
    before = fields.Text(string="Now", help="What is assigned now.")
    after = fields.Text(string="Then", help="What is assigned then.")
    sends_as = fields.Text(
        string="Sends As",
        help="The address that the user's own mail leaves as then, in their company.",
    )
    state = fields.Selection(
        selection=[
            ("ready", "To Assign"),
            ("refused", "Refused"),
            ("unchanged", "Unchanged"),
        ],
        required=True,
        default="ready",
        help="Whether this line can be assigned, and whether it would change anything.",
    )
    note = fields.Text(
        string="Why",
        help="Why this is proposed, why it is refused, or why nothing changes.",
    )
    changes = fields.Json(
        help="What is written on which server: values of its fields by its ID."
    )

    def _get_changes(self):
        """What all these lines write, together: commands of relations add up.

        :return: ``{id of a server: values}``
        """
        merged = defaultdict(dict)
        for line in self:
            for server_id, values in (line.changes or {}).items():
                known = merged[int(server_id)]
                for name in values.keys() & set(_WRITTEN_FIELDS):
                    value = values[name]
                    if isinstance(value, list):
                        value = known.get(name, []) + value
                    known[name] = value
        return merged

    def _assign(self):
        """Write all lines at once, or each by itself where that is refused.

        No line is ever half written. What is refused says why.

        :return: the lines that were written
        """
        error = self._write_changes()
        if not error:
            return self
        if len(self) > 1:
            return self.browse().union(*(line._assign() for line in self))
        self.write({"state": "refused", "selected": False, "note": error})
        return self.browse()

    def _write_changes(self):
        """Write what these lines change.

        :return: why nothing was written, ``None`` where all was
        """
        servers = self.env["ir.mail_server"].sudo()
        try:
            with self.env.cr.savepoint():
                for server_id, values in self._get_changes().items():
                    servers.browse(server_id).write(values)
        except UserError as error:
            return str(error)
        return None
