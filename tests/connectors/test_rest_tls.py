"""TLS: a server's certificate is verified, and the one that isn't trusted halts the system."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from patience import until
from rest_bodies import surroundings

from connectors.connector import Halted, Health
from connectors.protocols.rest import Rest, RestConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "server.pem", folder / "server.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


async def _ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
    await writer.drain()
    writer.close()


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, self_signed(tmp_path)))
    server = await asyncio.start_server(_ok, "127.0.0.1", 0, ssl=context)
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


def rest(url: str, folder: Path, **changes: object) -> Rest:
    config = RestConfig.model_validate({"connector": "rest", "url": url} | changes)
    return Rest(config, replace(surroundings("secure"), folder=str(folder)))


async def test_an_unknown_certificate_halts_and_says_where_to_put_it(url: str, tmp_path: Path) -> None:
    connector = rest(url, tmp_path)
    with pytest.raises(Halted, match="ca_file"):
        await connector.connect()
    probe = await until(connector.probe, good=lambda probe: "certificate" in probe.reason)
    assert probe.health is Health.DOWN
    await connector.close()


async def test_a_certificate_in_ca_file_is_trusted(url: str, tmp_path: Path) -> None:
    connector = rest(url, tmp_path, ca_file="server.pem")
    await connector.connect()
    await until(connector.probe, good=lambda probe: probe.health is Health.OK)
    await connector.close()
