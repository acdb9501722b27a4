"""What Odoo knows of addresses: whose they are, and which it receives itself."""

from collections import defaultdict

from odoo import SUPERUSER_ID
from odoo.tools import SQL

from ..routing import spellings
from .addresses import email_of

# Users who may be senders, as ``facts.may_be_sender`` says, by their e-mail
_USERS = """
    SELECT person.id, partner.email_normalized
    FROM res_users AS person
    JOIN res_partner AS partner ON partner.id = person.partner_id
    WHERE partner.email_normalized = ANY(%(spelled)s)
    AND person.active AND person.share IS NOT TRUE AND person.id != %(odoobot)s
    UNION ALL
    SELECT id, NULL FROM res_users
    WHERE id IN %(ids)s AND active AND share IS NOT TRUE AND id != %(odoobot)s
"""
_RECEIVED = """
    SELECT 0, alias_full_name FROM mail_alias
    WHERE alias_full_name IN (SELECT email FROM asked)
    UNION ALL
    SELECT 0, concat(catchall_alias, '@', name) FROM mail_alias_domain
    WHERE concat(catchall_alias, '@', name) IN (SELECT email FROM asked)
"""
# What they depend on, by model
_DEPENDED_ON = {
    "res.users": ("active", "share", "partner_id"),
    "res.partner": ("email_normalized",),
    "mail.alias": ("alias_full_name",),
    "mail.alias.domain": ("catchall_alias", "name"),
}


class KnownAddresses:
    """Looks up addresses, in one statement for any number of them.

    Made for one answer and thrown away.
    """

    def __init__(self, env, directory=None):
        """Look up addresses in an environment.

        :param routing.Directory directory: all servers, where those also matter whose
            server has an address as its own
        """
        self._users = env["res.users"].sudo()
        self._env = env
        self._directory = directory
        self._known = set()
        self._received = set()
        self._ids_by_email = defaultdict(set)
        self._ids_by_sender = {}

    def learn(self, headers, whose=True):
        """Look up what is not known yet.

        :param headers: From headers or addresses
        :param bool whose: ask also which users have the addresses
        """
        emails = {email_of(header) for header in headers} - self._known - {""}
        if not emails:
            return
        self._known |= emails
        sending = self._get_sending(emails) if whose else {}
        active_ids = set()
        for user_id, email in self._look_up(emails, sending.values(), whose):
            if not user_id:
                self._received.add(email)
            elif email is None:
                active_ids.add(user_id)
            else:
                for spelling in spellings(email):
                    self._ids_by_email[spelling].add(user_id)
        for email, ids in sending.items():
            self._ids_by_sender[email] = ids & active_ids

    def _get_sending(self, emails):
        """The ids of users whose servers send as the addresses, by address."""
        if not self._directory:
            return {}
        sending = {email: self._directory.users_sending_as(email) for email in emails}
        return {email: ids for email, ids in sending.items() if ids}

    def _look_up(self, emails, sending, whose):
        """Rows of a user's id and their e-mail, or nothing for one who is asked for.

        An address that Odoo receives has a 0 for the id.
        """
        for model, names in _DEPENDED_ON.items():
            self._env[model].flush_model(names)
        rows = f"{_USERS} UNION ALL {_RECEIVED}" if whose else _RECEIVED
        return self._env.execute_query(
            SQL(
                f"WITH asked AS (SELECT unnest(%(emails)s) AS email) {rows}",
                emails=list(emails),
                spelled=list({text for email in emails for text in spellings(email)}),
                ids=tuple(frozenset().union({0}, *sending)),
                odoobot=SUPERUSER_ID,
            )
        )

    def is_received(self, header):
        """Whether the address of a header is a catchall or an alias."""
        return bool(self._received) and email_of(header) in self._received

    @property
    def received(self):
        """The normalised addresses that are a catchall or an alias."""
        return frozenset(self._received)

    def users_with(self, header):
        """The active internal users whose e-mail is the address of a header."""
        return self._users.browse(sorted(self._ids_by_email.get(email_of(header), ())))

    def named_by(self, header):
        """Those users, then those of whom a server has the address as its own."""
        return self._users.browse(self.ids_named_by(header))

    def ids_named_by(self, header):
        """The ids of the users of :meth:`named_by`, as a tuple."""
        email = email_of(header)
        of_email = self._ids_by_email.get(email, set())
        of_sender = self._ids_by_sender.get(email, set())
        return (*sorted(of_email), *sorted(of_sender - of_email))
