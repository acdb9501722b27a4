import json
from contextlib import contextmanager
from unittest.mock import patch
from urllib.parse import urljoin

from odoo.fields import Command
from odoo.tests import HttpCase, TransactionCase, new_test_user
from odoo.tools import config

from .smtp_server import SmtpServer


def sentence(reason, **values):
    """The sentence by which a :class:`routing.Reason` is told."""
    return reason.value % values


def new_user(env, login, **values):
    """A user who gets no invitation: writing it takes as long as making the user."""
    user = new_test_user(env, login, context={"no_reset_password": True}, **values)
    return user.with_env(env)


class RoutingCase(TransactionCase):
    """Two companies, their users, and real SMTP servers that demand a login.

    Company A (``a.example``): Anna with a mailbox whose login is not her e-mail, Ben
    without one, Clara, who also works in B, and the portal customer Paul. Company B:
    ``b.example``. Every ``ir.mail_server`` here is an SMTP server of its own, and its
    login says which one carried a mail.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.startClassPatcher(patch.dict(config.options, {"smtp_server": ""}))
        # mails go to those a test names, not to followers it forgot
        cls.env = cls.env(
            context={
                **cls.env.context,
                "tracking_disable": True,
                "mail_post_autofollow_author_skip": True,
            }
        )
        cls.env["ir.mail_server"].search([]).active = False
        cls.company_a = cls._create_company("A", "a.example")
        cls.company_b = cls._create_company("B", "b.example")
        cls.anna = cls._create_user("anna", cls.company_a)
        cls.ben = cls._create_user("ben", cls.company_a)
        cls.clara = cls._create_user("clara", cls.company_a, cls.company_b)
        cls.portal_user = new_user(
            cls.env,
            "paul",
            groups="base.group_portal",
            name="Paul",
            email="paul@customer.example",
            company_id=cls.company_a.id,
            company_ids=[Command.set(cls.company_a.ids)],
        )
        cls.customer_a = cls._create_customer(cls.company_a)
        cls.customer_b = cls._create_customer(cls.company_b)
        cls._create_servers()

    @classmethod
    def _create_company(cls, name, domain):
        alias_domain = cls.env["mail.alias.domain"].create({"name": domain})
        company = cls.env["res.company"].create({"name": name})
        company.alias_domain_id = alias_domain
        return company

    @classmethod
    def _create_lone_company(cls, name):
        """A company that can be deleted again, whatever apps make for a new one."""
        company = cls.env["res.company"].create({"name": name})
        (cls.env.user + cls.env.ref("base.user_root")).company_ids -= company
        if "payment.provider" in cls.env:
            providers = cls.env["payment.provider"].with_context(active_test=False)
            providers.search([("company_id", "=", company.id)]).unlink()
        return company

    @classmethod
    def _create_user(cls, login, *companies, **values):
        return new_user(
            cls.env,
            login,
            groups="base.group_user,base.group_partner_manager",
            name=login.capitalize(),
            **{
                "email": f"{login}@a.example",
                "notification_type": "email",
                "company_id": companies[0].id,
                "company_ids": [Command.set([company.id for company in companies])],
                **values,
            },
        )

    @classmethod
    def _create_administrator(cls):
        """An administrator of both companies."""
        return new_user(
            cls.env,
            "administrator",
            groups="base.group_user,base.group_system,base.group_multi_company",
            email="administrator@a.example",
            company_id=cls.company_a.id,
            company_ids=[Command.set((cls.company_a | cls.company_b).ids)],
        )

    @classmethod
    def _create_marketer(cls):
        """A user of company A who may make mailings, where there are any."""
        marketing = "mass_mailing.group_mass_mailing_user"
        installed = cls.env.ref(marketing, raise_if_not_found=False)
        return new_user(
            cls.env,
            "mia",
            groups=f"base.group_user,{marketing}" if installed else "base.group_user",
            name="Mia",
            email="mia@a.example",
            company_id=cls.company_a.id,
            company_ids=[Command.set(cls.company_a.ids)],
        )

    @classmethod
    def _create_customer(cls, company):
        return cls.env["res.partner"].create(
            {
                "name": f"Customer of {company.name}",
                "email": f"customer.{company.name.lower()}@customer.example",
                "company_id": company.id,
            }
        )

    @classmethod
    def _create_servers(cls):
        cls.smtp = {}
        cls.mailbox = cls._create_server("office@mailbox.example", sequence=1)
        cls.relay_a = cls._create_server("relay-a", from_filter="a.example", sequence=2)
        cls.relay_b = cls._create_server("relay-b", from_filter="b.example", sequence=3)
        cls.shop = cls._create_server(
            "shop", from_filter="shop@shop.example", sequence=4
        )
        cls.shared = cls._create_server("shared", sequence=5)
        cls.anna.own_mail_server_ids = cls.mailbox
        cls.company_a.mail_server_ids = cls.relay_a
        cls.company_b.mail_server_ids = cls.relay_b

    @classmethod
    def _create_server(cls, login, **values):
        """A mail server of Odoo's and the SMTP server behind it."""
        smtp = SmtpServer({login: f"secret of {login}"}).start()
        cls.addClassCleanup(smtp.stop)
        cls.smtp[login] = smtp
        return cls.env["ir.mail_server"].create(
            {
                "name": login.capitalize(),
                "smtp_host": smtp.host,
                "smtp_port": smtp.port,
                "smtp_user": login,
                "smtp_pass": f"secret of {login}",
                "smtp_encryption": "none",
                **values,
            }
        )

    @classmethod
    def _create_template(cls, **values):
        """A template that writes to the contact it is sent on."""
        return cls.env["mail.template"].create(
            {
                "name": "Template",
                "model_id": cls.env.ref("base.model_res_partner").id,
                "partner_to": "{{ object.id }}",
                "subject": "Template",
                "body_html": "<p>Template</p>",
                **values,
            }
        )

    def setUp(self):
        super().setUp()
        self.forget_received()

    # ------------------------------------------------------------------
    # Sending
    # ------------------------------------------------------------------

    @contextmanager
    def sending(self):
        """Core sends nothing in tests: here it does, to loopback."""
        with patch.object(
            type(self.env["ir.mail_server"]), "_disable_send", lambda self: False
        ):
            yield

    def forget_received(self):
        """Start the next case of a test without the mails of the last one."""
        for smtp in self.smtp.values():
            smtp.clear()

    def received(self):
        """All mails that arrived at any server, by login of the account."""
        return [mail for smtp in self.smtp.values() for mail in smtp.received]

    def post(self, user, record, **values):
        """Post a chatter message as a user, mailed to the record's partner at once.

        :return: the one mail that arrived
        """
        with self.sending():
            self._message_post(record.with_user(user), **values)
        return self.one_received()

    def counted(self, action):
        """Do something for which every record has to be read anew.

        :return: ``(number of SQL statements, what the action returned)``
        """
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        answer = action()
        return self.env.cr.sql_log_count - before, answer

    def require(self, *modules):
        installed = self.env["ir.module.module"]._installed()
        if missing := [name for name in modules if name not in installed]:
            self.skipTest(f"needs the modules {', '.join(missing)}")

    def queue(self, user, record, **values):
        """Post as a user and leave the mail to the queue.

        :return: the ``mail.mail``
        """
        records = record.with_user(user).with_context(mail_notify_force_send=False)
        message = self._message_post(records, **values)
        return self.env["mail.mail"].search([("mail_message_id", "=", message.id)])

    def _message_post(self, records, **values):
        return records.message_post(
            **{
                "body": "Hello",
                "message_type": "comment",
                "subtype_xmlid": "mail.mt_comment",
                "partner_ids": records.ids,
                **values,
            }
        )

    def mail(self, user, **values):
        """A ``mail.mail`` made by a user, as a template or code makes it."""
        Mail = self.env["mail.mail"].with_user(user).sudo()
        return Mail.create(
            {
                "subject": "Hello",
                "body_html": "<p>Hello</p>",
                "email_to": "customer@customer.example",
                **values,
            }
        )

    def template_mail(self, user, record, **values):
        """The ``mail.mail`` of a template on a contact, sent by a user's code."""
        template = self._create_template(**values)
        mail_id = template.with_user(user).sudo().send_mail(record.id)
        return self.env["mail.mail"].browse(mail_id)

    def deliver(self, mails):
        """Send mails as the queue does, by OdooBot, and check the explanation.

        What ``_get_mail_routes`` announces has to be what the SMTP server receives.

        :return: the one mail that arrived
        """
        mails = mails.with_user(self.env.ref("base.user_root"))
        route = mails._get_mail_routes()[mails[0].id]
        with self.sending():
            mails.send()
        received = self.one_received()
        self.assertEqual(route.mail_server.smtp_user, received.login)
        self.assertEqual(route.envelope_sender, received.mail_from)
        for header, value in (
            ("From", route.email_from),
            ("Reply-To", route.reply_to),
            ("Return-Path", route.return_path),
        ):
            self.assertEqual(received.header(header), value, header)
        return received

    def run_queue(self):
        """Send what is queued, by the scheduled action that does it every day."""
        with self.sending(), self.enter_registry_test_mode():
            self.env.ref("mail.ir_cron_mail_scheduler_action").method_direct_trigger()

    def mail_to(self, address):
        """The one mail that arrived for an address, beside those for others."""
        mails = [mail for mail in self.received() if address in mail.rcpt_tos]
        self.assertEqual(len(mails), 1, self.received())
        return mails[0]

    def one_received(self):
        received = self.received()
        self.assertEqual(len(received), 1, received)
        return received[0]

    def assertRoute(self, received, login, email_from, envelope, reply_to=None):
        """Check who carried a mail and what it says.

        :param str envelope: the address of the envelope sender and of Return-Path
        """
        self.assertEqual(received.login, login)
        self.assertEqual(received.header("From"), email_from)
        self.assertEqual(received.mail_from, envelope)
        self.assertEqual(received.header("Return-Path"), envelope)
        if reply_to is not None:
            self.assertEqual(received.header("Reply-To"), reply_to)

    @contextmanager
    def refused(self, error, regex):
        """Check that what is done here is refused, and leaves nothing half written."""
        with self.assertRaises(error) as caught:
            yield
        self.assertRegex(str(caught.exception), regex)

    def explained(self, mail):
        """The sentences that explain the route of a mail."""
        return [str(step) for step in mail._get_mail_routes()[mail.id].steps]

    def assertRule(self, mail, rule):
        """Check the rule by which a mail would leave."""
        self.assertEqual(mail._get_mail_routes()[mail.id].rule, rule)


class RpcError(Exception):
    """What Odoo answered instead of a result, all that a client gets to see of it.

    :param dict data: name and message of the exception, and its traceback
    """

    def __init__(self, data):
        super().__init__(json.dumps(data))
        self.name = data["name"].rpartition(".")[2]
        self.message = data["message"]


class RpcCase(RoutingCase, HttpCase):
    """The calls that a client makes over JSON-RPC, as the user who is logged in."""

    def call(self, user, model, method, /, *args, **kwargs):
        """Call a method of a model, as the web client does.

        :raise RpcError: Odoo refused it
        """
        values = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        return self.request(user, f"/web/dataset/call_kw/{model}/{method}", **values)

    def request(self, user, route, **params):
        """Send a JSON-RPC request as a user.

        :raise RpcError: Odoo answered with an error
        """
        if not self.session or self.session.uid != user.id:
            self.authenticate(user.login, user.login)
        answer = self.opener.post(
            urljoin(self.base_url(), route),
            json={"jsonrpc": "2.0", "method": "call", "params": params},
            timeout=60,
        ).json()
        self.env.invalidate_all()
        if "error" in answer:
            raise RpcError(answer["error"]["data"])
        return answer.get("result")
