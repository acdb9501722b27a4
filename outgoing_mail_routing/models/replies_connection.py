"""Connections to a mailbox that see nothing in it but what is for Odoo.

They stand between core's ``fetchmail.server._fetch_mail`` and the connection that core
made, and answer the four calls that core makes: ``check_unread_messages``,
``retrieve_unread_messages``, ``handled_message`` and ``disconnect``.
"""

from ..routing.incoming import HEADERS, is_for_odoo, read_bounce, read_headers

# Mails whose headers are asked for at once: a command of 4 kB at most
_HEADERS_AT_ONCE = 500
_BOUNCES_AT_ONCE = 20
# Enough of a bounce to hold its report and the headers of what it returns
_BOUNCE_BYTES = 65536
_BOUNCE_LINES = 1000


class RepliesConnection:
    """What both protocols share; everything else is the connection's own.

    :param connection: as ``fetchmail.server._connect__`` returns it
    :param find_known: called once with what is known of all unread mails; returns
        what :func:`..routing.incoming.is_for_odoo` needs to know of their ids
    """

    def __init__(self, connection, find_known):
        self._connection = connection
        self._find_known = find_known
        self._replies = []

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def check_unread_messages(self):
        """Find the unread mails that are for Odoo, and say how many they are."""
        mails = {
            number: read_headers(raw)
            for number, raw in self._peek_headers(self._list_unread())
        }
        bounces = [number for number, mail in mails.items() if mail.bounce]
        for number, raw in self._peek_beginnings(bounces):
            mails[number] = read_bounce(mails[number], raw)
        known = self._find_known(mails.values())
        self._replies = sorted(n for n in mails if is_for_odoo(mails[n], known))
        return len(self._replies)


class ImapReplies(RepliesConnection):
    """Marks nothing as seen that is not for Odoo, and removes nothing.

    Mails are named by their numbers, as core does, so no command may be used in which
    a server tells of mails that went and changes the numbers: only SEARCH, FETCH and
    STORE are safe from that (RFC 3501, section 7.4.1), UID commands are not.
    """

    def retrieve_unread_messages(self):
        """Unlike core's, never sets a flag: a run that breaks off leaves no trace."""
        for number in self._replies:
            for _number, raw in self._peek([number], "", 1):
                yield str(number), raw

    def disconnect(self):
        """Unlike core's, without CLOSE, which removes what is marked as deleted."""
        self._connection.logout()

    def _list_unread(self):
        self._connection.select()
        _status, data = self._connection.search(None, "UNSEEN")
        return [int(number) for number in (data[0] or b"").split()]

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
            _status, data = self._connection.fetch(
                chunk, f"(BODY.PEEK[{section}]{partial})"
            )
            for answer in data:
                if isinstance(answer, tuple):
                    yield int(answer[0].split()[0]), answer[1]


class PopReplies(RepliesConnection):
    """Neither retrieves nor deletes what is not for Odoo (RFC 1939, TOP).

    Over POP nothing is ever read or unread, so it looks at every mail each time.
    """

    def retrieve_unread_messages(self):
        for number in self._replies:
            yield number, b"\n".join(self._connection.retr(number)[1])

    def _list_unread(self):
        return range(1, self._connection.stat()[0] + 1)

    def _peek_headers(self, numbers):
        return self._peek(numbers, 0)

    def _peek_beginnings(self, numbers):
        return self._peek(numbers, _BOUNCE_LINES)

    def _peek(self, numbers, lines):
        for number in numbers:
            yield number, b"\r\n".join(self._connection.top(number, lines)[1])
