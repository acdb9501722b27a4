"""What a template, a mailing or a copy gives is given by those who may give it."""

import json
from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import RpcError
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
        past = fields.Datetime.to_string(fields.Datetime.now() - timedelta(hours=1))
        campaign_id = self.call(
            *(self.marketer, "utm.campaign", "create"),
            {
                "name": "AB",
                "ab_testing_schedule_datetime": past,
                "ab_testing_winner_selection": "opened_ratio",
            },
        )
        mailing = self.create_as_marketer(
            mailing_domain=repr([("id", "in", self.many.ids)]),
            ab_testing_enabled=True,
            ab_testing_pc=50,
            campaign_id=campaign_id,
            **values,
        )
        self.call(
            *(self.marketer, "mailing.mailing", "write", mailing.ids),
            {"ab_testing_schedule_datetime": past},
        )
        return mailing

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
        self.set_dedicated(self.mailbox)
        self.mailbox.delegation = "odoo"
        mailing = self._ab_mailing(email_from=MAILBOX)
        self.assertEqual(self._send_test_and_winner(mailing), (set(), set()))


@tagged("post_install", "-at_install")
class TestServerOfTemplate(WallCase):
    """The server of a template carries what is made from that template, no more.

    Nor does who may not set a server on a template change the From that it carries.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.from_vip = cls._create_vip_template()
        cls.vip = cls.from_vip.mail_server_id
        cls.vip_values = {
            "mail_server_id": cls.vip.id,
            "email_from": "vip@shop.example",
        }

    def _send(self, user, values=None, template=None):
        template = template or self.from_vip
        self.call(
            *(user, "mail.template", "send_mail", template.ids),
            *(self.customer.id, True, False, values or {}),
        )

    def _compose(self, user, template=None, mode="comment", **values):
        context = {
            "default_model": "res.partner",
            "default_res_ids": self.customer.ids,
            "default_composition_mode": mode,
            "default_template_id": (template or self.from_vip).id,
        }
        composer_id = self.call(
            *(user, "mail.compose.message", "create", values), context=context
        )
        self.call(user, "mail.compose.message", "action_send_mail", [composer_id])

    @mute_logger("odoo.http")
    def test_server_of_a_template_is_nobodys_to_name(self):
        other = self._create_template(subject="Mine", body_html="<p>Mine</p>")
        about = {"model": "res.partner", "res_id": self.customer.id}
        posted = {**self.vip_values, "body": "Mine", "partner_ids": self.customer.ids}
        source = {"source_ref": "base.view_partner_form", **self.vip_values}
        self.assertKeptOut(
            {
                "notify": lambda: self.call(
                    *(self.ben, "mail.thread", "message_notify", []),
                    **{**posted, **about},
                ),
                "notify with it in the context": lambda: self.call(
                    *(self.ben, "mail.thread", "message_notify", []),
                    **{**posted, **about},
                    context={"outgoing_mail_routing_origin": self.from_vip.id},
                ),
                "post": lambda: self.call(
                    *(self.ben, "res.partner", "message_post", self.customer.ids),
                    **posted,
                ),
                "post a view": lambda: self.call(
                    *(self.ben, "res.partner", "message_post_with_source"),
                    self.customer.ids,
                    **source,
                ),
                "send another template": lambda: self._send(
                    self.ben, self.vip_values, other
                ),
                "say it is of that template": lambda: self._send(
                    self.ben,
                    {**self.vip_values, "server_template_id": self.from_vip.id},
                    other,
                ),
                "with another From": lambda: self._send(
                    self.ben, {"email_from": "ben@a.example"}
                ),
                "on another model": lambda: self._send(
                    self.ben, {"model": "res.users", "res_id": self.ben.id}
                ),
                "compose with another From": lambda: self._compose(
                    self.ben, email_from="ben@a.example"
                ),
                "compose another template": lambda: self._compose(
                    self.ben, other, **self.vip_values
                ),
                "compose a mass mail with another From": lambda: self._compose(
                    self.ben, mode="mass_mail", email_from="ben@a.example"
                ),
                "schedule": lambda: self._schedule(self.ben),
            },
            "vip",
        )

    def _schedule(self, user):
        values = {
            **{"model": "res.partner", "res_id": self.customer.id, "body": "Mine"},
            **{"author_id": user.partner_id.id, "partner_ids": self.customer.ids},
            "scheduled_date": self.tomorrow(),
            "notification_parameters": json.dumps(self.vip_values),
        }
        self.call(user, "mail.scheduled.message", "create", values)

    def test_server_of_a_template_carries_its_mails_edited_or_not(self):
        for name, use in {
            "send": lambda: self._send(self.ben),
            "send with another text": lambda: self._send(
                self.ben, {"body_html": "<p>Mine</p>", "subject": "Mine, too"}
            ),
            "compose": lambda: self._compose(self.ben),
            "compose with another text": lambda: self._compose(
                self.ben, body="<p>Mine, too</p>"
            ),
            "compose with the server": lambda: self._compose(
                self.ben, mail_server_id=self.vip.id
            ),
            "compose a mass mail": lambda: self._compose(self.ben, mode="mass_mail"),
            "compose for later": self._compose_for_later,
            "by Odoo itself": lambda: self.from_vip.with_user(
                self.env.ref("base.user_root")
            ).send_mail(self.customer.id),
        }.items():
            with self.subTest(name):
                self.assertEqual(self.attempt(use), ("", {"vip"}))

    def _compose_for_later(self):
        context = {
            "default_model": "res.partner",
            "default_res_ids": self.customer.ids,
            "default_template_id": self.from_vip.id,
        }
        values = {"scheduled_date": self.tomorrow()}
        composer_id = self.call(
            *(self.ben, "mail.compose.message", "create", values), context=context
        )
        self.call(
            self.ben, "mail.compose.message", "action_schedule_message", [composer_id]
        )

    def test_template_that_lost_its_server_gives_it_no_more(self):
        self.call(
            *(self.ben, "mail.template", "send_mail", self.from_vip.ids),
            self.customer.id,
        )
        self.from_vip.mail_server_id = False
        self.assertEqual(self.attempt(lambda: None)[1], set())
        mail = self.env["mail.mail"].search([("email_from", "=", "vip@shop.example")])
        self.assertEqual(mail.state, "exception")
        self.assertIn("not open to everybody", mail.failure_reason)

    @mute_logger("odoo.http")
    def test_users_own_server_on_a_template_is_theirs_still(self):
        template = self._create_template(
            subject="Mine",
            body_html="<p>Mine</p>",
            email_from=MAILBOX,
            mail_server_id=self.mailbox.id,
        )
        send = {
            user.name: lambda user=user: self._send(user, template=template)
            for user in (self.ben, self.bob, self.plain)
        }
        self.assertKeptOut(send, MAILBOX)
        as_odoo = template.with_user(self.env.ref("base.user_root"))
        self.assertKeptOut(
            {"Odoo": lambda: as_odoo.send_mail(self.customer.id)}, MAILBOX
        )
        self.mailbox.delegation = "colleagues"
        self.assertEqual(self.attempt(send["Ben"])[1], {MAILBOX})
        self.assertEqual(self.attempt(send["Bob"])[1], set(), "of another company")

    @mute_logger("odoo.http", "odoo.sql_db")
    def test_closed_server_cannot_be_set_copied_or_imported(self):
        editor = self._create_user("eddy", self.company_a)
        editor.group_ids += self.env.ref("mail.group_mail_template_editor")
        own = self.env["mail.template"].with_user(editor).create({"name": "Own"})
        values = {"mail_server_id": self.vip.id}
        rows = [["New", str(self.vip.id)]]
        for method, args in (
            ("copy", [self.from_vip.ids]),
            ("copy", [own.ids, values]),
            ("write", [own.ids, values]),
            ("create", [{"name": "New", **values}]),
            ("web_save", [own.ids, values, {"name": {}}]),
        ):
            with self.subTest(method, args=args), self.refused(RpcError, "AccessError"):
                self.call(editor, "mail.template", method, *args)
        result = self.call(
            *(editor, "mail.template", "load", ["name", "mail_server_id/.id"], rows)
        )
        self.assertFalse(result["ids"])

    def test_administrator_may_set_another_server_on_a_waiting_mail(self):
        administrator = self._create_administrator()
        mail = self.mail(
            self.ben,
            email_from="vip@shop.example",
            model="res.partner",
            res_id=self.customer.id,
        )
        administrator.group_ids += self.env.ref("base.group_partner_manager")
        values = {"mail_server_id": self.vip.id}
        self.call(administrator, "mail.mail", "write", mail.ids, values)
        self.assertEqual(self.deliver(mail).login, "vip")

    def test_invoice_leaves_through_the_server_of_its_template(self):
        if "account.move.send" not in self.env:
            self.skipTest("needs the module account")
        sender = self.env["account.move.send"].with_user(self.ben)
        record = self.customer.with_user(self.ben)
        with self.sending():
            sender._send_mail(
                *(record, self.from_vip.with_user(self.ben)),
                **{"body": "Mine", "partner_ids": record.ids},
                **{"email_from": "vip@shop.example"},
            )
        self.assertEqual(self.one_received().login, "vip")

    def _edit_and_send(self, user, values):
        self.call(user, "mail.template", "write", self.from_vip.ids, values)
        self._send(user)

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

    def test_responsible_need_not_read_mailings(self):
        self.set_dedicated(self.vip)
        for responsible in (self.marketer, self.ben, self.bob):
            with self.subTest(responsible.name):
                mailing = self.create_as_marketer(
                    user_id=responsible.id, email_from="vip@shop.example"
                )
                self.launch(mailing)
                self.assertEqual(self.logins_to_customer(), {"vip"})

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_mailbox_carries_no_mailing_of_others(self):
        self.set_dedicated(self.mailbox)
        through_mailbox = {"email_from": MAILBOX, "mail_server_id": self.mailbox.id}
        changed = self.mailing(self.root, **through_mailbox)
        changed.with_user(self.marketer).subject = "Mine, too"
        for name, mailing in {
            "the dedicated one": self.create_as_marketer(email_from=MAILBOX),
            "of an administrator's, changed": changed,
            "of Odoo itself": self.mailing(self.root, **through_mailbox),
        }.items():
            with self.subTest(name):
                self.assertEqual(self.launch(mailing), set())
        mailing = self.mailing(self.root, **through_mailbox)
        self.assertKeptOut(
            {"its test": lambda: self.press_test(self.marketer, mailing)}, MAILBOX
        )

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_mailbox_carries_mailings_where_its_delegation_allows_them(self):
        self.set_dedicated(self.mailbox)
        through_mailbox = {"email_from": MAILBOX, "mail_server_id": self.mailbox.id}
        for delegation, of_colleague, of_odoo in (
            ("nobody", set(), set()),
            ("odoo", set(), {MAILBOX}),
            ("colleagues", {MAILBOX}, {MAILBOX}),
        ):
            self.mailbox.delegation = delegation
            with self.subTest(delegation, of="a colleague"):
                mailing = self.create_as_marketer(email_from=MAILBOX)
                self.assertEqual(self.launch(mailing), of_colleague)
            with self.subTest(delegation, of="Odoo"):
                mailing = self.mailing(self.root, **through_mailbox)
                self.assertEqual(self.launch(mailing), of_odoo)

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
