"""Which server: every rule in both passes, as tables of small worlds."""

from __future__ import annotations

import pytest

from ...routing import Directory, Reason, Request, Rule, ServerProfile, choosable
from .scenario import (
    ANNA,
    BEN,
    BRANCH,
    CARL,
    CUSTOMER,
    MAILBOX,
    ONLY_A,
    ONLY_B,
    RELAY_A,
    RELAY_B,
    SERVERS,
    SHARED,
    SHOP,
    SHOP_EMAIL,
    UNKNOWN,
    A,
    B,
    but,
    from_filter,
    mail,
    outcome,
    reasons,
    route,
    server,
    written_by,
)

Servers = tuple[ServerProfile, ...]
Row = tuple[str, Request, Servers, object]

MAILBOX_EMAIL = MAILBOX.sender_email
RELAY_EMAIL = RELAY_A.sender_email
DEFAULT_FROM = A.default_from

AT_A = but(MAILBOX, id=11, name="At A", company_ids=ONLY_A, sender_email="me@a.example")
AT_B = but(MAILBOX, id=12, name="At B", company_ids=ONLY_B, sender_email="me@b.example")
PERSONAL = server(20, "Personal", ANNA.email, owner_id=ANNA.id)
DELEGATING = but(MAILBOX, delegation="colleagues")
ANNA_OFF = but(ANNA, uses_own_servers=False)

#: An internal user of company A puts Anna's e-mail into From, or names her as author.
AS_ANNA = written_by(BEN, email=ANNA.email, colleagues=(ANNA,))


def table(*rows: Row) -> pytest.MarkDecorator:
    """Run a test with every row: condition, mail, servers, what is expected."""
    return pytest.mark.parametrize(
        ("request_", "servers", "expected"),
        [pytest.param(*row[1:], id=row[0].replace(" ", "_")) for row in rows],
    )


# ----------------------------------------------------------------------
# user, pass 1
# ----------------------------------------------------------------------


@table(
    (
        "a mailbox that may not send as it",
        written_by(ANNA),
        SERVERS,
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "the sender address of the mailbox",
        written_by(ANNA, email=MAILBOX_EMAIL),
        SERVERS,
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "the second of two servers may send as it",
        written_by(ANNA),
        (MAILBOX, server(9, "Second", "a.example", users=[ANNA])),
        ("user", "Second", ANNA.email),
    ),
    (
        "both may send as it, the later one by address",
        written_by(ANNA),
        (
            server(8, "Domain", "a.example", users=[ANNA]),
            server(9, "Address", ANNA.email, users=[ANNA]),
        ),
        ("user", "Domain", ANNA.email),
    ),
    (
        "a server without filter and sender address",
        written_by(ANNA),
        (server(9, "Anybody", users=[ANNA]), RELAY_A),
        ("user", "Anybody", ANNA.email),
    ),
    (
        "none may send as it",
        written_by(ANNA),
        (but(MAILBOX, id=9, name="First"), MAILBOX, RELAY_A),
        ("user", "First", MAILBOX_EMAIL),
    ),
    (
        "a shop server that names it, and a mailbox",
        written_by(ANNA),
        (server(9, "Named", ANNA.email), MAILBOX),
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
)
def test_user_rule_own_from_takes_a_server_of_the_sender(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


OWN_SHOP = server(9, "Own shop", SHOP_EMAIL, users=[ANNA])
TEMPLATE = written_by(ANNA, email=SHOP_EMAIL)


@table(
    (
        "the filter of an own server names it",
        TEMPLATE,
        (MAILBOX, OWN_SHOP, SHOP),
        ("user", "Own shop", SHOP_EMAIL),
    ),
    (
        "the filter of an own server has its domain",
        TEMPLATE,
        (SHOP, but(OWN_SHOP, from_filter=from_filter("shop.example"))),
        ("user", "Own shop", SHOP_EMAIL),
    ),
    (
        "an own server that sends as anybody has a filter that names it",
        TEMPLATE,
        (SHOP, but(OWN_SHOP, from_policy="any")),
        ("user", "Own shop", SHOP_EMAIL),
    ),
    (
        "an own server for its sender address only",
        TEMPLATE,
        (but(OWN_SHOP, from_policy="login", sender_email=MAILBOX_EMAIL), SHOP),
        ("from_filter", "Shop", SHOP_EMAIL),
    ),
    (
        "an own server that may send as anybody",
        TEMPLATE,
        (server(9, "Anybody", users=[ANNA]), SHOP),
        ("from_filter", "Shop", SHOP_EMAIL),
    ),
    (
        "an own server that may send as anybody by policy",
        TEMPLATE,
        (but(MAILBOX, from_policy="any"), SHOP),
        ("from_filter", "Shop", SHOP_EMAIL),
    ),
    (
        "an own server with the policy filter and no filter",
        TEMPLATE,
        (but(MAILBOX, from_policy="filter"), SHOP),
        ("from_filter", "Shop", SHOP_EMAIL),
    ),
    (
        "only a mailbox and a shop server",
        TEMPLATE,
        SERVERS,
        ("from_filter", "Shop", SHOP_EMAIL),
    ),
)
def test_user_rule_explicit_from_takes_only_a_strict_server(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


@table(
    (
        "own servers switched off",
        written_by(ANNA_OFF),
        SERVERS,
        ("company", "Relay A", ANNA.email),
    ),
    (
        "the mailbox archived",
        written_by(ANNA),
        (but(MAILBOX, active=False), RELAY_A),
        ("company", "Relay A", ANNA.email),
    ),
    (
        "the mailbox barred for the company",
        written_by(ANNA),
        (but(MAILBOX, company_ids=ONLY_B), RELAY_A),
        ("company", "Relay A", ANNA.email),
    ),
    (
        "the mailbox barred for a mail without company",
        written_by(ANNA, None),
        (but(MAILBOX, company_ids=ONLY_B), SHARED),
        ("priority", "Shared", ANNA.email),
    ),
    (
        "no own servers",
        written_by(BEN),
        SERVERS,
        ("company", "Relay A", BEN.email),
    ),
    (
        "no sender",
        mail(ANNA.email),
        SERVERS,
        ("company", "Relay A", ANNA.email),
    ),
    (
        "no server left at all",
        written_by(ANNA_OFF),
        (MAILBOX,),
        ("system", None, ANNA.email),
    ),
)
def test_user_rule_without_a_usable_server_leaves_it_to_the_next(
    request_: Request, servers: Servers, expected: tuple[str, str | None, str]
) -> None:
    assert outcome(request_, *servers) == expected


@table(
    (
        "a mail of A",
        written_by(ANNA, A),
        (AT_B, AT_A),
        ("user", "At A", "me@a.example"),
    ),
    (
        "a mail of B",
        written_by(ANNA, B),
        (AT_A, AT_B),
        ("user", "At B", "me@b.example"),
    ),
    (
        "From of the other one",
        written_by(ANNA, B, email="me@a.example"),
        (AT_A, AT_B),
        ("user", "At B", "me@b.example"),
    ),
)
def test_user_rule_two_own_servers_takes_the_one_of_the_company(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


# ----------------------------------------------------------------------
# user, in a colleague's name
# ----------------------------------------------------------------------


@table(
    (
        "not delegated",
        AS_ANNA,
        SERVERS,
        ("company", "Relay A", ANNA.email),
    ),
    (
        "delegated, rewritten to the mailbox",
        AS_ANNA,
        (DELEGATING, RELAY_A),
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "delegated, and may send as the colleague",
        AS_ANNA,
        (but(DELEGATING, from_filter=from_filter("a.example")), RELAY_A),
        ("user", "Mailbox", ANNA.email),
    ),
    (
        "only the second server of the colleague delegated",
        AS_ANNA,
        (MAILBOX, but(DELEGATING, id=9, name="Lent"), RELAY_A),
        ("user", "Lent", MAILBOX_EMAIL),
    ),
    (
        "delegated and reserved",
        AS_ANNA,
        (but(DELEGATING, reserved=True), RELAY_A),
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "delegated, the colleague switched off",
        but(AS_ANNA, colleagues=(ANNA_OFF,)),
        (DELEGATING, RELAY_A),
        ("company", "Relay A", ANNA.email),
    ),
    (
        "delegated, but archived",
        AS_ANNA,
        (but(DELEGATING, active=False), RELAY_A),
        ("company", "Relay A", ANNA.email),
    ),
    (
        "delegated, but barred for the company",
        AS_ANNA,
        (but(DELEGATING, company_ids=ONLY_B), RELAY_A),
        ("company", "Relay A", ANNA.email),
    ),
    (
        "delegated, the author named, but a template's From",
        written_by(BEN, email=SHOP_EMAIL, colleagues=(ANNA,)),
        (DELEGATING, RELAY_A, SHOP),
        ("from_filter", "Shop", SHOP_EMAIL),
    ),
    (
        "delegated, the author named, and his filter has the template's From",
        written_by(BEN, email=SHOP_EMAIL, colleagues=(ANNA,)),
        (but(OWN_SHOP, delegation="colleagues"), RELAY_A),
        ("user", "Own shop", SHOP_EMAIL),
    ),
    (
        "the sender's own server strictly may send as the colleague",
        AS_ANNA,
        (DELEGATING, server(9, "Ben's", "a.example", users=[BEN])),
        ("user", "Ben's", ANNA.email),
    ),
    (
        "the sender's own server may send as anybody, nothing delegated",
        AS_ANNA,
        (MAILBOX, server(9, "Ben's", users=[BEN]), RELAY_A),
        ("company", "Relay A", ANNA.email),
    ),
    (
        "nothing but the sender's own server and a mailbox not delegated",
        AS_ANNA,
        (MAILBOX, but(MAILBOX, id=9, name="Ben's", user_ids=frozenset({BEN.id}))),
        ("user", "Ben's", MAILBOX_EMAIL),
    ),
    (
        "the second named colleague delegates",
        but(AS_ANNA, colleagues=(CARL, ANNA)),
        (DELEGATING, RELAY_A),
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "an own From that a colleague has too",
        written_by(BEN, colleagues=(but(ANNA, email=BEN.email),)),
        (DELEGATING, RELAY_A),
        ("company", "Relay A", BEN.email),
    ),
)
def test_delegation_in_a_colleagues_name_needs_delegation(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


FOR_ODOO = but(MAILBOX, delegation="odoo")
BY_ODOO = written_by(ANNA, sender_named=True)


@table(
    (
        "closed: the company's",
        BY_ODOO,
        (MAILBOX, RELAY_A),
        ("company", "Relay A", ANNA.email),
    ),
    (
        "closed, in pass 2 too",
        BY_ODOO,
        (MAILBOX, SHOP),
        ("priority", "Shop", DEFAULT_FROM),
    ),
    ("open to Odoo", BY_ODOO, (FOR_ODOO, RELAY_A), ("user", "Mailbox", MAILBOX_EMAIL)),
    ("open to all", BY_ODOO, (DELEGATING, RELAY_A), ("user", "Mailbox", MAILBOX_EMAIL)),
    (
        "one of several is open",
        BY_ODOO,
        (but(MAILBOX, id=9, name="Closed"), FOR_ODOO),
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "closed, with its own address",
        but(BY_ODOO, email_from=MAILBOX_EMAIL, email=MAILBOX_EMAIL),
        (MAILBOX, RELAY_A),
        ("company", "Relay A", "post@a.example"),
    ),
    (
        "in the name of two, of whom From names one",
        written_by(BEN, email=ANNA.email, colleagues=(ANNA,), sender_named=True),
        (FOR_ODOO, RELAY_A),
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "open to Odoo, but a colleague sends",
        AS_ANNA,
        (FOR_ODOO, RELAY_A),
        ("company", "Relay A", ANNA.email),
    ),
    (
        "a colleague who is not in the mail's company",
        but(AS_ANNA, sender=but(BEN, company_ids=frozenset({B.id}))),
        (DELEGATING, RELAY_A),
        ("company", "Relay A", ANNA.email),
    ),
    (
        "an owner who is not in the mail's company",
        but(AS_ANNA, sender=CARL, company=B),
        (DELEGATING, but(RELAY_A, default_company_ids=ONLY_B)),
        ("company", "Relay A", ANNA.email),
    ),
)
def test_delegation_decides_on_what_others_make_in_their_name(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


def test_delegation_forced_closed_server_keeps_cores_headers() -> None:
    """Set by hand, it is no server of a sender who is only named."""
    for profile, header_rule in ((MAILBOX, Rule.FORCED), (FOR_ODOO, Rule.USER)):
        forced = but(BY_ODOO, forced_id=profile.id)
        assert route(forced, profile).header_rule is header_rule


# ----------------------------------------------------------------------
# user, core's personal servers
# ----------------------------------------------------------------------

HER_PERSONAL = written_by(ANNA, personal_id=PERSONAL.id)
RIVAL = server(21, "Rival", ANNA.email)
DOMAIN = server(22, "Domain", "a.example")


@table(
    (
        "nothing configured, nothing else",
        HER_PERSONAL,
        (PERSONAL,),
        ("user", "Personal", ANNA.email),
    ),
    (
        "nothing configured, before a public server of the address",
        HER_PERSONAL,
        (PERSONAL, RIVAL),
        ("user", "Personal", ANNA.email),
    ),
    (
        "nothing configured, behind a public server of the address",
        HER_PERSONAL,
        (RIVAL, PERSONAL),
        ("from_filter", "Rival", ANNA.email),
    ),
    (
        "nothing configured, behind a public server of the domain",
        HER_PERSONAL,
        (DOMAIN, PERSONAL),
        ("user", "Personal", ANNA.email),
    ),
    (
        "configured, behind a public server of the address",
        HER_PERSONAL,
        (RIVAL, PERSONAL, RELAY_A),
        ("user", "Personal", ANNA.email),
    ),
    (
        "configured, before her own server",
        HER_PERSONAL,
        (MAILBOX, PERSONAL),
        ("user", "Personal", ANNA.email),
    ),
    (
        "a policy that lets it send as another address",
        HER_PERSONAL,
        (but(PERSONAL, from_policy="login", sender_email="x@a.example"), RELAY_A),
        ("user", "Personal", ANNA.email),
    ),
    (
        "its filter is not From",
        written_by(ANNA, email=SHOP_EMAIL, personal_id=PERSONAL.id),
        (PERSONAL, SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "not open to this mail",
        written_by(ANNA),
        (PERSONAL, SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "archived",
        HER_PERSONAL,
        (but(PERSONAL, active=False), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "barred for the company",
        HER_PERSONAL,
        (but(PERSONAL, company_ids=ONLY_B), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "the only server of somebody else",
        written_by(BEN, email=ANNA.email, colleagues=(ANNA,)),
        (PERSONAL,),
        ("system", None, ANNA.email),
    ),
)
def test_personal_server_carries_only_mail_that_core_lets_it(
    request_: Request, servers: Servers, expected: tuple[str, str | None, str]
) -> None:
    assert outcome(request_, *servers) == expected


# ----------------------------------------------------------------------
# company, pass 1
# ----------------------------------------------------------------------

SECOND_A = server(9, "Second A", "second.example", companies=[A])


@table(
    (
        "own From that it may send as",
        written_by(BEN),
        SERVERS,
        ("company", "Relay A", BEN.email),
    ),
    (
        "own From that the second one may send as",
        written_by(BEN),
        (SECOND_A, RELAY_A),
        ("company", "Relay A", BEN.email),
    ),
    (
        "own From that none may send as",
        written_by(CARL, B),
        SERVERS,
        ("company", "Relay B", "post@b.example"),
    ),
    (
        "own From that another company's server admits",
        written_by(CARL, B),
        (RELAY_A, RELAY_B),
        ("company", "Relay B", "post@b.example"),
    ),
    (
        "explicit From that it may send as",
        written_by(BEN, email="sales@a.example"),
        SERVERS,
        ("company", "Relay A", "sales@a.example"),
    ),
    (
        "explicit From that it may send as, as anybody",
        written_by(BEN, email=SHOP_EMAIL),
        (server(9, "Open relay", companies=[A]), SHOP),
        ("company", "Open relay", SHOP_EMAIL),
    ),
    (
        "explicit From that it may not send as",
        written_by(BEN, email=SHOP_EMAIL),
        SERVERS,
        ("from_filter", "Shop", SHOP_EMAIL),
    ),
    (
        "explicit From that the second one may send as",
        written_by(BEN, email="news@second.example"),
        (RELAY_A, SECOND_A),
        ("company", "Second A", "news@second.example"),
    ),
    (
        "explicit From that the second one names",
        written_by(BEN, email="sales@a.example"),
        (RELAY_A, server(9, "Sales", "sales@a.example", companies=[A])),
        ("company", "Sales", "sales@a.example"),
    ),
    (
        "archived",
        written_by(BEN),
        (but(RELAY_A, active=False), SECOND_A),
        ("company", "Second A", "notifications@second.example"),
    ),
    (
        "barred",
        written_by(BEN),
        (but(RELAY_A, company_ids=ONLY_B), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "shared by two companies",
        written_by(CARL, B),
        (server(9, "Both", "a.example", companies=[A, B]),),
        ("company", "Both", CARL.email),
    ),
    (
        "assigned to a user too",
        written_by(BEN),
        (but(MAILBOX, default_company_ids=ONLY_A),),
        ("company", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "reserved",
        written_by(BEN),
        (but(RELAY_A, reserved=True),),
        ("company", "Relay A", BEN.email),
    ),
    (
        "a mail that nobody sends",
        mail("sales@a.example"),
        SERVERS,
        ("company", "Relay A", "sales@a.example"),
    ),
)
def test_company_rule_takes_a_server_of_the_records_company(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


# ----------------------------------------------------------------------
# company, inherited by a branch
# ----------------------------------------------------------------------

DORA = but(BEN, id=8, name="Dora", email="dora@branch.example")
OWN_OF_BRANCH = server(9, "Own of branch", companies=[BRANCH])
BRANCH_DEFAULT = BRANCH.default_from


@table(
    (
        "own From of a user of the parent",
        written_by(BEN, BRANCH),
        SERVERS,
        ("company", "Relay A", BEN.email),
    ),
    (
        "own From that the parent's server may not send as",
        written_by(DORA, BRANCH),
        SERVERS,
        ("company", "Relay A", RELAY_EMAIL),
    ),
    (
        "explicit From that the parent's server may send as",
        written_by(DORA, BRANCH, email="sales@a.example"),
        SERVERS,
        ("company", "Relay A", "sales@a.example"),
    ),
    (
        "explicit From of a shop",
        written_by(DORA, BRANCH, email=SHOP_EMAIL),
        SERVERS,
        ("from_filter", "Shop", SHOP_EMAIL),
    ),
    (
        "explicit From that nothing may send as",
        written_by(DORA, BRANCH, email=UNKNOWN),
        SERVERS,
        ("company", "Relay A", RELAY_EMAIL),
    ),
    (
        "the parent's server is reserved",
        written_by(BEN, BRANCH),
        (but(RELAY_A, reserved=True), SHARED),
        ("company", "Relay A", BEN.email),
    ),
    (
        "a mailbox of the sender",
        written_by(ANNA, BRANCH),
        SERVERS,
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "a server of its own",
        written_by(BEN, BRANCH),
        (RELAY_A, OWN_OF_BRANCH),
        ("company", "Own of branch", BEN.email),
    ),
    (
        "a server of its own that is archived",
        written_by(DORA, BRANCH),
        (RELAY_A, but(OWN_OF_BRANCH, active=False), SHARED),
        ("priority", "Shared", BRANCH_DEFAULT),
    ),
    (
        "the parent's server allowed for the parent only",
        written_by(DORA, BRANCH),
        (but(RELAY_A, company_ids=ONLY_A), SHARED),
        ("priority", "Shared", BRANCH_DEFAULT),
    ),
    (
        "the parent's server allowed for the branch too",
        written_by(BEN, BRANCH),
        (but(RELAY_A, company_ids=frozenset({A.id, BRANCH.id})), SHARED),
        ("company", "Relay A", BEN.email),
    ),
    (
        "the server allowed for the branch only",
        written_by(BEN),
        (but(OWN_OF_BRANCH, company_ids=frozenset({BRANCH.id})), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "a parent inherits nothing from its branch",
        written_by(BEN),
        (OWN_OF_BRANCH, SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
)
def test_company_rule_branch_takes_the_servers_of_its_parent(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


def test_company_rule_branch_is_told_whose_servers_it_inherits() -> None:
    request = written_by(DORA, BRANCH)
    inherited, first = route(request, RELAY_A).steps[1:]
    assert (inherited.reason, first.reason) == (
        Reason.INHERITED,
        Reason.COMPANY_FIRST,
    )
    told = dict(inherited.values)
    assert (told["company"], told["parent"]) == (BRANCH.name, A.name)
    assert dict(first.values)["company"] == A.name
    barred = but(RELAY_A, company_ids=ONLY_A)
    assert ("company", "Relay A", "BARRED") in reasons(request, barred)


# ----------------------------------------------------------------------
# FROM filter
# ----------------------------------------------------------------------

ADDRESS = server(30, "Address", SHOP_EMAIL)
SHOP_DOMAIN = server(31, "Shop domain", "shop.example")
OTHER_ADDRESS = but(ADDRESS, id=32, name="B's address", default_company_ids=ONLY_B)
OTHER_DOMAIN = but(SHOP_DOMAIN, id=33, name="B's domain", default_company_ids=ONLY_B)
SHOP_MAIL = written_by(BEN, email=SHOP_EMAIL)


@table(
    (
        "address before domain",
        SHOP_MAIL,
        (SHOP_DOMAIN, ADDRESS),
        ("from_filter", "Address", SHOP_EMAIL),
    ),
    (
        "priority among addresses",
        SHOP_MAIL,
        (but(ADDRESS, id=9, name="First"), ADDRESS),
        ("from_filter", "First", SHOP_EMAIL),
    ),
    (
        "unassigned before another company's",
        SHOP_MAIL,
        (OTHER_ADDRESS, ADDRESS),
        ("from_filter", "Address", SHOP_EMAIL),
    ),
    (
        "another company's address before an unassigned domain",
        SHOP_MAIL,
        (SHOP_DOMAIN, OTHER_ADDRESS),
        ("from_filter", "B's address", SHOP_EMAIL),
    ),
    (
        "another company's where nothing else fits",
        SHOP_MAIL,
        (SHARED, OTHER_DOMAIN),
        ("from_filter", "B's domain", SHOP_EMAIL),
    ),
    (
        "another company's is reserved",
        SHOP_MAIL,
        (but(OTHER_ADDRESS, reserved=True), SHOP_DOMAIN),
        ("from_filter", "Shop domain", SHOP_EMAIL),
    ),
    (
        "an unassigned one is reserved",
        SHOP_MAIL,
        (but(ADDRESS, reserved=True), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "archived",
        SHOP_MAIL,
        (but(ADDRESS, active=False), SHOP_DOMAIN),
        ("from_filter", "Shop domain", SHOP_EMAIL),
    ),
    (
        "barred",
        SHOP_MAIL,
        (but(ADDRESS, company_ids=ONLY_B), SHOP_DOMAIN),
        ("from_filter", "Shop domain", SHOP_EMAIL),
    ),
    (
        "a policy that does not let it send as From",
        SHOP_MAIL,
        (but(ADDRESS, from_policy="login", sender_email="x@y.example"), SHOP_DOMAIN),
        ("from_filter", "Shop domain", SHOP_EMAIL),
    ),
    (
        "several parts with spaces",
        SHOP_MAIL,
        (server(9, "Listed", "x.example , shop@shop.example"),),
        ("from_filter", "Listed", SHOP_EMAIL),
    ),
    (
        "upper case domain in From",
        but(SHOP_MAIL, email="shop@SHOP.example"),
        (SHOP_DOMAIN,),
        ("from_filter", "Shop domain", "shop@SHOP.example"),
    ),
    (
        "a user's server",
        SHOP_MAIL,
        (but(ADDRESS, user_ids=frozenset({ANNA.id})), SHOP_DOMAIN),
        ("from_filter", "Shop domain", SHOP_EMAIL),
    ),
    (
        "a user's server that is lent",
        SHOP_MAIL,
        (
            but(ADDRESS, user_ids=frozenset({ANNA.id}), delegation="colleagues"),
            SHARED,
        ),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "a user's server that is reserved",
        SHOP_MAIL,
        (but(OWN_SHOP, delegation="colleagues", reserved=True), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "somebody's personal server",
        SHOP_MAIL,
        (but(PERSONAL, from_filter=from_filter(SHOP_EMAIL)), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
)
def test_from_filter_rule_takes_the_nearest_server_that_admits_from(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


# ----------------------------------------------------------------------
# Pass 2: nothing may send as From
# ----------------------------------------------------------------------

UNFITTING = written_by(ANNA, email=UNKNOWN)
DEFAULT = server(40, "Default", DEFAULT_FROM)
FILTERED = server(41, "Filtered", "x.example")


@table(
    (
        "a mailbox",
        UNFITTING,
        SERVERS,
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "two mailboxes",
        UNFITTING,
        (but(MAILBOX, id=9, name="First"), MAILBOX),
        ("user", "First", MAILBOX_EMAIL),
    ),
    (
        "a mailbox that may send as anybody",
        UNFITTING,
        (RELAY_A, but(MAILBOX, from_policy="any")),
        ("user", "Mailbox", UNKNOWN),
    ),
    (
        "the first mailbox barred",
        UNFITTING,
        (AT_B, AT_A),
        ("user", "At A", "me@a.example"),
    ),
    (
        "own servers switched off",
        but(UNFITTING, sender=ANNA_OFF),
        SERVERS,
        ("company", "Relay A", RELAY_EMAIL),
    ),
    (
        "a company's server only",
        written_by(BEN, email=UNKNOWN),
        SERVERS,
        ("company", "Relay A", RELAY_EMAIL),
    ),
    (
        "the company's first server archived",
        written_by(BEN, email=UNKNOWN),
        (but(RELAY_A, active=False), SECOND_A),
        ("company", "Second A", "notifications@second.example"),
    ),
    (
        "no From at all",
        but(written_by(ANNA), email_from="", email=""),
        SERVERS,
        ("user", "Mailbox", MAILBOX_EMAIL),
    ),
    (
        "no From, no sender",
        mail(""),
        (SHARED,),
        ("priority", "Shared", DEFAULT_FROM),
    ),
)
def test_pass_two_user_then_company_take_their_first_server(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


STRANGER = mail(UNKNOWN)
B_DEFAULT = but(DEFAULT, id=42, name="B's default", default_company_ids=ONLY_B)
B_SHARED = but(SHARED, id=43, name="B's shared", default_company_ids=ONLY_B)


@table(
    (
        "a filter that names the default From",
        STRANGER,
        (SHARED, server(9, "Domain", "a.example"), DEFAULT),
        ("default_from", "Default", DEFAULT_FROM),
    ),
    (
        "a filter with the domain of the default From",
        STRANGER,
        (SHARED, server(9, "Domain", "a.example")),
        ("default_from", "Domain", DEFAULT_FROM),
    ),
    (
        "the fitting filter is archived",
        STRANGER,
        (but(DEFAULT, active=False), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "the fitting filter is barred",
        STRANGER,
        (but(DEFAULT, company_ids=ONLY_B), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "the fitting filter is reserved",
        STRANGER,
        (but(DEFAULT, reserved=True), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "the fitting filter is a user's, lent",
        STRANGER,
        (but(DEFAULT, user_ids=frozenset({5}), delegation="colleagues"), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "the fitting filter is a personal server's",
        STRANGER,
        (but(DEFAULT, owner_id=ANNA.id), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "the fitting filter is another company's",
        STRANGER,
        (B_DEFAULT, SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "only another company's server, and it fits",
        STRANGER,
        (B_SHARED, B_DEFAULT),
        ("default_from", "B's default", DEFAULT_FROM),
    ),
    (
        "only another company's server, the fitting filter is a user's too",
        STRANGER,
        (
            B_SHARED,
            but(B_DEFAULT, user_ids=frozenset({ANNA.id}), delegation="colleagues"),
        ),
        ("priority", "B's shared", DEFAULT_FROM),
    ),
    (
        "the fitting filter is on a server that may not send as it",
        STRANGER,
        (but(DEFAULT, from_policy="login", sender_email="x@x.example"), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "no default From",
        but(STRANGER, notifications_email=""),
        (DEFAULT, SHARED),
        ("priority", "Shared", UNKNOWN),
    ),
)
def test_default_from_rule_asks_core_fallback_servers(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


@table(
    (
        "the first without a filter",
        STRANGER,
        (FILTERED, SHARED, but(SHARED, id=9, name="Later")),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "none without a filter",
        STRANGER,
        (FILTERED, but(FILTERED, id=9, name="Later")),
        ("priority", "Filtered", DEFAULT_FROM),
    ),
    (
        "a filter without a usable part is a filter",
        STRANGER,
        (server(9, "Comma", ","), SHARED),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "another company's goes behind an unassigned one with a filter",
        STRANGER,
        (B_SHARED, FILTERED),
        ("priority", "Filtered", DEFAULT_FROM),
    ),
    (
        "only another company's",
        STRANGER,
        (RELAY_B,),
        ("priority", "Relay B", DEFAULT_FROM),
    ),
    (
        "only another company's, without a filter first",
        STRANGER,
        (RELAY_B, B_SHARED),
        ("priority", "B's shared", DEFAULT_FROM),
    ),
    (
        "restricted to the company",
        STRANGER,
        (but(SHARED, company_ids=ONLY_A),),
        ("priority", "Shared", DEFAULT_FROM),
    ),
    (
        "restricted and unrestricted, by priority",
        STRANGER,
        (but(SHARED, id=9, name="Ours", company_ids=ONLY_A), SHARED),
        ("priority", "Ours", DEFAULT_FROM),
    ),
)
def test_priority_rule_takes_the_first_server_left(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    assert outcome(request_, *servers) == expected


@pytest.mark.parametrize(
    "left_over",
    [
        MAILBOX,
        but(DELEGATING, default_company_ids=ONLY_B),
        but(RELAY_B, reserved=True),
        but(SHARED, reserved=True),
        but(SHARED, active=False),
        but(SHARED, company_ids=ONLY_B),
        but(RELAY_A, company_ids=ONLY_B),
        PERSONAL,
    ],
    ids=lambda profile: profile.name,
)
def test_fallback_only_foreign_servers_leaves_it_to_the_system(
    left_over: ServerProfile,
) -> None:
    assert outcome(STRANGER, left_over) == ("system", None, UNKNOWN)
    assert outcome(mail(CUSTOMER), left_over)[:2] == ("system", None)


def test_fallback_one_foreign_server_is_passed_over_for_the_next() -> None:
    for foreign in (MAILBOX, but(SHARED, id=9, reserved=True), PERSONAL):
        assert outcome(STRANGER, foreign, SHARED) == (
            ("priority", "Shared", DEFAULT_FROM)
        )


@table(
    ("without a filter", STRANGER, (), ("system", None, UNKNOWN)),
    (
        "a filter that admits From",
        but(STRANGER, system_from_filter=from_filter("elsewhere.example")),
        (),
        ("system", None, UNKNOWN),
    ),
    (
        "a filter that admits the default From",
        but(STRANGER, system_from_filter=from_filter("a.example")),
        (),
        ("system", None, DEFAULT_FROM),
    ),
    (
        "a filter that admits neither",
        but(STRANGER, system_from_filter=from_filter("x.example")),
        (),
        ("system", None, DEFAULT_FROM),
    ),
    (
        "a filter that admits nothing, and no default From",
        but(
            STRANGER,
            system_from_filter=from_filter("x.example"),
            notifications_email="",
        ),
        (),
        ("system", None, UNKNOWN),
    ),
)
def test_system_rule_keeps_from_where_its_filter_admits_it(
    request_: Request, servers: Servers, expected: tuple[str, None, str]
) -> None:
    assert outcome(request_, *servers) == expected


# ----------------------------------------------------------------------
# forced
# ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "forced", [RELAY_B, SHOP, SHARED, but(SHOP, reserved=True)], ids=lambda p: p.name
)
def test_forced_server_wins_and_keeps_from(forced: ServerProfile) -> None:
    servers = [forced if profile.id == forced.id else profile for profile in SERVERS]
    decision = route(written_by(ANNA, forced_id=forced.id), *servers)
    assert (decision.rule.value, decision.profile) == ("forced", forced)
    assert decision.email_from == '"Anna" <anna@a.example>'
    assert not decision.refused and not decision.rewritten
    assert len(decision.steps) == 1 and decision.steps[0].taken


@pytest.mark.parametrize(
    ("forced", "reason"),
    [
        (but(SHOP, company_ids=ONLY_B), "FORCED_BARRED"),
        (but(SHOP, active=False), "FORCED_ARCHIVED"),
        (but(SHOP, active=False, company_ids=ONLY_B), "FORCED_BARRED"),
    ],
)
def test_forced_server_that_may_not_carry_it_is_refused(
    forced: ServerProfile, reason: str
) -> None:
    decision = route(written_by(ANNA, forced_id=forced.id), MAILBOX, forced)
    assert decision.refused
    assert decision.profile is forced
    assert [step.reason.name for step in decision.steps] == [reason]
    assert not decision.steps[-1].taken


@pytest.mark.parametrize(
    ("request_", "personal", "refused"),
    [
        (HER_PERSONAL, PERSONAL, False),
        (but(HER_PERSONAL, email=SHOP_EMAIL), PERSONAL, True),
        (HER_PERSONAL, but(PERSONAL, active=False), True),
        (HER_PERSONAL, but(PERSONAL, company_ids=ONLY_B), True),
        (written_by(ANNA), PERSONAL, True),
    ],
)
def test_forced_personal_server_is_refused_unless_core_opens_it(
    request_: Request, personal: ServerProfile, refused: bool
) -> None:
    decision = route(but(request_, forced_id=personal.id), MAILBOX, personal)
    assert (decision.rule.value, decision.profile) == ("forced", personal)
    assert decision.refused == refused
    assert not decision.rewritten


def test_forced_server_unknown_leaves_it_to_the_rules() -> None:
    request = written_by(ANNA, forced_id=99)
    assert outcome(request, *SERVERS) == ("user", "Mailbox", MAILBOX_EMAIL)


def test_forced_server_with_policy_set_by_hand_rewrites_from() -> None:
    forced = but(SHARED, from_policy="login", sender_email="shared@x.example")
    decision = route(written_by(ANNA, forced_id=forced.id), forced)
    assert decision.rewritten
    assert (decision.from_name, decision.from_email) == ("Anna", "shared@x.example")


@table(
    ("the sender's own", written_by(ANNA), (MAILBOX,), ("Anna", MAILBOX_EMAIL, "user")),
    (
        "the sender's own, for a template's From",
        written_by(ANNA, email=SHOP_EMAIL),
        (MAILBOX,),
        ("Anna", MAILBOX_EMAIL, "user"),
    ),
    ("the company's", written_by(ANNA), (RELAY_A,), ("", ANNA.email, "company")),
    (
        "the parent company's",
        written_by(ANNA, BRANCH),
        (RELAY_A,),
        ("", ANNA.email, "company"),
    ),
    (
        "the company's, for a From it may not send as",
        mail(UNKNOWN, "Press"),
        (RELAY_A,),
        ("Press", RELAY_A.sender_email, "company"),
    ),
    (
        "the sender's and the company's",
        written_by(ANNA),
        (but(MAILBOX, default_company_ids=ONLY_A),),
        ("Anna", MAILBOX_EMAIL, "user"),
    ),
    (
        "the sender's own, switched off",
        written_by(ANNA_OFF),
        (MAILBOX,),
        ("", ANNA.email, "forced"),
    ),
    ("a colleague's", written_by(BEN), (MAILBOX,), ("", BEN.email, "forced")),
    ("another company's", written_by(ANNA), (RELAY_B,), ("", ANNA.email, "forced")),
    ("nobody's", written_by(ANNA), (SHARED,), ("", ANNA.email, "forced")),
)
def test_forced_server_assigned_to_the_mail_has_the_headers_of_its_rule(
    request_: Request, servers: Servers, expected: tuple[str, str, str]
) -> None:
    decision = route(but(request_, forced_id=servers[0].id), *servers)
    assert decision.rule.value == "forced"
    assert (
        decision.from_name,
        decision.from_email,
        decision.header_rule.value,
    ) == expected


# ----------------------------------------------------------------------
# choosable
# ----------------------------------------------------------------------


@table(
    ("own before the company's", written_by(ANNA), SERVERS, ["Mailbox", "Relay A"]),
    ("the company's", written_by(BEN), SERVERS, ["Relay A"]),
    ("on a record of another company", written_by(CARL, B), SERVERS, ["Relay B"]),
    ("in a branch of it", written_by(ANNA, BRANCH), SERVERS, ["Mailbox", "Relay A"]),
    ("own switched off", written_by(ANNA_OFF), SERVERS, ["Relay A"]),
    ("a mail of nobody", mail(SHOP_EMAIL), SERVERS, ["Relay A"]),
    ("nobody's servers only", written_by(ANNA), (SHOP, SHARED), []),
    (
        "own and the company's at once",
        written_by(ANNA),
        (but(MAILBOX, default_company_ids=ONLY_A), RELAY_A),
        ["Mailbox", "Relay A"],
    ),
    (
        "archived and barred",
        written_by(ANNA),
        (but(MAILBOX, active=False), but(RELAY_A, company_ids=ONLY_B)),
        [],
    ),
    (
        "without any address to send as",
        written_by(ANNA, None),
        (but(MAILBOX, from_policy="login", sender_email=""),),
        [],
    ),
    (
        "lent by a colleague",
        written_by(BEN, email=ANNA.email, colleagues=(ANNA,)),
        (but(MAILBOX, delegation="colleagues"), RELAY_A),
        ["Relay A"],
    ),
    (
        "a personal server for its own From",
        written_by(ANNA, personal_id=PERSONAL.id),
        (RELAY_A, MAILBOX, PERSONAL),
        ["Personal", "Mailbox", "Relay A"],
    ),
    (
        "a personal server for another From",
        written_by(ANNA, email=SHOP_EMAIL, personal_id=PERSONAL.id),
        (PERSONAL, RELAY_A),
        ["Relay A"],
    ),
    (
        "a personal server of somebody else",
        written_by(ANNA),
        (PERSONAL, RELAY_A),
        ["Relay A"],
    ),
)
def test_choosable_servers_are_those_of_the_sender_and_the_company(
    request_: Request, servers: Servers, expected: list[str]
) -> None:
    profiles = choosable(request_, Directory(servers))
    assert [profile.name for profile in profiles] == expected


# ----------------------------------------------------------------------
# steps
# ----------------------------------------------------------------------


def test_steps_pass_two_tell_every_rule_that_was_asked() -> None:
    archived = but(MAILBOX, id=9, name="Old mailbox", active=False)
    servers = (archived, MAILBOX, RELAY_A, but(SHOP, reserved=True))
    request = written_by(ANNA, email=SHOP_EMAIL)
    assert reasons(request, *servers) == [
        ("user", "Old mailbox", "ARCHIVED"),
        ("user", "Mailbox", "OWN_NOT_FOR_FROM"),
        ("company", "Relay A", "COMPANY_NOT_FOR_FROM"),
        ("from_filter", "Shop", "RESERVED"),
        ("from_filter", "", "FILTER_NOWHERE"),
        ("user", "Mailbox", "OWN_FALLBACK"),
    ]


def test_steps_tell_why_a_personal_server_was_passed_over() -> None:
    request = written_by(ANNA, email=SHOP_EMAIL, personal_id=PERSONAL.id)
    assert reasons(request, PERSONAL, SHOP) == [
        ("user", "Personal", "PERSONAL_NOT_FOR_FROM"),
        ("company", "", "NO_COMPANY_SERVERS"),
        ("from_filter", "Shop", "FILTER_MATCHES"),
    ]


def test_steps_carry_the_values_of_their_sentences() -> None:
    own, company = route(written_by(CARL, B), MAILBOX, RELAY_B).steps
    assert (own.reason, company.reason) == (
        Reason.NO_OWN_SERVERS,
        Reason.COMPANY_FIRST,
    )
    assert dict(own.values)["user"] == CARL.name
    told = dict(company.values)
    assert (told["server"], told["company"]) == (RELAY_B.name, B.name)
    assert told["email"] == CARL.email
