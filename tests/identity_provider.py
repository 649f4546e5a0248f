"""An OpenID Connect provider on loopback: real keys, real redirects, and made to lie where a test says so."""

from __future__ import annotations

import time
from base64 import b64decode, urlsafe_b64encode
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mombus.config.oidc import Oidc
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

CLIENT, SECRET = "mombus-lyon", "s3cret: with ü & colon"
ANN = {"sub": "u-1", "preferred_username": "ann.b", "groups": ["plant-engineers", "football"]}
_MADE: dict[str, Any] = {}


def key(kind: str) -> Any:
    """One key for all tests: making some takes time."""
    if kind not in _MADE:
        made = ECKey.generate_key("P-256") if kind.startswith("EC") else RSAKey.generate_key(2048)
        _MADE[kind] = type(made).import_key({**made.as_dict(private=True), "kid": f"kid-{kind}"})
    return _MADE[kind]


class IdentityProvider:
    """Everybody who comes is `person`. What a test sets otherwise is wrong on purpose."""

    def __init__(self) -> None:
        self.url = ""
        self.person = dict(ANN)
        self.key, self.algorithm = key("RSA"), "RS256"
        self.published = [key("RSA")]
        self.discovery: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        """What the ID token says otherwise; None takes it away."""
        self.headers: dict[str, Any] = {}
        self.forge: Callable[[dict[str, Any]], str] | None = None
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.app = Starlette(routes=[
            Route("/realm/.well-known/openid-configuration", self._discovered), Route("/realm/keys", self._keys),
            Route("/realm/authorize", self._authorize), Route("/realm/token", self._token, methods=["POST"]),
            Route("/elsewhere", self._elsewhere),
            Route("/moved", self._moved),
        ])  # fmt: skip

    @property
    def issuer(self) -> str:
        return f"{self.url}/realm"

    def oidc(self, **more: Any) -> Oidc:
        """How the hub is told of it."""
        return Oidc.model_validate({
            "issuer": self.issuer, "client_id": CLIENT, "client_secret": SECRET,
            "roles": {"plant-engineers": "engineer", "shift-leads": ["operator", "process_owner"]},
        } | more)  # fmt: skip

    async def _discovered(self, _request: Request) -> Response:
        self.asked.append("discovery")
        said = {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
        }  # fmt: skip
        return JSONResponse(said | self.discovery)

    async def _keys(self, _request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse(KeySet(self.published).as_dict(private=False))

    async def _elsewhere(self, _request: Request) -> Response:
        self.asked.append("elsewhere")
        return JSONResponse({})

    async def _moved(self, _request: Request) -> Response:
        return RedirectResponse(f"{self.url}/elsewhere", 302)

    async def _authorize(self, request: Request) -> Response:
        said = dict(request.query_params)
        assert (said["client_id"], said["response_type"], said["code_challenge_method"]) == (CLIENT, "code", "S256")
        code = f"code-{len(self._codes)}"
        self._codes[code] = said
        return RedirectResponse(f"{said['redirect_uri']}?{urlencode({'code': code, 'state': said['state']})}", 302)

    async def _token(self, request: Request) -> Response:
        self.asked.append("token")
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        begun = self._codes.pop(form.get("code", ""), None)
        if not self._knows(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if begun is None or begun["redirect_uri"] != form["redirect_uri"] or begun["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": self._id_token(begun["nonce"])})

    def _knows(self, request: Request, form: dict[str, str]) -> bool:
        shown = request.headers.get("authorization")
        if shown is None:
            return form.get("client_id") == CLIENT and form.get("client_secret") in (SECRET, None)
        user, _, password = b64decode(shown.partition(" ")[2]).decode().partition(":")
        return parse_qs(f"a={user}&b={password}") == {"a": [CLIENT], "b": [SECRET]}

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        said = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce} | self.person
        said = {name: value for name, value in (said | self.claims).items() if value is not None}
        if self.forge is not None:
            return self.forge(said)
        header = {"alg": self.algorithm, "kid": self.key.kid} | self.headers
        return jwt.encode({name: value for name, value in header.items() if value}, said, self.key, [self.algorithm])


@asynccontextmanager
async def identity_provider() -> AsyncIterator[IdentityProvider]:
    """One that answers."""
    made = IdentityProvider()
    served = Served(made.app)
    await served.start()
    made.url = f"http://127.0.0.1:{served.port}"
    try:
        yield made
    finally:
        await served.stop()
