"""What records say, as the facts of a ``routing.Request``."""

from odoo import SUPERUSER_ID

from ..routing import Company, Person
from .addresses import email_of, name_of
from .from_filters import read_as_core
from .telling import NOT_OF_TEXTS

# What of a user, and of the partner behind, tells where their mail leaves
USER_FIELDS = (
    "partner_id",
    "login",
    "active",
    "share",
    "company_id",
    "company_ids",
    "own_mail_server_ids",
    "use_own_mail_servers",
)
PARTNER_FIELDS = ("name", "email", "email_normalized")


def may_be_sender(user):
    """Whether mail can be sent for a user: internal, active, not OdooBot.

    :param res.users user: a single one, or none
    """
    return bool(user) and user.active and not user.share and user.id != SUPERUSER_ID


class Facts:
    """Turns the records of an environment into facts."""

    def __init__(self, env):
        self.env = env

    def person(self, user):
        """The facts of an internal user, ``None`` for an empty recordset."""
        if not user:
            return None
        partner = user.partner_id
        return Person(
            user._origin.id or 0,
            partner.name or user.login or "",
            partner.email_normalized or "",
            user.use_own_mail_servers,
            frozenset(user.company_ids.ids),
        )

    def fetch(self, users):
        """Read at once what is told of each of some users, or a form asks of them.

        Whoever tells of users reads them one by one, as the texts of one must not
        spoil what is told of the others; and what is read along comes in thousands.
        """
        users.fetch(USER_FIELDS)
        users.partner_id.fetch(PARTNER_FIELDS)
        try:
            users.partner_id.mapped("email_formatted")  # computed for all at once
        except NOT_OF_TEXTS:
            raise
        except Exception:  # of one of them: each is asked by itself then
            users.invalidate_recordset(["email_formatted"], flush=False)
            users.partner_id.invalidate_recordset(["email_formatted"], flush=False)

    def company(self, company):
        """The facts of a company, saved or not, and of those it is a branch of."""
        parent = None
        for ancestor in company._get_branch_of():  # the topmost first
            parent = Company(ancestor.id, ancestor.name, parent=parent)
        return Company(
            company._origin.id or 0,
            company.name or "",
            company.default_from_email or "",
            company.bounce_email or "",
            parent,
            self._get_others_bounces(company),
            email_of(company.email),
        )

    def _get_others_bounces(self, company):
        """The bounce addresses of alias domains that only other companies use."""
        company_id = company._origin.id
        return frozenset(
            bounce_email
            for bounce_email, company_ids in self.env[
                "mail.alias.domain"
            ]._get_bounce_owners()
            if company_id not in company_ids
        )

    def personal_server_id(self, user, directory, forced_id=0):
        """The personal server that a user connected and still uses, 0 for none.

        :param res.users user: maybe empty
        :param routing.Directory directory: all servers
        :param int forced_id: server set on the mail, which wins over the user's switch
        """
        profile = directory.personal(user._origin.id)
        if profile is None:
            return 0
        if profile.id != forced_id and not user.use_own_mail_servers:
            return 0
        params = self.env["ir.config_parameter"].sudo()
        if params.get_param("mail.disable_personal_mail_servers"):
            return 0
        # core computes it for saved users only
        in_use = user._origin.outgoing_mail_server_id
        return profile.id if in_use.id == profile.id else 0

    @staticmethod
    def core_facts(email_from, defaults):
        """What core's ``_find_mail_server`` itself looks at, as request arguments.

        :param str email_from: the From header
        :param dict defaults: :meth:`default_facts`, which many mails share
        """
        return {
            "email_from": email_from or "",
            "email": email_of(email_from),
            "name": name_of(email_from),
            **defaults,
        }

    def default_facts(self):
        """The part of core's facts that all mails of an alias domain share.

        The alias domain reaches it by context, as it reaches core.
        """
        Server = self.env["ir.mail_server"].sudo()
        return {
            "notifications_email": self.env.context.get("domain_notifications_email")
            or email_of(Server._get_default_from_address()),
            "system_from_filter": read_as_core(
                Server, Server._get_default_from_filter()
            ),
        }
