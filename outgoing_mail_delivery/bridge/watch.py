"""How the servers of a run are doing: what it learns, and what others know of them."""

import logging
import time
from collections import defaultdict, deque

from ..delivery import Breaker, Health, Outcome, same_words
from ..delivery import health as rules
from .cursors import commit
from .healths import Healths
from .settlement import Wait

_logger = logging.getLogger(__name__)

#: Seconds after which a server counts as stuck that answers for no message.
STUCK = 30


class ServerWatch:
    """The healths of servers in one run.

    Each is read again when mail is routed to the server, and changed for all runs when
    the server answers.

    :param cr: of :func:`fresh_cursor`
    """

    def __init__(self, cr):
        self._cr = cr
        self._healths = Healths(cr)
        self._known = {}
        self._breakers = defaultdict(Breaker)
        self._tripped = {}
        self._accepted_at = defaultdict(lambda: deque(maxlen=1000))
        self._moved_at = defaultdict(time.monotonic)
        self._offset = self._healths.now() - time.monotonic()
        commit(cr)

    def now(self):
        """The database's clock, in seconds."""
        return time.monotonic() + self._offset

    # ------------------------------------------------------------------
    # What is asked
    # ------------------------------------------------------------------

    def get(self, server):
        """The health of a server, as far as this run knows.

        :rtype: delivery.ServerHealth
        """
        if server not in self._known:
            self._known[server] = self._healths.get(server)
            commit(self._cr)
        return self._known[server]

    def refresh(self, server):
        """Read the health of a server again: another run may have changed it."""
        self._known.pop(server, None)
        return self.get(server)

    def is_out(self, server):
        """Whether a server takes nothing now."""
        return rules.may_offer(self.get(server), self.now()) == rules.NOTHING

    def get_waits(self):
        """The servers that mail waits for.

        :return: ``{server id: Wait}``
        """
        return {
            server: Wait(
                self._healths.ids.get(server),
                max(health.until or 0, health.throttle.paused_until) or None,
                health.words,
            )
            for server, health in self._known.items()
            if self.is_out(server) or health.state is Health.SUSPENDED
        }

    def is_stuck(self, server):
        """Whether nothing has come of a server's messages for a while."""
        return time.monotonic() - self._moved_at[server] > STUCK

    def moved(self, server):
        """Something came of a message, or the first ones are for the server."""
        self._moved_at[server] = time.monotonic()

    def get_doubtful(self):
        """The messages whose refusals may turn out to be the server's trouble."""
        return {key for breaker in self._breakers.values() for key in breaker.keys}

    def end(self):
        """Nothing more comes: what was refused is refused."""
        self._breakers.clear()

    # ------------------------------------------------------------------
    # What is learned
    # ------------------------------------------------------------------

    def accepted(self, server):
        """A server has accepted a message."""
        self._accepted_at[server].append(time.monotonic())
        self._breakers[server] = Breaker()
        health = self.get(server)
        if rules.accepted(health, self.now()) != health:
            self._change(server, lambda before: rules.accepted(before, self.now()))

    def refused(self, server, attempt, key):
        """A server has refused a recipient.

        :return: the breaker, where it is the server's trouble after all; what was under
            way by then gets another one
        """
        if same_words(attempt.answer.text) == self._tripped.get(server):
            return Breaker(keys=(key,))
        breaker = self._breakers[server].refused(
            attempt.recipient, attempt.answer.text, key
        )
        self._breakers[server] = breaker
        if not breaker.tripped:
            return None
        del self._breakers[server]
        self._tripped[server] = breaker.words
        words = attempt.answer.text
        self._change(
            server,
            lambda before: rules.troubled(before, breaker.verdict(), words, self.now()),
        )
        return breaker

    def troubled(self, server, verdict, words):
        """A server takes nothing any more, or asks for less."""
        _logger.info("Mail server %s: %s", server, words)
        if verdict.outcome is not Outcome.THROTTLED:
            self._change(
                server,
                lambda before: rules.troubled(before, verdict, words, self.now()),
            )
            return
        rate = self._healths.count_accepted(server, 60)
        self._change(
            server,
            lambda before: rules.throttled(
                before,
                verdict,
                words,
                self.now(),
                rate=max(rate, 1),
                connections=before.throttle.connections or 2,
            ),
        )

    def _change(self, server, change):
        """Change the health of a server, for all runs."""
        before = self.get(server)
        after = self._known[server] = self._healths.update(server, change)
        if after.until and after != before:
            self._healths.put_off(server, after.until)
        commit(self._cr)
