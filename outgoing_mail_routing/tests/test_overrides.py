from unittest.mock import patch

from odoo.tests import tagged

from ..models.ir_mail_server.sending import IrMailServer
from .common import RoutingCase


@tagged("post_install", "-at_install")
class TestOverrides(RoutingCase):
    """Another addon that overrides what this one overrides breaks nothing."""

    def _overridden(self, method):
        """Override ``_find_mail_server`` on top of this addon."""
        registered = type(self.env["ir.mail_server"])
        return patch.object(registered, "_find_mail_server", method)

    def _leave(self, *mails):
        """Send mails in one queue; login and From of each, in this order."""
        queue = self.env["mail.mail"].concat(*mails)
        with self.sending():
            queue.with_user(self.env.ref("base.user_root")).send()
        arrived = {mail.rcpt_tos[0]: mail for mail in self.received()}
        self.assertEqual(len(arrived), len(mails))
        return [
            (arrived[to].login, arrived[to].header("From"))
            for to in (f"customer{number}@x.example" for number in range(len(mails)))
        ]

    def _mails(self):
        return [
            self.mail(
                user,
                email_from=user.email_formatted,
                email_to=f"customer{number}@x.example",
            )
            for number, user in enumerate((self.anna, self.ben))
        ]

    def test_server_and_from_of_another_addon_are_taken(self):
        answer = self.shared, "other@x.example"
        with self._overridden(lambda self, email_from, mail_servers=None: answer):
            mails = self._mails()
            for mail in mails:
                self.assertRule(mail, "forced")
            self.assertEqual(
                self._leave(*mails), [("shared", "other@x.example")] * len(mails)
            )

    def test_server_of_another_addon_is_taken_with_the_from_it_passed_on(self):
        shared, mailbox = self.shared, self.mailbox

        def find(self, email_from, mail_servers=None):
            server, routed = IrMailServer._find_mail_server(
                self, email_from, mail_servers
            )
            return (shared if server == mailbox else server), routed

        with self._overridden(find):
            self.assertEqual(
                self._leave(*self._mails()),
                [
                    ("shared", "Anna <office@mailbox.example>"),
                    ("relay-a", "Ben <ben@a.example>"),
                ],
            )

    def test_no_server_of_another_addon_leaves_the_mail_to_the_system(self):
        answer = None, self.ben.email_formatted
        with self._overridden(lambda self, email_from, mail_servers=None: answer):
            [mail, *_more] = self._mails()
            self.assertRule(mail, "system")
            [(server_id, _domain, email_from, _ids)] = (
                mail._split_by_mail_configuration()
            )
        self.assertEqual((server_id, email_from), (False, self.ben.email_formatted))
