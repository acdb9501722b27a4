"""What goes over the wire: no address and no text can pass for a command."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ...delivery.transaction import Transaction
from ...delivery.types import Message, Outcome, Scope

any_address = st.text(max_size=30) | st.emails()
#: Texts in which what matters at line breaks comes often.
any_text = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"x", b"\x00", b"\xff"])
).map(b"".join)


@given(
    any_address,
    st.lists(any_address, min_size=1, max_size=4),
    st.sampled_from([{}, {"smtputf8": ""}, {"size": "100"}, {"8bitmime": ""}]),
)
@example("a@x.example", ["\udc80@x.example"], {"smtputf8": ""})
@example("\udc80", ["b@x.example"], {"smtputf8": ""})
@example("a@x.example", ["b@x.example> SIZE=1\r\nDATA"], {})
def test_any_address_is_a_command_or_refused(
    sender: str, recipients: list[str], features: dict[str, str]
) -> None:
    message = Message(1, sender, tuple(recipients), b"Hi\r\n")
    transaction = Transaction(message, features)
    refused = transaction.obstacles()
    assert all(attempt.verdict.outcome is Outcome.REFUSED for attempt in refused)
    rest = transaction.left(refused)
    if rest is None:
        return
    assert not any(a.verdict.scope is Scope.MESSAGE for a in refused)
    offered = Transaction(rest, features)
    steps = offered.steps()
    commands = offered.commands(steps).encode()  # goes over the wire
    assert commands.count(b"\r\n") == commands.count(b"\n") == len(steps)
    assert commands.count(b"\r") == len(steps)
    for address in (sender, *rest.recipients):
        assert f":<{address}>".encode() in commands
    if "smtputf8" not in features:
        assert commands.isascii()


#: What one would read as an address, another, or as more than one.
NO_ADDRESS = [
    "<<a@x.example>> NOTIFY=NEVER",
    "b@x.example> SIZE=1",
    "Anna <a@x.example>",
    "a b@x.example",
    '"a@x.example',
    "a\u0085b@x.example",
    f"{'a' * 600}@x.example",
]


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_text_that_is_more_than_an_address_is_refused(text: str) -> None:
    features = {"smtputf8": ""}
    message = Message(1, "a@x.example", (text, "b@x.example"), b"Hi\r\n")
    (refused,) = Transaction(message, features).obstacles()
    assert (refused.recipient, refused.verdict.scope) == (text, Scope.RECIPIENT)
    message = replace(message, sender=text)
    scopes = {a.verdict.scope for a in Transaction(message, features).obstacles()}
    assert scopes == {Scope.MESSAGE}


@pytest.mark.parametrize(
    "address", ["a@x.example)b@y.example", '"a b>"@x.example', "a(b)@x", "a,b@x", "@x"]
)
def test_address_goes_as_it_is_or_not_at_all(address: str) -> None:
    message = Message(1, "", (address,), b"")
    assert Transaction(message, {}).obstacles() == ()
    assert Transaction.rcpt_command(address) == f"RCPT TO:<{address}>"


@pytest.mark.parametrize("told", ["", "0", "many", "-1", "1 2", "\u00b2", "9" * 5000])
def test_size_that_is_no_size_is_no_obstacle(told: str) -> None:
    message = Message(1, "a@x.example", ("b@x.example",), b"Hi\r\n")
    assert Transaction(message, {"size": told}).obstacles() == ()


@given(any_text)
def test_any_text_ends_at_its_end_alone(text: bytes) -> None:
    sent = Transaction(Message(1, "", (), text), {}).text()
    assert b"\n.\r\n" not in b"\n" + sent
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", sent)
    assert not sent or sent.endswith(b"\r\n")
    received = re.sub(rb"(?m)^\.", b"", sent)
    expected = re.sub(rb"\r\n|\r|\n", b"\r\n", text)
    assert received in (expected, expected + b"\r\n")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_recipients_are_offered_once_each(numbers: list[int]) -> None:
    names = tuple(f"r{number}@x.example" for number in numbers)
    message = Message(1, "a@x.example", names, b"")
    offered = [name for _phase, name in Transaction(message, {}).steps() if name]
    assert offered == list(dict.fromkeys(names))
    known = Transaction(message, {}).obstacles()
    assert Transaction(message, {}).left(known) == replace(message)
