import inspect
import re
from pathlib import Path

from odoo.modules.module import Manifest
from odoo.tests import TransactionCase, tagged

from odoo.addons.mail.models import fetchmail

from .addon_source import AddonSource
from .core_names import CoreNames

ADDON = Path(__file__).parents[1]

_CLASS = """
class IrMailServer(models.Model):
    _inherit = "ir.mail_server"
    {}
"""
_METHOD = """
    @api.onchange()
    def _ours(self, servers):
        ':param ir.mail_server servers: other servers'
        {}
"""

# Lines of a method on mail servers, or of their class, and the end of the complaint
_TAKEN = {
    "self._find_mail_server('a@a.example')": None,
    "self._find_mail_srver('a@a.example')": "ir.mail_server has no _find_mail_srver",
    "self._find_mail_server()": "missing a required argument: 'email_from'",
    "self._find_mail_server('a', among=self)": "unexpected keyword argument 'among'",
    "servers.sudo()[:1].from_fliter": "ir.mail_server has no from_fliter",
    "servers['from_fliter']": "ir.mail_server has no from_fliter",
    "[s.from_fliter for s in self | servers]": "ir.mail_server has no from_fliter",
    "self.filtered(lambda s: s.from_fliter)": "ir.mail_server has no from_fliter",
    "self.mapped('owner_user_id.nmae')": "res.users has no nmae",
    "self.owner_user_id.nmae": "res.users has no nmae",
    "self.env.company.nmae": "res.company has no nmae",
    "self.env['mail.mail'].create({'sate': 'sent'})": "mail.mail has no sate",
    "self.search([('from_fliter', '=', False)])": "ir.mail_server has no from_fliter",
    "self.search(Domain('from_fliter', '=', False))": "has no from_fliter",
    "mail = self.env['mail.mail'].browse(1); mail._sned()": "mail.mail has no _sned",
    "super()._find_mail_server('a@a.example')": None,
    "super(IrMailServer, servers)._find_mail_srver('')": "has no _find_mail_srver",
    "self.unknown()._find_mail_srver": "ir.mail_server has no unknown",
    "unknown()._find_mail_srver": "nothing is named _find_mail_srver",
    "self.env['no.such.addon'].whatever": None,
}
_DEFINED = {
    "def _find_mail_server(self, email_from, mail_servers=None): pass": None,
    "def _find_mail_server(self, *args, **kwargs): pass": None,
    "def _find_mail_server(self, email_from): pass": "too many positional arguments",
    "def _find_mail_server(self, email, mail_servers=None): pass": "'email'",
    "def _find_mail_server(self, email_from, mail_servers): pass": "'mail_servers'",
    "def _find_mail_srver(self, email_from): pass": "and it overrides nothing",
    "def create(self, vals_list): return self._find_mail_srver": "no _find_mail_srver",
    "@api.constrains('from_filter')\n    def _check_ours(self): pass": None,
    "@api.constrains('from_fliter')\n    def _check_ours(self): pass": "from_fliter",
    "from_filter = fields.Char(tracking=True)": None,
    "from_fliter = fields.Char(tracking=True)": "core's ir.mail_server has no",
    "ours = fields.Char(string='Ours')": None,
}


@tagged("post_install", "-at_install")
class TestCoreNames(TransactionCase):
    """What the addons take from core is there, with the parameters it had."""

    maxDiff = None

    def _installed_addons(self):
        """This addon and those of its authors beside it, as far as installed."""
        author = Manifest.for_addon(ADDON.name)["author"]
        names = [path.parent.name for path in ADDON.parent.glob("*/__manifest__.py")]
        return [
            ADDON.parent / name
            for name in sorted(names)
            if name in self.registry._init_modules
            and Manifest.for_addon(name)["author"] == author
        ]

    def _core_of(self, addon):
        """The names of all that an addon depends on, for which it is all core."""
        found, waiting = set(), ["base", *Manifest.for_addon(addon)["depends"]]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += Manifest.for_addon(name)["depends"]
        return CoreNames(self.registry, found)

    def test_core_still_has_what_the_addons_build_on(self):
        for addon in self._installed_addons():
            with self.subTest(addon=addon.name):
                source = AddonSource.of(self.registry, addon)
                core = self._core_of(addon.name)
                self.assertEqual(core.complaints(source), [])

    def test_guard_names_what_core_has_not(self):
        cases = {_METHOD.format(line): end for line, end in _TAKEN.items()} | _DEFINED
        core = self._core_of(ADDON.name)
        for lines, complaint in cases.items():
            with self.subTest(lines=lines):
                source = AddonSource(self.registry, {"a.py": _CLASS.format(lines)})
                complaints = core.complaints(source)
                self.assertEqual(bool(complaints), bool(complaint), complaints)
                if complaint:
                    self.assertIn(complaint, complaints[0])

    def test_guard_finds_every_call_of_super(self):
        """By another way of reading: it overlooks no method that is built on core."""
        calls = re.compile(r"\bsuper\([^()]*\)\.(\w+)\(")
        for addon in self._installed_addons():
            texts = [
                path.read_text()
                for path in addon.rglob("*.py")
                if "tests" not in path.relative_to(addon).parts
            ]
            asked = {name for text in texts for name in calls.findall(text)}
            source = AddonSource.of(self.registry, addon)
            with self.subTest(addon=addon.name):
                self.assertTrue(asked)
                self.assertLessEqual(
                    asked - {"__init__", "__new__"},
                    {use.name for use in source.uses if use.of_core},
                )

    def test_invoices_are_sent_in_one_place(self):
        """Core's method is wrapped, not overridden: Invoicing need not be installed."""
        if "account.move.send" not in self.env:
            self.skipTest("needs Invoicing")
        send_mail = self.env.registry["account.move.send"]._send_mail.origin
        self.assertLessEqual(
            {"move", "mail_template"}, set(inspect.signature(send_mail).parameters)
        )

    def test_core_asks_connections_for_nothing_else(self):
        """What stands between core and a connection answers all that core asks."""
        source = inspect.getsource(fetchmail.FetchmailServer._fetch_mail)
        asked = set(re.findall(r"\bserver_connection[.](\w+)", source))
        self.assertEqual(
            asked,
            {
                "check_unread_messages",
                "retrieve_unread_messages",
                "handled_message",
                "disconnect",
            },
        )
