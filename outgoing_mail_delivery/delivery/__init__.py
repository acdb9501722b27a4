"""Delivery without Odoo: what is offered, what answers mean, when to try again.

Nothing in this package imports Odoo. The floor above feeds it records as plain values
and writes down what it decides; the same functions serve runs, buttons and pages.

* :func:`classify` says what an answer means, :mod:`.schedule` when to try again,
  :mod:`.health` how a server does, :mod:`.limits` how much it takes, and
  :mod:`.journal` what may be offered again at all.
* :class:`Pool` carries the messages of a run: it opens sessions (:mod:`.session`) in
  threads (:mod:`.worker`), and tells the journal by events (:mod:`.events`).
"""

from .connection import Timeouts
from .events import Answered, Event, Intent, Later, Returned, Trouble
from .health import Breaker, ServerHealth, Throttle
from .journal import after_death, may_follow, may_offer
from .limits import Limits, Pace, Span
from .pool import Pool
from .queues import ServerPlan
from .replies import classify, enhanced_code, same_words, window_of
from .schedule import PLANS, Plan, next_try, parse_plan
from .session import Allowance, Ending, Session
from .settings import NotPositive, SettingError, between
from .types import (
    Answer,
    Attempt,
    Cause,
    Health,
    Lane,
    Message,
    Outcome,
    Phase,
    Result,
    Scope,
    Verdict,
)

__all__ = [
    "PLANS",
    "Allowance",
    "Answer",
    "Answered",
    "Attempt",
    "Breaker",
    "Cause",
    "Ending",
    "Event",
    "Health",
    "Intent",
    "Lane",
    "Later",
    "Limits",
    "Message",
    "Outcome",
    "Pace",
    "Phase",
    "Plan",
    "Pool",
    "Result",
    "Returned",
    "Scope",
    "ServerHealth",
    "ServerPlan",
    "Session",
    "NotPositive",
    "SettingError",
    "between",
    "Span",
    "Throttle",
    "Timeouts",
    "Trouble",
    "Verdict",
    "after_death",
    "classify",
    "enhanced_code",
    "may_follow",
    "may_offer",
    "next_try",
    "parse_plan",
    "same_words",
    "window_of",
]
