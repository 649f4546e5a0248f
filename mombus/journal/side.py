"""One side of the journal, for writing or for reading: an engine, a thread of its own, and an eye on what hangs."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import structlog
from sqlalchemy import event

from mombus.journal.databases import POSTGRESQL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Engine

T = TypeVar("T")
HANGS_S = 25.0
"""A server ends a statement after 20 s by itself: one that says nothing for so long is not reached any more."""
LOOK_S = 1.0

log = structlog.get_logger()


class Side:
    """Calls what speaks with the database, one after the other. `engine` is its own; one connection is open at most.

    Keepalives tell when the server or the network is gone, but not when something between them has swallowed a
    question and keeps the line open, as a proxy does. So a server's connection that says nothing for HANGS_S is cut:
    who waits for it hears that it is lost, and may ask again. `held_up` is called meanwhile, every LOOK_S: it may free
    what others hold.
    """

    def __init__(self, engine: Engine, name: str, held_up: Callable[[], Awaitable[None]] | None = None) -> None:
        self.engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._wires: WeakSet[Any] = WeakSet()
        self._asked: float | None = None
        self._held_up = held_up if engine.dialect.name == POSTGRESQL else None
        if engine.dialect.name == POSTGRESQL:
            event.listen(engine, "connect", lambda connection, _record: self._wires.add(connection))
            event.listen(engine, "before_cursor_execute", lambda *_: self._asks())
            event.listen(engine, "commit", lambda _: self._asks())

    @property
    def unanswered_s(self) -> float:
        """For how long the database hasn't answered what it was asked last; 0 while nothing is asked."""
        asked = self._asked
        return time.monotonic() - asked if asked is not None else 0.0

    async def call(self, call: Callable[..., T], *args: Any) -> T:
        """Call in the thread and return the result, or raise the error."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._called, call, *args)
        freeing: asyncio.Future[None] | None = None
        try:
            while not (await asyncio.wait({future}, timeout=LOOK_S))[0]:
                if self.unanswered_s > HANGS_S:
                    self._cut()
                elif self._held_up is not None and (freeing is None or freeing.done()):
                    freeing = asyncio.ensure_future(self._held_up())
            return future.result()
        finally:
            future.cancel()
            if freeing is not None:
                freeing.cancel()

    async def close(self) -> None:
        """Finish what was asked for and close."""
        await asyncio.to_thread(self._thread.shutdown)
        self.engine.dispose()

    def _called(self, call: Callable[..., T], *args: Any) -> T:
        self._asks()
        try:
            return call(*args)
        finally:
            self._asked = None

    def _asks(self) -> None:
        self._asked = time.monotonic()

    def _cut(self) -> None:
        """Cut the connection under the thread that waits for it."""
        log.warning("the journal's database says nothing: its connection is cut", seconds=round(self.unanswered_s))
        for connection in list(self._wires):
            with (
                suppress(Exception),
                socket.socket(fileno=os.dup(connection.fileno())) as wire,
            ):  # it may just have gone
                wire.shutdown(socket.SHUT_RDWR)
