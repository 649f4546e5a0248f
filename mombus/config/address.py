"""Addresses that a configuration must not hold: credentials in plain sight, and doors to a cloud's inside."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_METADATA = frozenset({"metadata.google.internal", "metadata", "instance-data", "100.100.100.200", "fd00:ec2::254",
                       "169.254.169.254", "169.254.170.2"})  # fmt: skip
_PASSWORDS = frozenset({"password", "passwd", "pwd", "sslpassword"})


class Fault(NamedTuple):
    """What is wrong with an address, and what to write instead. Holds nothing of the credentials."""

    message: str
    hint: str


def address_fault(text: str, *, link_local: bool = False) -> Fault | None:
    """What is wrong with `text` if it is a URL, or a list of them with commas; None for good ones and other texts.

    With `link_local` a link-local address is good, but never that of a cloud's metadata.
    """
    several = [url.strip() for url in text.split(",")]
    urls = several if all(map(_URL.fullmatch, several)) else [text] if _URL.fullmatch(text) else []
    return next((fault for url in urls if (fault := _url_fault(url, link_local=link_local))), None)


def _url_fault(text: str, *, link_local: bool) -> Fault | None:
    try:
        parts = urlsplit(text)
        host, credentials = parts.hostname or "", _shows_credentials(parts)
        _ = parts.port
    except ValueError as error:
        return Fault(f"this is no URL: {error}", "write scheme://host:port/path")
    if credentials:
        return Fault("the URL holds credentials", "use fields such as user, password or token, with ${secret:…}")
    if _metadata(host) or (_link_local(host) and not link_local):
        hint = "name the system's own address" if _metadata(host) else "name its own address, or set allow_link_local"
        return Fault(f"'{host}' is a link-local or metadata address, not a system", hint)
    if _nobody(host):
        return Fault(f"'{host}' is nobody's address", "name the system's own address, 127.0.0.1 for this machine")
    return None


def _shows_credentials(parts: SplitResult) -> bool:
    """True for a user or password before the host, and for a password among the parameters, where databases take it."""
    named = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return parts.username is not None or parts.password is not None or not named.isdisjoint(_PASSWORDS)


def _metadata(host: str) -> bool:
    return host.lower().rstrip(".") in _METADATA or str(_address(host)) in _METADATA


def _link_local(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_link_local


def _nobody(host: str) -> bool:
    """Unspecified (many clients take it for this machine), or everybody's."""
    address = _address(host)
    return address is not None and (address.is_unspecified or address.is_multicast)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a client would use for a numeric host, also spelt 0xA9FEA9FE, 2852039166 or mapped to IPv6."""
    host = host.partition("%")[0]
    try:
        address = ip_address(host)
        return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
    except ValueError:
        pass
    try:
        return ip_address(socket.inet_aton(host)) if host[:1].isdigit() else None
    except (OSError, ValueError):
        return None
