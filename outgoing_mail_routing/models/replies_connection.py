"""Connections to a mailbox that see nothing in it but what is for Odoo.

They stand between core's ``fetchmail.server._fetch_mail`` and the connection that core
made, and answer the four calls that core makes: ``check_unread_messages``,
``retrieve_unread_messages``, ``handled_message`` and ``disconnect``.

Whether somebody read a mail before does not matter. What was looked at once is not
looked at again: where a connection went on is kept, as a ``place`` in the mailbox.
"""

import logging
import re
from contextlib import suppress
from poplib import error_proto

from ..routing.incoming import HEADERS, is_for_odoo, read_bounce, read_headers
from .telling import NOT_OF_TEXTS

_logger = logging.getLogger(__name__)

# Mails whose headers are asked for at once: a command of 4 kB at most
_HEADERS_AT_ONCE = 500
_BOUNCES_AT_ONCE = 5
# Enough of a bounce to hold its report and the headers of what it returns
_BOUNCE_BYTES = 1024 * 1024
_BOUNCE_LINES = 20000

_UID = re.compile(rb"\bUID (\d+)")


class FetchedMail(bytes):
    """A mail that core is given to post, and whether it did.

    The object is of this process: no client can send one. ``error`` is why not.
    """

    posted = False
    error = None

    def note_posted(self):
        """Say that it was: what stays in the mailbox is not lost, what goes is."""
        self.posted = True


class RepliesConnection:
    """What both protocols share; everything else is the connection's own.

    :param connection: as ``fetchmail.server._connect__`` returns it
    :param find_known: called once with what is known of all new mails; returns
        what :func:`..routing.incoming.is_for_odoo` needs to know of their ids
    :param dict place: where the last connection went on, empty at the first
    :param str folder: the folder that is looked at, empty for the inbox
    """

    def __init__(self, connection, find_known, place=None, folder=None):
        self._connection = connection
        self._find_known = find_known
        self._place = place or {}
        self._folder = folder
        self._replies = None
        self._handled = set()
        self._mail = None
        #: Of the mails that could not be posted, what to tell of each
        self.left = {}

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def check_unread_messages(self):
        """Find the new mails that are for Odoo, and say how many they are."""
        mails = {
            number: mail
            for number, raw in self._peek_headers(self._list_new())
            if (mail := self._read(number, read_headers, raw))
        }
        bounces = [number for number, mail in mails.items() if mail.bounce]
        for number, raw in self._peek_beginnings(bounces):
            # without it a bounce cannot be told, so it is left
            mails[number] = self._read(number, read_bounce, mails[number], raw)
        mails = {number: mail for number, mail in mails.items() if mail}
        known = self._find_known(mails.values())
        self._replies = sorted(n for n in mails if is_for_odoo(mails[n], known))
        return len(self._replies)

    def get_place(self):
        """Where the next connection has to go on: where this one did, if it broke off."""
        if self._replies is None:
            return self._place
        return self._get_place_after(set(self._replies) - self._handled)

    def retrieve_unread_messages(self):
        """Unlike core's, never sets a flag: a run that breaks off leaves no trace."""
        for number in self._replies:
            for raw in self._retrieve(number):
                self._mail = FetchedMail(raw)
                yield str(number), self._mail

    def handled_message(self, number):
        """Mark what was posted; what was not stays as it is, and is told."""
        self._handled.add(int(number))
        if self._mail.posted:
            self._mark(int(number))
        else:
            self.left[number] = self._mail

    def _read(self, number, read, *args):
        """What is read of one mail, ``None`` where it cannot be: it is left."""
        try:
            return read(*args)
        except NOT_OF_TEXTS:
            raise
        except Exception:
            _logger.info("Mail %s of a mailbox cannot be read", number, exc_info=True)
            return None


class ImapReplies(RepliesConnection):
    """Marks nothing as seen that is not for Odoo, and removes nothing.

    Mails are named by their unique ids, which no other client changes, and which grow
    with each new mail (RFC 3501, section 2.3.1.1).
    """

    def disconnect(self):
        """Unlike core's, without CLOSE, which removes what is marked as deleted."""
        self._connection.logout()

    def _get_place_after(self, waiting):
        """Behind what was looked at, and before what waits still."""
        last = min(waiting) - 1 if waiting else self._last
        return {"uid_validity": self._validity, "last_uid": last}

    def _list_new(self):
        """What came since; at the first time what is unread, as core does."""
        self._select()
        self._validity = self._get_number("UIDVALIDITY")
        last = self._place.get("last_uid")
        if not last or self._validity != self._place.get("uid_validity"):
            numbers = self._search("UNSEEN")
            self._last = max(0, (self._get_number("UIDNEXT") or 1) - 1, *numbers)
            return numbers
        # a range is never empty: the last mail is always in it
        numbers = [n for n in self._search("UID", f"{last + 1}:*") if n > last]
        self._last = max(last, *numbers)
        return numbers

    def _select(self):
        """Open the folder that is looked at.

        :raise OSError: there is none of that name
        """
        folder = self._folder or "INBOX"
        status, data = self._connection.select(_quoted(folder))
        if status != "OK":
            answer = b" ".join(filter(None, data)).decode(errors="replace")
            raise OSError(f"{folder}: {answer}")

    def _get_number(self, code):
        """A number that the server told when the folder was opened (section 7.1)."""
        _code, data = self._connection.response(code)
        with suppress(IndexError, TypeError, ValueError):
            return int(data[-1])
        return None

    def _search(self, *criteria):
        _status, data = self._connection.uid("SEARCH", *criteria)
        return sorted(map(int, (data[0] or b"").split()))

    def _mark(self, number):
        self._connection.uid("STORE", str(number), "+FLAGS", "(\\Seen)")

    def _retrieve(self, number):
        return (raw for _number, raw in self._peek([number], "", 1))

    def _peek_headers(self, numbers):
        section = f"HEADER.FIELDS ({' '.join(HEADERS).upper()})"
        return self._peek(numbers, section, _HEADERS_AT_ONCE)

    def _peek_beginnings(self, numbers):
        return self._peek(numbers, "", _BOUNCES_AT_ONCE, f"<0.{_BOUNCE_BYTES}>")

    def _peek(self, numbers, section, at_once, partial=""):
        """Numbers and texts of mails; those that another client removed are left out.

        :param int at_once: how many mails one command asks for
        """
        for start in range(0, len(numbers), at_once):
            chunk = ",".join(map(str, numbers[start : start + at_once]))
            _status, data = self._connection.uid(
                "FETCH", chunk, f"(UID BODY.PEEK[{section}]{partial})"
            )
            for answer, rest in zip(data, [*data[1:], b""], strict=True):
                if isinstance(answer, tuple):
                    # the id stands before the text or behind it
                    behind = rest if isinstance(rest, bytes) else b""
                    if found := _UID.search(answer[0]) or _UID.search(behind):
                        yield int(found[1]), answer[1]


class PopReplies(RepliesConnection):
    """Neither retrieves nor deletes what is not for Odoo (RFC 1939, TOP and UIDL).

    Over POP nothing is ever read or unread; what was looked at is known by its id.
    """

    def _get_place_after(self, waiting):
        """The ids of what needs not be looked at any more."""
        return {"uidls": [id_ for n, id_ in self._ids.items() if n not in waiting]}

    def _list_new(self):
        self._ids = self._get_ids()
        known = set(self._place.get("uidls", ()))
        count = self._connection.stat()[0]
        return [n for n in range(1, count + 1) if self._ids.get(n) not in known]

    def _get_ids(self):
        """The unique id of each mail by its number, none where the server has none."""
        with suppress(error_proto):
            _answer, lines, _octets = self._connection.uidl()
            pairs = (line.decode("ascii", "replace").split() for line in lines)
            return {int(pair[0]): pair[1] for pair in pairs if len(pair) == 2}
        return {}

    def _mark(self, number):
        self._connection.handled_message(number)

    def _retrieve(self, number):
        return [b"\n".join(self._connection.retr(number)[1])]

    def _peek_headers(self, numbers):
        return self._peek(numbers, 0)

    def _peek_beginnings(self, numbers):
        return self._peek(numbers, _BOUNCE_LINES)

    def _peek(self, numbers, lines):
        for number in numbers:
            yield number, b"\r\n".join(self._connection.top(number, lines)[1])


def _quoted(folder):
    """The name of a folder as a command takes it (RFC 3501, sections 4.3 and 5.1.3).

    >>> _quoted("Odoo"), _quoted("Entwürfe & mehr")
    ('"Odoo"', '"Entw&APw-rfe &- mehr"')
    """
    encoded = re.sub(
        r"[^\x20-\x7e]+|&",
        lambda found: "&-" if found[0] == "&" else _as_utf_7(found[0]),
        folder,
    )
    return '"%s"' % encoded.replace("\\", "\\\\").replace('"', '\\"')


def _as_utf_7(text):
    encoded = text.encode("utf-7").decode("ascii")[1:].removesuffix("-")
    return f"&{encoded.replace('/', ',')}-"
