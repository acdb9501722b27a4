import random
from contextlib import contextmanager
from unittest.mock import patch

from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import config, mute_logger

from .common import RoutingCase
from .smtp_server import SmtpServer

CASES = 120
SEED = 20260301

_DOMAINS = ("a.example", "b.example", "mailbox.example", "elsewhere.example")
_LOCALS = ("anna", "ben", "shop", "office", "catchall", "notifications")
_HEADERS = {
    "after_email_from": "From",
    "after_reply_to": "Reply-To",
    "after_return_path": "Return-Path",
}


class SimulatorCase(RoutingCase):
    """The simulator as an administrator's browser uses it, beside real sending."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        companies = cls.company_a | cls.company_b
        cls.administrator = new_test_user(
            cls.env,
            "administrator",
            groups="base.group_user,base.group_system,base.group_multi_company",
            email="administrator@a.example",
            company_id=cls.company_a.id,
            company_ids=[Command.set(companies.ids)],
        )
        cls.customer = cls.env["res.partner"].create(
            {"name": "Customer", "email": "customer@customer.example"}
        )
        cls.system = SmtpServer({"system": "secret of system"}).start()
        cls.addClassCleanup(cls.system.stop)
        cls.smtp["system"] = cls.system
        cls.startClassPatcher(
            patch.dict(
                config.options,
                {
                    "smtp_server": cls.system.host,
                    "smtp_port": cls.system.port,
                    "smtp_user": "system",
                    "smtp_password": "secret of system",
                    "smtp_ssl": False,
                },
            )
        )

    def simulator(self, **defaults):
        """The simulator's model as the administrator has it, with a button's context."""
        companies = self.administrator.company_ids
        context = {f"default_{name}": value for name, value in defaults.items()}
        return (
            self.env["mail.routing.simulation"]
            .with_user(self.administrator)
            .with_context(allowed_company_ids=companies.ids, **context)
        )

    def simulate(self, **values):
        """The form of the simulator, filled in and not saved."""
        form = Form(self.simulator())
        for name, value in values.items():
            setattr(form, name, value)
        return form

    def assertReceivedAsSimulated(self, simulation, received):
        """Compare login, envelope and headers of a mail with what was announced."""
        login = simulation.route_server_id.smtp_user or "system"
        self.assertEqual(login, received.login)
        self.assertEqual(simulation.after_envelope_sender, received.mail_from)
        for field, header in _HEADERS.items():
            self.assertEqual(simulation[field] or "", received.header(header), header)

    @contextmanager
    def decisions(self):
        """The decisions that messages are really sent by, in a list."""
        Server = type(self.env["ir.mail_server"])
        prepare, seen = Server._prepare_email_message__, []

        def spy(server, message, session):
            seen.append(session.smtp_from.decision)
            return prepare(server, message, session)

        with patch.object(Server, "_prepare_email_message__", spy):
            yield seen


@tagged("post_install", "-at_install")
class TestSimulatorProperty(SimulatorCase):
    """Random mails in random worlds: simulated, sent, compared in every field."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.servers = (
            self.mailbox | self.relay_a | self.relay_b | self.shop | self.shared
        )
        self.fetchmail = self.env["fetchmail.server"].create({"name": "Incoming"})
        self.root = self.env.ref("base.user_root")
        self.mailing = "mailing.mailing" in self.env and self.env[
            "mailing.mailing"
        ].create(
            {
                "subject": "News",
                "mailing_model_id": self.env.ref("base.model_res_partner").id,
            }
        )

    def test_simulator_and_delivery_are_equal_in_every_field(self):
        print(f"{CASES} random mails, seed {SEED}")
        outcomes = set()
        for case in range(CASES):
            with self.subTest(case=case, seed=SEED):
                self._change_world()
                outcomes.add(self._compare_random_mail())
        # a test that always takes one road compares nothing
        self.assertGreaterEqual(
            outcomes,
            {"forced", "user", "company", "from_filter", "refused", "system"},
        )

    def _compare_random_mail(self):
        """Simulate and send one mail; what came of it, to be counted."""
        self.forget_received()
        way = self.random.choice((self._post, self._queue_mail, self._queue_template))
        form, send = way()
        simulation = form.save()
        with self.sending(), self.decisions() as decisions, mute_logger(*_NOISY):
            send()
        if simulation.refused:
            self.assertFalse(self.received())
            return "refused"
        received = self.one_received()
        decision = decisions[0]
        self.assertReceivedAsSimulated(simulation, received)
        self.assertEqual(simulation.route_rule, decision.rule.value)
        if decision.profile and decision.profile.assigned:
            company = decision.company
            self.assertEqual(simulation.route_company_id.id, company.id)
        return simulation.route_rule

    # ------------------------------------------------------------------
    # Ways to send
    # ------------------------------------------------------------------

    def _post(self):
        """A message in the chatter, sent at once by the company that is open."""
        user = self.random.choice((self.anna, self.ben, self.clara))
        company = self.random.choice((None, *user.company_ids))
        record = self._random_record()
        values = {}
        if self.random.random() < 0.5:
            values["email_from"] = self._random_from()
        if forced := self._random_forced():
            values["mail_server_id"] = forced.id
        form = self.simulate(sender_id=user)
        form.resource_ref = f"res.partner,{record.id}"
        self.assertTrue(form.posted)
        if company and not record.company_id:
            form.company_id = company
        self._fill_in(form, values)
        current = company or user.company_id
        thread = record.with_user(user).with_company(current)
        return form, lambda: self._message_post(thread, **values)

    def _queue_mail(self):
        """A mail that a user's click or Odoo itself makes, sent by the queue."""
        user = self.random.choice((self.anna, self.ben, self.clara, self.root))
        values = {"email_from": self._random_from(empty=True)}
        form = self.simulate(sender_id=user - self.root)
        if self.random.random() < 0.7:
            record = self._random_record()
            form.resource_ref = f"res.partner,{record.id}"
            form.posted = False
            values.update(model="res.partner", res_id=record.id)
        if self.random.random() < 0.3:
            form.company_id = self.random.choice((self.company_a, self.company_b))
            values["record_company_id"] = form.company_id.id
        if self.mailing and self.random.random() < 0.2:
            form.bulk = True
            values["mailing_id"] = self.mailing.id
        if forced := self._random_forced():
            values["mail_server_id"] = forced.id
        self._fill_in(form, values)
        maker = self.env["mail.mail"].with_user(user).sudo()
        if form.company_id and (user == self.root or form.company_id in user.company_ids):
            maker = maker.with_company(form.company_id)
        mail = maker.create({"email_to": "customer@customer.example", **values})
        return form, mail.with_user(self.root).send

    def _queue_template(self):
        """The mail of a template, made by a user's click and sent by the queue."""
        user = self.random.choice((self.anna, self.ben, self.clara, self.root))
        record = self._random_record()
        template = self.env["mail.template"].create(
            {
                "name": "Template",
                "model_id": self.env.ref("base.model_res_partner").id,
                "subject": "Hello",
                "body_html": "<p>Hello</p>",
                "email_to": "customer@customer.example",
                "email_from": self.random.choice(
                    (
                        False,
                        "{{ user.email_formatted }}",
                        "{{ object.name }} <shop@shop.example>",
                        self._random_from(),
                    )
                ),
                "reply_to": self.random.choice(
                    (False, "{{ object.email }}", "answers@a.example")
                ),
                "mail_server_id": self._random_forced().id,
            }
        )
        form = self.simulate(sender_id=user - self.root, template_id=template)
        form.resource_ref = f"res.partner,{record.id}"
        made = template.with_user(user).send_mail(record.id)
        return form, self.env["mail.mail"].browse(made).with_user(self.root).send

    def _fill_in(self, form, values):
        if "email_from" in values:
            form.email_from = values["email_from"]
        if "mail_server_id" in values:
            form.mail_server_id = self.env["ir.mail_server"].browse(
                values["mail_server_id"]
            )

    # ------------------------------------------------------------------
    # Random things
    # ------------------------------------------------------------------

    def _maybe(self, value, chance=0.5):
        return value if self.random.random() < chance else False

    def _some_of(self, records, chance):
        return records.filtered(lambda _record: self.random.random() < chance)

    def _random_address(self):
        return f"{self.random.choice(_LOCALS)}@{self.random.choice(_DOMAINS)}"

    def _random_from(self, empty=False):
        address = self._random_address()
        values = [address, f'"A Name, Inc." <{address}>', f"Ünal <{address}>"]
        return self.random.choice([*values, False] if empty else values)

    def _random_record(self):
        return self.random.choice((self.customer, self.customer_a, self.customer_b))

    def _random_forced(self):
        chance = self.random.random()
        return self.random.choice(self.servers) if chance < 0.2 else self.servers[:0]

    def _change_world(self):
        """Assign and configure all servers anew."""
        self.servers.write(
            {"own_user_ids": False, "default_company_ids": False, "company_ids": False}
        )
        for server in self.servers:
            server.write(self._random_policies())
            with self._tolerated():
                server.write(self._random_assignment())
        users = self.anna | self.ben | self.clara
        users.use_own_mail_servers = True
        self._some_of(users, 0.1).use_own_mail_servers = False
        self.company_b.alias_domain_id.default_from = self.random.choice(
            (False, "notifications", "shop@shop.example")
        )
        if self.random.random() < 0.1:
            # all closed to each other: what nobody is assigned to is the system's
            self.servers.reserved = True

    @contextmanager
    def _tolerated(self):
        """An assignment that the addon refuses is left out."""
        try:
            with self.env.cr.savepoint():
                yield
        except ValidationError:
            self.env.invalidate_all()

    def _random_policies(self):
        choice = self.random.choice
        return {
            "sequence": self.random.randint(1, 5),
            "from_filter": choice((False, *_DOMAINS, self._random_address())),
            "from_policy": choice(("auto", "auto", "filter", "login", "any")),
            "sender_email": self._maybe(self._random_address()),
            "reply_to_email": "answers@elsewhere.example",
            "reply_to_policy": choice(("auto", "auto", "odoo", "from", "custom")),
            "bounce_policy": choice(("auto", "auto", "odoo", "from")),
            "fetchmail_server_id": self._maybe(self.fetchmail.id, 0.2),
            "allow_delegation": self.random.random() < 0.5,
        }

    def _random_assignment(self):
        users = self._some_of(self.anna | self.ben | self.clara, 0.25)
        companies = self.company_a | self.company_b
        return {
            "own_user_ids": [Command.set(users.ids)],
            "default_company_ids": [Command.set(self._some_of(companies, 0.3).ids)],
            "company_ids": [Command.set(self._some_of(companies, 0.2).ids)],
            "reserved": self.random.random() < 0.2,
        }


_NOISY = (
    "odoo.addons.mail.models.mail_mail",
    "odoo.addons.outgoing_mail_routing.models.mail_routing",
)
