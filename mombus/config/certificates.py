"""The HTTP server's certificate: made into TLS, looked at for its end, and taken anew when its files change."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mombus.config.model import Http

SOON = timedelta(days=30)
"""A certificate that ends within this is something a person should look at."""


class CertificateError(OSError):
    """A certificate, key or authority that can't be used; the text says which and why."""


class ServerCertificate:
    """The certificate of `http`, which names one. Raises CertificateError when it can't be used."""

    def __init__(self, http: Http, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._http, self._clock = http, clock
        self._written = self._stamp()
        self.context = _context(http)
        self.ends = self._end()
        self._refused: str | None = None

    def renew(self) -> bool:
        """Take the files anew if they have changed; new connections get them. True if so.

        Files that can't be used are told by `notices`, and what was used before stays in use.
        """
        written = self._stamp()
        if written == self._written:
            return False
        self._written = written
        try:
            _context(self._http)
            self.context.load_cert_chain(*_files(self._http))
            self.ends, self._refused = self._end(), None
        except CertificateError as error:
            self._refused = str(error)
        return self._refused is None

    def notices(self) -> list[str]:
        """What a person should look at: it ends soon, or what replaced it can't be used."""
        left = self.ends - self._clock()
        found = [f"the renewed certificate of the HTTP server can't be used: {self._refused}"] if self._refused else []
        if left < SOON:
            when = "has ended" if left < timedelta(0) else f"ends in {left.days} days"
            found.append(
                f"the certificate of the HTTP server ({self._http.certificate}) {when}, on {self.ends:%Y-%m-%d}: "
                "put the new one into its place, it is taken within a minute"
            )
        return found

    def _stamp(self) -> tuple[int, ...]:
        try:
            return tuple(file.stat().st_mtime_ns for file in _files(self._http))
        except OSError:
            return ()

    def _end(self) -> datetime:
        from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - heavy, only with TLS

        return load_pem_x509_certificate(_files(self._http)[0].read_bytes()).not_valid_after_utc


def _files(http: Http) -> tuple[Path, Path]:
    if http.certificate is None or http.private_key is None:
        raise CertificateError("TLS needs both certificate and private_key")
    return http.certificate, http.private_key


def _context(http: Http) -> ssl.SSLContext:
    """TLS 1.2 or newer; a client may show a certificate, which must then be one of `client_ca`'s."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = _files(http)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise CertificateError(f"{certificate} and {key} are no certificate with its key: {_reason(error)}") from None
    if http.client_ca is not None:
        try:
            context.load_verify_locations(http.client_ca)
        except OSError as error:
            raise CertificateError(f"{http.client_ca} holds no authorities: {_reason(error)}") from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").lower().replace("_", " ")
    return error.strerror or str(error)
