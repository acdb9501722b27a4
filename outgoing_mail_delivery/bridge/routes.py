"""Why a mail left where it did, of what the log keeps of its route."""

from odoo.addons.outgoing_mail_routing.bridge.addresses import email_of
from odoo.addons.outgoing_mail_routing.bridge.explanation import sentence_of
from odoo.addons.outgoing_mail_routing.routing import Reason, Rule, Step


def rules_of(env):
    """The names of routing's rules and what they are called, as a selection."""
    field = env["mail.routing.simulation"]._fields["route_rule"]
    return field._description_selection(env)


def reason_of(attempt):
    """Why the rule took the server: routing's own sentence, of what is known of it.

    :param attempt: ``mail.delivery.attempt``, as superuser
    :return: ``False`` where no route was kept; the name of a reason that routing does
        not know any more
    """
    if attempt.reason not in Reason.__members__ or not attempt.rule:
        return attempt.reason
    values = _values_of(attempt)
    step = Step(
        Rule(attempt.rule), True, Reason[attempt.reason], 0, tuple(values.items())
    )
    return sentence_of(attempt.env, step)


def _values_of(attempt):
    """What the placeholders of routing's sentences stand for."""
    env, company = attempt.env, attempt.company_id
    server = env._("the server of Odoo's configuration")
    if attempt.mail_server_name:
        server = env._("“%(server)s”", server=attempt.mail_server_name)
    user = attempt.sender_id.name or env._("a deleted user")
    if attempt.reason == Reason.DELEGATED.name:
        user = env._("a colleague")  # the sender is who wrote in their name
    return {
        "server": server,
        "user": user,
        "company": company.name or env._("a deleted company"),
        "parent": company.parent_id.name or env._("a deleted company"),
        "email": email_of(_from_of(attempt)) or env._("an unknown address"),
    }


def _from_of(attempt):
    """The From that the rule went by: its own default, or the one that the mail had."""
    if attempt.rule == Rule.DEFAULT_FROM.value:
        return attempt.email_from
    return attempt.email_from_before
