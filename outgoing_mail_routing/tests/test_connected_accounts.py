import base64
import json
from io import BytesIO
from unittest import SkipTest
from unittest.mock import patch
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import requests

from odoo.tests import Form, HttpCase, tagged
from odoo.tools import config, mute_logger

from .smtp_server import SmtpServer
from .test_personal_servers import PersonalServerCase

GMAIL, OUTLOOK = "gmail", "outlook"
_CONFIRM = {GMAIL: "/google_gmail/confirm", OUTLOOK: "/microsoft_outlook/confirm"}
_CREDENTIALS = ("google_gmail_client", "microsoft_outlook_client")


class IdentityProvider:
    """What Google and Microsoft answer over HTTP, and the SMTP server they open.

    The code that Odoo gets when somebody has signed in is the address of the account.
    """

    def __init__(self):
        self.tokens = {}
        self._issued = 0
        self.smtp = SmtpServer({}, tokens=self.tokens)

    def answer(self, request):
        """The answer to one HTTP request, ``None`` for what is addressed to others."""
        url = urlsplit(request.url)
        endpoint = {
            "oauth2.googleapis.com": self._issue_token,
            "login.microsoftonline.com": self._issue_token,
            "www.googleapis.com": self._tell_account,
        }.get(url.hostname)
        if not endpoint:
            return None
        values = dict(parse_qsl(url.query or request.body))
        response = requests.Response()
        response.status_code = 200
        response.raw = BytesIO(json.dumps(endpoint(values)).encode())
        return response

    def _issue_token(self, values):
        """The token endpoint (RFC 6749, sections 4.1.3 and 6)."""
        account = values.get("code") or values["refresh_token"].removeprefix("refresh ")
        self._issued += 1
        self.tokens[account] = f"access {self._issued} of {account}"
        claims = base64.b64encode(json.dumps({"email": account}).encode()).decode()
        return {
            "refresh_token": f"refresh {account}",
            "access_token": self.tokens[account],
            "id_token": f"header.{claims}.signature",
            "expires_in": 3600,
        }

    def _tell_account(self, values):
        """Google's answer to whom an access token belongs."""
        accounts = {token: account for account, token in self.tokens.items()}
        return {"verified_email": True, "email": accounts[values["access_token"]]}


class ConnectedAccountCase(PersonalServerCase, HttpCase):
    """Users and administrators who sign in to Gmail and Outlook."""

    @classmethod
    def setUpClass(cls):
        cls.provider = IdentityProvider()
        super().setUpClass()
        fields = cls.env["ir.mail_server"]._fields
        if not {"google_gmail_uri", "microsoft_outlook_uri"} <= set(fields):
            raise SkipTest("needs the modules google_gmail and microsoft_outlook")
        cls.provider.smtp.start()
        cls.addClassCleanup(cls.provider.smtp.stop)
        cls.smtp["oauth"] = cls.provider.smtp
        for client in _CREDENTIALS:
            cls.parameters.set_param(f"{client}_id", "id")
            cls.parameters.set_param(f"{client}_secret", "secret")
        cls.personal.unlink()
        cls.ben.own_mail_server_ids = cls.shared

    @classmethod
    def _request_handler(cls, session, request, /, **kwargs):
        """Odoo's tests hand every HTTP request to this instead of the network."""
        answer = cls.provider.answer(request)
        return answer or super()._request_handler(session, request, **kwargs)

    def _call(self, user, model, method, *args):
        """Call a method as the web client of a user does."""
        self.authenticate(user.login, user.login)
        return self.make_jsonrpc_request(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": args, "kwargs": {}},
        )

    def _choose(self, user, kind):
        """Choose an outgoing mail server in one's preferences."""
        return self._call(user, "res.users", "action_setup_outgoing_mail_server", kind)

    def _sign_in(self, action, kind, account):
        """Sign in where the action leads to, and come back to Odoo."""
        [state] = parse_qs(urlsplit(action["url"]).query)["state"]
        query = urlencode({"code": account, "state": state})
        answer = self.url_open(f"{_CONFIRM[kind]}?{query}", allow_redirects=False)
        self.env.invalidate_all()
        return answer

    def _to_loopback(self, server):
        """Let a connected server point to the SMTP server on this machine."""
        smtp = self.provider.smtp
        server.write({"smtp_host": smtp.host, "smtp_port": smtp.port})
        return server

    def _connect(self, user, kind):
        """Connect a user's own account, as they do in their preferences."""
        answer = self._sign_in(self._choose(user, kind), kind, user.email)
        self.assertEqual(answer.status_code, 303)
        self.assertIn("my-preferences", answer.headers["Location"])
        self.assertEqual(user.outgoing_mail_server_type, kind)
        return self._to_loopback(user.outgoing_mail_server_id)

    def _create_as_administrator(self, kind, login):
        """Make an ordinary server, sign in to its account from its form."""
        admin = self.env.ref("base.user_admin")
        with Form(self.env["ir.mail_server"].with_user(admin)) as form:
            form.name = f"{kind} of the office"
            form.smtp_authentication = kind
            form.smtp_user = login
        server = form.save()
        self.assertEqual(server.sender_email, login)
        button = {
            GMAIL: "open_google_gmail_uri",
            OUTLOOK: "open_microsoft_outlook_uri",
        }
        action = self._call(admin, "ir.mail_server", button[kind], server.ids)
        self._sign_in(action, kind, login)
        return self._to_loopback(server).with_env(self.env)

    def assertSignedIn(self, received, account):
        """Check the account and the access token that sent a mail."""
        self.assertEqual(received.login, account)
        self.assertEqual(received.token, self.provider.tokens[account])


@tagged("post_install", "-at_install")
class TestConnectedAccounts(ConnectedAccountCase):
    """Gmail and Outlook, connected by their owners."""

    def test_connected_account_comes_first_for_the_owners_own_from(self):
        for user, kind in ((self.anna, GMAIL), (self.ben, OUTLOOK)):
            with self.subTest(kind):
                self.forget_received()
                server = self._connect(user, kind)
                received = self.post(user, self.customer_a)
                self.assertSignedIn(received, user.email)
                self.assertEqual(received.header("From"), f"{user.name} <{user.email}>")
                self.assertEqual(
                    user.with_user(user).outgoing_mail_summary,
                    f"A: through {server.name} as {user.email}; answers to "
                    "catchall@a.example reach Odoo",
                )

    def test_owner_tests_the_connection_of_their_account(self):
        for user, kind in ((self.anna, GMAIL), (self.ben, OUTLOOK)):
            with self.subTest(kind), self.sending():
                self._connect(user, kind)
                answer = self._call(
                    user, "res.users", "action_test_outgoing_mail_server"
                )
                self.assertEqual(answer["params"]["type"], "success")

    def test_expired_token_is_renewed_by_the_queue(self):
        for user, kind, field in (
            (self.anna, GMAIL, "google_gmail_access_token_expiration"),
            (self.ben, OUTLOOK, "microsoft_outlook_access_token_expiration"),
        ):
            with self.subTest(kind):
                self.forget_received()
                server = self._connect(user, kind)
                before = self.provider.tokens[user.email]
                server[field] = 1
                self.queue(user, self.customer_a)
                self.run_queue()
                received = self.one_received()
                self.assertSignedIn(received, user.email)
                self.assertNotEqual(received.token, before)

    @mute_logger(
        "odoo.addons.google_gmail.controllers.main",
        "odoo.addons.microsoft_outlook.controllers.main",
    )
    def test_account_of_another_address_is_not_connected(self):
        for kind in (GMAIL, OUTLOOK):
            with self.subTest(kind):
                self.forget_received()
                action = self._choose(self.anna, kind)
                answer = self._sign_in(action, kind, "other@a.example")
                self.assertIn("Make sure your addresses match", answer.text)
                self.assertLeaves(
                    self.queue(self.anna, self.customer_a), "office@mailbox.example"
                )

    def test_changing_the_account_and_going_back_to_the_default(self):
        self._connect(self.anna, GMAIL)
        template = self.env["mail.template"].create(
            {"name": "T", "mail_server_id": self.anna.outgoing_mail_server_id.id}
        )
        server = self._connect(self.anna, OUTLOOK)
        self.assertFalse(template.mail_server_id)
        self.assertLeaves(self.queue(self.anna, self.customer_a), self.anna.email)
        waiting = self.queue(self.anna, self.customer_a)
        self._choose(self.anna, "default")
        self.assertFalse(server.exists())
        self.assertLeaves(waiting, "office@mailbox.example")

    def test_limit_for_a_minute_is_that_of_the_provider(self):
        self._connect(self.anna, OUTLOOK)
        self.parameters.set_param("mail.server.personal.limit.minutes", "5")
        self.parameters.set_param("mail.server.personal.limit.minutes_outlook", "1")
        for _number in range(2):
            waiting = self.queue(self.anna, self.customer_a)
        self.run_queue()
        self.assertSignedIn(self.one_received(), self.anna.email)
        self.assertTrue(waiting.scheduled_date)
        self.assertEqual(waiting.state, "outgoing")

    def test_preferences_show_the_next_server_after_disconnecting(self):
        server = self._connect(self.anna, GMAIL)
        self.start_tour(
            "/odoo", "outgoing_mail_routing_disconnect_account", login=self.anna.login
        )
        self.assertFalse(server.exists())
        self.assertLeaves(
            self.queue(self.anna, self.customer_a), "office@mailbox.example"
        )


@tagged("post_install", "-at_install")
class TestAccountsOfAll(ConnectedAccountCase):
    """Accounts of one person, of an office, and everything else in one queue."""

    def test_ordinary_server_of_an_account_is_assigned_like_any_other(self):
        office = self._create_as_administrator(GMAIL, "office@gmail.example")
        relay = self._create_as_administrator(OUTLOOK, "relay@outlook.example")
        self.anna.own_mail_server_ids = office
        self.company_b.mail_server_ids = relay
        for user, record, account in (
            (self.anna, self.customer_a, "office@gmail.example"),
            (self.clara, self.customer_b, "relay@outlook.example"),
        ):
            with self.subTest(account):
                self.forget_received()
                received = self.post(user, record)
                self.assertSignedIn(received, account)
                self.assertRoute(received, account, f"{user.name} <{account}>", account)
        self.env["res.users"]._gc_personal_mail_servers()
        self.assertEqual((office + relay).exists(), office + relay)

    def test_one_queue_run_sends_each_mail_through_its_own_account(self):
        self._connect(self.ben, GMAIL)
        self._connect(self.clara, OUTLOOK)
        office = self._create_as_administrator(GMAIL, "office@gmail.example")
        dora = self._create_user("dora", self.company_a)
        dora.own_mail_server_ids = office
        eve = self._create_user("eve", self.company_a)
        frank = self._create_user("frank", self.company_b, email="frank@b.example")
        system = SmtpServer({"system": "secret"}).start()
        self.addCleanup(system.stop)
        self.smtp["system"] = system
        self.addCleanup(self.smtp.pop, "system")
        company_c = self._create_company("C", "c.example")
        gina = self._create_user("gina", company_c, email="gina@c.example")
        customer_c = self._create_customer(company_c)
        (self.relay_a + self.relay_b + self.shop).reserved = True
        self.shared.company_ids = self.company_a
        for user, record in (
            (self.anna, self.customer_a),
            (self.ben, self.customer_a),
            (self.clara, self.customer_b),
            (dora, self.customer_a),
            (eve, self.customer_a),
            (frank, self.customer_b),
            (gina, customer_c),
        ):
            self.queue(user, record)
        options = {
            "smtp_server": system.host,
            "smtp_port": system.port,
            "smtp_user": "system",
            "smtp_password": "secret",
        }
        with patch.dict(config.options, options):
            self.run_queue()
        self.assertEqual(
            sorted((mail.login, mail.header("From")) for mail in self.received()),
            sorted(
                [
                    ("office@mailbox.example", "Anna <office@mailbox.example>"),
                    ("ben@a.example", "Ben <ben@a.example>"),
                    ("clara@a.example", "Clara <clara@a.example>"),
                    ("office@gmail.example", "Dora <office@gmail.example>"),
                    ("relay-a", "Eve <eve@a.example>"),
                    ("relay-b", "Frank <frank@b.example>"),
                    ("system", "Gina <gina@c.example>"),
                ]
            ),
        )
        for mail in self.provider.smtp.received:
            self.assertSignedIn(mail, mail.login)
        self.assertEqual(len(self.provider.smtp.received), 3)
