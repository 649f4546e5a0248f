"""Who may see the pages: whoever shows the token of `http.token`."""

from __future__ import annotations

import binascii
import math
from base64 import b64decode
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from mombus.desk.question import Person, Role
from mombus.web.limits import WRONG_AT_ONCE, WRONG_EVERY_S, Failures, peer_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PROBES = frozenset({"/livez", "/readyz", "/healthz"})
"""Open to everybody, without `verbose`: who asks is often a load balancer that has no secrets."""
TOKEN = Person("token", frozenset(Role))
"""Who shows the token, for the audit trail."""
CHALLENGES = ('Basic realm="mombus", charset="UTF-8"', 'Bearer realm="mombus"')


class Guard:
    """Lets through what carries the token, and answers everything else with 401.

    `Authorization: Bearer <token>` is for programs; `Basic` with the token as the password and any user name for
    browsers, which ask for it. Who shows many wrong ones isn't listened to for a while (429).
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()
        self._failures = Failures(WRONG_AT_ONCE, WRONG_EVERY_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan" or _is_probe(scope):
            await self._app(scope, receive, send)
            return
        headers, peer = Headers(scope=scope), peer_of(scope)
        wait_s = self._failures.wait_s(peer)
        if wait_s:
            await PlainTextResponse("429\n", 429, {"retry-after": str(math.ceil(wait_s))})(scope, receive, send)
            return
        if self._may_pass(headers):
            scope["state"].get("let_in", bool)()
            scope["state"]["visit"].person = TOKEN
            await self._app(scope, receive, send)
            return
        if "authorization" in headers:
            self._failures.add(peer)
        refusal = PlainTextResponse(
            "401: show the hub's token (http.token) as `Authorization: Bearer …`, or as the password of any user\n",
            status_code=401,
        )
        for challenge in CHALLENGES:
            refusal.headers.append("www-authenticate", challenge)
        await refusal(scope, receive, send)

    def _may_pass(self, headers: Headers) -> bool:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "bearer":
                return compare_digest(shown.strip().encode("latin-1"), self._token)
            case "basic":
                return compare_digest(_password(shown.strip()), self._token)
        return False


def _password(shown: str) -> bytes:
    try:
        return b64decode(shown, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _is_probe(scope: Scope) -> bool:
    asked = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
    return scope["type"] == "http" and scope["path"] in PROBES and "verbose" not in asked
