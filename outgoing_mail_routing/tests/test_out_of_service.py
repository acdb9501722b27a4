"""A broken server is taken out of service, and its assignments stay."""

from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from ..routing import Reason
from .common import sentence
from .test_server_form import MAILBOX, ServerFormCase


@tagged("post_install", "-at_install")
class TestOutOfService(ServerFormCase):
    def take_out(self, servers):
        servers.out_of_service = True

    def test_mail_takes_the_next_way_and_comes_back(self):
        for name, out, login in (
            ("mailbox", self.mailbox, "relay-a"),
            ("and relay", self.mailbox | self.relay_a, "shared"),
        ):
            with self.subTest(name):
                self.forget_received()
                self.take_out(out)
                received = self.deliver(self.queue(self.anna, self.customer_a))
                self.assertEqual(received.login, login)
        self.assertEqual(self.mailbox.own_user_ids, self.anna)
        self.assertEqual(self.relay_a.default_company_ids, self.company_a)
        (self.mailbox | self.relay_a).out_of_service = False
        self.forget_received()
        received = self.deliver(self.queue(self.anna, self.customer_a))
        self.assertEqual(received.login, MAILBOX)

    def test_every_way_of_sending_passes_over_it(self):
        self.take_out(self.mailbox)
        received = self.post(self.anna, self.customer_a)
        self.assertEqual(received.login, "relay-a")

    def test_server_set_by_hand_is_passed_over_too(self):
        self.take_out(self.shop)
        mail = self.queue(self.ben, self.customer_a)
        mail.mail_server_id = self.shop
        self.assertEqual(self.deliver(mail).login, "relay-a")
        mail = self.queue(self.ben, self.customer_a)
        mail.mail_server_id = self.shop
        self.assertIn(
            sentence(Reason.FORCED_OUT_OF_SERVICE, server="Shop"),
            self.explained(mail),
        )

    def test_message_sent_through_it_by_its_id_takes_another_way(self):
        self.take_out(self.shop)
        servers = self.env["ir.mail_server"].with_user(self.ben).sudo()
        message = servers._build_email__(
            self.ben.email, ["customer@customer.example"], "Hello", "Hello"
        )
        with self.sending():
            servers.send_email(message, mail_server_id=self.shop.id)
        self.assertEqual(self.one_received().login, "relay-a")

    def test_nothing_falls_back_to_it(self):
        def route():
            mail = self.mail(self.odoobot, email_from="press@elsewhere.example")
            return mail, mail._get_mail_routes()[mail.id]

        self.assertEqual(route()[1].mail_server, self.shared)
        self.take_out(self.shared)
        mail, then = route()
        self.assertEqual((then.rule, then.mail_server), ("priority", self.shop))
        self.assertIn(
            sentence(Reason.OUT_OF_SERVICE, server="Shared"), self.explained(mail)
        )

    def test_alone_it_leaves_the_mail_to_the_command_line(self):
        servers = self.env["ir.mail_server"].search([])
        self.take_out(servers)
        mail = self.queue(self.anna, self.customer_a)
        self.assertRule(mail, "system")

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_what_may_not_leave_through_it_is_refused_still(self):
        self.take_out(self.mailbox)
        mail = self.mail(self.ben, mail_server_id=self.mailbox.id)
        with self.sending():
            mail.with_user(self.env.ref("base.user_root")).send()
        self.assertEqual(mail.state, "exception")

    def test_forms_overview_and_preview_say_so(self):
        self.take_out(self.mailbox)
        server = self.mailbox.with_user(self.administrator)
        self.assertIn("It is out of service", server.routing_warning)
        reason = sentence(Reason.OUT_OF_SERVICE, server=self.mailbox.name)
        self.assertIn(reason, server.routing_summary)
        self.assertIn("through Relay-a", self.anna.outgoing_mail_summary)
        anna = self.anna.with_user(self.administrator)
        self.assertIn(reason, anna.mail_routing_warning)
        overview = self.env["mail.routing.overview"].with_user(self.administrator)
        [card] = [
            card
            for card in overview.get_overview()["companies"]
            if card["id"] == self.company_a.id
        ]
        messages = [
            issue["message"] for user in card["users"] for issue in user["issues"]
        ]
        self.assertTrue([m for m in messages if "out of service" in m])

    def test_switch_on_the_form_tells_what_would_change(self):
        self.post(self.anna, self.customer_a, subject="Hers")
        preview = self.env["mail.routing.preview"].with_user(self.administrator)
        answer = preview.get_changes(
            "ir.mail_server", self.mailbox.id, {"out_of_service": True}
        )
        [row] = [row for row in answer["rows"] if row["subject"] == "Hers"]
        self.assertIn("Relay-a", row["then"])

    def test_users_cannot_choose_it(self):
        self.take_out(self.mailbox)
        choosable = self.anna._get_choosable_mail_servers(self.company_a)
        self.assertEqual(choosable, self.relay_a)

    def test_connection_is_tested_all_the_same(self):
        self.take_out(self.mailbox)
        server = self.mailbox.with_user(self.administrator)
        with self.sending():
            result = server.test_smtp_connection()
        self.assertIn(MAILBOX, result["params"]["message"])

    def test_switch_is_on_the_form_and_not_copied(self):
        with Form(self.mailbox.with_user(self.administrator)) as form:
            form.out_of_service = True
        self.assertTrue(self.mailbox.out_of_service)
        self.assertFalse(self.mailbox.copy().out_of_service)
