"""When mails are tried again, and how long that is kept, as the settings have it."""

import logging

from ..delivery import PLANS, Lane, SettingError, parse_plan
from ..delivery.schedule import show_times

_logger = logging.getLogger(__name__)

#: Days for which attempts are kept, and the runs that there can be at once.
KEEP_DAYS, MOST_RUNS = 90, 8


def parameters_of(lane):
    """The system parameters of a lane's plan: first tries, then every, given up."""
    return tuple(
        f"mail_delivery.{lane.value}_{name}"
        for name in ("first_tries", "then_every", "give_up_after")
    )


def texts_of(plan):
    """A plan as an administrator writes it, in the order of the parameters."""
    return (
        show_times(plan.first),
        show_times((plan.every,)),
        show_times((plan.give_up_after,)),
    )


def plans_of(env):
    """The plan of each lane; one that cannot be is the one that was delivered.

    :return: ``{Lane: Plan}``
    """
    return {lane: _plan_of(env["ir.config_parameter"].sudo(), lane) for lane in Lane}


def _plan_of(parameters, lane):
    delivered = texts_of(PLANS[lane])
    texts = [
        parameters.get_param(name) or text
        for name, text in zip(parameters_of(lane), delivered, strict=True)
    ]
    try:
        return parse_plan(lane.value, *texts)
    except SettingError as error:
        _logger.warning("The setting of %s mail is not used: %s", lane.value, error)
        return PLANS[lane]


def keep_days_of(env):
    """For how many days attempts are kept; 90 where that setting cannot be."""
    return _number_of(env, "mail_delivery.keep_days", KEEP_DAYS)


def parallel_runs_of(env):
    """How many runs may go on at once, from 1 to 8."""
    return min(_number_of(env, "mail_delivery.parallel_runs", 1), MOST_RUNS)


def _number_of(env, name, delivered):
    """A parameter that is a number of one or more."""
    text = env["ir.config_parameter"].sudo().get_param(name) or ""
    number = int(text) if text.isdecimal() else 0
    return number or delivered
