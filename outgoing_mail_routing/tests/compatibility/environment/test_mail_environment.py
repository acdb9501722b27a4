from contextlib import contextmanager

from odoo.tests import Form, tagged

from odoo.addons.server_environment.models import server_env_mixin

from ....bridge.directory_source import DirectorySource
from ...common import RoutingCase

MAILBOX = "office@mailbox.example"
STAGING = "staging@mailbox.example"


@tagged("post_install", "-at_install")
class TestEnvironment(RoutingCase):
    """``mail_environment`` reads logins from a file: they have no column any more."""

    @contextmanager
    def configured(self, section, **values):
        """The file has a section, or has it no longer."""
        config = server_env_mixin.serv_config
        config.add_section(section)
        for name, value in values.items():
            config.set(section, name, value)
        self.env.invalidate_all()
        try:
            yield
        finally:
            config.remove_section(section)
            self.env.invalidate_all()

    def _route(self):
        mail = self.mail(self.anna, email_from=self.anna.email_formatted)
        return mail._get_mail_routes()[mail.id].email_from

    def test_sender_address_follows_what_the_file_says(self):
        section = f"outgoing_mail.{self.mailbox.name}"
        self.assertFalse(self.env["ir.mail_server"]._fields["smtp_user"].store)
        self.assertEqual(self.mailbox.sender_email, MAILBOX)
        self.assertEqual(self._route(), f"Anna <{MAILBOX}>")
        with self.configured(section, smtp_user=STAGING):
            self.assertEqual(self.mailbox.sender_email, STAGING)
            self.assertEqual(self._route(), f"Anna <{STAGING}>")
        self.assertEqual(self._route(), f"Anna <{MAILBOX}>")

    def test_sender_address_of_a_new_server_is_proposed_at_once(self):
        with self.configured("outgoing_mail.Staged", smtp_user=STAGING):
            server = self.env["ir.mail_server"].create({"name": "Staged"})
            self.assertEqual(server.sender_email, STAGING)
            self.anna.own_mail_server_ids = server
            self.assertEqual(self._route(), f"Anna <{STAGING}>")

    def test_typed_address_goes_before_the_file(self):
        self.mailbox.sender_email = "team@mailbox.example"
        section = f"outgoing_mail.{self.mailbox.name}"
        with self.configured(section, smtp_user=STAGING):
            self.assertEqual(self.mailbox.sender_email, "team@mailbox.example")

    def test_form_of_a_new_server_opens_and_follows_what_is_typed(self):
        administrator = self._create_administrator()
        form = Form(self.env["ir.mail_server"].with_user(administrator))
        form.name = "New"
        form.smtp_host = "127.0.0.1"
        form.smtp_user = "new@mailbox.example"
        form.own_user_ids.add(self.ben)
        self.assertEqual(form.sender_email, "new@mailbox.example")
        self.assertIn("new@mailbox.example", form.routing_summary)

    def test_incoming_server_counts_as_its_fields_say(self):
        incoming = self.env["fetchmail.server"].create({"name": "Incoming"})
        self.mailbox.fetchmail_server_id = incoming
        profile = self._profile()
        self.assertFalse(profile.collects_replies)
        section = f"incoming_mail.{incoming.name}"
        with self.configured(section, server_type="local"):
            self.assertTrue(self._profile().collects_replies)
        self.assertFalse(self._profile().collects_replies)

    def _profile(self):
        return DirectorySource(self.env).get().get(self.mailbox.id)
