from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.mail import formataddr

from ..bridge.addresses import email_of
from ..bridge.company_facts import CompanyFacts
from ..bridge.explanation import OBSTACLES, quote_server, sentence_of
from ..bridge.preview import Preview
from ..bridge.registry_cache import forget_kept
from ..bridge.telling import is_told, tell_of
from ..routing import Reason, Rule, domain_of


class ResCompany(models.Model):
    _inherit = "res.company"

    mail_server_ids = fields.Many2many(
        comodel_name="ir.mail_server",
        relation="ir_mail_server_default_company_rel",
        column1="company_id",
        column2="mail_server_id",
        string="Outgoing Mail Servers",
        domain="[('owner_user_id', '=', False)]",
        copy=False,
        groups="base.group_system",
        help="Outgoing mail servers this company's mail leaves through, in the order "
        "of their priority, unless the user who sends it has a server of their own. A "
        "branch without any uses those of its parent.",
    )
    mail_server_placeholder = fields.Char(
        string="Inherited Mail Servers",
        compute="_compute_outgoing_mail",
        groups="base.group_system",
        help="The servers of the parent company, which are used while none is "
        "assigned here.",
    )
    outgoing_mail_summary = fields.Text(
        string="Outgoing Mail",
        compute="_compute_outgoing_mail",
        groups="base.group_system",
        help="The outgoing mail servers this company's mail leaves through now, and "
        "the addresses it is sent as.",
    )
    mail_routing_warning = fields.Text(
        compute="_compute_outgoing_mail",
        groups="base.group_system",
        help="What can lose this company's mail or send it under a wrong name.",
    )

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains("mail_server_ids")
    def _check_mail_servers(self):
        companies = self.sudo().with_context(active_test=False)
        companies.mail_server_ids._check_assignments()
        self.env["ir.mail_server"]._renew_is_configured()

    @api.ondelete(at_uninstall=False)
    def _unlink_except_users_restricted_to_it(self):
        """Users' servers keep their restriction: it never ends by a deletion."""
        for server in self._get_servers_restricted_to_them():
            if server.own_user_ids and not server._is_named_to_user():
                raise UserError(server._get_nameless_refusal())
            if server.own_user_ids:
                raise UserError(
                    self.env._(
                        "“%(server)s” of %(users)s only carries mail of "
                        "%(companies)s. Allow another company on the server or remove "
                        "its users, then delete the company.",
                        server=server.name,
                        users=", ".join(server.own_user_ids.mapped("name")),
                        companies=", ".join(server.company_ids.mapped("name")),
                    )
                )

    def _get_servers_restricted_to_them(self):
        """The servers that carry no other company's mail than that of these."""
        servers = self.env["ir.mail_server"].sudo().with_context(active_test=False)
        restricted = servers.search([("company_ids", "in", self.ids)])
        return restricted.filtered(lambda server: server.company_ids <= self)

    @api.model_create_multi
    def create(self, vals_list):
        """Log on servers that they are assigned to new companies."""
        forget_kept(self.env)  # whose bounce addresses are
        servers = self.env["ir.mail_server"]
        servers._check_may_assign(vals_list, "mail_server_ids")
        servers._track_assignments(self, "mail_server_ids", vals_list)
        return super().create(vals_list)

    def write(self, vals):
        """Log on servers that companies get or lose them."""
        if "alias_domain_id" in vals:
            forget_kept(self.env)  # whose bounce addresses are
        servers = self.env["ir.mail_server"].sudo()
        servers._check_may_assign([vals], "mail_server_ids")
        servers._track_assignments(self, "mail_server_ids", [vals])
        if "mail_server_ids" in vals:
            companies = self.sudo().with_context(active_test=False)
            servers = companies.mail_server_ids._filter_private()
        result = super().write(vals)
        servers._reserve_unassigned()
        return result

    def unlink(self):
        """Reserve servers that are left to nobody, or they would be everybody's."""
        Server = self.env["ir.mail_server"].sudo()
        servers = self.sudo().with_context(active_test=False).mail_server_ids
        servers |= self._get_servers_restricted_to_them()
        Server._log_departure(["default_company_ids", "company_ids"], self)
        result = super().unlink()
        servers._reserve_unassigned()
        return result

    # ------------------------------------------------------------------
    # What forms say
    # ------------------------------------------------------------------

    @api.depends("mail_server_ids", "name", "email", "alias_domain_id", "parent_id")
    @api.depends_context("lang")
    def _compute_outgoing_mail(self):
        facts = CompanyFacts(self.sudo())
        preview = Preview(facts.env)
        preview.learn(facts.emails)
        for company in self:
            asked = preview
            if not company.id:
                edited = preview.directory.with_servers_of_company(
                    company._origin.id or 0, company.mail_server_ids._origin.ids
                )
                asked = Preview(facts.env, edited)
            company.update(company.sudo()._describe_outgoing_mail(asked, facts))

    def _describe_outgoing_mail(self, preview, facts):
        """How this company's mail leaves, and what is wrong with that.

        Called by its own form and by the general settings, which have fields of the
        same names.

        :param Preview preview: over the servers that the form assigns
        :param CompanyFacts facts: of all companies that are asked
        :return: values of the three computed fields
        """
        self.ensure_one()
        directory = preview.directory
        company = preview.get_company(self)
        inherits_from = directory.inherits_from(company)
        servers = directory.of_company(inherits_from.id) if inherits_from else []
        names = ", ".join(profile.name for profile in servers)
        told = [
            tell_of(sender, self._describe_typical_mail, preview, facts)
            for sender in self._get_typical_senders(facts)
        ]
        summary = [answer[0] for answer in told if answer and is_told(answer)]
        if inherits_from and inherits_from is not company:
            inherited = self.env._(
                "No server is assigned here: those of %(parent)s are used.",
                parent=inherits_from.name,
            )
            summary.insert(0, inherited)
        warnings = []
        if not inherits_from:
            warnings.append(self.env._("No outgoing mail server is assigned."))
        if not email_of(self._get_own_email()):
            warnings.append(self.env._("It has no address to send from."))
        for answer in filter(None, told):
            warnings += answer[1] if is_told(answer) else [answer]
        if not directory.configured:
            warnings = []  # all leaves as core sends it
        return {
            "mail_server_placeholder": names or self.env._("No server assigned"),
            "outgoing_mail_summary": "\n".join(summary) or False,
            "mail_routing_warning": "\n".join(dict.fromkeys(warnings)) or False,
        }

    def _describe_typical_mail(self, sender, preview, facts):
        """How a mail leaves that stands for others of this company, on a form.

        :param sender: one of its typical senders
        :return: a sentence, and the list of warnings; ``None`` without an address
        """
        email_from = self._get_email_from(sender)
        if not email_of(email_from):
            return None
        user = sender if sender != self else None
        mail = preview.get_mail(email_from, self, user)
        return self._get_mail_sentence(mail), self._get_mail_warnings(mail, facts)

    def _get_typical_senders(self, facts):
        """Who sends this company's mail: itself and one of its users, a list.

        :param CompanyFacts facts: of all companies that are asked
        """
        user = facts.typical_users.get(self._origin.id)
        return [self, user] if user else [self]

    def _get_email_from(self, sender):
        """The From header of one of the typical senders."""
        if sender == self:
            return self._get_own_email()
        return sender.partner_id.email_formatted

    def _get_own_email(self):
        """As ``email_formatted``, which does not follow what a form edits."""
        if not email_of(self.email):
            return self.email or self.catchall_formatted
        return formataddr((self.name or "", email_of(self.email)))

    def _get_mail_sentence(self, mail):
        """Which server carries a mail, and as which address it leaves."""
        values = {
            "user": mail.sender.name,
            "email": mail.email,
            "server": quote_server(self.env, mail.decision.profile),
            "address": mail.decision.from_email,
        }
        if mail.sender:
            return self.env._(
                "Mail of its users, such as %(user)s (%(email)s), leaves through "
                "%(server)s as %(address)s.",
                **values,
            )
        return self.env._(
            "Mail of the company (%(email)s) leaves through %(server)s as %(address)s.",
            **values,
        )

    def _get_mail_warnings(self, mail, facts):
        """What is wrong with how a mail leaves, a sentence each."""
        decision = mail.decision
        warnings = [
            self._get_obstacle_warning(step)
            for step in decision.steps
            if step.rule is Rule.COMPANY and step.reason in OBSTACLES
        ]
        if decision.profile is None:
            warnings.append(
                self.env._(
                    "No outgoing mail server may carry its mail, which leaves through "
                    "%(server)s. Assign a server.",
                    server=quote_server(self.env, None),
                )
            )
        if companies := self._get_other_companies_of(decision):
            warnings.append(
                self.env._(
                    "“%(server)s” is the server of %(companies)s. Assign another one "
                    "to this company.",
                    server=decision.profile.name,
                    companies=", ".join(companies.mapped("name")),
                )
            )
        return warnings + self._get_address_warnings(mail, facts)

    def _get_address_warnings(self, mail, facts):
        """What is wrong with the address that a mail leaves as, a sentence each."""
        decision, warnings = mail.decision, []
        # as an address that nobody gave, nor as a default From
        given = facts.default_from_emails
        if decision.invented and decision.from_email not in given:
            warnings.append(
                self.env._(
                    "“%(server)s” sends mail of %(email)s as %(address)s, an address "
                    "that nobody gave it. Fill in the sender address of the server.",
                    server=decision.profile.name,
                    email=mail.email,
                    address=decision.from_email,
                )
            )
        rewritten = decision.from_email != mail.email
        others = rewritten and self._get_others_at(decision.from_email, facts)
        if others:
            warnings.append(
                self.env._(
                    "%(address)s is an address of %(companies)s: mail of this company "
                    "is taken for theirs. Assign a server that may send as "
                    "%(email)s.",
                    address=decision.from_email,
                    companies=", ".join(others.mapped("name")),
                    email=mail.email,
                )
            )
        return warnings

    def _get_obstacle_warning(self, step):
        """Why a server of this company does not carry its mail, and what to do."""
        reason = sentence_of(self.env, step)
        if step.reason is not Reason.BARRED:
            return reason
        return self.env._(
            "%(reason)s Allow this company on the server, or assign another one.",
            reason=reason,
        )

    def _get_other_companies_of(self, decision):
        """The other companies whose server carries a mail, by a rule of core's."""
        profile = decision.profile
        if profile is None or decision.rule in (Rule.COMPANY, Rule.USER):
            return self.browse()
        return self._unless_ours(self.browse(sorted(profile.default_company_ids)))

    def _get_others_at(self, email, facts):
        """The companies at the domain of an address, unless it is this one's, too."""
        domain = domain_of(email)
        if domain in (domain_of(email_of(self.email)), self.alias_domain_id.name):
            return self.browse()
        return self._unless_ours(facts.by_domain[domain] - self._origin)

    def _unless_ours(self, companies):
        """These companies; none if this one, or one above it, is among them."""
        ours = self._origin | self._get_branch_of()
        return companies.browse() if companies & ours else companies

    def _get_branch_of(self):
        """The companies that this one is a branch of, the topmost first."""
        parent = self.parent_id._origin
        # an archived parent keeps its servers, so they are still inherited
        return parent and parent.with_context(active_test=False).parent_ids
