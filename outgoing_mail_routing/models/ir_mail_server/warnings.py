"""What the form of a server warns of."""

from dataclasses import dataclass

from odoo import api, fields, models

from ...bridge.addresses import email_of, only_email_of
from ...bridge.answers import Answers
from ...bridge.directory_source import DirectorySource
from ...bridge.facts import may_be_sender
from ...bridge.from_filters import read_usable
from ...bridge.server_rows import COLLECTING, SERVER_FIELDS
from ...bridge.telling import lines_of
from ...routing import Directory, may_send_as


@dataclass(frozen=True)
class WarningFacts:
    """E-mail ``domains`` by company, and addresses whose answers come back to Odoo.

    ``directory`` is the one of all servers, where servers are asked as they are stored.
    """

    domains: dict
    brought_back: set
    directory: Directory | None = None


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    routing_warning = fields.Text(
        compute="_compute_routing_warning",
        groups="base.group_system",
        help="What in this configuration can lose mail or send it under a wrong name.",
    )

    @api.depends(
        "out_of_service",
        "owner_user_id",
        "smtp_user",
        "smtp_authentication",
        "from_filter",
        "from_policy",
        "sender_email",
        "reserved",
        "reply_to_policy",
        "reply_to_email",
        "bounce_policy",
        "fetchmail_server_id.active",
        "fetchmail_server_id.state",
        "fetchmail_server_id.server_type",
        "fetchmail_server_id.user",
        "own_user_ids.active",
        "own_user_ids.share",
        "default_company_ids",
    )
    @api.depends_context("lang")
    def _compute_routing_warning(self):
        facts = self._get_warning_facts()
        for server in self:
            warnings = server._get_routing_warnings(facts)
            server.routing_warning = "\n".join(warnings) or False

    def _get_warning_facts(self, directory=None):
        """What the warnings of all these servers depend on, asked for at once.

        What they say of their users and companies is read here, too.

        :param routing.Directory directory: of all servers, where these are not edited
        :rtype: WarningFacts
        """
        env = self.sudo().env
        users = (self.own_user_ids | self.owner_user_id)._origin
        users.fetch(["active", "share", "company_id"])
        (self.default_company_ids._origin | users.company_id).mapped("bounce_email")
        said = map(directory.get, self.ids) if directory else self
        emails = {
            email for one in said for email in (one.sender_email, one.reply_to_email)
        }
        return WarningFacts(
            DirectorySource(env).get_domains_of_companies(),
            Answers(env, filter(None, emails)).brought_back,
            directory,
        )

    def _get_routing_warnings(self, facts):
        """What can lose or misbrand mail here, a sentence each.

        :param WarningFacts facts: of all servers that are asked
        """
        self.ensure_one()
        return lines_of(self, type(self)._find_routing_warnings, facts)

    def _find_routing_warnings(self, facts):
        """As :meth:`_get_routing_warnings`, where every text can be read."""
        profile = self._get_stated_profile(facts)
        sender_email = profile.sender_email
        warnings = self._get_assignment_warnings(profile)
        warnings += self._get_filter_problems()
        warnings += self._get_domain_warnings(profile, facts.domains)
        usable = read_usable(self, profile.from_filter.text)
        if sender_email and not usable.admits(sender_email):
            warnings.append(
                self.env._(
                    "The FROM filter does not admit the sender address %(email)s: mail "
                    "rewritten to it may be refused or taken for spam.",
                    email=sender_email,
                )
            )
        if not sender_email and profile.from_policy == "login" and profile.assigned:
            warnings.append(
                self.env._(
                    "It may send as its sender address only, but has none. Fill in the "
                    "sender address."
                )
            )
        warnings += self._get_reply_warnings(profile, facts.brought_back)
        return warnings + self._get_bounce_warnings(profile, facts.brought_back)

    def _get_stated_profile(self, facts):
        """The profile of this server, as its form has it.

        :param WarningFacts facts: of all servers that are asked
        :rtype: routing.ServerProfile
        """
        if facts.directory:
            return facts.directory.get(self.id)
        source = DirectorySource(self.sudo().env)
        values = {"id": 0, **source.read_edited(self, SERVER_FIELDS)}
        return source.make_profile(values, (), facts.domains)

    def _get_domain_warnings(self, profile, domains):
        """Where a relay of companies has neither FROM filter nor login address."""
        policy_says = profile.from_policy != "auto" or profile.sender_email
        if profile.from_filter or policy_says or not profile.default_company_ids:
            return []
        companies = self.default_company_ids._origin
        known = sorted(set().union(*(domains.get(c.id, ()) for c in companies)))
        if not known:
            return [
                self.env._(
                    "It sends as anybody, customers included. Fill in the domains that "
                    "it may send as in the FROM filter."
                )
            ]
        return [
            self.env._(
                "It has no FROM filter: it sends as addresses at %(domains)s only, the "
                "e-mail domains of its companies. Fill in the domains that it may send "
                "as in the FROM filter.",
                domains=", ".join(known),
            )
        ]

    def _get_bounce_warnings(self, profile, brought_back):
        """Where bounces go to a mailbox from which nothing brings them back."""
        email = profile.sender_email
        decides = profile.assigned or profile.bounce_policy == "from"
        if not email or profile.bounce_policy == "odoo" or not decides:
            return []
        if email in brought_back or self._may_send_odoos_bounces(profile):
            return []
        return [
            self.env._(
                "Bounces go to %(email)s, which no incoming mail server collects: Odoo "
                "does not learn that a mail could not be delivered. Choose or create "
                "an incoming mail server.",
                email=email,
            )
        ]

    def _may_send_odoos_bounces(self, profile):
        """Whether its mail keeps the bounce address of Odoo as envelope sender."""
        if profile.bounce_policy != "auto":
            return False
        users = self.own_user_ids._origin
        companies = self.default_company_ids._origin or users.company_id
        emails = set(companies.mapped("bounce_email")) - {False}
        return bool(emails) and all(may_send_as(profile, email) for email in emails)

    def _get_reply_warnings(self, profile, brought_back):
        """What can keep answers from coming back, a sentence each.

        :param brought_back: the addresses whose answers come back
        """
        incoming = self.fetchmail_server_id
        warnings, policy = self._get_collector_warnings(), profile.reply_to_policy
        if policy == "from" and not incoming:
            warnings.append(
                self.env._(
                    "Answers go to the address in From, but no incoming mail server "
                    "collects them: they will not reach Odoo."
                )
            )
        custom = email_of(profile.reply_to_email) if policy == "custom" else ""
        if custom and custom not in brought_back:
            warnings.append(
                self.env._(
                    "Answers go to %(email)s, which no incoming mail server collects: "
                    "they will not reach Odoo.",
                    email=custom,
                )
            )
        account = incoming and only_email_of(incoming.user)
        sender_email = profile.sender_email
        if account and sender_email and account != sender_email:
            warnings.append(
                self.env._(
                    "The incoming mail server “%(incoming)s” collects the mailbox "
                    "%(account)s, while answers go to %(email)s. Make sure that they "
                    "arrive there.",
                    incoming=incoming.name,
                    account=account,
                    email=sender_email,
                )
            )
        return warnings

    def _get_collector_warnings(self):
        """Where the incoming server itself keeps it from bringing answers back."""
        incoming = self.fetchmail_server_id
        if incoming and not incoming.active:
            return [
                self.env._(
                    "The incoming mail server “%(incoming)s” is archived and collects "
                    "nothing. Restore it, or choose another one.",
                    incoming=incoming.name,
                )
            ]
        if incoming and not incoming.filtered_domain(COLLECTING):
            return [
                self.env._(
                    "The incoming mail server “%(incoming)s” is not confirmed yet and "
                    "collects nothing. Open it, then test and confirm it.",
                    incoming=incoming.name,
                )
            ]
        return []

    def _get_assignment_warnings(self, profile):
        """Where nobody is left whose mail could leave through it."""
        if profile.out_of_service:
            return [
                self.env._(
                    "It is out of service: no mail leaves through it until you switch "
                    "that off."
                )
            ]
        users = self.own_user_ids
        if profile.default_company_ids or any(map(may_be_sender, users)):
            return []
        if users:
            return [
                self.env._(
                    "It is assigned only to users who are archived or no longer "
                    "internal: no mail leaves through it until they are back."
                )
            ]
        if profile.reserved:
            return [
                self.env._(
                    "It is reserved, but no user or company is assigned: only mail on "
                    "which it is set by hand leaves through it."
                )
            ]
        return self._get_open_mailbox_warnings(profile)

    def _get_open_mailbox_warnings(self, profile):
        """Where a mailbox is everybody's fallback, as it is assigned to nobody."""
        if profile.owner_id or profile.from_filter or not self._is_configured():
            return []
        email = self._get_login_email()
        if not email:
            return []
        return [
            self.env._(
                "It is assigned to nobody, so anybody's mail may leave through the "
                "mailbox %(email)s. Assign it to its users, reserve it, or fill in its "
                "FROM filter.",
                email=email,
            )
        ]
