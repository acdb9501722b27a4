"""From, Reply-To, Return-Path and envelope sender of a message that was routed."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import cached_property
from types import SimpleNamespace

from odoo import SUPERUSER_ID

from ..routing import HeaderFacts, HeaderPlan, header_route, plan_headers
from .addresses import as_header, email_of, only_email_of

# What core's sending reads from the context, and sets there itself
ROUTING_KEYS = ("domain_notifications_email", "domain_bounce_address")


@dataclass(frozen=True)
class MailHeaders:
    """What a mail says of its sender, as texts; ``envelope_sender`` is an address."""

    email_from: str
    reply_to: str
    return_path: str
    envelope_sender: str


class MessageHeaders:
    """Plans the headers of messages, with the alias domain that the context names."""

    def __init__(self, env):
        self.env = env

    @classmethod
    def of_company(cls, company):
        """For messages that a company would send now."""
        # as with_company has it, in one step: each environment is compared to all
        opened = company.env.context.get("allowed_company_ids") or ()
        return cls(
            company.with_context(
                allowed_company_ids=list(dict.fromkeys((company.id, *opened))),
                domain_notifications_email=company.default_from_email,
                domain_bounce_address=company.bounce_email,
            ).env
        )

    def plan(self, message, routed):
        """What the route sets in the headers of a message about to be sent.

        :param message: as core built it, or a mapping of its headers
        :param RoutedFrom routed: the From of the session it is sent over
        :rtype: routing.HeaderPlan
        """
        route = header_route(routed.decision)
        if route is None:
            return HeaderPlan()
        facts = self.get_facts(message, route.company, str(routed))
        return plan_headers(routed.decision, facts)

    def get_facts(self, message, company, final_from=""):
        """What the headers of a route depend on, from a message that core built.

        :param email.message.EmailMessage message: with the headers that core gave it
        :param routing.Company company: the mail is sent for, ``None`` where unknown
        :param str final_from: the From header it leaves with
        :rtype: routing.HeaderFacts
        """
        return HeaderFacts(
            email=email_of(message["From"]),
            final_from=final_from,
            reply_to_email=only_email_of(message["Reply-To"] or message["From"]),
            bounce_email=email_of(self.get_bounce_email(message, company)),
        )

    def get_bounce_email(self, message, company):
        """The bounce address of a message, never that of another company.

        Core notes the alias domain of the company that happens to be open, or gives
        mail without one that of the company which runs the queue.

        :param routing.Company company: of the decision, ``None`` where unknown
        """
        noted = self.env.context.get("domain_bounce_address") or message["Return-Path"]
        noted = str(noted or "")
        return (company.bounce_address(noted) if company else noted) or self.env[
            "ir.mail_server"
        ]._get_default_bounce_address()

    def get_reply_email(self, routed):
        """The address that answers go to, to mail about no record, on a route.

        :param RoutedFrom routed: the route
        """
        email_from = as_header(routed.request.email_from)
        reply_to = self._get_odoos_reply_email(email_from)
        # a message would parse both again, for each of thousands of users
        message = {"From": email_from, "Reply-To": reply_to, "Return-Path": None}
        return email_of(self.plan(message, routed).reply_to or reply_to)

    def _get_odoos_reply_email(self, email_from):
        """The address that core has answers sent to, to mail about no record.

        :param str email_from: the From header, for answers that Odoo does not receive
        """
        return self._catchall or email_of(email_from)

    @cached_property
    def _catchall(self):
        """The address at which Odoo receives answers, empty for none."""
        # core puts the name of who asks before it
        threads = self.env["mail.thread"].with_user(SUPERUSER_ID)
        return email_of(threads._notify_get_reply_to(default="")[False])

    def get_preview(self, routed):
        """The headers that a mail about no record leaves with on a route.

        :param RoutedFrom routed: the route
        :rtype: MailHeaders
        """
        email_from = routed.request.email_from
        message = EmailMessage(policy=SMTP)
        message["From"] = message["To"] = email_from
        message["Reply-To"] = self._get_odoos_reply_email(email_from)
        if bounce_email := self.env.context.get("domain_bounce_address"):
            message["Return-Path"] = bounce_email
        return self.get_prepared(routed, message)

    def get_prepared(self, routed, message):
        """The headers of a message as the server's SMTP session would get it.

        Runs the very code that prepares a message for its session.

        :param RoutedFrom routed: the route
        :param email.message.EmailMessage message: From, To, Reply-To and Return-Path
            as core would build them
        :rtype: MailHeaders
        """
        profile = routed.decision.profile
        Server = self.env["ir.mail_server"].sudo()
        from_filter = (
            profile.from_filter.text if profile else Server._get_default_from_filter()
        )
        session = SimpleNamespace(smtp_from=routed, from_filter=from_filter)
        envelope_sender, _to, message = Server._prepare_email_message__(
            message, session
        )
        return headers_of(message, envelope_sender)


def headers_of(message, envelope_sender):
    """The headers of a message that a route decides.

    :rtype: MailHeaders
    """
    return MailHeaders(
        email_from=str(message["From"] or ""),
        reply_to=str(message["Reply-To"] or ""),
        return_path=str(message["Return-Path"] or ""),
        envelope_sender=envelope_sender,
    )


def in_alias_domain(env, alias_domain):
    """An environment in the context that core gives mail of an alias domain.

    :param mail.alias.domain alias_domain: maybe empty, which changes nothing
    """
    if not alias_domain:
        return env
    values = (alias_domain.default_from_email, alias_domain.bounce_email)
    context = {**env.context, **dict(zip(ROUTING_KEYS, values, strict=True))}
    return env(context=context)
