"""What this process knows of the messages it is making, and core does not pass on.

Core hands on the server of a template as a bare id, which any client could send as
well, and posts a scheduled message as whoever scheduled it, not as who changed it
since. So both travel in the context, or on the transaction where core replaces the
context, as an object of this process: no client can send one.
"""

from contextlib import contextmanager
from dataclasses import dataclass

from .carrier import Carried


@dataclass(frozen=True)
class Origin(Carried):
    """Where messages come from.

    ``template_id`` is the template that they are made from, 0 for none.
    ``scheduled_by`` is the user who scheduled them, 0 where nobody did, ``left_by`` has
    the id of who did and was deleted. ``asked_by`` has the ids of users who asked for
    what was scheduled in the name of somebody else, ``changed_by`` of those who changed
    it. Users who were deleted are told by the ids they had, and 0 stands for somebody
    who cannot be told.
    """

    template_id: int = 0
    scheduled_by: int = 0
    left_by: frozenset[int] = frozenset()
    asked_by: frozenset[int] = frozenset()
    changed_by: frozenset[int] = frozenset()

    @contextmanager
    def during(self, env):
        """Let all messages be made from here that this transaction makes meanwhile."""
        # not in the cursor's cache: each savepoint that is rolled back empties it
        before = getattr(env.cr, self._key, None)
        setattr(env.cr, self._key, self)
        try:
            yield
        finally:
            setattr(env.cr, self._key, before)

    def get_asking_ids(self, env):
        """The ids of the users for whom messages are made now.

        Core posts what was scheduled as its maker, and tells them as OdooBot where that
        fails: both are the maker's, whoever has it posted.
        """
        if self.scheduled_by or self.left_by:
            return [*filter(None, [self.scheduled_by]), *self.asked_by]
        return env["mail.routing.hand"]._get_asking_user().ids

    def get_server_template(self, env, vals):
        """The template that gives a new message its server, empty where none does.

        :param dict vals: of a ``mail.message``
        """
        template = env["mail.template"]
        if not (self.template_id and vals.get("mail_server_id")):
            return template
        return template.browse(self.template_id)._filter_giving_server(vals)


def origin_of(env):
    """Where messages that are made in an environment come from."""
    return Origin.of(env) or getattr(env.cr, Origin._key, None) or Origin()


def without_origin(context):
    """A context without where messages come from, which cannot be stored."""
    return {key: value for key, value in context.items() if key != Origin._key}
