"""The hub's HTTP application: page, API, probes, metrics, and the doors of hosted connectors."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from jinja2 import Environment, PackageLoader
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from mombus import __version__
from mombus.web.desk import NoAnswerError
from mombus.web.guard import Guard
from mombus.web.words import age, clock, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mombus.web.desk import Desk

    Ready = Callable[[], Awaitable[Mapping[str, str]]]
    Notices = Callable[[], Sequence[str]]

REFRESH_S = 1.0
LOOPBACK = ("localhost", "127.0.0.1", "[")
"""Names of this machine for itself; the last is what is left of `[::1]:8080` up to its first colon."""
SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def make_part_app(
    ready: Ready, doors: Mapping[str, ASGIApp], *, open_to_all: bool, notices: Notices = tuple
) -> FastAPI:
    """The application of a process without pages: its doors and its probes, which say why only if `open_to_all`."""
    app = FastAPI(title="mombus", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Secured)
    _probes(app, ready, notices, open_to_all=open_to_all)
    app.add_middleware(Doors, doors=doors)
    return app


def make_app(
    desk: Desk, doors: Mapping[str, ASGIApp], token: str | None = None, *, names: Sequence[str] = (),
    notices: Notices = tuple,
) -> FastAPI:  # fmt: skip
    """The application; `doors` are the hosted connectors' applications by path, which ask for their own credentials.

    With a `token` everything else but the plain probes asks for it. Without one it answers to who calls it by a name
    of this machine's own, or by one of `names`: a page from elsewhere that a browser here was lured to can't read it.
    `notices` gives what doesn't keep the hub from its work, but will: a certificate that ends soon.
    """
    app = FastAPI(title="mombus", version=__version__, docs_url=None, redoc_url=None)
    if token:
        app.add_middleware(Guard, token=token)
    else:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, *names], www_redirect=False)
    app.add_middleware(Secured)
    _probes(app, desk.ready, notices, open_to_all=not token)
    _metrics(app, desk)
    _api(app, desk)
    app.add_exception_handler(NoAnswerError, _unanswered)
    _pages(app, desk)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_middleware(Doors, doors=doors)
    return app


async def _unanswered(_request: Request, error: Exception) -> Response:
    """The hub is another process, and can't be asked now."""
    return Response(f"503: {error}\n", status_code=503, media_type="text/plain")


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


class Secured:
    """Adds the security headers to every answer that doesn't set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def secured(event: Message) -> None:
            if event["type"] == "http.response.start":
                headers = MutableHeaders(scope=event)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(event)

        await self._app(scope, receive, secured)


def _probes(app: FastAPI, ask: Ready, notices: Notices, *, open_to_all: bool) -> None:
    @app.get("/livez", tags=["probes"])
    async def live() -> Response:
        """The process answers."""
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz", tags=["probes"])
    @app.get("/healthz", tags=["probes"])
    async def ready(verbose: str | None = Query(None)) -> Response:
        """The hub can do its work; 503 with a line per dependency that keeps it from that.

        With a token the lines are for those who show it, and ask with `verbose`.
        """
        wrong = await ask()
        lines = [f"[-] {name}: {reason}" for name, reason in wrong.items()] or ["[+] ready"]
        lines += [f"[!] {notice}" for notice in notices()]
        text = "not ready" if wrong else "ok"
        if verbose is not None or (wrong and open_to_all):
            text = "\n".join(lines)
        return Response(text + "\n", status_code=503 if wrong else 200, media_type="text/plain")


def _metrics(app: FastAPI, desk: Desk) -> None:
    @app.get("/metrics", tags=["probes"])
    async def metrics() -> Response:
        """Prometheus metrics."""
        return Response(await desk.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _api(app: FastAPI, desk: Desk) -> None:
    @app.get("/api/status", tags=["api"])
    async def status() -> JSONResponse:
        """Systems, flows, what waits, the last messages."""
        return JSONResponse(dict(await desk.status()))

    @app.get("/api/journey/{number:path}", tags=["api"])
    async def journey(number: str) -> JSONResponse:
        """Every hop of an order, lot or document, in time order."""
        return JSONResponse(list(await desk.journey(number)))

    @app.get("/api/waiting", tags=["api"])
    async def waiting() -> JSONResponse:
        """What waits, with reason and age."""
        return JSONResponse(list(await desk.waiting()))

    @app.get("/api/disagreements", tags=["api"])
    async def disagreements() -> JSONResponse:
        """Open disagreements: who says what, since when."""
        return JSONResponse(list(await desk.disagreements()))


def _pages(app: FastAPI, desk: Desk) -> None:
    pages = Environment(loader=PackageLoader("mombus.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    pages.filters.update(age=age, clock=clock, words=words)

    async def render(name: str) -> str:
        status = await desk.status()
        now = datetime.fromisoformat(status["at"])
        return pages.get_template(name).render(status=status, now=now)

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(await render("page.html"))

    @app.get("/live", include_in_schema=False)
    async def live(request: Request) -> StreamingResponse:
        return StreamingResponse(_events(request, lambda: render("flows.html")), media_type="text/event-stream")


async def _events(request: Request, render: Callable[[], Awaitable[str]]) -> AsyncIterator[str]:
    """The page's live part as server-sent events, whenever it has changed."""
    before = ""
    while not await request.is_disconnected():
        text = await render()
        if text != before:
            before = text
            yield "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
        else:
            yield ": still here\n\n"
        await asyncio.sleep(REFRESH_S)
