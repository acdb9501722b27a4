"""Settings of delivery."""

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..bridge.plans import parameters_of, texts_of
from ..delivery import PLANS, Lane, SettingError, parse_plan

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
        self._check_plans()
        return super().set_values()

    @api.model
    def _get_plan_names(self):
        return {
            Lane.URGENT: self.env._("Urgent Mail"),
            Lane.NORMAL: self.env._("Normal Mail"),
            Lane.BULK: self.env._("Mailings"),
        }

    def _check_plans(self):
        """Refuse a plan that cannot be kept.

        :raise ValidationError: what is wrong, and what to do
        """
        names = self._get_plan_names()
        for lane, field_names in _FIELDS.items():
            texts = [
                self[name] or text
                for name, text in zip(field_names, texts_of(PLANS[lane]), strict=True)
            ]
            try:
                parse_plan(names[lane], *texts)
            except SettingError as error:
                raise ValidationError(
                    f"{self.env._(error.problem, **error.values)} "
                    f"{self.env._(error.remedy, **error.values)}"
                ) from None
