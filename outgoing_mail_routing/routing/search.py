"""One question to the directory, while the rules look for its answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from .directory import Directory, FallbackPool
from .filters import same_address
from .reasons import Reason
from .sending_as import may_send_as, sender_address
from .types import COLLEAGUES, NOBODY, Note, Person, Request, Rule, ServerProfile


@dataclass(frozen=True, slots=True)
class Taken:
    """What a rule chose; ``core_from`` is the From that core gives the route."""

    rule: Rule
    profile: ServerProfile | None
    core_from: str
    core_email: str
    refused: bool = False
    headers_as: Rule | None = None


class Search:
    """One question to the directory: its facts and what was noted so far."""

    def __init__(
        self, request: Request, directory: Directory, out: frozenset[int]
    ) -> None:
        self.request = request
        self.directory = directory
        self.out = out
        self.notes: list[Note] = []
        company = request.company
        self.company_id = company.id if company else 0
        self.inherits_from = directory.inherits_from(company) if company else None
        self._known_values = (
            ("email", request.email or request.email_from),
            ("company", company.name if company else ""),
        )
        self._may_send: dict[int, bool] = {}
        sender = request.sender
        self.own_from = bool(sender and is_address_of(sender, request, directory))

    def note(
        self,
        rule: Rule,
        reason: Reason,
        profile: ServerProfile | None = None,
        taken: bool = False,
        **values: str,
    ) -> None:
        """Write down one step, with the values its sentence speaks of."""
        told = (*self._known_values, *values.items())
        profiles = (profile,) if profile else ()
        self.notes.append(Note(rule, taken, reason, profiles, told))

    def note_each(
        self,
        rule: Rule,
        reason: Reason,
        profiles: Iterable[ServerProfile],
        **values: str,
    ) -> None:
        """Write down one step for each of some servers that were passed over."""
        if passed := tuple(profiles):
            told = (*self._known_values, *values.items())
            self.notes.append(Note(rule, False, reason, passed, told))

    def take(
        self, rule: Rule, reason: Reason, profile: ServerProfile, **values: str
    ) -> Taken:
        """Choose a server that carries the mail with its own From."""
        self.note(rule, reason, profile, taken=True, **values)
        return Taken(rule, profile, self.request.email_from, self.request.email)

    def take_default(
        self, rule: Rule, reason: Reason, profile: ServerProfile | None, **values: str
    ) -> Taken:
        """Choose a server for which core puts the default From instead of F."""
        self.note(rule, reason, profile, taken=True, **values)
        default_from = self.request.notifications_email
        return Taken(
            rule,
            profile,
            default_from or self.request.email_from,
            default_from or self.request.email,
        )

    def may_send(self, profile: ServerProfile) -> bool:
        """Whether the server is allowed to put F into From, worked out once."""
        known = self._may_send.get(profile.id)
        if known is None:
            known = may_send_as(profile, self.request.email)
            self._may_send[profile.id] = known
        return known

    def bars(self, profile: ServerProfile) -> bool:
        """Whether the server is restricted to other companies."""
        return bool(profile.company_ids) and self.company_id not in profile.company_ids

    def obstacle(self, profile: ServerProfile) -> Reason | None:
        """Why a server cannot carry this mail at all, whoever it is assigned to."""
        if not profile.active:
            return Reason.ARCHIVED
        if profile.id in self.out:
            return Reason.OUT_OF_SERVICE
        if self.bars(profile):
            return Reason.BARRED
        # most have one
        if profile.sender_email or self.may_send(profile):
            return None
        if not sender_address(profile, self.request):
            return Reason.NO_SENDER_ADDRESS
        return None

    def withheld(self, profile: ServerProfile, person: Person) -> Reason | None:
        """Why a server of a person's is not for this mail, which may not be theirs.

        A sender who is only named made nothing: their server carries it like that of
        anybody in whose name Odoo writes.
        """
        sender = self.request.sender
        if self.request.sender_named:
            return Reason.NOT_FOR_ODOO if profile.delegation == NOBODY else None
        if sender and sender.id == person.id:
            return None
        if profile.delegation != COLLEAGUES:
            return Reason.NOT_DELEGATED
        both = sender.company_ids & person.company_ids if sender else ()
        return None if self.company_id in both else Reason.NOT_IN_COMPANY

    def servers_of(self, person: Person) -> list[ServerProfile]:
        """The servers of a person that can carry this mail; the others are noted."""
        profiles = self.directory.of_user(person.id)
        candidates = []
        for profile in self.open_servers(Rule.USER, profiles):
            if reason := self.withheld(profile, person):
                self.note(Rule.USER, reason, profile, user=person.name)
            else:
                candidates.append(profile)
        return candidates

    def open_servers(
        self, rule: Rule, profiles: Iterable[ServerProfile]
    ) -> list[ServerProfile]:
        """Those of the servers that can carry this mail; the others are noted."""
        candidates = []
        for profile in profiles:
            if reason := self.obstacle(profile):
                self.note(rule, reason, profile)
            else:
                candidates.append(profile)
        return candidates

    def servers_of_company(self) -> list[ServerProfile]:
        """The servers of the mail's company or those it inherits, first one first."""
        return (
            self.directory.of_company(self.inherits_from.id)
            if self.inherits_from
            else []
        )

    def first_open(self, profiles: Iterable[ServerProfile]) -> ServerProfile | None:
        """The first of servers that were looked at before and can carry this mail."""
        return next((p for p in profiles if self.obstacle(p) is None), None)

    def fallbacks(
        self, pool: FallbackPool, unfiltered: bool
    ) -> Iterator[ServerProfile]:
        """The servers of a pool that core's fallback may take, in its order.

        :param unfiltered: only those without a FROM filter
        """
        for profile in pool.open_to(self.company_id, unfiltered):
            if profile.id not in self.out:
                yield profile

    @cached_property
    def pool(self) -> FallbackPool | None:
        """Where core's fallback looks: the first pool that has a server left.

        Unassigned servers, else those of other companies, never those of users;
        ``None`` where neither are left.
        """
        for pool in (self.directory.unassigned, self.directory.of_other_companies):
            if any(True for _ in self.fallbacks(pool, unfiltered=False)):
                return pool
        return None

    def best_for_from(self, profiles: Iterable[ServerProfile]) -> ServerProfile | None:
        """The first that may send as F; one that names F goes before a domain."""
        email = self.request.email
        fitting = filter(self.may_send, profiles)
        return min(fitting, key=lambda p: not _names(p, email), default=None)


def is_address_of(person: Person, request: Request, directory: Directory) -> bool:
    """Whether F is the person's e-mail or the sender address of a server of theirs."""
    email = request.email
    return bool(email) and (
        same_address(email) == same_address(person.email)
        or person.id in directory.users_sending_as(email)
    )


def _names(profile: ServerProfile, email: str) -> bool:
    is_sender = same_address(email) == same_address(profile.sender_email)
    return is_sender or email in profile.from_filter.addresses
