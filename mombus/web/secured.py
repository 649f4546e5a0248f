"""The security headers of every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}

HSTS_S = 365 * 24 * 3600


class Secured:
    """Adds the security headers to every answer that doesn't set them itself.

    With `hsts` also, over TLS alone (RFC 6797, 7.2), that browsers come by TLS only for HSTS_S; False takes that back.
    """

    def __init__(self, app: ASGIApp, hsts: bool | None = None) -> None:
        self._app = app
        said = {} if hsts is None else {"strict-transport-security": f"max-age={HSTS_S if hsts else 0}"}
        self._by_tls = SECURITY | said

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        said = self._by_tls if scope.get("scheme") == "https" else SECURITY

        async def secured(event: Message) -> None:
            if event["type"] == "http.response.start":
                headers = MutableHeaders(scope=event)
                for name, value in said.items():
                    headers.setdefault(name, value)
            await send(event)

        await self._app(scope, receive, secured)
