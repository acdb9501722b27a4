"""What lists and forms of mail show of its delivery."""

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL


class MailMail(models.Model):
    _inherit = "mail.mail"

    delivery_server_id = fields.Many2one(
        comodel_name="ir.mail_server",
        string="Mail Server",
        compute="_compute_delivery_server_id",
        search="_search_delivery_server_id",
        groups="base.group_system",
        help="The mail server that it waits for, that it was last offered to, or that "
        "is set on it.",
    )

    @api.depends("delivery_health_id", "mail_server_id")
    def _compute_delivery_server_id(self):
        rows = self.env.execute_query(
            SQL(
                "SELECT mail.id, %s FROM mail_mail mail WHERE mail.id = ANY(%s)",
                self._delivery_server_to_sql("mail"),
                list(self._origin.ids),
            )
        )
        servers = dict(rows)
        for mail in self:
            mail.delivery_server_id = servers.get(mail._origin.id)

    @api.model
    def _delivery_server_to_sql(self, alias):
        """The value of ``delivery_server_id`` in a query."""
        return SQL(
            """COALESCE(
                (SELECT health.mail_server_id FROM mail_delivery_health health
                    WHERE health.id = %(health)s),
                (SELECT attempt.mail_server_id FROM mail_delivery_attempt attempt
                    WHERE attempt.mail_mail_id_int = %(id)s
                    ORDER BY attempt.id DESC LIMIT 1),
                (SELECT message.mail_server_id FROM mail_message message
                    WHERE message.id = %(message)s)
            )""",
            id=SQL.identifier(alias, "id"),
            health=self._field_to_sql(alias, "delivery_health_id"),
            message=self._field_to_sql(alias, "mail_message_id"),
            to_flush=self.env["mail.message"]._fields["mail_server_id"],
        )

    def _field_to_sql(self, alias, field_expr, query=None):
        """Let mails be grouped by what is computed for each."""
        if field_expr == "delivery_server_id":
            self._check_field_access(self._fields[field_expr], "read")
            return self._delivery_server_to_sql(alias)
        return super()._field_to_sql(alias, field_expr, query)

    def _search_delivery_server_id(self, operator, value):
        if operator == "any":
            value = self.env["ir.mail_server"].search(value).ids
        elif operator != "in":
            return NotImplemented
        ids = [each for each in value if each]
        with_none = len(ids) < len(list(value))

        def to_sql(model, alias, _query):
            server = model._delivery_server_to_sql(alias)
            found = SQL("COALESCE(%s = ANY(%s), FALSE)", server, ids)
            return SQL("(%s OR %s IS NULL)", found, server) if with_none else found

        return Domain.custom(to_sql=to_sql)

    def action_view_attempts(self):
        """Open the attempts of these mails."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Attempts"),
            "res_model": "mail.delivery.attempt",
            "view_mode": "list,form",
            "domain": [("mail_mail_id_int", "in", self.ids)],
        }
