"""What a mail server bears, and how it is doing."""

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.outgoing_mail_routing.bridge.column_defaults import (
    keep_column_defaults,
)

from ..bridge.noting import Noted
from ..bridge.words import refusal_of
from ..delivery import Limits, SettingError
from ..delivery.limits import checked

_SYSTEM = "base.group_system"
# What somebody changes to mend a server
_MENDED_BY = frozenset(
    {
        *("smtp_host", "smtp_port", "smtp_user", "smtp_pass", "smtp_encryption"),
        *("smtp_authentication", "smtp_ssl_certificate", "smtp_ssl_private_key"),
        *("active", "out_of_service"),
    }
)


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    max_connections = fields.Integer(
        string="Connections at Once",
        default=2,
        groups=_SYSTEM,
        help="How many SMTP connections a run keeps open to this server at most.",
    )
    max_messages_per_connection = fields.Integer(
        string="Messages in a Connection",
        default=100,
        groups=_SYSTEM,
        help="A connection is closed after so many messages, and another one opened.",
    )
    when_unknown = fields.Selection(
        selection=[
            ("hold", "Hold it for somebody to decide"),
            ("send_again", "Send it again"),
        ],
        string="When It May Have Arrived",
        default="hold",
        required=True,
        groups=_SYSTEM,
        help="What becomes of a mail whose connection broke after its text was sent "
        "and before the server answered: it may have arrived. Sent again, it may "
        "arrive twice.",
    )
    delivery_health = fields.Selection(
        selection=lambda self: (
            self.env["mail.delivery.health"]
            ._fields["state"]
            ._description_selection(self.env)
        ),
        string="Health",
        compute="_compute_delivery_health",
        groups=_SYSTEM,
        help="How the server is doing by what it answers to mail.",
    )
    delivery_health_text = fields.Text(
        string="What It Answered",
        compute="_compute_delivery_health",
        groups=_SYSTEM,
        help="Why it is suspended, stopped or slowed down, in its own words.",
    )

    @api.constrains("max_connections", "max_messages_per_connection")
    def _check_delivery_limits(self):
        """Refuse limits that cannot be kept.

        :raise ValidationError: names the field, and what to do
        """
        for server in self.sudo():
            limits = Limits(
                max_connections=server.max_connections,
                max_messages_per_connection=server.max_messages_per_connection,
            )
            try:
                checked(limits)
            except SettingError as error:
                name = error.values["setting"]
                label = self._fields[name]._description_string(self.env)
                error.values["setting"] = label
                raise ValidationError(refusal_of(self.env, error)) from None

    def init(self):
        """Let SQL insert a server, as ``odoo neutralize`` does."""
        result = super().init()
        keep_column_defaults(self, {"when_unknown": "hold"})
        return result

    def _compute_delivery_health(self):
        healths = self.env["mail.delivery.health"].sudo()
        found = healths.search([("mail_server_id", "in", self.ids)])
        by_server = {health.mail_server_id.id: health for health in found}
        for server in self:
            health = by_server.get(server._origin.id)
            server.delivery_health = health.state if health else "ok"
            server.delivery_health_text = health.words if health else False

    def write(self, vals):
        """Take a server whose settings change for mended: it is tried again."""
        result = super().write(vals)
        if not _MENDED_BY.isdisjoint(vals):
            self._resume_delivery()
        return result

    def test_smtp_connection(self, *args, **kwargs):
        """Take a server whose connection works for mended."""
        result = super().test_smtp_connection(*args, **kwargs)
        self._resume_delivery()
        return result

    def action_resume_delivery(self):
        """Offer mail to these servers again."""
        self.check_access("write")
        self._resume_delivery()

    def action_suspend_delivery(self):
        """Offer nothing to these servers until somebody resumes them."""
        self.check_access("write")
        self.env["mail.delivery.health"]._suspend(self.ids)

    def _resume_delivery(self):
        """Hold nothing against these servers any more, and wake what waits for them."""
        known = self.env["mail.delivery.health"].sudo()
        troubled = known.search(
            [("mail_server_id", "in", self.ids), ("state", "!=", "ok")]
        )
        if troubled:
            known._resume(troubled.mail_server_id.ids)

    # ------------------------------------------------------------------
    # What core sends itself
    # ------------------------------------------------------------------

    def _connect__(self, *args, **kwargs):
        """Note that no connection could be opened, where attempts are noted."""
        noted = Noted.of(self.env)
        try:
            return super()._connect__(*args, **kwargs)
        except Exception as error:
            if noted:
                noted.connection_failed(error)
            raise

    def _prepare_email_message__(self, message, smtp_session):
        """Note the envelope, where attempts are noted."""
        sender, recipients, message = super()._prepare_email_message__(
            message, smtp_session
        )
        if noted := Noted.of(self.env):
            noted.envelope(sender, recipients, smtp_session)
        return sender, recipients, message

    @api.model
    def send_email(self, message, *args, **kwargs):
        """Note that a message was not accepted, where attempts are noted."""
        noted = Noted.of(self.env)
        if noted:
            noted.next_message()
        try:
            return super().send_email(message, *args, **kwargs)
        except Exception as error:
            if noted:
                noted.failed(error)
            raise
