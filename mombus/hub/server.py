"""The hub's one HTTP server."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from mombus.config.model import Http

DRAIN_S = 5


class AddressInUse(RuntimeError):  # noqa: N818 - what it says
    """Somebody else listens there."""


class Server:
    """Serves one application. The address is taken at once, requests are answered between `start` and `stop`."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._socket = _bound(http.host, http.port)
        self._running: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "https" if self._http.certificate else "http"
        host = "localhost" if ":" in self._http.host else self._http.host
        return f"{scheme}://{host}:{self._socket.getsockname()[1]}"

    async def start(self, app: ASGIApp) -> asyncio.Task[None]:
        """Begin to answer; the returned task ends when that stops, with what made it stop."""
        import uvicorn  # noqa: PLC0415 - only a running hub needs it

        class Quiet(uvicorn.Server):
            """Leaves the signals to the hub."""

            @contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

        self._server = Quiet(uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=DRAIN_S,
            ssl_certfile=self._http.certificate, ssl_keyfile=self._http.private_key, server_header=False,
        ))  # fmt: skip
        self._running = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="http")
        return self._running

    async def stop(self) -> None:
        """Finish what is being answered, then close. May be called again."""
        if self._running is None:
            self._socket.close()
            return
        self._server.should_exit = True
        await asyncio.wait([self._running])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(128)
    except OSError as error:
        taken.close()
        raise AddressInUse(
            f"{host}:{port} can't be listened on ({error.strerror}): stop what uses it, or set another `http: port`"
        ) from None
    return taken
