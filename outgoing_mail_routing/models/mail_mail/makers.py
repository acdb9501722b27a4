"""Who made a mail, and whether they were allowed to ask for its server."""

from odoo import SUPERUSER_ID, api, models

# What a mail adds to its message, and is sent
_SENT_FIELDS = frozenset(
    {"body_html", "email_cc", "email_to", "headers", "recipient_ids", "references"}
)


class MailMail(models.Model):
    _inherit = "mail.mail"
    # commands in values of other models act with the rights of whoever sent them
    _allow_sudo_commands = False

    def write(self, vals):
        """Note who changes what others made; core writes the message's own fields."""
        hands = self.env["mail.routing.hand"]
        changed = hands._filter_changed(self, vals, _SENT_FIELDS)
        hands._note(changed.mail_message_id)
        return super().write(vals)

    # ------------------------------------------------------------------
    # Who made it
    # ------------------------------------------------------------------

    def _get_maker(self):
        """Who made the mail and its message; nobody, where it cannot be told.

        A user may have core make a mail of somebody else's message, or change what
        somebody else wrote before Odoo sends it: neither is that person's mail. Nor
        is what an incoming mail caused in the name that stood in its From.

        :return: a ``res.users`` record, OdooBot's too, or the empty recordset
        """
        message = self.mail_message_id
        # what Odoo posts for a user who was deleted is theirs
        both = self._get_both_makers()
        is_others = all(user and user.id != SUPERUSER_ID for user in both)
        is_leavers = not is_others and any(self._get_hands().mapped("made_it"))
        if self._is_forged() or message.changed_by_others or is_leavers:
            return message.create_uid.browse()
        makers = self._get_makers()
        if SUPERUSER_ID in makers._ids and len(makers) > 1:
            makers -= makers.browse(SUPERUSER_ID)
        # OdooBot makes what it makes for whoever asks
        in_anothers_name = message.asked_by_others and makers.ids != [SUPERUSER_ID]
        return makers if len(makers) == 1 and not in_anothers_name else makers.browse()

    def _get_makers(self):
        """Those who made the mail and its message, OdooBot too; none if deleted."""
        of_message, of_mail = self._get_both_makers()
        return of_message | of_mail if of_message and of_mail else of_message.browse()

    def _get_both_makers(self):
        """Who made the message, and who the mail; empty for one who was deleted."""
        of_message = self.mail_message_id.create_uid
        # a mail made by new() has no maker of its own
        return of_message, self.create_uid if self._origin else of_message

    def _is_forged(self):
        """Whether an incoming mail made it, which names whom it likes in its From."""
        message = self.mail_message_id
        # what absent users answer is theirs, whoever wrote to them
        return message.made_by_gateway and message.message_type != "out_of_office"

    def _get_persons(self):
        """All who had a hand in the mail: who made it, or changed it since.

        :return: list of ``res.users`` or ``mail.routing.leaver``, without OdooBot, with
            an empty recordset for somebody who cannot be told
        """
        makers = dict.fromkeys(self._get_both_makers())
        if self._is_forged():
            makers = [self.mail_message_id.create_uid.browse()]
        persons = self._get_hands()._get_persons(*makers)
        return [person for person in persons if person.id != SUPERUSER_ID]

    @api.model
    def _get_makers_of(self, record):
        """All who had a hand in a record that mail is made of later, without OdooBot.

        :return: list as of :meth:`_get_persons`
        """
        if not record._origin:
            return []  # made up, to tell what becomes of such mail
        hands = self.env["mail.routing.hand"].sudo()
        hands = hands._of(record).get(record.id, hands)
        persons = hands._get_persons(record.create_uid)
        if record._name == "calendar.event":
            persons += self._get_makers_of_reminders(record.alarm_ids)
        return [person for person in persons if person.id != SUPERUSER_ID]

    @api.model
    def _get_names_on(self, record):
        """Its responsible, who need not have had a hand in it, and all who had.

        :return: list as of :meth:`_get_persons`
        """
        responsible = [u for u in record._origin.user_id if u.id != SUPERUSER_ID]
        return responsible + self._get_makers_of(record)

    @api.model
    def _get_makers_of_reminders(self, alarms):
        """All who had a hand in the text of an event's reminders, without trusted ones.

        Whoever chose a reminder saw it as its maker had made it, but not its template.

        :param calendar.alarm alarms: the reminders
        :return: list as of :meth:`_get_persons`
        """
        hands = self.env["mail.routing.hand"]
        templates = alarms.mail_template_id
        persons = list(templates.create_uid)
        for records in (alarms, templates):
            for noted in hands._of(records).values():
                persons += noted._get_persons()
        return [p for p in dict.fromkeys(persons) if not hands._is_trusted(p)]

    def _get_hands(self):
        """The hands of others in what is sent."""
        return self.mail_message_id.hand_ids

    # ------------------------------------------------------------------
    # Whether they may ask for its server
    # ------------------------------------------------------------------

    def _is_forced_server_open(self, company):
        """Whether those who made the mail may send it through the server set on it.

        :param res.company company: the company that the mail is sent for
        """
        self.ensure_one()
        server = self.mail_message_id.mail_server_id
        return not server or server._is_open_to_mail_of(
            self._get_choosers(),
            company,
            self._is_server_of_template() or self._is_server_of_mailing(),
        )

    def _get_choosers(self):
        """All who have to be allowed to send through the server set on the mail.

        Where somebody set another one after the mail was made, who made it need not be.
        Nor need the responsible of a mass mailing, who is named on it and no more.

        :return: list as of :meth:`_get_persons`
        """
        hands = self._get_hands()
        if any(hand.chose_server for hand in hands):
            others = hands.filtered(lambda hand: hand.chose_server or not hand.made_it)
            return others._get_persons()
        makers = self._get_makers_of(self.mailing_id) if self._is_bulk() else []
        return self._get_persons() + makers

    def _is_server_of_template(self):
        """Whether the mail was made from a template that has that server still."""
        message = self.mail_message_id
        return (
            not message.changed_by_others
            and message.server_template_id.mail_server_id == message.mail_server_id
        )

    def _is_server_of_mailing(self):
        """Whether it is the one preset for mailings, and who made the mail may use it.

        Another one was chosen for the mailing: it carries what those wrote who may
        choose it.
        """
        server = self.mail_message_id.mail_server_id
        if not self._is_bulk() or self.mailing_id.mail_server_id != server:
            return False
        if server.id != self.mailing_id._get_default_mail_server_id():
            return False
        choosers = self._get_choosers()
        users = [
            person for person in choosers if person and person._name == "res.users"
        ]
        return len(users) == len(choosers) and all(
            self.mailing_id.with_user(user).sudo(False).has_access("read")
            for user in users
        )
