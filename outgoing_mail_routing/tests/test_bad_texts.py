"""No text stored anywhere makes a page raise."""

import random
from contextlib import closing
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from ..bridge.company_facts import CompanyFacts
from ..bridge.preview import Preview
from .common import RoutingCase

SEED = 20261128
# How many texts each field gets: of those that are known to be bad, and made up. All
# of them, and a hundred made up, take an hour
KNOWN_COUNT = 2
MADE_UP_COUNT = 1

# What raised once, here or in core
KNOWN = (
    "Ben\nBcc: all@a.example",
    "user@oak..example",
    "@a.example",
    "info@a.example.",
    "sales@",
    "(" * 3000,
    "two@a.example, second@a.example",
    "a.example;b.example",
    "xn--a@xn--.example",
    "\\",
    "{{ nothing.at_all }}",
    "",
)
_PARTS = (
    *("\n", "\r", "\t", "\x01", "\x7f", "\u202e", "\u2028", "\ufeff", "é", "ß", "漢"),
    *(
        "@",
        "@@",
        ".",
        "..",
        ",",
        ";",
        ":",
        "<",
        ">",
        "(",
        ")",
        "[",
        "]",
        '"',
        "'",
        "\\",
    ),
    *(
        "%",
        "%s",
        "{",
        "}",
        "{{",
        "}}",
        "$",
        "|",
        "/",
        "*",
        "?",
        "=",
        "=?utf-8?b?",
        "?=",
    ),
    *("xn--", "a.example", "b.example", "anna@a.example", "x" * 70, " ", "0", "-"),
)
_LOGGERS = (
    "odoo.addons.outgoing_mail_routing",
    "odoo.addons.base.models.ir_mail_server",
    "odoo.addons.base.models.ir_qweb",
    "odoo.addons.mail.models.mail_render_mixin",
    "odoo.orm.fields",
    "odoo.sql_db",
)


class BadTextCase(RoutingCase):
    """Two companies, and every page that tells how their mail leaves."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._create_administrator()
        for company, domain in ((cls.company_a, "a"), (cls.company_b, "b")):
            company.email = f"info@{domain}.example"
        cls.incoming = cls.env["fetchmail.server"].create(
            {"name": "Office", "server_type": "local", "user": "office"}
        )
        cls.mailbox.write(
            {"fetchmail_server_id": cls.incoming.id, "reply_to_email": "back@a.example"}
        )
        cls.template = cls._create_template(email_from="shop@a.example")
        cls.alias = cls.env["mail.alias"].create(
            {
                "alias_name": "team",
                "alias_model_id": cls.env["ir.model"]._get_id("res.partner"),
                "alias_domain_id": cls.company_a.alias_domain_id.id,
            }
        )
        cls.env["mail.mail"].search([]).unlink()
        cls.env["mail.message"].search([]).unlink()

    def setUp(self):
        super().setUp()
        self.waiting = self.mail(self.anna, email_to="customer@customer.example")
        self.mail(self.ben, email_to="customer@customer.example")

    # ------------------------------------------------------------------
    # The pages
    # ------------------------------------------------------------------

    def pages(self):
        """Every page that tells something of how mail leaves, by name."""
        return {
            "servers": self._read_servers,
            "edited server": self._read_edited_server,
            "unsaved server": self._read_unsaved_server,
            "companies": self._read_companies,
            "settings": self._read_settings,
            "users": self._read_users,
            "preferences": self._read_preferences,
            "overview": self._read_overview,
            "changes": self._read_changes,
            "simulator": self._read_simulator,
            "simulated mail": self._read_simulated_mail,
            "template": self._read_template,
            "composer": self._read_composer,
            "assignment": self._read_assignment,
            "suggestions": self._read_suggestions,
        }

    def as_administrator(self, records):
        return records.with_user(self.administrator)

    def _read_servers(self):
        servers = self.mailbox | self.relay_a | self.shop | self.shared
        names = ["routing_warning", "routing_summary", "sender_email", "tested_date"]
        return self.as_administrator(servers).read(names)

    def _read_edited_server(self):
        server = self.as_administrator(self.relay_a)
        edited = server.new({"own_user_ids": self.ben.ids}, origin=server)
        return edited.routing_warning, edited.routing_summary

    def _read_unsaved_server(self):
        values = {"name": "New", "default_company_ids": self.company_a.ids}
        unsaved = self.as_administrator(self.env["ir.mail_server"]).new(values)
        return unsaved.routing_warning, unsaved.routing_summary

    def _read_companies(self):
        names = ["mail_server_placeholder", "outgoing_mail_summary"]
        company = self.as_administrator(self.company_a)
        edited = company.new({"mail_server_ids": self.shared.ids}, origin=company)
        return (
            company.read([*names, "mail_routing_warning"]),
            edited.outgoing_mail_summary,
        )

    def _read_settings(self):
        settings = self.as_administrator(self.env["res.config.settings"])
        settings = settings.new({"company_id": self.company_a.id})
        return settings.outgoing_mail_summary, settings.mail_routing_warning

    def _read_users(self):
        users = self.as_administrator(self.anna | self.ben | self.clara)
        names = ["outgoing_mail_summary", "uncollected_replies_warning"]
        edited = users[1].new({"own_mail_server_ids": self.shared.ids}, origin=users[1])
        return (
            users.read([*names, "mail_routing_warning"]),
            edited.outgoing_mail_summary,
        )

    def _read_preferences(self):
        names = ["outgoing_mail_summary", "uncollected_replies_warning"]
        return [user.with_user(user).read(names) for user in (self.anna, self.ben)]

    def _read_overview(self):
        return self.as_administrator(self.env["mail.routing.overview"]).get_overview()

    def _read_changes(self):
        preview = self.as_administrator(self.env["mail.routing.preview"])
        unlinked = [Command.unlink(self.mailbox.id)]
        return (
            preview.get_changes(
                "res.users", self.anna.id, {"own_mail_server_ids": unlinked}
            ),
            preview.get_changes("ir.mail_server", self.relay_a.id, {"active": False}),
        )

    def _simulate(self, **values):
        simulator = self.as_administrator(self.env["mail.routing.simulation"])
        simulator = simulator.with_context(
            **{f"default_{name}": value for name, value in values.items()},
            allowed_company_ids=self.administrator.company_ids.ids,
        )
        return simulator.create({}).read()

    def _read_simulator(self):
        customer = f"res.partner,{self.customer_a.id}"
        return (
            self._simulate(),
            self._simulate(sender_id=self.ben.id, resource_ref=customer),
            self._simulate(sender_id=self.anna.id, template_id=self.template.id),
        )

    def _read_simulated_mail(self):
        return self._simulate(mail_id=self.waiting.id)

    def _read_template(self):
        template = self.as_administrator(self.template)
        return template.read(["mail_routing_summary", "mail_routing_warning"])

    def _read_composer(self):
        Composer = self.env["mail.compose.message"].with_user(self.anna)
        record = {"model": "res.partner", "res_ids": self.customer_a.ids}
        return [
            Composer.new({**record, **values}).sender_options
            for values in ({}, {"template_id": self.template.id})
        ]

    def _read_assignment(self):
        assignment = self.as_administrator(self.env["mail.routing.assignment"])
        users = self.anna | self.ben
        values = {"user_ids": users.ids, "mail_server_ids": self.shared.ids}
        assignment = assignment.create(values)
        return assignment.read(["summary", "warning"]), assignment.line_ids.read()

    def _read_suggestions(self):
        assignment = self.as_administrator(self.env["mail.routing.assignment"])
        assignment = assignment.create({"user_ids": (self.ben | self.clara).ids})
        assignment.action_suggest()
        return assignment.line_ids.read()

    def untouched(self):
        """What is told of company B and its servers."""
        self.env.invalidate_all()
        company = self.as_administrator(self.company_b)
        server = self.as_administrator(self.relay_b)
        return company.outgoing_mail_summary, server.routing_summary

    # ------------------------------------------------------------------
    # The texts
    # ------------------------------------------------------------------

    def texts(self):
        """The fields that the pages read, on records of company A."""
        domain, partner = self.company_a.alias_domain_id, self.ben.partner_id
        return [
            (partner, "name"),
            (partner, "email"),
            (partner, "email_normalized"),
            (self.ben, "login"),
            (self.anna.partner_id, "email"),
            (self.administrator.partner_id, "email"),
            (self.administrator.partner_id, "name"),
            (self.company_a, "name"),
            (self.company_a.partner_id, "email"),
            (self.company_a.partner_id, "name"),
            *((domain, name) for name in ("name", "bounce_alias", "catchall_alias")),
            (domain, "default_from"),
            *(
                (self.mailbox, name)
                for name in ("name", "from_filter", "smtp_user", "smtp_host")
            ),
            *((self.mailbox, n) for n in ("sender_email_custom", "reply_to_email")),
            *((self.relay_a, name) for name in ("name", "from_filter", "smtp_user")),
            (self.shared, "from_filter"),
            (self.incoming, "name"),
            (self.incoming, "user"),
            *((self.waiting.mail_message_id, n) for n in ("email_from", "reply_to")),
            *((self.waiting.mail_message_id, n) for n in ("subject", "model")),
            (self.waiting, "headers"),
            *((self.template, name) for name in ("email_from", "reply_to", "model")),
            (self.alias, "alias_name"),
            (self.customer_a, "email"),
        ]

    def store(self, record, name, text):
        """Write a text by Odoo, and where that refuses it, into the database."""
        try:
            with self.env.cr.savepoint():
                record[name] = text
                record.flush_recordset()
        except Exception:
            field = SQL.identifier(name)
            table = SQL.identifier(record._table)
            self.env.invalidate_all(flush=False)
            self.env.cr.execute(
                SQL(
                    "UPDATE %s SET %s = %s WHERE id = %s", table, field, text, record.id
                )
            )
        self.env.registry.clear_cache()
        self.env.invalidate_all()

    def bad_texts(self):
        """Some that are known to be bad, and some made up of parts of addresses."""
        rng = self.rng
        made_up = (
            "".join(rng.choices(_PARTS, k=rng.randint(1, 6)))
            for _ in range(MADE_UP_COUNT)
        )
        return [*rng.sample(KNOWN, KNOWN_COUNT), *made_up]


@tagged("post_install", "-at_install")
class TestBadTexts(BadTextCase):
    @mute_logger(*_LOGGERS)
    def test_no_text_makes_a_page_raise(self):
        self.rng = random.Random(SEED)
        stands = self.untouched()
        for record, name in self.texts():
            for text in self.bad_texts():
                with closing(self.env.cr.savepoint()):
                    self.store(record, name, text)
                    for page, read in self.pages().items():
                        with self.subTest(
                            f"{record}.{name}", page=page, text=text[:60]
                        ):
                            read()
                    with self.subTest(f"{record}.{name}", text=text[:60]):
                        self.assertEqual(self.untouched(), stands)
                self.env.registry.clear_cache()
                self.env.invalidate_all(flush=False)

    @mute_logger(*_LOGGERS)
    def test_line_that_cannot_be_told_says_so_and_the_others_stand(self):
        self.mailbox.own_user_ids = self.anna | self.ben
        self.store(self.ben.partner_id, "name", "Ben\nBcc: all@a.example")
        server = self.as_administrator(self.mailbox)
        told, untold = server.routing_summary.splitlines()
        self.assertIn("Mail of its users, such as Anna", told)
        self.assertIn("cannot be told for “Ben Bcc: all@a.example”", untold)
        overview = self._read_overview()
        [card] = [c for c in overview["companies"] if c["id"] == self.company_a.id]
        users = {user["name"]: user for user in card["users"]}
        self.assertFalse(users["Anna"]["issues"])
        [issue] = users[self.ben.name]["issues"]
        self.assertIn("cannot be told", issue["message"])
        self.assertEqual((issue["model"], issue["res_id"]), ("res.users", self.ben.id))

    @mute_logger(*_LOGGERS)
    def test_company_without_one_line_tells_the_other(self):
        user = CompanyFacts(self.company_a).typical_users[self.company_a.id]
        self.store(user.partner_id, "email", "(" * 3000)
        company = self.as_administrator(self.company_a)
        self.assertIn("Mail of the company", company.outgoing_mail_summary)
        told = f"cannot be told for “{user.name}”"
        self.assertIn(told, company.mail_routing_warning)

    @mute_logger(*_LOGGERS)
    def test_changes_tell_of_all_mails_but_one(self):
        for sender in ("sales@", "(" * 3000):
            with self.subTest(sender[:9]):
                self.store(self.waiting.mail_message_id, "email_from", sender)
                self.mail(self.anna, email_to="customer@customer.example")
                before = self._read_changes()[0]
                self.assertTrue(before["rows"])
                self.assertLessEqual(len(before["untold"]), 1)
        self.assertIn("cannot be told", before["untold"][0])

    def test_connection_is_tested_whatever_the_texts_are(self):
        self.store(self.anna.partner_id, "name", "Anna\nX")
        for server in self.mailbox | self.relay_a | self.shared:
            with self.subTest(server.name), self.sending():
                result = self.as_administrator(server).test_smtp_connection()
                self.assertEqual(result["params"]["type"], "success")
        self.store(self.administrator.partner_id, "email", False)
        self.shared.from_policy = "any"
        with self.sending(), self.assertRaisesRegex(UserError, "configure an email"):
            self.as_administrator(self.shared).test_smtp_connection()

    def test_errors_that_no_text_is_to_blame_for_are_raised(self):
        for page in (self._read_servers, self._read_companies, self._read_overview):
            for error in (AccessError("no"), MemoryError()):
                with self.subTest(page.__name__, error=error):
                    self.env.invalidate_all()
                    failing = patch.object(Preview, "get_mail", side_effect=error)
                    with failing, self.assertRaises(type(error)):
                        page()

    def test_users_are_still_refused(self):
        self.administrator = self.ben
        for page in ("servers", "overview", "changes", "simulator", "suggestions"):
            with self.subTest(page), self.assertRaises(AccessError):
                self.pages()[page]()
