from functools import partial

from odoo import api, models

from ..bridge.notes import Notes


class MailTrackingValue(models.Model):
    _inherit = "mail.tracking.value"

    @api.model
    def _create_tracking_values(
        self, initial_value, new_value, col_name, col_info, record
    ):
        """Log who came and who went, where core logs all names before and after.

        A server may have thousands of users, and one of them changes.
        """
        create = super()._create_tracking_values
        if record._name == "ir.mail_server" and col_info["type"] == "many2many":
            before = initial_value or new_value.browse()
            initial_value, new_value = (
                # read along with those of other servers
                (before - new_value).with_prefetch(before._prefetch_ids),
                (new_value - before).with_prefetch(new_value._prefetch_ids),
            )
        values = (initial_value, new_value, col_name, col_info, record)
        if notes := Notes.of(self.env):
            return notes.describe(
                col_name, col_info["type"], *values[:2], partial(create, *values)
            )
        return create(*values)
