from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import mute_logger


class TourCase(HttpCase):
    """An administrator, a user, and a server that is nobody's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = new_test_user(
            cls.env,
            login="tour_administrator",
            email="administrator@tour.example",
            groups="base.group_user,base.group_system",
        )
        cls.user = new_test_user(
            cls.env,
            login="tour_user",
            name="User of the Tour",
            email="user@tour.example",
            groups="base.group_user",
        )
        cls.mail_server = cls.env["ir.mail_server"].create(
            {
                "name": "Mailbox for the Tour",
                "smtp_host": "127.0.0.1",
                "smtp_user": "mailbox@tour.example",
                "smtp_pass": "secret",
            }
        )


@tagged("post_install", "-at_install")
class TestTours(TourCase):
    def test_administrator_assigns_server_to_user_is_stored(self):
        self.start_tour(
            f"/odoo/action-base.action_res_users/{self.user.id}",
            "outgoing_mail_routing_assign_to_user",
            login=self.administrator.login,
        )
        self.assertEqual(self.user.own_mail_server_ids, self.mail_server)
        self.assertEqual(self.mail_server.own_user_ids, self.user)

    def test_administrator_assigns_server_to_company_is_stored(self):
        company = self.env["res.company"].create(
            {"name": "Company of the Tour", "email": "company@tour.example"}
        )
        self.administrator.company_ids += company
        # with nothing assigned at all, a company without servers is as it should be
        self.mail_server.copy({"own_user_ids": self.user.ids})
        self.start_tour(
            f"/odoo/action-base.action_res_company_form/{company.id}",
            "outgoing_mail_routing_assign_to_company",
            login=self.administrator.login,
        )
        self.assertEqual(company.mail_server_ids, self.mail_server)
        self.assertEqual(self.mail_server.default_company_ids, company)

    def test_administrator_assigns_server_in_settings_is_stored(self):
        parent = self.env["res.company"].create({"name": "Parent of the Tour"})
        parent.mail_server_ids = self.mail_server.copy(
            {"name": "Relay of the Parent", "smtp_user": "relay@tour.example"}
        )
        branch = self.env["res.company"].create(
            {
                "name": "Branch of the Tour",
                "email": "branch@tour.example",
                "parent_id": parent.id,
            }
        )
        self.administrator.write({"company_ids": branch.ids, "company_id": branch.id})
        self.start_tour(
            "/odoo/settings",
            "outgoing_mail_routing_settings",
            login=self.administrator.login,
        )
        self.assertEqual(branch.mail_server_ids, self.mail_server)

    def test_administrator_lets_answers_go_to_uncollected_from_is_warned(self):
        self.start_tour(
            f"/odoo/action-base.action_ir_mail_server_list/{self.mail_server.id}",
            "outgoing_mail_routing_server_policies",
            login=self.administrator.login,
        )
        self.assertEqual(self.mail_server.own_user_ids, self.user)
        self.assertEqual(self.mail_server.delegation, "colleagues")
        self.assertEqual(self.mail_server.from_policy, "login")
        self.assertEqual(self.mail_server.reply_to_policy, "from")
        self.assertTrue(self.mail_server.routing_warning)

    def test_administrator_collects_replies_from_the_outgoing_form(self):
        self.mail_server.smtp_host = "smtp.tour.example"
        self.start_tour(
            f"/odoo/action-base.action_ir_mail_server_list/{self.mail_server.id}",
            "outgoing_mail_routing_collect_replies",
            login=self.administrator.login,
        )
        incoming = self.mail_server.fetchmail_server_id
        self.assertEqual(incoming.server, "imap.tour.example")
        self.assertEqual(incoming.server_type, "pop")
        self.assertTrue(incoming.replies_only)

    def test_user_opens_own_preferences_reads_own_route_only(self):
        self.mail_server.write(
            {"own_user_ids": self.user.ids, "reply_to_policy": "from"}
        )
        self.start_tour(
            "/odoo", "outgoing_mail_routing_own_preferences", login=self.user.login
        )

    def test_administrator_types_in_simulator_answer_follows(self):
        self.env["ir.mail_server"].search([]).active = False
        self.env["ir.mail_server"].create(
            [
                {
                    "name": "Server of the Tour",
                    "smtp_host": "127.0.0.1",
                    "own_user_ids": self.administrator.ids,
                },
                {
                    "name": "Shop of the Tour",
                    "smtp_host": "127.0.0.1",
                    "from_filter": "shop@shop.example",
                },
            ]
        )
        self.start_tour(
            "/odoo?debug=1",
            "outgoing_mail_routing_simulator",
            login=self.administrator.login,
        )

    def test_administrator_edits_user_sees_what_would_change_before_saving(self):
        self.mail_server.own_user_ids = self.user
        self.env["mail.mail"].with_user(self.user).sudo().create(
            {"subject": "Mail of the Tour", "email_to": "customer@tour.example"}
        )
        self.start_tour(
            f"/odoo/action-base.action_res_users/{self.user.id}",
            "outgoing_mail_routing_what_would_change",
            login=self.administrator.login,
        )
        self.assertTrue(self.user.use_own_mail_servers)

    def test_administrator_assigns_servers_to_many_users_is_stored(self):
        other = new_test_user(
            self.env,
            login="other_tour_user",
            name="Other User of the Tour",
            email="mailbox@tour.example",
            groups="base.group_user",
        )
        self.mail_server.from_filter = "mailbox@tour.example"
        self.mail_server.copy(
            {"name": "Relay for the Tour", "smtp_user": "relay", "from_filter": False}
        )
        self.start_tour(
            "/odoo/action-base.action_res_users",
            "outgoing_mail_routing_assign_to_many",
            login=self.administrator.login,
        )
        self.assertEqual(self.user.own_mail_server_ids.name, "Relay for the Tour")
        self.assertEqual(
            other.own_mail_server_ids.mapped("name"),
            ["Mailbox for the Tour", "Relay for the Tour"],
        )

    def test_administrator_tests_servers_from_the_list_reads_each_result(self):
        """Nothing listens on their port."""
        self.env["ir.mail_server"].search([]).active = False
        self.mail_server.write({"active": True, "smtp_port": 1})
        self.mail_server.copy({"name": "Relay for the Tour", "active": True})
        with mute_logger("odoo.addons.base.models.ir_mail_server"):
            self.start_tour(
                "/odoo/action-base.action_ir_mail_server_list",
                "outgoing_mail_routing_test_many",
                login=self.administrator.login,
            )


@tagged("post_install", "-at_install")
class TestToursOnPhone(TourCase):
    browser_size = "390x844"
    touch_enabled = True

    def test_suggestions_show_names_and_switches(self):
        everybodys = {"name": "Relay for the Tour", "smtp_user": "relay"}
        self.mail_server.copy(everybodys)
        own = {"from_filter": self.administrator.email, "name": "Mailbox of One"}
        administrators = self.mail_server.copy(own)
        self.mail_server.from_filter = self.user.email
        self.start_tour(
            "/odoo/action-outgoing_mail_routing.mail_routing_assignment_action",
            "outgoing_mail_routing_suggest_on_phone",
            login=self.administrator.login,
        )
        self.assertFalse(self.user.own_mail_server_ids)
        self.assertEqual(self.administrator.own_mail_server_ids, administrators)
