from pathlib import Path

from odoo.tests import tagged

from odoo.addons.outgoing_mail_routing.tests import (
    test_documented_fields,
    test_documented_labels,
    test_labels,
)

ADDON = Path(__file__).parents[1]


@tagged("post_install", "-at_install")
class TestDocumentedFieldsOfDelivery(test_documented_fields.TestDocumentedFields):
    module = ADDON.name
    readme = ADDON / "readme"
    tables = {
        "ir.mail_server": "FIELDS_SERVER",
        "res.config.settings": "FIELDS_SETTINGS",
        "mail.mail": "FIELDS_MAIL",
    }


@tagged("post_install", "-at_install")
class TestDocumentedLabelsOfDelivery(test_documented_labels.TestDocumentedLabels):
    readme = ADDON / "readme"


@tagged("post_install", "-at_install")
class TestLabelsOfDelivery(test_labels.TestLabels):
    module = ADDON.name
    sources = ADDON / "static" / "src"
