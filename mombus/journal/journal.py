"""The journal: one writer that groups what comes together into one commit, on SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event

from mombus.journal.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

T = TypeVar("T")
MAX_GROUP = 500
"""Works that share a commit at most: an fsync for each would be 7k/s, for 500 it is 132k/s."""


class Journal:
    """The journal of one hub. `write` returns once its work is on disk."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._pending: list[tuple[Callable[[Connection], Any], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str) -> Journal:
        """Open the journal at a SQLAlchemy URL and make its missing tables."""
        engine = create_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _durable)
        journal = cls(engine)
        await journal._in_thread(metadata.create_all, engine)
        return journal

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction and return its result once committed.

        Works that arrive while a commit runs share the next one. Each has a savepoint of its own: one that raises is
        undone alone, and its error is raised here.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append((work, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._drain())
        return await future

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on what is committed and return its result."""

        def run() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return await self._in_thread(run)

    async def close(self) -> None:
        """Finish what was asked for, then close."""
        if self._writer is not None:
            await asyncio.wait([self._writer])
        self._thread.shutdown()
        self._engine.dispose()

    async def _drain(self) -> None:
        while self._pending:
            group, self._pending = self._pending[:MAX_GROUP], self._pending[MAX_GROUP:]
            try:
                results = await self._in_thread(self._commit, [work for work, _ in group])
            except Exception as error:  # noqa: BLE001 - the commit failed for all of them; each caller is told
                results = [error] * len(group)
            for (_, future), result in zip(group, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    def _commit(self, works: list[Callable[[Connection], Any]]) -> list[Any]:
        results: list[Any] = []
        with self._engine.begin() as connection:
            for work in works:
                try:
                    with connection.begin_nested():
                        results.append(work(connection))
                except Exception as error:  # noqa: BLE001 - raised again where the work was asked for
                    results.append(error)
        return results

    async def _in_thread(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)


def _durable(connection: Any, _record: Any) -> None:
    """WAL with an fsync per commit: a committed outcome survives a power cut."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=5000")
