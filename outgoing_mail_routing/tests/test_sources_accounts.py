from datetime import timedelta

from odoo import fields, http
from odoo.tests import HttpCase, new_test_user, tagged

from .sources import NOBODY, SourceCase, source

PASSWORD = "a long password"


class AccountCase(SourceCase):
    """Mail about user accounts: of their company, through nobody's mailbox.

    Ada makes Odoo send it, or Bea whose account it is, and both of their mailboxes may
    send as the address of Bea's company.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bea.password = PASSWORD

    def account_outcome(self, decisions):
        """Every mail about an account of company B leaves alike, whoever sends it."""
        self.assertRoute(
            self.one_received(), "relay-b", "B <info@b.example>", "bounce@b.example"
        )
        return self.outcome(decisions, None, self.company_b, NOBODY, of="the account's")


@tagged("post_install", "-at_install")
class TestAccountSources(AccountCase):
    """What is done to an account in Odoo."""

    @source("Invitation of a user", "auth_signup")
    def test_invitation_of_user_leaves_through_their_company(self):
        with self.watching() as decisions:
            new_test_user(
                self.as_user(self.ada, self.env["res.users"]).env,
                "newcomer",
                email="newcomer@b.example",
                company_id=self.company_b.id,
                company_ids=self.company_b.ids,
            )
        return self.account_outcome(decisions)

    @source("Reminder of users who did not sign in", "auth_signup")
    def test_reminder_to_inviting_user_leaves_through_their_company(self):
        invited = self._create_user("invited", self.company_a)
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE res_users SET create_uid = %s, create_date = %s WHERE id = %s",
            (self.bea.id, fields.Datetime.now() - timedelta(days=5), invited.id),
        )
        self.run_job("auth_signup.ir_cron_auth_signup_send_pending_user_reminder")
        with self.watching() as decisions:
            self.send_queue()
        return self.account_outcome(decisions)

    @source("Password reset by an administrator", "auth_signup")
    def test_reset_by_administrator_avoids_both_mailboxes(self):
        with self.watching() as decisions:
            self.as_user(self.ada, self.bea).action_reset_password()
        return self.account_outcome(decisions)

    def test_reset_of_users_of_two_companies_leaves_through_each(self):
        self.require("auth_signup")
        with self.sending():
            self.as_user(self.ada, self.bea + self.ben).action_reset_password()
        self.assertEqual(
            sorted(
                (received.login, received.header("From"))
                for received in self.received()
            ),
            [("relay-a", "A <info@a.example>"), ("relay-b", "B <info@b.example>")],
        )

    @source("Portal access", "portal", "auth_signup")
    def test_portal_access_leaves_through_company_of_the_account(self):
        wizard = (
            self.as_user(self.ada, self.env["portal.wizard"])
            .with_context(active_ids=self.customer_b.ids)
            .create({})
        )
        with self.watching() as decisions:
            wizard.user_ids.action_grant_access()
        return self.account_outcome(decisions)

    @source("Invitation to two-factor authentication", "auth_totp_mail")
    def test_two_factor_invitation_avoids_both_mailboxes(self):
        with self.watching() as decisions:
            self.as_user(self.ada, self.bea).action_totp_invite()
        received = self.one_received()
        self.assertEqual(received.login, "relay-a")
        self.assertEqual(received.header("From"), "Ada <ada@a.example>")
        return self.outcome(decisions, None, self.company_b, NOBODY, of="the account's")

    @source("Security alert after an administrator's change")
    def test_alert_of_administrators_change_avoids_both_mailboxes(self):
        with self.watching() as decisions:
            self.as_user(self.ada, self.bea).login = "bea.new"
        return self.account_outcome(decisions)

    @source("Security alert after the user's own change")
    def test_alert_of_own_change_avoids_mailbox_of_the_account(self):
        users = self.as_user(self.bea, self.env["res.users"])
        with self.watching() as decisions:
            users.change_password(PASSWORD, "another password")
        return self.account_outcome(decisions)

    def test_alert_of_company_without_address_avoids_both_mailboxes(self):
        self.company_b.email = False
        for user, login, email_from in (
            (self.ada, "relay-a", "Ada <ada@a.example>"),
            (self.bea, "relay-b", "Bea <bea@b.example>"),
        ):
            with self.subTest(user=user.name), self.sending():
                self.forget_received()
                bea = self.as_user(user, self.bea)
                bea.sudo().login = f"bea.of.{user.login}"
                received = self.one_received()
                self.assertEqual(received.login, login)
                self.assertEqual(received.header("From"), email_from)

    def alert_beside_personal_server(self):
        """Bea changes her password; her company has no address, she a server."""
        self.company_b.email = False
        self.bea.own_mail_server_ids = False
        self._create_server(
            "bea@b.example",
            from_filter="bea@b.example",
            owner_user_id=self.bea.id,
        )
        with self.sending():
            users = self.as_user(self.bea, self.env["res.users"])
            users.change_password(PASSWORD, "another password")
        return self.one_received().login

    def test_alert_of_company_without_address_avoids_personal_server(self):
        self.assertEqual(self.alert_beside_personal_server(), "relay-b")

    def test_alert_with_nothing_assigned_leaves_as_core_sends_it(self):
        self.env["ir.mail_server"].search([]).write(
            {
                "own_user_ids": False,
                "default_company_ids": False,
                "reserved": False,
            }
        )
        self.assertEqual(self.alert_beside_personal_server(), "bea@b.example")


@tagged("post_install", "-at_install")
class TestSignInSources(AccountCase, HttpCase):
    """What is done to an account by those who have not signed in yet."""

    def submit(self, page, **values):
        """Fill in a form of the website and send it, as a browser does."""
        values["csrf_token"] = http.Request.csrf_token(self)
        return self.url_open(page, data=values)

    @source("Password reset on the sign-in page", "auth_signup")
    def test_reset_on_sign_in_page_avoids_mailbox_of_the_account(self):
        self.env["ir.config_parameter"].set_param("auth_signup.reset_password", "True")
        self.authenticate(None, None)
        with self.watching() as decisions:
            self.submit("/web/reset_password", login="bea")
        return self.account_outcome(decisions)

    @source("Welcome after signing up", "auth_signup")
    def test_welcome_after_sign_up_leaves_through_company_of_the_account(self):
        params = self.env["ir.config_parameter"]
        params.set_param("auth_signup.invitation_scope", "b2c")
        template_id = int(params.get_param("base.template_portal_user_id"))
        self.env["res.users"].browse(template_id).write(
            {"company_ids": self.company_b.ids, "company_id": self.company_b.id}
        )
        self.authenticate(None, None)
        with self.watching() as decisions:
            self.submit(
                "/web/signup",
                login="customer@customer.example",
                name="Customer",
                password=PASSWORD,
                confirm_password=PASSWORD,
            )
        return self.account_outcome(decisions)

    @source("Code and alert of a sign-in", "auth_totp_mail")
    def test_two_factor_code_avoids_mailbox_of_the_account(self):
        self.env["ir.config_parameter"].set_param("auth_totp.policy", "all_required")
        self.authenticate(None, None)
        with self.watching() as decisions:
            self.submit("/web/login", login="bea", password=PASSWORD)
        subjects = {received.header("Subject") for received in self.received()}
        self.assertEqual(len(subjects), 2, subjects)
        for received in self.received():
            self.assertRoute(
                received, "relay-b", "B <info@b.example>", "bounce@b.example"
            )
        return self.outcome(decisions, None, self.company_b, NOBODY, of="the account's")
