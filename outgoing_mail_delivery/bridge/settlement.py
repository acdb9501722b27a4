"""Settling: what became of mails is written on them, and told to who waits for it.

All is read from the journal, so that a run settles what another one left just as what
it transmitted itself.
"""

import logging
import random
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from odoo import fields
from odoo.tools import SQL

from ..delivery import Lane, Outcome, Scope
from ..delivery.journal import NOT_DELIVERED
from ..delivery.schedule import next_try
from ..delivery.settling import Fate, fate_of, is_sent, split
from .building import Told
from .collecting import InRun
from .plans import plans_of
from .words import Words, clean

_logger = logging.getLogger(__name__)

# Core's failure for mail that no server took
_LOST = "mail_smtp"
#: After these a recipient is tried again.
PASSING = (Outcome.DEFERRED, Outcome.THROTTLED)


@dataclass(frozen=True)
class Last:
    """The last attempt for one recipient of a mail, as the journal has it."""

    outcome: Outcome
    scope: str
    cause: str
    reply: str
    code: int
    wait: int | None
    server_id: int

    @classmethod
    def of(cls, row):
        """What is read of an attempt by :data:`_LAST`."""
        outcome, *rest = row
        return cls(Outcome(outcome), *rest)


_LAST = SQL(
    "attempt.outcome, attempt.scope, attempt.cause, attempt.reply, attempt.code,"
    " attempt.wait, COALESCE(attempt.mail_server_id, 0)"
)


@dataclass(frozen=True)
class Wait:
    """A server that takes nothing now, until when, and why in its own words.

    ``until`` is ``None`` where somebody has to mend it.
    """

    health_id: int
    until: float | None
    words: str


class Settlement:
    """Settles mails of one run in one transaction.

    :param env: of the run
    :param run_id: whose claims these are
    :param told: what the run knows besides the journal, by mail id: recipients by
        part (``recipients``), parts that have no message (``unsendable``), and why the
        mail has none (``failure``)
    :param waits: a :class:`Wait` by server id for servers that take nothing now
    :param now: the database's clock, in seconds
    """

    def __init__(self, env, run_id, told, waits, now):
        self.env = env
        self._run_id = run_id
        self._told = told
        self._waits = waits
        self._now = now
        self._plans = plans_of(env)
        self._words = Words(env)
        self._split_ids = []
        self._tells = True

    def settle(self, mail_ids, waiting_for=None):
        """Settle mails whose claims still stand.

        :param dict waiting_for: the server that a mail would have been offered to, by
            mail id, where it was not
        :return: the ids of those that were settled
        """
        mail_ids = self._give_back(mail_ids)
        mails = InRun().on(self.env["mail.mail"].browse(mail_ids).exists())
        last = self._read_journal(mail_ids)
        waiting_for = waiting_for or {}
        wholly_sent = mails.filtered(lambda mail: self._is_wholly_sent(mail, last))
        wholly_sent._ask_apart(
            self._settle_sent,
            lambda mail, error: self._settle_plainly(mail, error, last[mail.id], None),
            configured=True,
        )
        for mail in mails - wholly_sent:
            journaled, server_id = last[mail.id], waiting_for.get(mail.id)
            mail._ask_apart(
                partial(self._settle_one, journaled=journaled, waiting_for=server_id),
                partial(
                    self._settle_plainly, journaled=journaled, waiting_for=server_id
                ),
                configured=True,
            )
        self._mark_settled([*mail_ids, *self._split_ids])
        return mail_ids

    # ------------------------------------------------------------------
    # The journal
    # ------------------------------------------------------------------

    def _give_back(self, mail_ids):
        """End the claims; return the mails whose claims were still this run's."""
        self.env.cr.execute(
            SQL(
                "DELETE FROM mail_delivery_claim WHERE run_id = %s"
                " AND mail_mail_id_int = ANY(%s) RETURNING mail_mail_id_int",
                self._run_id,
                list(mail_ids),
            )
        )
        kept = {mail_id for [mail_id] in self.env.cr.fetchall()}
        return [mail_id for mail_id in mail_ids if mail_id in kept]

    def _read_journal(self, mail_ids):
        """The last attempt by mail, part and address.

        What was settled of a mail that is to be sent says nothing: it was put off, or
        somebody has it sent again.
        """
        self.env.cr.execute(
            SQL(
                """
                SELECT DISTINCT ON (mail_mail_id_int, part, recipient)
                    mail_mail_id_int, part, recipient, %s
                FROM mail_delivery_attempt attempt
                JOIN mail_mail mail ON mail.id = attempt.mail_mail_id_int
                WHERE mail.id = ANY(%s)
                    AND (mail.state != 'outgoing' OR NOT attempt.settled)
                ORDER BY mail_mail_id_int, part, recipient, attempt.id DESC
                """,
                _LAST,
                list(mail_ids),
            )
        )
        last = defaultdict(dict)
        for mail_id, part, recipient, *row in self.env.cr.fetchall():
            last[mail_id][part, recipient] = Last.of(row)
        return last

    def _read_last_words(self, mail):
        """The last attempt for anybody, however long ago; ``None`` for none."""
        self.env.cr.execute(
            SQL(
                "SELECT %s FROM mail_delivery_attempt attempt"
                " WHERE mail_mail_id_int = %s ORDER BY id DESC LIMIT 1",
                _LAST,
                mail.id,
            )
        )
        row = self.env.cr.fetchone()
        return Last.of(row) if row else None

    def _mark_settled(self, mail_ids):
        self.env.cr.execute(
            SQL(
                "UPDATE mail_delivery_attempt SET settled = TRUE"
                " WHERE mail_mail_id_int = ANY(%s) AND NOT settled"
                " AND outcome != 'sending'",
                list(mail_ids),
            )
        )

    # ------------------------------------------------------------------
    # Recipients
    # ------------------------------------------------------------------

    def _get_told(self, mail, journaled):
        """What is known of a mail besides the journal.

        Built again where another run offered some of it: who else it was for is to be
        known. Where nothing was offered there is nothing to know.
        """
        if mail.id not in self._told:
            known = mail._find_recipients() if journaled else Told()
            self._told[mail.id] = known
        return self._told[mail.id]

    def _get_last(self, mail, journaled):
        """The last attempt of each recipient, ``None`` where there was none.

        :return: ``{(part, address): Last or None}``; a part that was never built has
            the address ``""``
        """
        recipients = self._get_told(mail, journaled).recipients
        found = dict(journaled)
        for part, addresses in recipients.items():
            for address in addresses:
                found.setdefault((part, address), None)
        built = {part for part, _address in found}
        for part in mail._get_parts():
            if part not in built:
                found[part, ""] = None
        return found

    def _is_wholly_sent(self, mail, last):
        journaled = last[mail.id]
        if any(each.outcome is not Outcome.SENT for each in journaled.values()):
            return False
        told = self._get_told(mail, journaled)
        if told.unsendable or told.failure:
            return False
        return bool(journaled) and None not in self._get_last(mail, journaled).values()

    # ------------------------------------------------------------------
    # What becomes of them
    # ------------------------------------------------------------------

    def _settle_sent(self, mails):
        """What core writes on mails that were sent, for all of them together."""
        if not mails:
            return {}
        self._announce(mails)
        mails.write({"state": "sent", "failure_type": False, "failure_reason": False})
        emails = [each for mail in mails for each in mail._get_success_emails()]
        self._tell(mails, success_pids=list(mails.recipient_ids), success_emails=emails)
        self.env.flush_all()
        return {}

    def _settle_one(self, mail, journaled, waiting_for):
        told = self._get_told(mail, journaled)
        if told.failure:
            self._fail(mail, told.failure.failure_type, told.failure.reason)
            return {}
        last = {
            key: self._as_decided(each)
            for key, each in self._get_last(mail, journaled).items()
        }
        for part in told.unsendable:
            last.pop((part, ""), None)
        outcomes = {key: each and each.outcome for key, each in last.items()}
        for part in told.unsendable:
            outcomes[part, ""] = Outcome.REFUSED
        groups = split(outcomes).groups
        if not groups:
            missing = self.env["ir.mail_server"].NO_VALID_RECIPIENT
            self._fail(mail, "mail_email_missing", missing)
            return {}
        parts = mail._split_for_delivery([keys for _fate, keys in groups])
        self._split_ids += [part.id for part in parts[1:]]
        for (fate, keys), part_of_mail in zip(groups, parts, strict=True):
            known = {key: last[key] for key in keys if last.get(key)}
            if fate is Fate.DONE:
                self._settle_done(part_of_mail, known, told.unsendable)
            elif fate is Fate.UNKNOWN:
                self._settle_unknown(part_of_mail, known)
            else:
                self.put_off(part_of_mail, known, waiting_for)
        self.env.flush_all()
        return {}

    def _as_decided(self, last):
        """An attempt as its server's form has it: what may have arrived is put off."""
        if last is None or last.outcome is not Outcome.UNKNOWN:
            return last
        server = self.env["ir.mail_server"].browse(last.server_id).exists()
        if server.when_unknown != "send_again":
            return last
        scope = Scope.MESSAGE.value
        return replace(last, outcome=Outcome.DEFERRED, scope=scope)

    def _settle_done(self, mail, known, unsendable):
        """Everybody was sent it or refused, for good."""
        sent = {key for key, last in known.items() if is_sent([last.outcome])}
        refused = [last for key, last in known.items() if key not in sent]
        if sent:
            self._announce(mail, Outcome.SENT)
        failure_type = reason = False
        if refused or unsendable:
            failure_type, reason = self._failure(refused, unsendable)
            self._announce(mail, Outcome.REFUSED)
        state = "sent" if sent else "exception"
        mail.write(
            {
                "state": state,
                "failure_type": failure_type if not sent else False,
                "failure_reason": reason if not sent else False,
                "delivery_mark": "waiting",
                "delivery_health_id": False,
            }
        )
        partner_ids = {part for part, _address in sent if part}
        emails = mail._get_success_emails() if any(not key[0] for key in sent) else []
        self._tell(
            mail,
            success_pids=list(self.env["res.partner"].browse(partner_ids)),
            success_emails=emails,
            failure_type=failure_type or None,
            failure_reason=reason,
        )

    def _failure(self, refused, unsendable):
        """Core's type of a failure, and the reason as administrators read it."""
        if refused:
            return self._words.failure_type(refused[-1]), self._words.of(refused[-1])
        first = next(iter(unsendable.values()))
        return first.failure_type, first.reason

    def _settle_unknown(self, mail, known):
        """It may have arrived: somebody decides."""
        reason = self._words.of_unknown(next(iter(known.values())))
        self._announce(mail, Outcome.UNKNOWN)
        self._fail(mail, "unknown", reason, mark="unknown")

    def put_off(self, mail, known, waiting_for=None):
        """Have a mail tried again, as long as it is not too old.

        :param dict known: the last attempt by recipient, as far as there was one
        :param waiting_for: the server that it would have been offered to
        """
        own = [
            last
            for last in known.values()
            if last.outcome in (*PASSING, Outcome.UNKNOWN)
            and last.scope in (Scope.RECIPIENT.value, Scope.MESSAGE.value)
        ]
        server_ids = {
            last.server_id
            for last in known.values()
            if last.scope == Scope.SERVER.value
        }
        if waiting_for is not None:
            server_ids.add(waiting_for)
        waits = [self._waits[id_] for id_ in server_ids if id_ in self._waits]
        if not (own or waits or server_ids):
            return  # nothing is known against it: it is due as before
        tries = mail.delivery_tries + bool(own)
        wait = self._seconds_until_next(mail, own, waits, tries)
        last = (own or list(known.values()) or [None])[-1]
        if wait is None:
            self._give_up(mail, last or self._read_last_words(mail))
            return
        self._write_put_off(mail, last, tries, wait, waits)

    def _seconds_until_next(self, mail, own, waits, tries):
        """The seconds until the next try, ``None`` where it is given up."""
        lane = Lane(mail.delivery_lane or Lane.NORMAL.value)
        age = self._now - _epoch(mail._get_due_since())
        asked = [last.wait for last in own if last.wait]
        if own:
            wait = next_try(
                self._plans[lane], tries, age, random.random(), max(asked, default=None)
            )
        else:
            wait = 60.0 if age < self._plans[lane].give_up_after else None
        if wait is None or not waits:
            return wait
        left = self._plans[lane].give_up_after - age
        latest = max(each.until or self._now + left for each in waits) - self._now
        return max(wait if own else 0.0, min(latest, max(left, 1.0)))

    def _write_put_off(self, mail, last, tries, wait, waits):
        moment = datetime.fromtimestamp(self._now + wait, UTC)
        next_at = moment.replace(tzinfo=None, microsecond=0)
        mail.write(
            {
                "delivery_since": mail._get_due_since(),
                "scheduled_date": next_at,
                "failure_reason": self._words.of_wait(last, waits),
                "delivery_mark": "deferred",
                "delivery_tries": tries,
                "delivery_health_id": waits[0].health_id if waits else False,
            }
        )
        self._announce(mail, Outcome.DEFERRED)
        self.env.cr.execute(
            SQL(
                "UPDATE mail_delivery_attempt SET next_attempt_at = %s"
                " WHERE mail_mail_id_int = %s AND NOT settled",
                next_at,
                mail.id,
            )
        )

    def _give_up(self, mail, last):
        self._announce(mail, Outcome.DEFERRED)
        self._fail(mail, _LOST, self._words.of_given_up(last))

    def _fail(self, mail, failure_type, reason, mark="waiting"):
        mail.write(
            {
                "state": "exception",
                "failure_type": failure_type,
                "failure_reason": reason,
                "delivery_mark": mark,
                "delivery_health_id": False,
            }
        )
        self._tell(
            mail,
            success_pids=[],
            success_emails=[],
            failure_type=failure_type,
            failure_reason=reason,
        )

    def _settle_plainly(self, mail, error, journaled, waiting_for):
        """Keep a mail in its true state although an addon fails on that.

        It is settled without telling anybody.
        """
        _logger.error(
            "Mail %s could not be settled as a whole", mail.id, exc_info=error
        )
        self._tells = False
        try:
            return mail._ask_apart(
                partial(self._settle_one, journaled=journaled, waiting_for=waiting_for),
                partial(self._keep_from_sending, journaled=journaled),
                configured=True,
            )
        finally:
            self._tells = True

    def _keep_from_sending(self, mail, error, journaled):
        """Have nothing that was accepted offered again, whatever fails.

        What is to be tried again waits for an hour. Where only some of it is, somebody
        has to look at it: who was not sent it is in the journal.
        """
        outcomes = [last.outcome for last in journaled.values()]
        fates = {fate_of(outcome) for outcome in outcomes}
        told = self._get_told(mail, journaled)
        offered = {part for part, _address in journaled}
        if fates <= {Fate.LATER}:
            state, mark = "outgoing", "deferred"
            if told.failure:
                state, mark = "exception", "waiting"
        elif Fate.LATER in fates or not offered.issuperset(mail._get_parts()):
            state, mark = "exception", "held"
        elif Fate.UNKNOWN in fates:
            state, mark = "exception", "unknown"
        else:
            state, mark = "sent" if is_sent(outcomes) else "exception", "waiting"
        self.env.cr.execute(
            SQL(
                "UPDATE mail_mail SET state = %s, delivery_mark = %s,"
                " failure_reason = %s, scheduled_date = now() AT TIME ZONE 'UTC'"
                " + INTERVAL '1 hour' WHERE id = %s",
                state,
                mark,
                clean(str(error)),
                mail.id,
            )
        )
        mail.invalidate_recordset(flush=False)
        return {}

    def _tell(self, mails, **values):
        """Tell by core's method what became of mails."""
        if self._tells:
            mails._postprocess_sent_message(**values)

    def _announce(self, mails, outcome=None):
        """Tell other addons what became of mails, by their attempts."""
        if not self._tells:
            return
        attempts = self._attempts_of(mails, outcome)
        if outcome in (None, Outcome.SENT):
            mails._delivery_accepted(attempts)
        else:
            mails._delivery_failed(attempts)

    def _attempts_of(self, mails, outcome=None):
        """The attempts that these mails are settled by."""
        domain = [("mail_mail_id_int", "in", mails.ids), ("settled", "=", False)]
        if outcome is Outcome.DEFERRED:
            domain.append(("outcome", "in", [each.value for each in NOT_DELIVERED]))
        elif outcome:
            domain.append(("outcome", "=", outcome.value))
        return self.env["mail.delivery.attempt"].search(domain, order="id")


def _epoch(moment):
    return fields.Datetime.to_datetime(moment).replace(tzinfo=UTC).timestamp()
