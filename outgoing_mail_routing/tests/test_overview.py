import json
import re

from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import SQL, mute_logger

from ..routing import Reason
from .common import RpcCase, RpcError, sentence
from .test_companies import MAILBOX, BranchCase


class OverviewCase(BranchCase):
    """Nothing is missing: all companies of the database have what they need."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._create_administrator()
        cls.mailbox.bounce_policy = "odoo"  # nothing collects its bounces
        ours = cls.company_a | cls.company_b | cls.branch
        for company in cls.env["res.company"].search([]) - ours:
            company.email = f"info{company.id}@c.example"
            company.mail_server_ids = cls._create_plain_server(f"Relay {company.id}")
        cls.incoming = cls.env["fetchmail.server"].create(
            {"name": "Incoming", "server_type": "imap", "server": "imap.a.example"}
        )

    @classmethod
    def _create_plain_server(cls, name, **values):
        """A server that nothing is sent through in a test."""
        return cls.env["ir.mail_server"].create(
            {
                "name": name,
                "smtp_host": "host.invalid",
                "from_filter": "c.example",
                **values,
            }
        )

    def overview(self, **context):
        overview = self.env["mail.routing.overview"].with_user(self.administrator)
        return overview.with_context(**context).get_overview()

    def cards(self, data):
        """All that may have issues: companies, users and other servers."""
        users = [user for company in data["companies"] for user in company["users"]]
        return [*data["companies"], *users, *data["others"]]

    def issues(self, data=None):
        """What is wrong, and the record where it is mended."""
        data = data or self.overview()
        found = [
            (issue["message"], self.env[issue["model"]].browse(issue["res_id"]))
            for card in self.cards(data)
            for issue in card["issues"]
        ]
        self.assertEqual(data["issue_count"], len(found))
        return found

    def company_row(self, company, data=None):
        rows = (data or self.overview())["companies"]
        return next(row for row in rows if row["id"] == company.id)

    def user_row(self, user, data=None):
        rows = self.company_row(user.company_id, data)["users"]
        return next((row for row in rows if row["id"] == user.id), None)

    def names(self, card, data):
        return [data["servers"][id_]["name"] for id_ in card["server_ids"]]


@tagged("post_install", "-at_install")
class TestIssues(OverviewCase):
    """Each issue is there once, as its form says it, and leads to its mending."""

    def _assign_barred_server(self):
        """As an import by SQL leaves it; the forms refuse it."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "INSERT INTO ir_mail_server_allowed_company_rel"
                " (mail_server_id, company_id) VALUES (%s, %s)",
                self.mailbox.id,
                self.company_b.id,
            )
        )
        self.env.invalidate_all()

    def _assign_archived_server(self):
        archived = self._create_plain_server("Archived", active=False)
        archived.own_user_ids = self.anna
        self.mailbox.own_user_ids = False

    def _archive_incoming_server(self):
        self.mailbox.fetchmail_server_id = self.incoming
        self.incoming.active = False

    def _cases(self):
        """What breaks it; what is said, where it is mended, the field that says it."""
        answers_lost = "No incoming mail server collects office@mailbox.example"
        return {
            "company without server": (
                lambda: self.company_b.write({"mail_server_ids": False}),
                ("No outgoing mail server is assigned", self.company_b),
                (self.company_b, "mail_routing_warning"),
            ),
            "server barred for its branch": (
                lambda: self.relay_a.write({"company_ids": self.company_a.ids}),
                ("Allow this company on the server", self.branch),
                (self.branch, "mail_routing_warning"),
            ),
            "filter without sender address": (
                lambda: self.relay_a.write({"sender_email": "x@elsewhere.example"}),
                ("does not admit the sender address", self.relay_a),
                (self.relay_a, "routing_warning"),
            ),
            "answers to an uncollected From": (
                lambda: self.mailbox.write({"reply_to_policy": "from"}),
                ("Answers go to the address in From", self.mailbox),
                (self.mailbox, "routing_warning"),
            ),
            "incoming server not confirmed": (
                lambda: self.mailbox.write({"fetchmail_server_id": self.incoming.id}),
                ("is not confirmed yet", self.incoming),
                (self.mailbox, "routing_warning"),
            ),
            "incoming server archived": (
                self._archive_incoming_server,
                ("is archived and collects nothing", self.incoming),
                (self.mailbox, "routing_warning"),
            ),
            "reserved for nobody": (
                lambda: self.shared.write({"reserved": True}),
                ("It is reserved, but no user or company is assigned", self.shared),
                (self.shared, "routing_warning"),
            ),
            "users archived": (
                lambda: self.anna.write({"active": False}),
                ("assigned only to users who are archived", self.mailbox),
                (self.mailbox, "routing_warning"),
            ),
            "own servers archived": (
                self._assign_archived_server,
                (
                    "carries their mail.* "
                    + sentence(Reason.ARCHIVED, server="Archived"),
                    self.anna,
                ),
                (self.anna, "mail_routing_warning"),
            ),
            "own servers restricted to others": (
                self._assign_barred_server,
                (
                    "carries their mail.* "
                    + sentence(Reason.BARRED, server=".*", company="A"),
                    self.anna,
                ),
                (self.anna, "mail_routing_warning"),
            ),
            "own servers switched off": (
                lambda: self.anna.write({"use_own_mail_servers": False}),
                ("are switched off", self.anna),
                (self.anna, "mail_routing_warning"),
            ),
            "no e-mail address": (
                lambda: self.anna.write({"email": False}),
                ("no e-mail address to send from", self.anna),
                (self.anna, "mail_routing_warning"),
            ),
            "nothing collects the mailbox": (
                lambda: self.company_a.write(
                    {"alias_domain_id": False, "email": "info@a.example"}
                ),
                (answers_lost, self.mailbox),
                (self.anna, "uncollected_replies_warning"),
            ),
        }

    def test_well_configured_database_has_no_issue(self):
        self.assertEqual(self.issues(), [])

    def test_each_issue_is_said_as_on_its_form_and_leads_to_the_mending_one(self):
        for name, (breaks, (regex, record), (holder, field)) in self._cases().items():
            with self.subTest(name), self.env.cr.savepoint() as savepoint:
                breaks()
                issues = self.issues()
                found = [issue for issue in issues if re.search(regex, issue[0])]
                self.assertEqual(len(found), 1, issues)
                [(text, mended)] = found
                self.assertEqual(mended, record)
                form = holder.with_user(self.administrator)
                self.assertIn(text, form[field].splitlines())
                savepoint.rollback()
                self.env.invalidate_all()

    def test_archived_server_is_an_issue_of_who_needs_it_only(self):
        """Nothing else that is wrong with it matters while it carries nothing."""
        archived = self._create_plain_server(
            "Archived", active=False, reply_to_policy="from"
        )
        self.assertEqual(self.issues(), [])
        archived.own_user_ids = self.ben
        [(_text, record)] = self.issues()
        self.assertEqual(record, self.ben)

    def test_issue_mended_is_gone(self):
        self.shared.reserved = True
        self.assertEqual(len(self.issues()), 1)
        self.shared.reserved = False
        self.assertEqual(self.issues(), [])

    def test_server_that_carries_mail_of_one_company_of_its_user_is_no_issue(self):
        self.shared.company_ids = self.company_b
        self.clara.own_mail_server_ids = self.shared
        self.assertEqual(self.issues(), [])

    def test_issue_of_a_server_with_many_users_is_said_once(self):
        self.mailbox.write(
            {
                "own_user_ids": (self.anna | self.ben | self.clara).ids,
                "reply_to_policy": "from",
                "default_company_ids": self.company_b.ids,
            }
        )
        data = self.overview()
        [(_text, record)] = self.issues(data)
        self.assertEqual(record, self.mailbox)
        [issue] = self.user_row(self.anna, data)["issues"]
        self.assertEqual(issue["subject"], self.mailbox.name)
        self.assertTrue(data["servers"][self.mailbox.id]["has_issues"])

    def test_issues_are_said_in_the_language_of_the_reader(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env["res.lang"]._activate_lang("de_DE")
        self.mailbox.reply_to_policy = "from"
        self.company_b.mail_server_ids = False
        self.anna.use_own_mail_servers = False
        for lang in ("en_US", "fr_FR", "de_DE"):
            with self.subTest(lang):
                said = {text for text, _record in self.issues(self.overview(lang=lang))}
                for record, field in (
                    (self.mailbox, "routing_warning"),
                    (self.company_b, "mail_routing_warning"),
                    (self.anna, "mail_routing_warning"),
                ):
                    form = record.with_user(self.administrator).with_context(lang=lang)
                    self.assertLessEqual(set(form[field].splitlines()), said)


@tagged("post_install", "-at_install")
class TestOverview(OverviewCase):
    """What stands on the page besides the issues."""

    def test_nothing_configured_says_only_that(self):
        servers = self.env["ir.mail_server"].with_context(active_test=False).search([])
        nobody = {"own_user_ids": False, "default_company_ids": False}
        servers.write({**nobody, "reserved": False})
        servers.write({"company_ids": False, "bounce_policy": "auto"})
        self.assertEqual(self.overview(), {"configured": False})
        self.relay_a.default_company_ids = self.company_a
        self.assertTrue(self.overview()["configured"])

    def test_branch_stands_below_its_parent_and_names_whom_it_inherits_from(self):
        below = self._create_branch("Below", self.branch)
        data = self.overview()
        ids = [row["id"] for row in data["companies"]]
        place = ids.index(self.company_a.id)
        self.assertEqual(ids[place + 1 : place + 3], [self.branch.id, below.id])
        rows = data["companies"][place : place + 3]
        self.assertEqual([row["depth"] for row in rows], [0, 1, 2])
        self.assertEqual([row["inherited_from"] for row in rows], [False, "A", "A"])
        for row in rows:
            self.assertEqual(self.names(row, data), ["Relay-a"])
        self.branch.mail_server_ids = self.shared
        data = self.overview()
        self.assertFalse(self.company_row(self.branch, data)["inherited_from"])
        self.assertEqual(self.company_row(below, data)["inherited_from"], "Branch")

    def test_branch_of_an_archived_company_stands_at_the_top(self):
        parent = self.env["res.company"].create({"name": "Gone"})
        branch = self._create_branch("Left", parent)
        parent.mail_server_ids = self.shared
        parent.active = False
        branch.active = True
        row = self.company_row(branch)
        self.assertEqual((row["depth"], row["inherited_from"]), (0, "Gone"))

    def test_company_says_what_its_form_says(self):
        form = self.company_a.with_user(self.administrator)
        self.assertEqual(
            self.company_row(self.company_a)["summary"],
            form.outgoing_mail_summary.splitlines(),
        )

    def test_servers_of_a_user_stand_in_the_order_in_which_they_are_asked(self):
        self.anna.own_mail_server_ids |= self.shared
        personal = self._create_plain_server(
            "Personal",
            owner_user_id=self.anna.id,
            smtp_user=self.anna.email,
            from_filter=self.anna.email,
        )
        data = self.overview()
        self.assertEqual(
            self.names(self.user_row(self.anna, data), data),
            ["Personal", self.mailbox.name, "Shared"],
        )
        self.assertTrue(data["servers"][personal.id]["personal"])
        self.assertFalse(data["servers"][self.shared.id]["personal"])

    def test_users_without_own_servers_are_a_number_and_the_list_behind_it(self):
        data = self.overview()
        row = self.company_row(self.company_a, data)
        self.assertEqual([user["name"] for user in row["users"]], ["Anna"])
        found = self.env["res.users"].search(row["other_users_domain"])
        self.assertEqual(row["other_users"], len(found))
        self.assertLessEqual(self.ben | self.clara, found)
        self.assertFalse(found & (self.anna | self.portal_user))

    def test_user_who_connected_an_account_is_listed_once(self):
        self._create_plain_server(
            "Personal",
            owner_user_id=self.ben.id,
            smtp_user=self.ben.email,
            from_filter=self.ben.email,
        )
        row = self.company_row(self.company_a)
        self.assertEqual([user["name"] for user in row["users"]], ["Anna", "Ben"])
        found = self.env["res.users"].search(row["other_users_domain"])
        self.assertNotIn(self.ben, found)
        self.assertEqual(row["other_users"], len(found))

    def test_user_whose_only_server_is_archived_is_listed_once(self):
        archived = self._create_plain_server("Archived", active=False)
        archived.own_user_ids = self.ben
        row = self.company_row(self.company_a)
        found = self.env["res.users"].search(row["other_users_domain"])
        self.assertNotIn(self.ben, found)
        self.assertEqual(row["other_users"], len(found))
        self.assertTrue(self.user_row(self.ben)["issues"])

    def test_users_with_an_issue_come_first(self):
        users = self.ben | self.clara
        users.own_mail_server_ids = self.shared
        self.clara.use_own_mail_servers = False
        names = [user["name"] for user in self.company_row(self.company_a)["users"]]
        self.assertEqual(names, ["Clara", "Anna", "Ben"])

    def test_unassigned_server_is_everybodys_fallback_and_no_issue(self):
        self.shop.company_ids = self.company_a
        data = self.overview()
        notes = {self.names(card, data)[0]: card["note"] for card in data["others"]}
        self.assertEqual(
            notes,
            {
                "Shop": "Assigned to nobody: a fallback for A.",
                "Shared": "Assigned to nobody: a fallback for everybody.",
            },
        )
        self.assertEqual(self.issues(data), [])

    def _note(self, server):
        others = self.overview()["others"]
        [note] = [card["note"] for card in others if server.id in card["server_ids"]]
        return note

    def test_server_of_an_archived_company_or_user_is_said_to_be(self):
        gone = self.env["res.company"].create({"name": "Gone"})
        gone.mail_server_ids = self.shop
        gone.active = False
        self.assertEqual(self._note(self.shop), "Assigned to Gone, who are archived.")
        personal = self._create_plain_server(
            "Personal",
            owner_user_id=self.ben.id,
            smtp_user=self.ben.email,
            from_filter=self.ben.email,
        )
        self.ben.active = False
        self.assertEqual(self._note(personal), "Connected by Ben, who is archived.")

    def test_statements_do_not_grow_with_users(self):
        def statements():
            count, data = self.counted(self.overview)
            return count, len(self.company_row(self.company_a, data)["users"])

        statements()
        few, listed = statements()
        self.assertEqual(listed, 1)
        self._create_users_with_servers(1200)
        statements()
        many, listed = statements()
        self.assertEqual(listed, 1201)
        self.assertEqual(many, few)

    def test_statements_do_not_grow_with_companies(self):
        self._create_companies_with_servers(2)
        self.overview()
        few, _data = self.counted(self.overview)
        self._create_companies_with_servers(40)
        self.overview()
        many, data = self.counted(self.overview)
        self.assertEqual(many, few)
        issues = [
            issue["message"]
            for company in data["companies"]
            for issue in company["issues"]
        ]
        taken = [text for text in issues if "company is taken for theirs" in text]
        self.assertEqual(len(taken), 42)

    def _create_companies_with_servers(self, number):
        """Companies, each with a user and a server that sends as another company."""
        companies = self.env["res.company"].create(
            [
                {"name": f"Many {number} {n}", "email": f"office@m{number}-{n}.example"}
                for n in range(number)
            ]
        )
        companies.alias_domain_id = False
        self.env["ir.mail_server"].create(
            [
                {
                    "name": company.name,
                    "smtp_host": "host.invalid",
                    "from_filter": "a.example",
                    "sender_email": f"many{company.id}@a.example",
                    "default_company_ids": company.ids,
                }
                for company in companies
            ]
        )
        for company in companies:
            self._create_user(f"many{company.id}", company)

    def _create_users_with_servers(self, number):
        """Users, each of whom has one of ten servers."""
        servers = self.env["ir.mail_server"].create(
            [{"name": f"Server {n}", "smtp_host": "host.invalid"} for n in range(10)]
        )
        partners = self.env["res.partner"].create(
            [{"name": f"U{n}", "email": f"u{n}@a.example"} for n in range(number)]
        )
        users = self.env["res.users"].with_context(no_reset_password=True)
        users = users.create(
            [
                {
                    "partner_id": partner.id,
                    "login": f"overview user {partner.id}",
                    "group_ids": [Command.set(self.env.ref("base.group_user").ids)],
                    "company_id": self.company_a.id,
                    "company_ids": [Command.set(self.company_a.ids)],
                }
                for partner in partners
            ]
        )
        for place, server in enumerate(servers):
            server.own_user_ids = users[place::10]


@tagged("post_install", "-at_install")
class TestSearchingUsers(OverviewCase):
    """The search finds all users, those without own servers too: how do they send?"""

    def search(self, query):
        overview = self.env["mail.routing.overview"].with_user(self.administrator)
        return overview.search_users(query)

    def test_user_is_found_by_name_login_and_address(self):
        self.ben.write({"name": "Benjamin", "login": "desk7", "email": "bb@a.example"})
        for query in ("njam", "NJAM", " njam ", "desk7", "bb@a"):
            with self.subTest(query):
                names = [user["name"] for user in self.search(query)["users"]]
                self.assertEqual(names, ["Benjamin"])

    def test_user_is_told_as_in_their_preferences(self):
        for user in (self.anna, self.ben, self.clara):
            with self.subTest(user.name):
                found = self.search(user.email)["users"]
                [row] = [row for row in found if row["id"] == user.id]
                lines = user.with_user(self.administrator).outgoing_mail_summary
                self.assertEqual(row["lines"], lines.splitlines())

    def test_user_without_an_address_says_so(self):
        self.ben.email = False
        [row] = self.search("Ben")["users"]
        self.assertEqual(row["lines"], ["They have no e-mail address."])

    def test_nobody_else_is_found(self):
        self.clara.active = False
        for query in (self.portal_user.email, self.clara.email, "OdooBot", "", "  "):
            with self.subTest(query):
                self.assertEqual(self.search(query), {"users": [], "more": False})

    def test_many_are_cut_and_statements_do_not_grow_with_them(self):
        for number in range(42):
            self._create_user(f"many{number:02}", self.company_a)

        self.search("many")
        few, answer = self.counted(lambda: self.search("many00"))
        self.assertEqual((len(answer["users"]), answer["more"]), (1, False))
        many, answer = self.counted(lambda: self.search("many"))
        self.assertEqual((len(answer["users"]), answer["more"]), (40, True))
        self.assertEqual(many, few)


@tagged("post_install", "-at_install")
class TestReadingOverview(OverviewCase, RpcCase):
    _methods = (("get_overview",), ("search_users", "anna"))

    def test_administrator_reads_it_without_secrets(self):
        self._create_plain_server(
            "Vault",
            smtp_host="host.vault.invalid",
            smtp_user="login of vault",
            smtp_pass="password of vault",
            own_user_ids=self.ben.ids,
        )
        answer = self.call(self.administrator, "mail.routing.overview", "get_overview")
        text = json.dumps(answer)
        self.assertIn('"Vault"', text)
        for secret in ("host.vault", "login of vault", "password of vault", "imap."):
            self.assertNotIn(secret, text)

    @mute_logger("odoo.http")
    def test_plain_user_is_refused(self):
        for user in (self.ben, self.portal_user):
            overview = self.env["mail.routing.overview"].with_user(user)
            for caller in (overview, overview.sudo()):
                for method, *args in self._methods:
                    with self.subTest(method, user=user.name, sudo=caller.env.su):
                        with self.refused(AccessError, "only administrators"):
                            getattr(caller, method)(*args)
            for method, *args in self._methods:
                with self.subTest(method, user=user.name, over="RPC"):
                    with self.assertRaises(RpcError) as caught:
                        self.call(user, "mail.routing.overview", method, *args)
                    self.assertEqual(caught.exception.name, "AccessError")
                    self.assertNotIn(MAILBOX, str(caught.exception))


class OverviewTourCase(HttpCase):
    """A company without server, two users, and servers to choose from."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["ir.mail_server"].search([]).active = False
        companies = cls.env["res.company"].search([])
        cls.company = companies.create(
            {"name": "Company of the Tour", "email": "company@tour.example"}
        )
        cls.company.alias_domain_id = cls.env["mail.alias.domain"].create(
            {"name": "tour.example"}
        )
        Server = cls.env["ir.mail_server"]
        cls.relay, cls.mailbox = Server.create(
            [
                {
                    "name": "Relay of the Tour",
                    "smtp_host": "127.0.0.1",
                    "from_filter": "tour.example",
                },
                {"name": "Mailbox of the Tour", "smtp_host": "127.0.0.1"},
            ]
        )
        cls.administrator = new_test_user(
            cls.env,
            login="tour_administrator",
            email="administrator@tour.example",
            groups="base.group_user,base.group_system,base.group_multi_company",
            company_id=cls.company.id,
            company_ids=[Command.set((companies | cls.company).ids)],
        )
        cls.users = cls.env["res.users"]
        for number in range(12):
            cls.users |= new_test_user(
                cls.env,
                login=f"tour_user_{number}",
                name=f"Member {number} of the Tour",
                email=f"user{number}@tour.example",
                groups="base.group_user",
                company_id=cls.company.id,
                company_ids=[Command.set(cls.company.ids)],
            )


@tagged("post_install", "-at_install")
class TestOverviewTours(OverviewTourCase):
    def test_administrator_mends_an_issue_of_a_company_and_it_is_gone(self):
        self.users[0].own_mail_server_ids = self.mailbox
        self.start_tour(
            "/odoo?debug=1",
            "outgoing_mail_routing_overview_mend",
            login=self.administrator.login,
        )
        self.assertEqual(self.company.mail_server_ids, self.relay)

    def test_search_is_kept_where_a_mended_company_loads_the_page_anew(self):
        self.users[0].own_mail_server_ids = self.mailbox
        self.start_tour(
            "/odoo/mail-routing",
            "outgoing_mail_routing_overview_kept",
            login=self.administrator.login,
        )

    def test_administrator_searches_and_filters(self):
        self.users[:11].own_mail_server_ids = self.mailbox
        self.users[3].use_own_mail_servers = False
        self.company.mail_server_ids = self.relay
        self.start_tour(
            "/odoo/mail-routing",
            "outgoing_mail_routing_overview_search",
            login=self.administrator.login,
        )
        self.assertTrue(self.users[3].use_own_mail_servers)

    def test_administrator_goes_on_from_the_simulator_to_a_server(self):
        self.company.mail_server_ids = self.relay
        self.start_tour(
            "/odoo/mail-routing",
            "outgoing_mail_routing_overview_simulator",
            login=self.administrator.login,
        )

    def test_search_says_how_a_user_without_own_servers_sends_and_stays(self):
        self.company.mail_server_ids = self.relay
        self.start_tour(
            "/odoo/mail-routing",
            "outgoing_mail_routing_overview_user",
            login=self.administrator.login,
        )

    def test_administrator_begins_where_nothing_is_assigned(self):
        servers = self.env["ir.mail_server"].with_context(active_test=False).search([])
        nobody = {"own_user_ids": False, "default_company_ids": False}
        servers.write({**nobody, "reserved": False})
        self.start_tour(
            "/odoo/settings",
            "outgoing_mail_routing_overview_beginning",
            login=self.administrator.login,
        )


@tagged("post_install", "-at_install")
class TestOverviewOnPhone(OverviewTourCase):
    browser_size = "390x844"
    touch_enabled = True

    def test_nothing_is_wider_than_the_screen(self):
        self.relay.name = "A relay whose name is very long, longer than any phone is"
        self.company.mail_server_ids = self.relay
        self.users.own_mail_server_ids = self.relay | self.mailbox
        self.users[3].use_own_mail_servers = False
        self.start_tour(
            "/odoo/mail-routing",
            "outgoing_mail_routing_overview_phone",
            login=self.administrator.login,
        )
