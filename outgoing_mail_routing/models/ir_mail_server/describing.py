"""What the form of a server says that it does: previews of mail."""

from odoo import api, fields, models

from ...bridge.addresses import email_of
from ...bridge.company_facts import CompanyFacts
from ...bridge.directory_source import DirectorySource
from ...bridge.explanation import quote_server, sentence_of
from ...bridge.facts import Facts, may_be_sender
from ...bridge.preview import Preview
from ...bridge.server_rows import PROPOSED_FROM, SERVER_FIELDS
from ...bridge.telling import is_told, lines_of, tell_of
from ...routing import Rule

# Of how many users one is looked for whose mail does leave through the server
_USERS_ASKED = 5

# Among how many companies one without servers is looked for
_COMPANIES_ASKED = 50

# An address that no FROM filter names
_ELSEWHERE = "somebody@elsewhere.invalid"


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    routing_summary = fields.Text(
        string="What It Does",
        compute="_compute_routing_summary",
        groups="base.group_system",
        help="Whose mail leaves through this server, with which addresses, as it is "
        "configured on this form.",
    )

    @api.depends(*SERVER_FIELDS, *PROPOSED_FROM)
    @api.depends_context("lang", "company")
    def _compute_routing_summary(self):
        """Follows what is edited; on the form only, for it decides on several mails."""
        for server in self.sudo().with_context(active_test=False):
            directory, profile = DirectorySource(server.env).get_edited(server)
            preview = Preview(server.env, directory)
            describe = type(server)._describe_effect
            lines = lines_of(server, describe, preview, profile)
            server.routing_summary = "\n".join(lines)

    def _describe_effect(self, preview, profile):
        """What becomes of the mails that this server is meant for, a sentence each.

        :param Preview preview: with this server as the form has it
        :param routing.ServerProfile profile: this server in it
        """
        if not profile.active:
            return [self.env._("It is archived: no mail leaves through it.")]
        if not (profile.assigned or profile.owner_id):
            return self._describe_unassigned(preview, profile)
        mails, untold = self._get_example_mails(preview, profile)
        lines = [*(self._describe_example(mail, profile) for mail in mails), *untold]
        nobody = self.env._("Nobody it is assigned to can send mail now.")
        return list(dict.fromkeys(lines)) or [nobody]

    def _get_example_mails(self, preview, profile, forced_id=0):
        """A mail of its users, one of its companies, and one of their users.

        :param Preview preview: over a directory with this server
        :param routing.ServerProfile profile: this server in it
        :param int forced_id: the server that is set on all of them
        :return: list of ``PreviewMail``, and of what cannot be told instead
        """
        senders = (self.owner_user_id | self.own_user_ids)._origin
        senders = senders.filtered(may_be_sender)
        of_users = [
            tell_of(user, self._get_users_mail, preview, forced_id)
            for user in senders.filtered("email_normalized")[:_USERS_ASKED]
        ]
        of_companies = [
            tell_of(sender, self._get_companys_mail, company, preview, forced_id)
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

        :rtype: PreviewMail
        :return: ``None`` where it is assigned to nobody, or nothing can be told
        """
        server = self.sudo().with_context(active_test=False)
        directory, profile = DirectorySource(server.env).get_edited(server)
        if not (profile.assigned or profile.owner_id):
            return None
        mails, _untold = server._get_example_mails(
            Preview(server.env, directory), profile
        )
        return next(iter(mails), None)

    def _get_users_mail(self, user, preview, forced_id=0):
        """A mail that a user writes, in a company that this server may serve."""
        companies = user.company_id | user.company_ids
        allowed = companies & self.company_ids._origin or companies
        mail = preview.get_mail(user.email_formatted, allowed[:1], user, forced_id)
        return mail.with_headers()

    @api.model
    def _get_companys_mail(self, sender, company, preview, forced_id=0):
        """A mail of a company or of one of its users, ``None`` without an address.

        :param sender: one of the company's typical senders
        """
        email_from = company._get_email_from(sender)
        if not email_of(email_from):
            return None
        user = sender if sender != company else None
        return preview.get_mail(email_from, company, user, forced_id).with_headers()

    def _describe_example(self, mail, profile):
        """How a mail of those it is assigned to leaves, and if not through it, why."""
        values = {
            "name": mail.sender.name or mail.company.name,
            "email": mail.email,
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
            server=quote_server(self.env, decision.profile),
            reason=sentence_of(self.env, step),
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

    def _describe_unassigned(self, preview, profile):
        """Which mail a server attracts that is assigned to nobody."""
        lines, mails = [], []
        for sentence, email in self._get_attractions(profile):
            mail = self._get_nobodys_mail(email, preview)
            if mail.decision.profile == profile:
                lines.append(sentence)
                mails.append(mail)
        if not mails:
            mails = [self._get_readers_mail(preview, profile)]
            lines = [
                self.env._(
                    "It is assigned to nobody: only mail on which it is set by hand "
                    "leaves through it."
                )
            ]
        return [*lines, self._describe_such_mail(mails[0])]

    def _get_readers_mail(self, preview, profile):
        """A mail of who reads the form, on which this server is set by hand."""
        if email_of(self.env.user.email):
            mail = tell_of(self.env.user, self._get_users_mail, preview, profile.id)
            if is_told(mail):
                return mail
        return self._get_nobodys_mail(_ELSEWHERE, preview, profile.id)

    def _get_nobodys_mail(self, email, preview, forced_id=0):
        """A mail of no user, about a company without servers if there is one."""
        companies = self.company_ids._origin or self.env["res.company"].search(
            [], limit=_COMPANIES_ASKED
        )
        known = Facts(self.env)
        free = companies.filtered(
            lambda company: (
                preview.directory.inherits_from(known.company(company)) is None
            )
        )
        company = (free or companies)[:1]
        return preview.get_mail(email, company, forced_id=forced_id).with_headers()

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
            email=mail.email,
            **self._get_effect(mail.headers),
        )
