from odoo import fields, models


class MailDeliveryClaim(models.Model):
    """Which run has which mail; written by SQL alone (``bridge/claims.py``)."""

    _name = "mail.delivery.claim"
    _description = "Delivery Claim"
    _log_access = False

    mail_mail_id_int = fields.Integer(
        string="Mail", required=True, help="The mail that is being delivered."
    )
    run_id = fields.Many2one(
        comodel_name="mail.delivery.run",
        required=True,
        index=True,
        ondelete="cascade",
        help="The run that has it.",
    )

    _one_for_each_mail = models.Constraint(
        "UNIQUE (mail_mail_id_int)", "A mail is delivered by one run at a time."
    )

    def init(self):
        """Have the table vacuumed often: its rows come and go with each mail."""
        self.env.cr.execute(
            "ALTER TABLE mail_delivery_claim SET ("
            "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, "
            "autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000)"
        )
