"""What the form of an outgoing mail server says of its configuration."""

from dataclasses import dataclass

from odoo import api, fields, models

from ..routing import Decision, Rule, may_send_as
from .addresses import email_of, only_email_of
from .company_facts import CompanyFacts
from .fetchmail_server import COLLECTING
from .mail_routing import PROPOSED_FROM, SERVER_FIELDS, MailHeaders
from .telling import is_told, lines_of, tell_of

# Of how many users one is looked for whose mail does leave through the server
_USERS_ASKED = 5

# Among how many companies one without servers is looked for
_COMPANIES_ASKED = 50

# An address that no FROM filter names
_ELSEWHERE = "somebody@elsewhere.invalid"


@dataclass(frozen=True)
class WarningFacts:
    """E-mail ``domains`` by company, and addresses whose answers come back to Odoo."""

    domains: dict
    brought_back: set


@dataclass(frozen=True)
class ExampleMail:
    """A mail that stands on the form of a server for all of its kind.

    ``sender`` is the user who writes it, empty for the mail of a company, ``company``
    the one it is about, ``headers`` are those it leaves with.
    """

    sender: models.BaseModel
    company: models.BaseModel
    email_from: str
    decision: Decision
    headers: MailHeaders


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    routing_warning = fields.Text(
        compute="_compute_routing_warning",
        groups="base.group_system",
        help="What in this configuration can lose mail or send it under a wrong name.",
    )

    routing_summary = fields.Text(
        string="What It Does",
        compute="_compute_routing_summary",
        groups="base.group_system",
        help="Whose mail leaves through this server, with which addresses, as it is "
        "configured on this form.",
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

    def _get_warning_facts(self):
        """What the warnings of all these servers depend on, asked for at once.

        :rtype: WarningFacts
        """
        routing = self.env["mail.routing"].sudo()
        users = (self.own_user_ids | self.owner_user_id)._origin
        users.fetch(["active", "share", "company_id"])
        emails = (*self.mapped("sender_email"), *self.mapped("reply_to_email"))
        return WarningFacts(
            routing._get_domains_of_companies(),
            routing._brought_back_among(filter(None, emails)),
        )

    def _get_routing_warnings(self, facts):
        """What can lose or misbrand mail here, a sentence each.

        :param WarningFacts facts: of all servers that are asked
        """
        self.ensure_one()
        return lines_of(self, type(self)._find_routing_warnings, facts)

    def _find_routing_warnings(self, facts):
        """As :meth:`_get_routing_warnings`, where every text can be read."""
        warnings = self._get_assignment_warnings()
        assigned = self.own_user_ids or self.default_company_ids
        warnings += self._get_filter_problems()
        warnings += self._get_domain_warnings(facts.domains)
        if self.sender_email and not self._parse_usable(self.from_filter).admits(
            self.sender_email
        ):
            warnings.append(
                self.env._(
                    "The FROM filter does not admit the sender address %(email)s: mail "
                    "rewritten to it may be refused or taken for spam.",
                    email=self.sender_email,
                )
            )
        if assigned and self.from_policy == "login" and not self.sender_email:
            warnings.append(
                self.env._(
                    "It may send as its sender address only, but has none. Fill in the "
                    "sender address."
                )
            )
        warnings += self._get_reply_warnings(facts.brought_back)
        return warnings + self._get_bounce_warnings(facts)

    def _get_domain_warnings(self, domains):
        """Where a relay of companies has neither FROM filter nor login address."""
        policy_says = self.from_policy != "auto" or self.sender_email
        if self.from_filter or policy_says or not self.default_company_ids:
            return []
        companies = self.default_company_ids._origin
        known = sorted(set().union(*(domains[c.id] for c in companies)))
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

    def _get_bounce_warnings(self, facts):
        """Where bounces go to a mailbox from which nothing brings them back."""
        email = email_of(self.sender_email)
        assigned = self.own_user_ids or self.default_company_ids
        decides = assigned or self.bounce_policy == "from"
        if not email or self.bounce_policy == "odoo" or not decides:
            return []
        if email in facts.brought_back or self._may_send_odoos_bounces(facts.domains):
            return []
        return [
            self.env._(
                "Bounces go to %(email)s, which no incoming mail server collects: Odoo "
                "does not learn that a mail could not be delivered. Choose or create "
                "an incoming mail server.",
                email=email,
            )
        ]

    def _may_send_odoos_bounces(self, domains):
        """Whether its mail keeps the bounce address of Odoo as envelope sender."""
        if self.bounce_policy != "auto":
            return False
        routing = self.env["mail.routing"].sudo()
        values = {"id": 0, **routing._read_edited(self, SERVER_FIELDS)}
        profile = routing._server_profile(values, (), domains)
        users = self.own_user_ids._origin
        companies = self.default_company_ids._origin or users.company_id
        emails = set(companies.mapped("bounce_email")) - {False}
        return bool(emails) and all(may_send_as(profile, email) for email in emails)

    def _get_reply_warnings(self, brought_back):
        """What can keep answers from coming back, a sentence each.

        :param brought_back: the addresses whose answers come back
        """
        incoming = self.fetchmail_server_id
        warnings = self._get_collector_warnings()
        if self.reply_to_policy == "from" and not incoming:
            warnings.append(
                self.env._(
                    "Answers go to the address in From, but no incoming mail server "
                    "collects them: they will not reach Odoo."
                )
            )
        custom = email_of(self.reply_to_email)
        if self.reply_to_policy == "custom" and custom and custom not in brought_back:
            warnings.append(
                self.env._(
                    "Answers go to %(email)s, which no incoming mail server collects: "
                    "they will not reach Odoo.",
                    email=custom,
                )
            )
        account = only_email_of(incoming.user)
        if account and self.sender_email and account != self.sender_email:
            warnings.append(
                self.env._(
                    "The incoming mail server “%(incoming)s” collects the mailbox "
                    "%(account)s, while answers go to %(email)s. Make sure that they "
                    "arrive there.",
                    incoming=incoming.name,
                    account=account,
                    email=self.sender_email,
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

    def _get_assignment_warnings(self):
        """Where nobody is left whose mail could leave through it."""
        users = self.own_user_ids
        if self.out_of_service:
            return [
                self.env._(
                    "It is out of service: no mail leaves through it until you switch "
                    "that off."
                )
            ]
        if self.default_company_ids:
            return []
        if users and not any(map(self.env["mail.routing"]._may_be_sender, users)):
            return [
                self.env._(
                    "It is assigned only to users who are archived or no longer "
                    "internal: no mail leaves through it until they are back."
                )
            ]
        if self.reserved and not users:
            return [
                self.env._(
                    "It is reserved, but no user or company is assigned: only mail on "
                    "which it is set by hand leaves through it."
                )
            ]
        return self._get_open_mailbox_warnings()

    def _get_open_mailbox_warnings(self):
        """Where a mailbox is everybody's fallback, as it is assigned to nobody."""
        closed = self.own_user_ids or self.reserved or self.owner_user_id
        if closed or self.from_filter or not self._is_routing_configured():
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

    @api.model
    def _is_routing_configured(self):
        return self.env["mail.routing"].sudo()._is_configured()

    # ------------------------------------------------------------------
    # What it does
    # ------------------------------------------------------------------

    @api.depends(*SERVER_FIELDS, *PROPOSED_FROM)
    @api.depends_context("lang", "company")
    def _compute_routing_summary(self):
        """Follows what is edited; on the form only, for it decides on several mails."""
        routing = self.env["mail.routing"].sudo()
        for server in self.sudo().with_context(active_test=False):
            directory, profile = routing._get_edited_directory(server)
            describe = type(server)._describe_effect
            lines = lines_of(server, describe, directory, profile)
            server.routing_summary = "\n".join(lines)

    def _describe_effect(self, directory, profile):
        """What becomes of the mails that this server is meant for, a sentence each.

        :param routing.Directory directory: with this server as the form has it
        :param routing.ServerProfile profile: this server in it
        """
        if not profile.active:
            return [self.env._("It is archived: no mail leaves through it.")]
        if not (profile.assigned or profile.owner_id):
            return self._describe_unassigned(directory, profile)
        mails, untold = self._get_example_mails(directory, profile)
        lines = [*(self._describe_example(mail, profile) for mail in mails), *untold]
        nobody = self.env._("Nobody it is assigned to can send mail now.")
        return list(dict.fromkeys(lines)) or [nobody]

    def _get_example_mails(self, directory, profile, forced_id=0):
        """A mail of its users, one of its companies, and one of their users.

        :param routing.ServerProfile profile: this server in the directory
        :param int forced_id: the server that is set on all of them
        :return: list of :class:`ExampleMail`, and of what cannot be told instead
        """
        senders = (self.owner_user_id | self.own_user_ids)._origin
        senders = senders.filtered(self.env["mail.routing"]._may_be_sender)
        of_users = [
            tell_of(user, self._get_users_mail, directory, forced_id)
            for user in senders.filtered("email_normalized")[:_USERS_ASKED]
        ]
        of_companies = [
            tell_of(sender, self._get_companys_mail, company, directory, forced_id)
            for company in self.default_company_ids._origin[:1]
            for sender in company._get_typical_senders(CompanyFacts(company))
        ]
        untold = [mail for mail in of_users + of_companies if not is_told(mail)]
        told = list(filter(is_told, of_users))
        # one whose mail does leave through it, as theirs, tells more
        told.sort(key=lambda mail: mail.decision.header_rule is not Rule.USER)
        told.sort(key=lambda mail: mail.decision.profile != profile)
        return [*told[:1], *filter(is_told, filter(None, of_companies))], untold

    def _get_typical_mail(self):
        """The mail that the form tells of first.

        :rtype: ExampleMail
        :return: ``None`` where it is assigned to nobody, or nothing can be told
        """
        server = self.sudo().with_context(active_test=False)
        directory, profile = server.env["mail.routing"]._get_edited_directory(server)
        if not (profile.assigned or profile.owner_id):
            return None
        mails, _untold = server._get_example_mails(directory, profile)
        return next(iter(mails), None)

    def _get_users_mail(self, user, directory, forced_id=0):
        """A mail that a user writes, in a company that this server may serve."""
        companies = user.company_id | user.company_ids
        allowed = companies & self.company_ids._origin or companies
        return self._get_example(
            user, allowed[:1], user.email_formatted, directory, forced_id
        )

    def _get_companys_mail(self, sender, company, directory, forced_id=0):
        """A mail of a company or of one of its users, ``None`` without an address.

        :param sender: one of the company's typical senders
        """
        email_from = company._get_email_from(sender)
        user = sender if sender != company else self.env["res.users"]
        if not email_of(email_from):
            return None
        return self._get_example(user, company, email_from, directory, forced_id)

    @api.model
    def _get_example(self, sender, company, email_from, directory, forced_id=0):
        """A mail, decided on as if it were sent now."""
        routing = self.env["mail.routing"]
        decision = routing._decide_for_form(
            email_from, company, directory, sender, forced_id
        )
        headers = routing._get_form_headers(email_from, company, decision)
        return ExampleMail(sender, company, email_from, decision, headers)

    def _describe_example(self, mail, profile):
        """How a mail of those it is assigned to leaves, and if not through it, why."""
        values = {
            "name": mail.sender.name or mail.company.name,
            "email": email_of(mail.email_from),
            **self._get_effect(mail.headers),
        }
        if mail.decision.profile != profile:
            return self._describe_other_way(mail.decision, profile, values)
        if not mail.sender:
            return self.env._(
                "Mail of its companies, such as %(name)s (%(email)s), leaves as "
                "%(sender)s; answers go to %(reply_to)s; bounces go to %(bounces)s.",
                **values,
            )
        if mail.decision.rule is not Rule.COMPANY:
            return self.env._(
                "Mail of its users, such as %(name)s (%(email)s), leaves as "
                "%(sender)s; answers go to %(reply_to)s; bounces go to %(bounces)s.",
                **values,
            )
        return self.env._(
            "Mail of its companies' users, such as %(name)s (%(email)s), leaves as "
            "%(sender)s; answers go to %(reply_to)s; bounces go to %(bounces)s.",
            **values,
        )

    @api.model
    def _describe_other_way(self, decision, profile, values):
        """Through which server a mail leaves instead of this one, and why."""
        steps = [step for step in decision.steps if step.server_id == profile.id]
        step = (steps or decision.steps)[-1]
        return self.env._(
            "Mail of %(name)s (%(email)s) leaves through %(server)s as %(sender)s "
            "instead: %(reason)s",
            server=self.env["mail.routing"]._quote_server(decision.profile),
            reason=self.env["mail.routing"]._sentence(step),
            **values,
        )

    @api.model
    def _get_effect(self, headers):
        """The addresses that a mail leaves with, as values of a sentence."""
        return {
            "sender": headers.email_from,
            "reply_to": email_of(headers.reply_to or headers.email_from),
            "bounces": headers.envelope_sender,
        }

    def _describe_unassigned(self, directory, profile):
        """Which mail a server attracts that is assigned to nobody."""
        lines, mails = [], []
        for sentence, email in self._get_attractions(profile):
            mail = self._get_nobodys_mail(email, directory)
            if mail.decision.profile == profile:
                lines.append(sentence)
                mails.append(mail)
        if not mails:
            mails = [self._get_readers_mail(directory, profile)]
            lines = [
                self.env._(
                    "It is assigned to nobody: only mail on which it is set by hand "
                    "leaves through it."
                )
            ]
        return [*lines, self._describe_such_mail(mails[0])]

    def _get_readers_mail(self, directory, profile):
        """A mail of who reads the form, on which this server is set by hand."""
        if email_of(self.env.user.email):
            mail = tell_of(self.env.user, self._get_users_mail, directory, profile.id)
            if is_told(mail):
                return mail
        return self._get_nobodys_mail(_ELSEWHERE, directory, profile.id)

    def _get_nobodys_mail(self, email, directory, forced_id=0):
        """A mail of no user, about a company without servers if there is one."""
        routing = self.env["mail.routing"]
        companies = self.company_ids._origin or self.env["res.company"].search(
            [], limit=_COMPANIES_ASKED
        )
        free = companies.filtered(
            lambda company: directory.holder(routing._company(company)) is None
        )
        company = (free or companies)[:1]
        nobody = self.env["res.users"]
        return self._get_example(nobody, company, email, directory, forced_id)

    def _get_attractions(self, profile):
        """The mails it may attract: a sentence and the From of an example.

        :param routing.ServerProfile profile: this server, assigned to nobody
        """
        if profile.reserved:
            return
        parts = profile.from_filter
        named = [*parts.addresses, *(f"somebody@{domain}" for domain in parts.domains)]
        if email := next(filter(None, named), None):
            yield (
                self.env._(
                    "It is assigned to nobody: mail From %(filter)s leaves through it, "
                    "unless its sender or its company has a server for it.",
                    filter=parts.text,
                ),
                email,
            )
        yield (
            self.env._("Mail that no other server takes leaves through it."),
            _ELSEWHERE,
        )

    def _describe_such_mail(self, mail):
        """How an example of what was just described leaves."""
        return self.env._(
            "Such mail of %(company)s, From %(email)s for example, leaves as "
            "%(sender)s; answers go to %(reply_to)s; bounces go to %(bounces)s.",
            company=mail.company.name,
            email=email_of(mail.email_from),
            **self._get_effect(mail.headers),
        )
