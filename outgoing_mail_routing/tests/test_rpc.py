from odoo.tests import tagged

from .common import RpcCase

MAILBOX = "office@mailbox.example"


@tagged("post_install", "-at_install")
class TestRpc(RpcCase):
    """What a user sends by the calls that their own browser makes."""

    def _post_as_anna(self):
        with self.sending():
            self.call(
                self.ben,
                "res.partner",
                "message_post",
                self.customer_a.ids,
                body="Hello",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                partner_ids=self.customer_a.ids,
                author_id=self.anna.partner_id.id,
                email_from='"Anna" <anna@a.example>',
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
        self.mailbox.delegation = "colleagues"
        self.assertRoute(self._post_as_anna(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)

    def test_client_cannot_make_a_mail_nobodys(self):
        template = self.env["mail.template"].create(
            {
                "name": "Template",
                "model_id": self.env.ref("base.model_res_partner").id,
                "email_from": "{{ user.email_formatted }}",
                "partner_to": "{{ object.id }}",
                "subject": "Template",
                "body_html": "<p>Template</p>",
            }
        )
        self.authenticate(self.anna.login, self.anna.login)
        with self.sending():
            self.make_jsonrpc_request(
                "/web/dataset/call_kw/mail.template/send_mail",
                {
                    "model": "mail.template",
                    "method": "send_mail",
                    "args": [template.ids, self.customer_a.id, True],
                    "kwargs": {
                        "email_values": {"sent_for_company_id": self.company_b.id},
                        "context": {"default_sent_for_company_id": self.company_b.id},
                    },
                },
            )
        self.assertRoute(self.one_received(), MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)
