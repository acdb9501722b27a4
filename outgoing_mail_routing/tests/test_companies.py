from unittest.mock import patch

from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, tagged

from ..routing import Reason
from .common import RoutingCase, sentence

MAILBOX = "office@mailbox.example"


class BranchCase(RoutingCase):
    """Company A has a branch with its own e-mail domain, user and customer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.branch = cls._create_branch("Branch", cls.company_a)
        cls.branch.alias_domain_id = cls.env["mail.alias.domain"].create(
            {"name": "branch.example"}
        )
        cls.dora = cls._create_user("dora", cls.branch)
        cls.customer = cls._create_customer(cls.branch)

    @classmethod
    def _create_branch(cls, name, parent):
        return cls.env["res.company"].create({"name": name, "parent_id": parent.id})


@tagged("post_install", "-at_install")
class TestBranches(BranchCase):
    """A branch sends through its parent's servers until it has servers of its own."""

    def test_branch_without_servers_leaves_through_parents_at_once_and_by_queue(self):
        expected = ("relay-a", "Dora <dora@a.example>", "dora@a.example")
        received = self.post(self.dora, self.customer)
        self.assertRoute(received, *expected, reply_to="Dora <catchall@branch.example>")
        self.forget_received()
        mail = self.queue(self.dora, self.customer)
        self.assertRule(mail, "company")
        inherited = sentence(Reason.INHERITED, company="Branch", parent="A")
        self.assertIn(inherited, self.explained(mail))
        self.assertRoute(self.deliver(mail), *expected)

    def test_branch_bounces_go_to_its_own_alias_domain(self):
        self.relay_a.from_filter = "a.example,branch.example"
        received = self.post(self.dora, self.customer, email_from="x@branch.example")
        self.assertRoute(
            received, "relay-a", "x@branch.example", "bounce@branch.example"
        )

    def test_branch_with_own_server_leaves_through_it(self):
        self.branch.mail_server_ids = self._create_server("relay-branch", sequence=9)
        self.assertEqual(self.post(self.dora, self.customer).login, "relay-branch")
        self.forget_received()
        self.assertEqual(self.post(self.ben, self.customer_a).login, "relay-a")
        self.branch.mail_server_ids = False
        self.forget_received()
        self.assertEqual(self.post(self.dora, self.customer).login, "relay-a")

    def test_branch_of_branch_takes_the_nearest_servers(self):
        sub_branch = self._create_branch("Sub-branch", self.branch)
        customer = self._create_customer(sub_branch)
        self.dora.company_ids += sub_branch
        self.assertEqual(self.post(self.dora, customer).login, "relay-a")
        self.forget_received()
        self.branch.mail_server_ids = self._create_server("relay-branch", sequence=9)
        self.assertEqual(self.post(self.dora, customer).login, "relay-branch")

    def test_branch_with_archived_server_only_inherits_nothing(self):
        relay = self._create_server("relay-branch", sequence=9)
        self.branch.mail_server_ids = relay
        # core refuses to archive a server in use; neutralising does it by SQL
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE ir_mail_server SET active = false WHERE id = %s", relay.ids
        )
        self.env.invalidate_all()
        mail = self.queue(self.dora, self.customer, email_from="x@elsewhere.example")
        self.assertRule(mail, "priority")
        self.assertEqual(self.deliver(mail).login, "shared")
        self.assertIn(
            sentence(Reason.ARCHIVED, server=relay.name),
            self.branch.mail_routing_warning,
        )

    def test_server_allowed_for_parent_only_does_not_carry_branchs_mail(self):
        self.relay_a.company_ids = self.company_a
        mail = self.queue(self.dora, self.customer, email_from="x@elsewhere.example")
        self.assertRule(mail, "priority")
        barred = sentence(Reason.BARRED, server="Relay-a", company="Branch")
        self.assertIn(barred, self.explained(mail))
        self.assertEqual(self.deliver(mail).login, "shared")
        self.assertIn(
            f"{barred} Allow this company on the server, or assign another one.",
            self.branch.mail_routing_warning,
        )
        self.relay_a.company_ids += self.branch
        mail = self.queue(self.dora, self.customer, email_from="x@elsewhere.example")
        self.assertRule(mail, "company")
        self.branch.invalidate_recordset()
        self.assertFalse(self.branch.mail_routing_warning)

    def test_parents_reserved_server_carries_branchs_mail(self):
        self.relay_a.reserved = True
        self.assertEqual(self.post(self.dora, self.customer).login, "relay-a")

    def test_archived_parent_still_lends_its_servers(self):
        users = self.anna + self.ben + self.clara + self.portal_user + self.dora
        users.action_archive()
        self.company_a.action_archive()
        self.assertFalse(self.branch.active, "core archives branches, too")
        self.branch.action_unarchive()
        self.dora.action_unarchive()
        self.relay_a.reserved = True
        self.assertEqual(self.post(self.dora, self.customer).login, "relay-a")

    def test_users_line_names_the_inherited_server(self):
        self.relay_a.reserved = True
        self.assertEqual(
            self.dora.with_user(self.dora).outgoing_mail_summary,
            "Branch: through Relay-a as dora@a.example; answers to "
            "catchall@branch.example reach Odoo",
        )

    def test_branches_need_no_statement_more_for_more_mails(self):
        self.relay_a.reserved = True
        sub_branch = self._create_branch("Sub-branch", self.branch)
        records = self.customer, self._create_customer(sub_branch)

        def statements(count):
            mails = self.env["mail.mail"].concat(
                *(
                    self.mail(
                        self.dora,
                        email_from=f"x{number}@a.example",
                        model="res.partner",
                        res_id=records[number % 2].id,
                    )
                    for number in range(count)
                )
            )
            counted, batches = self.counted(
                lambda: list(mails._split_by_mail_configuration())
            )
            self.assertEqual({batch[0] for batch in batches}, {self.relay_a.id})
            return counted

        statements(2)
        self.assertEqual(statements(60), statements(6))


@tagged("post_install", "-at_install")
class TestWhatFormsSay(BranchCase):
    """Companies, users and settings tell where mail leaves, also while edited."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company_a.email = "info@a.example"
        cls.company_b.email = "info@b.example"
        cls.admin = cls.env.ref("base.user_admin")
        cls.admin.company_ids += cls.company_a + cls.company_b + cls.branch

    def _form(self, record, view=None):
        return Form(record.with_user(self.admin), view)

    def test_company_with_server_is_told_which_and_as_which_address(self):
        self.assertEqual(
            self.company_a.outgoing_mail_summary,
            "Mail of the company (info@a.example) leaves through “Relay-a” as "
            "info@a.example.\n"
            "Mail of its users, such as Ben (ben@a.example), leaves through “Relay-a” "
            "as ben@a.example.",
        )
        self.assertFalse(self.company_a.mail_routing_warning)

    def test_company_without_server_is_told_the_one_of_today_and_the_rewriting(self):
        self.company_a.mail_server_ids = False
        (self.relay_a + self.relay_b).reserved = True
        self.assertEqual(
            self.company_a.mail_routing_warning, "No outgoing mail server is assigned."
        )
        self.assertEqual(
            self.company_a.outgoing_mail_summary.splitlines()[0],
            "Mail of the company (info@a.example) leaves through “Shared” as "
            "notifications@a.example.",
        )
        self.assertEqual(self.company_a.mail_server_placeholder, "No server assigned")

    def test_what_company_is_told_is_what_its_mail_does(self):
        for servers in (self.relay_a, self.shop, self.mailbox, self.shared):
            for company, record, user in (
                (self.company_a, self.customer_a, self.ben),
                (self.branch, self.customer, self.dora),
            ):
                with self.subTest(servers=servers.name, company=company.name):
                    self.company_a.mail_server_ids = servers
                    self.env.invalidate_all()
                    self.forget_received()
                    received = self.post(user, record)
                    server = servers.search([("smtp_user", "=", received.login)])
                    sender = received.header("From").partition("<")[2].strip(">")
                    self.assertIn(
                        f"({user.email}), leaves through “{server.name}” as {sender}.",
                        company.outgoing_mail_summary,
                    )

    def test_company_sentence_follows_the_form_before_it_is_saved(self):
        form = self._form(self.company_a)
        self.assertIn("through “Relay-a” as info@a.example", form.outgoing_mail_summary)
        form.mail_server_ids.remove(id=self.relay_a.id)
        self.assertIn("No outgoing mail server", form.mail_routing_warning)
        self.assertIn("“Relay-a” as info@a.example", form.outgoing_mail_summary)
        form.mail_server_ids.add(self.shop)
        self.assertFalse(form.mail_routing_warning)
        form.email = "shop@shop.example"
        self.assertIn(
            "Mail of the company (shop@shop.example) leaves through “Shop” as "
            "shop@shop.example.",
            form.outgoing_mail_summary,
        )
        self.assertEqual(self.company_a.mail_server_ids, self.relay_a, "not saved yet")

    def test_branch_form_shows_what_it_inherits(self):
        with self._form(self.branch) as form:
            self.assertEqual(form.mail_server_placeholder, "Relay-a")
            self.assertIn(
                "No server is assigned here: those of A are used.",
                form.outgoing_mail_summary,
            )
            self.assertFalse(form.mail_routing_warning)
            form.mail_server_ids.add(self.shared)
            self.assertNotIn("those of A", form.outgoing_mail_summary)
            self.assertIn("through “Shared”", form.outgoing_mail_summary)
        self.assertEqual(self.branch.mail_server_ids, self.shared)

    def test_new_branch_shows_what_it_will_inherit(self):
        companies = self.env["res.company"].with_context(
            default_parent_id=self.company_a.id
        )
        form = self._form(companies)
        form.name = "New branch"
        self.assertEqual(form.mail_server_placeholder, "Relay-a")
        form.email = "new@a.example"
        self.assertIn("“Relay-a” as new@a.example", form.outgoing_mail_summary)

    def test_company_is_warned_of_mail_under_the_name_of_another(self):
        self.company_a.mail_server_ids = False
        (self.relay_a + self.shop + self.shared).unlink()
        self.assertIn(
            "“Relay-b” is the server of B. Assign another one to this company.",
            self.company_a.mail_routing_warning,
        )
        self.company_a.mail_server_ids = self.relay_b
        self.env.invalidate_all()
        self.assertEqual(
            self.company_a.mail_routing_warning.splitlines()[0],
            "notifications@b.example is an address of B: mail of this company is taken "
            "for theirs. Assign a server that may send as info@a.example.",
        )
        self.assertFalse(self.company_b.mail_routing_warning)

    def test_branch_is_not_warned_of_the_address_of_its_parent(self):
        self.branch.email = "info@branch.example"
        self.assertIn("as notifications@a.example.", self.branch.outgoing_mail_summary)
        self.assertFalse(self.branch.mail_routing_warning)

    def test_company_is_warned_where_no_server_may_carry_its_mail(self):
        self.company_a.mail_server_ids = False
        self.anna.own_mail_server_ids = False
        self.env["ir.mail_server"].search([]).company_ids = self.company_b
        self.assertIn(
            "No outgoing mail server may carry its mail",
            self.company_a.mail_routing_warning,
        )
        self.assertIn(
            "the server of Odoo's configuration", self.company_a.outgoing_mail_summary
        )

    def test_company_without_address_and_users_is_told_so(self):
        company = self.env["res.company"].create({"name": "Nobody"})
        company.write({"alias_domain_id": False, "mail_server_ids": self.shared.ids})
        self.assertEqual(
            company.mail_routing_warning, "It has no address to send from."
        )
        self.assertFalse(company.outgoing_mail_summary)

    def test_users_with_own_servers_do_not_stand_for_the_company(self):
        self.anna.copy({"login": "anna2", "email": "zoe@a.example"})
        (self.ben + self.clara).own_mail_server_ids = self.mailbox
        self.assertIn("zoe@a.example", self.company_a.outgoing_mail_summary)
        self.anna.use_own_mail_servers = False
        self.env.invalidate_all()
        self.assertIn("such as Anna (anna@", self.company_a.outgoing_mail_summary)

    def test_users_line_follows_the_form_before_it_is_saved(self):
        form = self._form(self.ben, "base.view_users_form")
        answers = "; answers to catchall@a.example reach Odoo"
        self.assertEqual(
            form.outgoing_mail_summary,
            f"A: through Relay-a as ben@a.example{answers}",
        )
        form.own_mail_server_ids.add(self.mailbox)
        self.assertEqual(
            form.outgoing_mail_summary,
            f"A: through Office@mailbox.example as {MAILBOX}{answers}",
        )
        form.use_own_mail_servers = False
        self.assertEqual(
            form.outgoing_mail_summary,
            f"A: through Relay-a as ben@a.example{answers}",
        )
        form.email = "ben@elsewhere.example"
        self.assertEqual(
            form.outgoing_mail_summary,
            f"A: through Relay-a as notifications@a.example{answers}",
        )
        form.company_ids.add(self.company_b)
        self.assertIn("B: through Relay-b as ", form.outgoing_mail_summary)
        self.assertFalse(self.ben.own_mail_server_ids, "not saved yet")

    def test_settings_tell_and_assign_for_the_current_company(self):
        settings = self.env["res.config.settings"].with_company(self.company_a)
        form = self._form(settings)
        self.assertEqual(form.mail_server_ids.ids, self.relay_a.ids)
        self.assertEqual(
            form.outgoing_mail_summary, self.company_a.outgoing_mail_summary
        )
        form.mail_server_ids.remove(id=self.relay_a.id)
        self.assertIn("No outgoing mail server", form.mail_routing_warning)
        form.mail_server_ids.add(self.mailbox)
        self.assertIn(f"as {MAILBOX}.", form.outgoing_mail_summary)
        self.assertFalse(form.mail_routing_warning)
        self.assertEqual(self.company_a.mail_server_ids, self.relay_a, "not saved yet")
        form.save().execute()
        self.assertEqual(self.company_a.mail_server_ids, self.mailbox)
        self.assertEqual(self.company_b.mail_server_ids, self.relay_b)

    def test_settings_of_a_branch_name_what_it_inherits(self):
        form = self._form(self.env["res.config.settings"].with_company(self.branch))
        self.assertEqual(form.mail_server_placeholder, "Relay-a")
        form.save().execute()
        self.assertFalse(self.branch.mail_server_ids, "nothing is written down")


@tagged("post_install", "-at_install")
class TestLifecycle(RoutingCase):
    """Users and companies come, move and go; no assignment is left dangling."""

    def _stray_mail(self):
        """Mail that fits no server: it takes whatever is left to everybody."""
        return self.queue(self.clara, self.customer_b, email_from="x@elsewhere.example")

    def _leave_only(self, server):
        (self.env["ir.mail_server"].search([]) - server).write(
            {
                "own_user_ids": False,
                "default_company_ids": False,
                "reserved": False,
            }
        )
        (self.env["ir.mail_server"].search([]) - server).unlink()

    def test_user_moved_where_their_server_is_barred_is_refused(self):
        self.mailbox.company_ids = self.company_a
        message = (
            "only carries mail of A.*cannot be assigned to Anna.*Allow the company"
        )
        with self.refused(ValidationError, message):
            self.anna.write(
                {
                    "company_id": self.company_b.id,
                    "company_ids": [Command.set(self.company_b.ids)],
                }
            )
        form = Form(self.anna, "base.view_users_form")
        with self.refused(ValidationError, message), form:
            form.company_ids.add(self.company_b)
            form.company_id = self.company_b
            form.company_ids.remove(id=self.company_a.id)

    def test_user_moved_leaves_through_their_unrestricted_server(self):
        self.anna.write(
            {
                "company_id": self.company_b.id,
                "company_ids": [Command.set(self.company_b.ids)],
            }
        )
        self.assertEqual(self.post(self.anna, self.customer_b).login, MAILBOX)

    def test_switching_the_open_company_moves_no_mail(self):
        self.clara.own_mail_server_ids = self.mailbox
        self.mailbox.company_ids = self.company_a
        self.clara.company_id = self.company_b
        self.assertEqual(self.post(self.clara, self.customer_a).login, MAILBOX)
        self.forget_received()
        self.assertEqual(self.post(self.clara, self.customer_b).login, "relay-b")

    def test_company_taken_from_user_ends_its_line_only(self):
        self.clara.company_ids = self.company_a
        self.assertEqual(
            self.clara.with_user(self.clara).outgoing_mail_summary,
            "A: through Relay-a as clara@a.example; answers to catchall@a.example "
            "reach Odoo",
        )

    def test_archived_user_keeps_their_server_closed_and_gets_it_back(self):
        self._leave_only(self.mailbox)
        self.mailbox.bounce_policy = "odoo"
        self.anna.action_archive()
        self.assertRule(self._stray_mail(), "system")
        self.assertEqual(self.mailbox.own_user_ids, self.anna)
        self.assertIn(
            "assigned only to users who are archived", self.mailbox.routing_warning
        )
        self.anna.action_unarchive()
        self.assertFalse(self.mailbox.routing_warning)
        self.assertEqual(self.post(self.anna, self.customer_a).login, MAILBOX)

    def test_mail_of_archived_user_leaves_through_the_company(self):
        mail = self.queue(self.anna, self.customer_a)
        self.assertRule(mail, "user")
        self.anna.action_archive()
        self.assertEqual(self.deliver(mail).login, "relay-a")

    def test_server_form_and_list_show_archived_users_and_companies(self):
        archived = self.env["res.company"].create({"name": "Former"})
        self.shop.write(
            {
                "own_user_ids": self.ben.ids,
                "default_company_ids": archived.ids,
                "company_ids": (archived + self.company_a).ids,
            }
        )
        self.ben.action_archive()
        archived.action_archive()
        self.env.invalidate_all()
        form = Form(self.shop)
        self.assertEqual(form.own_user_ids.ids, self.ben.ids)
        self.assertEqual(form.default_company_ids.ids, archived.ids)
        self.assertIn(archived.id, form.company_ids.ids)
        with form:
            form.own_user_ids.add(self.clara)
        self.assertEqual(self.shop.own_user_ids, self.ben + self.clara)
        specification = {"own_user_ids": {"fields": {"display_name": {}}}}
        rows = self.shop.web_search_read([("id", "=", self.shop.id)], specification)
        users = rows["records"][0]["own_user_ids"]
        self.assertIn("Ben", {user["display_name"] for user in users})
        assigned = [("own_user_ids", "!=", False)]
        self.assertIn(self.mailbox, self.shop.search(assigned))

    def test_server_of_archived_users_only_can_be_archived(self):
        self.anna.action_archive()
        self.mailbox.action_archive()
        self.assertFalse(self.mailbox.active)
        self.assertEqual(self.mailbox.own_user_ids, self.anna)

    def test_deleting_the_last_user_of_a_server_reserves_it(self):
        leaver = self._create_user("leaver", self.company_a)
        self._leave_only(self.mailbox)
        self.mailbox.own_user_ids += leaver
        self.anna.unlink()
        self.assertFalse(self.mailbox.reserved, "the leaver still has it")
        leaver.action_archive()
        leaver.unlink()
        self.assertFalse(self.mailbox.own_user_ids)
        self.assertTrue(self.mailbox.reserved)
        self.assertIn("no user or company is assigned", self.mailbox.routing_warning)
        self.assertRule(self._stray_mail(), "system")

    def test_deleting_users_leaves_other_servers_open(self):
        self.company_a.mail_server_ids += self.mailbox
        self.anna.unlink()
        self.ben.unlink()
        servers = self.mailbox + self.relay_a + self.shared
        self.assertFalse(servers.filtered("reserved"))

    def test_taking_the_last_assignment_away_reserves_the_server(self):
        def on_the_form():
            with Form(self.mailbox) as form:
                form.own_user_ids.remove(id=self.anna.id)
                self.assertTrue(form.reserved, "seen before it is saved")

        def by_the_assignment():
            wizard = self.env["mail.routing.assignment"].create(
                {
                    "user_ids": self.anna.ids,
                    "mail_server_ids": self.mailbox.ids,
                    "mode": "remove",
                }
            )
            wizard.action_assign()

        for name, take_away in {
            "form of the server": on_the_form,
            "server": lambda: self.mailbox.write({"own_user_ids": [Command.clear()]}),
            "user": lambda: self.anna.write({"own_mail_server_ids": [Command.clear()]}),
            "assignment": by_the_assignment,
        }.items():
            with self.subTest(name), self.env.cr.savepoint() as savepoint:
                self._leave_only(self.mailbox)
                take_away()
                self.assertFalse(self.mailbox.own_user_ids)
                self.assertTrue(self.mailbox.reserved)
                self.env.flush_all()
                self.assertRule(self._stray_mail(), "system")
                savepoint.rollback()
                self.env.invalidate_all(flush=False)

    def test_taking_the_last_company_of_a_server_without_filter_away_reserves_it(self):
        self.company_a.mail_server_ids = self.relay_a + self.shared
        self.company_a.mail_server_ids = False
        self.assertTrue(self.shared.reserved)
        self.assertFalse(self.relay_a.reserved, "it carries what its filter names")
        self.relay_b.from_filter = False
        self.relay_b.default_company_ids = False
        self.assertTrue(self.relay_b.reserved)

    def test_server_that_others_have_still_is_not_reserved(self):
        self.mailbox.own_user_ids += self.ben
        self.anna.own_mail_server_ids = False
        self.assertFalse(self.mailbox.reserved)

    def test_who_opens_a_server_at_once_is_taken_at_their_word(self):
        self.mailbox.write({"own_user_ids": False, "reserved": False})
        self.assertFalse(self.mailbox.reserved)

    def _create_company_to_delete(self, **values):
        company = self._create_lone_company("Short-lived")
        self.shop.write({"default_company_ids": company.ids, **values})
        return company

    def test_deleting_the_last_company_of_a_server_reserves_it(self):
        company = self._create_company_to_delete()
        company.unlink()
        self.assertFalse(self.shop.default_company_ids)
        self.assertTrue(self.shop.reserved)
        mail = self.queue(self.ben, self.customer_a, email_from="shop@shop.example")
        self.assertEqual(self.deliver(mail).login, "relay-a")

    def test_deleting_a_company_opens_no_server_restricted_to_it(self):
        company = self._create_company_to_delete()
        self.shop.write({"default_company_ids": False, "company_ids": company.ids})
        self.shared.company_ids = company + self.company_a
        company.unlink()
        self.assertTrue(self.shop.reserved)
        self.assertFalse(self.shared.reserved, "it stays open to A")

    def test_deleting_a_company_is_refused_where_users_servers_are_restricted(self):
        company = self._create_company_to_delete()
        self.anna.company_ids += company
        self.mailbox.company_ids = company
        with self.refused(UserError, "of Anna only carries mail of Short-lived"):
            company.unlink()
        self.mailbox.company_ids += self.company_a
        company.unlink()
        self.assertEqual(self.mailbox.company_ids, self.company_a)
        self.assertEqual(self.mailbox.own_user_ids, self.anna)

    def test_archived_company_keeps_its_servers(self):
        company = self._create_company_to_delete(reserved=True)
        company.action_archive()
        self.assertEqual(self.shop.default_company_ids, company)
        mail = self.queue(self.ben, self.customer_a, email_from="shop@shop.example")
        self.assertEqual(self.deliver(mail).login, "relay-a")
        company.action_unarchive()
        self.assertEqual(company.mail_server_ids, self.shop)

    def test_user_with_server_cannot_become_a_portal_user(self):
        internal = self.env.ref("base.group_user")
        portal = self.env.ref("base.group_portal")
        groups = {"group_ids": [Command.set(portal.ids)]}
        with self.refused(ValidationError, "Anna is not an internal user"):
            self.anna.write(groups)
        self.env.invalidate_all(flush=False)
        with self.refused(ValidationError, "Anna is not an internal user"):
            internal.user_ids -= self.anna
            self.env.flush_all()

    def test_user_without_servers_may_become_a_portal_user(self):
        self.anna.own_mail_server_ids = False
        portal = self.env.ref("base.group_portal")
        self.anna.group_ids = portal
        self.assertTrue(self.anna.share)

    def test_user_made_portal_behind_our_back_carries_nothing(self):
        self._leave_only(self.mailbox)
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE res_users SET share = true WHERE id = %s", self.anna.ids
        )
        self.env.invalidate_all()
        self.assertIn("no longer internal", self.mailbox.routing_warning)
        self.assertRule(self._stray_mail(), "system")

    def test_merging_the_contact_of_a_user_keeps_their_server(self):
        contact = self.anna.partner_id.copy({"name": "Anna"})
        wizard = self.env["base.partner.merge.automatic.wizard"].create({})
        wizard._merge((self.anna.partner_id + contact).ids, contact)
        self.assertEqual(self.anna.partner_id, contact)
        self.assertEqual(self.anna.own_mail_server_ids, self.mailbox)
        self.assertEqual(self.post(self.anna, self.customer_a).login, MAILBOX)


@tagged("post_install", "-at_install")
class TestAliasDomains(RoutingCase):
    """Several companies on one alias domain, one company on several."""

    def _post_and_queue(self, user, record):
        """The mail as it is received at once, then from the queue."""
        yield "at once", self.post(user, record)
        self.forget_received()
        yield "queue", self.deliver(self.queue(user, record))
        self.forget_received()

    def test_companies_on_one_domain_keep_their_servers_and_share_its_addresses(self):
        self.company_b.alias_domain_id = self.company_a.alias_domain_id
        self.relay_b.from_filter = False
        for user, record, login in (
            (self.ben, self.customer_a, "relay-a"),
            (self.clara, self.customer_b, "relay-b"),
        ):
            for way, received in self._post_and_queue(user, record):
                with self.subTest(way, company=record.company_id.name):
                    self.assertRoute(
                        received,
                        login,
                        f"{user.name} <{user.email}>",
                        "bounce@a.example",
                        f"{user.name} <catchall@a.example>",
                    )

    def test_companies_on_one_domain_bounce_where_their_server_may_send(self):
        self.company_b.alias_domain_id = self.company_a.alias_domain_id
        for way, received in self._post_and_queue(self.clara, self.customer_b):
            with self.subTest(way):
                self.assertRoute(
                    received,
                    "relay-b",
                    "Clara <notifications@b.example>",
                    "notifications@b.example",
                    "Clara <catchall@a.example>",
                )

    def _second_domain(self):
        return self.env["mail.alias.domain"].create({"name": "second.example"})

    def _on_domain(self, domain):
        """Contacts belong to an e-mail domain, by the method that core has for it."""
        return patch.object(
            self.env.registry["res.partner"],
            "_mail_get_alias_domains",
            lambda records, default_company=False: dict.fromkeys(records.ids, domain),
        )

    def test_record_with_alias_on_second_domain_is_answered_there(self):
        self.env["mail.alias"].create(
            {
                "alias_name": "sales",
                "alias_domain_id": self._second_domain().id,
                "alias_model_id": self.env["ir.model"]._get_id("res.partner"),
                "alias_parent_model_id": self.env["ir.model"]._get_id("res.partner"),
                "alias_parent_thread_id": self.customer_a.id,
            }
        )
        for way, received in self._post_and_queue(self.ben, self.customer_a):
            with self.subTest(way):
                self.assertRoute(
                    received,
                    "relay-a",
                    "Ben <ben@a.example>",
                    "bounce@a.example",
                    "Ben <sales@second.example>",
                )

    def test_message_on_second_domain_bounces_there_if_the_server_may(self):
        domain = self._second_domain()
        for from_filter, envelope in (
            ("a.example,second.example", "bounce@second.example"),
            ("a.example", "ben@a.example"),
        ):
            self.relay_a.from_filter = from_filter
            with self._on_domain(domain):
                received = dict(self._post_and_queue(self.ben, self.customer_a))
            for way, mail in received.items():
                with self.subTest(way, from_filter=from_filter):
                    self.assertRoute(mail, "relay-a", "Ben <ben@a.example>", envelope)

    def test_mail_on_second_domain_of_nobody_else_stays_with_the_company(self):
        domain = self._second_domain()
        mail = self.mail(
            self.ben,
            record_alias_domain_id=domain.id,
            email_from="x@elsewhere.example",
        )
        self.assertRule(mail, "company")
        self.assertRoute(
            self.deliver(mail),
            "relay-a",
            "Ben <notifications@a.example>",
            "notifications@a.example",
        )

    def test_default_from_of_the_second_domain_where_no_server_is_assigned(self):
        domain = self._second_domain()
        self.company_a.mail_server_ids = False
        (self.relay_a + self.relay_b).reserved = True
        with self._on_domain(domain):
            mail = self.queue(self.ben, self.customer_a)
        self.assertRule(mail, "priority")
        self.assertRoute(
            self.deliver(mail),
            "shared",
            "Ben <notifications@second.example>",
            "bounce@second.example",
        )
