"""The hosted connectors' doors, beside the pages on the same server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send


class Doors:
    """Sends what comes for a hosted connector to its application, the path as it was asked for."""

    def __init__(self, app: ASGIApp, doors: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if _is_ambiguous(scope):
            refusal = Response("400: both Content-Length and Transfer-Encoding\n", 400, {"connection": "close"})
            await refusal(scope, receive, send)
            return
        path = scope.get("path", "")
        door = next(
            (door for place, door in self._doors.items() if path == place or path.startswith(f"{place}/")), None
        )
        await (door or self._app)(scope, receive, send)


def _is_ambiguous(scope: Scope) -> bool:
    """True for a request that ends at one place here and may end at another for a proxy in between (RFC 9112, 6.1)."""
    names = {name for name, _ in scope.get("headers", ())}
    return {b"content-length", b"transfer-encoding"} <= names
