"""Addresses and names taken from headers, each header parsed once.

Every rule and every mail of a queue asks for the same few addresses, and parsing them
is what splitting a queue would spend most of its time on.
"""

from functools import lru_cache

from odoo.tools.mail import email_split_and_normalize


def email_of(header):
    """The normalised address of a header or field, as ``email_normalize`` gives it.

    :return: ``""`` where there is none, or more than one
    """
    return _parsed(str(header or ""))[0]


def name_of(header):
    """The display name of the one contact in a header, as it was typed."""
    return _parsed(str(header or ""))[1]


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
    contacts = email_split_and_normalize(text)
    if len(contacts) != 1:
        return "", ""
    name, email = contacts[0]
    return email or "", name
