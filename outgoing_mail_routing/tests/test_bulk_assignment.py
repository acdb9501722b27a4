from unittest.mock import patch

from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import email_normalize, mute_logger

from .common import RoutingCase, RpcCase, RpcError


class AssignmentCase(RoutingCase):
    """The wizard as an administrator opens it from the list of users."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._create_administrator()

    def assignment(self, users, **context):
        """The form that opens on the users that are selected."""
        assignments = self.env["mail.routing.assignment"].with_user(self.administrator)
        return Form(
            assignments.with_context(
                active_model=users._name, active_ids=users.ids, **context
            )
        )

    def choose(self, users, servers, mode="add"):
        """The wizard, once users and servers are chosen and it is saved."""
        with self.assignment(users) as form:
            form.mode = mode
            for server in servers:
                form.mail_server_ids.add(server)
        return form.record

    def suggest(self, users):
        """The wizard, once its button was asked for suggestions."""
        wizard = self.assignment(users).save()
        wizard.action_suggest()
        return wizard

    def line(self, wizard, user):
        """What a line says of a user: now, then, its state and why."""
        line = wizard.line_ids.filtered(lambda line: line.user_id == user)
        return line.before, line.after, line.state, line.note


@tagged("post_install", "-at_install")
class TestChoosing(AssignmentCase):
    """Servers that are chosen for many users at once."""

    def test_mode_decides_what_becomes_of_their_servers(self):
        users = self.anna | self.ben
        mailbox, shop = self.mailbox.name, self.shop.name
        both = f"{mailbox}, {shop}"
        for mode, servers, anna, ben in (
            ("add", self.shop, (mailbox, both), ("", shop)),
            ("replace", self.shop, (mailbox, shop), ("", shop)),
            ("replace", self.mailbox + self.shop, (mailbox, both), ("", both)),
            ("remove", self.mailbox + self.shop, (mailbox, ""), ("", "")),
        ):
            with self.subTest(mode, servers=servers), self.cr.savepoint() as savepoint:
                wizard = self.choose(users, servers, mode)
                for user, (before, after) in ((self.anna, anna), (self.ben, ben)):
                    line = self.line(wizard, user)
                    self.assertEqual(line[:2], (before, after))
                wizard.action_assign()
                self.env.invalidate_all()
                for user, (_before, after) in ((self.anna, anna), (self.ben, ben)):
                    names = ", ".join(user.own_mail_server_ids.mapped("name"))
                    self.assertEqual(names, after)
                savepoint.rollback()

    def test_lines_follow_what_is_chosen_before_it_is_saved(self):
        form = self.assignment(self.ben)
        for step, expected in (
            (lambda: None, "To assign: 0. Refused: 0. Unchanged: 1."),
            (
                lambda: form.mail_server_ids.add(self.shop),
                "To assign: 1. Refused: 0. Unchanged: 0.",
            ),
            (
                lambda: form.user_ids.add(self.clara),
                "To assign: 2. Refused: 0. Unchanged: 0.",
            ),
        ):
            step()
            self.assertEqual(form.summary, expected)

    def test_line_says_as_which_address_the_user_really_sends_then(self):
        users = self.anna | self.ben | self.clara
        for mode, servers in (
            ("add", self.shop),
            ("replace", self.mailbox),
            ("replace", self.shop),
            ("remove", self.mailbox),
        ):
            with self.subTest(mode, servers=servers), self.cr.savepoint() as savepoint:
                wizard = self.choose(users, servers, mode)
                said = {line.user_id: line.sends_as for line in wizard.line_ids}
                wizard.action_assign()
                for user in users:
                    self.forget_received()
                    received = self.post(user, self.customer_a)
                    sent = email_normalize(received.header("From"))
                    self.assertEqual(said[user], sent)
                savepoint.rollback()
                self.env.invalidate_all()

    def test_line_of_who_sends_nothing_says_no_address(self):
        self.ben.email = False
        self.clara.active = False
        users = self.ben | self.clara | self.portal_user
        wizard = self.choose(users, self.shop)
        self.assertEqual(wizard.line_ids.mapped("sends_as"), [False] * 3)

    def test_lines_of_very_many_users_are_shown_on_demand(self):
        """Else a form would send all of them at every change."""
        module = "odoo.addons.outgoing_mail_routing.wizards.mail_routing_assignment"
        with patch(f"{module}._LIVE_LINES", 1):
            form = self.assignment(self.ben | self.clara)
            form.mail_server_ids.add(self.shop)
            self.assertFalse(form.summary)
            wizard = form.save()
            wizard.action_choose()
            self.assertEqual(len(wizard.line_ids), 2)
            wizard.action_assign()
        self.assertEqual(self.shop.own_user_ids, self.ben | self.clara)

    def test_refused_line_says_why_and_spoils_no_other(self):
        self.shop.company_ids = self.company_b
        self.shared.owner_user_id = self.anna
        for servers, refused, sentence in (
            (self.shop, self.ben, "only carries mail of B, so it cannot be assigned"),
            (self.relay_a, self.portal_user, "is not an internal user"),
            (self.shop + self.relay_a, self.ben, "only carries mail of B"),
        ):
            with self.subTest(servers=servers, user=refused.name):
                self.clara.own_mail_server_ids = False
                wizard = self.choose(refused | self.clara, servers)
                _before, _after, state, note = self.line(wizard, refused)
                self.assertEqual(state, "refused")
                self.assertIn(sentence, note)
                answer = wizard.action_assign()
                self.assertEqual(self.clara.own_mail_server_ids, servers)
                self.assertFalse(refused.sudo().own_mail_server_ids)
                self.assertIn("changed: 1.", answer["params"]["message"])

    def test_personal_server_is_refused(self):
        self.shared.owner_user_id = self.anna
        wizard = self.env["mail.routing.assignment"].create(
            {"user_ids": self.ben.ids, "mail_server_ids": self.shared.ids}
        )
        _before, _after, state, note = self.line(wizard, self.ben)
        self.assertEqual(state, "refused")
        self.assertIn("is the personal mail server of Anna", note)

    def test_refused_lines_are_those_that_constraints_refuse(self):
        self.shop.company_ids = self.company_b
        self.shared.owner_user_id = self.anna
        for server in (self.shop, self.shared, self.relay_a):
            for user in (self.ben, self.clara, self.portal_user):
                with self.subTest(server=server.name, user=user.name):
                    wizard = self.env["mail.routing.assignment"].create(
                        {"user_ids": user.ids, "mail_server_ids": server.ids}
                    )
                    error = None
                    try:
                        with self.cr.savepoint():
                            server.own_user_ids += user
                    except ValidationError as refusal:
                        error = str(refusal)
                    self.assertEqual(wizard.line_ids.state == "refused", bool(error))
                    if error:
                        self.assertEqual(wizard.line_ids.note, error)

    def test_nothing_to_assign_is_said(self):
        for users, servers in (
            (self.ben, self.shop.browse()),
            (self.anna, self.mailbox),
            (self.ben.browse(), self.shop),
        ):
            with self.subTest(users=users, servers=servers):
                wizard = self.choose(users, servers)
                with self.refused(UserError, "There is nothing to assign"):
                    wizard.action_assign()

    def test_replacing_without_a_choice_takes_nothing_away(self):
        wizard = self.choose(self.anna, self.shop.browse(), "replace")
        self.assertEqual(self.line(wizard, self.anna)[2], "unchanged")

    def test_line_that_is_refused_meanwhile_leaves_the_others_written(self):
        wizard = self.choose(self.ben | self.clara, self.shop + self.shared)
        self.shop.company_ids = self.company_b
        answer = wizard.action_assign()
        self.assertEqual(self.clara.own_mail_server_ids, self.shop + self.shared)
        self.assertFalse(self.ben.own_mail_server_ids, "nothing is half written")
        self.assertEqual(self.line(wizard, self.ben)[2], "refused")
        self.assertIn("only carries mail of B", self.line(wizard, self.ben)[3])
        self.assertEqual(
            answer["params"]["message"], "Assigned: 1. Refused: 1, see there why."
        )
        self.assertEqual(answer["params"]["next"]["res_id"], wizard.id)

    def test_crash_in_the_middle_leaves_nothing_written(self):
        wizard = self.choose(self.ben | self.clara, self.shop + self.shared)
        servers = type(self.env["ir.mail_server"])
        write, crashing = servers.write, self.shared

        def crash(self, values):
            if self == crashing:
                raise ZeroDivisionError
            return write(self, values)

        with (
            patch.object(servers, "write", crash),
            self.assertRaises(ZeroDivisionError),
        ):
            wizard.action_assign()
        self.assertFalse((self.ben | self.clara).own_mail_server_ids)

    def test_line_writes_nothing_but_assignments(self):
        """It writes past record rules: no client may put other values into it."""
        wizard = self.choose(self.ben, self.shop)
        line = wizard.line_ids
        line.changes = {
            self.shop.id: {"smtp_host": "other.invalid", "from_policy": "any"}
        }
        host = self.shop.smtp_host
        wizard.action_assign()
        self.assertEqual((self.shop.smtp_host, self.shop.from_policy), (host, "any"))

    def test_archived_server_stays_whose_it_is(self):
        old = self._create_server("old", own_user_ids=self.anna.ids)
        # as SQL does, which asks nobody whose it is
        old._write({"active": False})
        self.env.invalidate_all()
        self.choose(self.anna, self.shop, "replace").action_assign()
        self.assertEqual(self.anna.own_mail_server_ids, self.shop)
        self.assertEqual(old.own_user_ids, self.anna)

    def test_server_that_is_left_to_nobody_is_warned_of(self):
        for mode, servers, warned in (
            ("add", self.shop, False),
            ("remove", self.mailbox, True),
            ("replace", self.shop, True),
        ):
            with self.subTest(mode):
                wizard = self.choose(self.anna, servers, mode)
                warning = wizard.warning or ""
                self.assertEqual("is assigned to nobody then" in warning, warned)
        self.mailbox.own_user_ids += self.ben
        self.assertFalse(self.choose(self.anna, self.mailbox, "remove").warning)

    def test_mail_of_all_leaves_through_the_server(self):
        self.choose(self.ben | self.clara, self.mailbox).action_assign()
        for user in (self.ben, self.clara):
            with self.subTest(user.name):
                self.forget_received()
                received = self.deliver(self.queue(user, self.customer_a))
                self.assertEqual(received.login, "office@mailbox.example")


@tagged("post_install", "-at_install")
class TestSuggesting(AssignmentCase):
    """Servers that fit the e-mail addresses of users."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bens = cls._create_server("ben@a.example", sequence=8)

    def test_server_at_the_very_address_is_assigned(self):
        wizard = self.suggest(self.ben | self.clara)
        self.assertEqual(
            self.line(wizard, self.ben),
            (
                *("", self.bens.name, "ready"),
                f"“{self.bens.name}” sends as ben@a.example.",
            ),
        )
        self.assertEqual(
            self.line(wizard, self.clara)[2:],
            ("unchanged", "Their mail leaves through “Relay-a” already."),
        )
        wizard.action_assign()
        self.assertEqual(self.ben.own_mail_server_ids, self.bens)
        self.assertFalse(self.clara.own_mail_server_ids)

    def test_without_users_all_who_have_none_are_asked(self):
        wizard = self.suggest(self.env["res.users"])
        users = wizard.line_ids.user_id
        self.assertLessEqual(self.ben | self.clara | self.administrator, users)
        self.assertFalse(users & (self.anna | self.portal_user))
        self.assertNotIn(self.env.ref("base.user_root"), users)

    def test_portal_user_is_refused(self):
        self._create_server(self.portal_user.email)
        wizard = self.suggest(self.portal_user)
        _before, _after, state, note = self.line(wizard, self.portal_user)
        self.assertEqual(state, "refused")
        self.assertIn("is not an internal user", note)

    def test_line_that_is_switched_off_is_left_as_it_is(self):
        claras = self._create_server("clara@a.example")
        wizard = self.suggest(self.ben | self.clara)
        with Form(wizard) as form:
            for place, user in enumerate(wizard.line_ids.user_id):
                with form.line_ids.edit(place) as line:
                    line.selected = user == self.clara
        wizard.action_assign()
        self.assertFalse(self.ben.own_mail_server_ids)
        self.assertEqual(self.clara.own_mail_server_ids, claras)

    def test_several_that_fit_are_listed(self):
        self._create_server("other", from_filter="ben@a.example")
        self.assertEqual(
            self.line(self.suggest(self.ben), self.ben)[2:],
            (
                "unchanged",
                "Several servers fit ben@a.example: “Ben@a.example”, “Other”. Choose "
                "one of them.",
            ),
        )

    def test_other_company_of_the_user_counts(self):
        claras = self._create_server("clara@a.example", company_ids=self.company_b.ids)
        wizard = self.suggest(self.clara)
        self.assertEqual(self.line(wizard, self.clara)[1], claras.name)

    def test_line_says_as_which_address_the_user_will_send(self):
        """By the server that is suggested, or as they do now."""
        self.bens.sender_email = "ben@elsewhere.example"
        self.bens.write({"from_policy": "login", "from_filter": "ben@a.example"})
        wizard = self.suggest(self.ben | self.clara)
        said = {line.user_id: line.sends_as for line in wizard.line_ids}
        self.assertEqual(wizard.line_ids.filtered("selected").user_id, self.ben)
        self.assertEqual(said[self.ben], "ben@elsewhere.example")
        self.assertEqual(said[self.clara], "clara@a.example")

    def test_back_leads_to_what_was_chosen(self):
        wizard = self.choose(self.ben, self.shop)
        wizard.action_suggest()
        self.assertEqual(self.line(wizard, self.ben)[1], self.bens.name)
        wizard.action_choose()
        self.assertEqual(self.line(wizard, self.ben)[1], self.shop.name)

    def test_statements_do_not_grow_with_users(self):
        users = [
            self._create_user(f"user{number}", self.company_a) for number in range(20)
        ]
        few, many = users[0].union(*users[1:4]), users[0].union(*users[1:])

        def statements(asked):
            wizard = self.assignment(asked).save()
            return self.counted(lambda: list(getattr(wizard, lines_of)()))[0]

        for lines_of in ("_get_suggested_lines", "_get_chosen_lines"):
            with self.subTest(lines_of):
                statements(few)
                self.assertEqual(statements(few), statements(many))


@tagged("post_install", "-at_install")
class TestAssignmentAccess(RpcCase):
    """Nobody but administrators gets at the wizard."""

    @mute_logger("odoo.http", "odoo.addons.base.models.ir_model")
    def test_users_neither_open_nor_use_it(self):
        wizard = self.env["mail.routing.assignment"].create(
            {"user_ids": self.ben.ids, "mail_server_ids": self.shop.ids}
        )
        values = {"user_ids": self.ben.ids, "mail_server_ids": self.shop.ids}
        for user in (self.ben, self.portal_user):
            for method, *args in (
                ("create", values),
                ("onchange", [], {}, [], {"line_ids": {}}),
                ("read", wizard.ids, ["summary"]),
                ("action_assign", wizard.ids),
                ("action_suggest", wizard.ids),
                ("action_take_over", wizard.ids),
            ):
                with self.subTest(method, user=user.name):
                    with self.assertRaises(RpcError) as caught:
                        self.call(user, wizard._name, method, *args)
                    self.assertEqual(caught.exception.name, "AccessError")
        self.assertFalse(self.ben.own_mail_server_ids)

    def test_only_administrators_find_it_in_list_and_menu(self):
        name = "outgoing_mail_routing.mail_routing_assignment"
        action, menu = self.env.ref(f"{name}_action"), self.env.ref(f"{name}_menu")
        administrator = self._create_administrator()
        for user, expected in ((administrator, True), (self.ben, False)):
            with self.subTest(user.name):
                env = self.env(user=user)
                bound = env["ir.actions.actions"].get_bindings("res.users")
                offered = {known["id"] for known in bound.get("action", ())}
                self.assertEqual(action.id in offered, expected)
                menus = env["ir.ui.menu"]._visible_menu_ids(debug=True)
                self.assertEqual(menu.id in menus, expected)
