"""The index of all mail servers: every question of the rules is one look-up.

Built once from the servers' profiles and then only read, so one directory serves a
whole queue, and any number of threads. Nothing here grows with the number of mails,
and no look-up walks over all servers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from heapq import merge
from operator import itemgetter

from .filters import same_address
from .types import Company, ServerProfile, domain_of

_ANY_COMPANY = 0

# How many servers closed to others are looked at, to explain a route: a crowd of
# mailboxes with one domain in their FROM filters must not cost every other mail.
_CLOSED_LOOKED_AT = 5


class FallbackPool:
    """Servers that core may fall back to, each with all others that come after it.

    A server restricted to companies is filed under each of them, any other under
    ``_ANY_COMPANY``: those open to a company are the two lists of it, merged.
    """

    def __init__(self) -> None:
        self._filed: dict[tuple[bool, int], list[tuple[int, ServerProfile]]]
        self._filed = defaultdict(list)
        self._ids: set[int] = set()

    def add(self, rank: int, profile: ServerProfile) -> None:
        """File a server behind those that were added before."""
        self._ids.add(profile.id)
        for company_id in profile.company_ids or (_ANY_COMPANY,):
            self._filed[False, company_id].append((rank, profile))
            if not profile.from_filter:
                self._filed[True, company_id].append((rank, profile))

    def __contains__(self, profile: ServerProfile) -> bool:
        return profile.id in self._ids

    def open_to(self, company_id: int, unfiltered: bool) -> Iterator[ServerProfile]:
        """The servers open to a company, in the order in which core asks them.

        ``unfiltered`` asks for those without a FROM filter only.
        """
        filed = (
            self._filed.get((unfiltered, id_), ())
            for id_ in dict.fromkeys((_ANY_COMPANY, company_id))
        )
        for _rank, profile in merge(*filed, key=itemgetter(0)):
            yield profile


def _look_up(
    by_filter: dict[str, list[ServerProfile]], email: str
) -> list[ServerProfile]:
    """The servers filed under the address, then those under its domain."""
    if not email:
        return []
    by_address = by_filter.get(email, [])
    seen = {profile.id for profile in by_address}
    by_domain = by_filter.get(domain_of(email), [])
    return [*by_address, *(p for p in by_domain if p.id not in seen)]


def _edited(
    profile: ServerProfile, field: str, id: int, chosen: frozenset[int]
) -> ServerProfile:
    """A server once ``id`` holds the chosen ones and no other active one.

    As where that is saved, one that is left to nobody is reserved then, unless it is a
    company's with a FROM filter.
    """
    ids: frozenset[int] = getattr(profile, field)
    if not profile.active or (id in ids) is (profile.id in chosen):
        return profile
    ids = ids | {id} if profile.id in chosen else ids - {id}
    edited = replace(profile, **{field: ids})  # type: ignore[arg-type]
    private = profile.user_ids or not profile.from_filter
    if profile.assigned and private and not edited.assigned:
        return replace(edited, reserved=True)
    return edited


class Directory:
    """All servers, in the order in which core asks them (``sequence, id``).

    >>> from .types import FromFilter
    >>> directory = Directory([
    ...     ServerProfile(7, "Shop", from_filter=FromFilter("shop@a.example",
    ...         addresses=("shop@a.example",))),
    ...     ServerProfile(8, "Relay", default_company_ids=frozenset({1}),
    ...         from_filter=FromFilter("a.example", domains=("a.example",))),
    ... ])
    >>> [profile.name for profile in directory.matching("shop@a.example")]
    ['Shop', 'Relay']
    >>> [profile.name for profile in directory.of_company(1)]
    ['Relay']
    >>> directory.first_unassigned(company_id=1, unfiltered=False).name
    'Shop'
    >>> edited = directory.with_servers_of_company(1, [7])
    >>> [profile.name for profile in edited.of_company(1)]
    ['Shop']
    >>> edited.inherits_from(Company(2, "Branch", parent=Company(1, "A"))).name
    'A'
    """

    def __init__(self, profiles: Iterable[ServerProfile]) -> None:
        self._profiles = tuple(profiles)
        self._rank = {profile.id: rank for rank, profile in enumerate(self._profiles)}
        self._of_user: dict[int, list[ServerProfile]] = defaultdict(list)
        self._of_company: dict[int, list[ServerProfile]] = defaultdict(list)
        self._users_by_sender: dict[str, set[int]] = defaultdict(set)
        self._by_owner: dict[int, ServerProfile] = {}
        self._by_filter: dict[str, list[ServerProfile]] = defaultdict(list)
        self._closed_by_filter: dict[str, list[ServerProfile]] = defaultdict(list)
        #: Servers that are assigned to nobody
        self.unassigned = FallbackPool()
        #: Those of companies, as others fall back to them: not reserved, nor a user's
        self.of_other_companies = FallbackPool()
        self.configured = any(profile.configured for profile in self._profiles)
        #: Those whose forms say so, whatever else is out
        self.out_of_service = frozenset(
            profile.id for profile in self._profiles if profile.out_of_service
        )
        for rank, profile in enumerate(self._profiles):
            self._file(rank, profile)

    def _file(self, rank: int, profile: ServerProfile) -> None:
        """Put one profile under everything that it is looked up by."""
        if profile.owner_id:
            if profile.active:
                self._by_owner.setdefault(profile.owner_id, profile)
            return
        for user_id in profile.user_ids:
            self._of_user[user_id].append(profile)
        if profile.sender_email:
            sender = same_address(profile.sender_email)
            self._users_by_sender[sender].update(profile.user_ids)
        for company_id in profile.default_company_ids:
            self._of_company[company_id].append(profile)
        if not profile.active:
            return
        closed = profile.closed_to_others
        by_filter = self._closed_by_filter if closed else self._by_filter
        for part in {*profile.from_filter.addresses, *profile.from_filter.domains}:
            if not closed or len(by_filter[part]) < _CLOSED_LOOKED_AT:
                by_filter[part].append(profile)
        if closed:
            return
        if profile.default_company_ids:
            self.of_other_companies.add(rank, profile)
        else:
            self.unassigned.add(rank, profile)

    def __len__(self) -> int:
        return len(self._profiles)

    def __iter__(self) -> Iterator[ServerProfile]:
        return iter(self._profiles)

    @property
    def last_id(self) -> int:
        """The highest id of a server: a new one that is not saved yet has it."""
        return max(self._rank, default=0)

    def get(self, server_id: int) -> ServerProfile | None:
        """The profile of a server, ``None`` where the directory lacks it."""
        rank = self._rank.get(server_id)
        return None if rank is None else self._profiles[rank]

    def rank(self, profile: ServerProfile) -> int:
        """The place of a profile in the order of all servers; 0 comes first."""
        return self._rank[profile.id]

    def subset(self, server_ids: Iterable[int]) -> Directory:
        """A directory of these servers only, in the order given."""
        profiles = (self.get(server_id) for server_id in server_ids)
        return Directory(profile for profile in profiles if profile is not None)

    def with_servers_of_user(
        self, user_id: int, server_ids: Iterable[int]
    ) -> Directory:
        """A copy in which these are the active servers of a user.

        For forms, to decide on what was edited there and is not saved yet. They do
        not show archived servers, so those stay whose they are.
        """
        chosen = frozenset(server_ids)
        return Directory(
            _edited(p, "user_ids", user_id, chosen) for p in self._profiles
        )

    def with_servers_of_company(
        self, company_id: int, server_ids: Iterable[int]
    ) -> Directory:
        """A copy in which these are the active servers of a company, for forms."""
        chosen = frozenset(server_ids)
        return Directory(
            _edited(p, "default_company_ids", company_id, chosen)
            for p in self._profiles
        )

    def of_user(self, user_id: int) -> list[ServerProfile]:
        """The servers assigned to a user, archived ones too, first one first."""
        return self._of_user.get(user_id, [])

    @property
    def user_ids(self) -> frozenset[int]:
        """The users to whom a server is assigned, archived ones too."""
        return frozenset(self._of_user)

    @property
    def assigned_to_users(self) -> bool:
        """Whether any server is assigned to a user."""
        return bool(self._of_user)

    def users_sending_as(self, email: str) -> frozenset[int]:
        """The users one of whose servers has this sender address."""
        return frozenset(self._users_by_sender.get(same_address(email), ()))

    def of_company(self, company_id: int) -> list[ServerProfile]:
        """The servers assigned to a company, archived ones too, first one first."""
        return self._of_company.get(company_id, [])

    def inherits_from(self, company: Company) -> Company | None:
        """The company whose servers a company's mail leaves through.

        Itself; else the nearest of its parents that has any; ``None`` where nobody in
        its lineage has one. Who has servers does not inherit, not even where all of
        them are archived or barred: what an administrator assigned is never mixed
        with what is inherited.
        """
        return next((c for c in company.lineage if self.of_company(c.id)), None)

    @property
    def owner_ids(self) -> frozenset[int]:
        """The users who connected a personal server of core's."""
        return frozenset(self._by_owner)

    def personal(self, owner_id: int) -> ServerProfile | None:
        """The active personal server of a user, ``None`` where they have none."""
        return self._by_owner.get(owner_id)

    def matching(self, email: str) -> list[ServerProfile]:
        """Active servers whose FROM filter names the address, then its domain.

        Personal servers and those that are closed to others are never among them.
        """
        return _look_up(self._by_filter, email)

    def closed_matching(self, email: str) -> list[ServerProfile]:
        """The first servers that would match, were they not closed to others.

        They carry the mail of the users and companies that they are assigned to,
        which never asks for a FROM filter: here they only explain a route.
        """
        return _look_up(self._closed_by_filter, email)

    def first_unassigned(
        self, company_id: int, unfiltered: bool
    ) -> ServerProfile | None:
        """The first server that is assigned to nobody and open to the company.

        ``unfiltered`` asks for the first one without a FROM filter.
        """
        return next(self.unassigned.open_to(company_id, unfiltered), None)
