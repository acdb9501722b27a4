"""Connections to a mailbox that see nothing in it but what is for Odoo.

They stand between core's ``fetchmail.server._fetch_mail`` and the connection that core
made, and answer the four calls that core makes: ``check_unread_messages``,
``retrieve_unread_messages``, ``handled_message`` and ``disconnect``.

Whether somebody read a mail before does not matter. What was looked at once is not
looked at again: where a connection went on is kept, as a ``place`` in the mailbox. That
is done after the mails of a run were posted, so that one that ends in the middle loses
none; the next one finds the Message-Id of each answer that it posted already.
"""

import logging
import poplib
import re
from base64 import b64encode
from contextlib import suppress
from imaplib import IMAP4
from poplib import error_proto

from ..routing.incoming import (
    HEADERS,
    KnownMessage,
    is_for_odoo,
    read_bounce,
    read_headers,
)

_logger = logging.getLogger(__name__)

# Mails whose headers are asked for at once: a command of 4 kB at most
_HEADERS_AT_ONCE = 500
# How many bounces a run looks at; the next one goes on with the others
_BOUNCES_AT_MOST = 500

# What is known of an answer that the same run takes
_TAKEN = KnownMessage(answerable=True)

_UID = re.compile(rb"\bUID (\d+)")

# Core raises it to 64 kB. A mail with a longer line, which anybody can write, would end
# the connection; how long one may be is for the mail server to say.
poplib._MAXLINE = max(poplib._MAXLINE, 2**30)


class MissingFolder(Exception):
    """The mailbox does not open the folder: what the server answered."""


class FetchedMail(bytes):
    """A mail that core is given to post, and whether it did.

    The object is of this process: no client can send one. ``error`` is why not, and
    ``passing`` says that the error is one of the moment.
    """

    posted = False
    error = ""
    passing = False

    def note_posted(self):
        """Say that it was: what stays in the mailbox is not lost, what goes is."""
        self.posted = True

    def note_lost(self):
        """Say that the database did not keep it after all."""
        self.posted = False


class RepliesConnection:
    """What both protocols share; everything else is the connection's own.

    :param connection: as ``fetchmail.server._connect__`` returns it
    :param find_known: called once with what is known of all new mails; returns
        what :func:`..routing.incoming.is_for_odoo` needs to know of their ids
    :param keep: called at the end with this connection, where it found out what is new
    :param dict place: where the last connection went on, empty at the first
    """

    #: How much of a bounce is read, and of how many at once: enough to hold its report
    #: and the headers of what it returns, for most of them and for all
    beginnings = ()

    def __init__(self, connection, find_known, keep, place=None):
        self._connection = connection
        self._find_known = find_known
        self._keep = keep
        self._place = place or {}
        self._replies = None
        self._senders = {}
        # those that wait for the next run: there are too many, or the server refused
        self._later = set()
        self._handled = set()
        self._mail = None
        #: Of the mails that could not be posted, what to tell of each
        self.left = {}

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def open(self, folder):
        """Open a folder, where there are any.

        :param str folder: its name, empty for the inbox
        :raise MissingFolder: there is none of that name
        """

    def check_unread_messages(self):
        """Find the new mails that are for Odoo, and say how many they are."""
        mails = self._read_all(self._list_new())
        known = self._find_known(mails.values())
        replies, taken = [], set()
        for number, mail in sorted(mails.items()):
            # what is taken before is known by the time that its answer is posted
            earlier = taken & mail.mentioned - {mail.message_id}
            added = {**dict.fromkeys(earlier, _TAKEN), **known} if earlier else known
            if is_for_odoo(mail, added):
                replies.append(number)
                if not mail.bounce:
                    taken.add(mail.message_id)
        self._replies = replies
        self._senders = {number: mails[number].sender for number in replies}
        return len(replies)

    def get_place(self):
        """Where the next connection goes on: where this one did, if it broke off."""
        if self._replies is None:
            return self._place
        return self._get_place_after({*self._replies, *self._later} - self._handled)

    def retrieve_unread_messages(self):
        """Unlike core's, never sets a flag: a run that breaks off leaves no trace."""
        for number in self._replies:
            for raw in self._retrieve(number):
                self._mail = FetchedMail(raw)
                yield str(number), self._mail

    def handled_message(self, number):
        """Mark what was posted; what was not stays as it is, and is told.

        An error of the moment, such as a lock, is not told before the second time.
        """
        number = int(number)
        if self._mail.passing and not self._is_again(number):
            return
        self._handled.add(number)
        if self._mail.posted:
            self._mark(number)
        else:
            self.left[number] = self._mail

    def disconnect(self):
        """End the connection, and keep before how far it came."""
        try:
            if self._replies is not None:
                self._keep(self)
        finally:
            try:
                self._end()
            except (OSError, IMAP4.error, error_proto):
                _logger.info("A mailbox was not closed properly", exc_info=True)

    def _read_all(self, numbers):
        """What is read of mails, each by itself.

        :return: ``{number: routing.incoming.IncomingMail}``, without those that cannot
            be read
        """
        mails, bounces = {}, {}
        for number, raw in self._peek_headers(numbers):
            if mail := self._read(number, read_headers, raw):
                (bounces if mail.bounce else mails)[number] = mail
        self._later.update(sorted(bounces)[_BOUNCES_AT_MOST:])
        asked = sorted(bounces)[:_BOUNCES_AT_MOST]
        for size, at_once in self.beginnings:
            cut = []
            for number, raw in self._peek_beginnings(asked, size, at_once):
                mail = self._read(number, read_bounce, bounces[number], raw)
                if mail:
                    mails[number] = mail
                    if not mail.returned and self._is_cut(raw, size):
                        cut.append(number)
            asked = cut
        return {n: mail for n, mail in mails.items() if n not in self._later}

    def _read(self, number, read, *args):
        """What is read of one mail, ``None`` where it cannot be: it is left."""
        try:
            return read(*args)
        except MemoryError:
            raise
        except Exception:
            _logger.info("Mail %s of a mailbox cannot be read", number, exc_info=True)
            return None

    def _note_refused(self, number, answer):
        """Let the next run ask for a mail that the server refuses.

        One that it gives the headers of, and nothing else, is told at the second time:
        core would have the job run again and again for it.
        """
        _logger.info("Mail %s of a mailbox is refused: %s", number, answer)
        if number not in self._senders or not self._is_again(number):
            self._later.add(number)
            return
        self._handled.add(number)
        mail = FetchedMail(b"From: %s\n\n" % self._senders[number].encode())
        mail.error = answer
        self.left[number] = mail

    def _is_again(self, number):
        """Whether a mail was to be looked at once more."""
        return number in self._place.get("again", ())


class ImapReplies(RepliesConnection):
    """Marks nothing as seen that is not for Odoo, and removes nothing.

    Mails are named by their unique ids, which no other client changes, and which grow
    with each new mail (RFC 3501, section 2.3.1.1), as long as UIDVALIDITY is the same.
    """

    beginnings = ((64 * 1024, 20), (1024 * 1024, 5))

    def open(self, folder):
        status, data = self._connection.select(_quoted(folder or "INBOX"))
        if status != "OK":
            raise MissingFolder(_text_of(data))
        self._validity = self._get_number("UIDVALIDITY")
        self._next = self._get_number("UIDNEXT")

    def _end(self):
        """Unlike core's, without CLOSE, which removes what is marked as deleted."""
        self._connection.logout()

    def _get_place_after(self, waiting):
        """Behind what was looked at, with what has to be looked at again."""
        left = self._place.get("left", []) if self._is_same_mailbox() else []
        return {
            "uid_validity": self._validity,
            "last_uid": self._last,
            "again": sorted(waiting),
            "left": sorted({*left, *self.left} - waiting),
        }

    def _is_same_mailbox(self):
        validity = self._place.get("uid_validity")
        return validity is not None and validity == self._validity

    def _list_new(self):
        """What came since; at the first time what is unread, as core does."""
        if not self._is_same_mailbox():
            if self._next is None:
                self._last = max([0, *self._search("ALL")])
            else:
                self._last = self._next - 1
            # what arrives between two commands is for the next run
            return [n for n in self._search("UNSEEN") if n <= self._last]
        last = self._place["last_uid"]
        # a range is never empty: the last mail is always in it
        numbers = [n for n in self._search("UID", f"{last + 1}:*") if n > last]
        self._last = max([last, *numbers])
        return sorted({*self._place.get("again", ()), *numbers})

    def _get_number(self, code):
        """A number that the server told when the folder was opened (section 7.1)."""
        _code, data = self._connection.response(code)
        with suppress(IndexError, TypeError, ValueError):
            return int(data[-1])
        return None

    def _search(self, *criteria):
        status, data = self._connection.uid("SEARCH", *criteria)
        if status != "OK":
            raise IMAP4.error(_text_of(data))
        return sorted(map(int, b" ".join(filter(None, data)).split()))

    def _mark(self, number):
        self._connection.uid("STORE", str(number), "+FLAGS", "(\\Seen)")

    def _retrieve(self, number):
        return (raw for _number, raw in self._peek([number], "", 1))

    def _peek_headers(self, numbers):
        section = f"HEADER.FIELDS ({' '.join(HEADERS).upper()})"
        return self._peek(numbers, section, _HEADERS_AT_ONCE)

    def _peek_beginnings(self, numbers, size, at_once):
        return self._peek(numbers, "", at_once, f"<0.{size}>")

    def _is_cut(self, raw, size):
        return len(raw) >= size

    def _peek(self, numbers, section, at_once, partial=""):
        """Numbers and texts of mails; those that another client removed are left out.

        Where the server refuses some of several, each is asked for by itself, and the
        next run asks for those that it refuses still.

        :param int at_once: how many mails one command asks for
        """
        for start in range(0, len(numbers), at_once):
            chunk = numbers[start : start + at_once]
            names = ",".join(map(str, chunk))
            status, data = self._connection.uid(
                "FETCH", names, f"(UID BODY.PEEK[{section}]{partial})"
            )
            if status == "OK":
                yield from _texts_of(data, chunk)
            elif len(chunk) == 1:
                self._note_refused(chunk[0], _text_of(data))
            else:
                # what came before the refusal would be taken for the next answer
                self._connection.response("FETCH")
                yield from self._peek(chunk, section, 1, partial)


class PopReplies(RepliesConnection):
    """Neither retrieves nor deletes what is not for Odoo (RFC 1939, TOP and UIDL).

    Over POP nothing is ever read or unread; what was looked at is known by its id.
    """

    beginnings = ((1000, 1), (20000, 1))

    def _end(self):
        self._connection.quit()

    def _get_place_after(self, waiting):
        """The ids of what needs not be looked at any more."""
        ids = self._ids
        left = {*self._place.get("left", ()), *(ids.get(n) for n in self.left)}
        again = {ids[n] for n in waiting if n in ids}
        return {
            "uidls": [id_ for id_ in ids.values() if id_ not in again],
            "again": sorted(again),
            "left": sorted(left & set(ids.values()) - again),
        }

    def _is_again(self, number):
        return self._ids.get(number) in self._place.get("again", ())

    def _list_new(self):
        self._ids = self._get_ids()
        known = set(self._place.get("uidls", ())) - set(self._place.get("again", ()))
        count = self._connection.stat()[0]
        return [n for n in range(1, count + 1) if self._ids.get(n) not in known]

    def _get_ids(self):
        """The unique id of each mail by its number, none where the server has none."""
        try:
            _answer, lines, _octets = self._connection.uidl()
        except error_proto as error:
            _raise_unless_refused(error)
            return {}
        pairs = (line.decode("ascii", "replace").split() for line in lines)
        return {int(pair[0]): pair[1] for pair in pairs if len(pair) == 2}

    def _mark(self, number):
        self._connection.handled_message(number)

    def _retrieve(self, number):
        lines = self._ask(number, self._connection.retr, number)
        return [] if lines is None else [b"\n".join(lines)]

    def _peek_headers(self, numbers):
        """As :meth:`_peek` does.

        :raise error_proto: the server refuses all, as one that does not know TOP
        """
        given = False
        for found in self._peek(numbers, 0):
            given = True
            yield found
        if numbers and not given:
            raise self._refusal

    def _peek_beginnings(self, numbers, size, _at_once):
        return self._peek(numbers, size)

    def _is_cut(self, raw, size):
        return raw.count(b"\n") >= size

    def _peek(self, numbers, count):
        """Numbers and beginnings of mails, without those that the server refuses."""
        for number in numbers:
            lines = self._ask(number, self._connection.top, number, count)
            if lines is not None:
                yield number, b"\r\n".join(lines)

    def _ask(self, number, command, *args):
        """The lines that a command answers, ``None`` where the server refuses it.

        The next run asks for such a mail again.
        """
        try:
            return command(*args)[1]
        except error_proto as error:
            _raise_unless_refused(error)
            self._refusal = error
            self._note_refused(number, error.args[0].decode("utf-8", "replace"))
            return None


def _raise_unless_refused(error):
    """Go on after a refusal only; after any other error the connection is gone.

    poplib gives the server's own words as bytes, and its own errors as text.
    """
    if not isinstance(error.args[0], bytes):
        raise error


def _text_of(data):
    """What an IMAP server answered, as a text."""
    texts = [answer for answer in data if isinstance(answer, bytes)]
    return b" ".join(texts).decode("utf-8", "replace")


def _texts_of(data, numbers):
    """Numbers and texts in the answers to FETCH (RFC 3501, section 7.4.2).

    :param numbers: those that were asked for: a server may tell of others
    """
    left = set(numbers)
    for answer, rest in zip(data, [*data[1:], b""], strict=True):
        if isinstance(answer, tuple):
            # the id stands before the text or behind it
            behind = rest if isinstance(rest, bytes) else b""
            found = _UID.search(answer[0]) or _UID.search(behind)
            if found and int(found[1]) in left:
                left.remove(int(found[1]))
                yield int(found[1]), answer[1]


def _quoted(folder):
    """The name of a folder as a command takes it (RFC 3501, sections 4.3 and 5.1.3).

    >>> _quoted("Odoo"), _quoted("Entwürfe & mehr")
    ('"Odoo"', '"Entw&APw-rfe &- mehr"')
    """
    encoded = re.sub(r"[^\x20-\x7e]+|&", _as_utf_7, folder)
    escaped = encoded.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _as_utf_7(found):
    """What may not stand in the name of a folder, in modified UTF-7."""
    if found[0] == "&":
        return "&-"
    encoded = b64encode(found[0].encode("utf-16-be", "surrogatepass")).decode()
    return f"&{encoded.rstrip('=').replace('/', ',')}-"
