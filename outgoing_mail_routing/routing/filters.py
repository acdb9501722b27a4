"""FROM filters and the domains in them, as administrators write them.

A domain is the same in Unicode and in ASCII (IDNA 2008, RFC 5891). A part of a filter
that is neither an address (RFC 5321, section 4.1.2) nor a domain (section 2.3.5; with
the underscores that some hosts have) admits nothing.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

import idna

from .types import FromFilter

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LOCAL = re.compile(r"[^\s@,;<>()\[\]\"\\:]+")
_LONGEST_DOMAIN = 253


class FilterProblem(str, Enum):
    """Why a part of a FROM filter is no address and no domain."""

    SEPARATOR = "separator"
    WILDCARD = "wildcard"
    LINK = "link"
    LEADING_AT = "leading_at"
    DOT = "dot"
    OTHER = "other"


@lru_cache(maxsize=16384)
def ascii_domain(domain: str) -> str:
    """The one spelling of a domain by which it is compared, ``""`` where it is none.

    >>> ascii_domain("Müller.example"), ascii_domain("xn--mller-kva.example")
    ('xn--mller-kva.example', 'xn--mller-kva.example')
    >>> ascii_domain("*.a.example"), ascii_domain("a.example.")
    ('', '')
    """
    try:
        labels = [_ascii_label(label) for label in domain.lower().split(".")]
    except UnicodeError:
        return ""
    spelled = ".".join(labels)
    is_domain = all(map(_LABEL.fullmatch, labels)) and len(spelled) <= _LONGEST_DOMAIN
    return spelled if is_domain else ""


def _ascii_label(label: str) -> str:
    """One label in ASCII; an encoded one has to stand for something.

    :raise UnicodeError: it is no label of an international domain
    """
    if not label.isascii():
        return idna.encode(label, uts46=True).decode("ascii").lower()
    if label.startswith("xn--"):
        idna.decode(label)
    return label


@lru_cache(maxsize=16384)
def same_address(email: str) -> str:
    """The spelling of an address by which it is compared: with its domain in ASCII.

    >>> same_address("anna@müller.example")
    'anna@xn--mller-kva.example'
    >>> same_address("no address")
    'no address'
    """
    local, at, domain = email.rpartition("@")
    if not at or (domain.isascii() and "xn--" not in domain):
        return email
    spelled = ascii_domain(domain)
    return f"{local}@{spelled}" if spelled else email


def spellings(email_or_domain: str) -> tuple[str, ...]:
    """An address or domain in ASCII and, if it has one, in Unicode.

    >>> spellings("xn--mller-kva.example")
    ('xn--mller-kva.example', 'müller.example')
    >>> spellings("anna@a.example")
    ('anna@a.example',)
    """
    local, at, domain = email_or_domain.rpartition("@")
    spelled = _spellings_of_domain(domain)
    return tuple([f"{local}{at}{domain}" for domain in spelled]) or (email_or_domain,)


@lru_cache(maxsize=16384)
def _spellings_of_domain(domain: str) -> tuple[str, ...]:
    """A domain in ASCII and, if it has one, in Unicode; none where it is no domain."""
    spelled = ascii_domain(domain)
    if not spelled:
        return ()
    try:
        shown = ".".join(map(_unicode_label, spelled.split(".")))
    except UnicodeError:
        shown = spelled
    return tuple(dict.fromkeys((spelled, shown)))


def _unicode_label(label: str) -> str:
    return idna.decode(label) if label.startswith("xn--") else label


def problem_of(part: str) -> FilterProblem | None:
    """Why a part of a FROM filter admits nothing, ``None`` where it is one.

    >>> problem_of("a.example"), problem_of("anna@a.example")
    (None, None)
    >>> problem_of("a.example;b.example"), problem_of("http://a.example")
    (<FilterProblem.SEPARATOR: 'separator'>, <FilterProblem.LINK: 'link'>)
    """
    local, at, domain = part.rpartition("@")
    is_local = _LOCAL.fullmatch(local) and local.isprintable() if at else True
    if is_local and ascii_domain(domain):
        return None
    for problem, found in (
        (FilterProblem.LINK, "/" in part),
        (FilterProblem.SEPARATOR, re.search(r"[;\s|]", part)),
        (FilterProblem.WILDCARD, re.search(r"[*?%]", part)),
        (FilterProblem.LEADING_AT, part.startswith("@")),
        (FilterProblem.DOT, part.startswith(".") or part.endswith(".")),
    ):
        if found:
            return problem
    return FilterProblem.OTHER


@lru_cache(maxsize=16384)
def parse_filter(text: str, parts: tuple[str, ...]) -> FromFilter:
    """A FROM filter of those of its parts that are addresses or domains.

    :param parts: as core's ``_parse_from_filter`` splits the text

    >>> parse_filter("müller.example, *.a.example", ("müller.example", "*.a.example"))
    FromFilter(text='müller.example, *.a.example', addresses=(), \
domains=('xn--mller-kva.example', 'müller.example'))
    """
    usable = [part.lower() for part in parts if problem_of(part) is None]
    spelled = [spelling for part in usable for spelling in spellings(part)]
    return FromFilter(
        text,
        tuple([part for part in spelled if "@" in part]),
        tuple([part for part in spelled if "@" not in part]),
    )
