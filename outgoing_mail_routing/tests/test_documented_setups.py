import csv
from pathlib import Path

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged

from ..bridge.addresses import email_of
from .common import RoutingCase

README = Path(__file__).parents[1] / "readme"


def read_table(name):
    """The rows of a table in the README, without their markup."""
    with (README / f"{name}.csv").open(newline="") as lines:
        for row in csv.reader(lines):
            yield tuple(cell.replace("``", "").strip("*") for cell in row)


def mail(who_sends_what):
    """Make a method send the mail of a row, and return what arrived."""

    def mark(method):
        method.who_sends_what = who_sends_what
        return method

    return mark


class DocumentedSetup(RoutingCase):
    """Servers as one table of the README has them, and the mails of another.

    The companies A and B have no servers here.
    """

    #: Name of the table of mails; that of the servers has ``_SERVERS`` at its end
    TABLE = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.records = {}
        cls._create_setup()
        cls.servers = {}
        labels, *servers = zip(*read_table(f"{cls.TABLE}_SERVERS"), strict=True)
        for cells in servers:
            typed = dict(zip(labels, cells, strict=True))
            cls.servers[typed["Name"]] = cls._create_documented_server(typed)

    @classmethod
    def _create_servers(cls):
        cls.smtp = {}

    @classmethod
    def _create_setup(cls):
        """The companies and users that the table of servers names."""
        raise NotImplementedError

    @classmethod
    def _create_business(cls, name, domain, parent=None):
        """A company with an address of its own, in an e-mail domain."""
        domains = cls.env["mail.alias.domain"]
        company = cls.env["res.company"].create(
            {
                "name": name,
                "email": f"info@{domain}",
                "parent_id": parent.id if parent else False,
                "alias_domain_id": (
                    domains.search([("name", "=", domain)])
                    or domains.create({"name": domain})
                ).id,
            }
        )
        cls.records[name] = company
        return company

    @classmethod
    def _create_person(cls, name, domain, *companies):
        login = name.lower()
        user = cls._create_user(login, *companies, email=f"{login}@{domain}")
        cls.records[name] = user
        return user

    @classmethod
    def _create_documented_server(cls, typed):
        """A server with what is typed beside the labels of its form."""
        known = cls.env["ir.mail_server"]._fields.values()
        fields_by_label = {field.string: field for field in known}
        values = {}
        for label, text in typed.items():
            if text:
                field = fields_by_label[label]
                values[field.name] = cls._get_documented_value(field, text)
        return cls._create_server(values.pop("smtp_user"), **values)

    @classmethod
    def _get_documented_value(cls, field, text):
        if field.type == "many2many":
            named = [cls.records[name] for name in text.split(", ")]
            return [Command.link(record.id) for record in named]
        if field.type == "selection":
            labels = dict(field._description_selection(cls.env))
            return next(value for value, label in labels.items() if label == text)
        return text == "yes" if field.type == "boolean" else text

    def check_mails(self):
        """Send the mail of every row; there is no mail without one."""
        senders = {
            method.who_sends_what: method
            for method in vars(type(self)).values()
            if hasattr(method, "who_sends_what")
        }
        _headings, *rows = read_table(self.TABLE)
        self.assertEqual([row[0] for row in rows], list(senders))
        for who_sends_what, *cells in rows:
            with self.subTest(who_sends_what):
                self.forget_received()
                received = senders[who_sends_what](self)
                self.assertEqual(self._get_cells(received), cells)

    def _get_cells(self, received):
        """What a row tells of a mail that arrived."""
        names = {server.smtp_user: name for name, server in self.servers.items()}
        reply_to = received.header("Reply-To") or received.header("From")
        return [names[received.login], received.header("From"), email_of(reply_to)]

    def post_on_record(self, user, company):
        """Write in the chatter of a record, all companies of the user being open."""
        records = self._create_customer(company)
        companies = user.company_id | user.company_ids
        return self.post(user, records.with_context(allowed_company_ids=companies.ids))

    def send_template(self, user, company, email_from):
        """Send a template on a record by the composer."""
        records = self._create_customer(company)
        composers = self.env["mail.compose.message"].with_user(user)
        composer = composers.create(
            {
                "composition_mode": "comment",
                "model": records._name,
                "res_ids": records.ids,
                "template_id": self._create_template(email_from=email_from).id,
            }
        )
        with self.sending():
            composer.action_send_mail()
        return self.one_received()

    def post_as_odoo(self, company, author):
        """Post on a record as a scheduled action does."""
        records = self._create_customer(company)
        bot = self.env.ref("base.user_root")
        return self.post(bot, records, author_id=author.partner_id.id)

    def post_in_portal(self, company, told):
        """Post on a record as a portal customer, and tell a user."""
        customer = self.portal_user
        with self.sending():
            self._message_post(
                self._create_customer(company).with_user(customer).sudo(),
                author_id=customer.partner_id.id,
                partner_ids=told.partner_id.ids,
            )
        return self.one_received()


@tagged("post_install", "-at_install")
class TestMailboxes(DocumentedSetup):
    """One company; some of its people have a mailbox."""

    TABLE = "SETUP_MAILBOXES"

    @classmethod
    def _create_setup(cls):
        cls.oak = cls._create_business("Oak", "oak.example")
        for name in ("Nora", "Otto", "Sam"):
            setattr(cls, name.lower(), cls._create_person(name, "oak.example", cls.oak))
        cls.otto.group_ids += cls.env.ref("base.group_system")

    def setUp(self):
        super().setUp()
        self.servers["Otto's mailbox"].action_collect_replies()
        self.servers["Otto's mailbox"].fetchmail_server_id.state = "done"

    def _get_cells(self, received):
        """Bounces come back to the mailbox, of all other mail to Odoo."""
        logins = {server.smtp_user: server for server in self.servers.values()}
        server = logins[received.login]
        bounces_to = (
            server.sender_email if server.own_user_ids else "bounce@oak.example"
        )
        self.assertEqual(received.mail_from, bounces_to)
        return super()._get_cells(received)

    @mail("Nora writes in a chatter")
    def send_of_mailbox(self):
        return self.post_on_record(self.nora, self.oak)

    @mail("Otto writes in a chatter")
    def send_of_collected_mailbox(self):
        return self.post_on_record(self.otto, self.oak)

    @mail("Sam, who has no mailbox, writes in a chatter")
    def send_without_mailbox(self):
        return self.post_on_record(self.sam, self.oak)

    @mail("Nora sends an invoice, From of its template is billing@oak.example")
    def send_template_of_company(self):
        return self.send_template(self.nora, self.oak, "Billing <billing@oak.example>")

    @mail("Sam sends a template with the From of Nora")
    def send_for_colleague(self):
        return self.send_template(self.sam, self.oak, self.nora.email_formatted)

    @mail("Sam sends a template with the From of Otto, who allows it")
    def send_for_lending_colleague(self):
        return self.send_template(self.sam, self.oak, self.otto.email_formatted)

    @mail("A scheduled action posts in the name of Nora")
    def send_by_odoo(self):
        return self.post_as_odoo(self.oak, self.nora)

    @mail("A scheduled action posts in the name of Otto, who allows it")
    def send_lent_by_odoo(self):
        return self.post_as_odoo(self.oak, self.otto)

    @mail("The customer Paul writes in the portal, Sam is told")
    def send_of_customer(self):
        return self.post_in_portal(self.oak, self.sam)

    @mail("Otto, an administrator, resets the password of Nora")
    def send_of_account(self):
        with self.sending():
            self.nora.with_user(self.otto).action_reset_password()
        return self.one_received()

    def test_mails_of_mailbox_setup_leave_as_documented(self):
        if "auth_signup" not in self.env["ir.module.module"]._installed():
            self.skipTest("needs the module auth_signup")
        self.check_mails()


@tagged("post_install", "-at_install")
class TestCompanies(DocumentedSetup):
    """A relay each, a branch, and a company that relies on a shared server."""

    TABLE = "SETUP_COMPANIES"

    @classmethod
    def _create_setup(cls):
        cls.oak = cls._create_business("Oak", "oak.example")
        cls.north = cls._create_business("Oak North", "oak.example", parent=cls.oak)
        cls.elm = cls._create_business("Elm", "elm.example")
        cls.ash = cls._create_business("Ash", "ash.example")
        cls.sam = cls._create_person("Sam", "oak.example", cls.oak)
        cls.nils = cls._create_person("Nils", "oak.example", cls.north)
        cls.eva = cls._create_person("Eva", "elm.example", cls.elm)
        cls.cora = cls._create_person("Cora", "oak.example", cls.oak, cls.elm)
        cls.tom = cls._create_person("Tom", "ash.example", cls.ash)

    @mail("Sam of Oak writes in a chatter")
    def send_of_company(self):
        return self.post_on_record(self.sam, self.oak)

    @mail("Nils writes on a record of the branch Oak North")
    def send_of_branch(self):
        return self.post_on_record(self.nils, self.north)

    @mail("Eva of Elm writes in a chatter")
    def send_of_other_company(self):
        return self.post_on_record(self.eva, self.elm)

    @mail("Cora of Oak writes on a record of Elm, while Oak is open")
    def send_across_companies(self):
        return self.post_on_record(self.cora, self.elm)

    @mail("A scheduled action writes on a record of Elm")
    def send_by_odoo(self):
        return self.post_as_odoo(self.elm, self.env.ref("base.user_root"))

    @mail(
        "Sam sends a template of Elm's, From is sales@elm.example, on a record of Oak"
    )
    def send_with_from_of_other_company(self):
        return self.send_template(self.sam, self.oak, "Sales <sales@elm.example>")

    @mail("Tom of Ash, which has no server, writes in a chatter")
    def send_without_server(self):
        return self.post_on_record(self.tom, self.ash)

    @mail("The customer Paul writes to Ash in the portal, Tom is told")
    def send_of_customer(self):
        return self.post_in_portal(self.ash, self.tom)

    def test_mails_of_companies_setup_leave_as_documented(self):
        self.check_mails()


@tagged("post_install", "-at_install")
class TestOneDomain(DocumentedSetup):
    """A relay each, but one e-mail domain."""

    TABLE = "SETUP_ONE_DOMAIN"

    @classmethod
    def _create_setup(cls):
        cls.oak = cls._create_business("Oak", "group.example")
        cls.elm = cls._create_business("Elm", "group.example")
        cls.cora = cls._create_person("Cora", "group.example", cls.oak, cls.elm)

    @mail("Cora writes on a record of Oak")
    def send_of_company(self):
        return self.post_on_record(self.cora, self.oak)

    @mail("Cora writes on a record of Elm")
    def send_of_other_company(self):
        return self.post_on_record(self.cora, self.elm)

    @mail("A scheduled action writes on a record of Elm")
    def send_by_odoo(self):
        return self.post_as_odoo(self.elm, self.env.ref("base.user_root"))

    def test_mails_of_one_domain_leave_as_documented(self):
        self.check_mails()


@tagged("post_install", "-at_install")
class TestMailings(DocumentedSetup):
    """Relays, a mailbox for one company only, and a server for mailings."""

    TABLE = "SETUP_MAILINGS"

    @classmethod
    def _create_setup(cls):
        cls.oak = cls._create_business("Oak", "oak.example")
        cls.elm = cls._create_business("Elm", "elm.example")
        cls.nora = cls._create_person("Nora", "oak.example", cls.oak, cls.elm)

    def mailing(self, company, email_from, **values):
        """Send a mailing of Nora's, to one customer."""
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("mass_mailing.outgoing_mail_server", True)
        parameters.set_param(
            "mass_mailing.mail_server_id", self.servers["Newsletter"].id
        )
        self.nora.group_ids += self.env.ref("mass_mailing.group_mass_mailing_user")
        customers = self._create_customer(company)
        self.last_mailing = (
            self.env["mailing.mailing"]
            .with_user(self.nora)
            .create(
                {
                    "subject": "News",
                    "body_html": "<p>News</p>",
                    "mailing_model_id": self.env.ref("base.model_res_partner").id,
                    "mailing_domain": [("id", "in", customers.ids)],
                    "email_from": email_from,
                    **values,
                }
            )
        )
        self.last_mailing.action_launch()
        return self.run_mailing_job()

    def run_mailing_job(self):
        job = self.env.ref("mass_mailing.ir_cron_mass_mailing_queue")
        with self.sending(), self.enter_registry_test_mode():
            job.method_direct_trigger()
        self.run_queue()
        return self.one_received()

    @mail("Nora writes on a record of Oak")
    def send_of_company(self):
        return self.post_on_record(self.nora, self.oak)

    @mail("Nora writes on a record of Elm")
    def send_of_other_company(self):
        return self.post_on_record(self.nora, self.elm)

    @mail("Nora sends a mailing with her own From")
    def send_mailing(self):
        return self.mailing(self.oak, self.nora.email_formatted)

    @mail("Nora sends a mailing with From oak@news.example")
    def send_mailing_as_newsletter(self):
        return self.mailing(self.oak, "Oak <oak@news.example>")

    @mail(
        "Nora sends a mailing with Mail Server Relay of Elm, From is sales@elm.example"
    )
    def send_mailing_of_company(self):
        return self.mailing(
            self.elm,
            "Sales <sales@elm.example>",
            mail_server_id=self.servers["Relay of Elm"].id,
        )

    @mail("Odoo tells Nora the figures of her mailing a day later")
    def send_figures(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("mass_mailing.mass_mailing_reports", True)
        self.last_mailing.sent_date = fields.Datetime.subtract(
            fields.Datetime.now(), days=2
        )
        return self.run_mailing_job()

    def test_mails_of_mailings_setup_leave_as_documented(self):
        if "mass_mailing" not in self.env["ir.module.module"]._installed():
            self.skipTest("needs the module mass_mailing")
        self.check_mails()
