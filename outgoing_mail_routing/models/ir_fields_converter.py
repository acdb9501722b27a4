from odoo import api, models

from ..bridge.found_ids import FoundIds


class IrFieldsConverter(models.AbstractModel):
    _inherit = "ir.fields.converter"

    @api.model
    def db_id_for(self, model, field, subfield, value, savepoint):
        """Take ids that :meth:`ir.mail_server.load` looked up for the whole file."""
        found = FoundIds.of(self.env)
        id_ = found and subfield == ".id" and found.get(field.comodel_name, value)
        return (
            (id_, [])
            if id_
            else super().db_id_for(model, field, subfield, value, savepoint)
        )
