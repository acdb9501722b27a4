"""Whoever asked for it has a hand in it, in whose name ever code acts for them.

Core processes an incoming mail in sudo as the user named in its From, and any user may
hand one in. It posts, tells and reminds in the name of others, too.
"""

from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from .test_security_senders import MAILBOX
from .test_security_walls import TO, WallCase


def raw(sender, number, **headers):
    """An incoming mail with whatever From its maker likes."""
    lines = {"From": sender, "Message-Id": f"<{number}@x.example>", "To": "x@x.example"}
    lines.update({name.replace("_", "-"): text for name, text in headers.items()})
    head = "".join(f"{name}: {text}\n" for name, text in lines.items())
    return f"{head}Subject: Mine\n\nMine\n"


class CallerCase(WallCase):
    def hand_in(self, model, sender, values=None, user=None, **kwargs):
        """Hand a mail to Odoo's gateway, as a plain user."""
        if values:
            kwargs["custom_values"] = values
        self.call(
            *(user or self.plain, "mail.thread", "message_process", model),
            *(raw(sender, next(self.numbers)),),
            **kwargs,
        )

    def asked_by(self, asking, acting, model):
        """A model as code uses it in one user's name, for the request of another."""
        self.begin_request(asking.id)
        return self.env[model].with_user(acting)

    def begin_request(self, user_id):
        """Let all that follows be the request of a user, or of nobody."""
        transaction = self.env.transaction
        self.addCleanup(setattr, transaction, "default_env", transaction.default_env)
        transaction.default_env = self.env(user=user_id)

    def posted_for(self, asking, acting, **values):
        """The account by which a message leaves that code posts for somebody."""
        self.customer.message_subscribe(self.customer.ids)
        customer = self.asked_by(asking, acting, "res.partner")
        with self.sending():
            customer.browse(self.customer.id).message_post(
                **{
                    "body": "Mine",
                    "message_type": "comment",
                    "subtype_xmlid": "mail.mt_comment",
                    **values,
                }
            )
        return self.one_received().login


@tagged("post_install", "-at_install")
class TestHandedInMail(CallerCase):
    """A mail that a user hands in is that user's, whatever its From says."""

    @mute_logger("odoo.http", "odoo.sql_db", "odoo.addons.mail.models.mail_thread")
    def test_values_of_its_record_are_refused(self):
        follower = {
            "res_model": "res.partner",
            "partner_id": self.customer.id,
            "subtype_ids": [[6, 0, self.env.ref("mail.mt_comment").ids]],
        }
        attacks = {
            "a contact of B": {
                "company_id": self.company_b.id,
                "message_follower_ids": [[0, 0, follower]],
            },
            "a message of theirs": {
                "message_ids": [[0, 0, {"mail_ids": [[0, 0, self.as_mailbox]]}]]
            },
            "nothing but a name": {"name": "x"},
        }
        for name, values in attacks.items():
            for sender in (MAILBOX, self.anna.email, '"Sales" <sales@b.example>'):
                with self.subTest(name, sender=sender):
                    refused, logins = self.attempt(
                        lambda s=sender, v=values: self.hand_in("res.partner", s, v)
                    )
                    self.assertIn("AccessError", refused)
                    self.assertFalse(logins)

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_thread")
    def test_record_of_another_company_is_refused(self):
        self.of_b = self.customer_b
        self.of_b.message_subscribe(self.customer.ids)
        refused, logins = self.attempt(
            lambda: self.hand_in(
                "res.partner", "sales@b.example", thread_id=self.of_b.id
            )
        )
        self.assertIn("AccessError", refused)
        self.assertFalse(logins)

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_thread")
    def test_answer_in_another_companys_thread_lends_no_relay(self):
        """Who knows the id of a message of B's can answer it, as by mail."""
        self.customer_b.message_subscribe(self.customer.ids)
        message = self.customer_b.with_user(self.bob).message_post(
            body="Theirs", message_type="comment", subtype_xmlid="mail.mt_comment"
        )
        mail = raw("sales@b.example", next(self.numbers), References=message.message_id)
        _refused, logins = self.attempt(
            lambda: self.call(
                self.plain, "mail.thread", "message_process", "res.partner", mail
            )
        )
        self.assertNotIn("relay-b", logins)

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_thread")
    def test_who_hands_it_in_counts_in_their_own_name_too(self):
        """Core acts as them where it knows nobody of that From."""
        mail = raw("stranger@x.example", next(self.numbers))
        record_id = self.call(
            self.plain, "mail.thread", "message_process", "res.partner", mail
        )
        messages = self.env["res.partner"].browse(record_id).message_ids
        hands = self.env["mail.routing.hand"]._of(messages)
        self.assertTrue(hands)
        for noted in hands.values():
            self.assertEqual(noted.user_id, self.plain)

    def test_code_without_a_user_hands_in_values(self):
        self.begin_request(None)
        thread = self.env["mail.thread"].with_user(self.root)
        values = {"custom_values": {"name": "x"}}
        self.assertEqual(thread._for_who_hands_in((), values), thread)

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_thread")
    def test_mailing_made_by_a_mail_goes_through_no_server_of_others(self):
        """Made by code in their request, in whatever name: it is theirs."""
        self.require("mass_mailing")
        for maker in (self.env.ref("base.user_root"), self.bob):
            for server, sender in (
                (self.mailbox, MAILBOX),
                (self.relay_b, "sales@b.example"),
            ):
                with self.subTest(maker=maker.name, server=server.name):
                    self.forget_received()
                    mailing = self.mailing(
                        maker,
                        self.asked_by(self.plain, maker, "mailing.mailing"),
                        email_from=sender,
                        mail_server_id=server.id,
                        state="in_queue",
                    )
                    with (
                        self.sending(),
                        mute_logger("odoo.addons.mail.models.mail_mail"),
                    ):
                        mailing.with_user(self.root).action_send_mail()
                        self.run_jobs()
                    logins = {mail.login for mail in self.received()}
                    self.assertFalse(logins & {MAILBOX, "relay-b"})

    def test_message_that_code_posts_for_somebody_in_anothers_name(self):
        """As a forum does that turns the answer of one user into a comment."""
        self.assertEqual(self.posted_for(self.ben, self.anna), "relay-a")

    def test_message_in_the_name_of_another_company_is_of_who_asked_for_it(self):
        """Asked again when it is sent, it is not for the company in its name."""
        for asking in (self.ben, self.plain):
            with self.subTest(asking.name):
                self.forget_received()
                sender = {"email_from": "sales@b.example"}
                self.assertEqual(self.posted_for(asking, self.bob, **sender), "relay-a")

    def test_attachment_that_code_changes_for_somebody_in_its_owners_name(self):
        attachment = self.env["ir.attachment"].with_user(self.anna)
        attachment = attachment.create({"name": "hers.txt", "raw": b"Hers"})
        mail = self.waiting_mail(attachment_ids=attachment.ids)
        model = self.asked_by(self.ben, self.anna, "ir.attachment")
        model.browse(attachment.id).sudo().raw = b"Mine"
        self.assertEqual(self.deliver(mail).login, "relay-a")


@tagged("post_install", "-at_install")
class TestAssigning(CallerCase):
    """Links to servers in values that code writes in sudo assign nothing."""

    @mute_logger("odoo.http", "odoo.sql_db", "odoo.addons.mail.models.mail_thread")
    def test_commands_in_values_assign_nothing(self):
        link, clear = [[4, self.mailbox.id]], [[5]]
        partner = self.asked_by(self.plain, self.plain, "res.partner")
        partner = partner.sudo().browse(self.customer_a.id)
        for name, field, values in (
            ("company", "ref_company_ids", {"mail_server_ids": link}),
            ("stripped company", "ref_company_ids", {"mail_server_ids": clear}),
            ("user", "user_ids", {"own_mail_server_ids": link}),
            ("switched user", "user_ids", {"use_own_mail_servers": False}),
        ):
            if field not in partner._fields:
                continue
            record = self.company_a if "company" in name else self.anna
            with self.subTest(name), self.assertRaises(AccessError):
                with self.env.cr.savepoint():
                    partner.write({field: [Command.update(record.id, values)]})
                    partner.flush_recordset()
        self.env.invalidate_all()
        self.assertEqual(self.company_a.mail_server_ids, self.relay_a)
        self.assertEqual(self.anna.own_mail_server_ids, self.mailbox)
        self.assertTrue(self.anna.use_own_mail_servers)

    def test_writing_them_in_sudo_is_refused_to_all_but_administrators(self):
        administrator = self._create_administrator()
        for record, values in (
            (self.company_a, {"mail_server_ids": [Command.link(self.mailbox.id)]}),
            (self.ben, {"own_mail_server_ids": [Command.link(self.mailbox.id)]}),
            (self.ben, {"use_own_mail_servers": False}),
        ):
            with self.subTest(record.name):
                with self.refused(Exception, "Only administrators assign"):
                    record.with_user(self.plain).sudo().write(values)
                record.with_user(administrator).write(values)


@tagged("post_install", "-at_install")
class TestInTheNameOfOthers(CallerCase):
    @mute_logger("odoo.http")
    def test_event_of_anothers_organizer_lends_no_relay(self):
        self.require("calendar")
        alarm = self.env["calendar.alarm"].create(
            {
                "name": "Mine",
                "alarm_type": "email",
                "duration": 1,
                "interval": "days",
                "mail_template_id": self.env.ref(
                    "calendar.calendar_template_meeting_reminder"
                ).id,
            }
        )
        values = {
            "name": "Mine",
            "description": "Mine",
            "user_id": self.bob.id,
            "partner_ids": [Command.set(self.customer.ids)],
            "alarm_ids": [Command.set(alarm.ids)],
            "start": "2030-01-01 10:00:00",
            "stop": "2030-01-01 11:00:00",
        }
        # core renders an invitation as who made the event, who may not read the company
        silent = {"dont_notify": True, "no_mail_to_attendees": True}
        events = self.env["calendar.event"].with_context(**silent)
        made = events.with_user(self.plain).create(values)
        edited = events.with_user(self.bob).create({**values, "name": "His"})
        edited.with_user(self.plain).name = "Mine"
        theirs = events.with_user(self.bob).create(values)
        for name, event, expected in (
            ("made", made, "relay-a"),
            ("edited", edited, "relay-a"),
            ("theirs", theirs, "relay-b"),
        ):
            with self.subTest(name):
                self.forget_received()
                mail = self.mail(
                    self.root,
                    author_id=self.bob.partner_id.id,
                    email_from=self.bob.email_formatted,
                    model="calendar.event",
                    res_id=event.id,
                )
                self.assertEqual(mail.settled_company_id.name, expected[-1].upper())
                self.assertEqual(self.deliver(mail).login, expected)

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_scheduled_message")
    def test_what_odoo_tells_of_a_failed_message_is_its_makers_company(self):
        self.root.company_id = self.company_b
        self.call(self.plain, "res.users", "write", self.plain.ids, {"email": TO})
        values = {
            "model": "res.partner",
            "res_id": self.customer.id,
            "author_id": self.plain.partner_id.id,
            "body": "Mine",
            "scheduled_date": self.tomorrow(),
            "notification_parameters": '{"message_type": "user_notification"}',
        }
        self.assertKeptOut(
            {
                "failed": lambda: self.call(
                    self.plain, "mail.scheduled.message", "create", values
                )
            },
            "relay-b",
        )

    @mute_logger("odoo.http")
    def test_names_of_headers_begin_no_other_header(self):
        evil = {
            "X-A: b\r\nReturn-Path": "spy@a.example",
            "X-B: b\r\nSender": "boss@b.example",
            "X-C: b\nFrom": "boss@b.example",
            "X D": "spaced",
            "X-Ü": "no ASCII",
            "Return-Path\t": "spy@a.example",
            "": "empty",
            "X-Kept": "kept",
        }
        with self.sending():
            self.send_template(self.plain, {"headers": repr(evil)})
        text = self.one_received().message.as_string()
        self.assertIn("X-Kept: kept", text)
        for word in ("spy@a.example", "boss@b.example", "spaced", "X-A", "X-C"):
            self.assertNotIn(word, text)

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_mail")
    def test_template_gives_no_server_to_what_its_maker_changed(self):
        template = self._create_vip_template()
        for name, values, carried in (
            ("another From", {"email_from": '"Boss" <boss@shop.example>'}, False),
            ("another record", {"model": "res.users", "res_id": self.plain.id}, False),
            ("another text", {"body": "<p>Mine, edited</p>"}, True),
        ):
            with self.subTest(name):
                self.forget_received()
                self.call(
                    *(self.plain, "mail.template", "send_mail", template.ids),
                    *(self.customer.id, False),
                )
                mail = self.env["mail.mail"].search([], order="id desc", limit=1)
                message = mail.mail_message_id
                message.with_user(self.plain).sudo().write(values)
                with self.sending():
                    mail.with_user(self.root).send()
                logins = [received.login for received in self.received()]
                self.assertEqual(logins, ["vip"] if carried else [])


@tagged("post_install", "-at_install")
class TestAskedFor(CallerCase):
    """Who asked for it counts, but has not changed it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.from_vip = cls._create_vip_template()
        cls.vip = cls.from_vip.mail_server_id

    def made_by_odoo_for(self, user, **values):
        template = self.asked_by(user, self.root, "mail.template")
        template = template.sudo().browse(self.from_vip.id)
        mail_id = template.send_mail(self.customer.id, email_values=values)
        return self.env["mail.mail"].browse(mail_id)

    def test_server_of_a_template_carries_what_odoo_makes_of_it_for_a_user(self):
        """As where a user registers somebody for an event."""
        mail = self.made_by_odoo_for(self.ben)
        self.assertTrue(mail.mail_message_id.asked_by_others)
        self.assertFalse(mail.mail_message_id.changed_by_others)
        self.assertEqual(self.deliver(mail).login, "vip")

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_what_the_asking_user_changes_then_is_changed(self):
        mail = self.made_by_odoo_for(self.ben)
        mail.with_user(self.ben).sudo().body_html = "<p>Mine, edited</p>"
        self.assertTrue(mail.mail_message_id.changed_by_others)
        with self.sending():
            mail.with_user(self.root).send()
        self.assertFalse(self.received())

    def test_what_odoo_makes_in_a_users_name_for_them_is_as_delegated(self):
        author_id = self.anna.partner_id.id
        for delegation, login in (("nobody", "relay-a"), ("odoo", MAILBOX)):
            with self.subTest(delegation):
                self.forget_received()
                self.mailbox.delegation = delegation
                carried = self.posted_for(self.anna, self.root, author_id=author_id)
                self.assertEqual(carried, login)

    def test_administrator_who_asks_changes_nothing(self):
        administrator = self._create_administrator()
        self.assertEqual(self.posted_for(administrator, self.anna), MAILBOX)

    def test_portal_user_for_whom_code_posts_as_somebody_else_counts(self):
        self.assertEqual(self.posted_for(self.portal_user, self.anna), "relay-a")

    def test_answer_to_a_stranger_by_a_template_with_a_server_leaves(self):
        """As the first stage of an applicant sends it."""
        mail = self.mail(
            self.root,
            email_from="vip@shop.example",
            model="res.partner",
            res_id=self.customer.id,
        )
        message = mail.mail_message_id
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mail_message SET made_by_gateway = true, server_template_id = %s,"
            " mail_server_id = %s WHERE id = %s",
            (self.from_vip.id, self.vip.id, message.id),
        )
        self.env.invalidate_all()
        self.assertEqual(self.deliver(mail).login, "vip")

    def test_attachment_of_a_waiting_mailing_is_watched(self):
        self.require("mass_mailing")
        attachment = self.env["ir.attachment"].with_user(self.bob)
        attachment = attachment.create({"name": "his.txt", "raw": b"His"})
        files = [Command.link(attachment.id)]
        mailing = self.mailing(self.bob, attachment_ids=files, state="in_queue")
        attachment.with_user(self.ben).sudo().raw = b"Mine"
        hands = self.env["mail.routing.hand"]._of(mailing)
        self.assertEqual(hands[mailing.id].user_id, self.ben)

    def test_same_records_again_change_nothing(self):
        mail = self.waiting_mail()
        message = mail.mail_message_id.with_user(self.ben).sudo()
        ids = message.partner_ids.ids
        message.write({"partner_ids": [Command.set(ids)]})
        message.write({"partner_ids": [Command.link(id_) for id_ in ids]})
        message.write({"partner_ids": ids})
        self.assertFalse(message.changed_by_others)
        message.write({"partner_ids": [Command.link(self.anna.partner_id.id)]})
        self.assertTrue(message.changed_by_others)

    @mute_logger("odoo.http", "odoo.addons.mail.models.mail_thread")
    def test_default_values_of_a_context_make_no_record_of_a_handed_in_mail(self):
        mail = raw("odoobot@example.com", next(self.numbers))
        context = {
            "active_test": False,
            "default_company_id": self.company_b.id,
            "default_comment": "Mine",
            "default_message_follower_ids": [],
        }
        record_id = self.call(
            *(self.plain, "mail.thread", "message_process", "res.partner", mail),
            context=context,
        )
        record = self.env["res.partner"].browse(record_id or ())
        self.assertFalse(record.company_id)
        self.assertFalse(record.comment)
