"""What answers mean: real ones, the contract's at every phase, and any at all."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...delivery import replies
from ...delivery.replies import classify, enhanced_code, flattened, known_replies
from ...delivery.types import Cause, Outcome, Phase, Scope, Verdict

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Row:
    """One real answer with the verdict that it should get."""

    phase: Phase
    code: int
    text: str
    outcome: str
    scope: str
    cause: str


def rows(name: str) -> Iterator[Row]:
    """The answers in a file; `` / `` stands between an answer's lines."""
    lines = (TESTS / name).read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if not line.startswith("#")]
    for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
        text = f"{row['enhanced']} {row['text']}".strip().replace(" / ", "\n")
        yield Row(
            Phase(row["phase"]),
            int(row["code"]),
            text,
            row["outcome"],
            row["scope"],
            row["cause"],
        )


#: Whose verdicts are a postmaster's, given with the contract; and our own.
GIVEN, OURS = list(rows("replies.tsv")), list(rows("more_replies.tsv"))
#: Of those given, the causes that this table sees otherwise: the contract has a bad
#: outbound sender as policy, a rate is a quota, and Mimecast's text says nothing.
ARGUED_CAUSES = ("bad outbound sender", "Rate limit reached", "Internal resource")


def verdict_of(row: Row) -> tuple[str, str]:
    verdict = classify(row.phase, row.code, row.text)
    return verdict.outcome.value, verdict.scope.value


def described(row: Row) -> str:
    return f"{row.phase.value} {row.code} {row.text[:60]}"


@pytest.mark.parametrize("row", [*GIVEN, *OURS], ids=described)
def test_real_answer_gets_its_outcome_and_scope(row: Row) -> None:
    assert verdict_of(row) == (row.outcome, row.scope)


@pytest.mark.parametrize("row", GIVEN, ids=described)
def test_real_answer_gets_its_cause(row: Row) -> None:
    cause = classify(row.phase, row.code, row.text).cause.value
    argued = any(words in row.text for words in ARGUED_CAUSES)
    assert (cause == row.cause) is not argued


def deciding(row: Row) -> int | None:
    """The number of the known reply that decides about an answer."""
    line, enhanced = flattened(row.text), enhanced_code(row.text)
    for number, reply in enumerate(known_replies()):
        if reply.fits(row.phase, row.code, enhanced, line):
            return number
    return None


def test_every_known_text_is_met_by_a_real_answer() -> None:
    met = {deciding(row) for row in [*GIVEN, *OURS]}
    unmet = [
        (reply.provider, reply.pattern.pattern)
        for number, reply in enumerate(known_replies())
        if reply.pattern and number not in met
    ]
    assert unmet == []


def test_every_known_reply_names_its_provider_and_source() -> None:
    assert len(known_replies()) > 150
    assert all(reply.provider and reply.source for reply in known_replies())


# ----------------------------------------------------------------------
# The contract's table, at every phase where an answer can occur
# ----------------------------------------------------------------------

OPENING = (Phase.CONNECT, Phase.GREETING, Phase.EHLO, Phase.STARTTLS, Phase.AUTH)
TRANSACTION = (Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.MESSAGE)
AFTER_LOGIN = (Phase.AUTH, *TRANSACTION)
UNREAD = "Words that nobody has ever read"

Case = tuple[tuple[Phase, ...], int | None, str, str]

CONTRACT: tuple[Case, ...] = (
    ((Phase.MESSAGE,), 250, "2.0.0 Ok: queued", "sent recipient"),
    ((Phase.MESSAGE,), None, "timed out", "unknown message"),
    (OPENING, None, "connection refused", "deferred server connection"),
    (TRANSACTION[:3], None, "timed out", "deferred session connection"),
    (OPENING[1:], 421, UNREAD, "deferred server"),
    (TRANSACTION, 421, UNREAD, "deferred session connection"),
    (TRANSACTION, 421, "Too many messages in this session", "deferred session"),
    (TRANSACTION, 421, "4.7.0 Connection expired", "deferred session"),
    (TRANSACTION, 451, "Max message per connection reached", "deferred session"),
    ((Phase.AUTH,), 454, "4.7.0 Temporary authentication failure", "deferred server"),
    ((Phase.AUTH,), 435, UNREAD, "deferred server"),
    (TRANSACTION, 452, f"4.3.1 {UNREAD}", "deferred server"),
    (TRANSACTION, 421, "4.7.28 Rate limit exceeded", "throttled server quota"),
    (AFTER_LOGIN, 432, "4.3.2 Concurrent connections limit", "throttled server quota"),
    (TRANSACTION, 450, "4.2.1 Peak relay limit exceeded", "throttled server quota"),
    (TRANSACTION, 454, "Throttling failure", "throttled server quota"),
    (AFTER_LOGIN, 451, "Maximum credits exceeded", "throttled server quota"),
    (TRANSACTION, 550, f"5.4.5 {UNREAD}", "throttled server quota"),
    (TRANSACTION, 550, "5.7.1 Daily sending limit reached", "throttled server quota"),
    (TRANSACTION, 550, "5.2.2 Submission quota exceeded", "throttled server quota"),
    (TRANSACTION, 554, "SubmissionQuotaExceeded", "throttled server quota"),
    (TRANSACTION, 550, "Max 100 mails per hour", "throttled server quota"),
    (TRANSACTION[1:], 450, "4.2.1 Receiving mail too quickly", "deferred recipient"),
    (TRANSACTION[1:], 554, f"5.2.121 {UNREAD}", "deferred recipient"),
    (TRANSACTION[1:], 432, "4.3.2 recipient thread limit", "deferred recipient"),
    (TRANSACTION, 450, "4.7.1 Greylisted for 5 minutes", "deferred recipient policy"),
    ((Phase.RCPT,), 421, "4.2.0 Mail to <a@x.example> later", "deferred recipient"),
    (AFTER_LOGIN, 535, UNREAD, "deferred server login"),
    (AFTER_LOGIN, 534, UNREAD, "deferred server login"),
    (AFTER_LOGIN, 530, f"5.7.0 {UNREAD}", "deferred server login"),
    (AFTER_LOGIN, 538, UNREAD, "deferred server login"),
    (AFTER_LOGIN, 550, f"5.7.57 {UNREAD}", "deferred server login"),
    (AFTER_LOGIN, 550, f"5.7.139 {UNREAD}", "deferred server login"),
    (TRANSACTION, 502, "5.7.0 Please authenticate first", "deferred server login"),
    (TRANSACTION, 553, "Sender rejected: not logged in", "deferred server login"),
    (TRANSACTION, 554, "5.7.1 Relay access denied", "deferred server login"),
    (TRANSACTION, 550, "5.7.1 Unable to relay", "deferred server login"),
    (TRANSACTION, 550, f"5.7.64 {UNREAD}", "deferred server login"),
    (AFTER_LOGIN, 550, "5.7.30 Basic authentication", "deferred server login"),
    (AFTER_LOGIN, 530, "Must issue a STARTTLS command", "deferred server config"),
    (AFTER_LOGIN, 451, "5.7.3 STARTTLS is required", "deferred server config"),
    ((Phase.EHLO,), 501, "5.5.4 Invalid domain name", "deferred server config"),
    ((Phase.AUTH,), 503, "Authentication not enabled", "deferred server config"),
    (TRANSACTION, 554, "5.7.1 client blocked by Spamhaus", "deferred server policy"),
    (TRANSACTION, 550, "block list (S3150)", "deferred server policy"),
    (TRANSACTION, 550, f"5.7.606 {UNREAD}", "deferred server policy"),
    (TRANSACTION, 553, "5.7.2 [TSS09]", "deferred server policy"),
    (TRANSACTION, 553, "5.7.1 [BL21]", "deferred server policy"),
    (TRANSACTION, 550, "5.1.8 bad outbound sender", "deferred server policy"),
    (TRANSACTION, 553, "5.7.1 not owned by user a", "refused message identity"),
    (TRANSACTION, 550, f"5.7.60 {UNREAD}", "refused message identity"),
    (TRANSACTION, 554, "5.2.0 SendAsDenied", "refused message identity"),
    (TRANSACTION, 554, "Email address is not verified", "refused message identity"),
    (TRANSACTION, 553, "Relaying disallowed as a@x", "refused message identity"),
    (TRANSACTION, 550, f"5.7.26 {UNREAD}", "refused message identity"),
    (TRANSACTION, 550, f"5.7.509 {UNREAD}", "refused message identity"),
    (TRANSACTION, 550, "5.7.30 DKIM does not pass", "refused message identity"),
    ((Phase.RCPT,), 450, UNREAD, "deferred recipient"),
    ((Phase.RCPT,), 451, UNREAD, "deferred recipient"),
    ((Phase.RCPT,), 452, f"4.2.2 {UNREAD}", "deferred recipient"),
    ((Phase.RCPT,), 452, "4.5.3 too many recipients", "deferred recipient"),
    ((Phase.RCPT,), 552, "5.5.3 too many recipients", "deferred recipient"),
    ((Phase.RCPT, Phase.MESSAGE), 550, f"5.1.1 {UNREAD}", "refused recipient address"),
    ((Phase.RCPT, Phase.MESSAGE), 550, f"5.2.1 {UNREAD}", "refused recipient address"),
    (TRANSACTION, 554, f"5.3.4 {UNREAD}", "refused message content"),
    (TRANSACTION, 552, "Message too large", "refused message content"),
    (TRANSACTION, 554, f"5.6.0 {UNREAD}", "refused message content"),
    (TRANSACTION, 554, "5.7.1 This is spam", "refused message content"),
    (TRANSACTION, 554, "5.7.1 A virus was found", "refused message content"),
    (OPENING[1:], 471, UNREAD, "deferred server"),
    (OPENING[1:], 571, UNREAD, "deferred server"),
    ((Phase.MAIL, Phase.DATA, Phase.MESSAGE), 471, UNREAD, "deferred message"),
    ((Phase.MAIL, Phase.DATA, Phase.MESSAGE), 571, UNREAD, "refused message"),
    ((Phase.RCPT,), 471, UNREAD, "deferred recipient"),
    ((Phase.RCPT,), 571, UNREAD, "refused recipient"),
)


@pytest.mark.parametrize(
    ("phase", "code", "text", "expected"),
    [(phase, *rest) for phases, *rest in CONTRACT for phase in phases],
)
def test_contract_holds_at_every_phase(
    phase: Phase, code: int | None, text: str, expected: str
) -> None:
    verdict = classify(phase, code, text)
    words = f"{verdict.outcome.value} {verdict.scope.value} {verdict.cause.value}"
    assert words.startswith(expected)


# ----------------------------------------------------------------------
# Any answer at all
# ----------------------------------------------------------------------

any_code = st.none() | st.integers(100, 699)
any_text = st.text(max_size=200) | st.sampled_from([row.text for row in OURS])


@given(st.sampled_from(Phase), any_code, any_text)
def test_any_answer_gets_a_verdict(phase: Phase, code: int | None, text: str) -> None:
    verdict = classify(phase, code, text)
    assert verdict.outcome not in (Outcome.SENDING, Outcome.RELEASED, Outcome.BOUNCED)
    assert (verdict.outcome is Outcome.SENT) == (
        phase is Phase.MESSAGE and code is not None and 200 <= code < 300
    )
    if verdict.outcome is Outcome.UNKNOWN:
        assert phase is Phase.MESSAGE
    assert verdict.wait is None or 0 <= verdict.wait <= replies.LONGEST_WAIT


@given(st.sampled_from(OPENING), any_code, st.text(max_size=200))
def test_nothing_is_refused_before_it_was_offered(
    phase: Phase, code: int | None, text: str
) -> None:
    verdict = classify(phase, code, text)
    if code is None:
        assert verdict == Verdict(Outcome.DEFERRED, Scope.SERVER, Cause.CONNECTION)
    assert verdict.outcome is not Outcome.REFUSED


def test_sentence_is_read_over_its_lines_and_their_codes() -> None:
    text = (
        "550-5.7.26 Unauthenticated email from x.example is not accepted due to\n"
        "550-5.7.26 domain's DMARC\n550 5.7.26 policy. d2-20 - gsmtp"
    )
    for code in ("550-", "550 ", ""):
        for each in ("550-", "550 "):
            text = text.replace(each, code)
        verdict = classify(Phase.MESSAGE, 550, text)
        assert (verdict.outcome, verdict.cause) == (Outcome.REFUSED, Cause.IDENTITY)


@given(st.sampled_from([*GIVEN, *OURS]), st.sampled_from(("  ", "\n", "\r\n")))
def test_layout_of_an_answer_does_not_matter(row: Row, blank: str) -> None:
    spaced = row.text.replace(" ", blank)
    assert classify(row.phase, row.code, spaced) == classify(
        row.phase, row.code, row.text
    )


@pytest.mark.parametrize(
    "text",
    [
        "try again in %s seconds",
        "retry in %s:00:00",
        "retry-after: %s",
        "%s seconds remaining",
    ],
)
def test_number_of_any_length_is_read_or_left_alone(text: str) -> None:
    for digits in (9, 10, 5000):
        wait = classify(Phase.RCPT, 450, text % ("9" * digits)).wait
        assert wait in (None, replies.LONGEST_WAIT)


#: What a pattern may begin with time and again, and never end.
REPEATED = ["1", "a", "a.", "x@", "@", "<", "(S123) ", "from ", "again in 1", "550-"]


@pytest.mark.parametrize("part", REPEATED)
def test_endless_answer_is_read_at_once(part: str) -> None:
    text = part * (1 << 20)
    started = time.process_time()
    classify(Phase.RCPT, 450, text)
    replies.same_words(text)
    assert time.process_time() - started < 1
