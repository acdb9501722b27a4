from datetime import timedelta
from itertools import count
from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import RpcCase, RpcError

MAILBOX = "office@mailbox.example"
# What others than Anna write; a mail of hers says something else
POST = {
    "body": "Mine",
    "message_type": "comment",
    "subtype_xmlid": "mail.mt_comment",
}


INCOMING = "From: Anna <anna@a.example>\nMessage-Id: <%s@x>\nSubject: Mine\n\nMine"


class SenderCase(RpcCase):
    """Calls over JSON-RPC, and what the jobs of OdooBot make of them later."""

    numbers = count()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = cls.env.ref("base.user_root")
        cls.bob = cls._create_user("bob", cls.company_b)
        cls.customer = cls.env["res.partner"].create(
            {"name": "Customer", "email": "customer@customer.example"}
        )
        cls.template = cls._create_template(subject="Mine", body_html="<p>Mine</p>")
        cls.as_anna = {
            "author_id": cls.anna.partner_id.id,
            "email_from": cls.anna.email_formatted,
        }

    def post_to_customer(self, user, **kwargs):
        """Post by RPC on a contact that belongs to no company, and mail it."""
        self.call(
            *(user, "res.partner", "message_post", self.customer.ids),
            **{**POST, "partner_ids": self.customer.ids, **kwargs},
        )

    def send_template(self, user, values=None, **kwargs):
        self.call(
            *(user, "mail.template", "send_mail", self.template.ids),
            *(self.customer.id, True),
            **{"email_values": values or {}, **kwargs},
        )

    def run_jobs(self):
        """What OdooBot does later: post, notify, and send the queue."""
        later = fields.Datetime.now() + timedelta(days=2)
        env = self.env(user=self.root.id)
        scheduled = env["mail.scheduled.message"].search([])
        scheduled._post_message(raise_exception=False)
        notifications = env["mail.message.schedule"].search([])
        notifications.filtered(
            lambda line: line.scheduled_datetime <= later
        )._send_notifications()
        env["mail.mail"].search([("state", "=", "outgoing")]).send()
        self.env.invalidate_all()

    def activity(self):
        """Command for an activity that Clara is told of by mail."""
        model = self.env["ir.model"]._get("res.partner")
        values = {"summary": "Mine", "user_id": self.clara.id, "res_model_id": model.id}
        return Command.create(values)

    def tomorrow(self):
        return fields.Datetime.to_string(fields.Datetime.now() + timedelta(days=1))

    def logins_to_customer(self):
        """The accounts that carried the mails to the customer."""
        return {
            mail.login
            for mail in self.received()
            if self.customer.email in mail.rcpt_tos
        }


@tagged("post_install", "-at_install")
class TestColleague(SenderCase):
    """Whatever a user writes into a call, Anna's mailbox carries Anna's mail only."""

    def _tries(self):
        """Every way that was tried to send as Anna, by name: what the user does."""
        return {
            "post as her": lambda user: self.post_to_customer(user, **self.as_anna),
            "post as her, to be notified later": lambda user: self.post_to_customer(
                user, scheduled_date=self.tomorrow(), **self.as_anna
            ),
            "post with defaults of hers": lambda user: self.post_to_customer(
                user,
                context={
                    f"default_{name}": value for name, value in self.as_anna.items()
                },
            ),
            "send a message that is said to be hers": self._send_made_for_her,
            "notify as her": lambda user: self.call(
                *(user, "res.partner", "message_notify", self.customer.ids),
                body="Mine",
                partner_ids=self.customer.ids,
                **self.as_anna,
            ),
            "send a template as her": lambda user: self.send_template(
                user, {**self.as_anna, "create_uid": self.anna.id}
            ),
            "send a template with defaults of hers": lambda user: self.send_template(
                user, context={"default_author_id": self.anna.partner_id.id}
            ),
            "send a template as a message of hers": self._send_her_message,
            "compose as her": lambda user: self._compose(user, "comment"),
            "compose a mass mail as her": lambda user: self._compose(user, "mass_mail"),
            "schedule a message as her": self._schedule,
            "rewrite a message that she scheduled": self._rewrite_scheduled,
            "rewrite a message to be notified later": self._rewrite_notification,
            "take her address": self._take_her_address,
            "hand over an incoming mail of hers": self._hand_over_reply,
            "hand over a new mail of hers": self._hand_over_new,
        }

    def _send_her_message(self, user):
        message = self.customer.with_user(self.anna).message_post(body="Hers")
        self.send_template(user, {"mail_message_id": message.id, "body": "Mine"})

    def _send_made_for_her(self, user):
        values = {
            **self.as_anna,
            **{"create_uid": self.anna.id, "body": "Mine"},
            **{"model": "res.partner", "res_id": self.customer.id},
        }
        message_id = self.call(user, "mail.message", "create", values)
        self.send_template(user, {"mail_message_id": message_id})

    def _compose(self, user, mode):
        values = {
            **self.as_anna,
            **{"composition_mode": mode, "model": "res.partner", "body": "Mine"},
            **{"res_ids": str(self.customer.ids), "subject": "Mine"},
            **{"partner_ids": self.customer.ids, "force_send": True},
        }
        composer_id = self.call(user, "mail.compose.message", "create", values)
        self.call(user, "mail.compose.message", "action_send_mail", [composer_id])

    def _schedule(self, user, **values):
        return self.call(
            *(user, "mail.scheduled.message", "create"),
            {
                **{"model": "res.partner", "res_id": self.customer.id},
                **{"author_id": self.anna.partner_id.id, "body": "Mine"},
                **{"partner_ids": self.customer.ids, "create_uid": self.anna.id},
                "scheduled_date": self.tomorrow(),
                "notification_parameters": '{"email_from": "anna@a.example"}',
                **values,
            },
        )

    def _rewrite_scheduled(self, user):
        message_id = self._schedule(self.anna, body="Hers", partner_ids=[])
        values = {"body": "Mine", "partner_ids": self.customer.ids}
        self.call(user, "mail.scheduled.message", "write", [message_id], values)

    def _rewrite_notification(self, user):
        later = self.tomorrow()
        self.post_to_customer(self.anna, body="Hers", scheduled_date=later)
        message = self.customer.message_ids[0]
        self.call(user, "mail.message", "write", message.ids, {"body": "Mine"})

    def _take_her_address(self, user):
        email = user.email
        self.call(user, "res.users", "write", user.ids, {"email": self.anna.email})
        self.post_to_customer(user)
        self.call(user, "res.users", "write", user.ids, {"email": email})

    def _hand_over_reply(self, user):
        self.customer.message_subscribe(self.customer.ids)
        self._hand_over(user, thread_id=self.customer.id)

    def _hand_over_new(self, user):
        self._hand_over(user, {"activity_ids": [self.activity()]})

    def _hand_over(self, user, *args, **kwargs):
        self.call(
            *(user, "mail.thread", "message_process", "res.partner"),
            *(INCOMING % next(self.numbers), *args),
            **kwargs,
        )

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_scheduled_message")
    @mute_logger("odoo.addons.mail.models.mail_thread")
    def test_mailbox_carries_no_mail_that_others_made(self):
        for user in (self.ben, self.bob, self.portal_user):
            for name, attempt in self._tries().items():
                with self.subTest(name, user=user.name), self.sending():
                    self.forget_received()
                    refused = self._attempt(attempt, user)
                    self.run_jobs()
                    self.assertNotIn("Mine", self._texts(self.smtp[MAILBOX].received))
                    if not refused:
                        self.assertIn("Mine", self._texts(self.received()))

    def _texts(self, mails):
        return " ".join(
            f"{mail.header('Subject')} {mail.message.get_body().get_content()}"
            for mail in mails
        )

    def _attempt(self, attempt, user):
        try:
            attempt(user)
        except RpcError as error:
            return error.name
        return ""

    def test_mailbox_carries_what_she_makes_by_the_same_calls(self):
        """Else the test above could not fail."""
        tries = self._tries()
        for name in (
            *("post as her", "post as her, to be notified later", "notify as her"),
            *("send a template as her", "compose as her", "compose a mass mail as her"),
            *("schedule a message as her", "send a template as a message of hers"),
        ):
            with self.subTest(name), self.sending():
                tries[name](self.anna)
                self.run_jobs()
                self.assertEqual(self.logins_to_customer(), {MAILBOX})
                self.forget_received()


@tagged("post_install", "-at_install")
class TestGateway(SenderCase):
    """An incoming mail says that it is from Anna: anybody could have written it."""

    def _receive(self, **kwargs):
        with self.sending():
            self.env(user=self.root.id)["mail.thread"].message_process(
                "res.partner", INCOMING % next(self.numbers), **kwargs
            )

    def test_forged_reply_is_not_sent_on_through_the_mailbox(self):
        self.customer.message_subscribe(self.customer.ids)
        self._receive(thread_id=self.customer.id)
        message = self.customer.message_ids[0]
        self.assertEqual(message.author_id, self.anna.partner_id, "as core has it")
        self.assertEqual(message.create_uid, self.root)
        self.assertEqual(self.logins_to_customer(), {"relay-a"})

    def test_forged_reply_of_the_queue_is_not_sent_through_the_mailbox(self):
        self.customer.message_subscribe(self.customer.ids)
        mails = self.env["mail.mail"].search([])
        self.env["ir.config_parameter"].set_param("mail.mail.force.send.limit", 1)
        self._receive(thread_id=self.customer.id)
        mails = self.env["mail.mail"].search([]) - mails
        self.assertTrue(mails)
        self.assertEqual(self.deliver(mails).login, "relay-a")

    def test_record_made_in_the_forged_name_mails_through_the_company(self):
        self._receive(custom_values={"activity_ids": [self.activity()]})
        record = self.env["res.partner"].search([], order="id desc", limit=1)
        self.assertEqual(record.create_uid, self.anna, "as core has it")
        self.assertEqual({mail.login for mail in self.received()}, {"relay-a"})

    def test_personal_server_carries_no_forged_mail_either(self):
        self.mailbox.own_user_ids = False
        personal = self._create_server(
            "anna@a.example", from_filter="anna@a.example", owner_user_id=self.anna.id
        )
        with self.sending():
            self.post_to_customer(self.anna)
        self.assertEqual(self.logins_to_customer(), {personal.smtp_user})
        self.forget_received()
        self._receive(custom_values={"activity_ids": [self.activity()]})
        self.assertEqual({mail.login for mail in self.received()}, {"relay-a"})

    def test_client_cannot_claim_or_deny_that_a_mail_came_in(self):
        key = {"outgoing_mail_routing_gateway": True, "default_made_by_gateway": True}
        with self.sending():
            for context in ({}, key):
                self.post_to_customer(self.anna, context=context)
        self.assertEqual(self.logins_to_customer(), {MAILBOX})
        message = self.customer.message_ids[0]
        with mute_logger("odoo.http"), self.refused(RpcError, "AccessError"):
            values = {"made_by_gateway": False}
            self.call(self.anna, "mail.message", "write", message.ids, values)


@tagged("post_install", "-at_install")
class TestContextKeys(SenderCase):
    """A key in the context of a call has no effect on server, headers or envelope."""

    def _keys(self):
        company, domain = self.company_b, self.company_b.alias_domain_id
        address = "spy@a.example"
        return {
            "domain_notifications_email": address,
            "domain_bounce_address": address,
            "outgoing_mail_routing_gateway": True,
            "default_made_by_gateway": True,
            "default_mail_server_id": self.mailbox.id,
            "default_author_id": self.anna.partner_id.id,
            "default_email_from": '"Anna" <anna@a.example>',
            "default_reply_to": address,
            "default_headers": "{'Return-Path': 'spy@a.example'}",
            "default_record_company_id": company.id,
            "default_record_alias_domain_id": domain.id,
            "default_mailing_id": 1,
            "default_create_uid": self.anna.id,
            "mail_notify_author": False,
            "default_company_id": company.id,
            "force_email_company": company.id,
            "uid": self.anna.id,
            "send_validated_to": [],
        }

    def _calls(self):
        return {
            "post": self.post_to_customer,
            "send a template": self.send_template,
            "post by the chatter": self._post_by_chatter,
        }

    def _post_by_chatter(self, user, **kwargs):
        post_data = {**POST, "partner_ids": self.customer.ids}
        self.request(
            *(user, "/mail/message/post"),
            **{"thread_model": "res.partner", "thread_id": self.customer.id},
            **{"post_data": post_data, **kwargs},
        )

    def _facts(self):
        """What arrived at the customer's, as far as a route decides it."""
        return [
            (
                mail.login,
                mail.mail_from,
                *map(mail.header, ("From", "Reply-To", "Return-Path")),
            )
            for mail in self.received()
            if self.customer.email in mail.rcpt_tos
        ]

    def test_key_of_a_client_changes_nothing(self):
        for name, call in self._calls().items():
            with self.sending():
                call(self.ben)
            expected = self._facts()
            self.assertEqual(len(expected), 1, name)
            for key, value in self._keys().items():
                with self.subTest(name, key=key), self.sending():
                    self.forget_received()
                    call(self.ben, context={key: value})
                    self.assertEqual(self._facts(), expected)
            self.forget_received()

    @mute_logger("odoo.http")
    def test_company_of_others_cannot_be_opened_or_noted(self):
        company, domain = self.company_b, self.company_b.alias_domain_id
        opened = {"context": {"allowed_company_ids": company.ids}}
        alias = {"record_alias_domain_id": domain.id}
        for name, attempt in {
            "open it": lambda: self.post_to_customer(self.ben, **opened),
            "open it in the chatter": lambda: self._post_by_chatter(self.ben, **opened),
            "open it for a template": lambda: self.send_template(self.ben, **opened),
            "note it": lambda: self.post_to_customer(
                self.ben, record_company_id=company.id
            ),
            "note its alias domain": lambda: self.post_to_customer(
                self.ben, record_company_id=False, **alias
            ),
            "note it for a template": lambda: self.send_template(
                self.ben, {"record_company_id": company.id}
            ),
            "note its alias domain for a template": lambda: self.send_template(
                self.ben, alias
            ),
        }.items():
            with self.subTest(name), self.sending():
                self.forget_received()
                refused = self._attempt_was_refused(attempt)
                self.assertEqual(
                    self.logins_to_customer(), set() if refused else {"relay-a"}
                )

    def _attempt_was_refused(self, attempt):
        try:
            attempt()
        except RpcError as error:
            self.assertEqual(error.name, "AccessError")
            return True
        return False

    def test_company_of_the_record_is_noted_although_it_is_not_the_users(self):
        with self.sending():
            self.customer.company_id = self.company_b
            self.customer.with_user(self.ben).sudo().message_post(**POST)
        self.assertEqual(self.customer.message_ids[0].record_company_id, self.company_b)

    def test_company_that_the_user_opened_is_noted(self):
        with self.sending():
            opened = {"allowed_company_ids": self.company_b.ids}
            self.post_to_customer(self.clara, context=opened)
        self.assertEqual(self.logins_to_customer(), {"relay-b"})

    def test_company_that_was_opened_when_odoo_sends_is_not_that_of_the_mail(self):
        """As of a mail that core made in sudo, for a portal user's call."""
        self.root.company_id = self.company_a
        mail = self.mail(self.portal_user, email_from="paul@customer.example")
        mails = mail.with_user(self.root).with_context(
            allowed_company_ids=self.company_b.ids
        )
        with self.sending():
            mails.send()
        self.assertEqual(self.one_received().login, "relay-a")

    def test_key_on_a_message_of_its_own_does_not_count_in_a_request(self):
        """A client may have sent it, and the code that sends does not know."""
        server = self.env["ir.mail_server"].with_context(
            domain_notifications_email="spy@shop.example",
            domain_bounce_address="spy@a.example",
        )
        message = server._build_email__(
            "ben@a.example", [self.customer.email], "Hello", "Hello"
        )
        module = "odoo.addons.outgoing_mail_routing.models.ir_mail_server.sending"
        with self.sending(), patch(f"{module}.request", self):
            server.with_user(self.ben).sudo().send_email(message)
        self.assertNotIn("spy", self.one_received().mail_from)

    def test_key_that_server_code_sets_on_a_message_of_its_own_counts(self):
        server = self.env["ir.mail_server"].with_context(
            domain_bounce_address="bounce@shop.example"
        )
        message = server._build_email__(
            "shop@shop.example", [self.customer.email], "Hello", "Hello"
        )
        with self.sending():
            server.send_email(message)
        self.assertEqual(self.one_received().login, "shop")
