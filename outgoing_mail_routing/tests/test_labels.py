from pathlib import Path

from lxml import etree

from odoo.tests import TransactionCase, tagged

#: Switches that know no label but that of a form
NAMELESS = {"boolean_toggle"}


def text_of(node):
    """All that a node says, to the eye or to a screen reader."""
    return " ".join(" ".join(node.itertext()).split())


@tagged("post_install", "-at_install")
class TestLabels(TransactionCase):
    """What has no visible label has one for those who cannot see."""

    module = "outgoing_mail_routing"
    sources = Path(__file__).parents[1] / "static" / "src"

    def get_views(self):
        """``(name, root)`` of every view and template of the addon."""
        views = self.env["ir.ui.view"].search([("model", "!=", False)])
        for view in views:
            if view.get_external_id()[view.id].startswith(f"{self.module}."):
                yield view.name, etree.fromstring(view.arch)
        for path in sorted(self.sources.glob("**/*.xml")):
            yield path.name, etree.parse(str(path)).getroot()

    def test_every_column_has_a_header(self):
        for name, root in self.get_views():
            columns = root.xpath("//list//field[@string]")
            for label in [node.get("string") for node in columns]:
                with self.subTest(name):
                    self.assertTrue(label.strip())
            for header in root.iter("th"):
                with self.subTest(name):
                    dynamic = header.xpath("descendant-or-self::*[@t-out]")
                    self.assertTrue(text_of(header) or dynamic)

    def test_every_switch_outside_a_form_has_its_own_label(self):
        for name, root in self.get_views():
            for switch in root.xpath("//list//field | //kanban//field"):
                with self.subTest(name, field=switch.get("name")):
                    self.assertNotIn(switch.get("widget"), NAMELESS)

    def test_every_picture_has_a_text_or_is_passed_over(self):
        for name, root in self.get_views():
            for icon in root.xpath("//i[contains(@class, 'fa-')] | //img"):
                with self.subTest(name, icon=icon.get("class")):
                    texts = {"title", "aria-label", "aria-hidden", "alt"}
                    self.assertTrue(texts & set(icon.keys()))
