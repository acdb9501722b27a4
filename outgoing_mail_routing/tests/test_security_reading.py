import json

from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import RpcCase, RpcError
from .smtp_server import Answer, Stage

READABLE = {"display_name": {}}
SECRETS = {"smtp_host": {}, "smtp_user": {}, "smtp_pass": {}}


class ReaderCase(RpcCase):
    """A server that none of the readers sends through, and whose facts say vault."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bob = cls._create_user("bob", cls.company_b)
        cls.manager = new_test_user(
            cls.env,
            "mona",
            groups="base.group_user,base.group_erp_manager,base.group_partner_manager,"
            "base.group_allow_export",
            company_id=cls.company_a.id,
            company_ids=[Command.set(cls.company_a.ids)],
        )
        cls.readers = (cls.ben, cls.bob, cls.portal_user, cls.manager)
        incoming = cls.env["fetchmail.server"].create(
            {"name": "Vault", "server_type": "imap", "server": "imap.vault.invalid"}
        )
        cls.vault = cls.env["ir.mail_server"].create(
            {
                "name": "Vault",
                "smtp_host": "host.vault.invalid",
                "smtp_user": "login@vault.invalid",
                "smtp_pass": "password of vault",
                "from_filter": "vault.invalid",
                "own_user_ids": [Command.set(cls.anna.ids)],
                "default_company_ids": [Command.set(cls._create_owner().ids)],
                "fetchmail_server_id": incoming.id,
            }
        )
        cls.message = cls.customer_a.with_user(cls.anna).message_post(
            body="Hello", mail_server_id=cls.vault.id, message_type="comment"
        )
        cls.message.partner_ids = cls.env["res.partner"].union(
            *(user.partner_id for user in cls.readers)
        )

    @classmethod
    def _create_owner(cls):
        return cls.env["res.company"].create({"name": "Owner"})

    def ask(self, user, model, method, *args, **kwargs):
        """All that the user gets to see of a call, as text."""
        try:
            with self.sending():
                return json.dumps(self.call(user, model, method, *args, **kwargs))
        except RpcError as error:
            return str(error)


@tagged("post_install", "-at_install")
class TestReading(ReaderCase):
    """No call tells anything of a server that is closed to the caller."""

    def _paths(self):
        """Fields that lead to a server: model, record, field."""
        return (
            ("res.users", self.anna, "own_mail_server_ids"),
            ("res.users", self.anna, "outgoing_mail_server_id"),
            ("res.users", self.anna, "outgoing_mail_summary"),
            ("res.users", self.anna, "mail_routing_warning"),
            ("res.company", self.vault.default_company_ids, "mail_server_ids"),
            ("mail.message", self.message, "mail_server_id"),
            ("ir.mail_server", self.vault, "name"),
            ("ir.mail_server", self.vault, "display_name"),
            ("ir.mail_server", self.vault, "routing_summary"),
            ("ir.mail_server", self.vault, "message_ids"),
            ("fetchmail.server", self.vault.fetchmail_server_id, "name"),
            (
                *("fetchmail.server", self.vault.fetchmail_server_id),
                "outgoing_mail_server_ids",
            ),
            ("mail.routing", self.vault, "id"),
        )

    def _reads(self, model, record, field):
        ids, found = record.ids, [["id", "in", record.ids]]
        below = {"fields": {**READABLE, **SECRETS}}
        return {
            "read": ("read", ids, [field]),
            "search and read": ("search_read", found, [field]),
            "search and read in order": (
                *("search_read", found, [field], 0, 1),
                f"{field} desc",
            ),
            "read for a form": ("web_read", ids, {field: {"fields": READABLE}}),
            "read below": ("web_read", ids, {field: below}),
            "read for a list": ("web_search_read", found, {field: below}),
            "group": ("formatted_read_group", found, [field], ["__count"]),
            "group for a list": ("web_read_group", found, [field]),
            "aggregate": ("formatted_read_group", found, [], [f"{field}:array_agg"]),
            "export": ("export_data", ids, [field, f"{field}/smtp_host"]),
            "search by name": ("name_search", "Vault"),
            "copy": ("copy_data", ids),
            "change unseen": ("onchange", ids, {field: False}, [field], {field: below}),
        }

    @mute_logger("odoo.http", "odoo.sql_db")
    def test_no_read_names_the_server(self):
        for user in self.readers:
            for path in self._paths():
                for name, call in self._reads(*path).items():
                    with self.subTest(name, user=user.name, path=path):
                        answer = self.ask(user, path[0], *call)
                        self.assertNotIn("vault", self._unasked(answer).lower())

    def _unasked(self, answer):
        """An answer without the words of the question, as tracebacks repeat them."""
        return answer.split('"debug"')[0]

    def _guesses(self, guess):
        """Searches that would tell whether the guess is right."""
        for model, field in (
            ("res.users", "own_mail_server_ids"),
            ("res.users", "outgoing_mail_server_id"),
            ("res.company", "mail_server_ids"),
            ("mail.message", "mail_server_id"),
            ("mail.compose.message", "mail_server_id"),
            ("mail.template", "mail_server_id"),
            ("ir.mail_server", "own_user_ids.own_mail_server_ids"),
            ("fetchmail.server", "outgoing_mail_server_ids"),
        ):
            yield model, [[f"{field}.smtp_pass", "=like", f"%{guess}"]]
            yield model, [[field, "ilike", guess]]
            yield model, [[field, "any", [["smtp_host", "ilike", guess]]]]

    @mute_logger("odoo.http", "odoo.sql_db")
    def test_no_search_tells_whether_a_guess_is_right(self):
        pairs = zip(self._guesses("vault"), self._guesses("wrong"), strict=True)
        for (model, right), (_model, wrong) in pairs:
            for user in self.readers:
                with self.subTest(user=user.name, model=model, domain=right):
                    answers = [
                        self.ask(user, model, "search_count", domain)
                        for domain in (right, wrong)
                    ]
                    answers[0] = answers[0].replace("vault", "wrong")
                    self.assertEqual(*map(self._unasked, answers))

    @mute_logger("odoo.http")
    def test_private_methods_are_closed(self):
        for user in self.readers:
            for model, method, *args in (
                ("mail.routing", "_get_out_of_service", False),
                ("mail.routing", "_route", "anna@a.example"),
                ("mail.routing", "_decide", "anna@a.example", {}),
                ("mail.mail", "_get_mail_routes", [1]),
                ("ir.mail_server", "_filter_open_to", self.vault.ids, 2),
                ("ir.mail_server", "_find_mail_server", "anna@vault.invalid"),
                ("ir.mail_server", "_connect__", self.vault.ids),
                ("res.users", "_get_outgoing_mail_lines", self.anna.ids),
                ("res.users", "_preview_own_mails", self.anna.ids),
                ("mail.routing.overview", "_get_servers"),
            ):
                with self.subTest(method, user=user.name):
                    answer = self.ask(user, model, method, *args)
                    self.assertIn("cannot be called remotely", answer)

    @mute_logger("odoo.http")
    def test_connection_of_a_closed_server_cannot_be_tested(self):
        for user in self.readers:
            for method in (
                "test_smtp_connection",
                "action_test_connections",
                "action_retrieve_max_email_size",
            ):
                with self.subTest(method, user=user.name):
                    answer = self.ask(user, "ir.mail_server", method, self.vault.ids)
                    self.assertIn("AccessError", answer)
                    self.assertNotIn("vault", self._unasked(answer).lower())

    @mute_logger("odoo.http")
    def test_error_of_sending_names_no_server(self):
        """Ben's own mail fails: the company's server cannot be reached."""
        template = self.env["mail.template"].create(
            {
                "name": "Template",
                "model_id": self.env.ref("base.model_res_partner").id,
                "partner_to": "{{ object.id }}",
                "body_html": "<p>Hello</p>",
            }
        )
        for values in (
            {"smtp_host": "host.vault.invalid"},
            {"smtp_pass": "wrong"},
            {"company_ids": self.company_b.ids},
        ):
            with self.subTest(values=values):
                relay = self._create_server("vault", **values)
                template.mail_server_id = relay
                answer = self.ask(
                    *(self.ben, "mail.template", "send_mail", template.ids),
                    *(self.customer_a.id, True, True),
                )
                self.assertIn("could not be sent", answer)
                self.assertNotIn("vault", answer.lower())

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_mail")
    def test_notification_of_a_failure_names_no_login(self):
        """Every user reads all notifications, administrators read why."""
        mail = self._fail("553 5.7.1 Not owned by user login@vault.invalid")
        notification = mail.notification_ids
        self.assertEqual(notification.notification_status, "exception")
        self.assertEqual(notification.failure_type, "unknown")
        self.assertIn("could not be sent", notification.failure_reason)
        for user in self.readers:
            for model, field in (
                ("mail.notification", "failure_reason"),
                ("mail.mail", "failure_reason"),
                ("mail.message", "mail_ids"),
            ):
                with self.subTest(user=user.name, model=model):
                    answer = self.ask(user, model, "search_read", [], [field])
                    self.assertNotIn("vault", self._unasked(answer).lower())
        self.assertIn("login@vault.invalid", mail.failure_reason)

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_notification_tells_what_the_writer_can_mend(self):
        mail = self.queue(self.ben, self.customer_a)
        mail.recipient_ids.email = "nobody"
        mail.auto_delete = False
        with self.sending():
            mail.send()
        notification = mail.notification_ids
        self.assertEqual(notification.failure_type, "mail_email_invalid")
        self.assertEqual(notification.failure_reason, mail.failure_reason)

    def _fail(self, answer):
        """A mail of Ben's that his company's server refuses with an answer."""
        script = self.smtp["relay-a"].script
        script.at(Stage.MAIL, Answer(answer))
        self.addCleanup(script.clear)
        mail = self.queue(self.ben, self.customer_a)
        with self.sending():
            mail.send()
        return mail

    def test_own_preferences_name_the_own_route_only(self):
        answer = self.ask(
            self.ben, "res.users", "read", self.ben.ids, ["outgoing_mail_summary"]
        )
        self.assertIn("A: through Relay-a as ben@a.example", answer)
        for name in ("Vault", "Office", "Relay-b", "Shop"):
            self.assertNotIn(name, answer)


@tagged("post_install", "-at_install")
class TestMarketer(ReaderCase):
    """Email Marketing lets its users read servers: what core has of them, no more."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.marketer = cls._create_marketer()

    def setUp(self):
        super().setUp()
        self.require("mass_mailing")

    @mute_logger("odoo.http")
    def test_no_field_of_the_addon_and_no_login_is_read(self):
        fields = self.env["ir.mail_server"]._fields
        thread = self.env["mail.thread"]._fields
        of_addon = [
            name
            for name, field in fields.items()
            if field._modules == ("outgoing_mail_routing",) and name not in thread
        ]
        self.assertIn("sender_email", of_addon)
        for name in (*of_addon, "smtp_user", "smtp_pass"):
            with self.subTest(name):
                call = ("search_read", [], [name])
                answer = self.ask(self.marketer, "ir.mail_server", *call)
                self.assertIn("AccessError", answer)
        answer = self.ask(self.marketer, "ir.mail_server", "search_read", [], ["name"])
        self.assertIn("Vault", answer, "as core has it, and README says")

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_mail")
    def test_errors_and_the_log_of_a_test_name_no_server(self):
        mailing = self.env["mailing.mailing"].create(
            {
                "subject": "News",
                "body_html": "<p>News</p>",
                "mailing_model_id": self.env["ir.model"]._get_id("res.partner"),
            }
        )
        template = self.env["mail.template"].create(
            {
                "name": "Template",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "partner_to": "{{ object.id }}",
                "body_html": "<p>Hello</p>",
            }
        )
        for values in (
            {"smtp_host": "host.vault.invalid"},
            {"smtp_pass": "wrong"},
            {"company_ids": self.company_b.ids},
        ):
            relay = self._create_server("vault", **values)
            with self.subTest("error", values=values):
                template.mail_server_id = relay
                answer = self.ask(
                    *(self.marketer, "mail.template", "send_mail", template.ids),
                    *(self.customer_a.id, True, True),
                )
                self.assertIn("could not be sent", answer)
                self.assertNotIn("vault", answer.lower())
            with self.subTest("log of a test", values=values):
                mailing.mail_server_id = relay
                self.assertNotIn("vault", self._log_of_test(mailing).lower())

    def _log_of_test(self, mailing):
        """What a test of a mailing that fails writes on it."""
        wizard_id = self.call(
            *(self.marketer, "mailing.mailing.test", "create"),
            {"email_to": "x@x.example", "mass_mailing_id": mailing.id},
        )
        before = mailing.message_ids
        self.ask(self.marketer, "mailing.mailing.test", "send_mail_test", [wizard_id])
        body = (mailing.message_ids - before).body
        self.assertIn("could not be sent", body)
        return body


@tagged("post_install", "-at_install")
class TestTelling(ReaderCase):
    """What users ask of their own records, or are refused, names no other server."""

    SUMMARIES = ("outgoing_mail_summary", "uncollected_replies_warning")

    def _ask_for_summary(self, user, email):
        """Put an address into one's own form, and ask what becomes of one's mail."""
        spec = dict.fromkeys(("email", *self.SUMMARIES), {})
        changed = {"email": email}
        answer = self.ask(
            user, "res.users", "onchange", user.ids, changed, ["email"], spec
        )
        return self._unasked(answer)

    def _unasked(self, answer):
        return answer.split('"debug"')[0].replace("login@vault.invalid", "")

    @mute_logger("odoo.http")
    def test_portal_users_are_told_of_no_server(self):
        answer = self.ask(
            *(self.portal_user, "res.users", "read"),
            *(self.portal_user.ids, list(self.SUMMARIES)),
        )
        for name in ("Relay", "through", "Shared", "Vault"):
            self.assertNotIn(name, answer)

    @mute_logger("odoo.http")
    def test_invented_address_names_no_server_that_collects_it(self):
        self.vault.fetchmail_server_id.write(
            {"user": "login@vault.invalid", "state": "done"}
        )
        for user in (self.ben, self.bob, self.manager, self.portal_user):
            with self.subTest(user.name, by="a form"):
                answer = self._ask_for_summary(user, "login@vault.invalid")
                self.assertNotIn("vault", answer.lower())
            with self.subTest(user.name, by="saving it"):
                self.ask(
                    *(user, "res.users", "write", user.ids),
                    {"email": "login@vault.invalid"},
                )
                answer = self.ask(
                    user, "res.users", "read", user.ids, list(self.SUMMARIES)
                )
                answer = self._unasked(answer)
                self.assertNotIn("collected by", answer)

    @mute_logger("odoo.http", "odoo.sql_db")
    def test_refusals_of_a_rights_manager_name_no_server(self):
        owner = self.vault.default_company_ids
        self.vault.write({"company_ids": [Command.set((owner | self.company_a).ids)]})
        self.anna.company_ids |= owner
        portal = self.env.ref("base.group_portal").id
        only_b = {
            "company_ids": [[6, 0, self.company_b.ids]],
            "company_id": self.company_b.id,
        }
        for name, (model, method, *args) in {
            "moving a user": ("res.users", "write", self.anna.ids, only_b),
            "making them a portal user": (
                *("res.users", "write", self.anna.ids),
                {"group_ids": [[6, 0, [portal]]]},
            ),
            "deleting a company": ("res.company", "unlink", owner.ids),
        }.items():
            with self.subTest(name):
                self.vault.company_ids = (
                    owner if "deleting" in name else owner | self.company_a
                )
                answer = self.ask(self.manager, model, method, *args)
                self.assertIn("Ask your administrator", answer)
                self.assertNotIn("vault", self._unasked(answer).lower())
                self.assertNotIn("office", self._unasked(answer).lower())

    @mute_logger("odoo.http")
    def test_rights_manager_creates_and_duplicates_users(self):
        self.anna.use_own_mail_servers = False
        for name, (method, *args) in {
            "duplicate": ("copy", self.ben.ids),
            "duplicate one who has servers": ("copy", self.anna.ids),
            "create": ("create", {"name": "New", "login": "new@a.example"}),
            "save a form": ("web_save", [], {"name": "x", "login": "x@a.example"}, {}),
            "import": ("load", ["name", "login"], [["Im", "im@a.example"]]),
        }.items():
            with self.subTest(name):
                before = self.env["res.users"].search_count([])
                answer = self.ask(self.manager, "res.users", method, *args)
                self.env.invalidate_all()
                self.assertEqual(
                    self.env["res.users"].search_count([]), before + 1, answer
                )
        self.assertTrue(self.env["res.users"].search([], order="id desc", limit=1))


@tagged("post_install", "-at_install")
class TestAssigning(ReaderCase):
    """Nobody but an administrator assigns a server, whatever they call."""

    def _calls(self, user):
        ids = self.vault.ids
        own = {"own_mail_server_ids": [[6, 0, ids]]}
        company = {"mail_server_ids": [[6, 0, ids]]}
        server = {"name": "New", "smtp_host": "127.0.0.1"}
        new_user = {"name": "New", "login": "new"}
        linked = {"own_user_ids": [[4, user.id]], "company_ids": [[5]]}
        nested = {"user_ids": [[1, user.id, own]]}
        return {
            "write on oneself": ("res.users", "write", user.ids, own),
            "save one's preferences": ("res.users", "web_save", user.ids, own, {}),
            "switch one's servers off": (
                *("res.users", "write", user.ids),
                {"use_own_mail_servers": False},
            ),
            "write on a colleague": ("res.users", "write", self.anna.ids, own),
            "create a user": ("res.users", "create", {**new_user, **own}),
            "copy a user": ("res.users", "copy", user.ids, own),
            "import users": (
                *("res.users", "load", ["name", "login", "own_mail_server_ids/.id"]),
                [["New", "new", str(self.vault.id)]],
            ),
            "write on one's contact": (
                *("res.partner", "write", user.partner_id.ids, nested),
            ),
            "write on one's company": (
                *("res.company", "write", user.company_id.ids, company),
            ),
            "create a company": ("res.company", "create", {"name": "New", **company}),
            "import companies": (
                *("res.company", "load", ["name", "mail_server_ids/.id"]),
                [["New", str(self.vault.id)]],
            ),
            "write on the server": ("ir.mail_server", "write", ids, linked),
            "create a server": ("ir.mail_server", "create", {**server, **linked}),
            "copy the server": ("ir.mail_server", "copy", ids, linked),
            "import servers": (
                *("ir.mail_server", "load", ["name", "smtp_host", "own_user_ids/.id"]),
                [["New", "127.0.0.1", str(user.id)]],
            ),
            "write on the incoming server": (
                *("fetchmail.server", "write", self.vault.fetchmail_server_id.ids),
                {"outgoing_mail_server_ids": [[1, self.vault.id, linked]]},
            ),
        }

    def _defaults(self):
        ids = self.vault.ids
        return {
            "default_own_mail_server_ids": [[6, 0, ids]],
            "default_use_own_mail_servers": False,
            "default_mail_server_ids": [[6, 0, ids]],
            "default_own_user_ids": self.ben.ids,
        }

    def _assignments(self):
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT own_user_id, own_server_id, company_id, server_id FROM ("
            " SELECT user_id AS own_user_id, mail_server_id AS own_server_id,"
            "        NULL::int AS company_id, NULL::int AS server_id"
            "   FROM ir_mail_server_own_user_rel"
            "  UNION ALL SELECT NULL, NULL, company_id, mail_server_id"
            "   FROM ir_mail_server_default_company_rel"
            "  UNION ALL SELECT id, NULL, NULL, NULL FROM res_users"
            "   WHERE NOT use_own_mail_servers) AS line ORDER BY 1, 2, 3, 4"
        )
        return self.env.cr.fetchall()

    @mute_logger("odoo.http", "odoo.sql_db")
    def test_call_assigns_nothing(self):
        before = self._assignments()
        for user in self.readers:
            for name, (model, method, *args) in self._calls(user).items():
                with self.subTest(name, user=user.name):
                    answer = self.ask(user, model, method, *args)
                    self.assertRegex(answer, r"Error|not allowed|enough rights")
                    self.assertEqual(self._assignments(), before)

    @mute_logger("odoo.http", "odoo.sql_db")
    def test_default_value_assigns_nothing(self):
        before = self._assignments()
        for user in self.readers:
            for model, values in (
                ("res.users", {"name": "New", "login": "new"}),
                ("res.company", {"name": "New"}),
                ("ir.mail_server", {"name": "New", "smtp_host": "127.0.0.1"}),
            ):
                for key, value in self._defaults().items():
                    with self.subTest(model=model, user=user.name, key=key):
                        context = {key: value}
                        self.ask(user, model, "create", values, context=context)
                        self.assertEqual(self._assignments(), before)
