"""A certificate authority for tests: signs certificates for servers on loopback and for clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """Signs. Its own certificate is `file`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        own = self._certificate(name, self._key.public_key(), timedelta(days=365), ca=True)
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def sign(
        self, name: str, days: float = 365, alternative: str = "127.0.0.1", file: str | None = None,
        since_days: float = 400,
    ) -> tuple[Path, Path]:  # fmt: skip
        """A certificate and its key, as PEM files; they replace those of that `file` name. It is good since then."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._certificate(
            name, key.public_key(), timedelta(days=days), alternative, since=timedelta(days=since_days)
        )  # fmt: skip
        certificate, private = (self._folder / f"{file or name}.{end}" for end in ("pem", "key"))
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))  # fmt: skip
        return certificate, private

    def _certificate(
        self, name: str, key: ec.EllipticCurvePublicKey, valid: timedelta, alternative: str | None = None, *,
        ca: bool = False, since: timedelta = timedelta(days=400),
    ) -> x509.Certificate:  # fmt: skip
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(self._name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - since)
            .not_valid_after(now + valid)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if alternative is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(alternative)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
