"""The journal: one writer that groups what comes together into one commit, on SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event

from mombus.journal.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine, MetaData

T = TypeVar("T")
MAX_GROUP = 500
"""Works that share a commit at most: an fsync for each would be 7k/s, for 500 it is 132k/s."""


class JournalClosed(RuntimeError):  # noqa: N818 - a fact, not a fault
    """The journal was closed: what was asked for now is not done."""


class Journal:
    """The journal of one hub. `write` returns once its work is on disk.

    Writes run one after the other, in the order they were asked for. Reads have a thread of their own and see what is
    committed, so that looking something up never waits for an fsync.
    """

    def __init__(self, writing: Engine, reading: Engine) -> None:
        self._writing = writing
        self._reading = reading
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._reader_thread = ThreadPoolExecutor(1, thread_name_prefix="journal-read")
        self._pending: list[tuple[Callable[[Connection], Any], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(cls, url: str, schema: MetaData = metadata) -> Journal:
        """Open the journal at a SQLAlchemy URL and make its missing tables, those of `schema`."""
        journal = cls(_engine(url, "BEGIN IMMEDIATE"), _engine(url, "BEGIN"))
        await journal._in_thread(journal._writer_thread, schema.create_all, journal._writing)
        return journal

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction and return its result once committed. Raises JournalClosed after `close`.

        Works that arrive while a commit runs share the next one. One that raises is undone alone, and its error is
        raised here; for that, works do nothing but speak with the database: they may be run twice, the first time
        undone. A caller that is cancelled doesn't cancel the work.
        """
        if self._closed:
            raise JournalClosed("the journal is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.append((work, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._drain())
        return await future

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on what is committed and return its result. Raises JournalClosed after `close`."""
        if self._closed:
            raise JournalClosed("the journal is closed")

        def run() -> T:
            with self._reading.connect() as connection:
                return work(connection)

        return await self._in_thread(self._reader_thread, run)

    async def close(self) -> None:
        """Finish what was asked for, refuse what comes after, close."""
        self._closed = True
        if self._writer is not None:
            await asyncio.wait([self._writer])
        for thread in (self._writer_thread, self._reader_thread):
            await asyncio.to_thread(thread.shutdown)
        self._writing.dispose()
        self._reading.dispose()

    async def _drain(self) -> None:
        while self._pending:
            group, self._pending = self._pending[:MAX_GROUP], self._pending[MAX_GROUP:]
            try:
                results = await self._in_thread(self._writer_thread, self._commit, [work for work, _ in group])
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
        """The results of works that share a commit. None of them raises, mostly; if one does, all are run again."""
        try:
            with self._writing.begin() as connection:
                return [work(connection) for work in works]
        except Exception:
            if len(works) == 1:
                raise
        return self._commit_apart(works)

    def _commit_apart(self, works: list[Callable[[Connection], Any]]) -> list[Any]:
        results: list[Any] = []
        with self._writing.begin() as connection:
            for work in works:
                try:
                    with connection.begin_nested():
                        results.append(work(connection))
                except Exception as error:  # noqa: BLE001 - raised again where the work was asked for
                    results.append(error)
        return results

    @staticmethod
    async def _in_thread(thread: ThreadPoolExecutor, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(thread, call, *args)


def _engine(url: str, begin: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _durable)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _durable(connection: Any, _record: Any) -> None:
    """WAL with an fsync per commit: a committed outcome survives a power cut.

    The driver's own transactions are switched off: it would begin one only at the first change, so that a savepoint
    released before would be a commit of its own.
    """
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=5000")
