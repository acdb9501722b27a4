"""A mail whose recipients fare differently is split, each part in one state."""

import ast
from collections import defaultdict

from odoo import models, tools
from odoo.tools import SQL

from ...bridge.building import MOST, Batch, Built, MessageBuilder, Told

#: Contacts of one mail that are built together; one for more is split.
CROWD = 100


class MailMail(models.Model):
    _inherit = "mail.mail"

    def _get_parts(self):
        """What of a mail is a message of its own (``_prepare_outgoing_list``).

        :return: the ids of its contacts, after 0 for its To and Cc
        """
        addressed = (self.email_to or "").strip() or (self.email_cc or "").strip()
        return [*([0] if addressed else []), *self.recipient_ids.ids]

    def _get_success_emails(self):
        """The addresses that core counts as sent where the To of a mail was."""
        return tools.mail.email_split_and_format_normalize(self.email_to or "")

    def _split_crowd(self):
        """Split a mail for many contacts, each of whom gets a message of its own.

        :return: this mail and the others; itself where it is for few
        """
        partner_ids = self.recipient_ids.ids
        if not CROWD < len(partner_ids) <= MOST:
            return self
        first = len(self._get_parts()) - len(partner_ids)  # its To and Cc
        keys = [(0, "")] * first + [(id_, "") for id_ in partner_ids]
        groups = [list(group) for group in tools.split_every(CROWD, keys)]
        return self.browse().concat(*self._split_for_delivery(groups))

    def _find_recipients(self):
        """Who the messages of a mail are for, found out by building them again.

        For mail that another run was sending: its journal knows only whom it had
        offered something.

        :rtype: Told
        """
        builder = MessageBuilder(self.env)
        for (
            server_id,
            alias_domain_id,
            routed,
            ids,
        ) in self._split_by_mail_configuration():
            server = self.env["ir.mail_server"].browse(server_id)
            batch = Batch(server, alias_domain_id, routed, tuple(ids))
            built = builder.build({self.id: batch}, self).get(self.id, Built())
            if built.failure:
                break  # what the journal has is all there is
            return Told.of(built)
        return Told()

    def _split_for_delivery(self, groups):
        """Give each group of recipients a mail of its own; the first keeps this one.

        As core's ``_split_by_delayed_batch``: with the same message, and notifications
        that follow their mail.

        :param list groups: lists of ``(part, address)``; an address is ``""`` where the
            whole part is meant
        :return: a mail for each group
        """
        if len(groups) < 2:
            return [self]
        groups_of = defaultdict(set)
        for number, keys in enumerate(groups):
            for part, _address in keys:
                groups_of[part].add(number)
        values = [
            self._values_of_part(number, group, groups_of)
            for number, group in enumerate(groups)
        ]
        mails = [self]
        for group, part_values in zip(groups[1:], values[1:], strict=True):
            mail = (
                self.with_user(self.create_uid)
                .sudo()
                .copy(
                    {
                        "headers": self.headers,
                        "mail_message_id": self.mail_message_id.id,
                        "is_notification": self.is_notification,
                        "scheduled_date": self.scheduled_date,
                        "state": "outgoing",
                        "delivery_tries": self.delivery_tries,
                        "delivery_since": self.delivery_since,
                        **part_values,
                    }
                )
            )
            mail = mail.with_env(self.env)
            mail._settle_as(self)
            self._hand_over(mail, group)
            mails.append(mail)
        self.write(values[0])
        return mails

    def _values_of_part(self, number, group, groups_of):
        """The recipients of one part of this mail.

        :param dict groups_of: the numbers of the groups that a part of it is in
        """
        partner_ids, addresses, others = [], [], []
        whole = False
        for part, address in group:
            if part and number == min(groups_of[part]):
                partner_ids.append(part)
            elif part:
                others.append(address)  # of a contact that stays with another part
            elif address:
                addresses.append(address)
            else:
                whole = True
        values = {
            "recipient_ids": [(6, 0, list(dict.fromkeys(partner_ids)))],
            "email_to": self.email_to if whole else False,
            "email_cc": self.email_cc if whole else False,
        }
        if addresses and not whole:
            values.update(self._address_values(addresses, len(groups_of[0]) > 1))
        if others:
            to = [values["email_to"], *others]
            values["email_to"] = ", ".join(filter(None, to))
        return values

    def _address_values(self, addresses, is_split):
        """To and Cc for some addresses; the header still says whom all it was for."""
        in_cc = set(tools.mail.email_normalize_all(self.email_cc or ""))
        to = [each for each in addresses if each.lower() not in in_cc]
        cc = [each for each in addresses if each.lower() in in_cc]
        values = {
            "email_to": ", ".join(to) or False,
            "email_cc": ", ".join(cc) or False,
        }
        if not is_split:
            return {"email_to": self.email_to, "email_cc": self.email_cc}
        if self.email_to and to:
            values["headers"] = self._headers_with(self.email_to)
        return values

    def _headers_with(self, forged_to):
        """The headers of this mail, with the To that its readers see."""
        try:
            headers = ast.literal_eval(self.headers or "{}")
        except (ValueError, SyntaxError, TypeError):
            return self.headers
        return repr({"X-Forge-To": forged_to, **headers})

    def unlink(self):
        """Keep the message of a mail that was split as long as a part of it is left.

        Core deletes it with the first part, and the database all others with it.
        """
        alone = self.sudo().filtered(lambda mail: not mail.is_notification)
        others = self.sudo().search(
            [
                ("mail_message_id", "in", alone.mail_message_id.ids),
                ("id", "not in", self.ids),
            ]
        )
        shared = others.mail_message_id
        alone.filtered(lambda mail: mail.mail_message_id in shared).write(
            {"is_notification": True}
        )
        return super().unlink()

    def _hand_over(self, mail, group):
        """Have attempts, notifications and traces follow their recipients."""
        partner_ids = set(mail.recipient_ids.ids)
        for part, address in group:
            if not address:
                continue  # never offered
            self.env.cr.execute(
                SQL(
                    "UPDATE mail_delivery_attempt"
                    " SET mail_mail_id_int = %s, part = %s"
                    " WHERE mail_mail_id_int = %s AND part = %s AND recipient = %s",
                    mail.id,
                    part if part in partner_ids else 0,
                    self.id,
                    part,
                    address,
                )
            )
        notifications = self.env["mail.notification"].search(
            [("mail_mail_id", "=", self.id), ("notification_type", "=", "email")]
        )
        addresses = set(tools.mail.email_normalize_all(mail.email_to or ""))
        notifications.filtered(
            lambda each: (
                each.res_partner_id.id in partner_ids
                or (each.mail_email_address and each.mail_email_address in addresses)
            )
        ).mail_mail_id = mail
        if "mailing_trace_ids" in self._fields:
            mailed = addresses.union(mail.recipient_ids.mapped("email_normalized"))
            self.mailing_trace_ids.filtered(
                lambda trace: tools.email_normalize(trace.email or "") in mailed
            ).mail_mail_id = mail
