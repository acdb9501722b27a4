"""What another set of servers would change: many mails, two directories.

The same :func:`decide` and :func:`plan_headers` that send, asked twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .directory import Directory
from .headers import plan_headers
from .policy import decide
from .types import HeaderFacts, Request, Rule, ServerProfile


@dataclass(frozen=True, slots=True)
class Question:
    """One mail, as far as its route depends on it.

    ``facts`` are those of its headers; their ``final_from`` is not looked at.
    """

    request: Request
    facts: HeaderFacts


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a mail goes and what it says, each header by its address.

    ``reply_to`` and ``return_path`` are ``None`` where they stay as core makes them,
    ``profile`` is ``None`` for that of Odoo's configuration.
    """

    rule: Rule
    profile: ServerProfile | None
    email_from: str
    reply_to: str | None
    return_path: str | None
    refused: bool

    def differs(self, other: Outcome) -> bool:
        """Whether it is another route; by which rule does not matter."""
        return self._key() != other._key()

    def _key(self) -> tuple[object, ...]:
        server_id = self.profile.id if self.profile else 0
        headers = (self.email_from, self.reply_to, self.return_path)
        return (server_id, self.refused, *headers)


def outcome(question: Question, directory: Directory) -> Outcome:
    """The route of one mail over the servers of a directory that are in service.

    >>> shared = ServerProfile(1, "Shared")
    >>> question = Question(Request("", "anna@a.example"), HeaderFacts("", ""))
    >>> outcome(question, Directory([shared])).profile.name
    'Shared'
    """
    decision = decide(question.request, directory, directory.out_of_service)
    facts = replace(question.facts, final_from=decision.from_email)
    plan = plan_headers(decision, facts)
    return Outcome(
        decision.rule,
        decision.profile,
        decision.from_email,
        plan.reply_to,
        plan.return_path,
        decision.refused,
    )


def compare(
    questions: Iterable[tuple[Question, Question]],
    directory: Directory,
    edited: Directory,
) -> list[tuple[int, Outcome, Outcome]]:
    """The mails that would take another route.

    Each is asked as it stands of the directory, and with what was edited of the edited
    one. Answers its place among the questions, the route now and the route then.

    >>> anna = Request("", "anna@a.example")
    >>> question = Question(anna, HeaderFacts("anna@a.example", ""))
    >>> [(place, now, then)] = compare(
    ...     [(question, question)],
    ...     Directory([ServerProfile(1, "Old")]), Directory([ServerProfile(2, "New")]))
    >>> place, now.profile.name, then.profile.name
    (0, 'Old', 'New')
    """
    changes = []
    for place, (question, edited_question) in enumerate(questions):
        now, then = outcome(question, directory), outcome(edited_question, edited)
        if then.differs(now):
            changes.append((place, now, then))
    return changes
