"""Which server to believe: certificates checked against a folder, the refused one put where a person can look at it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from asyncua.common.utils import ServiceError
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.ua.status_codes import StatusCodes, get_name_and_doc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.connector import ConfigError, Halted

if TYPE_CHECKING:
    from asyncua.ua import ApplicationDescription

_CHECKS = CertificateValidatorOptions.TIME_RANGE | CertificateValidatorOptions.URI
_SUFFIXES = {".der", ".pem"}


class Trust:
    """A validator for asyncua's client over a folder of trusted certificates (.pem, .der).

    A certificate in the folder is trusted itself, or as the CA that signed the server's; revocation lists are in its
    `crl` folder. What isn't trusted is saved in its `rejected` folder, and `refusal` says so.
    """

    def __init__(self, folder: Path) -> None:
        self.refusal: Halted | None = None
        self._folder = folder
        self._trusted: list[x509.Certificate] = []
        self._store: TrustStore | None = None

    async def load(self) -> None:
        """Read the folder. Raises ConfigError naming what can't be read."""
        if not self._folder.is_dir():
            raise ConfigError(
                f"the trust store {self._folder} is no folder: create it and put certificates in", "trust_store"
            )
        paths = sorted(path for path in self._folder.iterdir() if path.suffix.lower() in _SUFFIXES)
        self._trusted = [_certificate(path) for path in paths]
        crl = self._folder / "crl"
        self._store = TrustStore([self._folder], [crl] if crl.is_dir() else [])
        try:
            await (self._store.load() if self._trusted else self._store.load_crl())
        except ValueError as error:
            raise ConfigError(f"the trust store {self._folder}: {error}", "trust_store") from None

    async def __call__(self, certificate: x509.Certificate, application: ApplicationDescription) -> None:
        """Raises ServiceError when the server isn't to be believed."""
        try:
            self._believe(certificate)
            await CertificateValidator(_CHECKS).validate(certificate, application)
        except ServiceError as error:
            self.refusal = self._refused(certificate, get_name_and_doc(error.code)[0], application)
            raise

    def _believe(self, certificate: x509.Certificate) -> None:
        """Listed itself (most machines sign their own, which no CA check passes), or signed by one that is."""
        if self._store is None or not (certificate in self._trusted or self._store.is_trusted(certificate)):
            raise ServiceError(StatusCodes.BadCertificateUntrusted)
        if self._store.is_revoked(certificate):
            raise ServiceError(StatusCodes.BadCertificateRevoked)

    def _refused(self, certificate: x509.Certificate, name: str, application: ApplicationDescription) -> Halted:
        thumbprint = certificate.fingerprint(hashes.SHA256()).hex()
        rejected = self._folder / "rejected" / f"{thumbprint[:40]}.der"
        rejected.parent.mkdir(exist_ok=True)
        rejected.write_bytes(certificate.public_bytes(Encoding.DER))
        if name == "BadCertificateUntrusted":
            return Halted(
                f"the server's certificate ({certificate.subject.rfc4514_string()}, SHA-256 {thumbprint}) isn't "
                f"trusted: compare that fingerprint with the server's, then copy {rejected} to {self._folder}"
            )
        return Halted(
            f"the server's certificate ({certificate.subject.rfc4514_string()}) is refused, {name}: valid from "
            f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}, application "
            f"{application.ApplicationUri}; give the server a valid certificate of its own"
        )


def _certificate(path: Path) -> x509.Certificate:
    raw = path.read_bytes()
    try:
        return x509.load_pem_x509_certificate(raw) if b"-----BEGIN" in raw else x509.load_der_x509_certificate(raw)
    except ValueError as error:
        raise ConfigError(f"{path} is no certificate: {error}", "trust_store") from None


def application_uri(certificate: x509.Certificate) -> str | None:
    """The application URI a certificate names; a client has to say the same (OPC 10000-6, 6.2.2)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return uris[0] if uris else None
