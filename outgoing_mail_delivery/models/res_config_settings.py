"""Settings of delivery."""

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..bridge.plans import KEEP_DAYS, MOST_RUNS, parameters_of, texts_of
from ..bridge.words import refusal_of
from ..delivery import PLANS, Lane, NotPositive, SettingError, between, parse_plan

_FIELDS = {
    lane: tuple(
        f"mail_delivery_{lane.value}_{name}"
        for name in ("first_tries", "then_every", "give_up_after")
    )
    for lane in Lane
}


def _plan_field(lane, number, string, help_text):
    return fields.Char(
        string=string,
        config_parameter=parameters_of(lane)[number],
        default=texts_of(PLANS[lane])[number],
        help=help_text,
    )


_TRIES_HELP = "The waits after the first tries, as in “5, 15, 30 min, 1, 2 h”."
_EVERY_HELP = "The wait after each further try, as in “4 h”."
_GIVE_UP_HELP = "The age at which a mail fails that nobody took, as in “4 days”."


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    mail_delivery_off = fields.Boolean(
        string="Odoo's Own Mail Queue",
        config_parameter="mail_delivery.off",
        help="Let Odoo's own queue send, without tries again and without a log. What "
        "waits is sent by it where delivery stopped.",
    )
    mail_delivery_send_at_once = fields.Boolean(
        string="Send With the Message",
        config_parameter="mail_delivery.send_at_once",
        help="Send mail right after a message is posted, as Odoo does, instead of "
        "leaving it to the queue at once. Who posts waits for the mail server then.",
    )
    mail_delivery_parallel_runs = fields.Integer(
        string="Parallel Runs",
        config_parameter="mail_delivery.parallel_runs",
        default=1,
        help="How many scheduled actions deliver mail at the same time, from 1 to 8. "
        "Each takes one of the workers that Odoo runs for scheduled actions, on "
        "whichever machine is free.",
    )
    mail_delivery_keep_days = fields.Integer(
        string="Days in the Delivery Log",
        config_parameter="mail_delivery.keep_days",
        default=KEEP_DAYS,
        help="Attempts are removed from the log when they are older.",
    )
    mail_delivery_urgent_first_tries = _plan_field(
        Lane.URGENT, 0, "Urgent Mail: First Tries After", _TRIES_HELP
    )
    mail_delivery_urgent_then_every = _plan_field(
        Lane.URGENT, 1, "Urgent Mail: Then Every", _EVERY_HELP
    )
    mail_delivery_urgent_give_up_after = _plan_field(
        Lane.URGENT, 2, "Urgent Mail: Given Up After", _GIVE_UP_HELP
    )
    mail_delivery_normal_first_tries = _plan_field(
        Lane.NORMAL, 0, "Normal Mail: First Tries After", _TRIES_HELP
    )
    mail_delivery_normal_then_every = _plan_field(
        Lane.NORMAL, 1, "Normal Mail: Then Every", _EVERY_HELP
    )
    mail_delivery_normal_give_up_after = _plan_field(
        Lane.NORMAL, 2, "Normal Mail: Given Up After", _GIVE_UP_HELP
    )
    mail_delivery_bulk_first_tries = _plan_field(
        Lane.BULK, 0, "Mailings: First Tries After", _TRIES_HELP
    )
    mail_delivery_bulk_then_every = _plan_field(
        Lane.BULK, 1, "Mailings: Then Every", _EVERY_HELP
    )
    mail_delivery_bulk_give_up_after = _plan_field(
        Lane.BULK, 2, "Mailings: Given Up After", _GIVE_UP_HELP
    )

    def set_values(self):
        """Keep the settings, and refuse those that contradict each other."""
        self._check_delivery()
        result = super().set_values()
        self.env["mail.delivery.run"]._keep_crons(self.mail_delivery_parallel_runs)
        return result

    def _check_delivery(self):
        """Refuse settings that cannot be kept.

        :raise ValidationError: what is wrong, and what to do
        """
        try:
            self._check_plans()
            self._check_numbers()
        except SettingError as error:
            raise ValidationError(refusal_of(self.env, error)) from None

    @api.model
    def _get_plan_names(self):
        return {
            Lane.URGENT: self.env._("Urgent Mail"),
            Lane.NORMAL: self.env._("Normal Mail"),
            Lane.BULK: self.env._("Mailings"),
        }

    def _check_plans(self):
        """Refuse a plan that contradicts itself.

        :raise SettingError: what is wrong, and what to do
        """
        names = self._get_plan_names()
        for lane, field_names in _FIELDS.items():
            texts = [
                self[name] or text
                for name, text in zip(field_names, texts_of(PLANS[lane]), strict=True)
            ]
            parse_plan(names[lane], *texts)

    def _check_numbers(self):
        """Refuse runs and days that cannot be.

        :raise SettingError: what is wrong, and what to do
        """
        fields_ = self.fields_get(
            ["mail_delivery_parallel_runs", "mail_delivery_keep_days"], ["string"]
        )
        labels = {name: field["string"] for name, field in fields_.items()}
        runs, days = self.mail_delivery_parallel_runs, self.mail_delivery_keep_days
        between(labels["mail_delivery_parallel_runs"], runs, 1, MOST_RUNS)
        if days <= 0:
            raise NotPositive(setting=labels["mail_delivery_keep_days"], text=days)
