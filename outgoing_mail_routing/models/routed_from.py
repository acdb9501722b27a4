"""A From header that remembers the mail it belongs to, and the route it was given.

Core hands nothing but the From from the queue to ``_connect__``, from there to
``_find_mail_server``, and back over the SMTP session to the message being sent. So
that is where the facts and the decision travel: as a ``str`` they are what core
expects, and no RPC client can make one up, as it could a context key.
"""

from ..routing import Decision, Directory, Request


class RequestFrom(str):
    """The From of a mail whose route is still to be found, and where to look."""

    request: Request
    directory: Directory

    def __new__(cls, request, directory):
        self = super().__new__(cls, request.email_from)
        self.request = request
        self.directory = directory
        return self


class RoutedFrom(str):
    """The From that a mail leaves with, and the decision that gave it that From."""

    decision: Decision

    def __new__(cls, email_from, decision):
        self = super().__new__(cls, email_from)
        self.decision = decision
        return self
