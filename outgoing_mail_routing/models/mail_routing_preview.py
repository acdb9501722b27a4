from dataclasses import replace
from itertools import chain

import psycopg2

from odoo import SUPERUSER_ID, api, models
from odoo.tools import format_datetime

from ..bridge.directory_source import DirectorySource
from ..bridge.explanation import check_administrator, quote_server
from ..bridge.facts import Facts
from ..bridge.server_rows import SERVER_FIELDS
from ..bridge.telling import is_told, lines_of, untold
from ..routing import compare

# How many of the last mails are looked at
_MAILS = 500

# What of a message its headers and its line in the list are made of
_MESSAGE_FIELDS = ("reply_to", "date", "subject", "record_name", "email_from")

# The field of a server that a form's field of servers is the other side of
_OTHER_SIDE = {
    "res.users": ("own_mail_server_ids", "own_user_ids"),
    "res.company": ("mail_server_ids", "default_company_ids"),
}


class MailRoutingPreview(models.AbstractModel):
    """Tells, on a form that is not saved yet, which mails would go another way."""

    _name = "mail.routing.preview"
    _description = "Effect of Edited Mail Routing"

    @api.model
    def get_changes(self, model, res_id, changes):
        """The last mails that would take another route, were a form saved.

        Called by the web client on the forms of users, companies and servers. Sends
        and writes nothing.

        :param str model: of the form
        :param res_id: of the record, ``False`` for one that is not saved yet
        :param dict changes: values as ``write`` takes them
        :return: ``total`` mails looked at, ``rows`` of those that change, and
            ``untold`` sentences for those that nothing can be told of
        :raise AccessError: for anybody but administrators
        """
        check_administrator(self.env)
        origin = self.env[model].browse(res_id or ()).exists()
        changes = {name: changes[name] for name in changes if name in origin._fields}
        edited = origin.new(changes, origin=origin or None)
        rows_edited = self._get_edited_rows(edited, changes)
        source = DirectorySource(self.env)
        directories = (source.get(), source.build(rows_edited))
        mails = self._get_last_mails()
        asked = mails._get_route_questions()
        named = self._read_record_names(mails.mail_message_id)
        tell = self._get_row if named else self._get_row_apart
        rows = [
            row
            for mail in mails.browse(asked)
            for row in lines_of(
                mail, self._get_rows, tell, asked[mail.id], edited, *directories
            )
        ]
        untold = [row for row in rows if not is_told(row)]
        return {
            "total": len(asked),
            "rows": list(filter(is_told, rows)),
            "untold": list(dict.fromkeys(untold)),
        }

    # ------------------------------------------------------------------
    # Mails
    # ------------------------------------------------------------------

    @api.model
    def _get_last_mails(self):
        """The last mails that Odoo knows of, as the queue would send them again.

        :return: ``mail.mail`` records; of a mail that was deleted when it had been
            sent, one made in memory of the message that Odoo kept
        """
        env = self.env(user=SUPERUSER_ID, context={"lang": self.env.lang})
        messages = env["mail.message"].search(
            [
                "|",
                "|",
                ("mail_ids", "!=", False),
                ("notification_ids.notification_type", "=", "email"),
                ("message_type", "=", "email_outgoing"),
            ],
            order="id desc",
            limit=_MAILS,
        )
        # at once: each mail made of one would have its message read by itself
        messages.fetch(_MESSAGE_FIELDS)
        Mail = env["mail.mail"]
        return Mail.concat(
            *(
                message.mail_ids[:1] or Mail.new({"mail_message_id": message})
                for message in messages
            )
        )

    # ------------------------------------------------------------------
    # What was edited
    # ------------------------------------------------------------------

    @api.model
    def _edit(self, question, edited):
        """A question with the facts of an edited user or company in their place."""
        facts, request = Facts(self.env), question.request
        if edited._name == "res.users":
            person = facts.person(edited)
            persons = {
                "sender": self._swap(request.sender, person),
                "colleagues": tuple(
                    self._swap(colleague, person) for colleague in request.colleagues
                ),
            }
            return replace(question, request=replace(request, **persons))
        if edited._name == "res.company":
            company = self._swap(request.company, facts.company(edited))
            return replace(question, request=replace(request, company=company))
        return question

    @api.model
    def _swap(self, fact, edited):
        """The edited facts, where they are of the same record."""
        return edited if fact and fact.id == edited.id else fact

    @api.model
    def _get_edited_rows(self, edited, changes):
        """The values of servers that the form changes.

        :return: ``{server id: {field: value}}`` as :meth:`_build_directory` takes it
        """
        if edited._name == "ir.mail_server":
            names = [name for name in SERVER_FIELDS if name in changes or not edited.id]
            return {
                edited._origin.id or 0: DirectorySource(self.env).read_edited(
                    edited, names
                )
            }
        name, other_side = _OTHER_SIDE[edited._name]
        before, after = edited._origin.sudo()[name], edited.sudo()[name]._origin
        id_ = edited._origin.id
        rows = {}
        for server in chain(before - after, after - before):
            ids = set(server[other_side].ids) ^ {id_}
            rows[server.id] = {other_side: list(ids)}
            others = server.own_user_ids.ids + server.default_company_ids.ids
            if not ids and others == [id_] and server._filter_private():
                rows[server.id]["reserved"] = True  # as where it is saved
        return rows

    # ------------------------------------------------------------------
    # Answer
    # ------------------------------------------------------------------

    @api.model
    def _read_record_names(self, messages):
        """Read at once what the messages without a subject are about.

        :return: whether all can be told; a message can be about what has no table
        """
        messages = messages.filtered(lambda message: not message.subject)
        try:
            with self.env.cr.savepoint(flush=False):
                messages.mapped("record_name")
                return True
        except (MemoryError, psycopg2.OperationalError):
            raise
        except Exception:
            messages.invalidate_recordset(["record_name"], flush=False)
            return False

    @api.model
    def _get_rows(self, mail, tell, question, edited, directory, edited_directory):
        """One mail as the web client lists it, nothing where its route stays.

        :param tell: what makes a row of it
        :param question: what its route depends on, or ``Untold``
        """
        if not is_told(question):
            return [question]
        questions = [(question, self._edit(question, edited))]
        return [
            tell(mail, now, then)
            for _place, now, then in compare(questions, directory, edited_directory)
        ]

    @api.model
    def _get_row_apart(self, mail, now, then):
        """As :meth:`_get_row`, where the database may refuse to read a name."""
        try:
            with self.env.cr.savepoint(flush=False):
                return self._get_row(mail, now, then)
        except psycopg2.OperationalError:
            raise
        except psycopg2.Error as error:
            return untold(mail, error)

    @api.model
    def _get_row(self, mail, now, then):
        """One mail that changes, as the web client lists it."""
        message = mail.mail_message_id
        return {
            "date": format_datetime(self.env, message.date),
            "subject": message.subject or message.record_name or "",
            "email_from": message.email_from or "",
            "now": self._describe(now, then),
            "then": self._describe(then, now),
        }

    @api.model
    def _describe(self, outcome, other):
        """A route in a few words: the server, From, and headers that are different."""
        server = quote_server(self.env, None)
        if outcome.profile:
            server = outcome.profile.name or self.env._("the new server")
        parts = [
            self.env._(
                "%(server)s as %(email)s", server=server, email=outcome.email_from
            )
        ]
        unchanged = self.env._("unchanged")
        if outcome.reply_to != other.reply_to:
            reply_to = outcome.reply_to or unchanged
            parts.append(self.env._("Reply-To: %(value)s", value=reply_to))
        if outcome.return_path != other.return_path:
            return_path = outcome.return_path or unchanged
            parts.append(self.env._("Return-Path: %(value)s", value=return_path))
        if outcome.refused:
            parts.append(self.env._("not sent"))
        return ", ".join(parts)
