"""The addresses that a server sends as and answers go to, and its FROM filter."""

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from ...bridge.addresses import is_clean, only_email_of
from ...bridge.from_filters import read_usable
from ...bridge.sender_address import login_email, propose_sender
from ...bridge.server_rows import PROPOSED_FROM
from ...routing import FilterProblem, problem_of

_SYSTEM = "base.group_system"


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    sender_email = fields.Char(
        string="Sender Address",
        compute="_compute_sender_email",
        inverse="_inverse_sender_email",
        search="_search_sender_email",
        tracking=True,
        groups=_SYSTEM,
        help="The address that takes the place of a From this server may not send as; "
        "the name is kept. Proposed from the user name or the FROM filter; empty it to "
        "return to the proposal.",
    )
    sender_email_custom = fields.Char(
        string="Typed Sender Address",
        groups=_SYSTEM,
        help="The sender address that was typed in, where it is not the proposed one.",
    )

    # ------------------------------------------------------------------
    # Sender address
    # ------------------------------------------------------------------

    @api.depends("from_filter", *PROPOSED_FROM)
    def _compute_sender_email(self):
        for server in self:
            server.sender_email = server._find_sender()

    def _find_sender(self):
        """The sender address: what was typed, else what is proposed."""
        return self.sender_email_custom or self._propose_sender()

    def _inverse_sender_email(self):
        """Keep what was typed apart from what is proposed.

        Core does not compute a field again that was just written: what was emptied
        or typed in another form takes its final value here.
        """
        for server in self:
            typed = server.sender_email
            email = typed and self._parse_one_address(typed)
            proposed = server._propose_sender()
            server.sender_email_custom = email if email and email != proposed else False
            final = server.sender_email_custom or proposed
            if typed != final:
                server.sender_email = final

    @api.model
    def _search_sender_email(self, operator, value):
        """Ask all servers: what they log in with need not be in the database."""
        servers = self.search_fetch([], ["from_filter", "sender_email_custom"])
        found = servers.filtered_domain([("sender_email", operator, value)])
        return Domain("id", "in", found.ids)

    def _propose_sender(self):
        """The sender address where nobody typed one, ``False`` for none."""
        self.ensure_one()
        usable = read_usable(self, self.from_filter)
        return propose_sender(usable, self._get_login_email())

    def _get_login_email(self):
        """The address that it logs in with, if it does and that is one."""
        if not self._has_login():
            return False
        return login_email(self.smtp_user, self.smtp_authentication)

    def _has_login(self):
        """Whether its login may be asked for.

        Where another addon takes logins from a file, asking for one computes all of its
        fields, and on a form of a new server loses what was typed and the defaults.
        """
        field = self._fields["smtp_user"]
        if field.store or self._origin:
            return True
        return self.id in field._get_cache(self.env)  # typed

    @api.model
    def _parse_one_address(self, text):
        """The normalised address of a field that must hold exactly one.

        :raise ValidationError: no address, several, or a control character
        """
        email = only_email_of(text)
        if not email or not is_clean(text):
            raise ValidationError(
                self.env._(
                    "“%(text)s” is not one e-mail address. Type a single address such "
                    "as office@example.com.",
                    text=text,
                )
            )
        return email

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains("from_filter")
    def _check_from_filter(self):
        """Refuse a filter that admits nothing because of how it is written.

        :raise ValidationError: names the part and what to write instead
        """
        for server in self:
            if problems := server._get_filter_problems():
                raise ValidationError("\n".join(problems))

    def _get_filter_problems(self):
        """What is wrong with parts of the FROM filter, a sentence each."""
        self.ensure_one()
        return [
            self._describe_filter_problem(part, problem)
            for part in self._parse_from_filter(self.from_filter)
            if (problem := problem_of(part))
        ]

    @api.model
    def _describe_filter_problem(self, part, problem):
        """Why a part of a FROM filter admits no mail, and what to write instead."""
        remedies = {
            FilterProblem.SEPARATOR: self.env._("Separate them by commas."),
            FilterProblem.WILDCARD: self.env._(
                "List each domain by itself: there are no wildcards."
            ),
            FilterProblem.LINK: self.env._("Write the domain alone, without a link."),
            FilterProblem.LEADING_AT: self.env._("Leave out the @ before a domain."),
            FilterProblem.DOT: self.env._("Leave out the dot at the beginning or end."),
            FilterProblem.OTHER: self.env._(
                "Write a domain such as example.com, or an address such as "
                "office@example.com."
            ),
        }
        return self.env._(
            "“%(part)s” in the FROM filter is no domain and no e-mail address: it "
            "admits no mail. %(remedy)s",
            part=part,
            remedy=remedies[problem],
        )

    @api.constrains("reply_to_policy", "reply_to_email")
    def _check_reply_to_email(self):
        for server in self:
            if server.reply_to_email:
                self._parse_one_address(server.reply_to_email)
            elif server.reply_to_policy == "custom":
                raise ValidationError(
                    self.env._(
                        "“%(server)s” sends answers to another address: fill in the "
                        "reply address.",
                        server=server.name,
                    )
                )
