import base64
from email.message import EmailMessage

from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import RoutingCase, RpcCase, RpcError

SECRET = "hidden-from-everybody"


class LogCase(RoutingCase):
    """Servers whose changes are logged, as outside of tests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._create_administrator()
        cls.env.cr.flush()  # what was made without a log is not part of what follows
        cls.env = cls.env(context={})
        for name in ("mailbox", "relay_a", "shared", "company_a", "company_b"):
            record = getattr(cls, name).with_env(cls.env)
            setattr(cls, name, record.with_user(cls.administrator))

    def as_administrator(self, record):
        return record.with_env(self.env).with_user(self.administrator)

    def logged(self, server):
        """What was logged on a server since this was asked last, oldest first.

        :return: ``[(author, body, {field: (old, new)})]``, values as the chatter shows
        """
        self.env.flush_all()
        self.env.cr.flush()  # where a transaction ends, core logs what it tracked
        messages = self.env["mail.message"].search(
            [("model", "=", "ir.mail_server"), ("res_id", "=", server.id)], order="id"
        )
        known = self.__dict__.setdefault("_known_messages", set())
        new = messages.filtered(lambda message: message.id not in known)
        known.update(new.ids)
        return [
            (message.author_id, message.preview or "", self._changes(message))
            for message in new
        ]

    def _changes(self, message):
        changes = {}
        for value in message.tracking_value_ids:
            [shown] = value._tracking_value_format()
            shown = shown["oldValue"], shown["newValue"]
            if value.field_id.ttype == "char":
                shown = tuple(text or "" for text in shown)
            changes[value.field_id.name] = shown
        return changes

    def assertLogged(self, server, changes):
        """Check that one note of the administrator says all this, and mails nobody."""
        mails = self.env["mail.mail"].search_count([])
        [(author, _body, logged)] = self.logged(server)
        self.assertEqual(author, self.administrator.partner_id)
        self.assertEqual(logged, changes)
        self.assertEqual(self.env["mail.mail"].search_count([]), mails)
        self.assertFalse(server.message_follower_ids)


@tagged("post_install", "-at_install")
class TestServerLog(LogCase):
    """Who assigned a server or changed its policies, from what to what."""

    def test_change_of_the_server_is_logged_with_old_and_new(self):
        incoming = self.env["fetchmail.server"].create(
            {"name": "Incoming", "server_type": "imap"}
        )
        anna, ben = self.anna, self.ben
        for values, changes in (
            (
                {"own_user_ids": [Command.link(ben.id)]},
                {"own_user_ids": ("", ben.name)},
            ),
            (
                {"own_user_ids": [Command.set(ben.ids)]},
                {"own_user_ids": (anna.name, "")},
            ),
            (
                {"default_company_ids": self.company_b.ids},
                {"default_company_ids": ("", "B")},
            ),
            ({"company_ids": self.company_b.ids}, {"company_ids": ("", "B")}),
            ({"reserved": True}, {"reserved": (False, True)}),
            ({"out_of_service": True}, {"out_of_service": (False, True)}),
            (
                {"delegation": "colleagues"},
                {
                    "delegation": (
                        "Only what its users send themselves",
                        "Also what colleagues send in their name",
                    )
                },
            ),
            ({"from_policy": "any"}, {"from_policy": ("Automatic", "Every address")}),
            (
                {"sender_email": "Team@mailbox.example"},
                {"sender_email": ("office@mailbox.example", "team@mailbox.example")},
            ),
            (
                {"reply_to_policy": "custom", "reply_to_email": "r@x.example"},
                {
                    "reply_to_policy": ("Automatic", "Another address"),
                    "reply_to_email": ("", "r@x.example"),
                },
            ),
            (
                {"bounce_policy": "odoo"},
                {"bounce_policy": ("Automatic", "Odoo's bounce address")},
            ),
            (
                {"fetchmail_server_id": incoming.id},
                {"fetchmail_server_id": ("", "Incoming")},
            ),
            ({"from_filter": "x.example"}, {"from_filter": ("", "x.example")}),
            ({"sequence": 7}, {"sequence": (1, 7)}),
            ({"name": "Box"}, {"name": ("Office@mailbox.example", "Box")}),
            ({"smtp_host": "x.invalid"}, {"smtp_host": ("127.0.0.1", "x.invalid")}),
        ):
            with self.subTest(values=values):
                self.mailbox.company_ids = False  # else some of it is refused
                self.ben.company_ids = self.company_a | self.company_b
                self.anna.company_ids = self.company_a | self.company_b
                self.logged(self.mailbox)
                self.mailbox.write(values)
                self.assertLogged(self.mailbox, changes)

    def test_archiving_is_logged(self):
        self.shared.active = False
        self.assertLogged(self.shared, {"active": (True, False)})

    def test_creation_is_logged_with_what_is_not_the_default(self):
        server = self.as_administrator(self.env["ir.mail_server"]).create(
            {"name": "New", "own_user_ids": self.ben.ids, "from_policy": "any"}
        )
        [(author, body, changes)] = self.logged(server)
        self.assertEqual(author, self.administrator.partner_id)
        self.assertEqual(body, "Mail Server created")
        self.assertEqual(
            changes,
            {
                "name": ("", "New"),
                "own_user_ids": ("", self.ben.name),
                "from_policy": ("Automatic", "Every address"),
            },
        )
        self.assertFalse(server.message_follower_ids)

    def test_notes_of_many_new_servers_need_no_statement_each(self):
        servers = self.as_administrator(self.env["ir.mail_server"])

        def create(number):
            created = servers.create(
                [
                    {"name": f"New {n}", "own_user_ids": self.ben.ids}
                    for n in range(number)
                ]
            )
            self.env.cr.flush()
            return created

        create(2)
        few, _created = self.counted(lambda: create(2))
        many, created = self.counted(lambda: create(20))
        self.assertLess(many - few, 5)
        for server in created:
            [(_author, _body, changes)] = self.logged(server)
            self.assertEqual(
                changes, {"name": ("", server.name), "own_user_ids": ("", "Ben")}
            )

    def test_notes_of_many_servers_have_what_core_gives_one(self):
        servers = self.as_administrator(self.env["ir.mail_server"])
        values = {
            "name": "New",
            "own_user_ids": self.ben.ids,
            "fetchmail_server_id": self.env["fetchmail.server"]
            .create({"name": "Incoming", "server_type": "imap"})
            .id,
            "reserved": True,
            "sequence": 7,
        }
        alone = servers.create(values)
        self.env.cr.flush()
        names = ("Other", "New", "New")  # the last two by what is kept of the first
        together = servers.create([{**values, "name": name} for name in names])
        self.env.cr.flush()
        noted = [self._columns(server.message_ids) for server in together]
        [expected] = self._columns(alone.message_ids)
        self.assertEqual(noted, [[expected]] * 3)
        self.assertEqual(expected["author_id"], self.administrator.partner_id.id)
        values = self._columns(alone.message_ids.tracking_value_ids)
        for server, name in zip(together, names, strict=True):
            noted = self._columns(server.message_ids.tracking_value_ids)
            for value in noted:
                if value["new_value_char"] == name:
                    value["new_value_char"] = "New"
            self.assertEqual(noted, values)

    def _columns(self, records):
        """What the rows of records say, but for what tells them apart."""
        each = {"id", "res_id", "message_id", "mail_message_id", "date"}
        columns = records.sudo().search_read([("id", "in", records.ids)], load=None)
        fields = records._fields
        return [
            {n: row[n] for n in row if fields[n].column_type and n not in each}
            for row in columns
        ]

    def test_changes_of_many_servers_at_once_are_logged(self):
        (self.shared | self.relay_a).write({"sequence": 9})
        for server in (self.shared, self.relay_a):
            [(author, body, changes)] = self.logged(server)
            self.assertEqual((author, body), (self.administrator.partner_id, ""))
            self.assertEqual(changes["sequence"][1], 9)

    def test_copy_has_its_own_log(self):
        self.mailbox.reserved = True
        self.logged(self.mailbox)
        [(_author, body, changes)] = self.logged(self.mailbox.copy())
        self.assertEqual(body, "Mail Server created")
        self.assertNotIn("own_user_ids", changes)
        self.assertFalse(self.logged(self.mailbox))

    def test_assignment_on_the_user_is_logged_on_each_server(self):
        ben = self.as_administrator(self.ben)
        self.shared.reserved = True  # or it would be, once it is left to nobody
        self.logged(self.shared)
        for value, changes in (
            ([Command.link(self.shared.id)], {self.shared: ("", "Ben")}),
            (self.mailbox, {self.shared: ("Ben", ""), self.mailbox: ("", "Ben")}),
            ([Command.clear()], {self.mailbox: ("Ben", "")}),
            ([Command.set(self.shared.ids)], {self.shared: ("", "Ben")}),
            ([Command.unlink(self.shared.id)], {self.shared: ("Ben", "")}),
            (self.shared.ids, {self.shared: ("", "Ben")}),
            (False, {self.shared: ("Ben", "")}),
        ):
            with self.subTest(value=value):
                ben.write({"own_mail_server_ids": value})
                for server, values in changes.items():
                    self.assertLogged(server, {"own_user_ids": values})

    def test_same_assignment_again_is_not_logged(self):
        self.as_administrator(self.anna).own_mail_server_ids = self.mailbox
        self.assertFalse(self.logged(self.mailbox))

    def test_assignment_to_several_users_at_once_is_one_note(self):
        users = self.as_administrator(self.ben | self.clara)
        users.own_mail_server_ids = self.shared
        self.assertLogged(self.shared, {"own_user_ids": ("", "Ben, Clara")})

    def test_assignment_on_the_company_is_logged(self):
        self.company_a.mail_server_ids += self.shared
        self.assertLogged(self.shared, {"default_company_ids": ("", "A")})

    def test_assignment_in_the_settings_is_logged(self):
        settings = self.as_administrator(self.env["res.config.settings"]).create(
            {"company_id": self.company_a.id}
        )
        settings.mail_server_ids = self.shared
        settings.execute()
        self.assertLogged(self.shared, {"default_company_ids": ("", "A")})
        self.assertLogged(self.relay_a, {"default_company_ids": ("A", "")})

    def test_imported_assignment_is_logged(self):
        shared = str(self.shared.id)
        for model, names, row, changes in (
            (
                "res.users",
                ["name", "login", "own_mail_server_ids/.id"],
                ["New", "new", shared],
                {"own_user_ids": ("", "New")},
            ),
            (
                "res.company",
                ["name", "mail_server_ids/.id"],
                ["Newco", shared],
                {"default_company_ids": ("", "Newco")},
            ),
            (
                "ir.mail_server",
                [".id", "reserved"],
                [shared, "1"],
                {"reserved": (False, True)},
            ),
        ):
            with self.subTest(model):
                imported = self.as_administrator(self.env[model]).load(names, [row])
                self.assertFalse(imported["messages"])
                self.assertLogged(self.shared, changes)

    def test_switch_of_a_user_is_logged_with_their_name(self):
        anna = self.as_administrator(self.anna)
        for old in (True, False):
            anna.use_own_mail_servers = not old
            [(author, body, changes)] = self.logged(self.mailbox)
            self.assertEqual((author, body), (self.administrator.partner_id, "Anna"))
            self.assertEqual(changes, {"use_own_mail_servers": (old, not old)})
        anna.use_own_mail_servers = True
        self.assertFalse(self.logged(self.mailbox))

    def test_switch_of_a_new_user_is_logged(self):
        self.as_administrator(self.env["res.users"]).create(
            {
                "name": "New",
                "login": "new",
                "use_own_mail_servers": False,
                "own_mail_server_ids": self.shared.ids,
            }
        )
        [switch, assignment] = self.logged(self.shared)
        self.assertEqual(switch[1:], ("New", {"use_own_mail_servers": (True, False)}))
        self.assertEqual(assignment[2], {"own_user_ids": ("", "New")})

    def test_deleted_user_leaves_their_name(self):
        dora = self._create_user("dora", self.company_a)
        self.as_administrator(dora).own_mail_server_ids = self.shared
        self.as_administrator(dora).unlink()
        logged = self.logged(self.shared)
        self.assertEqual(
            [changes for _author, _body, changes in logged],
            [
                {"own_user_ids": ("", "Dora")},
                {"own_user_ids": ("Dora", "")},
                {"reserved": (False, True)},
            ],
        )
        authors = {author for author, _body, _changes in logged}
        self.assertEqual(authors, {self.administrator.partner_id})

    def test_deleted_company_leaves_its_name(self):
        company = self.as_administrator(self._create_lone_company("C"))
        company.mail_server_ids = self.shared
        self.shared.company_ids = company | self.company_b
        self.logged(self.shared)
        company.unlink()
        [departure, reserved] = self.logged(self.shared)
        self.assertEqual(
            departure[2],
            {"default_company_ids": ("C", ""), "company_ids": ("C", "")},
        )
        self.assertEqual(reserved[2], {"reserved": (False, True)})

    def test_deleted_incoming_server_leaves_its_name(self):
        incoming = self.as_administrator(self.env["fetchmail.server"]).create(
            {"name": "Incoming", "server_type": "imap"}
        )
        self.shared.fetchmail_server_id = incoming
        self.logged(self.shared)
        incoming.unlink()
        self.assertLogged(self.shared, {"fetchmail_server_id": ("Incoming", "")})

    def test_change_in_sudo_names_the_real_user(self):
        manager = self._create_user("manager", self.company_a)
        shared = self.shared.with_user(manager).sudo()
        shared.reserved = True
        [(author, body, _changes)] = self.logged(self.shared)
        self.assertEqual(author, self.env.ref("base.partner_root"))
        self.assertIn(f"By {manager.name}.", body)

    def test_administrator_of_one_company_logs_no_change_of_others(self):
        self.administrator.company_ids = self.company_a
        self.shared.sudo().default_company_ids = self.company_a | self.company_b
        self.logged(self.shared)
        self.env.invalidate_all()
        self.shared.with_company(self.company_a).sequence = 9
        self.assertLogged(self.shared, {"sequence": (5, 9)})


@tagged("post_install", "-at_install")
class TestServerLogSecrets(LogCase):
    """No secret reaches the log, and it costs no mail anything."""

    def test_no_secret_is_logged(self):
        server = self.as_administrator(self.env["ir.mail_server"]).create(
            {"name": "New", "smtp_user": SECRET, "smtp_pass": SECRET}
        )
        self.assertEqual([*self.logged(server)[0][2]], ["name"])
        secrets = [
            name
            for name, field in server._fields.items()
            if field.store
            and field.type in ("char", "text", "binary")
            and not getattr(field, "tracking", False)
            and name != "sender_email_custom"  # the address that is logged
        ]
        for name in (
            *("smtp_user", "smtp_pass", "smtp_ssl_certificate"),
            *("smtp_ssl_private_key", "google_gmail_refresh_token"),
            *("google_gmail_access_token", "microsoft_outlook_refresh_token"),
        ):
            if name in server._fields:
                self.assertIn(name, secrets)
        for name in secrets:
            binary = server._fields[name].type == "binary"
            value = base64.b64encode(SECRET.encode()) if binary else f"{SECRET} {name}"
            server.write({name: value, "sequence": server.sequence + 1})
            self.assertEqual([*self.logged(server)[-1][2]], ["sequence"])
        self.env.cr.execute(
            "SELECT concat(m, v) FROM mail_message m"
            " LEFT JOIN mail_tracking_value v ON v.mail_message_id = m.id"
            " WHERE m.model = 'ir.mail_server'"
        )
        for (text,) in self.env.cr.fetchall():
            self.assertNotIn(SECRET, text)

    def test_count_of_mails_costs_no_statement_and_is_not_logged(self):
        personal = self.env["ir.mail_server"].create(
            {"name": "Ben", "owner_user_id": self.ben.id, "smtp_host": "127.0.0.1"}
        )
        self.logged(personal)
        for count in (1, 2):
            with self.assertQueryCount(1):
                personal.owner_limit_count = count
                self.env.flush_all()
        self.assertFalse(self.logged(personal))

    def test_sent_mail_is_not_logged(self):
        messages = self.env["mail.message"].search([("model", "=", "ir.mail_server")])
        with self.sending():
            self.mail(self.anna, email_from="anna@a.example").with_env(self.env).send()
        self.one_received()
        self.logged(self.mailbox)
        after = self.env["mail.message"].search([("model", "=", "ir.mail_server")])
        self.assertEqual(after, messages)

    def test_note_addresses_nobody(self):
        self.shared.message_subscribe(self.ben.partner_id.ids)
        with self.sending():
            self.shared.message_post(body="Hello", subtype_xmlid="mail.mt_comment")
        self.assertFalse(self.received())
        with self.refused(Exception, "notify nobody"):
            self.shared.message_post(body="Hello", partner_ids=self.ben.partner_id.ids)

    @mute_logger("odoo.addons.mail.models.mail_thread")
    def test_incoming_mail_never_reaches_a_server(self):
        self.shared.reserved = True
        self.logged(self.shared)
        note = self.shared.sudo().message_ids
        alias = self.env["mail.alias"].create(
            {
                "alias_name": "servers",
                "alias_domain_id": self.company_a.alias_domain_id.id,
                "alias_model_id": self.env["ir.model"]._get_id("ir.mail_server"),
            }
        )
        servers = self.env["ir.mail_server"].search([])
        for name, headers, model in (
            ("reply", {"In-Reply-To": note.message_id}, None),
            ("alias", {"To": alias.alias_full_name}, None),
            ("fallback", {}, "ir.mail_server"),
        ):
            refusal = "mail servers|No possible"
            with self.subTest(name), self.refused(ValueError, refusal):
                self._receive(headers, model)
            self.assertFalse(self.logged(self.shared))
            self.assertEqual(self.env["ir.mail_server"].search([]), servers)

    def _receive(self, headers, model):
        message = EmailMessage()
        for name, value in {
            "From": self.administrator.email,
            "To": "nobody@a.example",
            "Subject": "Hello",
            "Message-Id": "<hello@x.example>",
            **headers,
        }.items():
            message[name] = value
        message.set_content("Hello")
        self.env["mail.thread"].message_process(model, message.as_string())

    def test_servers_are_not_offered_as_threads(self):
        model = self.env["ir.model"]._get("ir.mail_server")
        self.assertFalse(model.is_mail_thread)


@tagged("post_install", "-at_install")
class TestServerLogReaders(LogCase, RpcCase):
    """Administrators read and write the log, nobody else, not even who caused it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared.name = "Vault"
        cls.env.cr.flush()  # what follows is Ben's, not part of the same note
        cls.shared.with_user(cls.ben).sudo().reserved = True
        cls.shared.message_subscribe((cls.ben | cls.clara).partner_id.ids)
        cls.env.flush_all()
        cls.env.cr.flush()
        cls.messages = cls.shared.sudo().message_ids
        cls.marketer = cls._create_marketer()

    def ask(self, user, model, method, *args, **kwargs):
        try:
            return repr(self.call(user, model, method, *args, **kwargs))
        except RpcError as error:
            return str(error)

    @mute_logger("odoo.http")
    def test_message_is_open_to_administrators_only(self):
        ids = self.messages.ids
        found = [["id", "in", ids]]
        calls = {
            "search": ("mail.message", "search_read", found, ["body", "record_name"]),
            "read": ("mail.message", "read", ids, ["body", "record_name"]),
            "write": ("mail.message", "write", ids, {"body": "Vault"}),
            "values": ("mail.tracking.value", "search_read", [], ["new_value_char"]),
            "below": (
                *("ir.mail_server", "web_read", self.shared.ids),
                {"message_ids": {"fields": {"body": {}}}},
            ),
        }
        for name, call in calls.items():
            with self.subTest(name, user="administrator"):
                answer = self.ask(self.administrator, *call)
                self.assertNotIn("AccessError", answer)
            for user in (self.ben, self.clara, self.portal_user, self.marketer):
                with self.subTest(name, user=user.name):
                    answer = self.ask(user, *call)
                    none = r"^\[\]$|'message_ids': \[\]}\]$|AccessError"
                    self.assertRegex(answer, none)

    @mute_logger("odoo.http")
    def test_thread_is_open_to_administrators_only(self):
        thread = {"thread_model": "ir.mail_server", "thread_id": self.shared.id}
        name = ["mail.thread", {**thread, "request_list": ["followers", "attachments"]}]
        routes = {
            "/mail/thread/messages": thread,
            "/mail/data": {"fetch_params": [name]},
            "/mail/history/messages": {},
            "/mail/inbox/messages": {},
        }
        for route, params in routes.items():
            for user in (self.administrator, self.ben, self.clara, self.marketer):
                with self.subTest(route, user=user.name):
                    answer = repr(self._route(user, route, params))
                    shown = route == "/mail/thread/messages"
                    if user == self.administrator and shown:
                        self.assertIn("Vault", answer)
                    elif user != self.administrator:
                        self.assertNotIn("Vault", answer)
                        for message in self.messages:
                            self.assertNotIn(f"'id': {message.id},", answer)

    def _route(self, user, route, params):
        try:
            return self.request(user, route, **params)
        except RpcError as error:
            return error.message

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_thread")
    def test_nobody_else_posts_or_follows(self):
        partner = self.ben.partner_id.ids
        calls = {
            "post": ("message_post", {"body": "Hello"}),
            "notify": ("message_notify", {"body": "Hello", "partner_ids": partner}),
            "update": ("message_update", {"msg_dict": {}, "update_vals": {"name": ""}}),
            "new": ("message_new", {"msg_dict": {"subject": "X"}}),
            "follow": ("message_subscribe", {"partner_ids": partner}),
        }
        before = self.env["mail.message"].search_count([])
        self.shared.message_unsubscribe((self.ben | self.clara).partner_id.ids)
        for name, (method, kwargs) in calls.items():
            ids = [] if name == "new" else [self.shared.ids]
            with self.subTest(name):
                answer = self.ask(self.ben, "ir.mail_server", method, *ids, **kwargs)
                self.assertRegex(answer, "AccessError|^False$|ValueError")
                self.assertNotIn("Vault", answer)
        answer = self._route(
            self.ben,
            "/mail/message/post",
            {
                "thread_model": "ir.mail_server",
                "thread_id": self.shared.id,
                "post_data": {"body": "Hello"},
            },
        )
        self.assertNotIn("Vault", repr(answer))
        self.assertEqual(self.env["mail.message"].search_count([]), before)
        self.assertFalse(self.shared.message_follower_ids)
