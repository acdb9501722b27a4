from odoo import SUPERUSER_ID, api, models
from odoo.fields import Domain

from ..bridge.company_facts import CompanyFacts
from ..bridge.directory_source import DirectorySource
from ..bridge.explanation import check_administrator
from ..bridge.facts import Facts
from ..bridge.preview import Preview
from ..bridge.server_rows import SERVER_FIELDS

# How many users a search finds
_FOUND_USERS = 40


class MailRoutingOverview(models.AbstractModel):
    """Which servers companies and users have, and what is missing, for one page.

    What is wrong is said by the forms of companies, users and servers: this model asks
    them, and adds where each issue is mended.
    """

    _name = "mail.routing.overview"
    _description = "Overview of Mail Routing"

    @api.model
    def get_overview(self):
        """All that the page shows. Names no host, login or password.

        Called by the web client. The number of statements grows neither with the
        companies nor with users and servers.

        :return: ``configured``, which is false as long as nothing was set by which
            mail would leave in another way than Odoo itself sends it. Then no more,
            else ``issue_count``, ``servers`` by id as :meth:`_get_server` gives them,
            ``companies`` as :meth:`_get_company` does, and ``others``, the servers
            that are nobody's of these, as :meth:`_get_other_server` does
        :raise AccessError: for anybody but administrators
        """
        check_administrator(self.env)
        directory = DirectorySource(self.env).get()
        if not directory.configured:
            return {"configured": False}
        overview = self.sudo()
        servers = overview._get_servers()
        facts = servers._get_warning_facts(directory)
        issues = {s.id: overview._get_server_issues(s, facts) for s in servers}
        rows = [self._get_server(server, issues[server.id]) for server in servers]
        companies = overview._get_companies(Preview(overview.env, directory), issues)
        # what is left was taken by no company or user
        others = servers.filtered(lambda server: server.active and server.id in issues)
        others = [
            self._get_other_server(server, issues[server.id]) for server in others
        ]
        cards = [*companies, *others, *(u for c in companies for u in c["users"])]
        return {
            "configured": True,
            "issue_count": sum(len(card["issues"]) for card in cards),
            "servers": {row["id"]: row for row in rows},
            "companies": companies,
            "others": others,
            "user_form_id": self.env.ref("base.view_users_form").id,
        }

    # ------------------------------------------------------------------
    # Servers
    # ------------------------------------------------------------------

    @api.model
    def _get_servers(self):
        """All servers, archived ones too, in the order in which they are asked."""
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        servers = servers.search([], order="sequence, id")
        servers.fetch(SERVER_FIELDS)  # at once: what is told of each is told by itself
        return servers

    @api.model
    def _get_server(self, server, issues):
        """A server as it is named on the page."""
        return {
            "id": server.id,
            "name": server.name,
            "active": server.active,
            "out_of_service": server.out_of_service,
            "personal": bool(server.owner_user_id),
            "has_issues": bool(issues),
        }

    @api.model
    def _get_server_issues(self, server, facts):
        """What the form of a server warns of; nothing of an archived one.

        Whoever needs a server that is archived says so.

        :param facts: those of all servers, for their warnings
        """
        if not server.active:
            return []
        of_collector = server._get_collector_warnings()
        return [
            self._get_issue(
                server.fetchmail_server_id if message in of_collector else server,
                message,
                subject=server.name,
            )
            for message in server._get_routing_warnings(facts)
        ]

    @api.model
    def _get_other_server(self, server, issues):
        """A server that is no company's and no listed user's, and for whom it is."""
        note = False
        if server.owner_user_id:
            name = server.owner_user_id.name
            note = self.env._("Connected by %(user)s, who is archived.", user=name)
        elif server.default_company_ids:
            names = ", ".join(server.default_company_ids.mapped("name"))
            note = self.env._("Assigned to %(names)s, who are archived.", names=names)
        elif not (server.reserved or server.own_user_ids):
            note = self.env._("Assigned to nobody: a fallback for everybody.")
            if server.company_ids:
                note = self.env._(
                    "Assigned to nobody: a fallback for %(companies)s.",
                    companies=", ".join(server.company_ids.mapped("name")),
                )
        return {"server_ids": server.ids, "note": note, "issues": issues}

    @api.model
    def _get_issue(self, record, message, subject=False):
        """One thing that is wrong, and the record on whose form it is mended.

        :param str subject: the server it is about, where it is shown on another card
        """
        return {
            "subject": subject,
            "message": message,
            "model": record._name,
            "res_id": record.id,
        }

    # ------------------------------------------------------------------
    # Companies
    # ------------------------------------------------------------------

    @api.model
    def _get_companies(self, preview, issues):
        """All companies, each branch below its parent, with their users.

        :param Preview preview: over all servers
        :param dict issues: those of servers by id. What is shown is taken out, so that
            each is shown once, where its server comes first.
        """
        in_order = list(self._in_order_of_branches())
        facts = CompanyFacts(self.env["res.company"].union(*(c for c, _ in in_order)))
        listed = self._get_users(preview.directory)
        preview.learn([*facts.emails, *listed.partner_id.mapped("email")])
        mails_of, answers = listed._preview_own_mails(preview=preview)
        users_of = listed.grouped("company_id")
        counts = self._count_users()
        companies = []
        for company, depth in in_order:
            row = self._get_company(company, preview, issues, facts)
            users = users_of.get(company, self.env["res.users"])
            rows = [
                self._get_user(
                    user,
                    *mails_of.get(user, ((), ())),
                    answers,
                    preview.directory,
                    issues,
                )
                for user in users
            ]
            # those with an issue are found first in a list that is cut
            rows.sort(key=lambda user: not user["issues"])
            others = self._get_other_users(company, users, counts, preview.directory)
            companies.append({**row, **others, "depth": depth, "users": rows})
        return companies

    @api.model
    def _in_order_of_branches(self):
        """Companies with their depth below the topmost one that is not archived."""
        companies = self.env["res.company"].search([])
        branches_of = companies.grouped(lambda c: c.parent_id & companies)
        waiting = [(c, 0) for c in reversed(branches_of.get(companies.browse(), ()))]
        while waiting:
            company, depth = waiting.pop()
            yield company, depth
            branches = branches_of.get(company, ())
            waiting += [(branch, depth + 1) for branch in reversed(branches)]

    @api.model
    def _get_company(self, company, preview, issues, facts):
        """A company with its servers, and what its form says of them.

        :param CompanyFacts facts: of all companies
        """
        itself, directory = preview.get_company(company), preview.directory
        inherits_from = directory.inherits_from(itself)
        profiles = directory.of_company(inherits_from.id) if inherits_from else []
        said = company._describe_outgoing_mail(preview, facts)
        warnings = (said["mail_routing_warning"] or "").splitlines()
        return {
            "id": company.id,
            "name": company.name,
            "parent": company.parent_id.name,
            "inherited_from": inherits_from.name
            if inherits_from and inherits_from is not itself
            else False,
            "server_ids": [profile.id for profile in profiles],
            "summary": (said["outgoing_mail_summary"] or "").splitlines(),
            "issues": [
                *(self._get_issue(company, warning) for warning in warnings),
                *self._take_issues(profiles, issues),
            ],
        }

    @api.model
    def _take_issues(self, profiles, issues):
        """The issues of servers that were shown nowhere yet."""
        return [issue for profile in profiles for issue in issues.pop(profile.id, ())]

    # ------------------------------------------------------------------
    # Users
    # ------------------------------------------------------------------

    @api.model
    def search_users(self, query):
        """Internal users whose name, login or e-mail address contains a text.

        Called by the web client. The number of statements does not grow with the users.

        :param str query: as typed
        :return: ``users``, each as :meth:`_get_found_user` gives them, and whether
            there are ``more``
        :raise AccessError: for anybody but administrators
        """
        check_administrator(self.env)
        query = query.strip()
        if not query:
            return {"users": [], "more": False}
        names = ("name", "login", "email")
        domain = Domain.OR(Domain(name, "ilike", query) for name in names)
        users = self.sudo().env["res.users"]
        users = users.search(domain & self._internal_users(), limit=_FOUND_USERS + 1)
        found = users[:_FOUND_USERS]
        Facts(found.env).fetch(found)
        mails_of, answers = found._preview_own_mails()
        return {
            "users": [
                self._get_found_user(user, *mails_of.get(user, ((), ())), answers)
                for user in found
            ],
            "more": len(users) > len(found),
        }

    @api.model
    def _get_found_user(self, user, mails, untold, answers):
        """A user that was searched, and how they send: a sentence each company."""
        lines = [user._describe_both_ways(mail, answers) for mail in mails]
        lines += untold
        return {
            "id": user.id,
            "name": user.name,
            "email": user.email,
            "lines": lines or [self.env._("They have no e-mail address.")],
        }

    @api.model
    def _get_users(self, directory):
        """The internal users who have servers of their own."""
        ids = directory.user_ids | directory.owner_ids
        domain = Domain("id", "in", list(ids)) & self._internal_users()
        users = self.env["res.users"].search(domain)
        Facts(self.env).fetch(users)
        return users

    @api.model
    def _internal_users(self):
        return Domain("share", "=", False) & Domain("id", "!=", SUPERUSER_ID)

    @api.model
    def _count_users(self):
        """How many internal users have each company as theirs."""
        return dict(
            self.env["res.users"]._read_group(
                self._internal_users(), ["company_id"], ["__count"]
            )
        )

    @api.model
    def _get_user(self, user, mails, untold, answers, directory, issues):
        """A user with their own servers, and what their form says of them.

        :param mails: the user's own, ``PreviewMail`` of each company
        :param untold: what cannot be told of them instead
        :param Answers answers: to all these mails
        """
        personal = directory.personal(user.id)
        profiles = [*([personal] if personal else []), *directory.of_user(user.id)]
        warnings = untold or user._get_own_server_warnings(mails)
        return {
            "id": user.id,
            "name": user.partner_id.name,
            "email": user.partner_id.email,
            "server_ids": [profile.id for profile in profiles],
            "issues": [
                *(self._get_issue(user, warning) for warning in warnings),
                *self._get_lost_answers(user, mails, answers),
                *self._take_issues(profiles, issues),
            ],
        }

    @api.model
    def _get_lost_answers(self, user, mails, answers):
        """Answers to a user that nobody collects, unless their server says so itself.

        One server may have a thousand users, and is mended once.
        """
        lost = {}
        for mail in mails:
            profile = mail.decision.profile
            server = self.env["ir.mail_server"].browse(profile and profile.id)
            # the set is asked for custom replies alone, and these are not collected
            if not (
                answers.come_back(mail)
                or (server and server._get_reply_warnings(profile, ()))
            ):
                lost.setdefault(mail.reply_email, server or user)
        return [
            self._get_issue(record, user._warn_of_lost_answers(email))
            for email, record in lost.items()
        ]

    @api.model
    def _get_other_users(self, company, users, counts, directory):
        """How many users of a company have no server of their own, and who they are."""
        domain = self._internal_users() & Domain("company_id", "=", company.id)
        domain &= Domain("own_mail_server_ids", "=", False)
        owner_ids = [
            user_id
            for user_id in users.ids
            if not any(profile.active for profile in directory.of_user(user_id))
        ]
        if owner_ids:
            domain &= Domain("id", "not in", owner_ids)
        return {
            "other_users": counts.get(company, 0) - len(users),
            "other_users_domain": list(domain),
        }
