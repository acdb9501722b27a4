"""What runs write down: intents and answers, in one statement a round.

An intent is written only where the claim of its run still stands, in the same
statement. An answer is written over ``sending`` or ``unknown`` alone.
"""

import json
from dataclasses import dataclass

from psycopg2.errors import LockNotAvailable

from odoo.tools import SQL

from ..delivery import Answered, Intent, Outcome, enhanced_code
from ..delivery.journal import FOLLOWS
from .cursors import commit
from .words import clean

#: As much of an answer is kept.
KEPT = 4000

# The outcomes that an answer may be written over
_OPEN = tuple(outcome.value for outcome in FOLLOWS if Outcome.SENT in FOLLOWS[outcome])
_MESSAGE_COLUMNS = {
    "mail_mail_id_int": "integer",
    "part": "integer",
    "message_id": "varchar",
    "subject": "varchar",
    "model": "varchar",
    "res_id": "integer",
    "mail_server_name": "varchar",
    "rule": "varchar",
    "reason": "varchar",
    "email_from_before": "varchar",
    "email_from": "varchar",
    "envelope_sender": "varchar",
    "lane": "varchar",
    "recipient": "varchar",
}
_ANSWER_COLUMNS = {
    "outcome": "varchar",
    "scope": "varchar",
    "cause": "varchar",
    "phase": "varchar",
    "code": "integer",
    "enhanced_code": "varchar",
    "reply": "text",
    "wait": "integer",
    "duration": "double precision",
}
# Records that may be deleted at any time: what is gone is left out
_REFERENCES = {
    "mail_message_id": "mail_message",
    "company_id": "res_company",
    "sender_id": "res_users",
    "mail_server_id": "ir_mail_server",
    "partner_id": "res_partner",
}


def _types(columns):
    return SQL(", ").join(
        SQL("%s %s", SQL.identifier(name), SQL(type_))
        for name, type_ in columns.items()
    )


def _names(columns, prefix=""):
    return SQL(", ").join(
        SQL("%s%s", SQL(prefix), SQL.identifier(name)) for name in columns
    )


_INSERTED = {**_MESSAGE_COLUMNS, **_ANSWER_COLUMNS}
_FRAGMENTS = {
    "answered": SQL(", ").join(
        SQL("%s = new.%s", SQL.identifier(name), SQL.identifier(name))
        for name in _ANSWER_COLUMNS
    ),
    "answer_types": _types(_ANSWER_COLUMNS),
    "columns": _names({**_INSERTED, **_REFERENCES}),
    "values": _names(_INSERTED, "new."),
    "references": SQL(", ").join(
        SQL(
            "(SELECT id FROM %s WHERE id = new.%s FOR KEY SHARE)",
            SQL.identifier(table),
            SQL.identifier(name),
        )
        for name, table in _REFERENCES.items()
    ),
    "types": _types({**_INSERTED, **dict.fromkeys(_REFERENCES, "integer")}),
}
# Whoever builds mails may hold a row themselves (:meth:`JournalWriter.note`)
_STATEMENT = """
    SET LOCAL lock_timeout = '5s';
    WITH answered AS (
        UPDATE mail_delivery_attempt attempt
        SET settled = FALSE, %(answered)s
        FROM jsonb_to_recordset(%(answers)s) AS new(id integer, %(answer_types)s)
        WHERE attempt.id = new.id AND attempt.outcome = ANY(%(open)s)
    ), standing AS (
        SELECT mail_mail_id_int FROM mail_delivery_claim
        WHERE run_id = %(run_id)s AND mail_mail_id_int = ANY(%(mail_ids)s)
        FOR SHARE
    )
    INSERT INTO mail_delivery_attempt
        (run_id_int, settled, started_at, number, %(columns)s)
    SELECT %(run_id)s, FALSE,
        clock_timestamp() AT TIME ZONE 'UTC'
            - COALESCE(new.duration, 0) * INTERVAL '1 second',
        1 + (
            SELECT count(*) FROM mail_delivery_attempt before
            WHERE before.mail_mail_id_int = new.mail_mail_id_int
                AND before.part = new.part AND before.recipient = new.recipient
        ),
        %(values)s, %(references)s
    FROM jsonb_to_recordset(%(new)s) AS new(%(types)s)
    JOIN standing ON standing.mail_mail_id_int = new.mail_mail_id_int
    RETURNING id, mail_mail_id_int, part, recipient, outcome
"""


@dataclass(frozen=True)
class Sheet:
    """What one round writes: rows that are new, and answers to rows there are."""

    new: list
    answers: list


class JournalWriter:
    """Writes down the events of one run.

    :param cr: of :func:`fresh_cursor`
    :param facts: the columns of a message by its key, see :mod:`.building`
    """

    def __init__(self, cr, run_id, facts):
        self._cr = cr
        self._run_id = run_id
        self._facts = facts
        self._attempt_ids = {}

    def note(self, events):
        """Write events down for good.

        :return: the intents that stand
        :raise LockNotAvailable: somebody holds a row for long; nothing was written
        """
        sheet, known = Sheet([], []), dict(self._attempt_ids)
        intents = [event for event in events if isinstance(event, Intent)]
        for event in events:
            if isinstance(event, Intent):
                self._add_intent(sheet, event)
            elif isinstance(event, Answered):
                self._add_answers(sheet, event.result)
        try:
            written = self._execute(sheet) if sheet.new or sheet.answers else set()
        except LockNotAvailable:
            self._cr.rollback()
            self._attempt_ids = known
            raise
        return [intent for intent in intents if self._stands(intent, written)]

    def forget(self, key):
        """Forget a message of which nothing more will be told."""
        for known in [known for known in self._attempt_ids if known[0] == key]:
            del self._attempt_ids[known]

    def put_back(self, keys, verdict):
        """Write another verdict over refusals: they were the server's trouble.

        :param keys: of the messages
        """
        for mail_id, part in keys:
            self._cr.execute(
                SQL(
                    "UPDATE mail_delivery_attempt SET outcome = %s, scope = %s,"
                    " cause = %s WHERE run_id_int = %s AND mail_mail_id_int = %s"
                    " AND part = %s AND outcome = 'refused' AND NOT settled",
                    verdict.outcome.value,
                    verdict.scope.value,
                    verdict.cause.value,
                    self._run_id,
                    mail_id,
                    part,
                )
            )

    def _add_intent(self, sheet, intent):
        facts = self._facts[intent.message.key]
        for recipient in intent.recipients:
            sheet.new.append(
                {**facts, "recipient": recipient, "outcome": Outcome.SENDING.value}
            )

    def _add_answers(self, sheet, result):
        key = result.message.key
        for attempt in result.attempts:
            row = _answer_row(attempt, result.duration)
            attempt_id = self._attempt_ids.pop((key, attempt.recipient), None)
            if attempt_id:
                sheet.answers.append({"id": attempt_id, **row})
            else:
                facts = self._facts[key]
                sheet.new.append({**facts, "recipient": attempt.recipient, **row})

    def _execute(self, sheet):
        self._cr.execute(
            SQL(
                _STATEMENT,
                **_FRAGMENTS,
                answers=SQL("%s::jsonb", json.dumps(sheet.answers)),
                new=SQL("%s::jsonb", json.dumps(sheet.new)),
                open=list(_OPEN),
                run_id=self._run_id,
                mail_ids=list({row["mail_mail_id_int"] for row in sheet.new}),
            )
        )
        written = set()
        for attempt_id, mail_id, part, recipient, outcome in self._cr.fetchall():
            if outcome == Outcome.SENDING.value:
                known = ((mail_id, part), recipient)
                self._attempt_ids[known] = attempt_id
                written.add(known)
        commit(self._cr)
        return written

    def _stands(self, intent, written):
        return all(
            (intent.message.key, recipient) in written
            for recipient in intent.recipients
        )


def _answer_row(attempt, duration):
    """The columns of an answer; zero bytes are no text for a database."""
    answer, verdict = attempt.answer, attempt.verdict
    reply = clean(answer.text)[:KEPT]
    return {
        "outcome": verdict.outcome.value,
        "scope": verdict.scope.value,
        "cause": verdict.cause.value,
        "phase": answer.phase.value,
        "code": answer.code or 0,
        "enhanced_code": enhanced_code(reply) or "",
        "reply": reply,
        "wait": verdict.wait,
        "duration": round(duration, 3),
    }
