"""Whether the process lives, and whether the hub can do its work: for load balancers, supervisors and people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from fastapi import Query, Response

if TYPE_CHECKING:
    from fastapi import FastAPI

Ready: TypeAlias = Callable[[], Awaitable[Mapping[str, str]]]
Notices: TypeAlias = Callable[[], Sequence[str]]


def add_probes(app: FastAPI, ask: Ready, notices: Notices, *, open_to_all: bool) -> None:
    """Add `/livez`, `/readyz` and `/healthz`; the reasons are for all only if `open_to_all`."""

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
