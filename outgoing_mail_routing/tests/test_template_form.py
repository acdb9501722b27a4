from odoo.exceptions import AccessError
from odoo.tests import Form, tagged

from .common import RoutingCase

MAILBOX = "office@mailbox.example"
FORM = "mail.email_template_form"
EXPRESSION = (
    "From is filled in for each record, and decides then: servers of the user who "
    "sends go first, then those of the company, then a FROM filter, then the priority."
)


@tagged("post_install", "-at_install")
class TestTemplateForm(RoutingCase):
    """What the form of a template says about the route of its mails."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.administrator = cls._create_user("admina", cls.company_a)
        cls.administrator.group_ids += cls.env.ref("base.group_system")
        cls.editor = cls._create_user("edda", cls.company_a)
        cls.editor.group_ids += cls.env.ref("mail.group_mail_template_editor")

    def template(self, user=None, **values):
        values.setdefault("model_id", self.env.ref("base.model_res_partner").id)
        template = self.env["mail.template"].create({"name": "Template", **values})
        return template.with_user(user or self.administrator).with_context(
            allowed_company_ids=(user or self.administrator).company_ids.ids
        )

    def assertRouting(self, template, *sentences, warning=False):
        self.assertEqual(
            (template.mail_routing_summary or "").splitlines(), list(sentences)
        )
        self.assertEqual(template.mail_routing_warning, warning)

    def test_template_says_by_which_rule_its_from_leaves(self):
        cases = (
            (
                "shop@shop.example",
                False,
                "From is “shop@shop.example”: leaves through Shop (FROM filter).",
            ),
            (
                '"Desk" <desk@a.example>',
                False,
                "From is “desk@a.example”: leaves through Relay-a (server of the "
                "company).",
            ),
            (
                "press@elsewhere.example",
                True,
                "From is “press@elsewhere.example”: will be replaced by "
                "“notifications@a.example”, leaves through Relay-a (server of the "
                "company).",
            ),
            (
                False,
                False,
                "From is empty, so it is that of whoever sends, yours is "
                "“admina@a.example”: leaves through Relay-a (server of the company).",
            ),
        )
        for email_from, warning, sentence in cases:
            with self.subTest(email_from=email_from):
                template = self.template(email_from=email_from)
                self.assertRouting(template, sentence, warning=warning)

    def test_template_of_sender_with_mailbox_names_it_as_their_own(self):
        self.administrator.own_mail_server_ids = self.mailbox
        self.assertRouting(
            self.template(email_from=False),
            "From is empty, so it is that of whoever sends, yours is "
            f"“admina@a.example”: will be replaced by “{MAILBOX}”, leaves through "
            "Office@mailbox.example (your own).",
            warning=True,
        )

    def test_template_with_colleagues_from_says_who_lends(self):
        self.mailbox.delegation = "colleagues"
        self.assertRouting(
            self.template(email_from=MAILBOX),
            f"From is “{MAILBOX}”: leaves through Office@mailbox.example (lent to "
            "you).",
        )

    def test_template_where_nothing_is_left_names_core_rules(self):
        self.company_a.mail_server_ids = False
        self.relay_a.active = False
        template = self.template(email_from="x@elsewhere.example")
        self.assertRouting(
            template,
            "From is “x@elsewhere.example”: will be replaced by "
            "“notifications@a.example”, leaves through Shared (priority).",
            warning=True,
        )
        self.relay_b.from_filter = "notifications@a.example"
        self.company_b.mail_server_ids = False
        template.invalidate_recordset()
        self.assertRouting(
            template,
            "From is “x@elsewhere.example”: will be replaced by "
            "“notifications@a.example”, leaves through Relay-b (default From).",
            warning=True,
        )
        self.env["ir.mail_server"].search(
            [("id", "!=", self.mailbox.id)]
        ).active = False
        template.invalidate_recordset()
        self.assertIn(
            "leaves through the server of Odoo's configuration (no other is left)",
            template.mail_routing_summary,
        )

    def test_template_with_server_says_whether_it_may_carry_the_mail(self):
        template = self.template(
            email_from="desk@a.example", mail_server_id=self.shared.id
        )
        head = "From is “desk@a.example”: "
        self.assertRouting(
            template, f"{head}leaves through Shared (set on this template)."
        )
        template.sudo().mail_server_id = self.shop
        self.assertRouting(
            template,
            f"{head}leaves through Shop (set on this template), which may not send as "
            "it.",
            warning=True,
        )
        self.shop.company_ids = self.company_b
        template.invalidate_recordset()
        self.assertRouting(
            template,
            f"{head}Shop may not carry it (set on this template).",
            warning=True,
        )

    def test_template_in_several_companies_tells_them_apart(self):
        self.administrator.company_ids += self.company_b
        self.assertRouting(
            self.template(email_from="desk@a.example"),
            "From is “desk@a.example” (A): leaves through Relay-a (server of the "
            "company).",
            "From is “desk@a.example” (B): leaves through Relay-a (FROM filter).",
        )
        self.assertRouting(
            self.template(email_from="shop@shop.example"),
            "From is “shop@shop.example”: leaves through Shop (FROM filter).",
        )

    def test_statements_do_not_grow_with_open_companies(self):
        def statements(template):
            count, told = self.counted(lambda: template.mail_routing_summary)
            self.assertIn("From is", told)
            return count

        users = self.administrator | self.editor
        companies = self.env["res.company"].create(
            [{"name": f"Many {number}"} for number in range(20)]
        )
        users.company_ids |= companies
        for user in users:
            with self.subTest(user=user.name):
                template = self.template(user, email_from="desk@a.example")
                few = template.with_context(allowed_company_ids=companies[:2].ids)
                many = template.with_context(allowed_company_ids=companies.ids)
                statements(few)
                statements(many)
                self.assertEqual(statements(many), statements(few))

    def test_template_with_expression_is_filled_in_for_the_first_record(self):
        template = self.template(
            email_from="{{ object.user_id.email or 'shop@shop.example' }}"
        )
        record = self.env["res.partner"].with_user(self.administrator)
        record = record.search([], limit=1)
        for_record = f"For “{record.display_name}” it is “%s”: leaves through %s."
        self.assertRouting(
            template,
            EXPRESSION,
            for_record % ("shop@shop.example", "Shop (FROM filter)"),
        )
        record.user_id = self.ben
        record.company_id = self.company_a
        template.invalidate_recordset()
        self.assertRouting(
            template,
            EXPRESSION,
            for_record % ("ben@a.example", "Relay-a (server of the company)"),
        )
        template.sudo().mail_server_id = self.shared
        self.assertRouting(
            template,
            "From is filled in for each record.",
            for_record % ("ben@a.example", "Shared (set on this template)"),
        )

    def test_template_with_expression_that_fails_says_what_decides_only(self):
        for expression in (
            "{{ object.nothing }}",
            "{{ 1 / 0 }}",
            "{{ object. }}",
            "{{ object.email",
            "{{ False }}",
        ):
            with self.subTest(expression=expression):
                template = (
                    self.env["mail.template"]
                    .new(
                        {
                            "model": "res.partner",
                            "model_id": self.env.ref("base.model_res_partner").id,
                            "email_from": expression,
                        }
                    )
                    .with_user(self.administrator)
                )
                lines = template.mail_routing_summary.splitlines()
                self.assertIn("filled in for each record", lines[0])

    def test_form_says_it_while_typing(self):
        template = self.template(email_from="press@elsewhere.example")
        with self.debug_mode(), Form(template, view=FORM) as form:
            self.assertTrue(form.mail_routing_warning)
            form.email_from = "shop@shop.example"
            self.assertIn("Shop (FROM filter)", form.mail_routing_summary)
            self.assertFalse(form.mail_routing_warning)
            form.mail_server_id = self.shared
            self.assertIn("Shared (set on this template)", form.mail_routing_summary)

    # ------------------------------------------------------------------
    # Readers without access to servers
    # ------------------------------------------------------------------

    def test_editor_reads_names_of_their_possible_servers_only(self):
        head = "From is “shop@shop.example”: leaves through "
        template = self.template(self.editor, email_from="shop@shop.example")
        self.assertRouting(template, f"{head}a mail server (FROM filter).")
        self.company_a.mail_server_ids += self.shop
        template.invalidate_recordset()
        self.assertRouting(template, f"{head}Shop (server of the company).")

    def test_editor_learns_nothing_by_servers_they_type(self):
        template = self.template(self.editor, email_from="desk@a.example")
        missing_id = self.shared.copy().id
        self.env["ir.mail_server"].browse(missing_id).unlink()
        answers = {
            template.onchange(
                {"mail_server_id": server_id},
                ["mail_server_id"],
                {"mail_server_id": {}, "mail_routing_summary": {}},
            )["value"]["mail_routing_summary"]
            for server_id in (self.mailbox.id, self.shared.id, missing_id)
        }
        self.assertEqual(answers, {"Leaves through the mail server that is set here."})

    def test_user_who_may_not_edit_placeholders_cannot_read_it(self):
        self.env["ir.config_parameter"].set_param(
            "mail.restrict.template.rendering", True
        )
        template = self.template(self.ben, email_from="shop@shop.example")
        self.assertFalse(self.ben.has_group("mail.group_mail_template_editor"))
        with self.refused(AccessError, "mail_routing_summary"):
            template.read(["mail_routing_summary"])

    def test_placeholder_of_a_user_who_may_not_edit_it_is_never_filled_in(self):
        self.env["ir.config_parameter"].set_param(
            "mail.restrict.template.rendering", True
        )
        template = self.template(self.ben, user_id=self.ben.id)
        unsafe = "{{ object.env.user.sudo().write({'name': 'Intruder'}) }}"
        with self.refused(AccessError, "placeholders"):
            template.email_from = unsafe
        with self.refused(AccessError, "mail_routing_summary"):
            template.onchange(
                {"email_from": unsafe},
                ["email_from"],
                {"email_from": {}, "mail_routing_summary": {}},
            )
        template.new(
            {"model": "res.partner", "email_from": unsafe}
        )._get_routing_lines()
        self.assertEqual(self.ben.name, "Ben")

    def test_record_named_like_a_placeholder_makes_no_template_unsafe(self):
        self.env["ir.config_parameter"].set_param(
            "mail.restrict.template.rendering", True
        )
        self.env["res.partner"].search([], limit=1).name = "{{ object.env }}"
        template = self.template(
            self.ben, user_id=self.ben.id, email_from="{{ object.name }}"
        )
        template.name = "Renamed"
        self.assertFalse(template.sudo().mail_routing_summary)

    def test_server_of_users_is_warned_of(self):
        for server, sender in (
            (self.mailbox, False),
            (self.mailbox, "{{ object.name }}"),
        ):
            with self.subTest(sender=sender):
                template = self.template(mail_server_id=server.id, email_from=sender)
                self.assertIn(
                    "belongs to Anna and carries nobody else's mail: what others send "
                    "from this template fails.",
                    template.mail_routing_summary,
                )
                self.assertTrue(template.mail_routing_warning)
        self.mailbox.delegation = "colleagues"
        template = self.template(mail_server_id=self.mailbox.id)
        self.assertIn("belongs to Anna: mail of", template.mail_routing_summary)
        template = self.template(mail_server_id=self.shop.id)
        self.assertNotIn("belongs to", template.mail_routing_summary)
