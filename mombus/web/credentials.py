"""What opens a locked door: a bearer token, a user with a password, a signature, a client certificate.

Every comparison takes the same time whether much or little of a credential is right.
"""

from __future__ import annotations

import binascii
import hmac
import time
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from connectors.door import is_token_hash, signing_key, token_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from connectors.door import DoorConfig

MOST_SIGNATURES = 8
"""Signatures looked at in one request."""


class Certificate(NamedTuple):
    """A client certificate that TLS has verified: `sha256:<fingerprint>`, common name and alternative names."""

    fingerprint: str
    names: frozenset[str]


class Lock:
    """The credentials of one door, as they are shown in headers or by TLS."""

    def __init__(self, door: DoorConfig) -> None:
        self._door = door

    @property
    def challenges(self) -> tuple[str, ...]:
        """What `WWW-Authenticate` says to who showed none."""
        basic = ('Basic realm="mombus", charset="UTF-8"',) if self._door.users else ()
        return (*basic, *(('Bearer realm="mombus"',) if self._door.tokens else ()))

    def surely_opened_by(self, headers: Mapping[str, str], certificate: Certificate | None) -> bool:
        """True if the certificate opens it, or a token in the Authorization header: what nobody can guess."""
        if certificate and not {certificate.fingerprint, *certificate.names}.isdisjoint(self._door.certificates):
            return True
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "bearer":
                return _any(_is(shown.strip(), known) for known in self._door.tokens)
            case "basic":
                return self._password_fits(shown, token=True)
        return False

    def opened_by(self, headers: Mapping[str, str]) -> bool:
        """True if the password in the Authorization header opens it, which may have been guessed."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "basic" and self._password_fits(shown, token=False)

    def _password_fits(self, shown: str, *, token: bool) -> bool:
        user, password = _user(shown.strip())
        secret = self._door.users.get(user)
        known = secret.get_secret_value() if secret is not None else None
        return known is not None and is_token_hash(known) == token and _is(password, known)


class Signatures:
    """The secrets of signed webhooks, as standardwebhooks.com says: HMAC-SHA256 over `id.timestamp.body`.

    `clock` gives the time in seconds since 1970.
    """

    def __init__(self, door: DoorConfig, clock: Callable[[], float] = time.time) -> None:
        self._keys = tuple(signing_key(secret) for secret in door.signatures)
        self._tolerance_s = door.tolerance_s
        self._clock = clock

    def promised_in(self, headers: Mapping[str, str]) -> str | None:
        """The id of a webhook that may be signed well: its body is worth reading. None if it can't be."""
        id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not self._keys or not id or not headers.get("webhook-signature") or not (at.isascii() and at.isdigit()):
            return None
        return id if len(at) < 16 and abs(self._clock() - int(at)) <= self._tolerance_s else None

    def fit(self, headers: Mapping[str, str], body: bytes) -> bool:
        """True if one of the signatures is made with one of the secrets over what came."""
        said = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode("latin-1") + body
        right = [b64encode(hmac.digest(key, said, sha256)) for key in self._keys]
        shown = [one.partition(",") for one in headers.get("webhook-signature", "").split()[:MOST_SIGNATURES]]
        given = [signature.encode("latin-1") for version, _, signature in shown if version == "v1"]
        return _any(hmac.compare_digest(one, made) for one in given for made in right)


def _is(shown: str, known: str) -> bool:
    if is_token_hash(known):
        shown = token_hash(shown, known.split(":")[1])
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), known.encode())


def _any(outcomes: Iterable[bool]) -> bool:
    """All of them are tried, so that it doesn't show which one was right."""
    return sum(list(outcomes)) > 0


def _user(shown: str) -> tuple[str, str]:
    try:
        user, _, password = b64decode(shown, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password
