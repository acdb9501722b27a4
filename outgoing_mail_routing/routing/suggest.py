"""Which server fits a user, by nothing but their e-mail address.

A mailbox that sends as the very address is proposed even where their mail leaves
through it already, since an assignment outlives an edited FROM filter. Nothing is
proposed that takes a server from anybody else: no company's relay, no fallback, and no
domain in a FROM filter, which is everybody's who has an address there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from .directory import Directory
from .filters import same_address
from .policy import decide
from .sending_as import may_send_as
from .types import Request, Rule, ServerProfile, domain_of

_lt = str


class Fit(str, Enum):
    """Why a server is proposed to a user, or why none is."""

    ADDRESS = _lt("%(servers)s sends as %(email)s.")
    SHARED = _lt(
        "%(servers)s sends as %(email)s, but mail of others leaves through it, too. "
        "Choose it by hand if it is theirs alone."
    )
    DOMAIN = _lt(
        "The FROM filter of %(servers)s admits %(email)s, but is not theirs alone, and "
        "their mail leaves another way now. Assign it to their company, or choose it "
        "by hand."
    )
    THEIRS = _lt("%(servers)s is assigned to them already.")
    SAME_ROUTE = _lt("Their mail leaves through %(servers)s already.")
    SEVERAL = _lt("Several servers fit %(email)s: %(servers)s. Choose one of them.")
    RESERVED = _lt(
        "%(servers)s sends as %(email)s, but is reserved for others. Choose it by "
        "hand if they are to share it."
    )
    NOWHERE = _lt("No server sends as %(email)s or admits it by its FROM filter.")
    NO_EMAIL = _lt("They have no e-mail address.")
    SWITCHED_OFF = _lt("They do not send through own mail servers: it is switched off.")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What fits one user: ``profiles`` are the servers that ``fit`` speaks of."""

    fit: Fit
    profiles: tuple[ServerProfile, ...] = ()

    @property
    def proposed(self) -> ServerProfile | None:
        """The server to assign, ``None`` where none is.

        >>> Suggestion(Fit.ADDRESS, (ServerProfile(1, "Mailbox"),)).proposed.name
        'Mailbox'
        >>> Suggestion(Fit.THEIRS, (ServerProfile(1, "Mailbox"),)).proposed
        """
        return self.profiles[0] if self.fit is Fit.ADDRESS else None


@dataclass(frozen=True, slots=True)
class _User:
    """One user, as far as a server can be closed to them.

    ``company_ids`` are all companies they work in, ``lineage`` those whose servers
    the mail of their own company can leave through, that company first.
    """

    id: int
    company_ids: frozenset[int]
    lineage: tuple[int, ...]

    def has(self, profile: ServerProfile) -> bool:
        """Whether the server is assigned to them."""
        return self.id in profile.user_ids

    def may_have(self, profile: ServerProfile) -> bool:
        """Whether the server carries mail of any of their companies."""
        return not profile.company_ids or bool(profile.company_ids & self.company_ids)

    def shares(self, profile: ServerProfile) -> bool:
        """Whether the server is assigned to them or to a company of theirs."""
        companies = self.company_ids.union(self.lineage)
        return self.has(profile) or bool(profile.default_company_ids & companies)

    def is_attracted_by(self, profile: ServerProfile) -> bool:
        """Whether a domain in the FROM filter can mean them.

        Not that of a colleague's mailbox, of another company's server, or of one that
        is reserved or may not carry mail of their own company.
        """
        if profile.company_ids and profile.company_ids.isdisjoint(self.lineage[:1]):
            return False
        if profile.assigned:
            return self.shares(profile) and (self.has(profile) or not profile.user_ids)
        return not profile.reserved


class Suggester:
    """Answers for any number of users; every question is a few look-ups.

    :param directory: all servers; personal and archived ones are never proposed

    >>> from .types import FromFilter, Person
    >>> suggester = Suggester(Directory([
    ...     ServerProfile(3, "For Everybody"),
    ...     ServerProfile(1, "Anna's Mailbox", sender_email="anna@a.example"),
    ...     ServerProfile(2, "Relay", from_filter=FromFilter("a.example",
    ...         domains=("a.example",))),
    ... ]))
    >>> def fit(id, email):
    ...     person = Person(id, "", email)
    ...     suggestion = suggester.suggest(Request(email, email, sender=person))
    ...     return suggestion.fit.name, [p.name for p in suggestion.profiles]
    >>> fit(5, "anna@a.example")
    ('ADDRESS', ["Anna's Mailbox"])
    >>> fit(6, "ben@a.example")
    ('SAME_ROUTE', ['Relay'])
    >>> fit(7, "carl@c.example")
    ('NOWHERE', [])
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._by_address: dict[str, list[ServerProfile]] = defaultdict(list)
        self._by_domain: dict[str, list[ServerProfile]] = defaultdict(list)
        for profile in directory:
            if profile.active and not profile.owner_id:
                self._file(profile)
        self._fallbacks = _fallbacks(directory)

    def _file(self, profile: ServerProfile) -> None:
        addresses = {profile.sender_email, *profile.from_filter.addresses}
        for address in set(map(same_address, addresses - {""})):
            self._by_address[address].append(profile)
        for domain in set(profile.from_filter.domains):
            self._by_domain[domain].append(profile)

    def suggest(
        self, request: Request, company_ids: frozenset[int] = frozenset()
    ) -> Suggestion:
        """The server that fits the sender of a request.

        :param request: a mail that a user writes in their own name now
        :param company_ids: all companies the user works in
        """
        if not request.email or request.sender is None:
            return Suggestion(Fit.NO_EMAIL)
        if not request.sender.uses_own_servers:
            return Suggestion(Fit.SWITCHED_OFF)
        lineage = request.company.lineage if request.company else ()
        ids = tuple(company.id for company in lineage)
        user = _User(request.sender.id, company_ids.union(ids[:1]), ids)
        named = self._by_address.get(same_address(request.email), [])
        named = [profile for profile in named if user.may_have(profile)]
        if not named:
            return self._suggest_by_domain(request, user)
        shared = [
            profile
            for profile in named
            if user.shares(profile) or not (profile.reserved and profile.assigned)
        ]
        answer = _one_of(shared, Fit.ADDRESS, user)
        if answer is None:
            return Suggestion(Fit.RESERVED, tuple(named))
        if answer.proposed and self._carries_others(answer.proposed, request):
            return replace(answer, fit=Fit.SHARED)
        return answer

    def _carries_others(self, profile: ServerProfile, request: Request) -> bool:
        """Whether mail of others may leave through a server that is not a user's yet.

        By the rule of a company, by its FROM filter, for the default From, or as the
        fallback of anybody: once it is assigned to a user, it attracts nobody's mail
        and is no fallback.
        """
        if profile.user_ids or (profile.reserved and not profile.default_company_ids):
            return False
        addresses = set(map(same_address, profile.from_filter.addresses))
        return bool(
            profile.default_company_ids
            or profile.from_filter.domains
            or addresses - {same_address(request.email)}
            or profile in self._directory.matching(request.notifications_email)
            or profile in self._fallbacks
        )

    def _suggest_by_domain(self, request: Request, user: _User) -> Suggestion:
        """A server that changes where the user's own mail leaves."""
        filed = self._by_domain.get(domain_of(request.email), [])
        fitting = [
            profile
            for profile in filed
            if user.is_attracted_by(profile) and may_send_as(profile, request.email)
        ]
        if not fitting:
            return Suggestion(Fit.NOWHERE)
        directory = self._directory
        decision = decide(request, directory, directory.out_of_service)
        by_own = decision.rule is Rule.USER and not decision.rewritten
        if decision.profile and (by_own or decision.profile in fitting):
            return Suggestion(Fit.SAME_ROUTE, (decision.profile,))
        return _one_of(fitting, Fit.DOMAIN, user) or Suggestion(Fit.NOWHERE)


def _fallbacks(directory: Directory) -> set[ServerProfile]:
    """The servers that core's fallback takes for mail of some company, or of none."""
    named = (profile.company_ids | profile.default_company_ids for profile in directory)
    first = directory.first_unassigned
    found = (
        first(company_id, unfiltered=True) or first(company_id, unfiltered=False)
        for company_id in {0}.union(*named)
    )
    return set(filter(None, found))


def _one_of(
    profiles: Iterable[ServerProfile], fit: Fit, user: _User
) -> Suggestion | None:
    """The answer where some servers fit: the user's own, the only one, or several."""
    fitting = tuple(profiles)
    if theirs := tuple(filter(user.has, fitting)):
        return Suggestion(Fit.THEIRS, theirs)
    if len(fitting) > 1:
        return Suggestion(Fit.SEVERAL, fitting)
    return Suggestion(fit, fitting) if fitting else None
