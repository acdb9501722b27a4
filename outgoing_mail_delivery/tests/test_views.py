from ast import literal_eval

from lxml import etree

from odoo.fields import Domain
from odoo.tests import Form, tagged

from odoo.addons.outgoing_mail_routing.routing import Reason

from .log_case import LogCase

ACTIONS = ("mail_delivery_attempt_action", "mail_delivery_health_action")


@tagged("post_install", "-at_install")
class TestLog(LogCase):
    """What the log shows of an attempt."""

    def groups(self, groupby, domain=()):
        """``{value: count}`` as a list groups attempts."""
        groups = self.env["mail.delivery.attempt"].formatted_read_group(
            list(domain), [groupby], ["__count"]
        )
        return {group[groupby]: group["__count"] for group in groups}

    def test_every_view_opens(self):
        for name in ACTIONS:
            action = self.env.ref(f"outgoing_mail_delivery.{name}")
            model = self.env[action.res_model]
            for view_type in (*action.view_mode.split(","), "search"):
                with self.subTest(name, view=view_type):
                    self.assertTrue(model.get_view(view_type=view_type)["arch"])

    def test_every_filter_and_group_of_the_log_works(self):
        self._create_attempt(company_id=self.company_a.id)
        search = self.env["mail.delivery.attempt"].get_view(view_type="search")
        self._check_filters("mail.delivery.attempt", search["arch"])

    def test_every_filter_and_group_of_healths_works(self):
        self._create_health(self.relay_a)
        search = self.env["mail.delivery.health"].get_view(view_type="search")
        self._check_filters("mail.delivery.health", search["arch"])

    def test_every_filter_and_group_of_mails_works(self):
        self.mail(self.anna)
        search = self.env["mail.mail"].get_view(view_type="search")
        self._check_filters("mail.mail", search["arch"])

    def _check_filters(self, model, arch):
        """Apply each filter and group of a search view."""
        checked = 0
        for node in etree.fromstring(arch).iter("filter"):
            with self.subTest(model, filter=node.get("name")):
                domain = literal_eval(node.get("domain") or "[]")
                self.env[model].search(domain, limit=1)
                context = literal_eval(node.get("context") or "{}")
                if groupby := context.get("group_by"):
                    name, _colon, granularity = groupby.partition(":")
                    field = self.env[model]._fields[name]
                    if field.type == "datetime":
                        groupby = f"{name}:{granularity or 'month'}"
                    described = self.env[model].fields_get([name], ["groupable"])
                    self.assertTrue(described[name]["groupable"])
                    self.env[model].formatted_read_group([], [groupby], ["__count"])
                checked += 1
        self.assertTrue(checked)

    def test_attempts_are_grouped_and_found_by_the_domain_of_the_recipient(self):
        addresses = ("a@One.example", "b@one.example", "c@two.example", "nobody")
        ids = [self._create_attempt(recipient=each).id for each in addresses]
        groups = self.groups("recipient_domain", [("id", "in", ids)])
        self.assertEqual(groups, {"one.example": 2, "two.example": 1, False: 1})
        for domain, count in groups.items():
            with self.subTest(domain):
                found = self.env["mail.delivery.attempt"].search(
                    [("recipient_domain", "=", domain), ("id", "in", ids)]
                )
                self.assertEqual(len(found), count)
                self.assertEqual(set(found.mapped("recipient_domain")), {domain})
        found = self.env["mail.delivery.attempt"].search(
            [("recipient_domain", "ilike", "two"), ("id", "in", ids)]
        )
        self.assertEqual(found.recipient, "c@two.example")

    def test_the_reason_is_a_sentence_of_what_was_known(self):
        attempt = self._create_attempt(
            rule="company",
            reason="COMPANY_FIRST",
            mail_server_name="Relay A",
            company_id=self.company_a.id,
            email_from_before='"Anna" <anna@elsewhere.example>',
            email_from="office@a.example",
        )
        self.assertEqual(
            attempt.reason_text,
            "“Relay A” is the first server of A and none of them may send as "
            "anna@elsewhere.example.",
        )

    def test_the_reason_names_the_user_and_is_still_told_of_a_deleted_one(self):
        attempt = self._create_attempt(
            rule="user",
            reason="OWN_MAY_SEND",
            mail_server_name="Mailbox",
            sender_id=self.anna.id,
            email_from_before="anna@a.example",
        )
        self.assertEqual(
            attempt.reason_text,
            "“Mailbox” is assigned to Anna and may send as anna@a.example.",
        )
        attempt.sender_id = False
        self.assertEqual(
            attempt.reason_text,
            "“Mailbox” is assigned to a deleted user and may send as anna@a.example.",
        )

    def test_a_lent_server_is_not_said_to_be_the_sender_s(self):
        attempt = self._create_attempt(
            rule="user",
            reason="DELEGATED",
            mail_server_name="Mailbox",
            sender_id=self.ben.id,
        )
        self.assertEqual(
            attempt.reason_text,
            "“Mailbox” is assigned to a colleague and carries what others send in "
            "their name.",
        )

    def test_odoo_s_own_server_and_unknown_reasons_are_told(self):
        for rule, reason, text in (
            (
                "system",
                "SYSTEM",
                "The mail leaves through the server of Odoo's configuration.",
            ),
            ("company", "OF_LONG_AGO", "OF_LONG_AGO"),
            (False, False, False),
        ):
            with self.subTest(reason):
                attempt = self._create_attempt(rule=rule, reason=reason)
                self.assertEqual(attempt.reason_text, text)

    def test_every_reason_can_be_told(self):
        for reason in Reason:
            with self.subTest(reason.name):
                attempt = self._create_attempt(rule="user", reason=reason.name)
                self.assertTrue(attempt.reason_text)
                self.assertNotIn("%(", attempt.reason_text)

    def test_rules_are_called_as_routing_calls_them(self):
        rules = dict(
            self.env["mail.delivery.attempt"].fields_get(["rule"])["rule"]["selection"]
        )
        self.assertEqual(rules["from_filter"], "FROM filter")

    def test_a_document_opens_from_its_attempt(self):
        attempt = self._create_attempt(model="res.partner", res_id=self.customer_a.id)
        action = attempt.action_open_document()
        self.assertEqual(
            (action["res_model"], action["res_id"]), ("res.partner", self.customer_a.id)
        )


@tagged("post_install", "-at_install")
class TestMails(LogCase):
    """What the list and the form of mails show of their delivery."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mails = {}
        for state, values in {
            "waiting": {},
            "sending": {},
            "deferred": {"delivery_mark": "deferred"},
            "held": {"state": "exception", "delivery_mark": "held"},
            "unknown": {"state": "exception", "delivery_mark": "unknown"},
            False: {"state": "sent"},
        }.items():
            mail = cls.env["mail.mail"].create({"email_to": "c@customer.example"})
            mail.write(values)
            cls.mails[state] = mail
        cls._create_claim(cls.mails["sending"])
        cls.all = cls.env["mail.mail"].concat(*cls.mails.values())

    def test_mails_are_grouped_by_how_far_their_delivery_is(self):
        groups = self.env["mail.mail"].formatted_read_group(
            [("id", "in", self.all.ids)], ["delivery_state"], ["__count"]
        )
        found = {group["delivery_state"]: group["__count"] for group in groups}
        self.assertEqual(found, dict.fromkeys(self.mails, 1))

    def test_what_a_group_counts_is_what_opening_it_shows(self):
        groups = self.env["mail.mail"].formatted_read_group(
            [("id", "in", self.all.ids)], ["delivery_state"], ["__count"]
        )
        for group in groups:
            state = group["delivery_state"]
            domain = Domain(group["__extra_domain"]) & Domain("id", "in", self.all.ids)
            with self.subTest(state):
                mail = self.env["mail.mail"].search(domain)
                self.assertEqual(mail, self.mails[state])
                self.assertEqual(mail.delivery_state, state)

    def test_states_that_are_not_written_yet_count_in_a_group(self):
        self.mails["deferred"].delivery_mark = "waiting"
        groups = self.env["mail.mail"].formatted_read_group(
            [("id", "in", self.all.ids)], ["delivery_state"], ["__count"]
        )
        found = {group["delivery_state"]: group["__count"] for group in groups}
        self.assertEqual(found["waiting"], 2)

    def test_the_server_is_the_one_waited_for_then_the_last_one_then_the_one_set(self):
        mail = self.mails["deferred"]
        self.assertFalse(mail.delivery_server_id)
        steps = (
            (lambda: mail.write({"mail_server_id": self.shop.id}), self.shop),
            (lambda: self._attempt_of(mail, self.relay_a), self.relay_a),
            (lambda: self._attempt_of(mail, self.relay_b), self.relay_b),
            (lambda: self._wait_for(mail, self.mailbox), self.mailbox),
        )
        for change, server in steps:
            with self.subTest(server.name):
                change()
                self.env.invalidate_all()
                self.assertEqual(mail.delivery_server_id, server)
                groups = self.env["mail.mail"]._read_group(
                    [("id", "=", mail.id)], ["delivery_server_id"]
                )
                self.assertEqual(groups, [(server,)])
                for operator, value in (("=", server.id), ("ilike", server.name)):
                    found = self.env["mail.mail"].search(
                        [
                            ("id", "in", self.all.ids),
                            ("delivery_server_id", operator, value),
                        ]
                    )
                    self.assertEqual(found, mail)

    def _attempt_of(self, mail, server):
        self._create_attempt(mail_mail_id_int=mail.id, mail_server_id=server.id)

    def _wait_for(self, mail, server):
        mail.delivery_health_id = self._create_health(server)

    def test_mails_without_a_server_are_found(self):
        found = self.env["mail.mail"].search(
            [("id", "in", self.all.ids), ("delivery_server_id", "=", False)]
        )
        self.assertEqual(found, self.all)

    def test_the_form_leads_to_the_attempts_of_the_mail(self):
        mail = self.mails["waiting"]
        attempt = self._create_attempt(mail_mail_id_int=mail.id)
        self._create_attempt(mail_mail_id_int=self.mails["deferred"].id)
        with Form(mail) as form:
            self.assertEqual(form.attempt_count, 1)
        action = mail.action_view_attempts()
        self.assertEqual(
            self.env[action["res_model"]].search(action["domain"]), attempt
        )

    def test_try_now_makes_what_is_put_off_due(self):
        mail = self.mails["deferred"]
        mail.write({"scheduled_date": "2100-01-01", "delivery_tries": 3})
        mail.action_try_now()
        self.assertFalse(mail.scheduled_date)
        self.assertEqual(mail.delivery_state, "waiting")
        self.assertEqual(mail.delivery_tries, 0)

    def test_try_now_leaves_alone_what_may_have_arrived(self):
        self.all.filtered(lambda mail: mail.state != "sent").action_try_now()
        states = {state: mail.state for state, mail in self.mails.items()}
        self.assertEqual(states.pop("unknown"), "exception")
        self.assertEqual(states.pop(False), "sent")
        self.assertEqual(set(states.values()), {"outgoing"})

    def test_send_again_sends_what_may_have_arrived(self):
        self.all.action_send_again()
        self.assertEqual(self.mails["unknown"].delivery_state, "waiting")
        self.assertEqual(self.mails["held"].delivery_state, "held")


@tagged("post_install", "-at_install")
class TestServerForm(LogCase):
    def test_the_form_of_a_server_shows_how_it_is_doing_and_mends_it(self):
        self.assertEqual(self.relay_a.delivery_health, "ok")
        self.relay_a.action_suspend_delivery()
        self.assertEqual(self.relay_a.delivery_health, "suspended")
        self.assertIn(self.env.user.name, self.relay_a.delivery_health_text)
        self.relay_a.action_resume_delivery()
        self.assertEqual(self.relay_a.delivery_health, "ok")
        self.assertFalse(self.relay_a.delivery_health_text)

    def test_resuming_wakes_what_waits_for_the_server(self):
        mail = self.mail(self.anna)
        health = self._create_health(self.relay_a)
        mail.write(
            {
                "delivery_health_id": health.id,
                "delivery_mark": "deferred",
                "scheduled_date": "2100-01-01",
            }
        )
        self.assertEqual(health.waiting_count, 1)
        health.action_resume()
        self.assertEqual(health.state, "ok")
        self.assertEqual(mail.delivery_state, "waiting")
        self.assertFalse(mail.scheduled_date)
        self.assertEqual(health.waiting_count, 0)

    def test_saving_its_settings_resumes_it(self):
        self._create_health(self.relay_a, state="stopped")
        self.relay_a.smtp_pass = "another secret"
        self.assertEqual(self.relay_a.delivery_health, "ok")

    def test_the_states_of_health_are_translatable(self):
        of_server = self.env["ir.mail_server"].fields_get(["delivery_health"])
        of_health = self.env["mail.delivery.health"].fields_get(["state"])
        self.assertEqual(
            of_server["delivery_health"]["selection"], of_health["state"]["selection"]
        )

    def test_the_form_of_a_new_server_opens_with_the_defaults(self):
        form = Form(self.env["ir.mail_server"])
        self.assertEqual(form.max_connections, 2)
        self.assertEqual(form.delivery_health, "ok")
