import json
from datetime import timedelta

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import RoutingCase, RpcCase, RpcError

MAILBOX = "office@mailbox.example"
MISSING = 2**31 - 1
CLOSED = "You cannot send through this outgoing mail server"

POST = {
    "body": "Hello",
    "message_type": "comment",
    "subtype_xmlid": "mail.mt_comment",
}


@tagged("post_install", "-at_install")
class TestOpenServers(RoutingCase):
    """Which servers a user who is no administrator may choose by hand."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bob = cls._create_user("bob", cls.company_b)
        cls.reserved = cls._create_server("reserved", reserved=True)
        cls.barred = cls._create_server("barred", company_ids=cls.company_b.ids)
        cls.personal = cls._create_server(
            "ben@a.example", from_filter="ben@a.example", owner_user_id=cls.ben.id
        )
        cls.servers = (
            *(cls.mailbox, cls.relay_a, cls.relay_b, cls.shop, cls.shared),
            *(cls.reserved, cls.barred, cls.personal),
        )

    def _open_to(self, user, **values):
        servers = self.env["ir.mail_server"].union(*self.servers)
        return servers._filter_open_to(user, **values)

    def test_open_servers_are_own_of_own_companies_and_of_nobody(self):
        public = self.shop | self.shared
        for user, expected in (
            (self.anna, public | self.mailbox | self.relay_a),
            (self.ben, public | self.relay_a | self.personal),
            (self.bob, public | self.relay_b | self.barred),
            (self.clara, public | self.relay_a | self.relay_b | self.barred),
            (self.portal_user, public | self.relay_a),
        ):
            with self.subTest(user=user.name):
                self.assertEqual(self._open_to(user), expected)

    def test_open_servers_of_a_branch_are_those_of_its_parent_too(self):
        branch = self.env["res.company"].create(
            {"name": "Branch", "parent_id": self.company_b.id}
        )
        user = self._create_user("bea", branch)
        self.assertIn(self.relay_b, self._open_to(user))

    def test_server_on_a_template_is_not_open_by_that(self):
        self.env["mail.template"].create(
            {"name": "Template", "mail_server_id": self.reserved.id}
        )
        self.assertNotIn(self.reserved, self._open_to(self.ben))

    def test_open_servers_of_nobody_are_the_public_ones(self):
        nobody = self.env["res.users"]
        self.assertEqual(self._open_to(nobody), self.shop | self.shared)

    def test_own_server_is_not_open_where_others_would_send_through_it(self):
        self.assertEqual(
            self._open_to(self.anna, shared=True),
            self.shop | self.shared | self.relay_a,
        )
        self.assertNotIn(self.personal, self._open_to(self.ben, shared=True))

    def test_nothing_assigned_leaves_every_public_server_open(self):
        servers = self.env["ir.mail_server"].union(*self.servers)
        servers.write(
            {
                "own_user_ids": [Command.clear()],
                "default_company_ids": [Command.clear()],
                "company_ids": [Command.clear()],
                "reserved": False,
            }
        )
        for user in (self.ben, self.bob, self.portal_user):
            opened = self._open_to(user)
            self.assertEqual(opened - self.personal, servers - self.personal)

    def test_name_of_a_server_is_shown_to_whom_it_is_open(self):
        for user, server, expected in (
            (self.anna, self.mailbox, "Office@mailbox.example"),
            (self.ben, self.mailbox, "Outgoing mail server"),
            (self.ben, self.relay_a, "Relay-a"),
            (self.bob, self.relay_a, "Outgoing mail server"),
            (self.env.user, self.mailbox, "Office@mailbox.example"),
        ):
            with self.subTest(user=user.name, server=server.name):
                shown = server.with_user(user).sudo().display_name
                self.assertEqual(shown, expected)


@tagged("post_install", "-at_install")
class TestChoosing(RpcCase):
    """Every call by which a user can name a mail server, made over JSON-RPC."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bob = cls._create_user("bob", cls.company_b)
        cls.customer = cls.env["res.partner"].create(
            {"name": "Customer", "email": "customer@customer.example"}
        )
        cls.template = cls._create_template()
        cls.env["ir.model.data"].create(
            {
                "module": "outgoing_mail_routing",
                "name": "template_of_test",
                "model": "mail.template",
                "res_id": cls.template.id,
            }
        )

    # ------------------------------------------------------------------
    # The calls: model, method, arguments, keyword arguments
    # ------------------------------------------------------------------

    def _posting(self, server_id):
        ids = self.customer.ids
        source = {
            "source_ref": "outgoing_mail_routing.template_of_test",
            "mail_server_id": server_id,
        }
        about = {"model": "res.partner", "mail_server_id": server_id}
        return {
            "post": (
                *("res.partner", "message_post", [ids]),
                {**POST, "partner_ids": ids, "mail_server_id": server_id},
            ),
            "post a template": (
                *("res.partner", "message_post_with_source", [ids], source),
            ),
            "mail a template": (
                *("res.partner", "message_mail_with_source", [ids], source),
            ),
            "notify about a record": (
                *("res.partner", "message_notify", [ids]),
                {"body": "Hello", "partner_ids": ids, "mail_server_id": server_id},
            ),
            "notify from nowhere": (
                *("mail.thread", "message_notify", [[]]),
                {"partner_ids": ids, "res_id": self.customer.id, **about},
            ),
            "post by the record's own field": (
                *("res.partner", "write", [ids]),
                {"vals": {"message_ids": [[0, 0, about]]}},
            ),
        }

    def _templates(self, server_id):
        ids = self.template.ids
        values = {"mail_server_id": server_id}
        own = self.env["mail.template"].with_user(self.user).create({"name": "Own"})
        default = {"context": {"default_mail_server_id": server_id}}
        return {
            "send a template": (
                *("mail.template", "send_mail", [ids, self.customer.id]),
                {"email_values": values, "force_send": True},
            ),
            "send a template to several": (
                *("mail.template", "send_mail_batch"),
                *([ids, self.customer.ids, True, False, values], {}),
            ),
            "create a template": (
                *("mail.template", "create", [{"name": "New", **values}], {}),
            ),
            "create a template by default": (
                *("mail.template", "create", [{"name": "New"}], default),
            ),
            "change a template": ("mail.template", "write", [own.ids, values], {}),
            "copy a template": ("mail.template", "copy", [ids, values], {}),
            "import a template": (
                *("mail.template", "load"),
                *([["name", "mail_server_id/.id"], [["New", str(server_id)]]], {}),
            ),
        }

    def _composing(self, server_id):
        values = {
            "model": "res.partner",
            "res_ids": str(self.customer.ids),
            "mail_server_id": server_id,
        }
        own = self.env["mail.compose.message"].with_user(self.user).create({})
        spec = {"mail_server_id": {"fields": {"display_name": {}}}}
        default = {"context": {"default_mail_server_id": server_id}}
        mass = {**values, "composition_mode": "mass_mail"}
        return {
            "compose": ("mail.compose.message", "create", [values], {}),
            "compose a mass mail": ("mail.compose.message", "create", [mass], {}),
            "compose by default": ("mail.compose.message", "create", [{}], default),
            "change a composer": (
                *("mail.compose.message", "write", [own.ids, values], {}),
            ),
            "save a composer": (
                *("mail.compose.message", "web_save", [[], values, spec], {}),
            ),
            "open a composer by default": (
                *("mail.compose.message", "onchange", [[], {}, [], spec], default),
            ),
            "ask for the composer's default": (
                *("mail.compose.message", "default_get", [["mail_server_id"]]),
                default,
            ),
        }

    def _messages(self, server_id):
        values = {"mail_server_id": server_id}
        about = {"model": "res.partner", "res_id": self.customer.id}
        parameters = {"notification_parameters": json.dumps(values)}
        message = self.customer.with_user(self.user).message_post(body="Own")
        scheduled = {
            **about,
            "author_id": self.user.partner_id.id,
            "body": "Later",
            "scheduled_date": fields.Datetime.to_string(
                fields.Datetime.now() + timedelta(days=1)
            ),
        }
        Scheduled = self.env["mail.scheduled.message"].with_user(self.user)
        own = Scheduled.create(scheduled)
        return {
            "create a message": ("mail.message", "create", [{**about, **values}], {}),
            "change a message": ("mail.message", "write", [message.ids, values], {}),
            "schedule a message": (
                *("mail.scheduled.message", "create", [{**scheduled, **parameters}]),
                {},
            ),
            "change a scheduled message": (
                *("mail.scheduled.message", "write", [own.ids, parameters], {}),
            ),
        }

    def _odd_ids(self, server_id):
        """Values that PostgreSQL would turn into the id of the server."""
        for value in (str(server_id), server_id + 0.4, [server_id], {"id": server_id}):
            values = {**POST, "mail_server_id": value}
            name = f"post with {type(value).__name__}"
            yield name, ("res.partner", "message_post", [self.customer.ids], values)

    def _calls(self, server_id):
        return {
            **self._posting(server_id),
            **self._templates(server_id),
            **self._composing(server_id),
            **self._messages(server_id),
            **dict(self._odd_ids(server_id)),
        }

    # ------------------------------------------------------------------

    def _try(self, call):
        """What the user gets for a call: the words of a refusal, ``""`` for none."""
        self.forget_received()
        model, method, args, kwargs = call
        try:
            with self.sending():
                result = self.call(self.user, model, method, *args, **kwargs)
        except RpcError as error:
            self.assertNotRegex(str(error), r"(?i)office@|relay-[ab]|secret of")
            return f"{error.name}: {error.message}"
        return str(result["messages"]) if method == "load" else ""

    def _mails(self):
        return self.env["mail.mail"].search_count([])

    @mute_logger("odoo.http", "odoo.sql_db")
    def test_closed_server_is_refused_in_the_words_for_one_that_does_not_exist(self):
        for user, server in ((self.ben, self.mailbox), (self.bob, self.relay_a)):
            self.user = user
            missing = self._calls(MISSING)
            mails = self._mails()
            for name, call in self._calls(server.id).items():
                with self.subTest(name, user=user.name):
                    refusal = self._try(call)
                    self.assertIn(CLOSED, refusal)
                    if call[1] != "load":  # it tells which ids exist, of any model
                        self.assertEqual(refusal, self._try(missing[name]))
                    self.assertFalse(self.received())
                    self.assertEqual(self._mails(), mails)

    @mute_logger("odoo.http", "odoo.sql_db")
    def test_portal_user_is_refused_everywhere(self):
        self.user = self.ben
        calls = self._calls(self.mailbox.id)
        self.user = self.portal_user
        own = self.portal_user.partner_id
        own.message_subscribe(own.ids)
        calls["post on their own contact"] = (
            *("res.partner", "message_post", [own.ids]),
            {**POST, "mail_server_id": self.mailbox.id},
        )
        for name, call in calls.items():
            with self.subTest(name):
                self.assertTrue(self._try(call))
                self.assertFalse(self.received())
        self.assertIn(CLOSED, self._try(calls["post on their own contact"]))

    @mute_logger("odoo.http")
    def test_message_of_a_client_is_never_sent_as_it_is(self):
        self.user = self.ben
        headers = ("Cc", "Bcc", "X-Forge-To", "X-Msg-To-Add", "Return-Path")
        message = {
            **dict.fromkeys(headers, ""),
            **{"From": "anna@a.example", "To": "x@x.example", "Message-Id": "<x@x>"},
        }
        for server_id in (self.mailbox.id, self.shared.id, MISSING, False):
            with self.subTest(server=server_id):
                call = ("ir.mail_server", "send_email", [message, server_id], {})
                self.assertIn("Only Odoo itself", self._try(call))
                self.assertFalse(self.received())

    def test_open_server_may_be_chosen_as_in_core(self):
        for user, server in (
            (self.anna, self.mailbox),
            (self.ben, self.relay_a),
            (self.ben, self.shop),
            (self.bob, self.relay_b),
        ):
            with self.subTest(user=user.name, server=server.name):
                self.user = user
                self.assertFalse(self._try(self._posting(server.id)["post"]))
                logins = {mail.login for mail in self.received()}
                self.assertEqual(logins, {server.smtp_user})

    def test_server_of_a_template_carries_what_users_send_by_it(self):
        reserved = self._create_server("reserved", reserved=True)
        self.template.mail_server_id = reserved
        self.user = self.ben
        ids, composer = self.customer.ids, self.env["mail.compose.message"]
        for name, call in (
            (
                "send",
                ("mail.template", "send_mail", [self.template.ids, *ids, True], {}),
            ),
            ("post", self._posting(False)["post a template"]),
        ):
            with self.subTest(name):
                call[3].pop("mail_server_id", None)
                self.assertFalse(self._try(call))
                self.assertEqual(self.one_received().login, "reserved")
        with self.subTest("compose"), self.sending():
            self.forget_received()
            composer.with_user(self.ben).with_context(
                default_model="res.partner",
                default_res_ids=ids,
                default_template_id=self.template.id,
            ).create({"mail_server_id": reserved.id}).action_send_mail()
            self.assertEqual(self.one_received().login, "reserved")

    def test_administrator_may_choose_every_server(self):
        self.user = self.env.ref("base.user_admin")
        self.user.email = "admin@a.example"
        self.assertFalse(self._try(self._posting(self.mailbox.id)["post"]))
        self.assertEqual(self.one_received().login, MAILBOX)

    @mute_logger("odoo.http")
    def test_marketing_user_chooses_for_mailings_as_for_templates(self):
        self.require("mass_mailing")
        self.user = self._create_marketer()
        self.shop.own_user_ids = self.user
        for server, refused in (
            (self.mailbox, True),
            (self.relay_b, True),
            (self.shop, True),
            (self.relay_a, False),
            (self.shared, False),
        ):
            values = {"subject": "News", "mail_server_id": server.id}
            call = ("mailing.mailing", "create", [values], {})
            with self.subTest(server=server.name):
                self.assertEqual(CLOSED in self._try(call), refused)
        parameter = "mass_mailing.mail_server_id"
        self.env["ir.config_parameter"].set_param(parameter, self.relay_b.id)
        call = ("mailing.mailing", "create", [{"subject": "News"}], {})
        self.assertFalse(self._try(call), "the one that administrators chose")
