"""A route as an administrator reads it, in their language."""

from dataclasses import dataclass

from odoo import models
from odoo.exceptions import AccessError

from ..routing import Reason
from .addresses import email_of
from .message_headers import MailHeaders, MessageHeaders, headers_of

# Why an assigned server cannot carry the mail it is assigned for
OBSTACLES = (
    Reason.ARCHIVED,
    Reason.OUT_OF_SERVICE,
    Reason.BARRED,
    Reason.NO_SENDER_ADDRESS,
)


@dataclass(frozen=True)
class RouteStep:
    """A server that a rule looked at, and why it was taken or not.

    ``rule`` is the one that looked, ``mail_server`` the one it looked at (maybe empty),
    ``reason`` a sentence in the reader's language; ``str()`` gives that sentence.
    """

    rule: str
    mail_server: models.BaseModel
    taken: bool
    reason: str

    def __str__(self):
        return self.reason


@dataclass(frozen=True)
class MailRoute(MailHeaders):
    """The route of one mail as an administrator reads it.

    The headers are those it leaves with, ``before`` has those Odoo gave it.
    ``mail_server`` is empty on the ``system`` rule, ``sender`` where the mail is sent
    for nobody; the last of the ``steps`` tells why the server was taken.
    """

    rule: str
    mail_server: models.BaseModel
    sender: models.BaseModel
    company: models.BaseModel
    before: MailHeaders
    rewritten: bool
    refused: bool
    steps: tuple[RouteStep, ...]


def check_administrator(env):
    """Refuse to explain routes to others than administrators, sudo or not.

    :raise AccessError: the user is no administrator
    """
    if not env.user.has_group("base.group_system"):
        raise AccessError(
            env._(
                "Routes name servers and addresses, so only administrators see "
                "them. Ask your administrator."
            )
        )


def quote_server(env, profile):
    """A server as sentences name it.

    :param routing.ServerProfile profile: ``None`` for the server of Odoo's
        configuration: the file or the command line that Odoo is started with
    """
    if profile is None:
        return env._("the server of Odoo's configuration")
    return env._("“%(server)s”", server=profile.name)


def sentence_of(env, step):
    """The reason of a ``routing.Step`` in the reader's language."""
    # the text is marked for translation in routing/reasons.py
    return env._(step.reason.sentence, **dict(step.values))


def explain(env, routed, message):
    """The route of a message as it would be sent, without sending it.

    :param env: in the alias domain of the mail
    :param RoutedFrom routed: the route
    :param email.message.EmailMessage message: From, To, Reply-To and Return-Path
        as core would build them
    :rtype: MailRoute
    """
    decision, request = routed.decision, routed.request
    headers = MessageHeaders(env)
    bounce_email = headers.get_bounce_email(message, request.company)
    before = headers_of(message, email_of(bounce_email) or email_of(message["From"]))
    after = headers.get_prepared(routed, message)
    return MailRoute(
        **vars(after),
        rule=decision.rule.value,
        mail_server=_browse(env, "ir.mail_server", decision.profile),
        sender=_browse(env, "res.users", request.sender),
        company=_browse(env, "res.company", request.company),
        before=before,
        rewritten=decision.from_email != request.email,
        refused=decision.refused,
        steps=tuple(_explain_step(env, step) for step in decision.steps),
    )


def _browse(env, model, fact):
    """The record that a fact is of, the empty recordset for ``None``."""
    return env[model].browse(fact.id if fact else ())


def _explain_step(env, step):
    """A step of ``routing/`` with its record, in the reader's language."""
    server = env["ir.mail_server"].browse(step.server_id)
    return RouteStep(step.rule.value, server, step.taken, sentence_of(env, step))
