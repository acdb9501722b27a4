from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from unittest.mock import patch

import polib

from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged
from odoo.tools import translate

from ..routing import Reason
from .common import RoutingCase

MODULE = "outgoing_mail_routing"
TEMPLATE = Path(__file__).parent.parent / "i18n" / f"{MODULE}.pot"
LANG = "de_DE"
MARK = "[de] "


@contextmanager
def everything_translated(env):
    """Translate each sentence of the template into a language made of it and a mark.

    It is a file that Odoo reads as it reads those of the addon, which are left out.
    """
    catalogue = polib.pofile(str(TEMPLATE))
    for entry in catalogue:
        entry.msgstr = MARK + entry.msgid
    env["res.lang"]._activate_lang(LANG)
    paths = translate.get_po_paths
    with NamedTemporaryFile(suffix=".po") as file:
        file.write(str(catalogue).encode())
        file.flush()
        importer = translate.TranslationImporter(env.cr, verbose=False)
        importer.load(file, "po", LANG)
        importer.save(overwrite=True)

        def get_po_paths(module, lang):
            return [file.name] if module == MODULE else paths(module, lang)

        with (
            patch.object(translate, "get_po_paths", get_po_paths),
            patch.object(translate, "file_open", open),
            patch.object(translate.code_translations, "python_translations", {}),
            patch.object(translate.code_translations, "web_translations", {}),
        ):
            yield


def described(catalogue, foreign=()):
    """What a template says: each sentence, where it stands and what kind it is.

    :param foreign: ends of places that do not count
    """
    lines = {}
    for entry in catalogue:
        places = {o for o in entry.occurrences if not o[0].endswith(tuple(foreign))}
        if places:
            lines[entry.msgid] = (frozenset(places), entry.comment)
    return lines.items()


@tagged("post_install", "-at_install")
class TestTemplate(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.committed = polib.pofile(str(TEMPLATE))

    def _foreign(self):
        """What other modules add to every chatter, that of mail servers too."""
        ours = (None, "base", "mail", MODULE)  # none: those that every model has
        fields = self.env["ir.mail_server"]._fields.values()
        return [f"__{field.name}" for field in fields if field._module not in ours]

    def test_template_is_what_odoo_exports(self):
        exported = BytesIO()
        translate.trans_export(None, [MODULE], exported, "po", self.env)
        foreign = self._foreign()
        self.assertFalse(
            described(polib.pofile(exported.getvalue().decode()), foreign)
            ^ described(self.committed, foreign),
            "Write it again: workbench/launch translations",
        )

    def test_every_reason_is_a_sentence_of_python(self):
        entries = {entry.msgid: entry for entry in self.committed}
        for reason in Reason:
            with self.subTest(reason=reason.name):
                self.assertIn("odoo-python", entries[reason.value].comment)


@tagged("post_install", "-at_install")
class TestTranslatedExplanation(RoutingCase):
    def test_steps_of_a_route_are_told_in_the_language_of_the_reader(self):
        mail = self.env["mail.mail"].with_user(self.anna).sudo().create({})
        mail = mail.with_context(lang=LANG)
        with everything_translated(self.env):
            route = mail._get_mail_routes()[mail.id]
        self.assertTrue(route.steps)
        for step in route.steps:
            self.assertTrue(step.reason.startswith(MARK), step)
        self.assertIn("Office@mailbox.example", route.steps[-1].reason)


@tagged("post_install", "-at_install")
class TestTranslatedClient(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = new_test_user(
            cls.env, "translated_user", email="user@tour.example", name="Translated"
        )
        cls.mail_server = cls.env["ir.mail_server"].create(
            {
                "name": "Server",
                "smtp_host": "127.0.0.1",
                "own_user_ids": cls.user.ids,
            }
        )
        cls.env["mail.mail"].with_user(cls.user).sudo().create(
            {"subject": "Mail of the Tour", "email_to": "customer@tour.example"}
        )

    def test_simulator_and_its_steps_speak_the_language_of_the_reader(self):
        self._start_translated_tour(
            f"action-base.action_ir_mail_server_list/{self.mail_server.id}",
            "outgoing_mail_routing_translated",
        )

    def test_what_would_change_speaks_the_language_of_the_reader(self):
        self._start_translated_tour(
            f"action-base.action_res_users/{self.user.id}",
            "outgoing_mail_routing_translated_changes",
        )

    def _start_translated_tour(self, path, tour):
        administrator = new_test_user(
            self.env,
            "translated_administrator",
            email="administrator@tour.example",
            groups="base.group_user,base.group_system",
        )
        with everything_translated(self.env):
            administrator.lang = LANG
            self.start_tour(f"/odoo/{path}", tour, login=administrator.login)
