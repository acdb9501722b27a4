from contextlib import ExitStack, closing, suppress
from unittest.mock import patch

from odoo import api
from odoo.sql_db import db_connect
from odoo.tests import tagged
from odoo.tools.lru import LRU

from ..bridge import directory_source
from ..bridge.directory_source import DirectorySource
from ..bridge.server_rows import SERVER_FIELDS
from .common import RoutingCase

# A server of which nothing is set that core does not know
_UNSET = {
    "own_user_ids": False,
    "default_company_ids": False,
    "company_ids": False,
    "reserved": False,
    "out_of_service": False,
    "from_policy": "auto",
    "reply_to_policy": "auto",
    "bounce_policy": "auto",
}


@tagged("post_install", "-at_install")
class TestDirectory(RoutingCase):
    """The directory that is kept between batches is never out of date."""

    def _directory(self):
        return DirectorySource(self.env).get()

    def test_directory_is_kept_while_nothing_changes(self):
        self.assertIs(self._directory(), self._directory())

    def test_directory_is_kept_where_the_change_does_not_matter(self):
        before = self._directory()
        self.relay_a.write({"owner_limit_count": 3, "smtp_pass": "another"})
        self.assertIs(self._directory(), before)
        self.mailbox.fetchmail_server_id = incoming = self._incoming_server()
        before = self._directory()
        incoming.date = "2030-01-01"  # as each fetch does
        incoming.flush_recordset()
        with self.assertQueryCount(1):
            self.assertIs(self._directory(), before)

    def _incoming_server(self):
        return self.env["fetchmail.server"].create({"name": "Incoming"})

    def test_directory_shows_whether_an_incoming_server_collects(self):
        self.mailbox.fetchmail_server_id = incoming = self._incoming_server()
        for state, collects in (("draft", False), ("done", True), ("draft", False)):
            incoming.state = state
            profile = self._directory().get(self.mailbox.id)
            self.assertEqual(profile.collects_replies, collects)

    def test_directory_shows_every_change_in_the_same_transaction(self):
        self._directory()
        self.relay_a.name = "Renamed"
        self.assertEqual(self._directory().get(self.relay_a.id).name, "Renamed")
        self.relay_a.name = "Renamed again"
        self.assertEqual(self._directory().get(self.relay_a.id).name, "Renamed again")
        self.ben.own_mail_server_ids = self.shared
        self.assertEqual(
            [profile.id for profile in self._directory().of_user(self.ben.id)],
            self.shared.ids,
        )
        self.company_a.mail_server_ids = False
        self.assertFalse(self._directory().of_company(self.company_a.id))
        new = self.relay_a.copy({"name": "New"})
        self.assertEqual(self._directory().get(new.id).name, "New")
        new.unlink()
        self.assertIsNone(self._directory().get(new.id))

    def test_directory_shows_what_sql_changed(self):
        self._directory()
        self.env.cr.execute(
            "UPDATE ir_mail_server SET active = false WHERE id = %s", self.shared.ids
        )
        self.assertFalse(self._directory().get(self.shared.id).active)

    def test_domains_of_companies_that_sql_changed_are_kept_as_they_stand(self):
        """A cache that is out of date harms this transaction, and no later one."""
        self.relay_a.from_filter = False
        branch = self.env["res.company"].create(
            {"name": "Branch", "parent_id": self.company_a.id, "email": "b@b.test"}
        )
        for domain, expected, table, change, record in (
            ("new.test", True, "res_company", "email = 'x@new.test'", self.company_a),
            ("b.test", False, "res_company", "parent_id = NULL", branch),
            (
                *("named.test", True, "mail_alias_domain", "name = 'named.test'"),
                self.company_a.alias_domain_id,
            ),
        ):
            with self.subTest(change):
                self.env.flush_all()
                record.read()
                before = self._directory().get(self.relay_a.id).company_domains
                self.assertEqual(domain in before, not expected)
                query = f"UPDATE {table} SET {change} WHERE id = %s"
                self.env.cr.execute(query, record.ids)
                self._directory()
                self.env.invalidate_all()
                after = self._directory().get(self.relay_a.id).company_domains
                self.assertEqual(domain in after, expected)

    def test_directory_forgets_what_was_rolled_back(self):
        savepoint = self.env.cr.savepoint()
        self.shared.name = "Rolled back"
        self.assertEqual(self._directory().get(self.shared.id).name, "Rolled back")
        savepoint.rollback()
        self.env.invalidate_all(flush=False)
        self.assertEqual(self._directory().get(self.shared.id).name, "Shared")
        self.shared.name = "Renamed"
        self.assertEqual(self._directory().get(self.shared.id).name, "Renamed")
        savepoint.close(rollback=False)

    def test_directory_order_is_cores(self):
        self.shared.sequence = 0
        order = self.env["ir.mail_server"].search([], order="sequence, id").ids
        directory = self._directory()
        ranks = [directory.rank(directory.get(server_id)) for server_id in order]
        self.assertEqual(ranks, sorted(ranks))

    def _read_all(self):
        """The servers of a directory in a process that knows of none."""
        names = ("_read", "_last_read")
        with ExitStack() as patches:
            for name in names:
                patches.enter_context(patch.object(directory_source, name, LRU(2)))
            return list(self._directory())

    def test_values_of_servers_are_those_of_their_fields(self):
        self.shared.write(
            {
                "own_user_ids": (self.ben | self.clara).ids,
                "default_company_ids": (self.company_a | self.company_b).ids,
                "company_ids": (self.company_a | self.company_b).ids,
                "fetchmail_server_id": self._incoming_server().id,
                "reply_to_policy": "odoo",
                "from_filter": "a.example, Anna@a.example",
            }
        )
        self.ben.active = self.shop.sequence = False
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        servers.create({"name": "Archived", "active": False})
        servers = servers.search([])
        source = DirectorySource(self.env)
        read = {values["id"]: values for values in source._read_rows(servers.ids)}
        for server in servers:
            for name, value in source.read_edited(server, SERVER_FIELDS).items():
                with self.subTest(server=server.name, field=name):
                    found = read[server.id][name]
                    if servers._fields[name].type == "many2many":
                        self.assertCountEqual(found, value)
                    else:
                        self.assertEqual(found or False, value)

    def test_directory_of_what_changed_is_that_of_all_rows(self):
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        table, ids = "ir_mail_server", self.shared.ids
        sql = self.env.cr.execute
        odd = "a.example, *.odd.example"
        owner = {"owner_user_id": self.clara.id, "from_filter": "p@p.example"}
        personal = servers.create({"name": "Personal", **owner})
        relation = "ir_mail_server_own_user_rel"
        for change in (
            lambda: self.shared.write({"sequence": 0}),
            lambda: sql(f"UPDATE {table} SET sequence = NULL WHERE id = %s", ids),
            lambda: self.shop.write({"bounce_policy": "from"}),
            lambda: sql(
                f"UPDATE {table} SET from_filter = %s WHERE id = %s", [odd, *ids]
            ),
            lambda: sql(f"UPDATE {table} SET from_policy = 'any' WHERE id = %s", ids),
            lambda: self.company_a.write({"email": "info@new.example"}),
            lambda: self.company_a.alias_domain_id.write({"name": "newer.example"}),
            lambda: sql(f"DELETE FROM {relation}"),
            lambda: sql(f"INSERT INTO {relation} VALUES (%s, %s)", [*ids, self.ben.id]),
            lambda: self.relay_a.copy({"name": "New"}),
            lambda: personal.write({"owner_user_id": self.ben.id}),
            lambda: personal.unlink(),
            lambda: self.mailbox.write({"smtp_user": "another@mailbox.example"}),
            lambda: (servers.search([]) - self.shop).write(_UNSET),
            lambda: self.shop.write(_UNSET),
            lambda: self.shop.write({"reserved": True}),
        ):
            with self.subTest(change=change):
                before = list(self._directory())
                change()
                self.assertNotEqual(list(self._directory()), before)
                self.assertEqual(list(self._directory()), self._read_all())

    def test_changed_server_is_read_alone(self):
        def statements():
            self._directory()
            self.relay_a.name += "!"
            with patch.object(
                DirectorySource,
                "make_profile",
                autospec=True,
                side_effect=DirectorySource.make_profile,
            ) as make:
                count, _directory = self.counted(self._directory)
            self.assertEqual(make.call_count, 1)
            return count

        few = statements()
        self.env["ir.mail_server"].create(
            [{"name": f"Many {n}", "from_filter": "m.example"} for n in range(50)]
        )
        self.assertEqual(statements(), few)

    def test_reading_what_changed_forgets_nothing_that_a_form_edits(self):
        self.mailbox.name = "Renamed"
        self.env.flush_all()
        edited = self.anna.new({"own_mail_server_ids": False}, origin=self.anna)
        self.assertFalse(edited.own_mail_server_ids)
        self._directory()
        self.assertFalse(edited.own_mail_server_ids)

    def test_edited_servers_are_those_of_the_directory_but_for_the_edits(self):
        new = {"name": "New", "sequence": 0, "default_company_ids": [], "active": True}
        new = {**dict.fromkeys(SERVER_FIELDS, False), **new}
        new |= {"company_ids": [], "own_user_ids": []}
        source = DirectorySource(self.env)
        before = list(source.get())
        edited = source.build({self.shared.id: {"sequence": -1, "name": "E"}, 0: new})
        [first, second, *rest] = edited
        self.assertEqual((first.id, first.name), (self.shared.id, "E"))
        self.assertEqual((second.id, second.name), (edited.last_id, "New"))
        self.assertEqual(rest, [p for p in before if p.id != self.shared.id])
        self.assertEqual(list(source.get()), before)

    def test_is_configured_follows_each_assignment_and_costs_no_statement(self):
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        servers.search([("owner_user_id", "!=", False)]).unlink()
        assigned = servers.search([])
        for record, values in (
            (self.shared, {"own_user_ids": self.ben.ids}),
            (self.shared, {"default_company_ids": self.company_a.ids}),
            (self.shared, {"company_ids": self.company_a.ids}),
            (self.shared, {"reserved": True}),
            (self.shared, {"out_of_service": True}),
            (self.shared, {"from_policy": "any"}),
            (self.shared, {"reply_to_policy": "odoo"}),
            (self.shared, {"bounce_policy": "from"}),
            (self.ben, {"own_mail_server_ids": self.shared.ids}),
            (self.company_a, {"mail_server_ids": self.shared.ids}),
        ):
            with self.subTest(record=record, values=values):
                assigned.write(_UNSET)
                self.assertFalse(servers._is_configured())
                self.assertFalse(self._directory().configured)
                record.write(values)
                self.assertTrue(servers._is_configured())
                self.assertTrue(self._directory().configured)
                with self.assertQueryCount(0):
                    servers._is_configured()

    def test_is_configured_follows_the_last_server_that_is_deleted(self):
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        servers.search([]).write(_UNSET)
        server = servers.create({"name": "New", "from_policy": "login"})
        self.assertTrue(servers._is_configured())
        server.unlink()
        self.assertFalse(servers._is_configured())

    def test_is_configured_follows_what_is_rolled_back(self):
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        self.assertTrue(servers._is_configured())
        with suppress(ZeroDivisionError), self.env.cr.savepoint():
            servers.search([]).write(_UNSET)
            self.assertFalse(servers._is_configured())
            raise ZeroDivisionError
        self.env.cr.postrollback.run()
        self.assertTrue(servers._is_configured())


@tagged("post_install", "-at_install")
class TestKept(RoutingCase):
    """What a process keeps outlives no transaction that changes it."""

    def _ask_in_another_transaction(self):
        """What another thread keeps, which does not see what is not committed yet."""
        with closing(db_connect(self.env.cr.dbname).cursor()) as cr:
            env = api.Environment(cr, self.env.uid, {})
            env["mail.alias.domain"]._get_bounce_owners()
            return env["ir.mail_server"]._is_configured()

    def test_another_thread_that_asks_before_the_commit_keeps_nothing_for_good(self):
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        servers.search([]).write(_UNSET)
        self.env.cr.postcommit.clear()
        self.shared.own_user_ids = self.ben
        self.company_a.alias_domain_id.bounce_alias = "another"
        self.env.flush_all()
        self.assertFalse(self._ask_in_another_transaction())
        self.env.cr.postcommit.run()
        self.assertTrue(servers._is_configured())
        owners = self.env["mail.alias.domain"]._get_bounce_owners()
        self.assertIn("another@a.example", dict(owners))
