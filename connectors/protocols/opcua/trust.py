"""Which server to believe: certificates checked against a folder, the refused one put where a person can look at it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from asyncua.common.utils import ServiceError
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.ua.status_codes import get_name_and_doc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.connector import ConfigError, Halted

if TYPE_CHECKING:
    from asyncua.ua import ApplicationDescription

_CHECKS = (
    CertificateValidatorOptions.TIME_RANGE
    | CertificateValidatorOptions.URI
    | CertificateValidatorOptions.TRUSTED
    | CertificateValidatorOptions.REVOKED
    | CertificateValidatorOptions.PEER_SERVER
)


class Trust:
    """A validator for asyncua's client over a folder of trusted certificates (.pem, .der).

    A certificate in the folder is trusted itself or as the CA that signed the server's. What isn't trusted is saved
    in the folder's `rejected` folder, and `refusal` says so.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(
                f"the trust store {folder} is no folder: create it and put certificates in", "trust_store"
            )
        self.refusal: Halted | None = None
        self._folder = folder

    async def __call__(self, certificate: x509.Certificate, application: ApplicationDescription) -> None:
        """Raises ServiceError when the server isn't to be believed."""
        crl = self._folder / "crl"
        store = TrustStore([self._folder], [crl] if crl.is_dir() else [])
        await store.load()
        try:
            await CertificateValidator(_CHECKS, store).validate(certificate, application)
        except ServiceError as error:
            self.refusal = self._refused(certificate, get_name_and_doc(error.code)[0], application)
            raise

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


def application_uri(certificate: x509.Certificate) -> str | None:
    """The application URI a certificate names; a client has to say the same (OPC 10000-6, 6.2.2)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return uris[0] if uris else None
