"""What another set of servers changes, and what it does not."""

from __future__ import annotations

from dataclasses import replace

from ...routing import (
    Directory,
    HeaderFacts,
    Person,
    Question,
    Request,
    compare,
    decide,
    outcome,
)
from .scenario import ANNA, BEN, MAILBOX, SERVERS, A

DIRECTORY = Directory(SERVERS)


def question(sender: Person, **facts: str) -> Question:
    """Own mail of a user of company A."""
    request = Request(sender.email, sender.email, sender=sender, company=A)
    return Question(request, HeaderFacts(sender.email, "", **facts))


def edited(**values: object) -> Directory:
    """The directory with Anna's mailbox edited."""
    mailbox = replace(MAILBOX, **values)
    return Directory(mailbox if p.id == mailbox.id else p for p in SERVERS)


def test_outcome_is_the_decision_that_sends() -> None:
    asked = question(ANNA)
    decision = decide(asked.request, DIRECTORY)
    answer = outcome(asked, DIRECTORY)
    assert (answer.rule, answer.profile) == (decision.rule, decision.profile)
    assert answer.email_from == decision.from_email


def test_same_servers_change_nothing() -> None:
    both = [(question(ANNA), question(ANNA)), (question(BEN), question(BEN))]
    assert compare(both, DIRECTORY, Directory(SERVERS)) == []


def test_archived_mailbox_changes_its_users_mail_only() -> None:
    both = [(question(BEN), question(BEN)), (question(ANNA), question(ANNA))]
    [(place, now, then)] = compare(both, DIRECTORY, edited(active=False))
    assert place == 1
    assert now.profile == MAILBOX
    assert then.profile != MAILBOX


def test_headers_alone_are_another_route() -> None:
    asked = question(ANNA, bounce_email="bounce@a.example")
    [(_place, now, then)] = compare(
        [(asked, asked)], DIRECTORY, edited(bounce_policy="odoo")
    )
    assert now.profile.id == then.profile.id
    assert (now.return_path, then.return_path) == (
        MAILBOX.sender_email,
        "bounce@a.example",
    )


def test_name_of_a_server_is_no_other_route() -> None:
    asked = question(ANNA)
    assert compare([(asked, asked)], DIRECTORY, edited(name="Renamed")) == []


def test_edited_question_is_asked_of_the_edited_directory() -> None:
    asked = question(ANNA)
    switched_off = replace(ANNA, uses_own_servers=False)
    [(_place, now, then)] = compare(
        [(asked, question(switched_off))], DIRECTORY, DIRECTORY
    )
    assert now.profile == MAILBOX
    assert then.profile != MAILBOX
