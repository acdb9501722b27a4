from odoo.tests import tagged

from ..bridge.directory_source import DirectorySource
from .common import RoutingCase


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

    def test_is_configured_follows_each_assignment_and_costs_no_statement(self):
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        servers.search([("owner_user_id", "!=", False)]).unlink()
        assigned = servers.search([])
        reset = {
            "own_user_ids": False,
            "default_company_ids": False,
            "company_ids": False,
            "reserved": False,
            "from_policy": "auto",
            "reply_to_policy": "auto",
            "bounce_policy": "auto",
        }
        for record, values in (
            (self.shared, {"own_user_ids": self.ben.ids}),
            (self.shared, {"default_company_ids": self.company_a.ids}),
            (self.shared, {"company_ids": self.company_a.ids}),
            (self.shared, {"reserved": True}),
            (self.shared, {"bounce_policy": "from"}),
            (self.ben, {"own_mail_server_ids": self.shared.ids}),
            (self.company_a, {"mail_server_ids": self.shared.ids}),
        ):
            with self.subTest(record=record, values=values):
                assigned.write(reset)
                self.assertFalse(servers._is_configured())
                record.write(values)
                self.assertTrue(servers._is_configured())
                with self.assertQueryCount(0):
                    servers._is_configured()
