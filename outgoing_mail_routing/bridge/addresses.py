"""Addresses and names taken from headers, each header parsed once.

Every rule and every mail of a queue asks for the same few addresses, and parsing them
is what splitting a queue would spend most of its time on.
"""

import re
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache

from odoo.tools.mail import email_split_and_normalize, formataddr

# What most headers are: one address of plain atoms (RFC 5322, 3.2.3), maybe after a
# name of plain words. There is one way to read it, and it takes a tenth of the time.
_WORDS = r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*"
_ATOMS = r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@[a-z0-9]+(?:[.-][a-z0-9]+)*"
_PLAIN = re.compile(
    rf'({_ATOMS})|"({_WORDS})" <({_ATOMS})>|({_WORDS}) <({_ATOMS})>', re.ASCII
)
# Those of them that core would write in the same way
_FORMATTED = re.compile(rf'{_ATOMS}|"{_WORDS}" <{_ATOMS}>', re.ASCII)


def email_of(header):
    """The normalised address of a header or field; the first, where it has several.

    Fields of users and companies do have two at times, and core sends as the first.

    :return: ``""`` where there is none
    """
    contacts = _parsed(str(header or ""))
    return contacts[0][1] if contacts else ""


def name_of(header):
    """The display name of the first contact in a header, as it was typed."""
    contacts = _parsed(str(header or ""))
    return contacts[0][0] if contacts else ""


def formatted_of(header):
    """The first contact of a header as core puts it into From, ``""`` without one.

    :raise Exception: as core's ``email_split_and_format_normalize`` does, for texts
        that Python's parser gives up on
    """
    text = str(header or "")
    if _FORMATTED.fullmatch(text):
        return text
    contacts = _contacts(text)
    return formataddr(contacts[0]) if contacts else ""


def only_email_of(header):
    """The normalised address of a header, ``""`` where it has none or several."""
    contacts = _parsed(str(header or ""))
    return contacts[0][1] if len(contacts) == 1 else ""


@lru_cache(maxsize=16384)
def as_header(text):
    """A From header as a message gives it back.

    :raise ValueError: no message takes it; other errors of Python's parser likewise
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = text
    return str(message["From"])


def clean_name(name):
    """A display name on one line: RFC 5322 forbids line breaks and controls in it.

    >>> clean_name("Anna\\r\\nBcc: all@a.example")
    'Anna Bcc: all@a.example'
    """
    printable = "".join(char if char.isprintable() else " " for char in name or "")
    return " ".join(printable.split())


def is_clean(text):
    """Whether a text is one that may stand in a header as it is.

    >>> is_clean("a@a.example"), is_clean("a@a.example\\x00"), is_clean(False)
    (True, False, False)
    """
    return bool(text) and text.isprintable()


@lru_cache(maxsize=16384)
def _parsed(text):
    """The contacts of a text, none where Python's parser gives up on it."""
    if plain := _plain(text):
        return plain
    try:
        return tuple([contact for contact in _contacts(text) if contact[1]])
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError):
        return ()


@lru_cache(maxsize=16384)
def _contacts(text):
    if plain := _plain(text):
        return plain
    return tuple((name or "", email) for name, email in email_split_and_normalize(text))


def _plain(text):
    """The one contact of a text that can be read in one way, ``()`` for others."""
    plain = _PLAIN.fullmatch(text)
    if not plain:
        return ()
    bare, quoted, of_quoted, name, of_name = plain.groups()
    return ((quoted or name or "", bare or of_quoted or of_name),)
