"""Who, besides the one that made it, had a hand in what is sent.

``write_uid`` tells the last writer only, and the job that sends a waiting message is
one. So every change of what is sent is noted where it is made, for good, by whoever
made it.
"""

from itertools import chain, product

from odoo import SUPERUSER_ID, api, fields, models
from odoo.fields import Command
from odoo.tools import SQL

from ..bridge.carrier import Incoming

# What of an attachment is sent
ATTACHED_FIELDS = frozenset(
    {"raw", "datas", "db_datas", "store_fname", "checksum", "name", "mimetype", "url"}
    | {"type"}
)

# Whose attachments wait to be sent
_WAITING = (
    "mail.message",
    "mail.scheduled.message",
    "mail.template",
    "mailing.mailing",
)


class MailRoutingHand(models.Model):
    """One row for each user who changed what somebody else had made, or asked for it.

    Only this model's own methods write it. The row of a user who was deleted stays:
    somebody had a hand in it, and ``mail.routing.leaver`` knows for which companies
    they were allowed to send. Who was deleted has a row also for what they had made
    themselves, as the record does not tell that any more.
    """

    _name = "mail.routing.hand"
    _description = "Hand in What Is Sent"
    _log_access = False
    _allow_sudo_commands = False

    res_model = fields.Char(
        string="Model",
        required=True,
        readonly=True,
        help="The model of what was changed.",
    )
    res_id = fields.Many2oneReference(
        string="Record",
        model_field="res_model",
        required=True,
        readonly=True,
        help="What was changed after somebody else had made it.",
    )
    user_id = fields.Many2one(
        comodel_name="res.users",
        string="Changed By",
        readonly=True,
        ondelete="set null",
        help="Who changed it or asked for it; empty for somebody who cannot be told, "
        "or was deleted.",
    )
    chose_server = fields.Boolean(
        string="Chose the Outgoing Mail Server",
        readonly=True,
        help="Whether they chose another outgoing mail server for it.",
    )
    noted_id = fields.Integer(
        string="ID of the User When Noted",
        readonly=True,
        help="The ID of the user, also of one that was deleted since; 0 for somebody "
        "who cannot be told.",
    )
    only_asked = fields.Boolean(
        string="Only Asked for It",
        readonly=True,
        help="Whether they changed nothing, but asked for what code made in the name "
        "of somebody else.",
    )
    made_it = fields.Boolean(
        readonly=True,
        help="Whether they made it, and were deleted since.",
    )
    leaver_id = fields.Many2one(
        comodel_name="mail.routing.leaver",
        string="Deleted User",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
        help="What is remembered of the user since they were deleted.",
    )

    # not the user, who is gone once deleted: then nobody would be there many times
    _record_user_uniq = models.UniqueIndex("(res_model, res_id, noted_id)")

    # ------------------------------------------------------------------
    # Who acts
    # ------------------------------------------------------------------

    @api.model
    def _get_requesting_user(self):
        """The user whose request or job this is, whoever code acts as.

        Core too takes the transaction's own environment for that where it checks
        commands in values (``_allow_sudo_commands``).

        :return: ``res.users`` in sudo
        """
        requesting = self.env.transaction.default_env
        users = self.env["res.users"].sudo()
        return users.browse(requesting and requesting.uid) or self.env.user.sudo()

    @api.model
    def _is_trusted(self, user):
        """Whether a user may assign any server anyway: OdooBot or an administrator.

        :param user: ``res.users`` or ``mail.routing.leaver``
        """
        is_odoo = user.id == SUPERUSER_ID
        return is_odoo or bool(user) and user.sudo().has_group("base.group_system")

    @api.model
    def _get_asking_user(self):
        """The user whose request this is, if code acts as another for them.

        Core processes an incoming mail as the user in its From, for example, whoever
        handed it in. Nobody where the current user asks, a job runs, or an
        administrator asks, who may assign any server.
        """
        user = self._get_requesting_user()
        acts_alone = user.id == self.env.uid and not self._is_incoming()
        if acts_alone or self._is_trusted(user):
            return user.browse()
        # what OdooBot makes for visitors and customers is Odoo's
        in_anothers_name = self.env.uid != SUPERUSER_ID
        return user if in_anothers_name or not user.share else user.browse()

    @api.model
    def _get_asking_ids(self):
        """The ids of those who ask for what code makes now and Odoo sends later.

        0 stands for who wrote an incoming mail, as in :meth:`_get_acting_ids`.
        """
        nobody = [0] if self._is_incoming() else []
        return nobody + self._get_asking_user().ids

    @api.model
    def _is_incoming(self):
        """Whether core processes an incoming mail, as the user in its From."""
        return Incoming.of(self.env) is not None

    @api.model
    def _is_odoo_acting(self):
        """Whether OdooBot does what somebody asked for, and not they themselves."""
        return self.env.uid == SUPERUSER_ID and not self._is_incoming()

    @api.model
    def _get_acting_ids(self):
        """Who changes something now: ids of users; none for Odoo itself.

        0 stands for somebody who cannot be told: nothing proves the From of an incoming
        mail, in whose name core acts.
        """
        current = 0 if self._is_incoming() else self.env.uid
        ids = {current, *self._get_asking_user().ids}
        return ids - {SUPERUSER_ID}

    # ------------------------------------------------------------------
    # Noting
    # ------------------------------------------------------------------

    @api.model
    def _filter_changed(self, records, vals, names, own=False):
        """Those that somebody changes by these values now, and others had made.

        None for Odoo itself: what it changes, it changes for them.

        :param records: of one model, before the values are written
        :param dict vals: as ``write`` takes them
        :param frozenset names: the fields that are sent
        :param bool own: also those that they had made themselves
        """
        names = names.intersection(vals)
        acting_ids = self._get_acting_ids() if names else set()
        if not acting_ids:
            return records.browse()
        return records.filtered(
            lambda record: (
                (own or acting_ids - {record.sudo().create_uid.id or None})
                and any(
                    self._changes(record.sudo(), name, vals[name]) for name in names
                )
            )
        )

    @api.model
    def _changes(self, record, name, value):
        """Whether a value is another one; commands that make or edit records are.

        A client says in its own words what the record has: a date is a text, and
        nothing may be an empty one.
        """
        field = record._fields[name]
        if field.type in ("one2many", "many2many"):
            return self._resulting_ids(record[name], value) != set(record[name].ids)
        now, then = (
            field.convert_to_cache(said, record) or None
            for said in (record[name], value)
        )
        return now != then

    @api.model
    def _resulting_ids(self, records, value):
        """The ids that commands leave, ``None`` where they make or edit records."""
        if isinstance(value, models.BaseModel):
            return set(value.ids)
        if all(isinstance(command, int) for command in value or ()):
            return set(value or ())
        ids = set(records.ids)
        for command in value:
            kind, id_, linked = (*command, 0, 0)[:3]
            if kind in (Command.CREATE, Command.UPDATE):
                return None
            if kind == Command.LINK:
                ids.add(id_)
            elif kind in (Command.DELETE, Command.UNLINK):
                ids.discard(id_)
            else:
                ids = set(linked or ()) if kind == Command.SET else set()
        return ids

    @api.model
    def _note(self, records, chose_server=False, own=False):
        """Note who changes records now which others had made.

        :param records: of one model
        :param bool chose_server: whether they choose another server for them
        :param bool own: note also what they had made themselves
        """
        if records:
            asked = self._is_odoo_acting()
            self._note_all(records, self._get_acting_ids(), asked, own, chose_server)

    @api.model
    def _note_asking(self, records, user_ids):
        """Note for whom code has made records in the name of somebody else.

        Under an incoming mail also where that is their own name, which proves nothing.

        :param user_ids: those who asked for it
        """
        self._note_all(records, user_ids, asked=True, own=self._is_incoming())

    @api.model
    def _note_all(self, records, user_ids, asked=False, own=False, chose_server=False):
        """Note hands that users have in records which others had made.

        :param records: of one model
        :param user_ids: also of users who were deleted, 0 for one who cannot be told
        :param bool asked: they asked for them, and changed nothing
        :param bool own: note also what they had made themselves
        :param bool chose_server: whether they choose another server for them
        """
        for user_id in user_ids:
            changed = records.sudo().filtered(
                lambda r, id=user_id: own or (r.create_uid.id or None) != id
            )
            if changed.ids:
                self._insert(
                    SQL(
                        "SELECT %s, id, %s::integer, %s, %s FROM unnest(%s) AS id",
                        changed._name,
                        user_id,
                        chose_server,
                        asked,
                        changed.ids,
                    )
                )

    @api.model
    def _note_made(self, records, user_ids):
        """Note who made records that Odoo makes for them, once their user is deleted.

        :param records: of one model
        :param user_ids: as of :meth:`_note_all`
        """
        for user_id in user_ids:
            rows = (
                "SELECT %s, id, %s::integer, false, true"
                " FROM unnest(%s::integer[]) AS id"
            )
            self._insert(SQL(rows, records._name, user_id, records.ids), made=True)

    @api.model
    def _note_attached(self, attachments):
        """Note who changes attachments now of what others will send."""
        acting_ids = self._get_acting_ids() if attachments.ids else ()
        waiting = [name for name in _WAITING if name in self.env]
        for user_id, model_name in product(acting_ids, waiting):
            model = self.env[model_name]
            field = model._fields["attachment_ids"]
            model.flush_model(["attachment_ids", "create_uid"])
            self._insert(
                SQL(
                    "SELECT DISTINCT %s, record.id, %s::integer, false, %s"
                    " FROM %s AS record JOIN %s AS link ON link.%s = record.id"
                    " WHERE link.%s = ANY(%s)"
                    " AND record.create_uid IS DISTINCT FROM %s%s",
                    model_name,
                    user_id,
                    self._is_odoo_acting(),
                    SQL.identifier(model._table),
                    SQL.identifier(field.relation),
                    SQL.identifier(field.column1),
                    SQL.identifier(field.column2),
                    attachments.ids,
                    user_id,
                    self._is_waiting(model),
                )
            )

    @api.model
    def _is_waiting(self, model):
        """The condition for messages that are still sent: from the queue, or later."""
        if model._name == "mailing.mailing":
            model.flush_model(["state"])
            return SQL(" AND record.state <> 'done'")
        if model._name != "mail.message":
            return SQL()
        self.env["mail.mail"].flush_model(["mail_message_id", "state"])
        self.env["mail.message.schedule"].flush_model(["mail_message_id"])
        return SQL(
            " AND (EXISTS (SELECT 1 FROM mail_mail AS mail"
            " WHERE mail.mail_message_id = record.id"
            " AND mail.state NOT IN ('sent', 'received'))"
            " OR EXISTS (SELECT 1 FROM mail_message_schedule AS later"
            " WHERE later.mail_message_id = record.id))"
        )

    @api.model
    def _insert(self, rows, made=False):
        """Insert model, id, user, whether they chose a server and only asked, once.

        :param SQL rows: their users by id, as of :meth:`_note_all`
        :param bool made: whether they made it, and are deleted
        """
        self.env.cr.execute(
            SQL(
                "INSERT INTO %s AS noted"
                " (res_model, res_id, noted_id, chose_server, only_asked, made_it,"
                " user_id, leaver_id)"
                " SELECT hand.*, %s, res_users.id, leaver.id FROM (%s) AS hand"
                " (res_model, res_id, noted_id, chose_server, only_asked)"
                " LEFT JOIN res_users ON res_users.id = hand.noted_id"
                " LEFT JOIN %s AS leaver ON leaver.id = hand.noted_id"
                " ON CONFLICT (res_model, res_id, noted_id) DO UPDATE SET"
                " chose_server = noted.chose_server OR EXCLUDED.chose_server,"
                " only_asked = noted.only_asked AND EXCLUDED.only_asked,"
                " made_it = noted.made_it OR EXCLUDED.made_it"
                " WHERE EXCLUDED.chose_server AND NOT noted.chose_server"
                " OR noted.only_asked AND NOT EXCLUDED.only_asked"
                " OR EXCLUDED.made_it AND noted.made_it IS NOT TRUE",
                SQL.identifier(self._table),
                made,
                rows,
                SQL.identifier(self.env["mail.routing.leaver"]._table),
            )
        )
        self.invalidate_model(flush=False)
        names = ["hand_ids", "changed_by_others", "asked_by_others"]
        self.env["mail.message"].invalidate_model(names, flush=False)

    # ------------------------------------------------------------------
    # Asking
    # ------------------------------------------------------------------

    @api.model
    def _of(self, records):
        """The hands in records, by the record's id; records without any left out.

        :param records: of one model
        :return: ``{id: mail.routing.hand}`` in sudo
        """
        hands = self.sudo()
        if not records.ids:
            return {}
        domain = [("res_model", "=", records._name), ("res_id", "in", records.ids)]
        return hands.search(domain).grouped("res_id")

    @api.model
    def _get_all_ids(self, record):
        """The ids of all who made a record or had a hand in it, without OdooBot.

        :return: set, also of users who were deleted, with 0 for one who cannot be told
        """
        hands = self._of(record).get(record.id, self.browse())
        persons = hands._get_persons(record.sudo().create_uid)
        return {person.id or 0 for person in persons} - {SUPERUSER_ID}

    def _get_persons(self, *makers):
        """All who made a record or had a hand in it, the makers first.

        Who made it and was deleted is told by a hand, and stands where the maker would.

        :param makers: ``res.users``, empty for one who was deleted
        :return: list of ``res.users`` or ``mail.routing.leaver``, OdooBot too, with an
            empty recordset for somebody who cannot be told
        """
        made = self.filtered("made_it")
        if makers and all(makers) and SUPERUSER_ID not in {user.id for user in makers}:
            others = self - made.filtered("only_asked")  # those made another mail of it
            return [*makers, *map(type(self)._get_person, others)]
        if all(makers):
            return [*makers, *map(type(self)._get_person, self)]
        leavers = [hand._get_person() for hand in made]
        found = [[maker] if maker else leavers or [maker] for maker in makers]
        others = self - made.filtered("only_asked")
        return [*chain(*found), *map(type(self)._get_person, others)]

    def _get_person(self):
        """Whose hand it is.

        :return: a ``res.users`` or ``mail.routing.leaver`` record, or the empty
            recordset for somebody who cannot be told
        """
        return self.user_id or self.leaver_id or self.user_id

    @api.autovacuum
    def _gc_hands(self):
        """Forget what was noted of records that are gone."""
        for [model_name] in self.sudo()._read_group([], ["res_model"]):
            model = self.env.get(model_name)
            gone = SQL("TRUE")
            if model is not None:
                gone = SQL(
                    "NOT EXISTS"
                    " (SELECT 1 FROM %s AS record WHERE record.id = noted.res_id)",
                    SQL.identifier(model._table),
                )
            self.env.cr.execute(
                SQL(
                    "DELETE FROM %s AS noted WHERE noted.res_model = %s AND %s",
                    SQL.identifier(self._table),
                    model_name,
                    gone,
                )
            )
        self.invalidate_model(flush=False)
        self.env["mail.routing.leaver"]._forget()
