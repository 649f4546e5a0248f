"""A port of loopback at which a system is there or isn't, as a case wants it.

It hangs up and refuses connections as a server does that is gone, which servers that are meant to run don't do on
purpose.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HOST = "127.0.0.1"
_PIECE_BYTES = 65_536


class Port:
    """A port that nobody else gets, also while nobody listens there. `serve` has one connection each."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._socket = _bound(0)
        self.number: int = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """From here on who connects is served."""
        if self._server is None:
            self._server = await asyncio.start_server(self._called, sock=self._socket)

    async def leave(self) -> None:
        """Hang up on everybody, and keep the port without listening at it."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        self._socket = _bound(self.number)
        await self.hang_up()

    async def hang_up(self) -> None:
        """End every connection; who connects anew is served."""
        callers = list(self._callers)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)

    async def close(self) -> None:
        """Away for good."""
        await self.leave()
        self._socket.close()

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a connection's handler is one
        self._callers.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # hung up, by whomever
                await self._serve(reader, writer)
        finally:
            self._callers.discard(task)
            writer.transport.abort()


def leading_to(port: int) -> Serve:
    """Serves a connection by passing on what is said to a server at another port of loopback, and what that says."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, mine = await asyncio.open_connection(HOST, port)
        ways = [asyncio.create_task(_pass_on(reader, mine)), asyncio.create_task(_pass_on(theirs, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            mine.transport.abort()

    return served


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE_BYTES):
        writer.write(piece)
        await writer.drain()


def _bound(port: int) -> socket.socket:
    """A socket at a port of loopback that nobody else gets, and at which nobody listens: who connects is refused."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    return bound
