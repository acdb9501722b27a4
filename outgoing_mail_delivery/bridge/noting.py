"""What became of mail that core sends itself, noted in the same transaction."""

from collections import defaultdict
from dataclasses import dataclass

from odoo import fields

from odoo.addons.outgoing_mail_routing.bridge.carrier import Carried, RoutedFrom

from ..delivery import (
    Answer,
    Cause,
    Outcome,
    Phase,
    Scope,
    Verdict,
    classify,
    enhanced_code,
)
from ..delivery.connection import answer_of, answer_to_message
from .facts import mail_facts, route_facts
from .healths import Healths
from .settlement import PASSING, Last, Settlement
from .words import clean

_ACCEPTED = Answer(Phase.MESSAGE, 250, "")
# What cannot be transmitted at all is no trouble that passes
_UNSENDABLE = Verdict(Outcome.REFUSED, Scope.MESSAGE, Cause.CONTENT)


@dataclass
class Noting:
    """One message that core transmits, and what came of it."""

    mail_id: int
    values: dict
    answer: Answer = _ACCEPTED
    verdict: Verdict | None = None


class Noted(Carried):
    """Collects what core's ``send`` transmits, by way of the context.

    :param env: of the caller
    """

    def __init__(self, env):
        self.env = env
        self.notings = []
        self.refused_connection = None
        self._mail = None
        self._current = 0

    def begin(self, mail):
        """The next messages are those of this mail."""
        self._mail = mail.sudo()

    def envelope(self, sender, recipients, session):
        """A message is about to be transmitted."""
        if self._mail is None:
            return
        routed = getattr(session, "smtp_from", None)
        for recipient in dict.fromkeys(recipients):
            values = {**self._values_of(routed), "recipient": recipient}
            values["envelope_sender"] = sender
            self.notings.append(Noting(self._mail.id, values))
            self._current += 1

    def next_message(self):
        """What fails from now on is about no message that was told of before."""
        self._current = 0

    def failed(self, error):
        """The message that was last told of was not accepted."""
        cause = _cause_of(error)
        for noting in self.notings[len(self.notings) - self._current :]:
            answer = answer_to_message(cause, noting.values["recipient"])
            if answer is None:
                noting.answer = Answer(Phase.MAIL, None, str(cause))
                noting.verdict = _UNSENDABLE
            else:
                noting.answer = answer
                noting.verdict = classify(answer.phase, answer.code, answer.text)

    def connection_failed(self, error):
        """No connection could be opened."""
        self.refused_connection = answer_of(_cause_of(error))

    def _values_of(self, routed):
        mail = self._mail
        as_made = {"email_from_before": mail.email_from, "email_from": mail.email_from}
        of_route = route_facts(routed) if isinstance(routed, RoutedFrom) else as_made
        return {**mail_facts(mail), **of_route}

    # ------------------------------------------------------------------
    # Writing down
    # ------------------------------------------------------------------

    def write_down(self, mails, leave_to_queue):
        """Make the attempts, and leave to the queue what failed for a passing reason.

        :param mails: ``mail.mail``, some of them deleted by now
        :param bool leave_to_queue: where nobody was told of errors
        :return: whether any was left to the queue
        """
        now = fields.Datetime.now()
        rows = [
            {
                **noting.values,
                **_answer_values(noting),
                "started_at": now,
                "number": 1,
                "settled": False,
            }
            for noting in self.notings
        ]
        attempts = self.env["mail.delivery.attempt"].sudo()
        self._forget_deleted(attempts, rows)
        attempts = attempts.create(rows)
        left = leave_to_queue and self._leave_to_queue(mails.sudo())
        attempts.settled = True
        return left

    def _forget_deleted(self, attempts, rows):
        """Leave out of rows the records that are gone, as a sent mail's message is."""
        for name, field in attempts._fields.items():
            if field.type == "many2one":
                ids = {row[name] for row in rows if row.get(name)}
                gone = ids.difference(
                    attempts.env[field.comodel_name].browse(ids).exists().ids
                )
                for row in rows:
                    if row.get(name) in gone:
                        row[name] = False

    def _leave_to_queue(self, mails):
        failures = self._get_passing_failures()
        settlement = Settlement(mails.env, 0, {}, {}, Healths(self.env.cr).now())
        left = False
        for mail in mails.exists():
            last = failures.get(mail.id)
            if not last and self.refused_connection and mail.id not in self._ids():
                last = _last_of(self.refused_connection, Phase.CONNECT)
            if mail.state == "exception" and last:
                mail._take_back_failure()
                settlement.put_off(mail, {(0, ""): last})
                left = True
        return left

    def _ids(self):
        return {noting.mail_id for noting in self.notings}

    def _get_passing_failures(self):
        """The last answer to each mail of which all messages may be accepted later.

        A mail of which one message was accepted already is not sent again as a whole.
        """
        verdicts = defaultdict(list)
        for noting in self.notings:
            verdicts[noting.mail_id].append(noting)
        return {
            mail_id: _last_of(notings[-1].answer, notings[-1].answer.phase)
            for mail_id, notings in verdicts.items()
            if all(n.verdict and n.verdict.outcome in PASSING for n in notings)
        }


def _last_of(answer, phase):
    verdict = classify(phase, answer.code, answer.text)
    return Last(
        verdict.outcome,
        verdict.scope.value,
        verdict.cause.value,
        answer.text,
        answer.code or 0,
        verdict.wait,
        0,
    )


def _cause_of(error):
    """The error of ``smtplib`` or a socket that core wrapped, or itself."""
    return error.__context__ or error


def _answer_values(noting):
    answer = noting.answer
    verdict = noting.verdict
    return {
        "outcome": verdict.outcome.value if verdict else Outcome.SENT.value,
        "scope": verdict.scope.value if verdict else Scope.RECIPIENT.value,
        "cause": verdict.cause.value if verdict else "other",
        "phase": answer.phase.value,
        "code": answer.code or 0,
        "enhanced_code": enhanced_code(answer.text),
        "reply": clean(answer.text),
    }
