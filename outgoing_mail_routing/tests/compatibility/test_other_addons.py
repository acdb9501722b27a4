import time
from contextlib import ExitStack, contextmanager
from inspect import isfunction
from unittest.mock import patch

from odoo.tests import tagged

from ..common import RoutingCase
from ..smtp_server import SmtpServer

_MODELS = "odoo.addons.outgoing_mail_routing.models."
_STATIC = "static@static.example"


@tagged("post_install", "-at_install")
class TestOtherAddons(RoutingCase):
    """Mail of every kind in one queue: each leaves with well-defined headers.

    ``mail_outbound_static`` puts the address of *its* server into From: of the one
    whose whitelist has the domain of From, else of the first of all servers. Here that
    is ``static``. Gina and Olaf connected their own Gmail and Outlook accounts; nobody
    assigned anything to company C, where Carl and Wanda work.
    """

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company_c = cls._create_company("C", "c.example")
        cls.carl = cls._create_user("carl", cls.company_c, email="carl@c.example")
        cls.wanda = cls._create_user(
            "wanda", cls.company_c, email="wanda@white.example"
        )
        cls.static = cls._create_server(
            "static", sequence=0, smtp_from=_STATIC, domain_whitelist="white.example"
        )
        cls.gina = cls._create_owner("gina", "gmail", "google_gmail")
        cls.olaf = cls._create_owner("olaf", "outlook", "microsoft_outlook")

    @classmethod
    def _create_owner(cls, name, authentication, prefix):
        """A user of company C with a personal server that asks for XOAUTH2."""
        email = f"{name}@white.example"
        smtp = SmtpServer({}, tokens={email: f"token of {name}"}).start()
        cls.addClassCleanup(smtp.stop)
        cls.smtp[email] = smtp
        user = cls._create_user(name, cls.company_c, email=email)
        cls.env["ir.mail_server"].create(
            {
                "name": email,
                "owner_user_id": user.id,
                "from_filter": email,
                "sequence": 9,
                "smtp_host": smtp.host,
                "smtp_port": smtp.port,
                "smtp_user": email,
                "smtp_encryption": "starttls",
                "smtp_authentication": authentication,
                f"{prefix}_access_token": f"token of {name}",
                f"{prefix}_access_token_expiration": int(time.time()) + 3600,
            }
        )
        return user

    def _queue(self, *mails):
        """Mails of several kinds: ``(user, values)`` each, the subject is its name."""
        queue = self.env["mail.mail"]
        for user, values in mails:
            queue |= self.mail(user, email_from=user.email_formatted, **values)
        return queue.with_user(self.env.ref("base.user_root"))

    def _unassigned(self):
        """Mails for which nothing is assigned, neither to their user nor company."""
        return self._queue(
            (self.carl, {"subject": "company address"}),
            (self.wanda, {"subject": "whitelisted"}),
            (self.carl, {"subject": "by hand", "mail_server_id": self.shop.id}),
            (self.carl, {"subject": "forced", "mail_server_id": self.static.id}),
            (self.gina, {"subject": "personal Gmail"}),
            (self.olaf, {"subject": "personal Outlook"}),
        )

    def _send(self, queue):
        """Send a queue; what arrived, by subject: login, From, envelope sender."""
        self.forget_received()
        queue.auto_delete = False
        with self.sending():
            queue.send()
        self.assertEqual(set(queue.mapped("state")), {"sent"}, "no mail is lost")
        arrived = {
            mail.header("Subject"): (mail.login, mail.header("From"), mail.mail_from)
            for mail in self.received()
        }
        self.assertEqual(len(arrived), len(queue), "every mail arrives once")
        return arrived

    @contextmanager
    def _without_this_addon(self):
        """Skip what this addon overrides, as if it were not there."""
        with ExitStack() as patches:
            for definition in self._get_definitions():
                registered = self.env.registry[definition._name]
                below = super(definition, registered)
                for name, value in vars(definition).items():
                    if isfunction(value) and hasattr(below, name):
                        method = getattr(below, name)
                        patches.enter_context(patch.object(registered, name, method))
            yield

    def _get_definitions(self):
        """What this addon makes of servers and mails."""
        return [
            definition
            for model in ("ir.mail_server", "mail.mail")
            for definition in self.env.registry[model].mro()
            if definition.__module__.startswith(_MODELS)
        ]

    def test_queue_of_every_kind_leaves_whole(self):
        queue = self._unassigned() | self._queue(
            (self.anna, {"subject": "user"}),
            (self.ben, {"subject": "company"}),
        )
        self.assertEqual(
            self._send(queue),
            {
                "user": (
                    "office@mailbox.example",
                    "Anna <office@mailbox.example>",
                    "office@mailbox.example",
                ),
                "company": ("relay-a", "Ben <ben@a.example>", "bounce@a.example"),
                "company address": ("static", f"Carl <{_STATIC}>", _STATIC),
                "whitelisted": (
                    "static",
                    "Wanda <notifications@a.example>",
                    "bounce@a.example",
                ),
                "forced": ("static", f"Carl <{_STATIC}>", _STATIC),
                "by hand": ("shop", "Carl <carl@c.example>", "carl@c.example"),
                "personal Gmail": (
                    "gina@white.example",
                    "Gina <gina@white.example>",
                    "gina@white.example",
                ),
                "personal Outlook": (
                    "olaf@white.example",
                    "Olaf <olaf@white.example>",
                    "olaf@white.example",
                ),
            },
        )

    def test_unassigned_mail_leaves_as_without_this_addon(self):
        self.anna.own_mail_server_ids = False
        (self.company_a | self.company_b).mail_server_ids = False
        with self._without_this_addon():
            expected = self._send(self._unassigned())
        self.assertEqual(self._send(self._unassigned()), expected)

    def test_return_path_of_routed_mail_is_its_envelope_sender(self):
        for user in (self.anna, self.ben):
            with self.subTest(user.name):
                self.forget_received()
                received = self.deliver(self._queue((user, {})))
                self.assertEqual(received.header("Return-Path"), received.mail_from)

    def _hand_over(self, user, email_from):
        """A message handed straight to ``send_email``, as code of other addons does."""
        self.forget_received()
        servers = self.env["ir.mail_server"].with_user(user).sudo()
        message = servers._build_email__(
            email_from, ["customer@customer.example"], "Subject", "Body"
        )
        with self.sending():
            servers.send_email(message)
        received = self.one_received()
        return received.login, received.header("From")

    def test_message_without_a_server_takes_its_route(self):
        self.static.company_ids = self.company_c
        self.assertEqual(
            self._hand_over(self.ben, self.ben.email_formatted),
            ("relay-a", "Ben <ben@a.example>"),
        )
        self.assertEqual(
            self._hand_over(self.anna, self.anna.email_formatted),
            ("office@mailbox.example", "Anna <office@mailbox.example>"),
        )
        self.assertEqual(
            self._hand_over(self.carl, self.carl.email_formatted),
            ("static", f"Carl <{_STATIC}>"),
        )

    def test_server_of_mail_multicompany_is_forced(self):
        self.shared.company_id = self.company_a
        mail = self.queue(self.anna, self.customer_a)
        self.assertRule(mail, "forced")
        self.assertEqual(self.deliver(mail).login, "shared")
