"""Whether the process lives, and whether the hub can do its work: for load balancers, supervisors and people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from fastapi import Query, Request, Response
from fastapi.responses import PlainTextResponse

if TYPE_CHECKING:
    from fastapi import FastAPI

Ready: TypeAlias = Callable[[], Awaitable[Mapping[str, str]]]
Notices: TypeAlias = Callable[[], Sequence[str]]


def add_probes(app: FastAPI, ask: Ready, notices: Notices, *, open_to: Callable[[Request], bool]) -> None:
    """Add `/livez`, `/readyz` and `/healthz`; the reasons are told without being asked for to whom it is `open_to`.

    These are in the application's state: FastAPI remembers the functions of routes for as long as the process lives,
    and with them whatever they hold.
    """
    app.state.ready, app.state.notices, app.state.open_to = ask, notices, open_to

    @app.get("/livez", tags=["probes"], response_class=PlainTextResponse)
    async def live() -> Response:
        """The process answers."""
        return Response("ok\n", media_type="text/plain")

    unready: dict[int | str, dict[str, Any]] = {503: {"description": "It can't.", "content": {"text/plain": {}}}}

    @app.get("/readyz", tags=["probes"], response_class=PlainTextResponse, responses=unready)
    @app.get("/healthz", tags=["probes"], response_class=PlainTextResponse, responses=unready)
    async def ready(request: Request, verbose: str | None = Query(None)) -> Response:
        """The hub can do its work, else 503. `verbose` lists what that depends on, each with its reason.

        Where people have to sign in the reasons are for those who have, and ask with `verbose`; a process without
        pages, where nobody can, tells none.
        """
        state = request.app.state
        found = await state.ready()
        wrong = {name: reason for name, reason in found.items() if reason}
        text = "not ready" if wrong else "ok"
        if verbose is not None and state.open_to(request):
            text = "\n".join(_lines(found, state.notices()))
        elif wrong and state.open_to(request):
            text = "\n".join(_lines(wrong, state.notices()))
        return Response(text + "\n", status_code=503 if wrong else 200, media_type="text/plain")


def _lines(found: Mapping[str, str], notices: Sequence[str]) -> list[str]:
    """One line each: `[+]` is ready, `[-]` isn't, `[!]` keeps nobody from work yet."""
    lines = [f"[-] {name}: {reason}" if reason else f"[+] {name}" for name, reason in found.items()]
    return lines + [f"[!] {notice}" for notice in notices]
