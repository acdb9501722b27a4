"""What is remembered of users who were deleted, as far as mail still depends on it.

A deleted user is gone from all that they made, changed or asked for: PostgreSQL empties
``create_uid``, and the user of a hand. Nobody could tell any more for which companies
they were allowed to send, and a text of theirs would leave for whatever company others
may send for: to be rid of that limit, they or an accomplice would only have to delete
their user while it waits.

So once a user is deleted, ``mail.routing.hand`` notes what they made that may still be
sent, and this model the companies they belonged to then, and whether they were
administrators or no internal users. No mail changes its company by that: each of them
stays limited as it was. No other fact of a person is kept, and these only as long as
some hand depends on them. Of users who were deleted before this addon was installed
nothing is known: they limit nothing.
"""

from odoo import fields, models
from odoo.tools import SQL

# What mail is made of later, even once the user is deleted who made it
_MADE = (
    "calendar.event",
    "mail.scheduled.message",
    "mail.template",
    "mailing.mailing",
)


class MailRoutingLeaver(models.Model):
    """One row for each user who was deleted and had a hand in what may be sent.

    Its ID is that of the user: none is given twice. So it stands where a ``res.users``
    would among those who had a hand in a mail, and answers what is asked of these. Only
    this model's own methods write it.
    """

    _name = "mail.routing.leaver"
    _description = "Deleted User With a Hand in What Is Sent"
    _log_access = False
    _allow_sudo_commands = False

    company_id = fields.Many2one(
        comodel_name="res.company",
        string="Default Company",
        readonly=True,
        help="The default company of the user when they were deleted.",
    )
    company_ids = fields.Many2many(
        comodel_name="res.company",
        relation="mail_routing_leaver_company_rel",
        column1="leaver_id",
        column2="company_id",
        string="Allowed Companies",
        readonly=True,
        help="The companies the user was allowed to work for when they were deleted: "
        "what they had a hand in is sent for none but these.",
    )
    share = fields.Boolean(
        string="Was No Internal User",
        readonly=True,
        help="Whether they were a portal or public user.",
    )
    was_administrator = fields.Boolean(
        readonly=True,
        help="Whether they were allowed to assign any outgoing mail server.",
    )

    def has_group(self, group_ext_id):
        """Whether they had a group, as of a user; none but administrators' is kept."""
        return group_ext_id == "base.group_system" and self.was_administrator

    def _note_leaving(self, users):
        """Note those of these users of whom there are hands, before they are deleted.

        In a few statements, however many users and hands there are.
        """
        self._note_makers(users)
        self._insert(users)
        self._note_hands(users)

    def _note_makers(self, users):
        """Note what users made that may be sent once they are deleted.

        PostgreSQL empties ``create_uid`` of all that they made as well, so this costs
        no more than that does. Of messages only those that wait are noted.
        """
        self._note_makers_of_waiting(users)
        for model_name in _MADE:
            if model_name in self.env:
                model = self.env[model_name]
                model.flush_model(["create_uid"])
                self.env["mail.routing.hand"]._insert(
                    SQL(
                        "SELECT %s, id, create_uid, false, true FROM %s"
                        " WHERE create_uid = ANY(%s)",
                        model_name,
                        SQL.identifier(model._table),
                        users.ids,
                    ),
                    made=True,
                )

    def _note_makers_of_waiting(self, users):
        """Note which messages that are still sent, or their mails, users made.

        What an incoming mail made in their names is not theirs, but for what they
        answer while they are absent.
        """
        self.env["mail.message"].flush_model(
            ["create_uid", "made_by_gateway", "message_type"]
        )
        self.env["mail.mail"].flush_model(["create_uid", "mail_message_id", "state"])
        self.env["mail.message.schedule"].flush_model(["mail_message_id"])
        self.env["mail.routing.hand"]._insert(
            SQL(
                "SELECT DISTINCT 'mail.message', message.id, maker.id, false, true"
                " FROM (SELECT mail_message_id, create_uid FROM mail_mail"
                " WHERE state NOT IN ('sent', 'received')"
                " UNION ALL SELECT mail_message_id, NULL FROM mail_message_schedule)"
                " AS waiting (message_id, create_uid)"
                " JOIN mail_message AS message ON message.id = waiting.message_id"
                " JOIN unnest(%s::integer[]) AS maker (id)"
                " ON maker.id IN (message.create_uid, waiting.create_uid)"
                " WHERE message.made_by_gateway IS NOT TRUE"
                " OR message.message_type = 'out_of_office'",
                users.ids,
            ),
            made=True,
        )

    def _note_hands(self, users):
        """Note on the hands of users that they are deleted now."""
        hands = self.env["mail.routing.hand"]
        self.env.cr.execute(
            SQL(
                "UPDATE %s SET leaver_id = user_id WHERE user_id = ANY(%s)",
                SQL.identifier(hands._table),
                users.ids,
            )
        )
        hands.invalidate_model(flush=False)

    def _insert(self, users):
        """Insert those of these users of whom there are hands, with their companies."""
        users.flush_model(["company_id", "company_ids", "share"])
        administrators = self.env.ref("base.group_system").sudo()
        administrators = administrators.with_context(active_test=False).all_user_ids
        of_users = users._fields["company_ids"]
        of_leavers = self._fields["company_ids"]
        self.env.cr.execute(
            SQL(
                "INSERT INTO %s (id, company_id, share, was_administrator)"
                " SELECT id, company_id, share, id = ANY(%s) FROM res_users AS leaver"
                " WHERE id = ANY(%s)"
                " AND EXISTS"
                " (SELECT 1 FROM %s AS noted WHERE noted.user_id = leaver.id)"
                # left by a deletion that was refused, and went on
                " ON CONFLICT (id) DO UPDATE SET"
                " (company_id, share, was_administrator)"
                " = (EXCLUDED.company_id, EXCLUDED.share, EXCLUDED.was_administrator)",
                SQL.identifier(self._table),
                (users & administrators).ids,
                users.ids,
                SQL.identifier(self.env["mail.routing.hand"]._table),
            )
        )
        self.env.cr.execute(
            SQL(
                "DELETE FROM %s WHERE %s = ANY(%s)",
                SQL.identifier(of_leavers.relation),
                SQL.identifier(of_leavers.column1),
                users.ids,
            )
        )
        self.env.cr.execute(
            SQL(
                "INSERT INTO %s (%s, %s) SELECT leaver.id, allowed.%s"
                " FROM %s AS leaver JOIN %s AS allowed ON allowed.%s = leaver.id"
                " WHERE leaver.id = ANY(%s)",
                SQL.identifier(of_leavers.relation),
                SQL.identifier(of_leavers.column1),
                SQL.identifier(of_leavers.column2),
                SQL.identifier(of_users.column2),
                SQL.identifier(self._table),
                SQL.identifier(of_users.relation),
                SQL.identifier(of_users.column1),
                users.ids,
            )
        )
        self.invalidate_model(flush=False)

    def _forget(self):
        """Forget those of whom no hand is left."""
        self.env.cr.execute(
            SQL(
                "DELETE FROM %s AS leaver WHERE NOT EXISTS"
                " (SELECT 1 FROM %s AS noted WHERE noted.leaver_id = leaver.id)",
                SQL.identifier(self._table),
                SQL.identifier(self.env["mail.routing.hand"]._table),
            )
        )
        self.invalidate_model(flush=False)
