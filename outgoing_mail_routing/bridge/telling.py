"""What pages tell of records whose texts may be anything.

A name with a line break, an address that no parser takes: what cannot be told of one
record says so in its place, and what is told of the others stands.
"""

import logging
from contextlib import suppress

import psycopg2

from odoo.exceptions import AccessError
from odoo.tools import exception_to_unicode

from .addresses import clean_name

_logger = logging.getLogger(__name__)

# Errors that no text of a record is to blame for
NOT_OF_TEXTS = (MemoryError, psycopg2.Error)

# What a record is called by: the first of these that it has
_NAMES = ("name", "subject", "email_from")


class Untold(str):
    """A sentence in place of what could not be told."""


def is_told(answer):
    """Whether :func:`tell_of` has an answer."""
    return not isinstance(answer, Untold)


def tell_of(record, tell, *args):
    """What is told of one record by code that reads texts of whatever kind.

    The record is read along with no others: core computes a field for all of them at
    once, so that the text of one would raise for the rest.

    :param record: a single one
    :param tell: called with the record and ``args``
    :return: its answer, or :class:`Untold`
    :raise AccessError: as ``tell`` does, and ``NOT_OF_TEXTS`` likewise
    """
    try:
        return tell(record.with_prefetch(), *args)
    except (AccessError, *NOT_OF_TEXTS):
        raise
    except Exception as error:
        return untold(record, error)


def lines_of(record, tell, *args):
    """The lines that are told of one record, or the one that tells why there are none.

    Takes the arguments of :func:`tell_of`.
    """
    answer = tell_of(record, tell, *args)
    return answer if is_told(answer) else [answer]


def untold(record, error):
    """The sentence in place of what an error kept from being told.

    :rtype: Untold
    """
    _logger.warning("Nothing can be told of %s", record, exc_info=error)
    return Untold(
        record.env._(
            "What becomes of mail cannot be told for “%(name)s”: %(error)s. Correct "
            "the name and the e-mail addresses there.",
            name=_name_of(record) or record.id,
            error=text_of(error),
        )
    )


def _name_of(record):
    """What a record is called by; ``None`` where it has no name that can be read."""
    for name in _NAMES:
        with suppress(Exception):  # a name may be computed from the bad text
            if called := clean_name(record[name]):
                return called
    return None


def text_of(error):
    """What an error says, its class where it says nothing."""
    return exception_to_unicode(error) or type(error).__name__
