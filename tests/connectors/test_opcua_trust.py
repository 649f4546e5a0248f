"""Which certificates a trust store believes: listed ones and what a listed CA signed, none revoked or expired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.connector import ConfigError
from connectors.protocols.opcua.trust import Trust, application_uri

if TYPE_CHECKING:
    from pathlib import Path

URI = "urn:acme:press"
DER = serialization.Encoding.DER
NOW = datetime.now(UTC)
CA_KEY, KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
CA_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme CA")])


def ca() -> x509.Certificate:
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    return (
        x509.CertificateBuilder().subject_name(CA_NAME).issuer_name(CA_NAME).public_key(CA_KEY.public_key())
        .serial_number(1).not_valid_before(NOW - timedelta(days=2)).not_valid_after(NOW + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(CA_KEY.public_key()), critical=False)
        .sign(CA_KEY, hashes.SHA256())
    )  # fmt: skip


def press(*, days: int = 9, uri: str = URI) -> x509.Certificate:
    """The press's certificate, signed by the CA."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Press")])
    return (
        x509.CertificateBuilder().subject_name(name).issuer_name(CA_NAME).public_key(KEY.public_key())
        .serial_number(7).not_valid_before(NOW - timedelta(days=2)).not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(CA_KEY.public_key()), critical=False)
        .sign(CA_KEY, hashes.SHA256())
    )  # fmt: skip


async def refusal(folder: Path, certificate: x509.Certificate) -> str | None:
    trust = Trust(folder)
    await trust.load()
    try:
        await trust(certificate, ua.ApplicationDescription(ApplicationUri=URI))
    except ServiceError:
        return str(trust.refusal)
    return None


async def test_an_empty_store_trusts_nobody(tmp_path: Path) -> None:
    reason = await refusal(tmp_path, press())
    assert reason is not None
    assert "isn't trusted" in reason


async def test_a_listed_certificate_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "press.der").write_bytes(press().public_bytes(DER))
    listed = x509.load_der_x509_certificate((tmp_path / "press.der").read_bytes())
    assert await refusal(tmp_path, listed) is None
    assert "isn't trusted" in str(await refusal(tmp_path, press(days=8))), "another one of the same name"


async def test_a_listed_ca_vouches_for_what_it_signed(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(ca().public_bytes(serialization.Encoding.PEM))
    assert await refusal(tmp_path, press()) is None


async def test_what_is_revoked_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.der").write_bytes(ca().public_bytes(DER))
    revoked = x509.RevokedCertificateBuilder().serial_number(7).revocation_date(NOW - timedelta(days=1)).build()
    revocations = (
        x509.CertificateRevocationListBuilder().issuer_name(CA_NAME).last_update(NOW - timedelta(days=1))
        .next_update(NOW + timedelta(days=1)).add_revoked_certificate(revoked).sign(CA_KEY, hashes.SHA256())
    )  # fmt: skip
    (tmp_path / "crl").mkdir()
    (tmp_path / "crl" / "ca.der").write_bytes(revocations.public_bytes(DER))
    assert "BadCertificateRevoked" in str(await refusal(tmp_path, press()))


@pytest.mark.parametrize(
    ("certificate", "code"),
    [(press(days=-1), "BadCertificateTimeInvalid"), (press(uri="urn:other"), "BadCertificateUriInvalid")],
)
async def test_a_listed_certificate_still_has_to_be_valid(
    tmp_path: Path, certificate: x509.Certificate, code: str
) -> None:
    (tmp_path / "press.der").write_bytes(certificate.public_bytes(DER))
    assert code in str(await refusal(tmp_path, certificate))


async def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        await Trust(tmp_path / "nowhere").load()


def test_the_application_uri_is_in_the_certificate() -> None:
    assert application_uri(press()) == URI
    assert application_uri(ca()) is None
