from unittest.mock import patch

from odoo.exceptions import AccessError
from odoo.tests import Form, tagged
from odoo.tools import config

from ...wizards.takeover import UserOfServer
from ..common import RoutingCase

_STATIC = "static@static.example"


@tagged("post_install", "-at_install")
class TestTakingOver(RoutingCase):
    """What other addons have set becomes assignments, and mail leaves as before."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.company_a | cls.company_b).mail_server_ids = False
        cls.anna.own_mail_server_ids = False
        cls.administrator = cls._create_administrator()

    def take_over(self, source):
        """The wizard as it shows what another addon has set."""
        assignments = self.env["mail.routing.assignment"]
        form = Form(assignments.with_user(self.administrator))
        form.source = source
        wizard = form.save()
        wizard.action_take_over()
        return wizard

    def lines(self, wizard):
        """State, then and why of each server's line."""
        return {
            line.mail_server_id: (line.state, line.after, line.note)
            for line in wizard.line_ids
        }

    # ------------------------------------------------------------------
    # mail_multicompany
    # ------------------------------------------------------------------

    def test_company_of_a_server_is_assigned_and_bars_the_others(self):
        self.relay_a.company_id = self.company_a
        self.relay_b.company_id = self.company_b
        wizard = self.take_over("company")
        self.assertEqual(
            self.lines(wizard),
            {
                server: (
                    "ready",
                    f"Companies: {company.name}\nAllowed Companies: {company.name}",
                    False,
                )
                for server, company in (
                    (self.relay_a, self.company_a),
                    (self.relay_b, self.company_b),
                )
            },
        )
        self.assertFalse(self.company_a.mail_server_ids, "it only shows")
        wizard.action_assign()
        self.assertEqual(self.company_a.mail_server_ids, self.relay_a)
        self.assertEqual(self.relay_b.company_ids, self.company_b)

    def test_servers_of_companies_that_are_not_open_are_taken_over(self):
        self.relay_b.company_id = self.company_b
        self.administrator.company_ids = self.company_a
        visible = self.env["ir.mail_server"].with_user(self.administrator)
        self.assertNotIn(self.relay_b, visible.search([]))
        self.take_over("company").action_assign()
        self.assertEqual(self.company_b.mail_server_ids, self.relay_b)

    def test_what_is_taken_over_is_not_taken_over_again(self):
        self.relay_a.company_id = self.company_a
        self.take_over("company").action_assign()
        [line] = self.lines(self.take_over("company")).values()
        self.assertEqual(line[::2], ("unchanged", "It is taken over already."))

    def test_server_that_cannot_be_assigned_says_why_and_spoils_no_other(self):
        """Assigned to a user of another company, personal, and one that is fine."""
        bob = self._create_user("bob", self.company_b)
        self.shop.write({"own_user_ids": bob.ids, "company_id": self.company_a.id})
        self.shared.write({"owner_user_id": bob.id, "company_id": self.company_b.id})
        self.relay_a.company_id = self.company_a
        wizard = self.take_over("company")
        lines = self.lines(wizard)
        self.assertEqual(lines[self.shop][0], "refused")
        self.assertIn("cannot be assigned to Bob", lines[self.shop][2])
        self.assertIn("personal mail server of Bob", lines[self.shared][2])
        answer = wizard.action_assign()
        self.assertIn("taken over: 1.", answer["params"]["message"])
        self.assertEqual(self.company_a.mail_server_ids, self.relay_a)
        self.assertFalse(self.shop.company_ids)

    def test_archived_server_is_left_alone(self):
        self.shop.write({"company_id": self.company_a.id, "active": False})
        self.assertFalse(self.take_over("company").line_ids)

    def test_mail_leaves_by_company_once_the_other_field_is_empty(self):
        """Emptying the field is all that uninstalling the other addon does to it."""
        self.relay_b.company_id = self.company_b
        self.take_over("company").action_assign()
        self.relay_b.company_id = False
        mail = self.queue(self.clara, self.customer_b)
        self.assertRule(mail, "company")
        self.assertEqual(self.deliver(mail).login, "relay-b")

    def test_nothing_is_kept_in_what_goes_with_the_other_addon(self):
        """Uninstalling drops the fields that no other addon has."""
        self.relay_a.write({"company_id": self.company_a.id, "smtp_from": _STATIC})
        written = {
            name
            for source in ("company", "static_from")
            for line in self.take_over(source).line_ids
            for values in line.changes.values()
            for name in values
        }
        self.assertGreater(len(written), 3)
        for name in written:
            field = self.env["ir.model.fields"]._get("ir.mail_server", name)
            others = {"mail_multicompany", "mail_outbound_static"}
            self.assertFalse(others.intersection(field.modules.split(", ")), name)

    # ------------------------------------------------------------------
    # mail_outbound_static
    # ------------------------------------------------------------------

    def test_fixed_from_becomes_sender_address_and_filter(self):
        for smtp_from, whitelist, sender, from_filter, policy in (
            (_STATIC, False, _STATIC, False, "login"),
            (
                *(_STATIC, "white.example, x.example"),
                *(_STATIC, f"white.example, x.example, {_STATIC}", "filter"),
            ),
            (_STATIC, "static.example", _STATIC, "static.example", "filter"),
            (False, "white.example", False, "white.example", "any"),
        ):
            with self.subTest(smtp_from=smtp_from, whitelist=whitelist):
                server = self._create_server(
                    "static", smtp_from=smtp_from, domain_whitelist=whitelist
                )
                wizard = self.take_over("static_from")
                self.assertFalse(wizard.warning, "it was nobody's before")
                wizard.action_assign()
                self.assertEqual(server.sender_email, sender)
                self.assertEqual(server.from_filter, from_filter)
                self.assertEqual(server.from_policy, policy)
                self.assertFalse(server.routing_warning)
                again = self.take_over("static_from")
                self.assertEqual(self.lines(again)[server][0], "unchanged")
                server.unlink()

    def test_whitelist_of_the_configuration_counts(self):
        self.shared.smtp_from = _STATIC
        with patch.dict(config.options, {"smtp_domain_whitelist": "white.example"}):
            self.take_over("static_from").action_assign()
        self.assertEqual(self.shared.from_filter, f"white.example, {_STATIC}")

    def test_whitelist_that_contradicts_the_filter_is_refused(self):
        self.relay_a.write({"smtp_from": _STATIC, "domain_whitelist": "white.example"})
        [line] = self.lines(self.take_over("static_from")).values()
        self.assertEqual(line[0], "refused")
        self.assertIn("has the FROM filter “a.example” already", line[2])
        self.relay_a.from_filter = f"{_STATIC},white.example"
        [line] = self.lines(self.take_over("static_from")).values()
        self.assertEqual(line[0], "ready")

    def test_mail_leaves_as_the_fixed_from_before_and_after(self):
        """Whitelisted From, which core replaces for want of a filter, is now kept."""
        self.shared.write({"smtp_from": _STATIC, "domain_whitelist": "white.example"})
        (self.env["ir.mail_server"].search([]) - self.shared).active = False
        self.ben.email = "ben@white.example"

        def leave(user):
            self.forget_received()
            return self.post(user, self.customer_a).header("From")

        self.assertEqual(leave(self.clara), f"Clara <{_STATIC}>")
        self.assertEqual(leave(self.ben), "Ben <notifications@a.example>")
        self.take_over("static_from").action_assign()
        self.shared.write({"smtp_from": False, "domain_whitelist": False})
        self.assertEqual(leave(self.clara), f"Clara <{_STATIC}>")
        self.assertEqual(leave(self.ben), "Ben <ben@white.example>")

    # ------------------------------------------------------------------
    # Addons that give users a server
    # ------------------------------------------------------------------

    def _patched_fields(self, model, name, comodel):
        """A stored field as such addons add it: none of them exists for 19.0.

        Fields that are made by hand are called ``x_``, so the source is told of it.
        """
        self.env["ir.model.fields"].create(
            {
                "name": name,
                "model_id": self.env["ir.model"]._get_id(model),
                "field_description": "Its User",
                "ttype": "many2one",
                "relation": comodel,
            }
        )
        known = ((model, name, "many2one", comodel),)
        return patch.object(UserOfServer, "known_fields", known)

    def test_user_of_a_server_gets_it_as_their_own(self):
        with self._patched_fields("ir.mail_server", "x_user_id", "res.users"):
            self.shop.x_user_id = self.ben
            self.shared.x_user_id = self.portal_user
            wizard = self.take_over("user")
            lines = self.lines(wizard)
            self.assertEqual(lines[self.shop], ("ready", "Users: Ben", False))
            self.assertIn("not an internal user", lines[self.shared][2])
            wizard.action_assign()
        self.assertEqual(self.ben.own_mail_server_ids, self.shop)
        self.assertFalse(self.shared.own_user_ids)

    def test_server_of_a_user_gets_them_as_its_own(self):
        with self._patched_fields("res.users", "x_server_id", "ir.mail_server"):
            (self.ben | self.clara).x_server_id = self.shop
            self.anna.x_server_id = self.shared
            self.shared.active = False
            wizard = self.take_over("user")
            self.assertEqual(len(wizard.line_ids), 2)
            wizard.action_assign()
        self.assertEqual(self.shop.own_user_ids, self.ben | self.clara)
        self.assertFalse(self.shared.own_user_ids)

    def test_field_is_told_by_type_and_model_too(self):
        for known, expected in (
            (("ir.mail_server", "company_id", "many2one", "res.company"), True),
            (("ir.mail_server", "company_id", "many2one", "res.users"), False),
            (("ir.mail_server", "company_id", "many2many", "res.company"), False),
            (("ir.mail_server", "user_id", "many2one", "res.users"), False),
        ):
            with (
                self.subTest(known),
                patch.object(UserOfServer, "known_fields", (known,)),
            ):
                self.assertEqual(bool(UserOfServer(self.env).fields), expected)

    # ------------------------------------------------------------------
    # The form
    # ------------------------------------------------------------------

    def test_sources_are_named_by_addon_and_field(self):
        selection = self.env["mail.routing.assignment"]._fields["source"]
        self.assertEqual(
            selection._description_selection(self.env),
            [
                ("company", "mail_multicompany (Company)"),
                ("static_from", "mail_outbound_static (Email From, Domain Whitelist)"),
            ],
        )

    def test_form_says_what_is_different_and_that_it_can_be_uninstalled(self):
        wizard = self.take_over("company")
        self.assertIn("Here the servers of the user go first", wizard.difference)
        view = wizard.get_view(view_type="form")["arch"]
        self.assertIn("uninstalled: what is assigned stays", " ".join(view.split()))

    def test_administrators_alone_take_over(self):
        self.relay_a.company_id = self.company_a
        wizard = self.take_over("company")
        with self.refused(AccessError, "only administrators"):
            wizard.with_user(self.ben).sudo().action_assign()
        self.assertFalse(self.company_a.mail_server_ids)
