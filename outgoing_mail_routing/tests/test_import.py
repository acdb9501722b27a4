import csv

from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import file_open, mute_logger

from .common import RoutingCase

USER_FIELDS = ["login", "own_mail_server_ids"]
SERVER_FIELDS = ["name", "own_user_ids", "default_company_ids", "company_ids"]


@tagged("post_install", "-at_install")
class TestImport(RoutingCase):
    """Assignments in files, by Odoo's own export and import."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._create_administrator()
        cls.shop.own_user_ids = cls.anna | cls.ben
        cls.shared.company_ids = cls.company_a

    def load(self, model, columns, rows, user=None):
        """Import rows as a user, by default the administrator."""
        records = self.env[model].with_user(user or self.administrator)
        return records.load(columns, rows)

    def export(self, records, columns):
        """What the export of Odoo writes, with the columns to import it by."""
        records = records.with_user(self.administrator)
        return records.export_data(["id", *columns])["datas"]

    def assertLoaded(self, result):
        self.assertFalse(result["messages"])
        self.assertTrue(result["ids"])

    def assertNotLoaded(self, result, row, message):
        """Check that nothing was imported, and what the row is told."""
        self.assertFalse(result["ids"])
        self.assertEqual({said["type"] for said in result["messages"]}, {"error"})
        told = [said for said in result["messages"] if said["rows"]["from"] == row]
        self.assertRegex(told[0]["message"], message)

    def test_export_of_users_imports_again(self):
        users = self.anna | self.ben | self.clara
        expected = {user: user.own_mail_server_ids for user in users}
        for columns in (USER_FIELDS, ["login", "own_mail_server_ids/id"]):
            with self.subTest(columns=columns):
                rows = self.export(users, columns)
                users.own_mail_server_ids = False
                self.assertLoaded(self.load("res.users", ["id", *columns], rows))
                for user, servers in expected.items():
                    self.assertEqual(user.own_mail_server_ids, servers)

    def test_export_of_servers_imports_again(self):
        servers = self.mailbox | self.relay_a | self.shop | self.shared
        expected = {
            server: [server[name] for name in SERVER_FIELDS[1:]] for server in servers
        }
        by_external_id = ["name", *(f"{name}/id" for name in SERVER_FIELDS[1:])]
        for columns in (SERVER_FIELDS, by_external_id):
            with self.subTest(columns=columns):
                rows = self.export(servers, columns)
                servers.write(dict.fromkeys(SERVER_FIELDS[1:], False))
                self.assertLoaded(self.load("ir.mail_server", ["id", *columns], rows))
                for server, values in expected.items():
                    for name, value in zip(SERVER_FIELDS[1:], values, strict=True):
                        self.assertEqual(server[name], value, name)

    def test_users_of_new_servers_are_looked_up_at_once(self):
        def load(number):
            users = f"{self.anna.id},{self.ben.id}"
            rows = [[f"New {n}", users] for n in range(number)]
            result = self.load("ir.mail_server", ["name", "own_user_ids/.id"], rows)
            self.assertLoaded(result)
            return self.env["ir.mail_server"].browse(result["ids"])

        load(2)
        few, _servers = self.counted(lambda: load(2))
        many, servers = self.counted(lambda: load(20))
        self.assertLess(many - few, 5)
        for server in servers:
            self.assertEqual(server.own_user_ids, self.anna | self.ben)

    def test_users_of_new_servers_are_told_whom_nobody_has(self):
        unknown = self.env["res.users"].search([], order="id desc", limit=1).id + 1000
        ben = str(self.ben.id)
        for text, message in (
            (str(unknown), "No matching record found for database id"),
            (f"{ben},{unknown}", "No matching record found for database id"),
            ("9" * 9, "No matching record found for database id"),
            ("Ben", "Invalid database id"),
        ):
            with self.subTest(text):
                columns = ["name", "own_user_ids/.id"]
                rows = [["New", ben], ["Newer", text]]
                self.assertNotLoaded(
                    self.load("ir.mail_server", columns, rows), 1, message
                )
        for text in ("", "0"):
            with self.subTest(text):
                rows = [["New", text]]
                result = self.load("ir.mail_server", ["name", "own_user_ids/.id"], rows)
                server = self.env["ir.mail_server"].browse(result["ids"])
                self.assertFalse(server.own_user_ids)

    def test_users_get_servers_by_name(self):
        rows = [
            ["New", "new", "Shop,Shared"],
            ["Other", "other", "Relay-a"],
        ]
        columns = ["name", "login", "own_mail_server_ids"]
        result = self.load("res.users", columns, rows)
        self.assertLoaded(result)
        new, other = self.env["res.users"].browse(result["ids"])
        self.assertEqual(new.own_mail_server_ids, self.shop + self.shared)
        self.assertEqual(other.own_mail_server_ids, self.relay_a)

    def test_wrong_row_is_told_and_nothing_is_written(self):
        self.relay_b.company_ids = self.company_b
        for name, message in (
            ("Nowhere", "No matching record found for name 'Nowhere'"),
            ("Relay-b", "“Relay-b” only carries mail of B"),
        ):
            with self.subTest(name):
                rows = self.export(self.clara | self.ben, USER_FIELDS)
                rows[0][2], rows[1][2] = "Shop", name
                self.assertNotLoaded(
                    self.load("res.users", ["id", *USER_FIELDS], rows), 1, message
                )
                self.env.invalidate_all()
                self.assertFalse(self.clara.own_mail_server_ids)
                self.assertEqual(self.ben.own_mail_server_ids, self.shop)

    @mute_logger("odoo.addons.base.models.ir_model")
    def test_user_who_is_no_administrator_imports_nothing(self):
        for model, columns, row in (
            ("res.users", ["login", "own_mail_server_ids"], ["new", "Shared"]),
            ("res.users", ["login", "own_mail_server_ids/.id"], ["new", "{id}"]),
            ("ir.mail_server", ["name", "own_user_ids"], ["New", "Ben"]),
        ):
            row = [value.format(id=self.shared.id) for value in row]
            with self.subTest(model, columns=columns):
                try:
                    with self.cr.savepoint():
                        result = self.load(model, columns, [row], self.ben)
                    self.assertFalse(result["ids"])
                    said = str(result["messages"])
                except AccessError as error:
                    said = str(error)
                self.assertRegex(said, "not allowed")
        self.env.invalidate_all()
        self.assertFalse(self.shared.own_user_ids)
        self.assertEqual(self.ben.own_mail_server_ids, self.shop)

    @mute_logger("odoo.addons.base.models.ir_model")
    def test_user_who_is_no_administrator_exports_nothing(self):
        self.ben.group_ids += self.env.ref("base.group_allow_export")
        for records, columns in (
            (self.ben, USER_FIELDS),
            (self.shop, SERVER_FIELDS),
        ):
            with self.subTest(records._name), self.assertRaises(AccessError):
                records.with_user(self.ben).export_data(columns)

    def test_example_is_offered_and_can_be_imported(self):
        servers = self._get_example("ir.mail_server")
        users = self._get_example("res.users")
        used = {name for row in users[1:] for name in row[3].split(",")}
        self.assertLoaded(self.load("ir.mail_server", servers[0], servers[1:]))
        result = self.load("res.users", users[0], users[1:])
        self.assertLoaded(result)
        imported = self.env["res.users"].browse(result["ids"])
        self.assertEqual(set(imported.own_mail_server_ids.mapped("name")), used)

    def _get_example(self, model):
        """The rows of the file that the import of a model offers."""
        templates = self.env[model].with_user(self.administrator)
        path = templates.get_import_templates()[-1]["template"]
        with file_open(path.lstrip("/")) as file:
            return list(csv.reader(file))
