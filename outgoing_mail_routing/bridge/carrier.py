"""How this process hands to itself, through core, what no client may say.

Core passes nothing but a From from the queue to ``_connect__``, from there to
``_find_mail_server``, and back over the SMTP session to the message being sent; and
nothing but the context to most other places. A client can send any text, and any
context key. What it cannot send is an object of a class of this process: so whatever
counts travels as one, and is asked for by its class.

* Where core passes a text, the object is one: a ``str`` that is what core expects, and
  remembers more (:class:`RequestFrom`, :class:`RoutedFrom`,
  :class:`~.company_text.CompanyText`).
* Elsewhere it is the value of a context key (:class:`Carried`).

Another addon that makes a new text of one, by ``strip()`` or ``formataddr``, loses what
it remembers: then the mail leaves as core sends it, and the log says so.
"""

from odoo.api import Environment

from ..routing import Decision, Directory, Request


class RequestFrom(str):
    """The From of a mail whose route is still to be found, and where to look.

    ``env`` is the environment that core gives mail of its alias domain.
    """

    request: Request
    directory: Directory
    env: Environment

    def __new__(cls, request, directory, env):
        self = super().__new__(cls, request.email_from)
        self.request = request
        self.directory = directory
        self.env = env
        return self


class RoutedFrom(str):
    """The From that a mail leaves with, and the decision that gave it that From.

    ``request`` is what was decided on.
    """

    decision: Decision
    request: Request

    def __new__(cls, email_from, decision, request):
        self = super().__new__(cls, email_from)
        self.decision = decision
        self.request = request
        return self


class Carried:
    """An object that a context carries, each class under a key of its own."""

    _key: str

    def __init_subclass__(cls):
        cls._key = f"outgoing_mail_routing_{cls.__name__.lower()}"

    def on(self, records):
        """The same records, in a context that carries this object."""
        return records.with_context(**{self._key: self})

    @classmethod
    def off(cls, records):
        """The same records, in a context that carries no such object."""
        return records.with_context(**{cls._key: None})

    @classmethod
    def of(cls, env):
        """The object that an environment carries, ``None`` where it has none."""
        value = env.context.get(cls._key)
        return value if isinstance(value, cls) else None


class Incoming(Carried):
    """Says that an incoming mail is being processed, whoever it names in its From."""


class EnvelopeTest(Carried):
    """Says that a connection is tested with the envelope sender, not with the From."""


class Failures(Carried):
    """Collects the reasons why mails cannot be routed, to be raised."""

    def __init__(self):
        self.reasons = []


class Sending(Carried):
    """Remembers for one call of ``send()`` what its mails were routed by.

    ``configured`` says whether anything was, ``None`` as long as nothing was routed.
    Each mail of a queue is a transaction of its own, that would ask again.
    """

    configured: bool | None = None
