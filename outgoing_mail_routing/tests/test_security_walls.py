"""What a mailbox carries is its owner's, and a company's relay that of its people.

Each case is what a user does over RPC, and what arrives at real SMTP servers then, at
once or when Odoo's jobs have run.
"""

import json

from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import RpcError
from .test_security_senders import MAILBOX, SenderCase

# The addresses of what an attacker sends in the name of others
TO = "customer@customer.example"


class WallCase(SenderCase):
    """A plain user, who has no other group, beside those of :class:`SenderCase`.

    Company B's relay is restricted to B. Nobody but the plain user is asked about.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plain = new_test_user(
            cls.env,
            "pia",
            groups="base.group_user",
            name="Pia",
            email="pia@a.example",
            company_id=cls.company_a.id,
            company_ids=[Command.set(cls.company_a.ids)],
        )
        cls.relay_b.company_ids = cls.company_b
        cls.as_mailbox = {
            "mail_server_id": cls.mailbox.id,
            "email_from": MAILBOX,
            "email_to": TO,
            "body_html": "<p>Mine</p>",
            "subject": "Mine",
        }

    def attempt(self, attack):
        """Let somebody try, then run the jobs.

        :return: ``(what was refused, logins that carried a text of theirs)``
        """
        self.forget_received()
        refused = ""
        with self.sending():
            try:
                attack()
            except RpcError as error:
                refused = error.name
            self.run_jobs()
        return refused, {
            mail.login for mail in self.received() if "Mine" in self._text(mail)
        }

    def _text(self, mail):
        return f"{mail.header('Subject')} {mail.message.as_string()}"

    def assertKeptOut(self, attacks, login):
        """Check that no attack gets a text through the account with that login."""
        for name, attack in attacks.items():
            with self.subTest(name):
                _refused, logins = self.attempt(attack)
                self.assertNotIn(login, logins)

    def waiting_mail(self, user=None, **values):
        """A mail of the mailbox user's that waits in the queue."""
        return self.queue(user or self.anna, self.customer, body="Hers", **values)

    def mailing(self, maker, model=None, **values):
        """A mailing to one contact, its text says Mine.

        :param model: what to make it with, in the name of whoever
        """
        mailings = self.env["mailing.mailing"]
        makers = mailings.with_user(maker) if model is None else model
        mailing = makers.sudo().create(
            {
                "subject": "Mine",
                "body_html": "<p>Mine</p>",
                "mailing_model_id": self.env["ir.model"]._get_id("res.partner"),
                "mailing_domain": [("id", "=", self.customer.id)],
                **values,
            }
        )
        return mailings.browse(mailing.id)

    @classmethod
    def _create_vip(cls):
        """A server that carries only what it is set on."""
        return cls._create_server("vip", reserved=True, from_filter="shop.example")

    @classmethod
    def _create_vip_template(cls):
        """A template with that server."""
        return cls._create_template(
            subject="Mine",
            body_html="<p>Mine</p>",
            email_from="vip@shop.example",
            mail_server_id=cls._create_vip().id,
        )

    def schedule_from(self, template, composers):
        """Schedule what a template makes for the customer.

        :param composers: the model of the composer, in the name of whoever
        """
        composer = composers.with_context(
            default_model="res.partner",
            default_res_ids=self.customer.ids,
            default_template_id=template.id,
        ).create({"scheduled_date": self.tomorrow()})
        composer.action_schedule_message()


@tagged("post_install", "-at_install")
class TestCommands(WallCase):
    """Commands in values act for nobody but who sent them."""

    def _values(self):
        """Values of a mail with commands in them, each for a user's own template."""
        waiting = self.waiting_mail()
        message = self.customer.with_user(self.anna).message_post(body="Hers")
        new = [[0, 0, self.as_mailbox]]
        changed = {"body_html": "<p>Mine</p>", "email_to": TO}
        rewritten = [[1, waiting.id, changed]]
        noted = {**self.as_mailbox, "record_company_id": self.company_b.id}
        return {
            "a mail in a mail": {"mail_ids": new},
            "a change of a waiting mail": {"mail_ids": rewritten},
            "a mail in an answer": {"child_ids": [[0, 0, {"mail_ids": new}]]},
            "a change of an answer": {
                "child_ids": [[1, message.id, {"mail_ids": new, "body": "Mine"}]]
            },
            "a mail of another company": {"mail_ids": [[0, 0, noted]]},
            "a mail by tuples": {"mail_ids": [(0, 0, self.as_mailbox)]},
            "a mail of a recipient's": {
                "recipient_ids": [
                    [0, 0, {"name": "x", "message_ids": [[0, 0, {"mail_ids": new}]]}]
                ]
            },
            "a mail of a notification": {
                "notification_ids": [
                    [0, 0, {"res_partner_id": self.customer.id, "mail_mail_id": 1}]
                ]
            },
            "an attachment of theirs": {
                "attachment_ids": [[0, 0, {"name": "x", "raw": "x"}]]
            },
        }

    @mute_logger("odoo.http")
    def test_template_values_make_no_mail_through_the_mailbox(self):
        self.assertKeptOut(
            {
                name: lambda name=name: self.send_template(
                    self.plain, self._values()[name]
                )
                for name in self._values()
            },
            MAILBOX,
        )
        self.assertFalse(self.env["mail.mail"].search([("email_from", "=", MAILBOX)]))

    @mute_logger("odoo.http")
    def test_records_of_the_users_own_make_no_mail_through_the_mailbox(self):
        """A contact, a lead and the like have messages, which have mails."""
        new = [[0, 0, self.as_mailbox]]
        message = {"body": "Mine", "model": "res.partner", "mail_ids": new}
        messages = [[0, 0, message]]
        own = self.plain.partner_id
        self.assertKeptOut(
            {
                "by a message": lambda: self.call(
                    *(self.ben, "mail.message", "create", {"mail_ids": new})
                ),
                "by their contact": lambda: self.call(
                    *(self.ben, "res.partner", "write", self.customer.ids),
                    {"message_ids": messages},
                ),
                "by themselves": lambda: self.call(
                    *(self.plain, "res.users", "write", self.plain.ids),
                    {"message_ids": messages, "partner_id": own.id},
                ),
                "by a waiting mail's message": lambda: self._rewrite_waiting(
                    self.waiting_mail()
                ),
            },
            MAILBOX,
        )

    def _rewrite_waiting(self, mail):
        commands = [[1, mail.id, {"body_html": "<p>Mine</p>"}]]
        values = {"mail_ids": commands}
        self.call(self.ben, "mail.message", "write", mail.mail_message_id.ids, values)

    def test_code_in_sudo_carries_no_commands_either(self):
        """Whatever code takes a client's values, the second wall is where it leaves."""
        partner = self.customer.with_user(self.plain).sudo()
        mails = self.env["mail.mail"].with_user(self.plain).sudo()
        attacks = {
            "a mail with that server": lambda: mails.create(self.as_mailbox),
            "a change of a waiting one": lambda: (
                self.waiting_mail()
                .with_user(self.plain)
                .sudo()
                .write({"body_html": "<p>Mine</p>"})
            ),
            "a change of its recipients": lambda: (
                self.waiting_mail()
                .with_user(self.plain)
                .sudo()
                .write({"email_to": TO, "subject": "Mine"})
            ),
            "a message with that server": lambda: partner.message_post(
                body="Mine",
                partner_ids=partner.ids,
                mail_server_id=self.mailbox.id,
                email_from=MAILBOX,
            ),
            "a scheduled one that is posted by itself": lambda: partner.env[
                "mail.scheduled.message"
            ].create(
                {
                    "model": "res.partner",
                    "res_id": partner.id,
                    "body": "Mine",
                    "author_id": self.anna.partner_id.id,
                    "partner_ids": partner.ids,
                    "scheduled_date": self.tomorrow(),
                    "notification_parameters": json.dumps(
                        {"mail_server_id": self.mailbox.id, "email_from": MAILBOX}
                    ),
                }
            ),
        }
        self.assertKeptOut(attacks, MAILBOX)

    def test_links_to_what_exists_are_taken_as_ever(self):
        attachment = self.env["ir.attachment"].with_user(self.plain)
        attachment = attachment.create({"name": "own.txt", "raw": b"own"})
        refused, logins = self.attempt(
            lambda: self.send_template(
                self.plain, {"attachment_ids": [[4, attachment.id]], "subject": "Mine"}
            )
        )
        self.assertEqual((refused, logins), ("", {"relay-a"}))


@tagged("post_install", "-at_install")
class TestEnvelope(WallCase):
    """Who gets the bounces of a mail is Odoo's to say, and whom it names as sender."""

    def _attempts(self, headers):
        """Ways in which a user gives headers to a mail."""
        as_values = {"headers": repr(headers), "email_to": TO, "body_html": "Mine"}
        own = self.customer_a.id
        return {
            "a template's values": lambda: self.send_template(self.ben, as_values),
            "a message": lambda: self.call(
                *(self.ben, "res.partner", "message_post", [own]),
                **{"body": "Mine", "partner_ids": self.customer_a.ids},
                **{"mail_headers": headers},
            ),
            "a notification": lambda: self.call(
                *(self.ben, "res.partner", "message_notify", [own]),
                **{"body": "Mine", "partner_ids": self.customer_a.ids},
                **{"mail_headers": headers},
            ),
        }

    @mute_logger("odoo.http")
    def test_headers_of_a_mail_never_name_its_sender(self):
        for name in ("Return-Path", "return-path", "RETURN-PATH", "Return-Path "):
            for way, attack in self._attempts({name: "spy@a.example"}).items():
                with self.subTest(header=name, way=way):
                    self.attempt(attack)
                    for mail in self.received():
                        self.assertEqual(mail.mail_from, "bounce@a.example")
                        self.assertEqual(mail.header("Return-Path"), mail.mail_from)
                        self.assertNotIn("spy@", mail.message.as_string())
                    self.assertTrue(self.received())

    def test_sender_and_the_like_are_left_out_and_others_kept(self):
        headers = {
            "Sender": "boss@b.example",
            "Errors-To": "spy@a.example",
            "X-Order": "12",
        }
        for way, attack in self._attempts(headers).items():
            with self.subTest(way):
                self.attempt(attack)
                for mail in self.received():
                    self.assertFalse(mail.message.get_all("Sender"))
                    self.assertFalse(mail.message.get_all("Errors-To"))
                    self.assertEqual(mail.header("X-Order"), "12")
                self.assertTrue(self.received())

    def test_addresses_of_the_mail_itself_are_there_once(self):
        """A second From fails that mail, as in core; the queue goes on."""
        for name in ("From", "Reply-To"):
            with self.subTest(name), mute_logger("odoo.addons.mail.models.mail_mail"):
                self.forget_received()
                bad = self.waiting_mail(self.ben)
                bad.headers = repr({name: "boss@b.example"})
                good = self.waiting_mail(self.ben)
                with self.sending():
                    (bad | good).send()
                self.assertEqual(bad.state, "exception")
                self.assertEqual(
                    self.one_received().header("From"), "Ben <ben@a.example>"
                )


@tagged("post_install", "-at_install")
class TestCompanyOfMaker(WallCase):
    """No record, value or mailing lends a user another company's name."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.of_b = cls.env["res.partner"].create(
            {"name": "Secret", "email": TO, "company_id": cls.company_b.id}
        )
        cls.as_b = {"email_from": '"Sales" <sales@b.example>'}

    def _notify(self, user, **values):
        return self.call(
            *(user, "mail.thread", "message_notify", [[]][0]),
            **{
                "body": "Mine",
                "partner_ids": self.customer.ids,
                **self.as_b,
                **values,
            },
        )

    def _records(self):
        """Records that belong to B, or to nobody but a colleague of theirs."""
        yield "a contact", self.of_b
        yield "a colleague's user", self.bob
        yield "a company", self.company_b
        for model, values in (
            ("utm.campaign", {"name": "x", "user_id": self.bob.id}),
            (
                "calendar.event",
                {
                    **{"name": "x", "user_id": self.bob.id},
                    **{"start": "2030-01-01 10:00:00", "stop": "2030-01-01 11:00:00"},
                },
            ),
            ("digest.digest", {"name": "x", "company_id": self.company_b.id}),
        ):
            if model in self.env:
                yield model, self.env[model].create(values)

    @mute_logger("odoo.http")
    def test_record_of_another_company_lends_no_relay(self):
        attacks = {}
        for name, record in self._records():
            about = {"model": record._name, "res_id": record.id}
            values = {**about, **self.as_b, "subject": "Mine"}
            attacks[f"notify about {name}"] = lambda about=about: self._notify(
                self.plain, **about
            )
            attacks[f"send a template about {name}"] = lambda v=values: (
                self.send_template(self.plain, v)
            )
            attacks[f"notify about {name} as portal user"] = lambda about=about: (
                self._notify(self.portal_user, **about)
            )
        self.assertKeptOut(attacks, "relay-b")

    @mute_logger("odoo.http")
    def test_company_noted_by_a_client_lends_no_relay(self):
        company = {"record_company_id": self.company_b.id}
        domain = {"record_alias_domain_id": self.company_b.alias_domain_id.id}
        opened = {"context": {"allowed_company_ids": self.company_b.ids}}
        attacks = {}
        for number, values in enumerate((company, domain, {**company, **domain})):
            attacks[f"notify {number}"] = lambda v=values: self._notify(self.plain, **v)
            attacks[f"template {number}"] = lambda v=values: self.send_template(
                self.plain, {**self.as_b, **v, "subject": "Mine"}
            )
            attacks[f"post {number}"] = lambda v=values: self.post_to_customer(
                self.ben, **self.as_b, **v
            )
        for values in ({"sent_for_company_id": self.company_b.id}, company):
            settled = {**values, "settled_company_id": self.company_b.id}
            attacks[f"settle {values}"] = lambda v=settled: self.send_template(
                self.plain, {**self.as_b, **v, "subject": "Mine"}
            )
        attacks["open it"] = lambda: self._notify(self.plain, **opened)
        attacks["open it for a template"] = lambda: self.send_template(
            self.plain, {**self.as_b, "subject": "Mine"}, **opened
        )
        self.assertKeptOut(attacks, "relay-b")

    def test_record_that_moves_while_a_mail_waits_takes_nothing_with_it(self):
        for name, user in (("a user of A", self.ben), ("a user of both", self.clara)):
            with self.subTest(name):
                record = self._create_customer(self.company_a)
                mail = self.template_mail(user, record, email_from="sales@b.example")
                record.with_user(self.env.ref("base.user_root")).sudo().write(
                    {"company_id": self.company_b.id}
                )
                self.forget_received()
                self.assertEqual(self.deliver(mail).login, "relay-a")

    def test_user_of_both_companies_writes_for_either(self):
        """Else the tests above could not fail."""
        mail = self.template_mail(self.clara, self.customer_b)
        self.assertEqual(self.deliver(mail).login, "relay-b")

    def test_answer_in_the_portal_is_its_documents_companys(self):
        """A customer of both companies has one of them by chance."""
        self.of_b.message_subscribe(self.bob.partner_id.ids)
        with self.sending():
            self.of_b.with_user(self.portal_user).sudo().message_post(
                body="Mine",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
            )
        self.assertEqual(self.one_received().login, "relay-b")


class MailingCase(WallCase):
    """Mia, who makes mailings in company A, beside Bob of company B."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.marketer = cls._create_marketer()

    def setUp(self):
        super().setUp()
        self.require("mass_mailing")

    def set_dedicated(self, server):
        """Preset a server for mailings."""
        params = self.env["ir.config_parameter"]
        params.set_param("mass_mailing.outgoing_mail_server", True)
        params.set_param("mass_mailing.mail_server_id", server.id)

    def create_as_marketer(self, **values):
        """A mailing to one contact that Mia makes by RPC, its text says Mine."""
        mailing_id = self.call(
            *(self.marketer, "mailing.mailing", "create"),
            {
                "subject": "Mine",
                "body_html": "<p>Mine</p>",
                "mailing_model_id": self.env["ir.model"]._get_id("res.partner"),
                "mailing_domain": repr([("id", "=", self.customer.id)]),
                **values,
            },
        )
        return self.env["mailing.mailing"].browse(mailing_id)

    def launch(self, mailing):
        """Let Odoo's job send a mailing.

        :return: logins that carried it
        """

        def send():
            mailing.with_user(self.root).write({"state": "in_queue"})
            mailing.with_user(self.root).action_send_mail()

        return self.attempt(send)[1]

    def press_test(self, user, mailing):
        """Press *Test* on a mailing, which sends at once, to one address."""
        wizard_id = self.call(
            *(user, "mailing.mailing.test", "create"),
            {"email_to": TO, "mass_mailing_id": mailing.id},
        )
        self.call(user, "mailing.mailing.test", "send_mail_test", [wizard_id])


@tagged("post_install", "-at_install")
class TestCompanyOfMailing(MailingCase):
    """A mailing is sent for a company of all who made it, whoever is named on it."""

    def test_mailing_is_one_of_its_responsibles_companys(self):
        for name, maker, responsible, editor, expected in (
            ("theirs", self.marketer, self.marketer, None, "relay-a"),
            ("said to be a colleague's", self.marketer, self.bob, None, "relay-a"),
            (
                *("a colleague's, changed by them", self.root, self.bob),
                *(self.marketer, "relay-a"),
            ),
            ("a colleague's", self.root, self.bob, None, "relay-b"),
            ("of one of both companies", self.clara, self.bob, None, "relay-b"),
        ):
            with self.subTest(name):
                mailing = self.mailing(
                    maker,
                    mailing_domain=[("id", "=", self.customer_b.id)],
                    user_id=responsible.id,
                    email_from="sales@b.example",
                )
                if editor:
                    mailing.with_user(editor).body_html = "<p>Mine too</p>"
                self.assertEqual(self.launch(mailing), {expected})

    def _of_bob(self):
        return self.mailing(self.bob, user_id=self.bob.id, email_from="sales@b.example")

    @mute_logger("odoo.http")
    def test_mail_of_anothers_mailing_is_sent_for_who_makes_it(self):
        mailing = self._of_bob()
        values = {
            **{"composition_mode": "mass_mail", "model": "res.partner"},
            **{"res_ids": str(self.customer.ids), "mass_mailing_id": mailing.id},
            **{"subject": "Mine", "body": "Mine", "email_from": "sales@b.example"},
        }
        for name, make in {
            "press Test": lambda: self.press_test(self.marketer, mailing),
            "compose": lambda: self._compose(self.marketer, values),
            "have code make it": lambda: self.mail(
                self.plain,
                subject="Mine",
                email_from="sales@b.example",
                mailing_id=mailing.id,
            ),
        }.items():
            with self.subTest(name):
                self.assertEqual(self.attempt(make), ("", {"relay-a"}))

    def _compose(self, user, values):
        composer_id = self.call(user, "mail.compose.message", "create", values)
        self.call(user, "mail.compose.message", "action_send_mail", [composer_id])

    def test_company_is_the_same_however_often_it_is_asked_for(self):
        """Once settled, who made the mailing is not asked again."""
        mail = self.mail(
            self.plain, email_from="sales@b.example", mailing_id=self._of_bob().id
        )
        for _time in range(3):
            self.assertEqual(mail.sudo().settled_company_id, self.company_a)
            route = mail._get_mail_routes()[mail.id]
            self.assertEqual(route.company, self.company_a)
            mail.sudo()._settle_companies()

    @mute_logger("odoo.http")
    def test_values_of_a_template_name_no_mailing(self):
        values = {"mailing_id": self._of_bob().id, "email_from": "sales@b.example"}
        refused, logins = self.attempt(lambda: self.send_template(self.plain, values))
        self.assertEqual((refused, logins), ("AccessError", set()))

    def test_own_mailing_is_tested_through_the_own_company(self):
        """Else the tests above could not fail."""
        mailing = self._of_bob()
        self.bob.group_ids += self.env.ref("mass_mailing.group_mass_mailing_user")
        _refused, logins = self.attempt(lambda: self.press_test(self.bob, mailing))
        self.assertEqual(logins, {"relay-b"})


@tagged("post_install", "-at_install")
class TestChangedByOthers(WallCase):
    """What counts is whether anybody but the maker ever changed what is sent."""

    def _later(self, **values):
        """A message of Anna's whose mails are made later."""
        message = self.customer.with_user(self.anna).message_post(
            **{
                **{"body": "Hers", "subject": "Hers", "message_type": "comment"},
                "partner_ids": self.customer.ids,
                "subtype_xmlid": "mail.mt_comment",
                "scheduled_date": self.tomorrow(),
                **values,
            }
        )
        return message

    def _scheduled(self, **values):
        return (
            self.env["mail.scheduled.message"]
            .with_user(self.anna)
            .create(
                {
                    "model": "res.partner",
                    "res_id": self.customer.id,
                    "author_id": self.anna.partner_id.id,
                    "body": "Hers",
                    "partner_ids": self.customer.ids,
                    "scheduled_date": self.tomorrow(),
                    **values,
                }
            )
        )

    def _attachment(self, user):
        return (
            self.env["ir.attachment"]
            .with_user(user)
            .create({"name": "hers.txt", "raw": b"Hers", "res_model": "res.partner"})
        )

    def _touch(self, record):
        """What a job writes in passing: the last writer is OdooBot then."""
        root = record.with_user(self.env.ref("base.user_root"))
        root.sudo().write({"subject": record.sudo().subject})
        self.env.flush_all()

    def _logins(self):
        self.forget_received()
        with self.sending():
            self.run_jobs()
        return {m.login for m in self.received() if self.customer.email in m.rcpt_tos}

    def test_message_that_others_changed_is_nobodys_whatever_odoo_writes(self):
        for name, values in (
            ("text", {"body": "Mine"}),
            ("subject", {"subject": "Mine"}),
            ("From", {"email_from": self.mailbox.sender_email}),
            ("attachments", {"attachment_ids": self._attachment(self.ben).ids}),
        ):
            with self.subTest(name):
                message = self._later()
                message.with_user(self.ben).sudo().write(values)
                self._touch(message)
                self.assertNotIn(MAILBOX, self._logins())

    def test_scheduled_message_that_others_changed_is_nobodys(self):
        for name, values in (
            ("text", {"body": "Mine"}),
            ("recipients", {"partner_ids": (self.customer | self.customer_a).ids}),
            ("attachments", {"attachment_ids": self._attachment(self.ben).ids}),
            (
                "parameters",
                {"notification_parameters": '{"email_from": "anna@a.example"}'},
            ),
        ):
            with self.subTest(name):
                scheduled = self._scheduled()
                scheduled.with_user(self.ben).sudo().write(values)
                self._touch(scheduled)
                self.assertNotIn(MAILBOX, self._logins())

    def test_content_of_an_attachment_that_others_changed_is_noticed(self):
        for name, make in (
            ("waiting in the queue", self._queue_with),
            ("to be notified later", lambda ids: self._later(attachment_ids=ids)),
            ("scheduled", lambda ids: self._scheduled(attachment_ids=ids)),
        ):
            for change in ({"raw": b"Mine"}, {"datas": b"TWluZQ=="}, None):
                with self.subTest(name, change=change):
                    attachment = self._attachment(self.anna)
                    make(attachment.ids)
                    theirs = attachment.with_user(self.ben).sudo()
                    if change:
                        theirs.write(change)
                    else:
                        theirs.unlink()
                    self.env.flush_all()
                    self.assertNotIn(MAILBOX, self._logins())

    def _queue_with(self, attachment_ids):
        mail = self.waiting_mail(attachment_ids=attachment_ids)
        self.assertTrue(mail.attachment_ids)

    def test_mail_that_others_changed_in_the_queue_is_nobodys(self):
        for name, values in (
            ("text", {"body_html": "<p>Mine</p>"}),
            ("address", {"email_to": TO}),
            ("recipients", {"recipient_ids": self.customer_a.ids}),
            ("message", {"body": "Mine"}),
        ):
            with self.subTest(name):
                mail = self.waiting_mail()
                mail.with_user(self.ben).sudo().write(values)
                self._touch(mail)
                self.assertNotIn(MAILBOX, self._logins())

    def test_user_who_is_deleted_has_changed_it_all_the_same(self):
        leaver = self._create_user("leaver", self.company_a)
        message = self._later()
        message.with_user(leaver).sudo().body = "Mine"
        self._touch(message)
        leaver.sudo().unlink()
        self.env.flush_all()
        self.assertNotIn(MAILBOX, self._logins())

    def test_who_only_stars_reacts_or_answers_changes_nothing(self):
        for name, act in {
            "star": lambda m: self.call(
                self.ben, "mail.message", "toggle_message_starred", m.ids
            ),
            "react": lambda m: self.request(
                *(self.ben, "/mail/message/reaction"),
                **{"message_id": m.id, "content": "👍", "action": "add"},
            ),
            "answer": lambda m: self.call(
                *(self.ben, "res.partner", "message_post", self.customer.ids),
                **{"body": "An answer", "parent_id": m.id},
            ),
            "the same again": lambda m: (
                m.with_user(self.ben).sudo().write({"subject": "Hers"})
            ),
            "her own change": lambda m: self.request(
                *(self.anna, "/mail/message/update_content"),
                **{"message_id": m.id, "update_data": {"body": "Hers, too"}},
            ),
            "Odoo's change": self._touch,
        }.items():
            with self.subTest(name):
                act(self._later())
                self.assertEqual(self._logins(), {MAILBOX})

    def test_scheduled_message_and_send_later_stay_hers(self):
        for name, make in (
            ("scheduled", self._scheduled),
            ("with an attachment", self._schedule_attached),
            ("to be notified later", self._later),
        ):
            with self.subTest(name):
                make()
                self.assertEqual(self._logins(), {MAILBOX})

    def _schedule_attached(self):
        self._scheduled(attachment_ids=self._attachment(self.anna).ids)

    def test_what_is_noted_of_records_that_are_gone_is_forgotten(self):
        message = self._later()
        message.with_user(self.ben).sudo().body = "Mine"
        hands = self.env["mail.routing.hand"]
        domain = [("res_model", "=", "mail.message"), ("res_id", "=", message.id)]
        hands._gc_hands()
        self.assertEqual(hands.search(domain).user_id, self.ben)
        message.sudo().unlink()
        hands._gc_hands()
        self.assertFalse(hands.search(domain))
