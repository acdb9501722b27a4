"""The decision, without Odoo.

Which outgoing mail server carries a mail and which From, Reply-To and Return-Path
it leaves with, decided from plain facts. Nothing in this package imports Odoo: the
floor above, ``bridge/``, feeds it and acts on its answer, and the same functions serve
sending and explaining.
"""

from .changes import Outcome, Question, compare, outcome
from .directory import Directory
from .filters import FilterProblem, parse_filter, problem_of, same_address, spellings
from .headers import decides_headers, header_route, plan_headers, session_key
from .policy import choosable, decide
from .reasons import Reason
from .sending_as import may_send_as
from .suggest import Fit, Suggester, Suggestion
from .types import (
    Company,
    Decision,
    FromFilter,
    HeaderFacts,
    HeaderPlan,
    Note,
    Person,
    Request,
    Rule,
    ServerProfile,
    Step,
    domain_of,
)

__all__ = [
    "Company",
    "Decision",
    "Directory",
    "FilterProblem",
    "Fit",
    "FromFilter",
    "HeaderFacts",
    "HeaderPlan",
    "Note",
    "Outcome",
    "Person",
    "Question",
    "Reason",
    "Request",
    "Rule",
    "ServerProfile",
    "Step",
    "Suggester",
    "Suggestion",
    "choosable",
    "compare",
    "decide",
    "decides_headers",
    "domain_of",
    "header_route",
    "may_send_as",
    "outcome",
    "parse_filter",
    "plan_headers",
    "problem_of",
    "same_address",
    "session_key",
    "spellings",
]
