"""What Odoo itself decides where nothing is assigned, told in its simplest form.

A description of ``ir.mail_server._find_mail_server`` to compare with: it looks at
every server for every mail, and knows neither users nor companies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...routing import Request, ServerProfile

Answer = tuple[int, str]


def core_answer(request: Request, servers: Sequence[ServerProfile]) -> Answer:
    """The server's id, 0 for the command line's, and the From header."""
    forced = [profile for profile in servers if profile.id == request.forced_id]
    candidates = [profile for profile in servers if _is_open(profile, request)]
    for profile in (*forced, *_that_admit(candidates, request.email)):
        return profile.id, request.email_from
    public = [profile for profile in candidates if not profile.owner_id]
    default_from = request.notifications_email
    unfiltered = [profile for profile in public if not profile.from_filter.text]
    for profile in (*_that_admit(public, default_from), *unfiltered, *public):
        return profile.id, default_from or request.email_from
    if request.system_from_filter.admits(request.email):
        return 0, request.email_from
    return 0, default_from or request.email_from


def _is_open(profile: ServerProfile, request: Request) -> bool:
    """Active, and everybody's or the personal one of the user who made the mail."""
    ours = not profile.owner_id or profile.id == request.personal_id
    return profile.active and ours


def _that_admit(candidates: Sequence[ServerProfile], email: str) -> list[ServerProfile]:
    """Those whose filter names the address, then those with its domain."""
    if not email:
        return []
    domain = email.split("@")[1]
    tests: tuple[Callable[[ServerProfile], bool], ...] = (
        lambda profile: email in profile.from_filter.addresses,
        lambda profile: domain in profile.from_filter.domains,
    )
    return [profile for admits in tests for profile in candidates if admits(profile)]
