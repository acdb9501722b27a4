"""An SMTP server in a thread, that demands a login and keeps what it receives."""

from __future__ import annotations

import base64
import logging
import ssl
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from .line import Line
from .mail import ReceivedMail
from .script import Script
from .session import ScriptedSession
from .tls import self_signed_context

# aiosmtpd warns of logins without TLS, on purpose here: nothing leaves this machine
warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")
logging.getLogger("mail.log").setLevel(logging.ERROR)


class _Controller(Controller):
    """Takes the port that the system gave, where it listens on port 0."""

    def __init__(self, script: Script, *arguments: Any, **options: Any) -> None:
        self.script = script
        super().__init__(*arguments, **options)

    def factory(self) -> ScriptedSession:
        return ScriptedSession(self.script, self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:  # pylint: disable=missing-return
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


class SmtpServer:
    """An SMTP server on a free loopback port, ready when ``start()`` returns.

    Refuses mail without a login, and any login that is not among its accounts.

    :param accounts: passwords by login; None: it takes mail without a login
    :param tokens: access tokens by login, where it asks for these (XOAUTH2) after
        STARTTLS, as Gmail and Outlook do; looked up anew at every login
    :param keep: what to do with a mail that was received, before the client is told;
        None: keep it in ``received``
    :param forsake: what to do with a mail whose client is never told what became of it
    :param tls: its side of STARTTLS; None: it offers that where it has tokens alone
    :param pipelining: whether it offers PIPELINING (RFC 2920), which it always bears
    :param size: the largest message that it takes, told by SIZE (RFC 1870)
    :param smtputf8: whether it offers SMTPUTF8 (RFC 6531)
    :param round_trip: seconds that what passes needs, there and back
    :param port: to listen on, 0 for a free one

    Set ``senders`` to the only addresses that it takes in ``MAIL FROM``; write rules
    into ``script`` to have it misbehave.
    """

    def __init__(
        self,
        accounts: Mapping[str, str] | None,
        hostname: str = "127.0.0.1",
        tokens: Mapping[str, str] | None = None,
        keep: Callable[[ReceivedMail], None] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        pipelining: bool = True,
        size: int = 1 << 25,
        smtputf8: bool = True,
        round_trip: float = 0.0,
        forsake: Callable[[ReceivedMail], None] = lambda mail: None,
        port: int = 0,
    ) -> None:
        self.accounts = dict(accounts or {})
        self.tokens = {} if tokens is None else tokens
        self.senders: set[str] | None = None
        self.script = Script()
        self._keep = keep or self._remember
        self._forsake = forsake
        self._received: list[ReceivedMail] = []
        self._arrived = threading.Condition()
        self._pipelining = pipelining
        self._line = Line(round_trip) if round_trip else None
        if tls is None and tokens is not None:
            tls = self_signed_context()
        self._controller = _Controller(
            self.script,
            self,
            hostname=hostname,
            port=port,
            authenticator=self._authenticate,
            auth_required=accounts is not None,
            auth_require_tls=tokens is not None,
            tls_context=tls,
            data_size_limit=size,
            enable_SMTPUTF8=smtputf8,
        )

    def start(self) -> SmtpServer:
        """Listen; the port is known from here on."""
        self._controller.start()
        if self._line:
            self._line.start(self.host, int(self._controller.port))
        return self

    def stop(self) -> None:
        """Close the port."""
        if self._line:
            self._line.stop()
        self._controller.stop()

    def __enter__(self) -> SmtpServer:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def host(self) -> str:
        return str(self._controller.hostname)

    @property
    def port(self) -> int:
        return self._line.port if self._line else int(self._controller.port)

    @property
    def received(self) -> list[ReceivedMail]:
        """All mails received since the start or the last ``clear()``."""
        with self._arrived:
            return list(self._received)

    def clear(self) -> None:
        """Forget the mails received so far."""
        with self._arrived:
            self._received.clear()

    def wait_for(self, count: int, timeout: float = 10.0) -> list[ReceivedMail]:
        """The mails received, once there are ``count`` of them.

        :param timeout: seconds to wait
        :raise TimeoutError: fewer arrived in that time
        """
        with self._arrived:
            if not self._arrived.wait_for(
                lambda: len(self._received) >= count, timeout
            ):
                raise TimeoutError(
                    f"{len(self._received)} of {count} mails arrived in {timeout} s"
                )
            return list(self._received)

    def _remember(self, mail: ReceivedMail) -> None:
        with self._arrived:
            self._received.append(mail)
            self._arrived.notify_all()

    def _authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, auth_data: Any
    ) -> AuthResult:
        known = isinstance(auth_data, LoginPassword)
        login = auth_data.login.decode() if known else ""
        password = auth_data.password.decode() if known else ""
        if self.accounts.get(login) == password and login:
            session.account = login
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False)

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:
        """Called by aiosmtpd for ``AUTH XOAUTH2 user=...^Aauth=Bearer ...^A^A``."""
        fields = base64.b64decode(args[1]).decode().split("\1")
        login = fields[0].removeprefix("user=")
        token = fields[1].removeprefix("auth=Bearer ")
        if not token or self.tokens.get(login) != token:
            return AuthResult(success=False, handled=False)
        server.session.account, server.session.token = login, token
        return AuthResult(success=True)

    async def handle_EHLO(
        self,
        server: Any,
        session: Any,
        envelope: Any,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Called by aiosmtpd with what it offers."""
        session.host_name = hostname
        if self._pipelining:
            responses.insert(1, "250-PIPELINING")
        return responses

    async def handle_MAIL(
        self,
        server: Any,
        session: Any,
        envelope: Any,
        address: str,
        mail_options: list[str],
    ) -> str:
        """Called by aiosmtpd with the envelope sender."""
        if self.senders is not None and address not in self.senders:
            return "553 5.7.1 Sender address rejected: not owned by the account"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 OK"

    async def handle_DATA(
        self, server: ScriptedSession, session: Any, envelope: Any
    ) -> str:
        """Called by aiosmtpd with a complete message."""
        mail = ReceivedMail(
            login=getattr(session, "account", ""),
            mail_from=envelope.mail_from,
            rcpt_tos=tuple(envelope.rcpt_tos),
            content=envelope.content,
            token=getattr(session, "token", ""),
        )
        return await server.end_of_data(
            lambda: self._keep(mail), lambda: self._forsake(mail)
        )
