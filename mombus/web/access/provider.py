"""An OpenID Connect provider: where it sends people to sign in, and whom it says they are.

Nothing is taken that isn't signed by one of its keys (RSA or elliptic curves, never a shared secret), for this hub, for
this sign-in, and still valid. Its endpoints are followed within its own origin and those that are declared, no redirect
is, and no answer is read beyond MOST_BYTES.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from connectors.strict_json import read_json
from mombus.desk.question import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx
    from joserfc.jwk import KeySet

    from mombus.config.oidc import Oidc

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY_S = 60
"""How far the provider's clock may be off."""
MOST_BYTES = 1024 * 1024
TIMEOUT_S = 10.0
REMEMBERED_S = 3600.0
"""How long its endpoints and keys are remembered."""
KEYS_AGAIN_S = 30.0
"""A key that isn't known yet is asked for no more often than that."""
SHORTEST_RSA = 2048


class SignOnError(Exception):
    """Nobody was let in; the text says why."""


class Identity(NamedTuple):
    """Whom the provider vouches for."""

    name: str
    roles: frozenset[Role]


class Provider:
    """The provider that `oidc` declares. All raise SignOnError. `clock` counts seconds since 1970."""

    def __init__(self, oidc: Oidc, clock: Callable[[], float] = time.time) -> None:
        self._oidc, self._clock = oidc, clock
        self._client: httpx.AsyncClient | None = None
        self._found: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    @property
    def issuer(self) -> str:
        """Its name."""
        return self._oidc.issuer

    async def address(self, *, back: str, state: str, nonce: str, challenge: str) -> str:
        """Where the browser goes to sign in; it comes `back` with `state`."""
        endpoint = (await self._endpoints())["authorization_endpoint"]
        asked = {
            "response_type": "code", "client_id": self._oidc.client_id, "redirect_uri": back,
            "scope": " ".join(self._oidc.scopes), "state": state, "nonce": nonce, "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def identity(self, *, code: str, verifier: str, nonce: str, back: str) -> Identity:
        """Whom the code that came back stands for."""
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        endpoints = await self._endpoints()
        secret = self._oidc.client_secret.get_secret_value() if self._oidc.client_secret else None
        auth = None
        if secret is None:
            asked["client_id"] = self._oidc.client_id
        elif "client_secret_basic" in endpoints.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
            auth = (_form(self._oidc.client_id), _form(secret))
        else:
            asked |= {"client_id": self._oidc.client_id, "client_secret": secret}
        answer = await self._ask("POST", endpoints["token_endpoint"], data=asked, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignOnError("the identity provider gave no ID token")
        return self._who(await self._claims(token, nonce))

    async def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        from joserfc import jwt  # noqa: PLC0415 - only who signs on needs it
        from joserfc.errors import JoseError  # noqa: PLC0415

        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()), leeway=LEEWAY_S, iss={"essential": True, "value": self._oidc.issuer},
            aud={"essential": True, "value": self._oidc.client_id}, exp={"essential": True}, iat={"essential": True},
            sub={"essential": True}, nonce={"essential": True, "value": nonce},
        )  # fmt: skip
        try:
            claims: dict[str, Any] = (await self._decoded(token)).claims
            registry.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise SignOnError(f"the identity provider's ID token isn't good: {error}") from None
        audience = claims["aud"]
        others = isinstance(audience, list) and len(audience) > 1
        if claims.get("azp", None if others else self._oidc.client_id) != self._oidc.client_id:
            raise SignOnError("the identity provider's ID token is for another client")
        return claims

    async def _decoded(self, token: str) -> Any:
        """The token, its signature looked at; once more with new keys if none of those that are known fits."""
        from joserfc import jwt  # noqa: PLC0415 - see _claims
        from joserfc.errors import JoseError  # noqa: PLC0415

        try:
            return jwt.decode(token, await self._key_set(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            again = await self._key_set(newer_than_s=KEYS_AGAIN_S)
            return jwt.decode(token, again, algorithms=ALGORITHMS)

    def _who(self, claims: Mapping[str, Any]) -> Identity:
        name = _at(claims, self._oidc.name_claim) or claims["sub"]
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 250:
            raise SignOnError(f"the claim {self._oidc.name_claim} is no name")
        has = _at(claims, self._oidc.roles_claim)
        several = has if isinstance(has, list) else [has]
        values = {one for one in several if isinstance(one, str)}
        roles = frozenset(Role(role) for value in values for role in self._oidc.roles.get(value, ()))
        if not roles:
            raise SignOnError(f"{name} is known there, and has no role here: none of {', '.join(self._oidc.roles)}")
        return Identity(name, roles)

    async def _endpoints(self) -> Mapping[str, Any]:
        if self._found is None or self._clock() >= self._found[0]:
            found = await self._ask("GET", f"{self._oidc.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self._oidc.issuer:
                raise SignOnError(
                    f"the identity provider calls itself {found.get('issuer')!r}, not {self._oidc.issuer}"
                )
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                self._check(found.get(name))
            self._found = self._clock() + REMEMBERED_S, found
        return self._found[1]

    async def _key_set(self, newer_than_s: float = REMEMBERED_S) -> KeySet:
        if self._keys is None or self._clock() >= self._keys[0] + newer_than_s:
            said = await self._ask("GET", (await self._endpoints())["jwks_uri"])
            self._keys = self._clock(), _good_keys(said.get("keys"))
        return self._keys[1]

    def _check(self, url: Any) -> None:
        if not isinstance(url, str) or _origin(url) not in map(_origin, (self._oidc.issuer, *self._oidc.origins)):
            raise SignOnError(f"the identity provider's endpoint {url!r} isn't within http.oidc.issuer or origins")

    async def _ask(self, method: str, url: str, **asked: Any) -> Mapping[str, Any]:
        import httpx  # noqa: PLC0415 - heavy, only who signs on needs it

        if self._client is None:
            self._client = await asyncio.to_thread(_new_client, self._oidc)
        try:
            async with asyncio.timeout(TIMEOUT_S), self._client.stream(method, url, **asked) as answer:
                content = bytearray()
                async for piece in answer.aiter_raw():
                    content += piece
                    if len(content) > MOST_BYTES:
                        raise SignOnError("the identity provider's answer is too large")
                said = read_json(bytes(content), MOST_BYTES) if content else None
        except (httpx.HTTPError, ssl.SSLError, TimeoutError) as error:
            text = str(error) or type(error).__name__
            raise SignOnError(f"the identity provider doesn't answer: {text}") from None
        except ValueError:
            raise SignOnError(f"the identity provider's answer ({answer.status_code}) is no JSON") from None
        if answer.status_code != httpx.codes.OK or not isinstance(said, dict):
            why = said.get("error") if isinstance(said, dict) else None
            raise SignOnError(f"the identity provider refused ({answer.status_code}{f', {why}' if why else ''})")
        return said


def _new_client(oidc: Oidc) -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415 - see _ask

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and costs no loading of authorities
    if any(origin.startswith("https") for origin in (oidc.issuer, *oidc.origins)):
        tls = ssl.create_default_context(cafile=str(oidc.ca) if oidc.ca else None)
    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "mombus"}
    return httpx.AsyncClient(headers=headers, verify=tls, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)


def _good_keys(said: Any) -> KeySet:
    """Its keys for signatures by RSA (not too short) and elliptic curves; others are passed over."""
    from joserfc.errors import JoseError  # noqa: PLC0415 - see Provider._claims
    from joserfc.jwk import ECKey, KeySet, RSAKey  # noqa: PLC0415

    kinds: dict[Any, Any] = {"RSA": RSAKey, "EC": ECKey}
    found: list[Any] = []
    for one in said if isinstance(said, list) else ():
        kind = kinds.get(one.get("kty")) if isinstance(one, dict) and one.get("use", "sig") == "sig" else None
        if kind is None:
            continue
        try:
            key = kind.import_key({name: value for name, value in one.items() if name != "d"})
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if one["kty"] == "EC" or key.public_key.key_size >= SHORTEST_RSA:
            found.append(key)
    return KeySet(found)


def _at(claims: Any, path: str) -> Any:
    """What a claim says; a name with dots in it may be one claim, or lead into one."""
    if path in claims:
        return claims[path]
    for name in path.split("."):
        claims = claims.get(name) if isinstance(claims, dict) else None
    return claims


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _form(text: str) -> str:
    """As RFC 6749 (2.3.1) has client credentials written."""
    return urlencode({"": text})[1:]
