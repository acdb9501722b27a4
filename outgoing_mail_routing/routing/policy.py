"""Which server carries a mail, and as which address it leaves."""

from __future__ import annotations

from .directory import Directory
from .rules import RULES, is_open_personal
from .search import Search, Taken
from .sending_as import decides_header, is_invented, sender_address
from .types import Decision, Request, ServerProfile


def decide(
    request: Request, directory: Directory, out: frozenset[int] = frozenset()
) -> Decision:
    """The route of one mail; it always has an answer.

    Asks the rules in order and lets the first that takes a server conclude. Where
    nothing is configured the answer is that of core's ``_find_mail_server``.

    :param out: ids of servers that are out of service: every rule passes over them

    >>> from .types import Person
    >>> mailbox = ServerProfile(1, "Mailbox", user_ids=frozenset({5}),
    ...                         sender_email="office@a.example")
    >>> anna = Person(5, "Anna", "anna@a.example")
    >>> decision = decide(
    ...     Request('"Anna" <anna@a.example>', "anna@a.example", "Anna", sender=anna),
    ...     Directory([mailbox]))
    >>> decision.rule.value, decision.from_name, decision.from_email
    ('user', 'Anna', 'office@a.example')
    >>> print(decision.steps[-1])
    Mailbox is the first server of Anna and none of them may send as anna@a.example.
    """
    search = Search(request, directory, out)
    return _conclude(search, next(filter(None, (rule(search) for rule in RULES))))


def choosable(
    request: Request, directory: Directory, out: frozenset[int] = frozenset()
) -> list[ServerProfile]:
    """The servers that the sender may choose for a mail by hand.

    Those that the rules ``user`` and ``company`` would ask, in their order, as far as
    they can carry this mail.

    >>> from .types import Person
    >>> mailbox = ServerProfile(1, "Mailbox", user_ids=frozenset({5}),
    ...                         sender_email="office@a.example")
    >>> anna = Person(5, "Anna", "anna@a.example")
    >>> request = Request("anna@a.example", "anna@a.example", sender=anna)
    >>> [profile.name for profile in choosable(request, Directory([mailbox]))]
    ['Mailbox']
    """
    search = Search(request, directory, out)
    profiles = []
    personal = directory.get(request.personal_id)
    if personal and is_open_personal(personal, request):
        profiles.append(personal)
    if request.sender and request.sender.uses_own_servers:
        profiles += directory.of_user(request.sender.id)
    profiles += search.servers_of_company()
    return [p for p in dict.fromkeys(profiles) if search.obstacle(p) is None]


def _conclude(search: Search, taken: Taken) -> Decision:
    """The decision with its final From: F, or rewritten where it may not send as F.

    A personal server carries no From but its own: core refuses any other there.
    """
    request, profile = search.request, taken.profile
    email_from, from_email = taken.core_from, taken.core_email
    from_name, admitted, rewritten = "", False, False
    rule = taken.headers_as or taken.rule
    if (
        profile is not None
        and not profile.owner_id
        and decides_header(rule, profile, profile.from_policy)
    ):
        if admitted := search.may_send(profile):
            email_from, from_email = request.email_from, request.email
        elif address := sender_address(profile, request):
            from_email, rewritten = address, True
            from_name = request.name or (request.sender.name if request.sender else "")
    return Decision(
        rule=taken.rule,
        profile=profile,
        email_from=email_from,
        from_email=from_email,
        from_name=from_name,
        rewritten=rewritten,
        decides_from=admitted or rewritten,
        company=request.company,
        received=request.received,
        refused=taken.refused,
        notes=tuple(search.notes),
        headers_as=taken.headers_as,
        invented=profile is not None and rewritten and is_invented(profile, request),
    )
