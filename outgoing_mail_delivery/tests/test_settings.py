from datetime import timedelta

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..models import mail_delivery_attempt
from .log_case import LogCase

#: A setting, what somebody writes into it, and the sentence that refuses it
REFUSED = (
    (
        "mail_delivery_normal_first_tries",
        ",",
        'Normal Mail names no tries. Write at least one time, as in "5, 15, 30 min".',
    ),
    (
        "mail_delivery_urgent_first_tries",
        "1, soon",
        '"soon" in Urgent Mail is no time. Write numbers with s, min, h or days, as in '
        '"5, 15, 30 min, 1 h".',
    ),
    (
        "mail_delivery_bulk_then_every",
        "0 h",
        "Mailings is 0 h. Write more than zero.",
    ),
    (
        "mail_delivery_normal_give_up_after",
        "1 min",
        "Normal Mail gives a mail up before its first try again. Write a longer time "
        "for giving up, or shorter ones for tries.",
    ),
    (
        "mail_delivery_normal_give_up_after",
        "-4 days",
        "Normal Mail is -4 days. Write more than zero.",
    ),
    (
        "mail_delivery_parallel_runs",
        0,
        "Parallel Runs is 0. Write a number from 1 to 8.",
    ),
    (
        "mail_delivery_parallel_runs",
        9,
        "Parallel Runs is 9. Write a number from 1 to 8.",
    ),
    (
        "mail_delivery_keep_days",
        -1,
        "Days in the Delivery Log is -1. Write more than zero.",
    ),
    (
        "mail_delivery_keep_days",
        0,
        "Days in the Delivery Log is 0. Write more than zero.",
    ),
)

#: A limit of a server, what somebody writes into it, and the sentence that refuses it
REFUSED_LIMITS = (
    ("max_connections", 0, "Connections at Once is 0. Write more than zero."),
    (
        "max_messages_per_connection",
        -1,
        "Messages in a Connection is -1. Write more than zero.",
    ),
)


@tagged("post_install", "-at_install")
class TestSettings(LogCase):
    def save(self, **values):
        self.env["res.config.settings"].create(values).execute()

    def test_settings_that_cannot_be_are_refused_with_what_to_do(self):
        for name, value, sentence in REFUSED:
            with self.subTest(name, value=value):
                with self.assertRaises(ValidationError) as caught, self.cr.savepoint():
                    self.save(**{name: value})
                self.assertEqual(str(caught.exception), sentence)

    def test_limits_of_a_server_that_cannot_be_are_refused_with_what_to_do(self):
        for name, value, sentence in REFUSED_LIMITS:
            with self.subTest(name, value=value):
                with self.assertRaises(ValidationError) as caught, self.cr.savepoint():
                    self.relay_a.write({name: value})
                self.assertEqual(str(caught.exception), sentence)

    def test_settings_that_were_never_touched_can_be_saved(self):
        self.save()
        self.assertEqual(len(self.get_crons_beside()), 0)

    def test_an_emptied_plan_is_the_delivered_one(self):
        self.save(mail_delivery_normal_first_tries="7 min")
        self.save(mail_delivery_normal_first_tries=False)
        settings = self.env["res.config.settings"].create({})
        self.assertRegex(settings.mail_delivery_normal_first_tries, "^5 min, 15 min")

    # ------------------------------------------------------------------
    # Parallel runs
    # ------------------------------------------------------------------

    def get_crons_beside(self):
        data = self.env["ir.model.data"].search(
            [("module", "=", "outgoing_mail_delivery"), ("model", "=", "ir.cron")]
        )
        crons = self.env["ir.cron"].with_context(active_test=False)
        return crons.browse(data.mapped("res_id")).exists()

    def test_parallel_runs_keeps_that_many_scheduled_actions(self):
        core = self.env.ref("mail.ir_cron_mail_scheduler_action")
        core.active = True
        for number in (1, 4, 8, 2, 2, 1):
            with self.subTest(number):
                self.save(mail_delivery_parallel_runs=number)
                self.assertEqual(len(self.get_crons_beside()), number - 1)
                crons = self.env["mail.delivery.run"]._get_crons()
                self.assertEqual(crons, core + self.get_crons_beside())

    def test_a_scheduled_action_beside_is_like_that_of_core(self):
        core = self.env.ref("mail.ir_cron_mail_scheduler_action")
        self.save(mail_delivery_parallel_runs=2)
        beside = self.get_crons_beside()
        for name in ("model_id", "user_id", "interval_number", "priority", "active"):
            with self.subTest(name):
                self.assertEqual(beside[name], core[name])

    def test_scheduled_actions_beside_are_off_where_core_s_is(self):
        core = self.env.ref("mail.ir_cron_mail_scheduler_action")
        self.save(mail_delivery_parallel_runs=3)
        core.active = False
        self.save(mail_delivery_parallel_runs=3)
        self.assertFalse(any(self.get_crons_beside().mapped("active")))
        self.assertFalse(self.env["mail.delivery.run"]._get_crons())

    def test_an_update_of_the_addon_leaves_scheduled_actions_alone(self):
        self.save(mail_delivery_parallel_runs=2)
        data = self.env["ir.model.data"].search(
            [("model", "=", "ir.cron"), ("res_id", "=", self.get_crons_beside().id)]
        )
        self.assertTrue(data.noupdate)

    def test_waking_the_queue_wakes_each_of_them(self):
        self.save(mail_delivery_parallel_runs=3)
        crons = self.env["mail.delivery.run"]._get_crons()
        triggers = self.env["ir.cron.trigger"]
        triggers.search([("cron_id", "in", crons.ids)]).unlink()
        self.env["mail.mail"]._wake_queue()
        self.assertEqual(triggers.search([("cron_id", "in", crons.ids)]).cron_id, crons)

    def test_the_next_try_wakes_each_of_them_once(self):
        self.save(mail_delivery_parallel_runs=3)
        crons = self.env["mail.delivery.run"]._get_crons()
        triggers = self.env["ir.cron.trigger"]
        triggers.search([("cron_id", "in", crons.ids)]).unlink()
        at = fields.Datetime.now() + timedelta(hours=1)
        mail = self.mail(self.anna)
        mail.write({"delivery_mark": "deferred", "scheduled_date": at})
        self.env.flush_all()
        for _twice in range(2):
            self.env["mail.mail"]._wake_queue_for_next()
        found = triggers.search([("cron_id", "in", crons.ids)])
        self.assertEqual(found.cron_id, crons)
        self.assertEqual(len(found), len(crons))

    def test_a_parameter_that_is_no_number_of_runs_is_one_run(self):
        params = self.env["ir.config_parameter"]
        for text, number in (("x", 1), ("-3", 1), ("0", 1), ("99", 8), ("5", 5)):
            with self.subTest(text):
                params.set_param("mail_delivery.parallel_runs", text)
                self.env["mail.delivery.run"]._keep_crons(8)
                crons = self.env["mail.delivery.run"]._get_crons()
                self.assertEqual(len(crons), number)

    def test_nothing_runs_beside_core_s_own_queue(self):
        self.save(mail_delivery_parallel_runs=2)
        mail = self.mail(self.anna)
        self.assertFalse(self.env["mail.delivery.run"]._is_on())
        with self.sending():
            self.env["mail.mail"]._process_queue_beside()
        self.assertEqual(mail.state, "outgoing")
        self.assertFalse(self.received())

    # ------------------------------------------------------------------
    # Retention
    # ------------------------------------------------------------------

    def days_ago(self, days):
        return fields.Datetime.now() - timedelta(days=days)

    def test_attempts_are_removed_when_they_are_old_and_settled(self):
        old = self._create_attempt(started_at=self.days_ago(91))
        waits = self._create_attempt(started_at=self.days_ago(91), settled=False)
        young = self._create_attempt(started_at=self.days_ago(89))
        self.env["mail.delivery.attempt"]._gc_attempts()
        self.assertFalse(old.exists())
        self.assertEqual((waits + young).exists(), waits + young)

    def test_the_setting_says_for_how_long_attempts_are_kept(self):
        self.save(mail_delivery_keep_days=10)
        old = self._create_attempt(started_at=self.days_ago(11))
        young = self._create_attempt(started_at=self.days_ago(9))
        self.env["mail.delivery.attempt"]._gc_attempts()
        self.assertEqual((old + young).exists(), young)

    def test_a_parameter_that_is_no_number_of_days_removes_nothing_young(self):
        young = self._create_attempt(started_at=self.days_ago(89))
        for text in ("-1", "0", "soon", "1.5"):
            with self.subTest(text):
                params = self.env["ir.config_parameter"]
                params.set_param("mail_delivery.keep_days", text)
                self.env["mail.delivery.attempt"]._gc_attempts()
                self.assertTrue(young.exists())

    def test_many_old_attempts_are_removed_in_batches(self):
        attempts = self.env["mail.delivery.attempt"]
        for _each in range(3):
            self._create_attempt(started_at=self.days_ago(100))
        left = attempts.search_count([("started_at", "<", self.days_ago(90))])
        self.patch(mail_delivery_attempt, "PRUNED_AT_ONCE", 2)
        self.assertEqual(attempts._gc_attempts(), (2, True))
        self.assertEqual(
            attempts.search_count([("started_at", "<", self.days_ago(90))]), left - 2
        )
