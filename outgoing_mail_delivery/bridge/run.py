"""One run: what is due is claimed, routed, built, journaled, transmitted and settled.

The thread of the run does all that touches Odoo; the threads of :class:`Pool` only talk
to SMTP servers. It has two cursors: the environment's for building and settling, each
piece a transaction, and a narrow one for claims, journal and healths.
"""

import logging
import time
from collections import Counter, defaultdict, deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from psycopg2.errors import LockNotAvailable

from odoo.tools import config

from odoo.addons.outgoing_mail_routing.bridge.carrier import Failures

from ..delivery import (
    Allowance,
    Answered,
    Health,
    Later,
    Outcome,
    Pool,
    Returned,
    Scope,
    ServerPlan,
    Trouble,
)
from ..delivery import health as rules
from .building import Batch, MessageBuilder, Told
from .claims import LEASE, Claims
from .collecting import InRun
from .connecting import connector
from .cursors import CONCURRENT, commit, fresh_cursor
from .journal import JournalWriter
from .settlement import Settlement
from .watch import ServerWatch

_logger = logging.getLogger(__name__)

#: Mails claimed at once, and at most, but for those of servers that do not move.
TAKEN_AT_ONCE, TAKEN = 250, 1000
#: Mails settled in one transaction, and seconds after which fewer are.
SETTLED_AT_ONCE, SETTLED_AFTER = 50, 1.0
#: The longest a run lasts, in seconds, and the part of Odoo's own limit it uses.
LONGEST, PART_OF_LIMIT = 300, 0.8
#: How often what another transaction was quicker with is tried again.
TRIES = 8


@dataclass
class Mail:
    """A mail of the run, and for which server.

    ``place`` is its place among those claimed together. ``open`` are the keys of its
    messages of which more is to come, ``handed`` those that the pool has got; ``waits``
    says that the server takes nothing now.
    """

    server: int
    place: int = 0
    open: set = field(default_factory=set)
    handed: set = field(default_factory=set)
    built: bool = False
    waits: bool = False


class Run:
    """One pass over the queue.

    :param env: of the superuser, with a cursor that the run commits
    :param cr: of :func:`fresh_cursor`
    """

    def __init__(self, env, cr, only_ids):
        self.env = env
        self.settled = 0
        self._cr = cr
        uuid = env["ir.config_parameter"].sudo().get_param("database.uuid")
        self._claims = Claims(cr, uuid or "", only_ids)
        self._watch = ServerWatch(cr)
        self._builder = MessageBuilder(env, self._breathe)
        self._facts = {}
        self._mails = {}
        self._told = {}
        self._finished = deque()
        self._settled_at = self._renewed_at = time.monotonic()
        self._pool = None
        self._builds = False
        self._troubled_meanwhile = set()

    @classmethod
    @contextmanager
    def begin(cls, env, only_ids=None):
        """Begin a run; what it still has claimed is given back at the end."""
        with ExitStack() as stack:
            cr = stack.enter_context(fresh_cursor(env))
            mails = InRun().on(env["mail.mail"].sudo())._without_client_keys()
            run = cls(Failures.off(mails).env, cr, only_ids)
            run._claims.begin()
            run._journal = JournalWriter(cr, run._claims.run_id, run._facts)
            with run._claims.locked():
                yield run
                run._claims.end()

    # ------------------------------------------------------------------
    # The steps
    # ------------------------------------------------------------------

    def settle_what_others_left(self, everybody=False):
        """Settle from the journal what dead runs left.

        :param bool everybody: whether runs that are alive are ended, too
        """
        left = self._claims.take_over(everybody)
        for start in range(0, len(left), SETTLED_AT_ONCE):
            self._settle(left[start : start + SETTLED_AT_ONCE])

    def transmit(self):
        """Carry what is due, until nothing is or the time is up."""
        self._pool = Pool(
            (), self.journal, feed=self.claim, deadline=time.monotonic() + _seconds()
        )
        self._pool.run()
        self._claims.give_up()
        self._watch.end()
        finished = set(self._finished)
        self._finished.extend(
            mail_id
            for mail_id, mail in self._mails.items()
            if mail.built and mail_id not in finished
        )

    def claim(self):
        """Take mails that are due, and tell by which servers they go.

        :return: a plan for each server that takes any
        """
        self._renew()
        until = time.monotonic() + SETTLED_AFTER
        plans = []
        while not plans and time.monotonic() < until:
            if len(self._mails) - self._count_stuck() >= TAKEN:
                break
            mail_ids = self._claims.take(TAKEN_AT_ONCE)
            if not mail_ids:
                self._claims.start_over()
                self.settle()
                break
            batches = self._try(self.route, mail_ids)
            plans = [self._plan(key, batches[key]) for key in batches]
            commit(self.env.cr)
        return plans

    def route(self, mail_ids):
        """The batches of mails by server, as routing makes them.

        :return: ``{server id: [Batch]}``, without servers that take nothing now
        """
        commit(self.env.cr)  # what is claimed is newer than the last snapshot
        mails = self._split_crowded(self.env["mail.mail"].browse(mail_ids).exists())
        batches, asked = defaultdict(list), set()
        places = {mail_id: place for place, mail_id in enumerate(mail_ids)}
        for (
            server_id,
            alias_domain_id,
            routed,
            ids,
        ) in mails._split_by_mail_configuration():
            server = self.env["ir.mail_server"].sudo().browse(server_id)
            if self._watch.is_stuck(server.id or 0) or _is_deleted(server):
                continue  # given back: it is due as before
            ids = self._throttle_personal(server, ids)
            batch = Batch(server, alias_domain_id, routed, tuple(ids))
            for mail_id in ids:
                self._mails[mail_id] = Mail(batch.key, places.get(mail_id, 0))
            if batch.key not in asked:
                asked.add(batch.key)
                self._watch.refresh(batch.key)
            if self._watch.is_out(batch.key):
                self._wait(ids)
            elif not self._is_refused(batch):
                batches[batch.key].append(batch)
        self._finished.extend(id_ for id_ in mail_ids if id_ not in self._mails)
        return batches

    def build(self, batch_of, mails):
        """The messages of some mails, in a transaction of their own.

        :param dict batch_of: the batch of each mail, by its id
        """
        self._builds = True
        try:
            built = self._builder.build(batch_of, InRun().on(mails))
            commit(self.env.cr)
        finally:
            self._builds = False
        messages = []
        for mail_id in mails.ids:
            one = built[mail_id]
            mail = self._mails[mail_id]
            self._told[mail_id] = Told.of(one)
            self._facts.update(one.facts)
            mail.open = {message.key for message in one.messages}
            mail.built = True
            if not one.messages:
                self._finished.append(mail_id)
            messages += one.messages
        for server in self._troubled_meanwhile:
            self._wait_for(server)
        self._troubled_meanwhile.clear()
        return messages

    def journal(self, events):
        """Write down what the threads tell, and what follows from it.

        :return: the intents that stand: their texts are transmitted
        """
        standing = self._write_down(events)
        for event in events:
            if isinstance(event, Answered):
                self._note_answer(event)
            elif isinstance(event, Trouble):
                self._note_trouble(event)
            elif isinstance(event, Returned):
                for message in event.messages:
                    self._conclude(message.key, waits=True)
        commit(self._cr)
        self._keep_house()
        return standing

    def _write_down(self, events):
        """Write events into the journal, however long somebody else holds a row.

        :raise Later: it may be the mails that are being built who hold it
        """
        while True:
            try:
                return self._journal.note(events)
            except LockNotAvailable:
                if self._builds:
                    raise Later from None

    def settle(self):
        """Settle all mails that are finished, but those that a breaker may put back."""
        doubtful = {mail_id for mail_id, _part in self._watch.get_doubtful()}
        finished = [id_ for id_ in self._finished if id_ not in doubtful]
        self._finished = deque(id_ for id_ in self._finished if id_ in doubtful)
        for start in range(0, len(finished), SETTLED_AT_ONCE):
            self._settle(finished[start : start + SETTLED_AT_ONCE])
        self._settled_at = time.monotonic()

    # ------------------------------------------------------------------
    # Before the transmission
    # ------------------------------------------------------------------

    def _throttle_personal(self, server, ids):
        """Core's throttle of personal servers; what it copies is claimed as well."""
        if not (server and server.owner_user_id):
            return ids
        mails = self.env["mail.mail"].browse(ids)
        kept = mails._split_by_delayed_batch(server)
        return self._claim_copies(mails, kept).ids

    def _split_crowded(self, mails):
        """Mails for very many contacts in parts, so that none holds up the others."""
        kept = mails.browse()
        for mail in mails:
            kept += mail._split_crowd()
        return self._claim_copies(mails, kept)

    def _claim_copies(self, mails, kept):
        """Claim what was made of these mails, unless another run was quicker."""
        if copies := kept - mails:
            self.env.flush_all()
            commit(self.env.cr)
            claimed = self._claims.add(copies.ids)
            kept -= copies.filtered(lambda mail: mail.id not in claimed)
        return kept

    def _is_refused(self, batch):
        """Whether the server may not carry these mails; then they fail, and say why."""
        try:
            if batch.server:
                batch.server._check_forced_mail_server(
                    batch.server, False, batch.routed
                )
        except Exception as error:
            failure = self._builder.refusal(error)
            for mail_id in batch.mail_ids:
                self._told[mail_id] = failure
                self._finished.append(mail_id)
            return True
        return False

    def _plan(self, key, batches):
        health = self._watch.get(key)
        server = batches[0].server
        connections = max(1, server.max_connections) if server else 2
        messages = server.max_messages_per_connection if server else 100
        return ServerPlan(
            key,
            connector(self.env, batches[0]),
            self._build_all(key, batches),
            connections=min(connections, health.throttle.connections or connections),
            allowance=Allowance(messages=max(1, messages)),
            rate=health.throttle.rate,
            probe=health.state is Health.SUSPENDED,
        )

    def _build_all(self, key, batches):
        """Build the messages of a server, one group of mails after the other.

        A group has mails of any batch, in the order in which they were claimed.
        """
        batch_of = {id_: batch for batch in batches for id_ in batch.mail_ids}
        known = [id_ for id_ in batch_of if id_ in self._mails]
        mail_ids = sorted(known, key=lambda id_: self._mails[id_].place)
        mails = self.env["mail.mail"].browse(mail_ids).exists()
        self._finished.extend(set(mail_ids) - set(mails.ids))
        for ids in self._builder.groups(mails):
            if self._watch.is_out(key):
                return
            if _is_deleted(self.env["ir.mail_server"].sudo().browse(key)):
                self._finished.extend(ids)
                continue
            group = self.env["mail.mail"].browse(ids)
            for message in self._try(self.build, batch_of, group):
                mail = self._mails.get(message.key[0])
                # its server may have got into trouble since it was built
                if mail and message.key in mail.open:
                    mail.handed.add(message.key)
                    yield message

    def _breathe(self):
        """Let sessions go on while many mails are built."""
        if self._pool:
            self._pool.breathe()

    # ------------------------------------------------------------------
    # What the threads tell
    # ------------------------------------------------------------------

    def _note_answer(self, event):
        key = event.result.message.key
        again = False
        for attempt in event.result.attempts:
            if attempt.verdict.scope is Scope.SESSION:
                again = True
            elif attempt.verdict.outcome is Outcome.SENT:
                self._watch.accepted(event.server)
            elif rules.counts_for_breaker(attempt.answer, attempt.verdict):
                self._note_refused(event.server, attempt, key)
        known = {attempt.recipient for attempt in event.result.attempts}
        if not again and known >= set(event.result.message.recipients):
            self._conclude(key)

    def _note_refused(self, server, attempt, key):
        breaker = self._watch.refused(server, attempt, key)
        if breaker:
            self._journal.put_back(breaker.keys, breaker.verdict())
            self._pool.give_up(server)
            self._wait_for(server)

    def _note_trouble(self, event):
        if event.verdict.scope is Scope.SERVER and not event.partial:
            self._watch.troubled(event.server, event.verdict, event.answer.text)
            self._wait_for(event.server)

    def _conclude(self, key, waits=False):
        """Nothing more comes of a message in this run."""
        mail = self._mails.get(key[0])
        if mail is None or key not in mail.open:
            return
        self._watch.moved(mail.server)
        mail.open.discard(key)
        mail.waits = mail.waits or waits
        self._facts.pop(key, None)
        self._journal.forget(key)
        if not mail.open:
            self._finished.append(key[0])

    def _wait(self, mail_ids):
        """Have mails wait for their server, which takes nothing now."""
        for mail_id in mail_ids:
            self._mails[mail_id].waits = True
            self._finished.append(mail_id)

    def _wait_for(self, server):
        """Have all mails of a server wait that the pool has not got, nor will.

        What is being built is among them as soon as that is known.
        """
        if self._builds:
            self._troubled_meanwhile.add(server)
            return
        of_server = [(i, m) for i, m in self._mails.items() if m.server == server]
        for mail_id, mail in of_server:
            if not mail.built and not mail.waits:
                self._wait([mail_id])
            for key in mail.open - mail.handed:
                self._conclude(key, waits=True)

    # ------------------------------------------------------------------
    # Settling
    # ------------------------------------------------------------------

    def _keep_house(self):
        """Settle what is worth it, but amid no other transaction, and stay alive."""
        late = time.monotonic() - self._settled_at > SETTLED_AFTER
        many = len(self._finished) >= SETTLED_AT_ONCE
        if not self._builds and (many or (self._finished and late)):
            self.settle()
        self._renew()

    def _renew(self):
        """Live on; a run that somebody took for dead begins nothing any more."""
        if time.monotonic() - self._renewed_at > LEASE / 5:
            self._renewed_at = time.monotonic()
            if not self._claims.renew():
                self._pool.stop()

    def _settle(self, mail_ids):
        """Settle some mails, again where another transaction was quicker."""
        for tries in range(TRIES):
            try:
                self.env.cr.rollback()
                waiting = {
                    id_: self._mails[id_].server
                    for id_ in mail_ids
                    if id_ in self._mails and self._mails[id_].waits
                }
                settlement = Settlement(
                    self.env,
                    self._claims.run_id,
                    dict(self._told),
                    self._watch.get_waits(),
                    self._watch.now(),
                )
                settled = settlement.settle(mail_ids, waiting)
                commit(self.env.cr)
                break
            except CONCURRENT:
                self.env.cr.rollback()
                _logger.info("Settling mails %s again", mail_ids)
                time.sleep(0.05 * 2**tries)
        else:
            _logger.warning("Mails %s are settled by the next run", mail_ids)
            settled = ()
        self.settled += len(settled)
        for mail_id in mail_ids:
            self._mails.pop(mail_id, None)
            self._told.pop(mail_id, None)

    def _count_stuck(self):
        """Mails of servers that have not moved for a while hold up no other."""
        servers = Counter(mail.server for mail in self._mails.values())
        return sum(servers[key] for key in servers if self._watch.is_stuck(key))

    def _try(self, step, *args):
        """Do a step, again where another transaction was quicker."""
        for tries in range(TRIES):
            try:
                return step(*args)
            except CONCURRENT:
                self.env.cr.rollback()
                time.sleep(0.05 * 2**tries)
        return step(*args)


def _is_deleted(server):
    """Whether a server was deleted since mail was routed to it."""
    return bool(server) and not server.exists()


def _seconds():
    """How long a run may last, by Odoo's own limits of scheduled actions."""
    limit = config["limit_time_real_cron"]
    if limit is None or limit < 0:
        limit = config["limit_time_real"]
    return min(LONGEST, limit * PART_OF_LIMIT) if limit else LONGEST
