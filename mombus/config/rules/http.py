"""The hub's HTTP server: on loopback, or with TLS and people who sign in."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from mombus.config.certificates import CertificateError, ServerCertificate

if TYPE_CHECKING:
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings


def open_doors_are_locked(draft: Draft, findings: Findings) -> None:
    """Whoever can reach the server can release orders: other machines only with TLS, and if they must sign in."""
    http = draft.http
    if http is None or is_loopback(http.host):
        return
    missing = [] if http.token or http.accounts or http.oidc else ["token, http.accounts or http.oidc"]
    missing += [name for name in ("certificate", "private_key") if getattr(http, name) is None]
    if not missing:
        return
    message = f"host '{http.host}' can be reached from other machines"
    hint = f"set http.{', http.'.join(missing)}, or listen on 127.0.0.1 behind a reverse proxy"
    findings.error(draft.mark("http", "host"), "http.host", message, hint)


def certificate_has_its_key(draft: Draft, findings: Findings) -> None:
    """TLS needs both files, and client certificates need TLS."""
    http = draft.http
    if http and http.client_ca and not http.certificate:
        findings.error(
            draft.mark("http", "client_ca"), "http.client_ca", "client certificates need TLS",
            "name certificate and private_key as well",
        )  # fmt: skip
    if http and (http.certificate is None) != (http.private_key is None):
        findings.error(draft.mark("http"), "http", "TLS needs both certificate and private_key", "name both files")


def named_files_are_there(draft: Draft, findings: Findings) -> None:
    """Certificates, keys and credentials can be read."""
    bus_files = ("credentials", "ca") if draft.needs.broker else ()
    for section, names in (("http", ("certificate", "private_key", "client_ca")), ("bus", bus_files)):
        for name in names:
            path = getattr(getattr(draft, section), name, None)
            if path is not None and not (draft.folder / path).is_file():
                hint = "paths start at the configuration file's folder"
                findings.error(draft.mark(section, name), f"{section}.{name}", f"there is no file {path}", hint)


def oidc_has_its_file(draft: Draft, findings: Findings) -> None:
    """The identity provider's authorities can be read."""
    ca = draft.http.oidc.ca if draft.http and draft.http.oidc else None
    if ca is not None and not (draft.folder / ca).is_file():
        hint = "paths start at the configuration file's folder"
        findings.error(draft.mark("http", "oidc", "ca"), "http.oidc.ca", f"there is no file {ca}", hint)


def certificate_works(draft: Draft, findings: Findings) -> None:
    """Certificate, key and authorities can be used, and for some time yet."""
    http = draft.http
    if http is None or http.certificate is None or http.private_key is None:
        return
    named = {name: path for name in ("certificate", "private_key", "client_ca") if (path := getattr(http, name))}
    files = {name: draft.folder / path for name, path in named.items()}
    if not all(file.is_file() for file in files.values()):
        return
    try:
        notices = ServerCertificate(http.model_copy(update=files)).notices()
    except CertificateError as error:
        findings.error(draft.mark("http", "certificate"), "http", str(error), "PEM files are expected")
        return
    for notice in notices:
        findings.warning(draft.mark("http", "certificate"), "http.certificate", notice)


RULES = (open_doors_are_locked, certificate_has_its_key, named_files_are_there, oidc_has_its_file, certificate_works)


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
