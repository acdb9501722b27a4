"""What attacks on mail, deleted users and what a process keeps have found."""

import json
import random
from contextlib import suppress

from odoo import SUPERUSER_ID, api
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.sql_db import db_connect
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from ..bridge.directory_source import DirectorySource
from ..bridge.origin import Origin
from .common import RoutingCase, RpcError
from .test_security_leavers import MINE, OF_B, LeaverCase
from .test_security_walls import MailingCase, WallCase
from .test_server_log import LogCase


@tagged("post_install", "-at_install")
class TestDeletedUsers(LeaverCase):
    def test_deleting_no_user_deletes_none(self):
        self.assertTrue(self.env["res.users"].unlink())

    def test_user_whose_deletion_was_refused_can_be_deleted_later(self):
        user = self.new_user()
        self.later(user)
        self.env.flush_all()
        with suppress(UserError):  # AccessError is one
            user.with_user(self.anna).unlink()
        self.assertTrue(user.exists())
        self.leave(user)
        self.assertFalse(user.exists())

    def test_no_message_of_who_left(self):
        with Origin(left_by=frozenset({5})).during(self.env):
            self.assertFalse(self.env["mail.message"].create([]))

    def test_company_of_who_left_is_deleted(self):
        company = self._create_lone_company("Lone")
        relay = self._create_server("lone", from_filter="lone.example")
        company.mail_server_ids = relay
        user = self._create_user("lonely", company, email="lonely@b.example")
        mail = self.mail(user, **OF_B, res_id=self.customer.id)
        self.env.flush_all()
        self.leave(user)
        relay.default_company_ids = False
        company.unlink()
        self.env.flush_all()
        self.env.invalidate_all()
        route = mail.with_user(self.root)._get_mail_routes()[mail.id]
        with self.sending():
            mail.with_user(self.root).send()
        logins = [mail.login for mail in self.received()]
        self.assertEqual((route.rule, logins), ("priority", ["shared"]))

    def test_out_of_office_of_who_left_stays_limited(self):
        logins = []
        for way in (lambda u: None, self.leave):
            user = self.new_user()
            mail = self.mail(
                user, **OF_B, res_id=self.customer.id, message_type="out_of_office"
            )
            self.env.flush_all()
            self.env.cr.execute(
                "UPDATE mail_message SET made_by_gateway = true WHERE id = %s",
                mail.mail_message_id.ids,
            )
            mail.mail_message_id.record_company_id = self.company_b
            self.unsettle(mail)
            way(user)
            self.forget_received()
            with self.sending():
                mail.with_user(self.root).send()
            logins.append(self.one_received().login)
        self.assertEqual(logins[0], logins[1])


@tagged("post_install", "-at_install")
class TestMailingByDefault(MailingCase):
    def test_mailing_noted_by_a_default(self):
        server = self._create_server("mia@a.example")
        self.marketer.own_mail_server_ids = server
        mailing = self.mailing(self.marketer, user_id=self.marketer.id)
        mails = self.env["mail.mail"].with_user(self.marketer).sudo()
        mail = mails.with_context(default_mailing_id=mailing.id).create(
            {"email_from": "mia@a.example", "email_to": "x@x.example", "body_html": "x"}
        )
        self.assertTrue(mail.mailing_id)
        self.assertTrue(mail._is_bulk())
        mailing.unlink()
        self.assertTrue(mail._is_bulk())


@tagged("post_install", "-at_install")
class TestNotesBesideOthers(LogCase):
    def _add_field(self, model):
        """A field of another addon, required and with a default."""
        self.addCleanup(self.registry._setup_models__, self.env.cr, [model])
        self.env["ir.model.fields"].create(
            {
                "name": "x_added",
                "field_description": "Added",
                "model_id": self.env["ir.model"]._get_id(model),
                "ttype": "char",
                "state": "manual",
            }
        )
        self.env["ir.default"].set(model, "x_added", "given")

    def _value(self, server):
        self.env.flush_all()
        self.env.cr.flush()
        self.env.invalidate_all()
        values = self.env["mail.tracking.value"].search(
            [
                ("mail_message_id.model", "=", server._name),
                ("mail_message_id.res_id", "=", server.id),
            ],
            limit=1,
        )
        self.assertTrue(values)
        return values

    def test_value_with_a_default_of_another_addon(self):
        self._add_field("mail.tracking.value")
        server = self.relay_a.with_env(self.env)
        server.name = "Renamed"
        self.assertEqual(self._value(server).x_added, "given")

    @mute_logger("odoo.sql_db")
    def test_value_with_a_required_field_of_another_addon(self):
        self._add_field("mail.tracking.value")
        self.env.cr.execute("UPDATE mail_tracking_value SET x_added = 'given'")
        self.env.cr.execute(
            "ALTER TABLE mail_tracking_value ALTER COLUMN x_added SET NOT NULL"
        )
        partner = self.env["res.partner"].create({"name": "x"})
        name = self.env["ir.model.fields"]._get("res.partner", "name")
        partner._message_log(
            body="x",
            tracking_value_ids=[Command.create({"field_id": name.id})],
        )
        self.env.flush_all()  # core can
        server = self.relay_a.with_env(self.env)
        server.name = "Renamed"
        self.assertEqual(self._value(server).x_added, "given")

    def test_note_with_a_default_of_another_addon(self):
        self._add_field("mail.message")
        servers = (self.relay_a | self.shared).with_env(self.env)
        servers.write({"sequence": 44})
        for server in servers:
            self.assertEqual(self._value(server).mail_message_id.x_added, "given")

    def test_renamed_and_deleted(self):
        server = self._create_server("gone").with_env(self.env)
        self.env.cr.flush()
        (server | self.shared).with_env(self.env).write({"sequence": 99})
        server.unlink()
        self.env.cr.flush()
        self.assertEqual(self._value(self.shared).new_value_integer, 99)


@tagged("post_install", "-at_install")
class TestConfigured(RoutingCase):
    def _env(self):
        cr = db_connect(self.env.cr.dbname).cursor()
        self.addCleanup(cr.close)
        return api.Environment(cr, SUPERUSER_ID, {})

    def test_transaction_that_began_before_does_not_keep_its_answer(self):
        self.registry.clear_cache()
        self.addCleanup(self.registry.clear_cache)
        late, first = self._env(), self._env()
        late.cr.execute("SELECT 1")  # its snapshot
        servers = first["ir.mail_server"].with_context(tracking_disable=True)
        self.assertFalse(servers._is_configured())
        server = servers.create({"name": "x", "smtp_host": "x", "reserved": True})
        first.cr.commit()
        try:
            late["ir.mail_server"]._is_configured()
            late.cr.rollback()
            self.assertTrue(
                self._env()["ir.mail_server"]._is_configured(),
                "what is configured stays unknown to this process",
            )
        finally:
            server.unlink()
            first.cr.commit()

    def test_savepoint_rolled_back(self):
        servers = self.env["ir.mail_server"]
        self.assertTrue(servers._is_configured())
        with suppress(ZeroDivisionError), self.env.cr.savepoint():
            servers.search([]).write(
                {
                    "own_user_ids": False,
                    "default_company_ids": False,
                    "reserved": False,
                }
            )
            self.assertFalse(servers._is_configured())
            raise ZeroDivisionError
        self.assertTrue(DirectorySource(self.env).is_configured())
        self.assertTrue(servers._is_configured())


@tagged("post_install", "-at_install")
class TestTemplateAtOnce(RoutingCase):
    def test_server_and_from_can_go_at_once(self):
        template = self._create_template(mail_server_id=self.mailbox.id)
        editor = self._create_user("editor", self.company_a)
        editor.group_ids |= self.env.ref("mail.group_mail_template_editor")
        template.with_user(editor).write(
            {"mail_server_id": False, "email_from": "editor@a.example"}
        )

    def test_copy_does_not_get_round_the_refusal(self):
        template = self._create_template(mail_server_id=self.mailbox.id)
        editor = self._create_user("editor", self.company_a)
        editor.group_ids |= self.env.ref("mail.group_mail_template_editor")
        with self.assertRaises(UserError):
            template.with_user(editor).copy({"email_from": "boss@a.example"})


@tagged("post_install", "-at_install")
class TestModelOfTemplate(WallCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vip = cls._create_vip()
        cls.template = cls._create_template(
            model_id=cls.env["ir.model"]._get_id("res.users"),
            email_from="{{ object.email_formatted }}",
            mail_server_id=cls.vip.id,
            subject="Mine",
            body_html="<p>Mine</p>",
            partner_to=False,
            email_to="victim@customer.example",
        )
        cls.boss = cls.env["res.partner"].create(
            {"name": "Boss", "email": "boss@shop.example"}
        )

    def _change(self, values):
        editor = self._create_user("eddy", self.company_a)
        editor.group_ids += self.env.ref("mail.group_mail_template_editor")

        def send():
            self.call(editor, "mail.template", "write", self.template.ids, values)
            self.call(
                *(editor, "mail.template", "send_mail", self.template.ids),
                *(self.boss.id, True),
            )

        refused, logins = self.attempt(send)
        said = [mail.header("From") for mail in self.received()]
        self.assertNotIn("vip", logins, said)
        self.assertTrue(refused)

    @mute_logger("odoo.http")
    def test_model(self):
        self._change({"model_id": self.env["ir.model"]._get_id("res.partner")})

    @mute_logger("odoo.http")
    def test_model_by_its_name(self):
        """What ``model_id`` may not, the stored name of the model may."""
        self._change({"model": "res.partner"})


@tagged("post_install", "-at_install")
class TestScheduledByTemplate(LeaverCase):
    """A template without a From leaves it to the user, in their own name."""

    def _template(self):
        vip = self._create_vip()
        return self._create_template(
            subject="Mine", body_html="<p>Mine</p>", mail_server_id=vip.id
        )

    def _scheduled(self, user, template):
        composer = self.env["mail.compose.message"].with_user(user)
        composer = composer.with_context(
            default_model="res.partner",
            default_res_ids=self.customer.ids,
            default_template_id=template.id,
        ).create({"scheduled_date": self.tomorrow()})
        composer.action_schedule_message()
        scheduled = self.env["mail.scheduled.message"].search(
            [("create_uid", "=", user.id)]
        )
        self.assertTrue(scheduled.sudo().server_template_id)
        return scheduled

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_in_own_name(self):
        template = self._template()
        self.assertLimited(
            lambda user: self._scheduled(user, template) and None,
            {"vip"},
            ways=("stays", "deleted"),
        )

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_author_alone_changes_no_from(self):
        """The From was noted when it was scheduled."""
        template = self._template()
        boss = self._create_user("boss", self.company_b, email="boss@shop.example")

        def scene(user):
            scheduled = self._scheduled(user, template)
            self.call(
                *(user, "mail.scheduled.message", "write", scheduled.ids),
                {"author_id": boss.partner_id.id, "subject": "Mine"},
            )

        for way in ("stays", "deleted"):
            self.assertLimited(scene, {"vip"}, ways=(way,))
            for mail in self.received():
                self.assertNotIn("boss@shop.example", mail.header("From"))

    @mute_logger("odoo.addons.mail.models.mail_mail", "odoo.http")
    def test_in_anothers_name_by_the_from(self):
        template = self._template()

        def scene(user):
            scheduled = self._scheduled(user, template)
            known = json.loads(scheduled.sudo().notification_parameters)
            known["email_from"] = "boss@shop.example"
            self.call(
                *(user, "mail.scheduled.message", "write", scheduled.ids),
                {"notification_parameters": json.dumps(known), "subject": "Mine"},
            )

        with self.assertRaises(RpcError):
            scene(self.new_user())


@tagged("post_install", "-at_install")
class TestAfterSavepoint(RoutingCase):
    """What an answer costs that a savepoint took back."""

    def test_mail_made_afterwards_is_settled_and_protected(self):
        with suppress(ZeroDivisionError), self.env.cr.savepoint():
            self.env["ir.mail_server"].search([]).write(
                {"own_user_ids": False, "default_company_ids": False, "reserved": False}
            )
            self.env["ir.mail_server"]._is_configured()
            raise ZeroDivisionError
        mail = self.mail(
            self.anna,
            headers="{'Return-Path': 'spoofed@b.example'}",
            email_from=self.anna.email_formatted,
        )
        self.assertEqual(mail.settled_company_id, self.company_a)


@tagged("post_install", "-at_install")
class TestAlike(LeaverCase, MailingCase):
    """Each mail of a queue gets the facts that it would get alone."""

    SEED, TURNS, MAILS = 7, 6, 60

    def setUp(self):
        super().setUp()
        self.require("calendar")
        self.chance = random.Random(self.SEED)
        self.servers = [self.mailbox, self.relay_b, self.shared, self._create_vip()]
        self.leavers = [self.new_user(), self.new_user(self.company_b)]
        events = self.env["calendar.event"].with_context(dont_notify=True)
        dates = {"start": "2030-01-01", "stop": "2030-01-02"}
        event, other = (
            events.with_user(user).create({"name": "E", **dates})
            for user in (self.anna, self.bob)
        )
        neutral = self.env["res.partner"].create({"name": "N", "email": "n@n.test"})
        partners = self.customer_a, self.customer_b, neutral
        self.records = [(r._name, r.id) for r in (*partners, self.anna, event, other)]
        self.records.append((False, 0))
        self.mailings = [
            self.mailing(self.marketer, user_id=user.id)
            for user in (self.bob, self.anna)
        ]

    def _queue(self):
        mails = (self._change_mail(self._create_mail()) for _n in range(self.MAILS))
        return self.env["mail.mail"].union(*mails)

    def _users(self):
        users = [self.anna, self.ben, self.clara, self.bob, self.root, self.portal_user]
        return [*users, *self.leavers]

    def _create_mail(self):
        """A mail of anybody, about anything, with whatever may be set on it."""
        choice = self.chance.choice
        companies = [self.company_a, self.company_b]
        model, res_id = choice(self.records)
        author = choice([self.anna.partner_id, self.bob.partner_id, None])
        optional = {
            "record_company_id": choice([*companies, self.root.company_id]).id,
            "record_alias_domain_id": choice(companies).alias_domain_id.id,
            "mail_server_id": choice(self.servers).id,
            "mailing_id": choice(self.mailings).id,
        }
        set_too = {k: optional[k] for k in optional if self.chance.random() < 0.3}
        return self.mail(
            choice(self._users()),
            author_id=author and author.id,
            email_from=choice(
                [
                    *("anna@a.example", "bob@b.example", '"X" <anna@a.example>'),
                    *(False, "info@a.example", "boss@a.example, x@x.test"),
                ]
            ),
            model=model,
            res_id=res_id,
            message_type=choice(["comment", "email", "user_notification"]),
            **set_too,
        )

    def _change_mail(self, mail):
        """What others, the gateway and deleted records make of it."""
        message, number = mail.mail_message_id, self.chance.random()
        if number < 0.2:
            user = self.chance.choice(self._users())
            message.with_user(user).sudo().body = "Changed"
        strange = {"made_by_gateway": True}
        if number > 0.9:
            strange = {"model": "gone.model", "res_id": 3}
        elif number > 0.8:
            strange = {"model": "res.partner", "res_id": 2**31 - 1}
        for name in strange if number > 0.7 else ():
            self.env.flush_all()
            self.env.cr.execute(
                SQL(
                    "UPDATE mail_message SET %s = %s WHERE id = %s",
                    *(SQL.identifier(name), strange[name], message.id),
                )
            )
        return mail

    def test_alone_as_in_the_queue(self):
        for turn in range(self.TURNS):
            mails = self._queue()
            self.env.flush_all()
            if turn % 2:
                self.unsettle(mails)
            if turn == self.TURNS // 2:
                self.leave(*self.leavers)
                self.leavers = []
            self.env.invalidate_all()
            for explain in (False, True):
                self.assertAlike(mails.with_user(self.root), explain)

    def assertAlike(self, mails, explain):
        directory = DirectorySource(self.env).get()
        facts = mails._get_mail_facts(directory, explain)
        routes = mails._get_routed(directory, explain)
        self.assertEqual(len(routes), self.MAILS)
        for mail in mails:
            self.env.invalidate_all()
            alone = mail.with_prefetch()
            of_mail = alone._get_mail_facts(directory, explain)
            self.assertEqual(of_mail[mail.id], facts[mail.id])
            [route] = alone._get_routed(directory, explain).values()
            self.assertEqual(route, routes[mail.id])
            self.assertEqual(route.decision, routes[mail.id].decision)

    @mute_logger("odoo.http")
    def test_hands_are_closed(self):
        mail = self.queue(self.ben, self.customer, body="x")
        message = mail.mail_message_id
        message.with_user(self.anna).sudo().body = "y"
        self.env.flush_all()
        for method, args in (
            ("read", [message.ids, ["hand_ids"]]),
            ("write", [message.ids, {"hand_ids": [[5]]}]),
            ("search_read", [[["id", "=", message.id]], ["hand_ids"]]),
            ("search", [[["hand_ids", "!=", False]]]),
        ):
            with self.subTest(method), self.assertRaises(RpcError):
                self.call(self.ben, "mail.message", method, *args)
        for model in ("mail.routing.hand", "mail.routing.leaver"):
            with self.assertRaises(RpcError):
                self.call(self.ben, model, "search_read", [])
        self.assertTrue(self.hands(message))


@tagged("post_install", "-at_install")
class TestMailedAgain(LeaverCase):
    """Who leaves takes nothing with them that was another's."""

    def test_mail_of_a_message_that_who_left_mailed_again(self):
        bobs = self._create_server("bob@b.example")
        self.bob.own_mail_server_ids = bobs
        mail = self.queue(self.bob, self.customer, body="His")
        user = self.new_user()
        again = self.mail(
            user,
            mail_message_id=mail.mail_message_id.id,
            subject=mail.mail_message_id.subject,
        )
        self.assertFalse(self.hands(mail.mail_message_id))
        self.env.flush_all()
        self.env.invalidate_all()
        mails = mail.with_user(self.root)
        before = mails._get_mail_routes()[mail.id]
        self.leave(user)
        after = mails._get_mail_routes()[mail.id]
        self.assertTrue(again.exists())
        self.assertEqual(
            (after.rule, after.mail_server.name),
            (before.rule, before.mail_server.name),
        )


@tagged("post_install", "-at_install")
class TestAskedAndDeleted(LeaverCase):
    """Who asked for what was scheduled in another's name limits it, whoever leaves."""

    def _scene(self, user, maker):
        scheduled = self.asked_by(user, maker, "mail.scheduled.message").sudo()
        scheduled.create(
            {
                **{"model": "res.partner", "res_id": self.customer.id, **MINE},
                "author_id": maker.partner_id.id,
                "partner_ids": self.customer.ids,
                "scheduled_date": self.tomorrow(),
            }
        )
        self.begin_request(None)
        self.env.flush_all()

    def test_who_asked_for_what_was_scheduled(self):
        for way in ("stays", "maker deleted", "asking deleted", "both deleted"):
            with self.subTest(way):
                user, maker = self.new_user(), self.new_user(self.company_b)
                self._scene(user, maker)
                if way in ("maker deleted", "both deleted"):
                    self.leave(maker)
                if way in ("asking deleted", "both deleted"):
                    self.leave(user)
                self.assertEqual(self.attempt(lambda: None)[1], {"relay-a"})

    def test_who_changed_what_was_scheduled(self):
        for way in ("stays", "maker deleted", "changer deleted", "both deleted"):
            with self.subTest(way):
                user, maker = self.new_user(), self.new_user(self.company_b)
                scheduled = self.schedule(maker, body="His", subject="His")
                scheduled.with_user(user).sudo().write(MINE)
                self.env.flush_all()
                if way in ("maker deleted", "both deleted"):
                    self.leave(maker)
                if way in ("changer deleted", "both deleted"):
                    self.leave(user)
                self.assertEqual(self.attempt(lambda: None)[1], {"relay-a"})


@tagged("post_install", "-at_install")
class TestHooksOfOthers(RoutingCase):
    def test_hook_of_another_that_raises_after_the_commit(self):
        """Another thread has asked meanwhile, and keeps what was before."""
        self.registry.clear_cache()
        self.addCleanup(self.registry.clear_cache)
        crs = [db_connect(self.env.cr.dbname).cursor() for _n in range(2)]
        for cr in crs:
            self.addCleanup(cr.close)
        first, other = (api.Environment(cr, SUPERUSER_ID, {}) for cr in crs)
        servers = first["ir.mail_server"].with_context(tracking_disable=True)
        self.assertFalse(servers._is_configured())
        first.cr.postcommit.add(lambda: 1 / 0)
        server = servers.create({"name": "x", "smtp_host": "x", "reserved": True})
        first.flush_all()
        self.assertFalse(other["ir.mail_server"]._is_configured())
        other.cr.rollback()
        try:
            with suppress(ZeroDivisionError):
                first.cr.commit()
            first.cr.rollback()
            self.assertTrue(other["ir.mail_server"]._is_configured())
        finally:
            server.unlink()
            first.cr.commit()


@tagged("post_install", "-at_install")
class TestParts(RoutingCase):
    """Mails that core splits, where a personal server has sent enough in a minute."""

    def test_part_of_a_mail_is_settled_as_the_mail(self):
        limit = ("mail.server.personal.limit.minutes", "1")
        self.env["ir.config_parameter"].set_param(*limit)
        personal = self._create_server("p", owner_user_id=self.clara.id)
        customers = self.env["res.partner"].create(
            [{"name": name, "email": f"{name}@customer.example"} for name in "xy"]
        )
        mail = self.mail(
            self.clara, email_to=False, recipient_ids=[Command.set(customers.ids)]
        )
        mail.mail_message_id.record_company_id = self.company_b
        settled = mail.settled_company_id
        self.assertTrue(settled and settled != self.company_b)
        mails = mail.sudo()
        kept = mails._split_by_delayed_batch(personal.sudo())
        [part] = kept - mails
        self.assertEqual(part.settled_company_id, settled)
