"""The hub's one HTTP server."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from mombus.config.certificates import ServerCertificate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.types import ASGIApp

    from mombus.config.model import Http

DRAIN_S = 5
HANDSHAKE_S = 10.0
"""Longest time for who connects to agree on TLS."""
KEEP_ALIVE_S = 30
"""How long a connection may idle between two requests: longer than clients keep one, so that they end it, not we just
when the next request is on its way."""
RENEW_EVERY_S = 60.0
"""How often it is looked whether the certificate's files have changed."""

log = structlog.get_logger()


class AddressInUse(RuntimeError):  # noqa: N818 - what it says
    """Somebody else listens there."""


class Server:
    """Serves one application. The address is taken at once, requests are answered between `start` and `stop`.

    Raises AddressInUse, CertificateError.
    """

    def __init__(self, http: Http) -> None:
        self._http = http
        self._certificate = ServerCertificate(http) if http.certificate else None
        self._socket = _bound(http.host, http.port)
        self._running: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "https" if self._http.certificate else "http"
        host = "localhost" if ":" in self._http.host else self._http.host
        return f"{scheme}://{host}:{self._socket.getsockname()[1]}"

    async def start(self, app: ASGIApp) -> asyncio.Task[None]:
        """Begin to answer; the returned task ends when that stops, with what made it stop."""
        import uvicorn  # noqa: PLC0415 - only a running hub needs it

        from mombus.web.listener import HEAD_BYTES, Listener  # noqa: PLC0415 - the same

        class Quiet(uvicorn.Server):
            """Leaves the signals to the hub."""

            @contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                """As uvicorn's own, which knows no limit for TLS to be agreed on."""
                await super().startup(sockets=[])
                for taken in sockets or ():
                    self.servers.append(await asyncio.get_running_loop().create_server(
                        self._connection, sock=taken, ssl=self.config.ssl, backlog=self.config.backlog,
                        ssl_handshake_timeout=HANDSHAKE_S if self.config.ssl else None,
                    ))  # fmt: skip

            def _connection(self) -> Listener:
                return Listener(
                    config=self.config, server_state=self.server_state, app_state=self.lifespan.state
                )  # fmt: skip

        certificate = self._certificate
        self._server = Quiet(uvicorn.Config(
            app, http=Listener, ws="none", log_config=None, log_level="warning", access_log=False, lifespan="off",
            server_header=False, proxy_headers=bool(self._http.proxies), forwarded_allow_ips=list(self._http.proxies),
            timeout_graceful_shutdown=DRAIN_S, timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=HEAD_BYTES,
            ssl_context_factory=(lambda _config, _default: certificate.context) if certificate else None,
        ))  # fmt: skip
        self._running = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="http")
        if certificate is not None:
            self._renewing = asyncio.create_task(_renew(certificate), name="certificate")
        return self._running

    def notices(self) -> Sequence[str]:
        """What a person should look at, mostly nothing."""
        return self._certificate.notices() if self._certificate else ()

    async def stop(self) -> None:
        """Finish what is being answered, then close. May be called again."""
        if self._running is None:
            self._socket.close()
            return
        if self._renewing is not None:
            self._renewing.cancel()
        self._server.should_exit = True
        await asyncio.wait([self._running])


async def _renew(certificate: ServerCertificate) -> None:
    while True:
        await asyncio.sleep(RENEW_EVERY_S)
        if await asyncio.to_thread(certificate.renew):
            log.warning("the HTTP server has a new certificate", ends=certificate.ends.isoformat())


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
