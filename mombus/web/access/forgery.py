"""Was a request that changes something sent by a page of ours, or by another that a browser was lured to?

Whatever a browser sends must name the hub as its origin and carry the token of its pages: a form as the field `csrf`
(`rendering.py`), a script as the header `X-CSRF-Token`. A program needs neither: it shows a Bearer token, which no page
elsewhere can; where nobody has to sign in it is known by what every browser says and it doesn't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from mombus.web.access.refusing import refuse
from mombus.web.forms import FORM, MOST_FIELDS, read
from mombus.web.limits import Body, TooMuch, TooSlow, again

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


HARMLESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
ANYWHERE = frozenset({FORM, "multipart/form-data", "text/plain"})
"""What a page may send to other sites without asking them first (Fetch standard, CORS-safelisted)."""
MOST_BYTES = 1024 * 1024
BODY_S = 20.0
ELSEWHERE = "a page of another site sent this, not the hub's own"
OLD = "this page is older than the hub, or the browser keeps no cookies: load the page again and repeat it"


class Forgery:
    """Refuses with 403 what a page elsewhere made a browser send. Reads bodies whole, up to MOST_BYTES (413, 408)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in HARMLESS:
            await self._app(scope, receive, send)
            return
        try:
            content = await _whole(Body(receive, MOST_BYTES, BODY_S))
            why = _forged(scope, content)
        except (TooMuch, ValueError):
            await refuse(scope, 413, f"over {MOST_BYTES} bytes or {MOST_FIELDS} fields")(scope, receive, send)
        except TooSlow:
            await refuse(scope, 408, f"not here within {BODY_S:.0f} s")(scope, receive, send)
        except ConnectionError:
            return
        else:
            app = refuse(scope, 403, why) if why else self._app
            await app(scope, again(content, receive), send)


async def _whole(body: Body) -> bytes:
    pieces = []
    while not body.whole:
        pieces.append(await body.piece())
    return b"".join(pieces)


def _forged(scope: Scope, content: bytes) -> str:
    """Why it isn't believed to come from a page of ours, or from a program; empty if it is. Raises ValueError."""
    headers, visit = Headers(scope=scope), scope["state"]["visit"]
    if headers.get("authorization", "").lower().startswith("bearer "):
        return ""
    if not _is_here(scope, headers):
        return ELSEWHERE
    if _is_program(headers):
        return ""
    return "" if visit.sent(_token(headers, content)) else OLD


def _is_here(scope: Scope, headers: Headers) -> bool:
    """False if the browser says that another site's page sent it."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is None or origin == f"{scope.get('scheme', 'http')}://{headers.get('host', '')}"


def _is_program(headers: Headers) -> bool:
    """True for what no browser can have sent: they say an origin, and bring their cookie."""
    marks = {"cookie", "origin", "sec-fetch-site", "referer"}
    return marks.isdisjoint(headers) and _kind(headers) not in ANYWHERE


def _token(headers: Headers, content: bytes) -> str:
    if "x-csrf-token" in headers or _kind(headers) != FORM:
        return headers.get("x-csrf-token", "")
    return dict(read(content)).get("csrf", "")


def _kind(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
