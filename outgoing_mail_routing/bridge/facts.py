"""What records say, as the facts of a ``routing.Request``."""

from collections import defaultdict

from odoo import SUPERUSER_ID
from odoo.tools import SQL

from ..routing import Company, Person, Request, spellings
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
                self.env, Server._get_default_from_filter()
            ),
        }

    def message_request(self, email_from, directory, mail_servers=None, forced_id=0):
        """The request of a message that no ``mail.mail`` stands behind.

        It is sent for the calling user in their company, which matters only where
        something is assigned or a policy set. A personal server is open to it only
        where the caller names it among its candidates, as core's queue does, or asks
        for it by its id: core checks that one itself.

        :param str email_from: the From header of the message
        :param routing.Directory directory: all servers
        :param mail_servers: the candidates that the caller allows, ``None`` for all
        :param int forced_id: the server that the caller insists on
        :rtype: routing.Request
        """
        personal = mail_servers.filtered("owner_user_id") if mail_servers else ()
        core_facts = {
            "personal_id": forced_id or (personal.id if len(personal) == 1 else 0),
            "forced_id": forced_id or 0,
            **self.core_facts(email_from, self.default_facts()),
        }
        if not directory.configured:
            return Request(**core_facts)
        user = self.env.user.sudo()
        sender = user if may_be_sender(user) else user.browse()
        company = sender.company_id or self.env.company.sudo()
        email = email_of(email_from)
        named = self.users_by_email([email_from]).get(email, user.browse())
        named |= self.users_by_sender_address([email_from], directory).get(email, named)
        return Request(
            received=bool(self.received_among([email_from])),
            sender=self.person(sender),
            colleagues=tuple(map(self.person, sender and named - sender)),
            company=self.company(company),
            **core_facts,
        )

    def users_by_email(self, emails):
        """Active internal users by their normalised e-mail, in one statement.

        :param emails: From headers or addresses
        :return: ``{normalised e-mail: res.users}``, only e-mails that users have
        """
        normalized = {email_of(email) for email in emails} - {""}
        users = self.env["res.users"].sudo()
        ids_by_email = defaultdict(list)
        if normalized:
            spelled = {text for email in normalized for text in spellings(email)}
            for user in users.search(
                [
                    ("partner_id.email_normalized", "in", list(spelled)),
                    ("share", "=", False),
                ],
                order="id",
            ).filtered(may_be_sender):
                for email in spellings(user.partner_id.email_normalized):
                    ids_by_email[email].append(user.id)
        return {email: users.browse(ids) for email, ids in ids_by_email.items()}

    def users_by_sender_address(self, emails, directory):
        """Active internal users by the sender address of a server of their own.

        :param emails: From headers or addresses
        :param routing.Directory directory: all servers
        :return: ``{normalised address: res.users}``, only addresses that users have
        """
        normalized = {email_of(email) for email in emails} - {""}
        ids_by_address = {
            email: ids
            for email in normalized
            if (ids := directory.users_sending_as(email))
        }
        users = self.env["res.users"].sudo()
        users = users.browse({id_ for ids in ids_by_address.values() for id_ in ids})
        known = frozenset(users.filtered(may_be_sender).ids)
        return {
            email: users.browse(sorted(ids & known))
            for email, ids in ids_by_address.items()
        }

    def received_among(self, emails):
        """Those of some addresses that Odoo itself receives, in one statement.

        :param emails: From headers or addresses
        :return: the normalised addresses that are a catchall or an alias
        """
        normalized = tuple({email_of(email) for email in emails} - {""})
        if not normalized:
            return set()
        self.env["mail.alias"].flush_model(["alias_full_name"])
        self.env["mail.alias.domain"].flush_model(["catchall_alias", "name"])
        rows = self.env.execute_query(
            SQL(
                "SELECT alias_full_name FROM mail_alias WHERE alias_full_name IN %s"
                " UNION SELECT concat(catchall_alias, '@', name)"
                " FROM mail_alias_domain WHERE concat(catchall_alias, '@', name) IN %s",
                normalized,
                normalized,
            )
        )
        return {email for (email,) in rows}
