import json

from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import Form, HttpCase, tagged

from .common import RoutingCase

MAILBOX = "office@mailbox.example"
FORM = "mail.email_compose_message_wizard_form"
REFUSED = "cannot leave as the sender chosen"


class ComposerCase(RoutingCase):
    """Anna may choose between her mailbox and the relay of company A."""

    def context_of(self, records, **values):
        """What the chatter, or the list of some records, opens the composer with."""
        mode = "comment" if len(records) == 1 else "mass_mail"
        defaults = {
            "composition_mode": mode,
            "model": records._name,
            "res_ids": records.ids,
            "subject": "Hello",
            **values,
        }
        return {f"default_{name}": value for name, value in defaults.items()}

    def compose(self, user, records, **values):
        """The full composer as a form, with what a user reads in it."""
        Composer = self.env["mail.compose.message"].with_user(user)
        context = self.context_of(
            records, partner_ids=records.ids if len(records) == 1 else [], **values
        )
        return Form(Composer.with_context(**context), view=FORM)

    def labels(self, composer):
        return [label for _key, label in composer.sender_options or []]

    def choose(self, composer, server):
        """Choose a sender that is offered."""
        keys = [key for key, _label in composer.sender_options]
        self.assertIn(str(server.id), keys)
        composer.sender_choice = str(server.id)

    def send(self, composer):
        with self.sending():
            composer.save().action_send_mail()
        return self.one_received()


@tagged("post_install", "-at_install")
class TestSenderOptions(ComposerCase):
    """Who is offered what."""

    def test_options_tell_the_default_and_every_possible_sender(self):
        composer = self.compose(self.anna, self.customer_a)
        self.assertEqual(
            composer.sender_options,
            [
                ["", f"Automatic: Anna <{MAILBOX}>"],
                [str(self.mailbox.id), f"Anna <{MAILBOX}> (Office@mailbox.example)"],
                [str(self.relay_a.id), "Anna <anna@a.example> (Relay-a)"],
            ],
        )
        self.assertFalse(composer.sender_choice)

    def test_options_are_none_where_every_choice_comes_to_the_default(self):
        for user, record in (
            (self.ben, self.customer_a),
            (self.clara, self.customer_b),
        ):
            with self.subTest(user=user.name):
                self.assertFalse(self.compose(user, record).sender_options)
        self.anna.use_own_mail_servers = False
        self.assertFalse(self.compose(self.anna, self.customer_a).sender_options)

    def test_options_are_none_where_nothing_is_assigned(self):
        self.anna.own_mail_server_ids = False
        (self.company_a + self.company_b).mail_server_ids = False
        self.assertFalse(self.compose(self.anna, self.customer_a).sender_options)

    def test_options_on_record_of_other_company_are_that_companys(self):
        self.clara.own_mail_server_ids = self._create_server("clara@mailbox.example")
        labels = self.labels(self.compose(self.clara, self.customer_b))
        self.assertEqual(
            labels,
            [
                "Automatic: Clara <clara@mailbox.example>",
                "Clara <clara@mailbox.example> (Clara@mailbox.example)",
                "Clara <notifications@b.example> (Relay-b)",
            ],
        )

    def test_options_follow_the_from_of_the_template(self):
        composer = self.compose(self.anna, self.customer_a)
        composer.template_id = self._create_template(
            email_from='"Shop" <shop@shop.example>'
        )
        self.assertEqual(
            self.labels(composer),
            [
                "Automatic: Shop <shop@shop.example>",
                f"Shop <{MAILBOX}> (Office@mailbox.example)",
                "Shop <notifications@a.example> (Relay-a)",
            ],
        )

    def test_options_show_the_server_of_the_template_as_the_default(self):
        composer = self.compose(self.anna, self.customer_a)
        composer.template_id = self._create_template(mail_server_id=self.shared.id)
        self.assertEqual(
            self.labels(composer)[0], "From the template: Anna <anna@a.example>"
        )
        composer = self.compose(self.ben, self.customer_a)
        self.shared.company_ids = self.company_b
        composer.template_id = self._create_template(mail_server_id=self.shared.id)
        self.assertEqual(
            self.labels(composer)[0],
            "From the template: its mail server may not send this",
        )

    def test_options_of_many_records_name_no_address_they_differ_in(self):
        records = self.customer_a + self.customer_b
        self.clara.own_mail_server_ids = self.mailbox
        composer = self.compose(self.clara, records, email_from="x@elsewhere.example")
        self.assertFalse(composer.sender_options)
        composer = self.compose(
            self.clara,
            records,
            template_id=self._create_template(email_from="{{ user.email }}").id,
        )
        self.assertEqual(
            self.labels(composer),
            ["Automatic: as each record decides", "Office@mailbox.example"],
        )

    def test_options_of_a_mass_mailing_leave_out_own_servers(self):
        if "mass_mailing_name" not in self.env["mail.compose.message"]._fields:
            self.skipTest("mass_mailing is not installed")
        relay = self._create_server("relay-a2", from_filter="a.example")
        self.company_a.mail_server_ids += relay
        composer = self.compose(
            self.anna, self.customer_a, composition_mode="mass_mail"
        )
        self.assertEqual(len(composer.sender_options), 4)
        composer.mass_mailing_name = "Campaign"
        self.assertEqual(
            self.labels(composer),
            [
                "Automatic: Anna <anna@a.example>",
                "Anna <anna@a.example> (Relay-a)",
                "Anna <anna@a.example> (Relay-a2)",
            ],
        )

    def test_personal_server_is_offered_to_its_owner_for_its_own_from_only(self):
        personal = self._create_server(
            "anna@a.example", from_filter="anna@a.example", owner_user_id=self.anna.id
        )
        labels = self.labels(self.compose(self.anna, self.customer_a))
        self.assertIn("Anna <anna@a.example> (Anna@a.example)", labels)
        choosable = self.ben._get_choosable_mail_servers(self.company_a)
        self.assertNotIn(personal, choosable)
        composer = self.compose(self.anna, self.customer_a)
        composer.template_id = self._create_template(email_from="shop@shop.example")
        self.assertNotIn("(Anna@a.example)", "".join(self.labels(composer)))

    def test_choosable_servers_of_a_company_are_for_its_members(self):
        root = self.env.ref("base.user_root")
        branch = self.env["res.company"].create(
            {"name": "Branch", "parent_id": self.company_a.id}
        )
        self.ben.company_ids += branch
        for user, company, servers in (
            (self.ben, branch, self.relay_a),
            (self.anna, self.company_a, self.mailbox + self.relay_a),
            (self.anna, self.company_b, self.mailbox),
            (self.ben, self.company_b, self.env["ir.mail_server"]),
            (self.clara, self.company_b, self.relay_b),
            (self.portal_user, self.company_a, self.env["ir.mail_server"]),
            (root, self.company_a, self.env["ir.mail_server"]),
        ):
            with self.subTest(user=user.name, company=company.name):
                self.assertEqual(user._get_choosable_mail_servers(company), servers)


@tagged("post_install", "-at_install")
class TestSenderChoice(ComposerCase):
    """What becomes of the choice."""

    def test_composer_without_choice_leaves_by_the_rules(self):
        received = self.send(self.compose(self.anna, self.customer_a))
        self.assertRoute(received, MAILBOX, f"Anna <{MAILBOX}>", MAILBOX)

    def test_chosen_company_server_carries_the_users_own_from(self):
        composer = self.compose(self.anna, self.customer_a)
        self.choose(composer, self.relay_a)
        self.assertRoute(
            self.send(composer), "relay-a", "Anna <anna@a.example>", "bounce@a.example"
        )
        message = self.customer_a.message_ids[:1]
        self.assertEqual(message.sudo().mail_server_id, self.relay_a)

    def test_chosen_own_server_has_the_headers_of_the_rule(self):
        by_rule = self.send(self.compose(self.anna, self.customer_a))
        self.forget_received()
        composer = self.compose(self.anna, self.customer_a)
        self.choose(composer, self.mailbox)
        chosen = self.send(composer)
        self.assertEqual(chosen.login, MAILBOX)
        self.assertEqual(chosen.mail_from, by_rule.mail_from)
        for header in ("From", "Reply-To", "Return-Path"):
            self.assertEqual(chosen.header(header), by_rule.header(header), header)

    def test_template_server_is_kept_unless_the_user_chooses_another(self):
        template = self._create_template(mail_server_id=self.shared.id)
        composer = self.compose(self.anna, self.customer_a)
        composer.template_id = template
        self.assertEqual(self.send(composer).login, "shared")
        self.forget_received()
        composer = self.compose(self.anna, self.customer_a)
        composer.template_id = template
        self.choose(composer, self.mailbox)
        self.assertEqual(self.send(composer).login, MAILBOX)

    def test_choice_survives_a_template_that_is_chosen_later(self):
        composer = self.compose(self.anna, self.customer_a)
        self.choose(composer, self.relay_a)
        composer.template_id = self._create_template(mail_server_id=self.shared.id)
        self.assertEqual(self.send(composer).login, "relay-a")

    def test_scheduled_message_leaves_as_the_chosen_sender(self):
        composer = self.compose(
            self.anna, self.customer_a, scheduled_date="2035-01-01 08:00:00"
        )
        self.choose(composer, self.relay_a)
        composer.save().action_schedule_message()
        scheduled = self.env["mail.scheduled.message"].search(
            [("model", "=", "res.partner"), ("res_id", "=", self.customer_a.id)]
        )
        self.env.cr.execute(
            "UPDATE mail_scheduled_message SET scheduled_date = now() - interval '1h'"
            " WHERE id = %s",
            scheduled.ids,
        )
        self.env.invalidate_all()
        with self.sending():
            self.env["mail.scheduled.message"]._post_messages_cron()
        self.assertRoute(
            self.one_received(),
            "relay-a",
            "Anna <anna@a.example>",
            "bounce@a.example",
        )

    def test_mass_mail_of_several_companies_leaves_as_own_sender(self):
        self.clara.own_mail_server_ids = self.mailbox
        records = self.customer_a + self.customer_b
        composer = self.compose(
            self.clara,
            records,
            template_id=self._create_template(email_from="{{ user.email }}").id,
        )
        self.choose(composer, self.mailbox)
        with self.sending():
            composer.save().action_send_mail()
        self.assertEqual(
            {(mail.login, mail.mail_from) for mail in self.received()},
            {(MAILBOX, MAILBOX)},
        )
        self.assertEqual(len(self.received()), 2)

    def test_mass_mail_choice_of_one_company_is_refused_for_others(self):
        self.clara.own_mail_server_ids = self.mailbox
        records = self.customer_a + self.customer_b
        composer = self.compose(
            self.clara,
            records,
            template_id=self._create_template(email_from="{{ user.email }}").id,
        )
        composer.sender_choice = str(self.relay_a.id)
        composer = composer.save()
        for values in (
            {},
            {"res_domain": [("id", "in", records.ids)], "res_ids": "[]"},
        ):
            with self.subTest(**values):
                composer.write(values)
                before = self.env["mail.mail"].search_count([])
                with self.sending(), self.refused(AccessError, REFUSED):
                    composer.action_send_mail()
                self.assertFalse(self.received())
                self.assertEqual(self.env["mail.mail"].search_count([]), before)

    def test_choice_that_was_taken_away_is_refused(self):
        composer = self.compose(self.anna, self.customer_a)
        self.choose(composer, self.mailbox)
        composer = composer.save()
        self.anna.own_mail_server_ids = False
        with self.sending(), self.refused(AccessError, REFUSED):
            composer.action_send_mail()
        self.assertFalse(self.received())

    def test_choice_is_checked_for_the_company_noted_on_the_message_too(self):
        composer = self.compose(self.anna, self.customer_a)
        self.choose(composer, self.relay_a)
        composer = composer.save()
        composer.record_company_id = self.company_b
        with self.sending(), self.refused(AccessError, REFUSED):
            composer.action_send_mail()
        self.assertFalse(self.received())


@tagged("post_install", "-at_install")
class TestSenderChoiceRpc(ComposerCase, HttpCase):
    """The calls that a browser makes, and those that it would not."""

    def setUp(self):
        super().setUp()
        self.authenticate(self.anna.login, self.anna.login)

    def call(self, method, *args, context=None, **kwargs):
        """The answer of the server: ``result``, or ``error`` and what it says."""
        response = self.url_open(
            f"/web/dataset/call_kw/mail.compose.message/{method}",
            data=json.dumps(
                {
                    "params": {
                        "model": "mail.compose.message",
                        "method": method,
                        "args": args,
                        "kwargs": {"context": context or {}, **kwargs},
                    }
                }
            ),
            headers={"Content-Type": "application/json"},
        ).json()
        error = response.get("error", {}).get("data")
        return {
            "result": response.get("result"),
            "error": error and (error["name"], error["message"]),
        }

    def send_as(self, choice, context=None, button="action_send_mail", **values):
        """Open the composer, save it with a choice and press a button.

        :return: the error, if any
        """
        context = self.context_of(self.customer_a) | (context or {})
        opened = self.call("onchange", [], {}, [], SPECIFICATION, context=context)
        values = {
            name: value
            for name, value in opened["result"]["value"].items()
            if name not in ("sender_options", "partner_ids")
        } | {
            "partner_ids": [Command.link(self.customer_a.id)],
            "body": "<p>Hello</p>",
            **({"sender_choice": choice} if choice else {}),
            **values,
        }
        saved = self.call("web_save", [], values, specification={}, context=context)
        if saved["error"]:
            return saved["error"]
        composer_id = saved["result"][0]["id"]
        with self.sending():
            return self.call(button, [composer_id], context=context)["error"]

    def attacks(self):
        """Servers that Anna may not choose, and one that does not exist."""
        others = self._create_server("other@mailbox.example")
        others.own_user_ids = self.ben
        barred = self._create_server("barred", company_ids=self.company_b.ids)
        barred.default_company_ids = self.company_b
        missing = self.shared.copy()
        missing_id = missing.id
        missing.unlink()
        return {
            "another user's": str(others.id),
            "another company's": str(self.relay_b.id),
            "barred": str(barred.id),
            "nobody's": str(self.shared.id),
            "missing": str(missing_id),
            "huge": "9" * 30,
            "not a number": "1 or 1=1",
        }

    def test_choice_of_the_web_client_is_followed(self):
        for choice, login in (
            (False, MAILBOX),
            (str(self.relay_a.id), "relay-a"),
            (str(self.mailbox.id), MAILBOX),
        ):
            with self.subTest(choice=login):
                self.forget_received()
                self.assertFalse(self.send_as(choice))
                self.assertEqual(self.one_received().login, login)

    def test_choice_outside_is_refused_alike_and_sends_nothing(self):
        messages = self.env["mail.message"].search_count([])
        errors = set()
        for name, choice in self.attacks().items():
            with self.subTest(attack=name):
                error = self.send_as(choice)
                self.assertIn("AccessError", error[0])
                self.assertRegex(error[1], REFUSED)
                errors.add(error)
                errors.add(
                    self.send_as(False, context={"default_sender_choice": choice})
                )
        self.assertEqual(len(errors), 1)
        self.assertFalse(self.received())
        self.assertEqual(self.env["mail.message"].search_count([]), messages)

    def onchange(self, **values):
        """What the composer answers to values that were typed in."""
        values = {
            "model": "res.partner",
            "res_ids": str(self.customer_a.ids),
            "composition_mode": "comment",
            "email_from": "anna@a.example",
            **values,
        }
        context = self.context_of(self.customer_a)
        answer = self.call(
            "onchange", [], values, list(values), SPECIFICATION, context=context
        )
        self.assertFalse(answer["error"])
        return answer["result"]["value"]

    def test_choice_outside_is_refused_for_a_scheduled_message(self):
        error = self.send_as(
            str(self.relay_b.id),
            button="action_schedule_message",
            scheduled_date="2035-01-01 08:00:00",
        )
        self.assertRegex(error[1], REFUSED)
        scheduled = self.env["mail.scheduled.message"]
        self.assertFalse(scheduled.search([("res_id", "=", self.customer_a.id)]))

    def test_choice_outside_tells_nothing_in_onchange(self):
        answers = [
            self.onchange(sender_choice=choice) for choice in self.attacks().values()
        ]
        self.assertTrue(answers[0]["sender_options"])
        self.assertTrue(all(answer == answers[0] for answer in answers), answers)

    def test_server_typed_by_a_client_is_not_told(self):
        self.mailbox.own_user_ids = self.ben
        self.anna.own_mail_server_ids = self._create_server("anna@mailbox.example")
        answers = [
            self.onchange(mail_server_id=server.id)["sender_options"]
            for server in (self.mailbox, self.shared)
        ]
        self.assertEqual(*answers)
        self.assertEqual(answers[0][0], ["", "As set on this message"])

    def test_other_company_on_the_message_offers_none_of_its_servers(self):
        context = self.context_of(self.customer_a, record_company_id=self.company_b.id)
        opened = self.call("onchange", [], {}, [], SPECIFICATION, context=context)
        self.assertNotIn("Relay-b", json.dumps(opened["result"]))

    def test_tour_user_chooses_sender_in_full_composer(self):
        self.mailbox.name = "Anna's mailbox"
        self.relay_a.name = "Relay of company A"
        with self.sending():
            self.start_tour(
                f"/odoo/res.partner/{self.customer_a.id}",
                "outgoing_mail_routing_choose_sender",
                login=self.anna.login,
            )
        self.assertRoute(
            self.one_received(),
            "relay-a",
            "Anna <anna@a.example>",
            "bounce@a.example",
        )


# The fields of the composer's form that its onchange answers with
SPECIFICATION = {
    "body": {},
    "composition_mode": {},
    "email_from": {},
    "mail_server_id": {},
    "model": {},
    "partner_ids": {"fields": {}},
    "record_company_id": {},
    "res_ids": {},
    "sender_choice": {},
    "sender_options": {},
    "subject": {},
}
