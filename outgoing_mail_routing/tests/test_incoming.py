import re
import time
from contextlib import contextmanager
from email import message_from_string
from email.message import EmailMessage
from poplib import error_proto
from unittest import SkipTest
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.mail.models import fetchmail
from odoo.addons.mail.models.fetchmail import OdooIMAP4, OdooPOP3

from ..routing.incoming import IncomingMail
from .common import RoutingCase
from .imap_server import MISSING, ImapServer, find_program
from .smtp_server import ReceivedMail

MAILBOX = "office@mailbox.example"
PASSWORD = f"secret of {MAILBOX}"
FETCHMAIL = "odoo.addons.mail.models.fetchmail"

_BOUNCE = """Message-ID: <{name}@mx.customer.example>
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.customer.example>
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
{more}Content-Type: multipart/report; report-type=delivery-status; boundary="=_1"

--=_1
Content-Type: text/plain

User unknown

--=_1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.customer.example

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1

--=_1
Content-Type: {part}

{returned}

--=_1--
"""


def _name_of(command, args):
    """The name of a command, also of one by unique ids (RFC 3501, section 6.4.8)."""
    return args[0] if command == "UID" else command


class IncomingCase(RoutingCase):
    """Anna's mailbox, sent through by SMTP and collected by Odoo's fetch job."""

    server_type = "imap"

    @classmethod
    def setUpClass(cls):
        if not find_program():
            raise SkipTest(MISSING)
        super().setUpClass()
        cls.env["fetchmail.server"].search([]).active = False
        cls.mailboxes = ImapServer({MAILBOX: PASSWORD}).start()
        cls.addClassCleanup(cls.mailboxes.stop)
        cls.mailbox.action_collect_replies()
        cls.incoming = cls.mailbox.fetchmail_server_id
        is_pop = cls.server_type == "pop"
        cls.incoming.write(
            {
                "server_type": cls.server_type,
                "server": cls.mailboxes.host,
                "port": cls.mailboxes.pop_port if is_pop else cls.mailboxes.imap_port,
                "is_ssl": False,
            }
        )
        cls.incoming.button_confirm_login()

    def setUp(self):
        super().setUp()
        self.mailboxes.clear(MAILBOX)

    def deliver_to_mailbox(self, *messages, **where):
        mails = [message.as_bytes() for message in messages]
        self.mailboxes.deliver(MAILBOX, *mails, **where)

    def flags(self, **where):
        """The flags of what is in the mailbox, by the name of the mail."""
        flags = self.mailboxes.flags(MAILBOX, **where)
        return {id_.strip("<>").partition("@")[0]: flags[id_] for id_ in flags}

    def run_fetch_job(self):
        """Run the scheduled action that fetches mail, as its button does."""
        job = self.env.ref("mail.ir_cron_mail_gateway_action")
        with self.enter_registry_test_mode():
            job.method_direct_trigger()

    def fetch(self):
        """Run the fetch job, which has to come to its end."""
        self.run_fetch_job()
        self.assertFalse(self.incoming.error_message)

    @contextmanager
    def broken_connection(self, command, occurrence):
        """Let the mail server go away when Odoo gives a command so many times."""
        send, given = OdooIMAP4._command, []

        def _command(connection, name, *args):
            given.append(_name_of(name, args))
            if given.count(command) >= occurrence:
                connection.shutdown()
                raise OdooIMAP4.abort("The connection is gone.")
            return send(connection, name, *args)

        with patch.object(OdooIMAP4, "_command", _command):
            yield

    @contextmanager
    def measured(self):
        """Count the commands that Odoo gives, and the bytes it reads of mails."""
        send, read = OdooIMAP4._command, OdooIMAP4.read
        counted = {"commands": [], "bytes": 0}

        def _command(connection, name, *args):
            counted["commands"].append(_name_of(name, args))
            return send(connection, name, *args)

        def _read(connection, size):
            counted["bytes"] += size
            return read(connection, size)

        with patch.multiple(OdooIMAP4, _command=_command, read=_read):
            yield counted

    def mail_from_customer(self, name, **headers):
        message = EmailMessage()
        message["Message-ID"] = f"<{name}@customer.example>"
        message["From"] = self.customer_a.email_formatted
        message["To"] = MAILBOX
        message["Subject"] = name
        for header, value in headers.items():
            message[header.replace("_", "-")] = value
        message.set_content(f"This is {name}.")
        return message

    def reply(self, received, name="reply", **headers):
        """The answer that a mail client writes to a mail it received."""
        message_id = received.header("Message-ID")
        references = f"{received.header('References')} {message_id}".strip()
        values = {"In_Reply_To": message_id, "References": references, **headers}
        reply = self.mail_from_customer(
            name, **{header: value for header, value in values.items() if value}
        )
        del reply["To"]
        reply["To"] = received.header("Reply-To") or received.header("From")
        return reply

    def bounce(self, original, name="bounce", part="message/rfc822", **headers):
        """A delivery status notification (RFC 3464), as mail servers write it.

        :param part: the type of the part that returns the mail, or its headers
        """
        returned = original.as_string()
        if part == "text/rfc822-headers":
            returned = returned.partition("\n\n")[0]
        more = "".join(
            f"{key.replace('_', '-')}: {value}\n" for key, value in headers.items()
        )
        text = _BOUNCE.format(
            name=name, to=self.customer_a.email, part=part, returned=returned, more=more
        )
        return message_from_string(text)

    def replies_in_chatter(self, record=None):
        """What the gateway posted on a record, oldest first."""
        messages = (record or self.customer_a).message_ids
        return messages.filtered(lambda m: m.message_type == "email").sorted("id")


@tagged("post_install", "-at_install")
class TestRoundTrip(IncomingCase):
    """Out through a user's own server, and back into the chatter of the record."""

    def test_reply_to_own_mailbox_lands_in_chatter_of_its_record(self):
        received = self.post(self.anna, self.customer_a)
        self.assertEqual(received.login, MAILBOX)
        self.assertEqual(received.header("Reply-To"), f"Anna <{MAILBOX}>")
        self.deliver_to_mailbox(
            self.mail_from_customer("private"), self.reply(received)
        )
        self.fetch()
        reply = self.replies_in_chatter()
        self.assertEqual(reply.author_id, self.customer_a)
        self.assertIn("This is reply.", reply.body)
        self.assertEqual(self.flags(), {"private": set(), "reply": {"\\Seen"}})
        self.fetch()
        self.assertEqual(self.replies_in_chatter(), reply, "and only once")

    def test_bounce_in_own_mailbox_marks_the_notification(self):
        for part in ("message/rfc822", "text/rfc822-headers"):
            with self.subTest(part):
                self.forget_received()
                received = self.post(self.anna, self.customer_a)
                self.assertEqual(received.mail_from, MAILBOX)
                name = part.partition("/")[0]
                self.deliver_to_mailbox(self.bounce(received.message, name, part))
                self.fetch()
                message_id = received.header("Message-ID")
                message = self.env["mail.message"].search(
                    [("message_id", "=", message_id)]
                )
                self.assertEqual(message.notification_ids.failure_type, "mail_bounce")
                self.assertEqual(message.notification_ids.notification_status, "bounce")
                self.assertEqual(self.flags()[name], {"\\Seen"})
        self.assertFalse(self.replies_in_chatter())

    def test_automatic_answer_lands_in_chatter_like_any_reply(self):
        received = self.post(self.anna, self.customer_a)
        answer = self.reply(
            received, "vacation", Auto_Submitted="auto-replied", Return_Path="<>"
        )
        self.deliver_to_mailbox(answer)
        self.fetch()
        self.assertIn("This is vacation.", self.replies_in_chatter().body)


@tagged("post_install", "-at_install")
class TestRepliesOnly(IncomingCase):
    """What is for Odoo in a private mailbox, and what stays as it is."""

    def test_each_kind_of_mail_is_taken_or_left(self):
        received = self.post(self.anna, self.customer_a)
        ours = received.header("Message-ID")
        other = "<other@private.example>"
        foreign = EmailMessage()
        foreign["Message-ID"] = "<annas-own-mail@mailbox.example>"
        foreign["References"] = ours
        renamed = EmailMessage()
        renamed["Message-ID"] = "<renamed@exchange.example>"
        renamed["X-Microsoft-Original-Message-ID"] = ours
        mail, reply, bounce = self.mail_from_customer, self.reply, self.bounce
        for message, taken in (
            (reply(received, "both-headers"), True),
            (mail("in-reply-to-only", In_Reply_To=ours), True),
            (mail("references-only", References=f"{other} {ours}"), True),
            (reply(received, "other-references", References=other), True),
            (reply(received, "renamed-by-relay", In_Reply_To=other), True),
            (bounce(renamed, "bounce-of-renamed"), True),
            (bounce(EmailMessage(), "bounce-by-thread", In_Reply_To=ours), True),
            (mail("private"), False),
            (mail("private-thread", In_Reply_To=other, References=other), False),
            (bounce(foreign, "bounce-of-private", References=ours), False),
            (bounce(EmailMessage(), "bounce-of-nothing"), False),
            *((report, False) for report in self.reports_of_no_failure(received)),
        ):
            name = message["Message-ID"].strip("<>").partition("@")[0]
            with self.subTest(name):
                self.deliver_to_mailbox(message)
                self.fetch()
                self.assertEqual(self.flags()[name], {"\\Seen"} if taken else set())
        names = [
            re.findall("This is (.*)[.]", m.body) for m in self.replies_in_chatter()
        ]
        self.assertEqual(
            sum(names, []),
            ["both-headers", "in-reply-to-only", "references-only"]
            + ["other-references", "renamed-by-relay"],
        )

    def reports_of_no_failure(self, received):
        """A receipt, a delay, and a text of which nothing can be told."""
        ours = received.header("Message-ID")
        receipt = self.bounce(received.message, "receipt", References=ours)
        receipt.set_param("report-type", "disposition-notification")
        delay = self.bounce(received.message, "delay", References=ours).as_string()
        text = self.mail_from_customer("text", References=ours, In_Reply_To=ours)
        text.replace_header("From", "MAILER-DAEMON@mx.customer.example")
        delayed = delay.replace("Action: failed", "Action: delayed")
        return receipt, message_from_string(delayed), text

    def test_mail_that_odoo_sent_to_the_mailbox_itself_stays_unread(self):
        self.mailbox.own_user_ids = self.ben
        self.anna.partner_id.email = MAILBOX
        self.post(self.ben, self.customer_a, partner_ids=self.anna.partner_id.ids)
        [received] = self.received()
        renamed = EmailMessage()
        for header, value in received.message.items():
            if header not in ("Message-ID", "Message-Id"):
                renamed[header] = value
        renamed["Message-ID"] = "<renamed-by-relay@relay.example>"
        self.deliver_to_mailbox(received.message, renamed)
        self.fetch()
        self.assertEqual(list(self.flags().values()), [set(), set()])
        self.assertFalse(self.replies_in_chatter())

    def test_reply_from_another_odoo_is_taken(self):
        received = self.post(self.anna, self.customer_a)
        references = f"{received.header('Message-ID')} <reply@customer.example>"
        self.deliver_to_mailbox(
            self.reply(
                received,
                In_Reply_To=None,
                References=references,
                X_Odoo_Objects="sale.order-7",
            )
        )
        self.fetch()
        self.assertEqual(len(self.replies_in_chatter()), 1)

    def test_answer_to_a_message_without_document_is_left(self):
        mail = self.mail(self.anna, email_from=self.anna.email_formatted)
        received = self.deliver(mail)
        self.incoming.object_id = self.env.ref("base.model_res_partner")
        self.deliver_to_mailbox(self.reply(received))
        self.fetch()
        self.assertEqual(self.flags(), {"reply": set()})

    def test_answer_to_what_a_template_sends_by_itself(self):
        """It has no References, and with Auto Delete Odoo forgets its id."""
        template = self.env["mail.template"].create(
            {
                "name": "Reminder",
                "model_id": self.env.ref("base.model_res_partner").id,
                "email_from": self.anna.email_formatted,
                "partner_to": str(self.customer_a.id),
                "body_html": "<p>Reminder</p>",
            }
        )
        self.assertTrue(template.auto_delete)
        for auto_delete, flags in ((False, {"\\Seen"}), (True, set())):
            with self.subTest(auto_delete=auto_delete):
                self.forget_received()
                template.auto_delete = auto_delete
                with self.sending():
                    template.with_user(self.anna).sudo().send_mail(
                        self.customer_a.id, force_send=True
                    )
                received = self.one_received()
                self.assertFalse(received.header("References"))
                name = f"answer-{auto_delete}".lower()
                self.deliver_to_mailbox(
                    self.reply(received, name),
                    self.bounce(received.message, f"bounce-of-{name}"),
                )
                self.fetch()
                self.assertEqual(self.flags()[name], flags)
                self.assertEqual(self.flags()[f"bounce-of-{name}"], flags)
        self.assertEqual(len(self.replies_in_chatter()), 1)

    def test_private_mail_never_becomes_a_record(self):
        self.incoming.object_id = self.env.ref("base.model_res_partner")
        self.deliver_to_mailbox(self.mail_from_customer("private"))
        before = self.env["res.partner"].search_count([])
        self.fetch()
        self.assertEqual(self.env["res.partner"].search_count([]), before)
        self.assertEqual(self.flags(), {"private": set()})
        self.incoming.replies_only = False
        self.fetch()
        self.assertEqual(self.env["res.partner"].search_count([]), before + 1)

    def test_mail_that_its_owner_marked_stays_as_it_is(self):
        """Core's way to disconnect would remove what is marked as deleted."""
        received = self.post(self.anna, self.customer_a)
        marks = {"deleted": "\\Deleted", "starred": "\\Flagged", "read": "\\Seen"}
        for name, flag in marks.items():
            message = self.mail_from_customer(name).as_bytes()
            self.mailboxes.deliver(MAILBOX, message, flags=flag)
        self.deliver_to_mailbox(self.reply(received))
        self.fetch()
        expected = {name: {flag} for name, flag in marks.items()}
        self.assertEqual(self.flags(), {**expected, "reply": {"\\Seen"}})

    def test_run_that_breaks_off_loses_and_marks_nothing(self):
        """Wherever the connection ends; the next run goes on from there."""
        for command, occurrence, taken, seen in (
            ("SEARCH", 1, 0, 0),
            ("FETCH", 1, 0, 0),
            ("FETCH", 3, 1, 1),
            ("STORE", 2, 2, 1),
        ):
            with self.subTest(command=command, occurrence=occurrence):
                self.forget_received()
                self.mailboxes.clear(MAILBOX)
                customer = self.customer_a.copy({"email": self.customer_a.email})
                received = self.post(self.anna, customer)
                tag = f"{command}-{occurrence}".lower()
                replies = [self.reply(received, f"{tag}-{n}") for n in range(3)]
                self.deliver_to_mailbox(self.mail_from_customer("private"), *replies)
                with (
                    self.broken_connection(command, occurrence),
                    mute_logger(FETCHMAIL),
                ):
                    self.run_fetch_job()
                self.assertIn("connection is gone", self.incoming.error_message)
                self.assertEqual(len(self.replies_in_chatter(customer)), taken)
                self.assertEqual(list(self.flags().values()).count({"\\Seen"}), seen)
                self.assertFalse(self.flags()["private"])
                self.fetch()
                self.assertEqual(len(self.replies_in_chatter(customer)), 3)
                self.assertFalse(self.flags()["private"])

    def test_large_mailbox_is_not_downloaded(self):
        received = self.post(self.anna, self.customer_a)
        private = self.mail_from_customer("private")
        private.set_content("All work and no play.\n" * 1000)
        self.mailboxes.deliver(MAILBOX, *[private.as_bytes()] * 600)
        self.deliver_to_mailbox(self.reply(received))
        with self.measured() as measured:
            self.fetch()
        self.assertEqual(len(self.replies_in_chatter()), 1)
        # two for the headers, one for the reply
        self.assertEqual(measured["commands"].count("FETCH"), 3)
        self.assertLess(len(measured["commands"]), 10)
        self.assertLess(measured["bytes"], 601 * 400, "of 13 MB")

    def test_ids_of_all_mails_are_looked_up_in_one_statement(self):
        mails = [IncomingMail(references=(f"<{n}@x.example>",)) for n in range(100)]
        with self.assertQueryCount(1):
            self.assertFalse(self.incoming._find_known_messages(mails))

    def test_more_than_a_batch_of_private_mail_hides_no_reply(self):
        received = self.post(self.anna, self.customer_a)
        private = [self.mail_from_customer(f"private-{n}") for n in range(60)]
        replies = [self.reply(received, f"reply-{n}") for n in range(3)]
        self.deliver_to_mailbox(*private, *replies)
        self.fetch()
        self.assertEqual(len(self.replies_in_chatter()), 3)
        unread = [name for name, flags in self.flags().items() if not flags]
        self.assertEqual(unread, [f"private-{n}" for n in range(60)])


@tagged("post_install", "-at_install")
class TestRepliesOverPop(IncomingCase):
    server_type = "pop"

    def test_reply_is_taken_and_other_mail_neither_deleted_nor_read(self):
        received = self.post(self.anna, self.customer_a)
        self.deliver_to_mailbox(
            self.mail_from_customer("private"),
            self.reply(received),
            self.bounce(EmailMessage()),
        )
        self.fetch()
        self.assertIn("This is reply.", self.replies_in_chatter().body)
        self.assertEqual(self.flags(), {"private": set(), "bounce": set()})

    def test_bounce_marks_the_notification(self):
        received = self.post(self.anna, self.customer_a)
        self.deliver_to_mailbox(self.bounce(received.message))
        self.fetch()
        message = self.customer_a.message_ids.filtered("notification_ids")
        self.assertEqual(message.notification_ids.notification_status, "bounce")
        self.assertFalse(self.flags())

    @mute_logger(FETCHMAIL)
    def test_server_without_top_loses_nothing(self):
        self.deliver_to_mailbox(self.mail_from_customer("private"))
        refused = error_proto(b"-ERR Unknown command: TOP")
        with patch.object(OdooPOP3, "top", side_effect=refused):
            self.run_fetch_job()
        self.assertIn("TOP", self.incoming.error_message)
        self.assertEqual(self.flags(), {"private": set()})

    def test_without_replies_only_core_takes_and_deletes_all(self):
        self.incoming.replies_only = False
        self.deliver_to_mailbox(self.mail_from_customer("private"))
        with mute_logger(FETCHMAIL):
            self.fetch()
        self.assertFalse(self.flags())


@tagged("post_install", "-at_install")
class TestConnectedAccounts(IncomingCase):
    """Types of servers that other modules add to core's, which log in by a token."""

    tokens = {
        "gmail": "google_gmail_access_token",
        "outlook": "microsoft_outlook_access_token",
    }

    def _connect_to(self, server_type):
        field = self.tokens[server_type]
        if field not in self.incoming._fields:
            self.skipTest("needs the modules google_gmail and microsoft_outlook")
        self.incoming.write(
            {
                "server_type": server_type,
                "is_ssl": True,
                "password": False,
                field: "token",
                f"{field}_expiration": time.time() + 3600,
            }
        )

    def test_replies_are_taken_and_other_mail_is_left(self):
        received = self.post(self.anna, self.customer_a)
        for server_type in ("gmail", "outlook"):
            with (
                self.subTest(server_type),
                patch.object(fetchmail, "OdooIMAP4_SSL", OdooIMAP4),
                patch.object(
                    *(OdooIMAP4, "authenticate"),
                    lambda connection, *_args: connection.login(MAILBOX, PASSWORD),
                ),
            ):
                self.mailboxes.clear(MAILBOX)
                self._connect_to(server_type)
                self.deliver_to_mailbox(
                    self.mail_from_customer("private"),
                    self.reply(received, server_type),
                )
                self.fetch()
                self.assertEqual(
                    self.flags(), {"private": set(), server_type: {"\\Seen"}}
                )


@tagged("post_install", "-at_install")
class TestBouncedMailing(IncomingCase):
    def test_bounce_of_a_mailing_whose_message_is_gone_is_taken(self):
        if "mailing.trace" not in self.env:
            self.skipTest("needs the module mass_mailing")
        original = self.mail_from_customer("mailing")
        trace = self.env["mailing.trace"].create(
            {
                "model": "res.partner",
                "res_id": self.customer_a.id,
                "email": self.customer_a.email,
                "message_id": original["Message-ID"],
                "trace_status": "sent",
            }
        )
        self.deliver_to_mailbox(
            self.bounce(original), self.reply(ReceivedMail("", "", (), bytes(original)))
        )
        self.fetch()
        self.assertEqual(trace.trace_status, "bounce")
        self.assertEqual(self.flags(), {"bounce": {"\\Seen"}, "reply": set()})
