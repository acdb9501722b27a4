"""A certificate for servers on loopback."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from functools import cache
from tempfile import NamedTemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@cache
def self_signed_context(expired: bool = False) -> ssl.SSLContext:
    """Return a server's side of TLS; nobody else vouches for its certificate.

    :param expired: whether the certificate ended yesterday
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        file.write(b"".join(_certificate_and_key(expired)))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def trusting_context(expired: bool = False) -> ssl.SSLContext:
    """Return a client's side of TLS that trusts that certificate, while it lasts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=_certificate_and_key(expired)[0].decode())
    return context


@cache
def _certificate_and_key(expired: bool) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=127.0.0.1")
    now = datetime.now(timezone.utc) - timedelta(days=2 if expired else 0)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
