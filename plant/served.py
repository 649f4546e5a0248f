"""An HTTP server of a simulated system: uvicorn on loopback inside this process, with tokens and exact numbers."""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

KEEP_ALIVE_S = 30
"""Longer than a client keeps an idle connection: who calls again doesn't meet its end."""


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone, says when it listens, and stops at once when told."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.leave = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Serve until it is told to leave."""
        await self.leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and break the open ones."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        self.cut()
        for task in self.server_state.tasks:
            task.cancel()

    def cut(self) -> None:
        """Break every open connection."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever runs the plant."""
        yield


class Served:
    """Serves `app` at 127.0.0.1; it can be stopped and started again at the same port."""

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._app = app
        self.port = port
        self._running: tuple[_Server, asyncio.Task[None]] | None = None

    @property
    def url(self) -> str:
        """Where it listens; the port is known once it has been started."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return when it takes connections. Raises OSError when the port is taken."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self.port))
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_keep_alive=KEEP_ALIVE_S
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        self._running = server, task
        await server.ready.wait()

    async def stop(self) -> None:
        """Stop at once: open connections are cut."""
        if self._running is None:
            return
        server, task = self._running
        self._running = None
        server.leave.set()
        await task

    def cut(self) -> None:
        """Break every open connection, and go on listening."""
        if self._running is not None:
            self._running[0].cut()


def allowed(request: Request, header: str, token: str | None) -> bool:
    """True if the request carries the token in that header, or none is asked for."""
    if token is None:
        return True
    given = request.headers.get(header, "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(), token.encode())


async def body_of(request: Request) -> dict[str, Any]:
    """The request's JSON object with its numbers exact. Raises ValueError when it is none."""
    body = json.loads(await request.body(), parse_float=Decimal)
    if not isinstance(body, dict):
        raise ValueError("a JSON object is expected")
    return body


def answer(body: object, status: int = 200) -> Response:
    """A JSON response; decimals become numbers."""
    return Response(json.dumps(body, default=_number), status, media_type="application/json")


def _number(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return int(value) if value == value.to_integral_value() else float(value)
