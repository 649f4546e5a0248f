"""A line: a TCP proxy between two real parties that cuts, delays, throttles, half-closes, swallows and goes silent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

CHUNK = 65_536


class Line:
    """Listens at a port of its own and passes every connection on to `upstream`, until told otherwise.

    `delay_s` comes before every chunk, `bytes_per_s` limits each direction (None: as fast as it goes). `swallow` is
    how many answers are lost from now on: the request gets through, the connection ends where its answer would come.
    `struck` counts what was broken.
    """

    def __init__(self, upstream: int, *, host: str = "127.0.0.1") -> None:
        self.upstream = upstream
        self.host = host
        self.port = 0
        self.delay_s = 0.0
        self.bytes_per_s: float | None = None
        self.swallow = 0
        self.struck = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._refuses = False
        self._open: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; at the same port when it did before."""
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more and cut what is open."""
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def in_use(self) -> bool:
        """Whether a connection is open over it."""
        return bool(self._open)

    def cut(self) -> None:
        """Cut every open connection, as a broken cable with both ends told."""
        self.struck += len(self._open)
        for pair in list(self._open):
            for writer in pair:
                writer.transport.abort()

    def half_close(self) -> None:
        """End the direction to the server on every open connection; its answers still come back."""
        for _, there in list(self._open):
            self.struck += 1
            with suppress(OSError, RuntimeError):
                there.write_eof()

    def silence(self) -> None:
        """From now on nothing gets through and nobody is told: connections stay open, new ones are taken."""
        self.struck += 1
        self._flows.clear()

    def refuse(self) -> None:
        """Cut everything and take no connection."""
        self._refuses = True
        self.cut()

    def heal(self) -> None:
        """Pass everything on again, what was held back included."""
        self._refuses = False
        self.delay_s, self.bytes_per_s, self.swallow = 0.0, None, 0
        self._flows.set()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._connected(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()  # the line is taken down
        finally:
            self._tasks.discard(task)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            self.struck += 1
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(self.host, self.upstream)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, back)
        self._open.add(pair)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, back, answers=False))
                both.create_task(self._pass(there, writer, answers=True))
        except* (OSError, EOFError):
            pass
        finally:
            self._open.discard(pair)
            for end in pair:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        """One direction, to its end; then that direction is ended at the other side as well."""
        while chunk := await reader.read(CHUNK):
            await asyncio.sleep(self.delay_s)
            await self._flows.wait()
            if answers and self.swallow > 0:
                self.swallow -= 1
                self.struck += 1
                raise EOFError
            await self._paced(chunk, writer)
        with suppress(OSError, RuntimeError):
            writer.write_eof()

    async def _paced(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        step = len(chunk) if self.bytes_per_s is None else max(1, int(self.bytes_per_s / 20))
        for start in range(0, len(chunk), step):
            part = chunk[start : start + step]
            writer.write(part)
            await writer.drain()
            if self.bytes_per_s:
                await asyncio.sleep(len(part) / self.bytes_per_s)
