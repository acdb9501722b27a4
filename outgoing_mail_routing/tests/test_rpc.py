from odoo.tests import HttpCase, tagged

from .common import RoutingCase

MAILBOX = "office@mailbox.example"


@tagged("post_install", "-at_install")
class TestRpc(RoutingCase, HttpCase):
    """What a user sends by the calls that their own browser makes."""

    def _post_as_anna(self):
        self.authenticate(self.ben.login, self.ben.login)
        with self.sending():
            self.make_jsonrpc_request(
                "/web/dataset/call_kw/res.partner/message_post",
                {
                    "model": "res.partner",
                    "method": "message_post",
                    "args": [self.customer_a.ids],
                    "kwargs": {
                        "body": "Hello",
                        "message_type": "comment",
                        "subtype_xmlid": "mail.mt_comment",
                        "partner_ids": self.customer_a.ids,
                        "author_id": self.anna.partner_id.id,
                        "email_from": '"Anna" <anna@a.example>',
                    },
                },
            )
        received = self.received()
        self.assertIn(self.customer_a.email, received[0].rcpt_tos)
        return received[0]

    def test_post_in_colleagues_name_leaves_through_company(self):
        self.assertRoute(
            self._post_as_anna(),
            "relay-a",
            "Anna <anna@a.example>",
            "bounce@a.example",
        )

    def test_post_in_colleagues_name_leaves_through_lent_mailbox(self):
        self.mailbox.allow_delegation = True
        self.assertRoute(self._post_as_anna(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
