import random
from types import SimpleNamespace
from unittest.mock import patch

from odoo.models import BaseModel
from odoo.tests import TransactionCase, new_test_user, tagged
from odoo.tools import config, mute_logger

from odoo.addons.base.models.ir_mail_server import IrMail_Server
from odoo.addons.mail.models.mail_mail import MailMail

from ..bridge.directory_source import DirectorySource

CASES = 150

_DOMAINS = ("a.example", "b.example", "c.example", "ä.example")
_HEADERS = ("From", "Reply-To", "Return-Path", "To", "Bcc", "Subject", "Message-Id")
_LOCALS = ("anna", "ben", "shop", "notifications", "ünal")


@tagged("post_install", "-at_install")
class TestCoreParity(TransactionCase):
    """With nothing assigned every mail leaves as core sends it: random cases."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.startClassPatcher(patch.dict(config.options, {"smtp_server": ""}))
        cls.env["ir.mail_server"].search([]).active = False
        cls.alias_domains = cls.env["mail.alias.domain"].create(
            [{"name": domain} for domain in _DOMAINS[:3]]
        )
        cls.env.company.alias_domain_id = cls.alias_domains[0]
        cls.users = cls.env["res.users"].browse()
        for login in ("anna", "ben"):
            cls.users |= new_test_user(cls.env, login, email=f"{login}@a.example")
        cls.random = random.Random(20260101)

    def _random_address(self):
        return f"{self.random.choice(_LOCALS)}@{self.random.choice(_DOMAINS)}"

    def _random_filter(self):
        parts = self.random.choices(
            (self._random_address(), self.random.choice(_DOMAINS), " ", "x@"),
            weights=(4, 4, 1, 1),
            k=self.random.randint(0, 3),
        )
        return self.random.choice((",", " , ")).join(parts).title()

    def _random_from(self):
        address = self._random_address()
        return self.random.choice(
            (
                address,
                address.upper(),
                f'"A Name" <{address}>',
                f"{address}, second@b.example",
                "no address at all",
                False,
            )
        )

    def _create_random_servers(self):
        self.env["ir.mail_server"].search([]).unlink()
        values_list = [
            {
                "name": f"Server {number}",
                "smtp_host": "127.0.0.1",
                "from_filter": self._random_filter(),
                "sequence": self.random.randint(1, 3),
                "active": self.random.random() < 0.9,
            }
            for number in range(self.random.randint(0, 6))
        ]
        # filters that are none are refused now, but stand in databases of before
        with patch.object(BaseModel, "_validate_fields", lambda *_arguments: None):
            servers = self.env["ir.mail_server"].create(values_list)
        for user in self.users:
            if self.random.random() < 0.4:
                servers += self._create_personal_server(user)
        return servers

    def _create_personal_server(self, user):
        """A personal server as core's own set-up creates it, in use."""
        return self.env["ir.mail_server"].create(
            {
                "name": f"Personal of {user.login}",
                "smtp_host": "127.0.0.1",
                "from_filter": user.email,
                "smtp_user": user.email,
                "owner_user_id": user.id,
                "sequence": self.random.randint(1, 3),
            }
        )

    def _set_random_parameters(self):
        # core refuses the address of a personal server as default From
        address = f"shop@{self.random.choice(_DOMAINS)}"
        default_from = self.random.choice((False, "notifications", address))
        self.alias_domains.default_from = default_from
        self.env["ir.config_parameter"].set_param(
            "mail.default.from_filter", self._random_filter() or False
        )

    def _random_mails(self):
        values = [
            {
                "email_from": self._random_from(),
                "email_to": "customer@customer.example",
                "record_alias_domain_id": self.random.choice(
                    (False, *self.alias_domains.ids)
                ),
                "mail_server_id": self._random_forced_server(),
            }
            for _number in range(12)
        ]
        mails = self.env["mail.mail"]
        for mail_values in values:
            user = self.random.choice((*self.users, self.env.user))
            mails |= self.env["mail.mail"].with_user(user).sudo().create(mail_values)
        return mails.with_user(self.env.ref("base.user_root"))

    def _random_forced_server(self):
        servers = self.env["ir.mail_server"].search([("owner_user_id", "=", False)])
        return self.random.choice((False, False, *servers.ids))

    @mute_logger("odoo.addons.base.models.ir_mail_server")
    @mute_logger("odoo.addons.outgoing_mail_routing.models.mail_routing")
    def test_find_mail_server_equals_core(self):
        for case in range(CASES):
            servers = self._create_random_servers()
            servers = servers.sorted(lambda s: (s.sequence, s.id))
            self._set_random_parameters()
            for candidates in (servers, None):
                if candidates is None:
                    # core then sorts by sequence alone: ties would be PostgreSQL's
                    for rank, server in enumerate(servers):
                        server.sequence = rank
                email_from = self._random_from()
                Server = self.env["ir.mail_server"].sudo()
                expected = IrMail_Server._find_mail_server(
                    Server, email_from, candidates
                )
                found, routed = Server._find_mail_server(email_from, candidates)
                with self.subTest(case=case, email_from=email_from):
                    self.assertEqual(found or None, expected[0] or None)
                    self.assertEqual(routed, expected[1] or "")

    @mute_logger("odoo.addons.base.models.ir_mail_server")
    @mute_logger("odoo.addons.outgoing_mail_routing.models.mail_routing")
    def test_split_equals_core(self):
        compared = 0
        for case in range(CASES):
            self._create_random_servers()
            self._set_random_parameters()
            mails = self._random_mails()
            batches = list(mails._split_by_mail_configuration())
            with patch.object(
                type(self.env["ir.mail_server"]),
                "_find_mail_server",
                IrMail_Server._find_mail_server,
            ):
                expected = list(MailMail._split_by_mail_configuration(mails))
            with self.subTest(case=case):
                self.assertEqual(
                    [
                        (server, domain, str(from_), ids)
                        for server, domain, from_, ids in batches
                    ],
                    [
                        (server, domain, from_ or "", ids)
                        for server, domain, from_, ids in expected
                    ],
                )
            compared += len(expected)
        self.assertGreater(compared, CASES * 3)

    @mute_logger("odoo.addons.base.models.ir_mail_server")
    @mute_logger("odoo.addons.outgoing_mail_routing.models.mail_routing")
    def test_message_prepared_for_sending_equals_core(self):
        Server = self.env["ir.mail_server"].sudo()
        for case in range(CASES):
            self._create_random_servers()
            self._set_random_parameters()
            name = self.random.choice(("", '"A Name" '))
            email_from = f"{name}<{self._random_address()}>"
            found, routed = Server._find_mail_server(email_from)
            from_filter = (found or Server).from_filter
            return_path = self.random.choice((None, "bounce@a.example"))
            prepared = [
                method(
                    Server.with_context(domain_bounce_address=return_path),
                    self._build_message(email_from, return_path),
                    SimpleNamespace(smtp_from=smtp_from, from_filter=from_filter),
                )
                for method, smtp_from in (
                    (IrMail_Server._prepare_email_message__, str(routed)),
                    (type(Server)._prepare_email_message__, routed),
                )
            ]
            with self.subTest(case=case):
                core, ours = (
                    (envelope, recipients, [*map(message.get_all, _HEADERS)])
                    for envelope, recipients, message in prepared
                )
                self.assertEqual(ours, core)

    def _build_message(self, email_from, return_path):
        return self.env["ir.mail_server"]._build_email__(
            email_from,
            ["customer@customer.example"],
            "Subject",
            "Body",
            message_id="<1@a.example>",
            headers={"Return-Path": return_path} if return_path else {},
        )

    def test_installation_assigns_nothing(self):
        directory = DirectorySource(self.env).get()
        self.assertFalse(directory.configured)
