"""When certificates end: those that a configuration names, and the one that a server shows."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mombus.doctor.check import Check, Verdict, certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIELDS = {
    "certificate": "our certificate", "user_certificate": "our user's certificate",
    "client_cert": "our certificate", "cert_file": "our certificate",
    "ca_file": "the authority's certificate", "ca": "the authority's certificate",
}  # fmt: skip
"""Fields of a configuration that name a file with certificates, and what they are."""
TRUSTED = "trust_store"
"""The field that names a folder of certificates."""
SUFFIXES = frozenset({".pem", ".der"})
_POSTGRESQL_TLS = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
"""An SSLRequest (PostgreSQL, message formats)."""
_LONGEST_INFO = 64 * 1024


def declared(about: str, config: Any, folder: Path) -> Iterator[Check]:
    """Every certificate that a configuration names; of a file with several the one that ends first."""
    for field, words in FIELDS.items():
        file = getattr(config, field, None)
        if file:
            yield in_file(about, field, words, folder / file)
    trusted = getattr(config, TRUSTED, None)
    if trusted and (folder / trusted).is_dir():
        for file in sorted((folder / trusted).iterdir()):
            if file.suffix.lower() in SUFFIXES:
                yield in_file(about, TRUSTED, f"the trusted certificate {file.name}", file)


def lasting(content: bytes) -> tuple[datetime, datetime]:
    """When the last of them begins and the first of them ends, PEM or DER. Raises ValueError."""
    from cryptography import x509  # noqa: PLC0415 - heavy, only with TLS

    pem = b"-----BEGIN" in content
    found = x509.load_pem_x509_certificates(content) if pem else [x509.load_der_x509_certificate(content)]
    return max(one.not_valid_before_utc for one in found), min(one.not_valid_after_utc for one in found)


def unchecked() -> ssl.SSLContext:
    """To see a certificate, whatever it is."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def shown(about: str, content: bytes) -> Check:
    """How long the one lasts that a server showed."""
    return certificate(about, *lasting(content))


def in_file(about: str, field: str, words: str, file: Path) -> Check:
    """How long those in a file last."""
    try:
        return certificate(about, *lasting(file.read_bytes()), field=field, words=words)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it holds no certificate"
        return Check(about, Verdict.WRONG, f"{words} ({file.name}) can't be read: {why}", "put it where `{field}` says")


async def greeted(scheme: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether a server that doesn't begin with TLS goes on with it: NATS says that it must, PostgreSQL is asked."""
    if scheme == "postgresql":
        writer.write(_POSTGRESQL_TLS)
        return await reader.readexactly(1) == b"S"
    line = await reader.readuntil(b"\r\n")
    info = json.loads(line.removeprefix(b"INFO "))
    return isinstance(info, dict) and bool(info.get("tls_required"))


async def peer(host: str, port: int, context: ssl.SSLContext, greeting: str = "") -> bytes | None:
    """The certificate a server shows, None where it has no TLS. `greeting` is the scheme of one that speaks first.

    Raises OSError, ValueError, EOFError.
    """
    if not greeting:
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    else:
        reader, writer = await asyncio.open_connection(host, port, limit=_LONGEST_INFO)
    try:
        if greeting:
            if not await greeted(greeting, reader, writer):
                return None
            await writer.start_tls(context, server_hostname=host)
        content: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    return content


async def endpoints(url: str, timeout_s: float) -> tuple[list[bytes], datetime, datetime]:
    """Of an OPC UA server: the certificates of its endpoints, its time, and when it was asked. No session is opened.

    Raises OSError, ValueError, TimeoutError, or what asyncua raises (UaError).
    """
    from asyncua import Client, ua  # noqa: PLC0415 - heavy
    from asyncua.ua.ua_binary import struct_from_binary  # noqa: PLC0415

    client = Client(url, timeout=timeout_s)
    await client.connect_socket()
    try:
        await client.send_hello()
        await client.open_secure_channel()
        request, asked = ua.GetEndpointsRequest(), datetime.now(UTC)
        request.Parameters.EndpointUrl = url
        answer = struct_from_binary(ua.GetEndpointsResponse, await client.uaclient.protocol.send_request(request))
        await client.close_secure_channel()
    finally:
        client.disconnect_socket()
    found = {one.ServerCertificate for one in answer.Endpoints if one.ServerCertificate}
    return sorted(found), answer.ResponseHeader.Timestamp.replace(tzinfo=UTC), asked
