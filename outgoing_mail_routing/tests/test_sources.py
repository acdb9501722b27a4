from odoo.tests import tagged

from ..routing import Rule
from .sources import SCENARIOS, SourceCase, read_table


@tagged("post_install", "-at_install")
class TestSourceTable(SourceCase):
    """The table in the README and the scenarios speak of the same sources."""

    def test_every_row_has_its_scenario_and_every_scenario_its_row(self):
        self.assertEqual(set(read_table()), SCENARIOS)

    def test_rows_name_rules_that_exist(self):
        for source, (*_words, rule) in read_table().items():
            with self.subTest(source):
                self.assertIn(rule, [known.value for known in Rule])
