"""What somebody isn't given, in the words of who asked: a page for people, JSON for programs."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mombus.web.access.redirecting import after
from mombus.web.pages import rendering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

TITLES = {
    401: "Nobody is signed in", 403: "That isn't for you", 404: "Not found", 405: "There is nothing to look at here",
    409: "That changed nothing", 422: "That can't be done", 503: "The hub doesn't answer",
}  # fmt: skip


def refuse(scope: Scope, code: int, said: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer with `code` and the reason: `{"detail": said}`, or a page for a browser that looks at one."""
    request = Request(scope)
    if not wants_page(request):
        return JSONResponse({"detail": said}, code, headers)
    title = TITLES.get(code, HTTPStatus(code).phrase)
    back = _came_from(request)
    again = back if request.method == "POST" else ""
    page = rendering.page(
        request, "refused.html", status_code=code, code=code, said=said, title=title, back=back, again=again
    )  # fmt: skip
    page.headers.update(headers or {})
    return page


def _came_from(request: Request) -> str:
    """The page of ours from which it was asked; empty if there is none that is another."""
    try:
        referer = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return ""
    path = f"{referer.path}?{referer.query}" if referer.query else referer.path
    ours = referer.netloc == request.headers.get("host") and after(path) == path
    return path if ours and (request.method == "POST" or referer.path != request.url.path) else ""


def wants_page(request: Request) -> bool:
    """True for a browser that shows a page, and not for what asks the API."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
