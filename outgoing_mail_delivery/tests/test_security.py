from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.outgoing_mail_routing.tests.common import RpcCase, RpcError

from .log_case import LogCase

MODELS = (
    "mail.delivery.attempt",
    "mail.delivery.health",
    "mail.delivery.run",
    "mail.delivery.claim",
)
#: What each role may do with each model, as a client asks it to
ALLOWED = {
    "user": dict.fromkeys(MODELS, ""),
    "portal": dict.fromkeys(MODELS, ""),
    "postmaster": {
        "mail.delivery.attempt": "read",
        "mail.delivery.health": "read",
        "mail.delivery.run": "",
        "mail.delivery.claim": "",
    },
    "administrator": dict.fromkeys(MODELS, "read"),
}
VALUES = {
    "mail.delivery.attempt": {"outcome": "sent"},
    "mail.delivery.health": {"state": "ok"},
    "mail.delivery.run": {"until": "2100-01-01"},
    "mail.delivery.claim": {"mail_mail_id_int": 1},
}
#: Fields of a server that a postmaster would ask for, by paths and by themselves
SECRETS = ("smtp_user", "smtp_pass", "smtp_host", "name", "from_filter")


class SecurityCase(LogCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.roles = {
            "user": cls.anna,
            "portal": cls.portal_user,
            "postmaster": cls._create_postmaster("petra", cls.company_a),
            "administrator": cls._create_administrator(),
        }
        cls.postmaster = cls.roles["postmaster"]
        cls.administrator = cls.roles["administrator"]
        mail = cls.env["mail.mail"].create({"email_to": "c@customer.example"})
        cls.claim = cls._create_claim(mail)
        cls.records = {
            "mail.delivery.attempt": cls._create_attempt(
                company_id=cls.company_a.id,
                mail_server_id=cls.relay_a.id,
                mail_server_name=cls.relay_a.name,
            ),
            "mail.delivery.health": cls._create_health(cls.relay_a),
            "mail.delivery.run": cls.claim.run_id,
            "mail.delivery.claim": cls.claim,
        }
        cls.env.flush_all()

    def is_allowed(self, action):
        self.env.invalidate_all()
        try:
            with self.cr.savepoint():
                action()
                self.env.flush_all()
        except (AccessError, UserError, ValueError):
            return False
        return True


@tagged("post_install", "-at_install")
class TestRoles(SecurityCase):
    """What each role can read, write, create and delete."""

    def test_each_role_can_do_with_each_model_what_it_should_and_no_more(self):
        for role, models in ALLOWED.items():
            for model, allowed in models.items():
                records = self.records[model].with_user(self.roles[role])
                values = VALUES[model]
                actions = {
                    "read": lambda records=records: records.read(),
                    "write": lambda records=records, values=values: records.write(
                        values
                    ),
                    "create": lambda records=records, values=values: records.create(
                        values
                    ),
                    "unlink": lambda records=records: records.unlink(),
                }
                for name, action in actions.items():
                    with self.subTest(role=role, model=model, action=name):
                        self.assertEqual(self.is_allowed(action), name in allowed)

    def test_a_user_finds_nothing_by_searching_grouping_or_counting(self):
        for role in ("user", "portal"):
            for model in MODELS:
                records = self.env[model].with_user(self.roles[role])
                for name, action in {
                    "search": lambda records=records: records.search([]),
                    "count": lambda records=records: records.search_count([]),
                    "group": lambda records=records: records.formatted_read_group(
                        [], [], ["__count"]
                    ),
                    "names": lambda records=records: records.name_search("a"),
                }.items():
                    with self.subTest(role=role, model=model, action=name):
                        self.assertFalse(self.is_allowed(action))

    def test_a_postmaster_reads_attempts_of_their_companies_and_of_none(self):
        of_b = self._create_attempt(company_id=self.company_b.id)
        of_none = self._create_attempt()
        of_a = self.records["mail.delivery.attempt"]
        attempts = self.env["mail.delivery.attempt"].with_user(self.postmaster)
        found = attempts.search([("id", "in", (of_a + of_b + of_none).ids)])
        self.assertEqual(found, of_a + of_none)
        with self.assertRaises(AccessError):
            of_b.with_user(self.postmaster).read(["recipient"])

    def test_an_administrator_reads_attempts_of_all_companies(self):
        administrator = self.administrator
        administrator.company_ids = self.company_a
        of_b = self._create_attempt(company_id=self.company_b.id)
        of_b.with_user(administrator).read(["recipient"])

    def test_administrators_are_postmasters(self):
        self.assertTrue(
            self.administrator.has_group("outgoing_mail_delivery.group_postmaster")
        )

    def test_a_postmaster_is_no_administrator(self):
        self.assertFalse(self.postmaster.has_group("base.group_system"))
        self.assertFalse(self.postmaster.has_group("base.group_erp_manager"))

    # ------------------------------------------------------------------
    # Health
    # ------------------------------------------------------------------

    def _cases_of_health(self):
        """A server's name, whether a postmaster of A sees it, and may change it."""
        barred = self._create_server("barred", company_ids=self.company_b.ids)
        allowed = self._create_server("allowed", company_ids=self.company_a.ids)
        assigned_elsewhere = self._create_server("elsewhere")
        self.company_b.mail_server_ids += assigned_elsewhere
        personal = self._create_server("anna@a.example", from_filter="anna@a.example")
        personal.owner_user_id = self.anna
        bens = self._create_server("of-a-colleague-in-b")
        stranger = self._create_user("bert", self.company_b)
        stranger.own_mail_server_ids = bens
        return (
            (self.relay_a, True, True),
            (self.relay_b, False, False),
            (self.mailbox, True, True),
            (self.shared, True, False),
            (barred, False, False),
            (allowed, True, True),
            (assigned_elsewhere, False, False),
            (personal, True, True),
            (bens, False, False),
            (None, True, False),
        )

    def test_a_postmaster_sees_and_changes_servers_of_their_companies(self):
        for server, seen, changed in self._cases_of_health():
            health = self.env["mail.delivery.health"].search(
                [("mail_server_id", "=", server.id if server else False)]
            ) or self._create_health(server)
            mine = health.with_user(self.postmaster)
            with self.subTest(server.name if server else "configuration"):
                self.assertEqual(self.is_allowed(lambda m=mine: m.read()), seen)
                for action in (mine.action_suspend, mine.action_resume):
                    self.assertEqual(self.is_allowed(action), changed)

    def test_a_postmaster_who_works_for_one_company_now_sees_that_one_alone(self):
        self.postmaster.company_ids += self.company_b
        of_b = self._create_health(self.relay_b)
        healths = self.env["mail.delivery.health"].with_user(self.postmaster)
        for companies, count in ((self.company_a, 0), (self.company_b, 1)):
            with self.subTest(companies.name):
                found = healths.with_context(allowed_company_ids=companies.ids).search(
                    [("id", "=", of_b.id)]
                )
                self.assertEqual(len(found), count)

    def test_suspending_says_who_did_it(self):
        health = self.records["mail.delivery.health"]
        health.with_user(self.postmaster).action_suspend()
        self.assertEqual(health.state, "suspended")
        self.assertEqual(health.words, "Suspended by Petra")
        self.assertFalse(health.until)

    def test_nobody_writes_health_by_hand(self):
        health = self.records["mail.delivery.health"]
        for role in ("postmaster", "administrator"):
            with self.subTest(role), self.assertRaises(AccessError) as caught:
                health.with_user(self.roles[role]).write({"state": "ok"})
            self.assertIn("Resume or suspend it", str(caught.exception))

    # ------------------------------------------------------------------
    # Servers
    # ------------------------------------------------------------------

    def test_a_postmaster_reads_nothing_of_a_server(self):
        for name in SECRETS:
            with self.subTest(name), self.assertRaises(AccessError):
                self.relay_a.with_user(self.postmaster).read([name])
        with self.assertRaises(AccessError):
            self.env["ir.mail_server"].with_user(self.postmaster).search([])
        with self.assertRaises(AccessError):
            self.relay_a.with_user(self.postmaster).action_resume_delivery()

    def test_no_path_leads_a_postmaster_to_a_server(self):
        for model in ("mail.delivery.attempt", "mail.delivery.health"):
            records = self.env[model].with_user(self.postmaster)
            for name in SECRETS:
                path = f"mail_server_id.{name}"
                for action, call in {
                    "search": lambda r=records, p=path: r.search([(p, "ilike", "a")]),
                    "any": lambda r=records, n=name: r.search(
                        [("mail_server_id", "any", [(n, "ilike", "a")])]
                    ),
                    "group": lambda r=records, p=path: r.formatted_read_group(
                        [], [p], ["__count"]
                    ),
                    "order": lambda r=records, p=path: r.search([], order=p),
                    "order by": lambda r=records: r.search([], order="mail_server_id"),
                    "export": lambda r=records, n=name: r.search([]).export_data(
                        [f"mail_server_id/{n}"]
                    ),
                    "specification": lambda r=records, n=name: r.web_search_read(
                        [], {"mail_server_id": {"fields": {n: {}}}}
                    ),
                }.items():
                    with self.subTest(model, path=path, action=action):
                        self.assertFalse(self.is_allowed(call))

    def test_what_a_postmaster_reads_names_no_login(self):
        for model in ("mail.delivery.attempt", "mail.delivery.health"):
            records = self.env[model].with_user(self.postmaster).search([])
            self.assertTrue(records)
            for secret in ("secret of relay-a", "relay-a"):
                self.assertNotIn(secret, repr(records.read()))

    # ------------------------------------------------------------------
    # Mails
    # ------------------------------------------------------------------

    def test_nobody_but_administrators_touches_mails(self):
        mail = self.env["mail.mail"].browse(self.claim.mail_mail_id_int)
        for role in ("user", "portal", "postmaster"):
            mine = mail.with_user(self.roles[role])
            for name, action in {
                "read": lambda m=mine: m.read(["delivery_state", "failure_reason"]),
                "write": lambda m=mine: m.write({"delivery_mark": "waiting"}),
                "lane": lambda m=mine: m.write({"delivery_lane": "urgent"}),
                "create": lambda m=mine: m.create({"delivery_lane": "urgent"}),
                "try now": lambda m=mine: m.action_try_now(),
            }.items():
                with self.subTest(role=role, action=name):
                    self.assertFalse(self.is_allowed(action))

    def test_the_lane_of_a_mail_is_not_the_client_s_to_say(self):
        mail = self.env["mail.mail"].create({"delivery_lane": "urgent"})
        self.assertEqual(mail.delivery_lane, "normal")


@tagged("post_install", "-at_install")
class TestCallers(SecurityCase, RpcCase):
    """What a client calls over JSON-RPC."""

    def assertRefused(self, user, model, method, *args, **kwargs):
        with self.assertRaises(RpcError) as caught:
            self.call(user, model, method, *args, **kwargs)
        self.assertIn(caught.exception.name, ("AccessError", "MissingError"))
        return caught.exception

    def test_a_user_neither_reads_nor_forges_anything(self):
        for model in MODELS:
            with self.subTest(model):
                ids = self.records[model].ids
                self.assertRefused(self.anna, model, "search_read", [], [])
                self.assertRefused(self.anna, model, "read", ids, ["id"])
                self.assertRefused(self.anna, model, "create", VALUES[model])
                self.assertRefused(self.anna, model, "write", ids, VALUES[model])
                self.assertRefused(self.anna, model, "unlink", ids)

    def test_what_runs_do_cannot_be_called(self):
        health_ids = self.records["mail.delivery.health"].ids
        for user in (self.anna, self.postmaster, self.administrator):
            for model, method, args in (
                ("mail.delivery.run", "_process", ()),
                ("mail.delivery.run", "_keep_crons", (8,)),
                ("mail.delivery.run", "_end_for_good", ()),
                ("mail.delivery.health", "_resume", (health_ids,)),
                ("mail.delivery.attempt", "_gc_attempts", ()),
                ("mail.mail", "_wake_queue", ()),
                ("mail.mail", "_process_queue_beside", ()),
            ):
                with self.subTest(user.name, method=method):
                    self.assertRefused(user, model, method, *args)

    def test_a_user_does_not_resume_a_server(self):
        health_ids = self.records["mail.delivery.health"].ids
        for method in ("action_resume", "action_suspend", "_resume"):
            self.assertRefused(self.anna, "mail.delivery.health", method, health_ids)
        server_ids = self.relay_a.ids
        for method in ("action_resume_delivery", "action_suspend_delivery"):
            for user in (self.anna, self.postmaster):
                self.assertRefused(user, "ir.mail_server", method, server_ids)
        self.assertEqual(self.records["mail.delivery.health"].state, "suspended")

    def test_a_postmaster_opens_the_pages_and_resumes(self):
        health = self.records["mail.delivery.health"]
        for model in ("mail.delivery.attempt", "mail.delivery.health"):
            views = [[False, kind] for kind in ("list", "form", "search")]
            answer = self.call(
                self.postmaster, model, "get_views", views=views, options={}
            )
            self.assertEqual(set(answer["views"]), {"list", "form", "search"})
            shown = [
                name
                for name in answer["models"][model]["fields"]
                if name != "mail_server_id"
            ]
            rows = self.call(
                self.postmaster,
                model,
                "web_search_read",
                domain=[],
                specification={name: {} for name in shown},
            )
            self.assertTrue(rows["length"])
        self.call(self.postmaster, "mail.delivery.health", "action_resume", health.ids)
        self.assertEqual(health.state, "ok")

    def test_a_context_does_not_open_another_company(self):
        of_b = self._create_attempt(company_id=self.company_b.id)
        context = {"allowed_company_ids": self.company_b.ids}
        self.assertRefused(
            self.postmaster,
            "mail.delivery.attempt",
            "read",
            of_b.ids,
            ["recipient"],
            context=context,
        )

    def test_a_user_does_not_make_themselves_postmaster(self):
        group = self.env.ref("outgoing_mail_delivery.group_postmaster")
        for user in (self.anna, self.postmaster):
            self.assertRefused(
                user,
                "res.users",
                "write",
                user.ids,
                {"group_ids": [Command.link(group.id)], "name": "x"},
            )
            self.assertRefused(
                user,
                "res.groups",
                "write",
                group.ids,
                {"user_ids": [Command.link(user.id)]},
            )
