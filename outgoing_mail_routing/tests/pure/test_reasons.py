"""Every reason has a mail that is told it, in whole sentences."""

from __future__ import annotations

import re

import pytest

from ...routing import Reason, Request, ServerProfile
from .scenario import (
    ANNA,
    BEN,
    BRANCH,
    MAILBOX,
    ONLY_B,
    RELAY_A,
    SHARED,
    SHOP,
    SHOP_EMAIL,
    UNKNOWN,
    A,
    B,
    but,
    mail,
    route,
    server,
    written_by,
)

SECOND = but(MAILBOX, id=9, name="Second mailbox")
SECOND_A = server(8, "Second A", "second.example", companies=[A])
PERSONAL = server(20, "Personal", ANNA.email, owner_id=ANNA.id)
DEFAULT = server(40, "Default", A.default_from)
FILTERED = server(41, "Filtered", "x.example")
AS_ANNA = written_by(BEN, email=ANNA.email, colleagues=(ANNA,))
TEMPLATE = written_by(ANNA, email=SHOP_EMAIL)
STRANGER = mail(UNKNOWN)
FORCED = written_by(ANNA, forced_id=SHOP.id)

EXAMPLES: dict[Reason, tuple[Request, tuple[ServerProfile, ...], str]] = {
    Reason.FORCED: (FORCED, (SHOP,), "Shop is set on the mail itself."),
    Reason.FORCED_BARRED: (
        FORCED,
        (but(SHOP, company_ids=ONLY_B),),
        "Shop is set on the mail itself, but it may not carry mail of Company A.",
    ),
    Reason.FORCED_ARCHIVED: (
        FORCED,
        (but(SHOP, active=False),),
        "Shop is set on the mail itself, but it is archived.",
    ),
    Reason.FORCED_OUT_OF_SERVICE: (
        FORCED,
        (but(SHOP, out_of_service=True),),
        "Shop is set on the mail itself, but it is out of service.",
    ),
    Reason.FORCED_CLOSED: (
        but(FORCED, forced_open=False),
        (SHOP,),
        "The server set on the mail itself is not open to everybody who made or "
        "changed this mail.",
    ),
    Reason.FORCED_PERSONAL: (
        written_by(BEN, email=ANNA.email, forced_id=PERSONAL.id),
        (PERSONAL,),
        "The server set on the mail itself is a personal server, and this mail is not "
        "one that it may carry.",
    ),
    Reason.NO_SENDER: (
        STRANGER,
        (MAILBOX,),
        "The mail is not sent for an internal user.",
    ),
    Reason.NO_OWN_SERVERS: (
        written_by(BEN),
        (MAILBOX,),
        "Ben has no mail servers of their own.",
    ),
    Reason.OWN_SERVERS_OFF: (
        written_by(but(ANNA, uses_own_servers=False)),
        (MAILBOX,),
        "Anna does not use their own mail servers.",
    ),
    Reason.PERSONAL: (
        written_by(ANNA, personal_id=PERSONAL.id),
        (PERSONAL,),
        "Personal is the personal server of the user and sends as anna@a.example.",
    ),
    Reason.PERSONAL_NOT_FOR_FROM: (
        but(TEMPLATE, personal_id=PERSONAL.id),
        (PERSONAL,),
        "Personal is the personal server of the user, but does not send as "
        "shop@shop.example.",
    ),
    Reason.OWN_MAY_SEND: (
        written_by(ANNA, email=MAILBOX.sender_email),
        (MAILBOX,),
        "Mailbox is assigned to Anna and may send as office@mailbox.example.",
    ),
    Reason.OWN_FIRST: (
        written_by(ANNA),
        (MAILBOX,),
        "Mailbox is the first server of Anna and none of them may send as "
        "anna@a.example.",
    ),
    Reason.OWN_FALLBACK: (
        TEMPLATE,
        (MAILBOX,),
        "No server may send as shop@shop.example: Mailbox is the first server of Anna.",
    ),
    Reason.OWN_NOT_FOR_FROM: (
        TEMPLATE,
        (MAILBOX,),
        "Mailbox is assigned to Anna, but neither its FROM filter nor its sender "
        "address is shop@shop.example.",
    ),
    Reason.OWN_LATER: (
        written_by(ANNA),
        (MAILBOX, SECOND),
        "Second mailbox is assigned to Anna, but another one goes before it.",
    ),
    Reason.DELEGATED: (
        AS_ANNA,
        (but(MAILBOX, delegation="colleagues"),),
        "Mailbox is assigned to Anna and carries what others send in their name.",
    ),
    Reason.NOT_DELEGATED: (
        AS_ANNA,
        (MAILBOX,),
        "Mailbox is assigned to Anna and carries nothing that colleagues send in their "
        "name.",
    ),
    Reason.NOT_FOR_ODOO: (
        written_by(ANNA, sender_named=True),
        (MAILBOX,),
        "Mailbox is assigned to Anna and carries nothing that Odoo makes in their "
        "name.",
    ),
    Reason.NOT_IN_COMPANY: (
        but(AS_ANNA, company=B),
        (but(MAILBOX, delegation="colleagues"),),
        "Mailbox is assigned to Anna, who and the sender do not both belong to Company "
        "B.",
    ),
    Reason.NO_COMPANY_SERVERS: (
        STRANGER,
        (SHARED,),
        "Company A has no mail servers of its own.",
    ),
    Reason.INHERITED: (
        written_by(BEN, BRANCH),
        (RELAY_A,),
        "Branch has no mail servers of its own: those of Company A are inherited.",
    ),
    Reason.COMPANY_MAY_SEND: (
        written_by(BEN),
        (RELAY_A,),
        "Relay A is assigned to Company A and may send as ben@a.example.",
    ),
    Reason.COMPANY_FIRST: (
        written_by(BEN),
        (SECOND_A,),
        "Second A is the first server of Company A and none of them may send as "
        "ben@a.example.",
    ),
    Reason.COMPANY_FALLBACK: (
        STRANGER,
        (RELAY_A,),
        "No server may send as press@elsewhere.example: Relay A is the first server "
        "of Company A.",
    ),
    Reason.COMPANY_NOT_FOR_FROM: (
        STRANGER,
        (RELAY_A,),
        "Relay A is assigned to Company A, but may not send as "
        "press@elsewhere.example.",
    ),
    Reason.COMPANY_LATER: (
        written_by(BEN),
        (RELAY_A, SECOND_A),
        "Second A is assigned to Company A, but another one goes before it.",
    ),
    Reason.FILTER_MATCHES: (
        TEMPLATE,
        (SHOP,),
        "The FROM filter of Shop admits shop@shop.example.",
    ),
    Reason.FILTER_NOWHERE: (
        STRANGER,
        (SHOP,),
        "No FROM filter admits press@elsewhere.example.",
    ),
    Reason.ARCHIVED: (
        written_by(ANNA),
        (but(MAILBOX, active=False),),
        "Mailbox is archived.",
    ),
    Reason.BARRED: (
        written_by(ANNA),
        (but(MAILBOX, company_ids=ONLY_B),),
        "Mailbox may not carry mail of Company A.",
    ),
    Reason.RESERVED: (
        TEMPLATE,
        (but(SHOP, reserved=True),),
        "Shop is reserved for the users and companies it is assigned to.",
    ),
    Reason.OTHERS_OWN: (
        TEMPLATE,
        (but(SHOP, user_ids=frozenset({BEN.id})),),
        "Shop only carries mail of its own users.",
    ),
    Reason.NO_SENDER_ADDRESS: (
        STRANGER,
        (server(8, "Comma", ",", companies=[A]),),
        "Comma may not send as press@elsewhere.example and has no sender address "
        "instead.",
    ),
    Reason.FILTER_NOT_ALLOWED: (
        TEMPLATE,
        (but(SHOP, from_policy="login", sender_email="x@y.example"),),
        "The FROM filter of Shop admits shop@shop.example, but its policy does not let "
        "it send as that address.",
    ),
    Reason.NO_FROM: (mail(""), (SHARED,), "The mail has no valid From address."),
    Reason.DEFAULT_FROM: (
        STRANGER,
        (DEFAULT,),
        "The FROM filter of Default admits the default From address "
        "notifications@a.example.",
    ),
    Reason.DEFAULT_FROM_NOWHERE: (
        STRANGER,
        (SHARED,),
        "No FROM filter admits the default From address notifications@a.example.",
    ),
    Reason.NO_DEFAULT_FROM: (
        but(STRANGER, notifications_email=""),
        (SHARED,),
        "There is no default From address.",
    ),
    Reason.PRIORITY_UNFILTERED: (
        STRANGER,
        (FILTERED, SHARED),
        "Shared is the first server without a FROM filter.",
    ),
    Reason.PRIORITY_FIRST: (
        STRANGER,
        (FILTERED,),
        "Filtered is the first server left, although its FROM filter admits neither "
        "press@elsewhere.example nor the default From address.",
    ),
    Reason.OUT_OF_SERVICE: (
        written_by(ANNA),
        (but(MAILBOX, out_of_service=True), SHARED),
        "Mailbox is out of service.",
    ),
    Reason.NOTHING_LEFT: (
        STRANGER,
        (MAILBOX,),
        "No server is left that may carry this mail.",
    ),
    Reason.SYSTEM: (
        STRANGER,
        (),
        "The mail leaves through the server of Odoo's configuration.",
    ),
}


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_reason_every_one_is_told_to_some_mail(reason: Reason) -> None:
    assert reason in EXAMPLES, "no mail is told this sentence"
    request, servers, sentence = EXAMPLES[reason]
    steps = route(request, *servers).steps
    assert sentence in [str(step) for step in steps if step.reason is reason]


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_reason_placeholders_are_known(reason: Reason) -> None:
    placeholders = set(re.findall(r"%\((\w+)\)s", reason.value))
    assert placeholders <= {"server", "email", "company", "parent", "user"}
    assert "%" not in re.sub(r"%\(\w+\)s", "", reason.value)
    assert reason.value.endswith(".")


def test_reason_values_with_percent_signs_stay_as_they_are() -> None:
    tricky = but(SHARED, name="100 %(email)s")
    steps = route(STRANGER, tricky).steps
    assert str(steps[-1]) == "100 %(email)s is the first server without a FROM filter."
