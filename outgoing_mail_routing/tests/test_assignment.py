from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, tagged

from .common import RoutingCase


@tagged("post_install", "-at_install")
class TestAssignment(RoutingCase):
    """Assigning servers on users, companies and servers."""

    def test_server_barred_for_a_company_cannot_be_assigned_to_it(self):
        self.shared.company_ids = self.company_b
        for assign in (
            lambda: self.company_a.write({"mail_server_ids": self.shared.ids}),
            lambda: self.shared.write({"default_company_ids": self.company_a.ids}),
            lambda: self.relay_a.write({"company_ids": self.company_b.ids}),
        ):
            with self.refused(ValidationError, "only carries mail of B"):
                assign()

    def test_server_barred_for_all_companies_of_a_user_cannot_be_theirs(self):
        self.shared.company_ids = self.company_b
        with self.refused(ValidationError, "cannot be assigned to Ben"):
            self.ben.own_mail_server_ids = self.shared
        self.clara.own_mail_server_ids = self.shared
        with self.refused(ValidationError, "cannot be assigned to Clara"):
            self.clara.company_ids = [Command.unlink(self.company_b.id)]

    def test_several_servers_are_checked_each(self):
        self.shared.company_ids = self.company_b
        with self.assertRaises(ValidationError):
            self.company_a.mail_server_ids = self.shop + self.shared

    def test_portal_user_cannot_have_a_server(self):
        with self.refused(ValidationError, "not an internal user"):
            self.portal_user.own_mail_server_ids = self.shared

    def test_personal_server_cannot_be_assigned(self):
        self.shared.owner_user_id = self.ben
        with self.refused(ValidationError, "personal mail server of Ben"):
            self.company_a.mail_server_ids += self.shared

    def test_both_sides_show_one_relation_in_priority_order(self):
        self.relay_a.own_user_ids = self.anna
        self.assertEqual(self.anna.own_mail_server_ids, self.mailbox + self.relay_a)
        self.relay_a.sequence = 0
        self.env.flush_all()
        self.anna.invalidate_recordset()
        self.assertEqual(
            self.anna.own_mail_server_ids.ids, (self.relay_a + self.mailbox).ids
        )

    def test_archiving_a_server_in_use_says_by_whom(self):
        with self.refused(UserError, r"Anna \(User\)"):
            self.mailbox.active = False
        with self.refused(UserError, r"A \(Company\)"):
            self.relay_a.active = False

    def test_deleting_a_server_in_use_says_by_whom(self):
        with self.refused(UserError, r"Anna \(User\)"):
            self.mailbox.unlink()
        self.anna.own_mail_server_ids = False
        self.mailbox.unlink()

    def test_duplicating_copies_no_assignment(self):
        server = self.relay_a.copy()
        self.assertFalse(server.own_user_ids + self.mailbox.copy().own_user_ids)
        self.assertFalse(server.default_company_ids)
        self.assertFalse(self.anna.copy({"login": "copy"}).own_mail_server_ids)
        self.shared.company_ids = self.company_b
        self.assertEqual(
            self.shared.copy().company_ids, self.company_b, "a restriction stays"
        )

    def test_deleting_user_and_company_leaves_no_assignment(self):
        leaver = self._create_user("leaver", self.company_a)
        self.shared.own_user_ids = leaver
        leaver.unlink()
        self.assertFalse(self.shared.own_user_ids)
        self.assertTrue(self.shared.copy().unlink())


@tagged("post_install", "-at_install")
class TestServerAddresses(RoutingCase):
    """The sender address that is proposed, and what may be typed."""

    def test_sender_address_is_proposed_from_login_or_filter(self):
        for login, from_filter, expected in (
            ("me@x.example", False, "me@x.example"),
            ("Me@X.example", "x.example", "me@x.example"),
            ("me@x.example", "y.example", False),
            ("me@x.example", "y.example, Shop@y.example", "shop@y.example"),
            ("technical", False, False),
        ):
            with self.subTest(login=login, from_filter=from_filter):
                self.shared.write({"smtp_user": login, "from_filter": from_filter})
                self.assertEqual(self.shared.sender_email, expected)

    def test_sender_address_typed_by_hand_outlives_a_new_login(self):
        self.mailbox.sender_email = '"Office" <Sales@mailbox.example>'
        self.assertEqual(self.mailbox.sender_email, "sales@mailbox.example")
        self.mailbox.smtp_user = "other@mailbox.example"
        self.assertEqual(self.mailbox.sender_email, "sales@mailbox.example")
        self.mailbox.sender_email = False
        self.assertEqual(self.mailbox.sender_email, "other@mailbox.example")

    def test_addresses_that_are_not_one_are_refused(self):
        for address in ("nobody", "a@x.example, b@x.example", "a@x.example\nBcc: b@x"):
            for field in ("sender_email", "reply_to_email"):
                with self.subTest(field=field, address=address):
                    with self.refused(ValidationError, "one e-mail address"):
                        self.shared[field] = address

    def test_other_reply_address_has_to_be_filled_in(self):
        with self.refused(ValidationError, "fill in the reply address"):
            self.shared.reply_to_policy = "custom"

    def test_warnings_tell_what_can_go_wrong(self):
        self.mailbox.bounce_policy = "odoo"
        self.assertFalse(self.mailbox.routing_warning)
        self.mailbox.reply_to_policy = "from"
        self.assertIn("no incoming mail server", self.mailbox.routing_warning)
        self.shop.reserved = True
        self.assertIn("no user or company is assigned", self.shop.routing_warning)
        self.relay_a.sender_email = "x@elsewhere.example"
        self.assertIn("does not admit", self.relay_a.routing_warning)
        self.assertFalse(self.company_a.mail_routing_warning)
        self.company_a.mail_server_ids = False
        self.assertIn("No outgoing mail server", self.company_a.mail_routing_warning)


@tagged("post_install", "-at_install")
class TestAccess(RoutingCase):
    """What people without the Settings group can see and do: next to nothing."""

    def test_user_sees_their_own_line_and_no_other(self):
        anna = self.anna.with_user(self.anna)
        self.assertEqual(
            anna.outgoing_mail_summary,
            "A: through Office@mailbox.example as office@mailbox.example; answers to "
            "catchall@a.example reach Odoo",
        )
        clara = self.clara.with_user(self.clara)
        self.assertEqual(
            clara.outgoing_mail_summary,
            "A: through Relay-a as clara@a.example; answers to catchall@a.example "
            "reach Odoo\n"
            "B: through Relay-b as notifications@b.example; answers to "
            "catchall@b.example reach Odoo",
        )
        self.assertFalse(self.anna.with_user(self.ben).outgoing_mail_summary)
        form = self.anna.with_user(self.anna).read(["outgoing_mail_summary"])
        self.assertIn("Office@", form[0]["outgoing_mail_summary"])

    def test_user_sees_the_personal_server_they_connected(self):
        self.shared.write(
            {
                "owner_user_id": self.ben.id,
                "from_filter": self.ben.email,
                "smtp_user": self.ben.email,
            }
        )
        line = self.ben.with_user(self.ben).outgoing_mail_summary
        self.assertIn("A: through Shared as ben@a.example;", line)
        self.env["ir.config_parameter"].set_param(
            "mail.disable_personal_mail_servers", True
        )
        self.ben.invalidate_recordset()
        line = self.ben.with_user(self.ben).outgoing_mail_summary
        self.assertIn("A: through Relay-a as ben@a.example;", line)

    def test_new_fields_are_closed_to_users(self):
        for record, fields in (
            (self.anna, ["own_mail_server_ids", "use_own_mail_servers"]),
            (self.company_a, ["mail_server_ids", "mail_routing_warning"]),
        ):
            for field in fields:
                with self.subTest(field=field), self.assertRaises(AccessError):
                    record.with_user(self.anna).read([field])
                with self.subTest(field=field), self.assertRaises(AccessError):
                    record.with_user(self.anna).search([(field, "!=", False)])

    def test_assigning_is_for_administrators(self):
        for values in (
            {"own_mail_server_ids": self.shared.ids},
            {"use_own_mail_servers": False},
        ):
            with self.subTest(**values), self.assertRaises(AccessError):
                self.anna.with_user(self.anna).write(values)
        with self.assertRaises(AccessError):
            self.company_a.with_user(self.anna).mail_server_ids = self.shared
        with self.assertRaises(AccessError):
            self.mailbox.with_user(self.anna).read(["name"])

    def test_administrator_assigns_on_every_form(self):
        admin = self.env.ref("base.user_admin")
        admin.company_ids += self.company_a
        with Form(self.ben.with_user(admin), "base.view_users_form") as form:
            form.own_mail_server_ids.add(self.shared)
        self.assertEqual(self.shared.own_user_ids, self.ben)
        with Form(self.company_a.with_user(admin)) as form:
            form.mail_server_ids.add(self.shop)
        self.assertEqual(self.shop.default_company_ids, self.company_a)
        with Form(self.shared.with_user(admin)) as form:
            form.default_company_ids.add(self.company_b)
            form.bounce_policy = "from"
        self.assertIn(self.shared, self.company_b.mail_server_ids)
