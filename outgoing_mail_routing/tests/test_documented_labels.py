import re
from pathlib import Path

from lxml import etree

from odoo.tests import TransactionCase, tagged

# What stands between single asterisks, in the text and in its tables
_ITALICS = re.compile(r"(?<![*\w`])\*(?![*\s])([^*`]+)\*(?![*\w])")

#: Labels in the code of Odoo's web client, and of an addon that is not installed here
ELSEWHERE = {"My Preferences", "Domain Whitelist"}

#: Modules whose labels the README names
MODULES = {"mass_mailing", "google_gmail", "microsoft_outlook"}


@tagged("post_install", "-at_install")
class TestDocumentedLabels(TransactionCase):
    """What the README has in italics stands on the screen like that."""

    maxDiff = None
    readme = Path(__file__).parents[1] / "readme"

    def read_labels(self):
        """``{label: names of the files that have it}``."""
        labels = {}
        for path in sorted(self.readme.iterdir()):
            for match in _ITALICS.finditer(path.read_text()):
                label = " ".join(match[1].split())
                labels.setdefault(label, set()).add(path.name)
        return labels

    def get_known_labels(self):
        """All that Odoo writes on a form, as far as it knows it."""
        known = set(ELSEWHERE)
        known.update(self.env["ir.module.module"].search([]).mapped("shortdesc"))
        known.update(self.env["res.groups"].search([]).mapped("name"))
        for model in self.env.registry.values():
            for field in model._fields.values():
                known.add(field.string)
                if field.type == "selection":
                    description = field._description_selection(self.env)
                    known.update(label for _value, label in description)
        for view in self.env["ir.ui.view"].search([("type", "!=", "qweb")]):
            for node in etree.fromstring(view.arch).iter(etree.Element):
                texts = (node.get("string"), node.get("title"), node.text, node.tail)
                known.update(" ".join(text.split()) for text in texts if text)
        return known

    def find_menu(self, path):
        """The menu at the end of a path such as *Settings / Technical / Email*."""
        menu = self.env["ir.ui.menu"].browse()
        for name in path.split(" / "):
            menu = menu.search(
                [("name", "=", name), ("parent_id", "=", menu.id)], limit=1
            )
            if not menu:
                break
        return menu

    def test_every_label_in_italics_is_on_the_screen(self):
        missing = MODULES - set(self.env["ir.module.module"]._installed())
        if missing:
            self.skipTest(f"needs the modules {', '.join(sorted(missing))}")
        known = self.get_known_labels()
        for label, files in self.read_labels().items():
            with self.subTest(label, files=sorted(files)):
                if " / " in label:
                    self.assertTrue(self.find_menu(label), "there is no such menu")
                elif label not in known:
                    menus = self.env["ir.ui.menu"].search([("name", "=", label)])
                    self.assertTrue(menus, "there is no such label")
