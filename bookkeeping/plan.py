"""What is sent and what goes wrong with it, made from a seed; it needs no Odoo.

A recipient's address tells what its server does with it: ``greylisted-7@`` is put off,
``refused-7@`` is refused. Servers have troubles of their own besides.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from smtp_server import Answer, Close, Rule, Stage

DOMAIN = "client.example"
#: What servers answer where they refuse: these are the reasons of what has failed.
NO_USER = "550 5.1.1 No such user here"
SPAM = "554 5.7.1 Message rejected as spam"
LOGIN = "535 5.7.8 Authentication credentials invalid"
REPLIES = (NO_USER[10:], SPAM[10:])
#: How often each kind of mail is made, in a hundred.
KINDS = {"partner": 62, "partners": 20, "addresses": 14, "nobody": 2, "garbage": 2}
#: How often each fate of a recipient occurs, in a thousand.
FATES = {
    **{"refused": 25, "greylisted": 60, "full": 15, "spam": 5},
    **{"kept": 5, "dropped": 5, "ended": 10, "slow": 10},
}
#: Each lane's share, in ten.
LANES = {"urgent": 1, "normal": 7, "bulk": 2}


@dataclass(frozen=True)
class Mail:
    """One mail to be made: each partner gets a message of its own."""

    number: int
    server: int
    kind: str
    lane: str
    partners: Sequence[str] = ()
    email_to: Sequence[str] = ()
    email_cc: Sequence[str] = ()

    @property
    def recipients(self) -> tuple[str, ...]:
        """All addresses; an empty one where there is none."""
        return (*self.partners, *self.email_to, *self.email_cc) or ("",)

    @property
    def impossible(self) -> bool:
        """Whether no server can be asked to take it."""
        return self.kind in ("nobody", "garbage")


@dataclass(frozen=True)
class Server:
    """One server, and what it has in store.

    :param down: it goes away for a while, and comes back
    :param wrong_password: Odoo has a wrong one, which is mended later
    :param tls: whether it offers STARTTLS, and Odoo asks for it
    """

    name: str
    down: bool = False
    wrong_password: bool = False
    tls: bool = False
    rules: Sequence[Rule] = ()

    @property
    def login(self) -> str:
        """Its only account."""
        return f"{self.name.lower()}@own.example"

    @property
    def password(self) -> str:
        """The account's, which nobody but the servers here would take."""
        return f"secret of {self.login}"


@dataclass(frozen=True)
class Plan:
    """Everything that a seed says."""

    servers: Sequence[Server]
    mails: Sequence[Mail]

    def for_odoo(self, ports: Mapping[str, int]) -> dict[str, Any]:
        """Return what Odoo has to make, as JSON: see :mod:`bookkeeping.fixture`."""
        servers = [
            {
                "name": it.name,
                "smtp_host": "127.0.0.1",
                "smtp_port": ports[it.name],
                "smtp_encryption": "starttls" if it.tls else "none",
                "smtp_user": it.login,
                "smtp_pass": "wrong" if it.wrong_password else it.password,
            }
            for it in self.servers
        ]
        return {"servers": servers, "mails": [asdict(mail) for mail in self.mails]}


def make(mails: int, servers: int, faults: bool, seed: int) -> Plan:
    """Return the plan of a seed."""
    chance = random.Random(seed)
    made = [_mail(number, servers, faults, chance) for number in range(mails)]
    addresses: list[list[str]] = [[] for _ in range(servers)]
    for mail in made:
        addresses[mail.server] += mail.recipients
    return Plan(
        [
            _server(number, addresses[number], mails // servers, faults, chance)
            for number in range(servers)
        ],
        made,
    )


def _mail(number: int, servers: int, faults: bool, chance: random.Random) -> Mail:
    def names(count: int, first: int = 0) -> list[str]:
        return [
            f"{_fate(faults, chance)}-{number}-{index}@{DOMAIN}"
            for index in range(first, first + count)
        ]

    kind = chance.choices([*KINDS], [*KINDS.values()])[0]
    lane = chance.choices([*LANES], [*LANES.values()])[0]
    among = {
        "partner": {"partners": names(1)},
        "partners": {"partners": names(chance.randint(2, 4))},
        "addresses": {"email_to": names(chance.randint(1, 3)), "email_cc": names(1, 9)},
        "nobody": {},
        "garbage": {"email_to": [f"garbage-{number}"]},
    }[kind]
    return Mail(number, chance.randrange(servers), kind, lane, **among)


def _fate(faults: bool, chance: random.Random) -> str:
    fates = {**FATES, "fine": 1000 - sum(FATES.values())}
    return chance.choices([*fates], [*fates.values()])[0] if faults else "fine"


def _server(
    number: int, addresses: Sequence[str], mails: int, faults: bool, chance: Any
) -> Server:
    name = f"Server{number}"
    if not faults:
        return Server(name)
    rules = [rule for it in addresses for rule in _rules_of_address(it, chance)]
    return Server(
        name,
        down=number % 5 == 1,
        wrong_password=number % 5 == 2,
        tls=number % 5 == 3,
        rules=[*_rules_of_all(), *rules, *_rules_of_server(number, mails, chance)],
    )


def _rules_of_all() -> Iterator[Rule]:
    """Refusals that never change."""
    yield Rule(Stage.RCPT, Answer(NO_USER), "<refused-")
    yield Rule(Stage.END_OF_DATA, Answer(SPAM), "<spam-")
    yield Rule(Stage.RCPT, Answer(delay=0.2), "<slow-")


def _rules_of_address(address: str, chance: random.Random) -> Iterator[Rule]:
    """What a server has in store for one recipient."""
    fate, part = address.partition("-")[0], f"<{address}>"
    if fate == "greylisted":
        reply = "450 4.7.1 Greylisted, please try again later"
        yield Rule(Stage.RCPT, Answer(reply), part, times=chance.randint(1, 2))
    elif fate == "full":
        reply = "452 4.2.2 Mailbox full"
        yield Rule(Stage.RCPT, Answer(reply), part, times=chance.randint(1, 3))
    elif fate == "kept":
        answer = Answer(keeps=True, close=Close.RESET)
        yield Rule(Stage.END_OF_DATA, answer, part, times=1)
    elif fate == "dropped":
        yield Rule(Stage.END_OF_DATA, Answer(close=Close.RESET), part, times=1)
    elif fate == "ended":
        answer = Answer(close=chance.choice([Close.PLAIN, Close.RESET]))
        yield Rule(Stage.RCPT, answer, part, times=1)


def _rules_of_server(number: int, mails: int, chance: random.Random) -> Iterator[Rule]:
    """What a server does to whomever it meets, in the course of its mails."""

    def sometime() -> int:
        return chance.randrange(max(1, mails))

    ends = Answer("421 4.4.2 Too many messages in this session", close=Close.PLAIN)
    limits = Answer("450 4.7.1 Rate limit exceeded, try again in 2 seconds")
    for _ in range(max(1, mails // 100)):
        yield Rule(Stage.MAIL, ends, after=sometime(), times=1)
        yield Rule(Stage.END_OF_DATA, Answer(delay=0.5), after=sometime(), times=2)
    if number % 5 == 4:
        yield Rule(Stage.MAIL, limits, after=sometime(), times=3)
        greeting = Answer("421 4.3.2 Too busy", close=Close.PLAIN)
        yield Rule(Stage.CONNECT, greeting, after=1, times=2)
    if number % 5 == 3:
        broken = Answer("220 Go ahead", close=Close.RESET)
        yield Rule(Stage.STARTTLS, broken, after=1, times=2)
        half = Answer("250 Message", characters=6, close=Close.RESET, keeps=True)
        yield Rule(Stage.END_OF_DATA, half, after=sometime(), times=1)
