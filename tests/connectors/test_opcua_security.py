"""Signed and encrypted sessions: whom the connector believes, what it says when it doesn't, how it logs in."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from opcua_bench import ServerProcess, plc, signals_file
from patience import until
from pydantic import ValidationError

from connectors.connector import ConfigError, Halted, Health
from connectors.protocols.opcua.endpoint import EndpointConfig
from mombus.config.model import Config, System
from mombus.doctor.check import Verdict
from mombus.doctor.doctor import examine_system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from connectors.plc.opcua import PlcOpcua

NO_COMMANDS = """
equipment:
  BENCH1:
    path: /Objects/{urn:acme:bench}Bench
    signals: [{signal: number, node: Number, object: process_value}]
"""


def certify(folder: Path, name: str, uri: str) -> None:
    """A key and a self-signed certificate for an application."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True,
                key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
            ),
            critical=False,
        )
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / f"{name}.der").write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    (folder / f"{name}.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("secure")
    certify(folder, "server", "urn:acme:secure")
    certify(folder, "client", "urn:acme:mombus")
    certify(folder, "operator", "urn:acme:operator")
    process = ServerProcess(folder, "--secure").start()
    yield process
    process.kill()


@pytest.fixture
def folder(server: ServerProcess, tmp_path: Path) -> Path:
    for name in ("client.der", "client.pem", "operator.der", "operator.pem"):
        shutil.copy(server.folder / name, tmp_path)
    (tmp_path / "trusted").mkdir()
    return tmp_path


def secure(server: ServerProcess, folder: Path, **config: Any) -> PlcOpcua:
    path = signals_file(folder)
    path.write_text(NO_COMMANDS, "utf-8")
    settings = {
        "security_policy": "Basic256Sha256", "certificate": "client.der", "private_key": "client.pem",
        "trust_store": "trusted", "user": "tester", "password": "right", **config,
    }  # fmt: skip
    return plc(server.url, path, **settings)


async def test_a_server_nobody_trusts_is_refused_until_its_certificate_is_copied(
    server: ServerProcess, folder: Path
) -> None:
    source = secure(server, folder)
    with pytest.raises(Halted, match="isn't trusted") as refused:
        await source.connect()
    rejected = next((folder / "trusted" / "rejected").iterdir())
    assert str(rejected) in str(refused.value)
    assert rejected.read_bytes() == (server.folder / "server.der").read_bytes()
    assert (await source.probe()).health is Health.DOWN
    assert "copy" in (await source.probe()).reason

    shutil.copy(rejected, folder / "trusted")
    await source.connect()
    await until(source.probe, good=lambda probe: probe.health is Health.OK)
    items = source.read(None)
    assert (await anext(items)).messages
    await items.aclose()
    await source.close()


async def test_the_doctor_tells_when_certificates_end_and_whose_clock_a_server_has(
    server: ServerProcess, folder: Path
) -> None:
    shutil.copy(server.folder / "server.der", folder / "trusted")
    settings = EndpointConfig(
        connector="plc.opcua", url=server.url, security_policy="Basic256Sha256", certificate="client.der",
        private_key="client.pem", trust_store="trusted", user_certificate="gone.der", user_private_key="client.pem",
    )  # fmt: skip
    system = System.model_construct(name="bench", config=settings)
    checks = await examine_system(Config.model_construct(folder=folder), system)
    ends = {check.field: (check.verdict, check.ends) for check in checks if check.ends}
    soon = x509.load_der_x509_certificate((server.folder / "server.der").read_bytes()).not_valid_after_utc
    assert ends.keys() == {"certificate", "trust_store", "server"}
    assert ends["trust_store"] == ends["server"] == (Verdict.SOON, soon)
    assert [check.text for check in checks if check.verdict is Verdict.WRONG] == [
        "our user's certificate (gone.der) can't be read: No such file or directory"
    ]
    assert [check.ahead_s for check in checks if check.ahead_s is not None] == [0.0]


async def test_a_wrong_password_halts_and_is_not_told(server: ServerProcess, folder: Path) -> None:
    shutil.copy(server.folder / "server.der", folder / "trusted")
    source = secure(server, folder, password="wrong-secret")
    with pytest.raises(Halted) as refused:
        await source.connect()
    assert "wrong-secret" not in str(refused.value) + repr(source._config)
    await source.close()


async def test_a_certificate_can_be_the_user(server: ServerProcess, folder: Path) -> None:
    shutil.copy(server.folder / "server.der", folder / "trusted")
    operator = {"user_certificate": "operator.der", "user_private_key": "operator.pem"}
    source = secure(server, folder, user=None, password=None, **operator)
    await source.connect()
    await until(source.probe, good=lambda probe: probe.health is Health.OK)
    await source.close()
    stranger = {"user_certificate": "client.der", "user_private_key": "client.pem"}
    with pytest.raises(Halted, match="BadUserAccessDenied"):
        await secure(server, folder, user=None, password=None, **stranger).connect()


async def test_another_policy_only_signs(server: ServerProcess, folder: Path) -> None:
    shutil.copy(server.folder / "server.der", folder / "trusted")
    source = secure(server, folder, security_policy="Aes128Sha256RsaOaep", security_mode="Sign")
    await source.connect()
    items = source.read(None)
    assert (await anext(items)).messages
    await items.aclose()
    await source.close()


async def test_another_certificate_in_the_store_is_not_enough(server: ServerProcess, folder: Path) -> None:
    shutil.copy(server.folder / "client.der", folder / "trusted")
    with pytest.raises(Halted, match="isn't trusted"):
        await secure(server, folder).connect()


async def test_a_policy_the_server_does_not_offer_halts(server: ServerProcess, folder: Path) -> None:
    with pytest.raises(Halted, match="Aes256Sha256RsaPss"):
        await secure(server, folder, security_policy="Aes256Sha256RsaPss").connect()


async def test_missing_files_are_named(server: ServerProcess, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.der"):
        await secure(server, folder, certificate="nowhere.der").connect()
    (folder / "junk.pem").write_bytes(b"no key")
    with pytest.raises(ConfigError, match="private key"):
        await secure(server, folder, private_key="junk.pem").connect()
    (folder / "trusted" / "junk.der").write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match=r"junk\.der is no certificate"):
        await secure(server, folder).connect()
    with pytest.raises(ConfigError, match="trust store"):
        await secure(server, folder, trust_store="nowhere").connect()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"security_policy": "Basic256Sha256"}, "certificate, private_key, trust_store"),
        ({"user": "tester", "password": "right"}, "plain text"),
        ({"url": "http://127.0.0.1:4840"}, "opc.tcp"),
        ({"url": "opc.tcp://tester:right@127.0.0.1:4840"}, "user and password"),
        ({"user_certificate": "user.der"}, "belong together"),
    ],
)
def test_a_config_that_can_not_be_safe_is_refused(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        plc(config.pop("url", "opc.tcp://127.0.0.1:4840"), signals_file(tmp_path), **config)
