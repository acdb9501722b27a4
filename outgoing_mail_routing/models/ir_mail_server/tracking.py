"""The log of an outgoing mail server: who changed what, on its chatter.

Logged is what decides on mail: assignments, policies and the way to the server. Never
logged are password, tokens and keys, and not the login either: some providers give out
one key as both login and password, and it would outlive its replacement here.

The log is for administrators. It notifies nobody, and no incoming mail reaches it (see
``mail_thread.py``).
"""

from markupsafe import Markup

from odoo import SUPERUSER_ID, api, fields, models, tools
from odoo.exceptions import UserError
from odoo.fields import Command, Domain

from ...bridge.kept_values import kept_values
from ...bridge.notes import Notes


class IrMailServer(models.Model):
    _name = "ir.mail_server"
    _inherit = ["ir.mail_server", "mail.thread"]

    # Core's own fields; those of the addon say where they are defined
    name = fields.Char(tracking=True)
    active = fields.Boolean(tracking=True)
    sequence = fields.Integer(tracking=True)
    from_filter = fields.Char(tracking=True)
    owner_user_id = fields.Many2one(tracking=True)
    smtp_host = fields.Char(tracking=True)
    smtp_port = fields.Integer(tracking=True)
    smtp_encryption = fields.Selection(tracking=True)
    smtp_authentication = fields.Selection(tracking=True)

    # ------------------------------------------------------------------
    # Changes of the server itself
    # ------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        """Log what a new server starts with, in place of core's bare note."""
        quiet = self.with_context(tracking_disable=True)
        servers = super(IrMailServer, quiet).create(vals_list).with_env(self.env)
        servers._track_creation()
        return servers

    def write(self, vals):
        """Look at what is tracked only: core counts the mails of an account here."""
        servers = self
        if self._get_tracking_triggers().isdisjoint(vals):
            servers = self.with_context(tracking_disable=True)
        return super(IrMailServer, servers).write(vals)

    @api.model
    @tools.ormcache()
    def _get_tracking_triggers(self):
        """The fields whose change can change a tracked one."""
        names = self.sudo()._track_get_fields()
        depends = (self.pool.field_depends[self._fields[name]] for name in names)
        return frozenset(names).union(*depends)

    def _is_tracking(self):
        """Whether changes are logged: not those that an installation makes."""
        return self.pool.ready and not self.env.context.get("tracking_disable")

    def _track_creation(self):
        """Log every value of new servers that is not the default."""
        if not (self and self._is_tracking()):
            return
        servers = self.sudo()
        servers._track_discard()  # which core did too: nothing was before
        defaults = {
            name: default(servers.browse()) if default else False
            for name in servers._track_get_fields()
            for default in [self._fields[name].default]
        }
        initial_values = self.env.cr.precommit.data[f"mail.tracking.{self._name}"]
        initial_values.update(servers._get_others_than(defaults))
        servers._track_set_log_message(servers[0]._creation_message())

    def _get_others_than(self, values):
        """Which of these values a server may not have, to be looked at no further.

        Core would look at each of them on each server.

        :param dict values: by name of the field
        :return: ``{server id: values}``, with all that are kept in no column
        """
        depends_on = self.pool.field_depends_context
        fields = [self._fields[name] for name in values]
        known = [field for field in fields if field.store and not depends_on[field]]
        names = [field.name for field in known]
        asked = [field.convert_to_cache(values[field.name], self) for field in known]
        rest = {name: values[name] for name in values if name not in names}
        return {
            server_id: rest
            | {
                name: values[name]
                for name, one, other in zip(names, kept, asked, strict=True)
                if (one or None) != (other or None)  # core takes nothing for equal
            }
            for server_id, kept in kept_values(self, names).items()
        }

    def _track_prepare(self, fields_iter):
        """Log no sender address that an installation computes."""
        return super()._track_prepare(fields_iter) if self._is_tracking() else None

    def _message_track(self, fields_iter, initial_values_dict):
        """Write the notes of all servers at once; core writes one after the other."""
        notes = Notes()
        tracking = super(IrMailServer, notes.on(self))._message_track(
            fields_iter, initial_values_dict
        )
        notes.post()
        return tracking

    def _mail_track(self, tracked_fields, initial_values):
        """Look at what changed only: core sorts all fields anew for each server."""
        changed = {
            name: tracked_fields[name]
            for name, value in initial_values.items()
            # nothing has several forms: core takes them for equal, too
            if name in tracked_fields and (self[name] or False) != (value or False)
        }
        return super()._mail_track(changed, initial_values)

    def _message_log(self, *, body="", author_id=None, **kwargs):
        """Keep a note where others follow: see :meth:`_message_track`."""
        notes = Notes.of(self.env)
        if notes is None:
            return super()._message_log(body=body, author_id=author_id, **kwargs)
        commands = kwargs.get("tracking_value_ids") or ()
        notes.collect(self, body, author_id, [values for *_link, values in commands])
        return self.env["mail.message"]

    # ------------------------------------------------------------------
    # Changes from the other side
    # ------------------------------------------------------------------

    @api.model
    def _track_assignments(self, records, name, vals_list):
        """Log the servers that users or companies are about to get or lose.

        :param records: the users or companies, none where they are created
        :param str name: their field of servers
        :param vals_list: values as of ``create`` and ``write``
        """
        commands_list = [vals[name] for vals in vals_list if name in vals]
        if not commands_list:
            return
        ids = set().union(*map(self._get_linked_ids, commands_list))
        servers = records.sudo().with_context(active_test=False)[name]
        servers |= servers.browse(ids).exists()
        other_sides = self.pool.field_inverses[records._fields[name]]
        servers._track_prepare([field.name for field in other_sides])

    @api.model
    def _get_linked_ids(self, commands):
        """The ids of servers that a value of a field of servers speaks of."""
        ids = set()
        for command in getattr(commands, "ids", commands) or ():
            if isinstance(command, int):
                ids.add(command)
            elif command[0] == Command.SET:
                ids.update(command[2])
            else:
                ids.update(command[1:2])
        return {id_ for id_ in ids if isinstance(id_, int) and id_}

    @api.model
    def _log_departure(self, names, leaving):
        """Log that records are about to be deleted, while they still have names.

        :param names: the fields of the server that may link to them
        :param leaving: users, companies or incoming servers
        """
        self._track_finalize()  # other changes of this transaction may name them too
        if not self._is_tracking():
            return
        linked = Domain.OR(Domain(name, "in", leaving.ids) for name in names)
        for server in self.with_context(active_test=False).search(linked):
            values = [
                self._tracking_value(server[name], server[name] - leaving, name, server)
                for name in names
                if server[name] & leaving
            ]
            server._message_log(tracking_value_ids=values)

    @api.model
    def _tracking_value(self, old, new, name, record):
        """The command that adds a change of a field to a message."""
        info = record.fields_get([name], attributes=("string", "type", "selection"))
        values = self.env["mail.tracking.value"]._create_tracking_values(
            old, new, name, info[name], record
        )
        return Command.create(values)

    def _log_switch(self, user, old):
        """Log that a user's own servers were switched on or off.

        :param bool old: whether they were on
        """
        name = "use_own_mail_servers"
        for server in self if self._is_tracking() else ():
            value = self._tracking_value(old, user[name], name, user)
            server._message_log(body=user.name, tracking_value_ids=[value])

    # ------------------------------------------------------------------
    # A log and no discussion
    # ------------------------------------------------------------------

    def _message_track_post_template(self, changes):
        """Mail nothing; core would look for a template for each server."""
        return True

    def _message_log_batch(self, bodies, *args, **kwargs):
        """Name who is no administrator in the note, which OdooBot writes.

        They cause one by deleting a user, or by connecting an account of their own, and
        core shows a message to its author and to who created it.
        """
        if self.env.user.has_group("base.group_system"):
            return super()._message_log_batch(bodies, *args, **kwargs)
        name = self.env.user.name
        bodies = {
            id_: Markup("%s<br/>%s") % (body, self.env._("By %s.", name))
            for id_, body in bodies.items()
        }
        servers = self.with_user(SUPERUSER_ID)
        return super(IrMailServer, servers)._message_log_batch(bodies, *args, **kwargs)

    def _mail_get_operation_for_mail_message_operation(self, message_operation):
        """Show the log to those who may write on servers; others may read servers.

        *Email Marketing* lets its users.
        """
        operations = super()._mail_get_operation_for_mail_message_operation(
            message_operation
        )
        return dict.fromkeys(operations, "write")

    def message_post(self, **kwargs):
        """Refuse to address anybody: who reads servers finds it here."""
        if kwargs.get("partner_ids") or kwargs.get("outgoing_email_to"):
            raise UserError(
                self.env._(
                    "Notes on a mail server notify nobody. Leave out whom you mention, "
                    "and tell them another way."
                )
            )
        return super().message_post(**kwargs)

    def message_notify(self, **kwargs):
        """Refuse who may not write on servers: core lets users notify on any record."""
        self.check_access("write")
        return super().message_notify(**kwargs)

    def _notify_get_recipients(self, message, msg_vals=False, **kwargs):
        """Nobody, whoever follows the server: answers could not come back to it."""
        return []
