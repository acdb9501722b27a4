"""Real SMTP servers on loopback that demand a login and keep what they receive.

Free of Odoo, so that the tests, the demonstration and anybody's script can use it.
"""

from __future__ import annotations

import base64
import logging
import ssl
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from tempfile import NamedTemporaryFile

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# aiosmtpd warns of logins without TLS, on purpose here: nothing leaves this machine
warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")
logging.getLogger("mail.log").setLevel(logging.ERROR)


@dataclass(frozen=True)
class ReceivedMail:
    """One message as a server received it.

    ``login`` is the account that sent it, ``mail_from`` the envelope sender (RFC
    5321, section 4.1.1.2), ``rcpt_tos`` the envelope recipients, ``message`` the
    message with its headers, ``token`` the access token of an XOAUTH2 login.
    """

    login: str
    mail_from: str
    rcpt_tos: tuple[str, ...]
    message: EmailMessage
    token: str = ""

    def header(self, name: str) -> str:
        """The decoded text of a header, ``""`` where it is missing."""
        return str(self.message[name] or "")


@cache
def self_signed_context() -> ssl.SSLContext:
    """A server's side of TLS with a certificate that nobody else vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=127.0.0.1")
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        file.flush()
        context.load_cert_chain(file.name)
    return context


class _FreePortController(Controller):
    """Listens on port 0 and takes the port that the system gave."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        return super()._trigger_server()


class SmtpServer:
    """An SMTP server on a free loopback port, ready when ``start()`` returns.

    Refuses mail without a login, and any login that is not among its accounts.

    :param accounts: passwords by login
    :param tokens: access tokens by login, where it asks for these (XOAUTH2) after
        STARTTLS, as Gmail and Outlook do; looked up anew at every login

    Set ``senders`` to the only addresses that it takes in ``MAIL FROM``.
    """

    def __init__(
        self,
        accounts: dict[str, str],
        hostname: str = "127.0.0.1",
        tokens: Mapping[str, str] | None = None,
    ) -> None:
        self.accounts = dict(accounts)
        self.tokens = {} if tokens is None else tokens
        self.senders: set[str] | None = None
        self._received: list[ReceivedMail] = []
        self._arrived = threading.Condition()
        self._controller = _FreePortController(
            self,
            hostname=hostname,
            port=0,
            authenticator=self._authenticate,
            auth_required=True,
            auth_require_tls=tokens is not None,
            tls_context=None if tokens is None else self_signed_context(),
            enable_SMTPUTF8=True,
        )

    def start(self) -> SmtpServer:
        """Listen; the port is known from here on."""
        self._controller.start()
        return self

    def stop(self) -> None:
        """Close the port."""
        self._controller.stop()

    def __enter__(self) -> SmtpServer:
        return self.start()

    def __exit__(self, *_exc) -> None:
        self.stop()

    @property
    def host(self) -> str:
        return self._controller.hostname

    @property
    def port(self) -> int:
        return self._controller.port

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

    def _authenticate(self, server, session, envelope, mechanism, auth_data):
        known = isinstance(auth_data, LoginPassword)
        login = auth_data.login.decode() if known else ""
        password = auth_data.password.decode() if known else ""
        if self.accounts.get(login) == password and login:
            session.account = login
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False)

    async def auth_XOAUTH2(self, server, args):
        """Called by aiosmtpd for ``AUTH XOAUTH2 user=...^Aauth=Bearer ...^A^A``."""
        fields = base64.b64decode(args[1]).decode().split("\1")
        login = fields[0].removeprefix("user=")
        token = fields[1].removeprefix("auth=Bearer ")
        if not token or self.tokens.get(login) != token:
            return AuthResult(success=False, handled=False)
        server.session.account, server.session.token = login, token
        return AuthResult(success=True)

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        """Called by aiosmtpd with the envelope sender."""
        if self.senders is not None and address not in self.senders:
            return "553 5.7.1 Sender address rejected: not owned by the account"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        """Called by aiosmtpd with a complete message."""
        mail = ReceivedMail(
            login=session.account,
            mail_from=envelope.mail_from,
            rcpt_tos=tuple(envelope.rcpt_tos),
            message=message_from_bytes(envelope.content, policy=policy.default),
            token=getattr(session, "token", ""),
        )
        with self._arrived:
            self._received.append(mail)
            self._arrived.notify_all()
        return "250 Message accepted for delivery"
