import csv
from pathlib import Path

from lxml import etree

from odoo.tests import TransactionCase, tagged


@tagged("post_install", "-at_install")
class TestDocumentedFields(TransactionCase):
    """Every field that the addon shows on a form has its row in the README."""

    maxDiff = None
    module = "outgoing_mail_routing"
    readme = Path(__file__).parents[1] / "readme"
    #: The table of each model, in the chapter on settings
    tables = {
        "ir.mail_server": "FIELDS_SERVER",
        "res.users": "FIELDS_USER",
        "res.company": "FIELDS_COMPANY",
        "res.config.settings": "FIELDS_SETTINGS",
        "fetchmail.server": "FIELDS_INCOMING",
        "mail.template": "FIELDS_TEMPLATE",
        "mail.compose.message": "FIELDS_COMPOSER",
    }

    def read_rows(self, model):
        """``{label: default}`` of a model's table."""
        table = self.tables.get(model)
        self.assertTrue(
            table,
            f"{model} shows fields of this addon: give it a table in readme/, show it "
            "in readme/SETTINGS.rst, and name it in the tables of this test",
        )
        with (self.readme / f"{table}.csv").open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        return {row["Field"].strip("*"): row["Default"] for row in rows}

    def get_shown_fields(self):
        """``{model: [field]}`` of what the views of this addon show.

        Its own models are left out: a wizard tells by itself what it asks for.
        """
        views = self.env["ir.ui.view"].search([("model", "!=", False)])
        xml_ids = views.get_external_id()
        shown = {}
        for view in views:
            of_addon = xml_ids[view.id].partition(".")[0] == self.module
            if of_addon and self.env[view.model]._original_module != self.module:
                for field in self._get_added_fields(view):
                    shown.setdefault(view.model, {})[field.name] = field
        return {model: list(fields.values()) for model, fields in shown.items()}

    def _get_added_fields(self, view):
        """The fields of this addon in one of its views, unless they are never seen."""
        names = {
            node.get("name")
            for node in etree.fromstring(view.arch).iter("field")
            if "1" not in (node.get("invisible"), node.get("column_invisible"))
        }
        return [
            field
            for name, field in self.env[view.model]._fields.items()
            if name in names and field._modules == (self.module,)
        ]

    def get_default(self, model, field):
        """What a table says of the default of a choice, ``None`` where it is free."""
        if field.compute or field.type not in ("boolean", "selection"):
            return None
        default = self.env[model].default_get([field.name]).get(field.name)
        if field.type == "boolean":
            return "on" if default else "off"
        labels = dict(field._description_selection(self.env))
        return f"*{labels[default]}*"

    def test_every_shown_field_has_its_row_and_every_row_its_field(self):
        for model, fields in self.get_shown_fields().items():
            with self.subTest(model):
                rows = self.read_rows(model)
                labels = {field.string for field in fields}
                missing = sorted(labels - set(rows))
                self.assertFalse(
                    missing, f"add to readme/{self.tables[model]}.csv: {missing}"
                )
                left = sorted(set(rows) - labels)
                self.assertFalse(
                    left,
                    f"no such label any more, readme/{self.tables[model]}.csv: {left}",
                )

    def test_defaults_in_the_tables_are_those_of_the_fields(self):
        for model, fields in self.get_shown_fields().items():
            rows = self.read_rows(model)
            for field in fields:
                with self.subTest(model=model, field=field.name):
                    default = self.get_default(model, field)
                    if default is not None:
                        self.assertEqual(rows[field.string], default)
