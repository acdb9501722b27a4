"""What is told of companies depends on, asked for at once for any number of them."""

from collections import defaultdict
from functools import cached_property

from odoo import SUPERUSER_ID
from odoo.fields import Domain

from ..routing import domain_of
from .addresses import email_of
from .facts import Facts


class CompanyFacts:
    """Facts of some companies, each kind in as many statements as for one of them."""

    def __init__(self, companies):
        """Take the companies, in sudo; nothing is asked before it is needed.

        :param companies: ``res.company``, as stored or as a form has them
        """
        self.companies = companies
        self.env = companies.env

    @cached_property
    def typical_users(self):
        """By company id the first user whose mail leaves through its servers."""
        users = self.env["res.users"]
        no_own_servers = Domain("own_mail_server_ids", "=", False)
        switched_off = Domain("use_own_mail_servers", "=", False)
        domain = (
            Domain("company_id", "in", self.companies._origin.ids)
            & Domain("share", "=", False)
            & Domain("id", "!=", SUPERUSER_ID)
            & Domain("partner_id.email_normalized", "!=", False)
            & (no_own_servers | switched_off)
        )
        first_ids = {
            company.id: user_id
            for company, user_id in users._read_group(
                domain, ["company_id"], ["id:min"]
            )
        }
        users = users.browse(first_ids.values())
        Facts(self.env).fetch(users)
        return {
            company_id: users.browse(user_id).with_prefetch(users._prefetch_ids)
            for company_id, user_id in first_ids.items()
        }

    @property
    def emails(self):
        """The addresses that the companies and these users write from."""
        users = self.env["res.users"].union(*self.typical_users.values())
        emails = (
            *self.companies.mapped("email"),
            *self.companies.mapped("catchall_email"),
            *users.mapped("email"),
            *users.mapped("email_normalized"),
        )
        return list(filter(None, emails))

    @cached_property
    def default_from_emails(self):
        """The default From of each alias domain."""
        return {
            domain.default_from_email
            for domain in self.env["mail.alias.domain"].search([])
        }

    @cached_property
    def by_domain(self):
        """All companies at each e-mail domain, by their address or alias domain."""
        found = defaultdict(self.env["res.company"].browse)
        for company in self.env["res.company"].search([]):
            alias_domain = company.alias_domain_id.name
            for domain in {alias_domain, domain_of(email_of(company.email))}:
                if domain:
                    found[domain] |= company
        return found
