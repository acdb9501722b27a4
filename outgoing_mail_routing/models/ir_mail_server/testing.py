"""Testing the connection of an outgoing mail server."""

from odoo import api, fields, models
from odoo.exceptions import UserError

from ...bridge.addresses import email_of
from ...bridge.carrier import EnvelopeTest
from ...bridge.directory_source import DirectorySource
from ...bridge.explanation import check_administrator
from ...bridge.preview import Preview
from ...bridge.telling import is_told, tell_of


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    tested_date = fields.Datetime(
        string="Last Tested",
        compute="_compute_tested_date",
        store=True,
        copy=False,
        groups="base.group_system",
        help="When a test of the connection or a test mail last succeeded, with the "
        "server as it is configured now.",
    )

    @api.depends(
        "smtp_host",
        "smtp_port",
        "smtp_encryption",
        "smtp_authentication",
        "smtp_user",
        "smtp_pass",
    )
    def _compute_tested_date(self):
        """Empty the date where the connection changed: the test was of another one."""
        self.tested_date = False

    def test_smtp_connection(self, *args, **kwargs):
        """Say as which addresses it was tested, and note when it succeeded.

        Core raises where it does not. A server may take its own address and refuse
        Odoo's bounce address, or the other way round: both have to pass.
        """
        result = super().test_smtp_connection(*args, **kwargs)
        tested = self._get_tested_addresses()
        if others := self.filtered(lambda server: len(tested[server]) > 1):
            super(IrMailServer, EnvelopeTest().on(others)).test_smtp_connection()
        self.sudo().tested_date = fields.Datetime.now()
        addresses = dict.fromkeys(
            email for emails in tested.values() for email in emails
        )
        if addresses:
            params = result["params"]
            params["message"] = self.env._(
                "%(message)s Tested as %(addresses)s.",
                message=params["message"],
                addresses=", ".join(addresses),
            )
        return result

    def action_test_connections(self):
        """Test each of several servers by itself, and say of each how it went.

        :return: a notification; a server that fails keeps no other from its test
        """
        check_administrator(self.env)
        answers = [server._try_connection() for server in self]
        failures = [
            f"{server}: {said}" for server, passed, said in answers if not passed
        ]
        successes = [f"{server}: {said}" for server, passed, said in answers if passed]
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "danger" if failures else "success",
                "message": "\n".join([*failures, *successes]),
                "className": "text-prewrap",
                "sticky": bool(failures),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def _try_connection(self):
        """Test a server.

        :return: its name, whether it passed, and what the test says, in one line
        """
        try:
            with self.env.cr.savepoint():
                result = self.test_smtp_connection()
        except UserError as error:
            return self.name, False, " ".join(str(error).split())
        return self.name, True, result["params"]["message"]

    def _get_tested_addresses(self):
        """The addresses as which each server is tested, none where core decides."""
        return {
            server: list(dict.fromkeys(server._get_own_test_addresses()))
            for server in self
        }

    def _get_test_email_from(self):
        """What mail of this server really leaves as, where not core decides that."""
        self.ensure_one()
        envelope = EnvelopeTest.of(self.env) is not None
        addresses = self._get_own_test_addresses()
        return addresses[envelope] if addresses else super()._get_test_email_from()

    def _get_own_test_addresses(self):
        """The From address and the envelope sender of mail that leaves through it.

        Of its users or companies, else of the calling user with the server set by hand;
        those of an archived server, or one out of service, as if it were in use.

        :return: empty where core decides them: nobody assigned, and no policy set, or
            nothing can be told of those who are
        :raise AccessError: who may not read it; core finds out by its FROM filter
        """
        self.check_access("read")
        server = self.sudo().with_context(active_test=False)
        in_use = {"active": True, "out_of_service": False}
        directory = DirectorySource(server.env).build({server.id: in_use})
        preview, profile = Preview(server.env, directory), directory.get(server.id)
        if profile.owner_id or not (profile.assigned or profile.has_sender_policy):
            return []
        mails, _untold = server._get_example_mails(preview, profile, profile.id)
        mail = next(iter(mails), None) or tell_of(
            self.env.user, server._get_users_mail, preview, profile.id
        )
        if not is_told(mail):
            return []
        addresses = [email_of(mail.headers.email_from), mail.headers.envelope_sender]
        return addresses if all(addresses) else []
