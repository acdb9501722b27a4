"""What the form of an outgoing mail server says of its configuration."""

from odoo import api, fields, models, tools

from .fetchmail_server import COLLECTING


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    routing_warning = fields.Text(
        compute="_compute_routing_warning",
        groups="base.group_system",
        help="What in this configuration can lose mail or send it under a wrong name.",
    )

    @api.depends(
        "from_filter",
        "from_policy",
        "sender_email",
        "reserved",
        "reply_to_policy",
        "fetchmail_server_id.active",
        "fetchmail_server_id.state",
        "fetchmail_server_id.server_type",
        "fetchmail_server_id.user",
        "own_user_ids.active",
        "own_user_ids.share",
        "default_company_ids",
    )
    def _compute_routing_warning(self):
        for server in self:
            server.routing_warning = "\n".join(server._get_routing_warnings()) or False

    def _get_routing_warnings(self):
        """What can lose or misbrand mail here, a sentence each."""
        self.ensure_one()
        warnings = self._get_assignment_warnings()
        assigned = self.own_user_ids or self.default_company_ids
        if self.sender_email and not self._match_from_filter(
            self.sender_email, self.from_filter
        ):
            warnings.append(
                self.env._(
                    "The FROM filter does not admit the sender address %(email)s: mail "
                    "rewritten to it may be refused or taken for spam.",
                    email=self.sender_email,
                )
            )
        if assigned and self.from_policy == "login" and not self.sender_email:
            warnings.append(
                self.env._(
                    "It may send as its sender address only, but has none. Fill in the "
                    "sender address."
                )
            )
        return warnings + self._get_reply_warnings()

    def _get_reply_warnings(self):
        """What can keep answers from coming back, a sentence each."""
        incoming = self.fetchmail_server_id
        values = {"incoming": incoming.name, "email": self.sender_email}
        warnings = []
        if self.reply_to_policy == "from" and not incoming:
            warnings.append(
                self.env._(
                    "Answers go to the address in From, but no incoming mail server "
                    "collects them: they will not reach Odoo."
                )
            )
        if incoming and not incoming.active:
            warnings.append(
                self.env._(
                    "The incoming mail server “%(incoming)s” is archived and collects "
                    "nothing. Restore it, or choose another one.",
                    **values,
                )
            )
        elif incoming and not incoming.filtered_domain(COLLECTING):
            warnings.append(
                self.env._(
                    "The incoming mail server “%(incoming)s” is not confirmed yet and "
                    "collects nothing. Open it, then test and confirm it.",
                    **values,
                )
            )
        account = tools.email_normalize(incoming.user)
        if account and self.sender_email and account != self.sender_email:
            warnings.append(
                self.env._(
                    "The incoming mail server “%(incoming)s” collects the mailbox "
                    "%(account)s, while answers go to %(email)s. Make sure that they "
                    "arrive there.",
                    account=account,
                    **values,
                )
            )
        return warnings

    def _get_assignment_warnings(self):
        """Where nobody is left whose mail could leave through it."""
        users = self.own_user_ids
        if self.default_company_ids:
            return []
        if users and not any(map(self.env["mail.routing"]._may_be_sender, users)):
            return [
                self.env._(
                    "It is assigned only to users who are archived or no longer "
                    "internal: no mail leaves through it until they are back."
                )
            ]
        if self.reserved and not users:
            return [
                self.env._(
                    "It is reserved, but no user or company is assigned: only mail on "
                    "which it is set by hand leaves through it."
                )
            ]
        return []
