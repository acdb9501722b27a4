"""What a template, a mailing or a copy gives is given by those who may give it."""

from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from .test_security_senders import MAILBOX
from .test_security_walls import MailingCase, WallCase


@tagged("post_install", "-at_install")
class TestWinner(MailingCase):
    """The winner of an A/B test, which Odoo's job copies, stays its makers'."""

    def setUp(self):
        super().setUp()
        self.many = self.env["res.partner"].create(
            [{"name": f"M{i}", "email": f"m{i}@customer.example"} for i in range(4)]
        )

    def _ab_mailing(self, **values):
        campaign_id = self.call(
            *(self.marketer, "utm.campaign", "create"),
            {
                "name": "AB",
                "ab_testing_schedule_datetime": fields.Datetime.to_string(
                    fields.Datetime.now() - timedelta(hours=1)
                ),
                "ab_testing_winner_selection": "opened_ratio",
            },
        )
        mailing_id = self.call(
            *(self.marketer, "mailing.mailing", "create"),
            {
                "subject": "Mine",
                "body_html": "<p>Mine</p>",
                "mailing_model_id": self.env["ir.model"]._get_id("res.partner"),
                "mailing_domain": repr([("id", "in", self.many.ids)]),
                "ab_testing_enabled": True,
                "ab_testing_pc": 50,
                "campaign_id": campaign_id,
                **values,
            },
        )
        past = fields.Datetime.to_string(fields.Datetime.now() - timedelta(hours=1))
        self.call(
            *(self.marketer, "mailing.mailing", "write", [mailing_id]),
            {"ab_testing_schedule_datetime": past},
        )
        return self.env["mailing.mailing"].browse(mailing_id)

    def _send_test_and_winner(self, mailing):
        """Send the mailing, then let the job choose and send the winner.

        :return: logins that carried the test, those that carried the winner
        """
        test = self.launch(mailing)
        self.assertEqual(mailing.state, "done")
        self.forget_received()

        def winner():
            root = self.env(user=self.root.id)
            root["utm.campaign"]._cron_process_mass_mailing_ab_testing()
            final = mailing.campaign_id.ab_testing_winner_mailing_id
            self.assertTrue(final)
            final.with_user(self.root).action_send_mail()

        return test, self.attempt(winner)[1]

    def test_winner_stays_of_the_company_of_who_made_it(self):
        mailing = self._ab_mailing(user_id=self.bob.id, email_from="sales@b.example")
        self.assertEqual(
            self._send_test_and_winner(mailing), ({"relay-a"}, {"relay-a"})
        )

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_winner_leaves_through_no_mailbox_that_refused_the_test(self):
        params = self.env["ir.config_parameter"]
        params.set_param("mass_mailing.outgoing_mail_server", True)
        params.set_param("mass_mailing.mail_server_id", self.mailbox.id)
        self.mailbox.delegation = "odoo"
        mailing = self._ab_mailing(email_from=MAILBOX)
        self.assertEqual(self._send_test_and_winner(mailing), (set(), set()))


@tagged("post_install", "-at_install")
class TestServerOfTemplate(WallCase):
    """Who may not set a server on a template changes no From that it carries."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.from_vip = cls._create_vip_template("Hers")
        cls.vip = cls.from_vip.mail_server_id

    def _edit_and_send(self, user, values):
        self.call(user, "mail.template", "write", self.from_vip.ids, values)
        self.call(
            *(user, "mail.template", "send_mail", self.from_vip.ids),
            *(self.customer.id, True),
        )

    @mute_logger("odoo.http")
    def test_who_may_not_set_the_server_changes_no_from_of_its_template(self):
        editor = self._create_user("eddy", self.company_a)
        editor.group_ids += self.env.ref("mail.group_mail_template_editor")
        for values in (
            {"email_from": "ceo@shop.example", "subject": "Mine"},
            {"email_from": "", "subject": "Mine"},
        ):
            with self.subTest(values=values):
                _refused, logins = self.attempt(
                    lambda values=values: self._edit_and_send(editor, values)
                )
                self.assertNotIn("vip", logins)

    @mute_logger("odoo.http")
    def test_owner_of_a_template_changes_no_from_of_a_server_closed_to_them(self):
        """A plain user, no editor: the rule of core lets them edit their own."""
        template_id = self.call(
            *(self.ben, "mail.template", "create"),
            {
                "name": "Own",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "use_default_to": True,
                "email_from": "vip@shop.example",
                "subject": "Hers",
                "body_html": "<p>Hers</p>",
            },
        )
        self.from_vip = self.env["mail.template"].browse(template_id)
        self.from_vip.mail_server_id = self.vip  # by an administrator
        values = {"email_from": "ceo@shop.example", "subject": "Mine"}
        refused, logins = self.attempt(lambda: self._edit_and_send(self.ben, values))
        self.assertNotIn("vip", logins, refused)

    def test_colleague_answers_through_the_server_a_plain_user_cannot_name(self):
        """Else the test above could not fail: without the template it is refused."""
        refused, logins = self.attempt(
            lambda: self.send_template(
                self.ben,
                {
                    "mail_server_id": self.vip.id,
                    "email_from": "ceo@shop.example",
                    "subject": "Mine",
                },
            )
        )
        self.assertEqual((refused, logins), ("AccessError", set()))

    def test_template_tells_no_address_of_another_companys_server(self):
        hidden = self._create_server("secret-login@provider.example")
        self.company_b.mail_server_ids = hidden
        editor = self._create_user("eddy", self.company_a)
        editor.group_ids += self.env.ref("mail.group_mail_template_editor")
        self._create_user("aaron", self.company_b, email="aaron@elsewhere.example")
        template_id = self.call(
            *(editor, "mail.template", "create"),
            {
                "name": "x",
                "model_id": self.env["ir.model"]._get_id("res.users"),
                "email_from": "{{ object.email }}",
            },
        )
        [row] = self.call(
            *(editor, "mail.template", "read", [template_id]),
            ["mail_routing_summary"],
        )
        self.assertNotIn("secret-login", row["mail_routing_summary"])


@tagged("post_install", "-at_install")
class TestServerOfMailing(MailingCase):
    """The server of a mailing carries what those wrote who may send through it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vip = cls._create_vip()

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_mail")
    def test_marketer_changes_no_mailing_through_a_server_closed_to_them(self):
        mailing = self.mailing(
            self.root,
            subject="Hers",
            body_html="<p>Hers</p>",
            mail_server_id=self.vip.id,
            email_from="vip@shop.example",
        )
        values = {
            "email_from": "ceo@shop.example",
            "subject": "Mine",
            "body_html": "<p>Mine</p>",
        }

        def change():
            self.call(self.marketer, "mailing.mailing", "write", mailing.ids, values)

        refused, _logins = self.attempt(change)
        self.assertNotIn("vip", self.launch(mailing), refused)

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_mail")
    def test_marketer_composes_nothing_through_the_server_of_a_mailing(self):
        mailing = self.mailing(self.root, mail_server_id=self.vip.id)
        values = {
            **{"composition_mode": "mass_mail", "model": "res.partner"},
            **{"res_ids": str(self.customer.ids), "mass_mailing_id": mailing.id},
            **{"subject": "Mine", "body": "Mine", "email_from": "ceo@shop.example"},
            "mail_server_id": self.vip.id,
        }

        def compose():
            composer_id = self.call(
                self.marketer, "mail.compose.message", "create", values
            )
            self.call(
                self.marketer, "mail.compose.message", "action_send_mail", [composer_id]
            )

        self.assertKeptOut({"compose": compose}, "vip")

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_mail")
    def test_marketer_tests_no_text_of_theirs_through_another_companys_server(self):
        self.relay_b.company_ids = False
        self.bob.group_ids += self.env.ref("mass_mailing.group_mass_mailing_user")
        mailing = self.mailing(
            self.bob,
            subject="Hers",
            user_id=self.bob.id,
            email_from="sales@b.example",
            mail_server_id=self.relay_b.id,
        )

        def attack():
            self.call(
                *(self.marketer, "mailing.mailing", "write", mailing.ids),
                {"subject": "Mine"},
            )
            self.press_test(self.marketer, mailing)

        refused, logins = self.attempt(attack)
        self.assertEqual((refused, logins - {"relay-a"}), ("", set()))
