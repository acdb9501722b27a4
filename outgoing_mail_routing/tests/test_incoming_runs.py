"""One run after another: what a mailbox is looked at for, and what stays in it."""

from contextlib import contextmanager
from poplib import error_proto
from unittest.mock import patch

import psycopg2

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.mail.models.fetchmail import OdooIMAP4, OdooPOP3
from odoo.addons.mail.models.mail_thread import MailThread

from ..models import replies_connection
from .pure.fuzzed_mails import NAMED, fuzzed_mails
from .test_incoming import FETCHMAIL, MAILBOX, IncomingCase

LAYER = "odoo.addons.outgoing_mail_routing.models.replies_connection"


class AnswersCase(IncomingCase):
    """Runs of the fetch job, the first of which has been."""

    def setUp(self):
        super().setUp()
        self.fetch()
        self.received_mail = self.post(self.anna, self.customer_a)

    def answer(self, name, **headers):
        return self.reply(self.received_mail, name, **headers)

    def fetch_some(self, limit):
        """A run that takes no more than so many mails."""
        with self.enter_registry_test_mode(), self.registry.cursor() as cr:
            self.incoming.with_env(self.env(cr=cr))._fetch_mail(batch_limit=limit)
        self.env.invalidate_all()
        self.assertFalse(self.incoming.error_message)

    def posted(self, record=None):
        """The names of the answers in the chatter, oldest first."""
        bodies = self.replies_in_chatter(record).mapped("preview")
        return [body.removeprefix("This is ").removesuffix(".") for body in bodies]


class RunsOverAnyProtocol:
    """What holds over IMAP and over POP."""

    #: The flags of what Odoo retrieved and did not take
    retrieved = frozenset()

    @contextmanager
    def failing(self, name, *errors):
        """Let Odoo raise when it posts an answer: each error once, the last forever."""
        process, left = MailThread._message_route_process, list(errors)

        def _message_route_process(thread, message, message_dict, routes):
            if message_dict["subject"] == name:
                raise left.pop(0) if left[1:] else left[0]
            return process(thread, message, message_dict, routes)

        patched = patch.object(
            MailThread, "_message_route_process", _message_route_process
        )
        with patched, mute_logger(FETCHMAIL):
            yield

    def test_answer_that_cannot_be_posted_stays_and_is_told(self):
        """The others are posted, and it is tried again when somebody asks for it."""
        before, behind = self.answer("before"), self.answer("behind")
        with self.failing("bad", ValueError("No such thing.\nAt all.")):
            self.deliver_to_mailbox(before, self.answer("bad"), behind)
            self.fetch()
        self.assertEqual(self.posted(), ["before", "behind"])
        # over POP what was retrieved may count as read
        self.assertLessEqual(self.flags()["bad"], self.retrieved)
        line = (
            f"“bad” from {self.customer_a.email_formatted}: No such thing. At all."
        ).replace('"', "")
        self.assertEqual(self.incoming.left_mails.replace('"', ""), line)
        self.fetch()
        self.assertEqual(self.posted(), ["before", "behind"], "not by itself")
        self.assertTrue(self.incoming.left_mails)
        self.incoming.action_look_again()
        self.assertFalse(self.incoming.left_mails)
        self.fetch()
        self.assertEqual(self.posted(), ["before", "behind", "bad"])
        self.assertFalse(self.incoming.left_mails)
        self.fetch()
        self.assertEqual(self.posted(), ["before", "behind", "bad"])

    def test_mail_that_is_written_badly_keeps_no_other_from_being_taken(self):
        badly = self.mail_from_customer("private")
        badly.replace_header("Content-Type", "text/plain; a*=x; a*0=y")
        answer = self.answer("answer")
        answer.replace_header("Content-Type", "text/plain; a*=x; a*0=y")
        self.deliver_to_mailbox(badly, answer)
        names = ("charset as a triple", "zero bytes", "comments", "encoded surrogate")
        mails = [*(NAMED[name] for name in names), *fuzzed_mails(7, 40)]
        # the mail server takes neither nothing nor zero bytes
        mails = filter(None, (mail.replace(b"\0", b"") for mail in mails))
        self.mailboxes.deliver(MAILBOX, *mails)
        self.deliver_to_mailbox(self.answer("last"))
        self.fetch()
        self.assertEqual(self.posted(), ["answer", "last"])

    def test_error_of_the_moment_is_tried_again_once(self):
        passing = psycopg2.errors.LockNotAvailable("It is locked.")
        self.deliver_to_mailbox(self.answer("locked"))
        with self.failing("locked", passing):
            self.fetch()
            self.assertFalse(self.incoming.left_mails)
            self.fetch()
        self.assertIn("It is locked.", self.incoming.left_mails)
        self.deliver_to_mailbox(self.answer("locked-once"))
        with self.failing("locked-once", passing):
            self.fetch()
        self.assertEqual(self.posted(), [])
        self.fetch()
        self.assertEqual(self.posted(), ["locked-once"])

    def test_answer_that_the_database_does_not_keep_stays_and_is_told(self):
        process = MailThread._message_route_process

        def _message_route_process(thread, *args):
            def _fail():
                raise ValueError("The database is full.")

            thread.env.cr.precommit.add(_fail)
            return process(thread, *args)

        self.deliver_to_mailbox(self.answer("unsaved"))
        patched = patch.object(
            MailThread, "_message_route_process", _message_route_process
        )
        with patched, mute_logger(FETCHMAIL):
            self.fetch()
        self.assertEqual(self.posted(), [])
        self.assertIn("unsaved", self.flags())
        self.assertIn("“unsaved”", self.incoming.left_mails)

    def test_limit_of_a_run_leaves_the_rest_for_the_next(self):
        names = [f"answer-{n}" for n in range(5)]
        self.deliver_to_mailbox(*map(self.answer, names))
        self.deliver_to_mailbox(self.mail_from_customer("private"))
        for expected in (names[:2], names[:4], names, names):
            self.fetch_some(2)
            self.assertEqual(self.posted(), expected)
        self.assertFalse(self.flags()["private"])

    def test_limit_of_bounces_leaves_the_rest_for_the_next_run(self):
        original = self.received_mail.message
        with patch.object(replies_connection, "_BOUNCES_AT_MOST", 2):
            bounces = [self.bounce(original, f"bounce-{n}") for n in range(5)]
            self.deliver_to_mailbox(*bounces, self.answer("answer"))
            for left in (3, 1, 0):
                self.fetch()
                self.assertEqual(self.count_left("bounce"), left)
        self.assertEqual(self.posted(), ["answer"])

    def count_left(self, prefix):
        """How many mails of such a name are in the mailbox as they came."""
        flags = self.flags()
        return sum(not flags[name] for name in flags if name.startswith(prefix))

    def test_process_that_dies_before_the_place_is_kept_posts_nothing_twice(self):
        self.deliver_to_mailbox(
            self.mail_from_customer("private"), self.answer("a"), self.answer("b")
        )
        server = type(self.incoming)
        with patch.object(server, "_keep_place", lambda *_args: None):
            self.fetch()
        self.assertEqual(self.posted(), ["a", "b"])
        self.deliver_to_mailbox(self.answer("c"))
        self.fetch()
        self.assertEqual(self.posted(), ["a", "b", "c"])

    def test_answer_to_an_answer_of_the_same_run_is_taken(self):
        first = self.answer("first")
        second = self.mail_from_customer(
            "second",
            In_Reply_To=first["Message-ID"],
            References=f"{first['References']} {first['Message-ID']}",
        )
        second.replace_header("From", "colleague@customer.example")
        self.deliver_to_mailbox(first, second)
        self.fetch()
        self.assertEqual(self.posted(), ["first", "second"])

    def test_another_mailbox_is_looked_at_from_its_beginning(self):
        self.deliver_to_mailbox(self.answer("answer"))
        self.fetch()
        self.assertTrue(self.incoming.replies_place)
        self.incoming.name = "Renamed"
        self.assertTrue(self.incoming.replies_place)
        for field, value in (("server", "localhost"), ("replies_only", False)):
            self.fetch()
            self.incoming[field] = value
            self.assertFalse(self.incoming.replies_place)


@tagged("post_install", "-at_install")
class TestRunsOverImap(RunsOverAnyProtocol, AnswersCase):
    def test_answer_that_was_read_before_the_run_is_taken(self):
        self.deliver_to_mailbox(self.answer("read"), flags="\\Seen")
        self.deliver_to_mailbox(self.mail_from_customer("private"), flags="\\Seen")
        self.fetch()
        self.assertEqual(self.posted(), ["read"])

    def test_first_look_takes_what_is_unread_only(self):
        self.incoming.replies_place = False
        self.deliver_to_mailbox(self.answer("old"), flags="\\Seen")
        self.deliver_to_mailbox(self.answer("a"))
        self.deliver_to_mailbox(self.answer("older"), flags="\\Seen")
        self.deliver_to_mailbox(self.answer("b"))
        self.fetch_some(1)
        self.assertEqual(self.posted(), ["a"])
        self.deliver_to_mailbox(self.answer("new"), flags="\\Seen")
        self.fetch()
        self.assertEqual(self.posted(), ["a", "b", "new"])

    def test_what_was_looked_at_is_not_downloaded_again(self):
        other = self.bounce(self.mail_from_customer("others"), "bounce")
        self.deliver_to_mailbox(*[other] * 30, self.mail_from_customer("private"))
        self.fetch()
        with self.measured() as measured:
            self.fetch()
        self.assertNotIn("FETCH", measured["commands"])
        self.assertEqual(measured["bytes"], 0)

    def test_connection_that_breaks_at_any_command_loses_nothing(self):
        """One more command each time; what is read already is found by the next run."""
        occurrence, unbroken = 0, False
        while not unbroken:
            occurrence += 1
            with self.subTest(occurrence=occurrence):
                customer = self.customer_a.copy({"email": self.customer_a.email})
                self.forget_received()
                received = self.post(self.anna, customer)
                names = [f"{occurrence}-{n}" for n in range(2)]
                replies = [self.reply(received, name) for name in names]
                self.mailboxes.clear(MAILBOX)
                self.deliver_to_mailbox(replies[0], self.mail_from_customer("private"))
                self.deliver_to_mailbox(replies[1], flags="\\Seen")
                with self.any_broken_connection(occurrence) as given:
                    with mute_logger(FETCHMAIL, LAYER):
                        self.run_fetch_job()
                unbroken = len(given) < occurrence
                self.fetch()
                self.assertEqual(self.posted(customer), names)
                self.assertFalse(self.flags()["private"])
        self.assertGreater(occurrence, 7)

    @contextmanager
    def any_broken_connection(self, occurrence):
        """Let the mail server go away at a command, whatever command it is."""
        send, given = OdooIMAP4._command, []

        def _command(connection, name, *args):
            given.append(name)
            if len(given) >= occurrence:
                connection.shutdown()
                raise OdooIMAP4.abort("The connection is gone.")
            return send(connection, name, *args)

        with patch.object(OdooIMAP4, "_command", _command):
            yield given

    def test_mails_that_another_client_removes_during_a_run_change_nothing(self):
        """Neither those that are to be posted nor the others, and no number moves."""
        self.deliver_to_mailbox(
            self.mail_from_customer("private"),
            *(self.answer(name) for name in ("a", "b", "c")),
            self.mail_from_customer("last"),
        )
        for occurrence, gone in ((1, ["private"]), (2, ["a"])):
            with self.removing(occurrence, gone):
                self.fetch_some(2)
        self.assertEqual(self.flags()["last"], set())
        self.deliver_to_mailbox(self.answer("d"))
        self.fetch()
        self.assertEqual(self.posted(), ["a", "b", "c", "d"])

    def test_answer_that_another_client_removes_during_a_run_is_passed_over(self):
        self.deliver_to_mailbox(*(self.answer(name) for name in ("a", "b", "c")))
        with self.removing(2, ["b"]):
            self.fetch()
        self.assertEqual(self.posted(), ["a", "c"])
        self.fetch()
        self.assertEqual(self.flags(), {"a": {"\\Seen"}, "c": {"\\Seen"}})

    @contextmanager
    def removing(self, occurrence, names):
        """Let another client remove mails before Odoo gives FETCH so many times."""
        send, given = OdooIMAP4._command, []

        def _command(connection, name, *args):
            if args[:1] == ("FETCH",):
                given.append(name)
                if len(given) == occurrence:
                    self.remove(names)
            return send(connection, name, *args)

        with patch.object(OdooIMAP4, "_command", _command):
            yield

    def remove(self, names):
        # other than Odoo's, a session of imaplib itself
        with self.mailboxes.login(MAILBOX) as session:
            for name in names:
                criterion = f'HEADER Message-ID "<{name}@"'
                for number in session.search(None, criterion)[1][0].split():
                    session.store(number, "+FLAGS", "\\Deleted")
            session.expunge()

    def test_mail_that_the_server_refuses_keeps_no_other_from_being_taken(self):
        self.deliver_to_mailbox(*(self.answer(name) for name in ("a", "b", "c")))
        uid, refused = OdooIMAP4.uid, []

        def _uid(connection, command, *args):
            numbers = args[0].split(",") if command == "FETCH" else []
            if len(numbers) > 1:
                refused.append(numbers[1])
            if refused and refused[0] in numbers:
                return "NO", [b"[SERVERBUG] It cannot be read."]
            return uid(connection, command, *args)

        with patch.object(OdooIMAP4, "uid", _uid), mute_logger(LAYER):
            self.fetch()
        self.assertEqual(self.posted(), ["a", "c"])
        self.fetch()
        self.assertEqual(self.posted(), ["a", "c", "b"])

    def test_server_that_refuses_to_search_is_told(self):
        self.deliver_to_mailbox(self.answer("answer"))
        answer = "NO", [b"Not now."]
        with patch.object(OdooIMAP4, "uid", lambda *_args: answer):
            with mute_logger(FETCHMAIL):
                self.run_fetch_job()
        self.assertEqual(self.incoming.error_message, "Not now.")
        self.fetch()
        self.assertEqual(self.posted(), ["answer"])

    def test_server_without_next_id_or_validity(self):
        response = OdooIMAP4.response
        for codes in (("UIDNEXT",), ("UIDNEXT", "UIDVALIDITY")):
            with self.subTest(codes):
                self.mailboxes.clear(MAILBOX)
                self.incoming.replies_place = False
                name = "-".join(codes).lower()

                def _response(connection, code, codes=codes):
                    if code in codes:
                        return code, [None]
                    return response(connection, code)

                with patch.object(OdooIMAP4, "response", _response):
                    self.deliver_to_mailbox(self.answer(f"old-{name}"), flags="\\Seen")
                    self.deliver_to_mailbox(self.answer(name))
                    self.fetch()
                    self.assertEqual(self.posted()[-1], name)
                    self.deliver_to_mailbox(self.answer(f"second-{name}"))
                    self.fetch()
                    self.assertEqual(self.posted()[-1], f"second-{name}")
        self.assertEqual(len(self.posted()), 4)

    def test_named_folders(self):
        """The target of a rule; each server looks at one of them."""
        other = self.incoming.copy({"replies_folder": "Entwürfe & mehr"})
        quoted = '"Entw&APw-rfe &- mehr"'
        self.deliver_to_mailbox(self.mail_from_customer("x"), folder=quoted)
        other.password = self.incoming.password
        other.button_confirm_login()
        self.deliver_to_mailbox(self.answer("in-folder"), folder=quoted)
        self.deliver_to_mailbox(self.answer("in-inbox"))
        self.fetch()
        self.assertFalse(other.error_message)
        self.assertEqual(sorted(self.posted()), ["in-folder", "in-inbox"])
        flags = self.flags(folder=quoted)
        self.assertEqual(flags, {"x": set(), "in-folder": {"\\Seen"}})
        self.assertEqual(self.flags(), {"in-inbox": {"\\Seen"}})

    def test_folder_that_is_made_anew_is_looked_at_from_its_beginning(self):
        self.incoming.replies_folder = "Odoo"
        for name in ("a", "b"):
            self.deliver_to_mailbox(self.answer(name), folder="Odoo")
            self.deliver_to_mailbox(
                self.answer(f"read-{name}"), folder="Odoo", flags="\\Seen"
            )
            self.fetch()
            validity = self.incoming.replies_place["uid_validity"]
            self.mailboxes.remove_folder(MAILBOX, "Odoo")
        self.assertTrue(validity)
        self.assertEqual(self.posted(), ["a", "b"])

    def test_unknown_folder_is_told(self):
        self.incoming.replies_folder = "Nowhere"
        with self.assertRaisesRegex(UserError, "“Nowhere”"):
            self.incoming.button_confirm_login()
        with mute_logger(FETCHMAIL):
            self.run_fetch_job()
        self.assertIn("“Nowhere”", self.incoming.error_message)
        self.incoming.replies_folder = False
        self.deliver_to_mailbox(self.answer("answer"))
        self.fetch()
        self.assertEqual(self.posted(), ["answer"])


@tagged("post_install", "-at_install")
class TestPrivateThreads(AnswersCase):
    """What is said behind the customer's back stays there."""

    def forward(self):
        """An answer to a forward of the customer's answer, which Odoo does not know."""
        customer = self.answer("customer")
        self.deliver_to_mailbox(customer)
        self.fetch()
        thread = f"{customer['References']} {customer['Message-ID']}"
        forward = "<forward@mailbox.example>"
        boss = self.mail_from_customer(
            "boss", In_Reply_To=forward, References=f"{thread} {forward}"
        )
        boss.replace_header("From", "Boss <boss@elsewhere.example>")
        return boss

    def test_answer_to_a_forward_stays_in_the_mailbox(self):
        for header in ("In-Reply-To", "References"):
            with self.subTest(header):
                self.mailboxes.clear(MAILBOX)
                boss = self.forward()
                if header == "References":
                    del boss["In-Reply-To"]
                self.deliver_to_mailbox(boss)
                self.forget_received()
                self.fetch()
                self.assertEqual(self.posted(), ["customer"])
                self.assertEqual(self.flags()["boss"], set())
                self.assertFalse(self.received())

    def test_answer_to_a_forward_is_taken_from_who_is_in_the_document(self):
        boss = self.forward()
        partner = self.env["res.partner"].create(
            {"name": "Boss", "email": "BOSS@elsewhere.example"}
        )
        self.customer_a.message_subscribe(partner.ids)
        self.deliver_to_mailbox(boss)
        self.fetch()
        self.assertEqual(self.posted(), ["customer", "boss"])

    def test_document_that_fails_to_name_its_people_stops_no_other(self):
        boss = self.forward()
        server = type(self.incoming)
        with (
            patch.object(server, "_get_emails_in", side_effect=ValueError("Bad.")),
            mute_logger("odoo.addons.outgoing_mail_routing.bridge.telling"),
        ):
            self.deliver_to_mailbox(boss, self.answer("answer"))
            self.fetch()
        self.assertEqual(self.posted(), ["customer", "answer"])


@tagged("post_install", "-at_install")
class TestRunsOverPop(RunsOverAnyProtocol, AnswersCase):
    server_type = "pop"
    retrieved = {"\\Seen"}

    def count_left(self, prefix):
        return sum(name.startswith(prefix) for name in self.flags())

    def test_what_was_looked_at_is_not_asked_for_again(self):
        self.deliver_to_mailbox(
            self.mail_from_customer("private"),
            self.bounce(self.mail_from_customer("x")),
        )
        self.fetch()
        self.deliver_to_mailbox(self.answer("answer"))
        with patch.object(
            OdooPOP3, "top", autospec=True, side_effect=OdooPOP3.top
        ) as top:
            self.fetch()
        self.assertEqual([call.args[1] for call in top.call_args_list], [3])
        self.assertEqual(self.posted(), ["answer"])

    def test_line_of_any_length_is_read(self):
        long = self.answer("long", X_Long="x" * 70_000)
        self.deliver_to_mailbox(long, self.answer("short"))
        self.fetch()
        self.assertEqual(self.posted(), ["long", "short"])

    def test_mail_that_the_server_refuses_keeps_no_other_from_being_taken(self):
        for command in ("top", "retr"):
            with self.subTest(command):
                names = [f"{command}-{n}" for n in range(3)]
                self.deliver_to_mailbox(*map(self.answer, names))
                ask = getattr(OdooPOP3, command)

                def _ask(connection, *args, ask=ask, name=names[1]):
                    answer = ask(connection, *args)
                    if name.encode() in b"".join(answer[1]):
                        raise error_proto(b"-ERR It cannot be read.")
                    return answer

                with patch.object(OdooPOP3, command, _ask), mute_logger(LAYER):
                    self.fetch()
                self.assertEqual(self.posted()[-2:], [names[0], names[2]])
                self.assertEqual(list(self.flags()), [names[1]])
                # the job asked twice for what it knows to be an answer
                self.assertEqual(bool(self.incoming.left_mails), command == "retr")
                self.incoming.action_look_again()
                self.fetch()
                self.assertEqual(self.posted()[-1], names[1])

    def test_answer_that_the_server_never_gives_is_told(self):
        self.deliver_to_mailbox(self.answer("refused"))
        refused = error_proto(b"-ERR It cannot be read.")
        with (
            patch.object(OdooPOP3, "retr", side_effect=refused) as retr,
            mute_logger(LAYER, "odoo.addons.base.models.ir_cron"),
        ):
            for _run in range(3):
                self.fetch()
            self.assertEqual(retr.call_count, 2)
        self.assertIn(
            f"“No subject” from {self.customer_a.email}: -ERR It cannot be read.",
            self.incoming.left_mails,
        )
        self.incoming.action_look_again()
        self.fetch()
        self.assertEqual(self.posted(), ["refused"])

    def test_server_without_ids_looks_at_all(self):
        refused = error_proto(b"-ERR Unknown command: UIDL")
        with patch.object(OdooPOP3, "uidl", side_effect=refused):
            self.deliver_to_mailbox(self.mail_from_customer("private"))
            self.fetch()
            self.deliver_to_mailbox(self.answer("answer"))
            self.fetch()
        self.assertEqual(self.posted(), ["answer"])
        self.assertEqual(list(self.flags()), ["private"])
