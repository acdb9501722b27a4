import logging
import random
from contextlib import contextmanager
from unittest.mock import patch

from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, tagged
from odoo.tools import config, email_normalize, mute_logger

from ..routing import Reason
from .common import RoutingCase, sentence
from .smtp_server import SmtpServer

_logger = logging.getLogger(__name__)

CASES = 100
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
        cls.administrator = cls._create_administrator()
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
        """The simulator as the administrator opens it by a button that fills it in."""
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

    def simulate_server(self, server):
        """The form of the simulator, as it is opened from that of a server."""
        return Form(self.simulator().with_context(simulate_mail_server_id=server.id))

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
        self.fetchmail = self.env["fetchmail.server"].create(
            {"name": "Incoming", "server_type": "local"}
        )
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
        _logger.info("%s random mails, seed %s", CASES, SEED)
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
        # Clara writes in both companies: what is open and what is written about differ
        user = self.random.choice((self.anna, self.ben, self.clara, self.clara))
        company = self.random.choice((None, *user.company_ids))
        record = self._random_record(user)
        values = {}
        if self.random.random() < 0.5:
            values["email_from"] = self._random_from()
        if forced := self._random_forced()._filter_open_to(user):
            values["mail_server_id"] = forced.id
        form = self.simulate(sender_id=user)
        form.resource_ref = f"res.partner,{record.id}"
        self.assertTrue(form.posted)
        if company and not record.company_id:
            form.company_id = company
        self._fill_in(form, values)
        opened = (company or user.company_id) | user.company_ids
        thread = record.with_user(user).with_context(allowed_company_ids=opened.ids)
        return form, lambda: self._message_post(thread, **values)

    def _queue_mail(self):
        """A mail that a user's click or Odoo itself makes, sent by the queue."""
        user = self.random.choice((self.anna, self.ben, self.clara, self.root))
        values = {"email_from": self._random_from(empty=True)}
        form = self.simulate(sender_id=user - self.root)
        if self.random.random() < 0.7:
            record = self._random_record(user)
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
        if form.company_id and (
            user == self.root or form.company_id in user.company_ids
        ):
            maker = maker.with_company(form.company_id)
        mail = maker.create({"email_to": "customer@customer.example", **values})
        return form, self._as_queue(mail).send

    def _as_queue(self, mails):
        """Mails as the scheduled action has them, with no company open."""
        return self.env["mail.mail"].with_user(self.root).browse(mails.ids)

    def _queue_template(self):
        """The mail of a template, made by a user's click and sent by the queue."""
        user = self.random.choice((self.anna, self.ben, self.clara, self.root))
        record = self._random_record(user)
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
        opened = {"allowed_company_ids": (user.company_id | user.company_ids).ids}
        template = template.with_user(user).with_context(**opened)
        mail = self.env["mail.mail"].browse(template.send_mail(record.id))
        return form, self._as_queue(mail).send

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

    def _random_record(self, user):
        """A contact that the user may read: of no company, or of one of theirs."""
        return self.random.choice(
            (self.customer | self.customer_a | self.customer_b).filtered(
                lambda record: (
                    user == self.root or record.company_id <= user.company_ids
                )
            )
        )

    def _random_forced(self):
        chance = self.random.random()
        return self.random.choice(self.servers) if chance < 0.25 else self.servers[:0]

    def _change_world(self):
        """Assign and configure all servers anew."""
        self.servers.write(
            {
                "own_user_ids": False,
                "default_company_ids": False,
                "company_ids": False,
                "reserved": False,
            }
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
            "delegation": choice(("nobody", "odoo", "colleagues")),
        }

    def _random_assignment(self):
        users = self._some_of(self.anna | self.ben | self.clara, 0.15)
        companies = self.company_a | self.company_b
        return {
            "own_user_ids": [Command.set(users.ids)],
            "default_company_ids": [Command.set(self._some_of(companies, 0.15).ids)],
            "company_ids": [Command.set(self._some_of(companies, 0.3).ids)],
            "reserved": self.random.random() < 0.2,
        }


@tagged("post_install", "-at_install")
class TestSimulator(SimulatorCase):
    """What the simulator shows of one mail, and what it sends as a test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.template = cls.env["mail.template"].create(
            {
                "name": "Offer",
                "model_id": cls.env.ref("base.model_res_partner").id,
                "email_from": "{{ user.name }} <shop@shop.example>",
                "reply_to": "{{ object.email }}",
            }
        )

    def test_form_opens_on_own_mail_of_the_administrator(self):
        form = self.simulate()
        self.assertEqual(form.sender_id, self.administrator)
        self.assertEqual(form.email_from, self.administrator.email_formatted)
        self.assertEqual(form.route_server_id, self.relay_a)
        self.assertEqual(form.route_rule, "company")
        self.assertEqual(form.route_company_id, self.company_a)

    def test_answer_follows_every_input(self):
        form = self.simulate(sender_id=self.anna)
        self.assertEqual(form.route_server_id, self.mailbox)
        form.email_from = "shop@shop.example"
        self.assertEqual(form.route_server_id, self.shop)
        form.email_from = "somebody@b.example"
        form.company_id = self.company_b
        self.assertEqual(form.route_server_id, self.relay_b)
        form.mail_server_id = self.shared
        self.assertEqual(
            (form.route_server_id, form.route_rule), (self.shared, "forced")
        )

    def test_headers_before_and_after_are_shown(self):
        form = self.simulate(sender_id=self.anna)
        form.reply_to = False
        self.assertEqual(form.before_email_from, "Anna <anna@a.example>")
        self.assertEqual(form.before_reply_to, "Anna <anna@a.example>")
        self.assertEqual(form.before_envelope_sender, "bounce@a.example")
        self.assertEqual(form.after_email_from, "Anna <office@mailbox.example>")
        self.assertEqual(form.after_reply_to, "Anna <office@mailbox.example>")
        self.assertEqual(form.after_envelope_sender, "office@mailbox.example")
        self.assertEqual(form.after_return_path, "office@mailbox.example")

    def test_every_step_is_a_row_and_the_last_one_is_taken(self):
        form = self.simulate(sender_id=self.ben)
        self.assertEqual(
            form.steps,
            [
                {
                    "rule": "User",
                    "server_id": False,
                    "server": "",
                    "taken": False,
                    "reason": sentence(Reason.NO_OWN_SERVERS, user="Ben"),
                },
                {
                    "rule": "Company",
                    "server_id": self.relay_a.id,
                    "server": "Relay-a",
                    "taken": True,
                    "reason": sentence(
                        Reason.COMPANY_MAY_SEND,
                        server="Relay-a",
                        company="A",
                        email="ben@a.example",
                    ),
                },
            ],
        )

    def test_bulk_is_sent_for_nobody(self):
        if "mailing.mailing" not in self.env:
            self.skipTest("needs the module mass_mailing")
        form = self.simulate(sender_id=self.anna)
        form.bulk = True
        self.assertFalse(form.route_sender_id)
        self.assertEqual(form.route_server_id, self.relay_a)

    def test_template_is_rendered_as_who_makes_the_mail(self):
        form = self.simulate(sender_id=self.anna, template_id=self.template)
        form.resource_ref = f"res.partner,{self.customer_a.id}"
        self.assertEqual(form.email_from, "Anna <shop@shop.example>")
        self.assertEqual(form.reply_to, self.customer_a.email)
        self.assertEqual(form.route_server_id, self.shop)

    def test_template_that_cannot_be_rendered_says_so_in_the_form(self):
        # core only tries a template on the first record when it is saved
        self.template.email_from = f"{{{{ 1 / (object.id - {self.customer_a.id}) }}}}"
        with mute_logger("odoo.addons.mail.models.mail_render_mixin"):
            form = self.simulate(template_id=self.template)
            form.resource_ref = f"res.partner,{self.customer_a.id}"
            self.assertRegex(form.error_message, "Failed to render")
        self.assertFalse(form.route_server_id)
        form.template_id = self.env["mail.template"]
        self.assertFalse(form.error_message)
        self.assertTrue(form.route_server_id)

    def test_button_on_template_fills_it_in(self):
        form = Form(self.simulator(template_id=self.template.id))
        self.assertEqual(form.template_id, self.template)
        self.assertRegex(form.resource_ref, "^res.partner,")
        self.assertEqual(form.route_server_id, self.shop)

    def test_button_on_mail_shows_the_route_of_that_mail(self):
        mails = (
            self.mail(self.anna, email_from="shop@shop.example"),
            self.mail(self.anna, mail_server_id=self.shared.id),
            self.mail(self.env.ref("base.user_root"), author_id=False),
            self.queue(self.clara, self.customer_b),
        )
        for mail in mails:
            root = mail.with_user(self.env.ref("base.user_root"))
            route = root._get_mail_routes()[mail.id]
            simulation = Form(self.simulator(mail_id=mail.id)).save()
            with self.subTest(mail=mail):
                self.assertEqual(simulation.route_server_id, route.mail_server)
                self.assertEqual(simulation.route_rule, route.rule)
                for name in ("email_from", "reply_to", "return_path"):
                    self.assertEqual(
                        simulation[f"after_{name}"], getattr(route, name), name
                    )
                self.assertEqual(
                    simulation.after_envelope_sender, route.envelope_sender
                )

    def test_mail_taken_out_of_the_form_leaves_its_values_to_try(self):
        mail = self.mail(self.anna, email_from="shop@shop.example")
        form = Form(self.simulator(mail_id=mail.id))
        self.assertEqual(form.sender_id, self.anna)
        form.mail_id = self.env["mail.mail"]
        self.assertEqual(form.route_server_id, self.shop)
        form.email_from = "anna@a.example"
        self.assertEqual(form.route_server_id, self.mailbox)

    def test_button_on_server_asks_for_the_mail_that_its_form_tells_of(self):
        personal = self._create_server(
            self.ben.email, owner_user_id=self.ben.id, from_filter=self.ben.email
        )
        self.company_a.email = "info@a.example"
        for server, sender, email_from in (
            (self.mailbox, self.anna, "anna@a.example"),
            (personal, self.ben, "ben@a.example"),
            (self.relay_a, self.env["res.users"], "info@a.example"),
        ):
            with self.subTest(server.name):
                form = self.simulate_server(server)
                self.assertEqual(form.sender_id, sender)
                self.assertEqual(email_normalize(form.email_from), email_from)
                self.assertFalse(form.mail_server_id)
                self.assertEqual(form.route_server_id, server)
                told = server.with_user(self.administrator).routing_summary
                self.assertIn(f"leaves as {form.after_email_from};", told)

    def test_button_on_server_that_carries_nothing_tells_why(self):
        self.mailbox.out_of_service = True
        form = self.simulate_server(self.mailbox)
        self.assertEqual(form.sender_id, self.anna)
        self.assertNotEqual(form.route_server_id, self.mailbox)
        reasons = [step["reason"] for step in form.steps]
        out = sentence(Reason.OUT_OF_SERVICE, server=self.mailbox.name)
        self.assertIn(out, reasons)

    def test_button_on_server_of_nobody_sets_it_by_hand(self):
        form = self.simulate_server(self.shared)
        self.assertEqual(form.mail_server_id, self.shared)
        self.assertEqual(form.sender_id, self.administrator)
        self.assertEqual(form.route_rule, "forced")

    def test_from_without_an_address_is_told_to_be_none(self):
        for text, regex in (
            ("nonsense", "“nonsense” in From is no e-mail address"),
            ("Anna <anna>", "in From is no e-mail address"),
        ):
            with self.subTest(text):
                form = self.simulate(sender_id=self.ben)
                form.email_from = text
                self.assertFalse(form.error_message)
                self.assertRegex(form.warning, regex)
        form.email_from = "Ben <ben@a.example>"
        self.assertNotRegex(form.warning, "no e-mail address")

    def test_from_that_core_refuses_is_told_to_be_no_address(self):
        """Without a bounce address the From would have to be the envelope sender."""
        self.env["res.company"].search([]).alias_domain_id = False
        form = self.simulate(sender_id=self.ben)
        form.mail_server_id = self.shared
        form.email_from = "nonsense"
        self.assertRegex(form.error_message, "^“nonsense” in From is no e-mail address")
        form.email_from = "ben@a.example"
        self.assertFalse(form.error_message)

    def test_warnings_name_what_may_go_wrong(self):
        form = self.simulate(sender_id=self.anna)
        self.assertRegex(form.warning, "From is rewritten from .*anna@a.example")
        self.assertRegex(form.warning, "without encryption")
        self.assertRegex(form.warning, "never tested")
        self.assertNotRegex(form.warning, "does not collect|DMARC")
        form.reply_to = "anna@a.example"
        self.assertRegex(form.warning, "Answers go to .*office@.*does not collect")
        form.mail_server_id = self.shared
        form.email_from = "anna@elsewhere.example"
        self.assertRegex(form.warning, "DMARC")
        self.assertNotRegex(form.warning, "rewritten")

    def test_warning_of_lost_answers_ends_where_a_server_collects_them(self):
        incoming = self.env["fetchmail.server"].create(
            {"name": "Incoming", "server_type": "local"}
        )
        self.mailbox.fetchmail_server_id = incoming
        form = self.simulate(sender_id=self.anna)
        self.assertEqual(form.after_reply_to, "Anna <office@mailbox.example>")
        self.assertNotRegex(form.warning, "does not collect")
        incoming.active = False
        form = self.simulate(sender_id=self.anna, reply_to="anna@a.example")
        self.assertRegex(form.warning, "does not collect")

    def test_warning_of_untested_server_ends_with_a_test_of_this_connection(self):
        with self.sending():
            self.mailbox.with_user(self.administrator).test_smtp_connection()
        self.assertNotRegex(self.simulate(sender_id=self.anna).warning, "never tested")
        self.mailbox.smtp_port += 1
        self.assertRegex(self.simulate(sender_id=self.anna).warning, "never tested")

    # ------------------------------------------------------------------
    # Test mail
    # ------------------------------------------------------------------

    def _send_test_mail(self, form):
        form.test_email_to = "someone@else.example"
        simulation = form.save()
        with self.sending(), mute_logger("odoo.addons.base.models.ir_mail_server"):
            return simulation, simulation.action_send_test_mail()["params"]

    def test_test_mail_leaves_by_the_simulated_route(self):
        self.relay_a.write(
            {"reply_to_policy": "custom", "reply_to_email": "answers@a.example"}
        )
        cases = {
            "user": {"sender_id": self.anna},
            "company": {"sender_id": self.ben},
            "from_filter": {"email_from": "shop@shop.example"},
            "forced": {"mail_server_id": self.shared},
            "system": {"email_from": "x@y.example"},
        }
        for rule, values in cases.items():
            self.forget_received()
            if rule == "system":
                (self.env["ir.mail_server"].search([])).reserved = True
                self.company_a.mail_server_ids = False
            before = self.env["mail.mail"].search_count([])
            with self.subTest(rule=rule):
                simulation, result = self._send_test_mail(self.simulate(**values))
                self.assertEqual(result["type"], "success", result)
                self.assertEqual(simulation.route_rule, rule)
                received = self.one_received()
                self.assertReceivedAsSimulated(simulation, received)
                self.assertEqual(received.rcpt_tos, ("someone@else.example",))
            self.assertEqual(self.env["mail.mail"].search_count([]), before)

    def test_test_mail_marks_its_server_as_tested(self):
        self._send_test_mail(self.simulate(sender_id=self.anna))
        self.assertTrue(self.mailbox.tested_date)
        self.assertFalse(self.relay_a.tested_date)

    def test_test_mail_that_fails_says_why_and_nothing_crashes(self):
        self.mailbox.smtp_pass = "wrong"
        closed = self.shared.copy({"smtp_port": 1})
        barred = self._create_server("barred", company_ids=self.company_b.ids)
        cases = (
            ({"sender_id": self.anna}, "did not take the test mail.*535"),
            ({"mail_server_id": closed}, "did not take the test mail.*refused"),
            (
                {"mail_server_id": barred},
                sentence(Reason.FORCED_BARRED, server="Barred", company="A"),
            ),
            ({"mail_server_id": self.shared}, "not one e-mail address"),
        )
        for values, expected in cases:
            with self.subTest(expected=expected):
                form = self.simulate(**values)
                form.test_email_to = "someone@else.example"
                if "not one" in expected:
                    form.test_email_to = "a@b.example, c@d.example"
                with self.sending():
                    result = form.save().action_send_test_mail()["params"]
                self.assertEqual(result["type"], "danger")
                self.assertRegex(result["message"].replace("\n", " "), expected)
        self.assertFalse(self.received())
        self.assertFalse(self.mailbox.tested_date)

    # ------------------------------------------------------------------
    # Security
    # ------------------------------------------------------------------

    def test_plain_user_sees_nothing(self):
        Simulation = self.env["mail.routing.simulation"].with_user(self.ben)
        simulation = self.simulate(sender_id=self.anna).save().with_user(self.ben)
        specification = {"route_server_id": {}, "steps": {}, "email_from": {}}
        calls = {
            "create": lambda: Simulation.create({}),
            "read": lambda: simulation.read(["route_server_id"]),
            "web_read": lambda: simulation.web_read(specification),
            "onchange": lambda: Simulation.onchange({}, [], specification),
            "compute": lambda: Simulation.sudo().new({}).steps,
            "default_get": lambda: Simulation.with_context(
                default_mail_id=self.mail(self.anna).id
            ).default_get(["mail_id", "email_from"]),
            "send": lambda: simulation.action_send_test_mail(),
            "sudo": lambda: simulation.sudo().action_send_test_mail(),
        }
        for name, call in calls.items():
            with self.subTest(call=name), self.assertRaises(AccessError):
                call()

    def test_buttons_are_for_administrators(self):
        action = self.env.ref("outgoing_mail_routing.mail_routing_simulation_action")
        for model, view in (
            ("res.users", "base.view_users_form"),
            ("res.company", "base.view_company_form"),
            ("ir.mail_server", "base.ir_mail_server_form"),
            ("mail.template", "mail.email_template_form"),
            ("mail.mail", "mail.view_mail_form"),
            ("mail.mail", "mail.view_mail_tree"),
        ):
            view_id = self.env.ref(view).id
            for user, shown in ((self.administrator, True), (self.ben, False)):
                records = self.env[model].with_user(user)
                with self.subTest(model=model, view=view, user=user.login):
                    if shown or records.has_access("read"):
                        arch = records.get_view(view_id)["arch"]
                        self.assertEqual(f'name="{action.id}"' in arch, shown)


_NOISY = (
    "odoo.addons.mail.models.mail_mail",
    "odoo.addons.outgoing_mail_routing.models.mail_routing",
)
