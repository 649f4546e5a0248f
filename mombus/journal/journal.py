"""The journal: one writer that groups what comes together into one commit, on SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from mombus.journal.databases import alone, open_engines, passes
from mombus.journal.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine, MetaData

T = TypeVar("T")
MAX_GROUP = 500
"""Works that share a commit at most: an fsync for each would be 7k/s, for 500 it is 132k/s."""
AWAY_S = 15.0
"""How long a database server that is away is waited for before who asked is told."""
_FIRST_S, _MOST_S = 0.1, 1.0


class JournalClosed(RuntimeError):  # noqa: N818 - a fact, not a fault
    """The journal was closed: what was asked for now is not done."""


class Journal:
    """One hub's way to the journal. `write` returns once its work is on disk.

    Writes run one after the other, in the order they were asked for. Reads have a thread of their own and see what is
    committed, so that looking something up never waits for an fsync. A database server that is away is waited for,
    AWAY_S at most. `trouble` says what is wrong with it now, empty when nothing is.
    """

    def __init__(self, writing: Engine, reading: Engine) -> None:
        self._writing = writing
        self._reading = reading
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._reader_thread = ThreadPoolExecutor(1, thread_name_prefix="journal-read")
        self._pending: list[tuple[Callable[[Connection], Any], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self.trouble = ""

    @classmethod
    async def open(cls, url: str, schema: MetaData = metadata) -> Journal:
        """Open the journal at a database URL and make its missing tables, those of `schema`.

        Raises ConnectionError when the database can't be used.
        """
        journal = cls(*open_engines(url))
        try:
            await journal._patiently(journal._writer_thread, journal._make_tables, schema)
        except SQLAlchemyError as error:
            await journal.close()
            raise ConnectionError(f"the journal's database can't be used: {str(error).splitlines()[0]}") from error
        return journal

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction and return its result once committed. Raises JournalClosed after `close`.

        Works that arrive while a commit runs share the next one. One that raises is undone alone, and its error is
        raised here; for that, works do nothing but speak with the database: they may be run twice, the first time
        undone. When the connection is lost at the commit itself, a work that took effect is run again: saying the
        same once more must be harmless. A caller that is cancelled doesn't cancel the work.
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

        return await self._patiently(self._reader_thread, run)

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
                results = await self._patiently(self._writer_thread, self._commit, [work for work, _ in group])
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
        except Exception as error:
            if len(works) == 1 or passes(error):
                raise
        return self._commit_apart(works)

    def _commit_apart(self, works: list[Callable[[Connection], Any]]) -> list[Any]:
        results: list[Any] = []
        with self._writing.begin() as connection:
            for work in works:
                try:
                    with connection.begin_nested():
                        results.append(work(connection))
                except Exception as error:
                    if passes(error):
                        raise
                    results.append(error)
        return results

    def _make_tables(self, schema: MetaData) -> None:
        with self._writing.begin() as connection:
            alone(connection)
            schema.create_all(connection)

    async def _patiently(self, thread: ThreadPoolExecutor, call: Callable[..., T], *args: Any) -> T:
        """Call in a thread, again while the database server is away."""
        loop = asyncio.get_running_loop()
        until, pause_s = loop.time() + AWAY_S, _FIRST_S
        while True:
            try:
                result = await loop.run_in_executor(thread, call, *args)
            except Exception as error:
                if not passes(error):
                    raise
                self.trouble = f"the journal's database doesn't answer: {str(error).splitlines()[0]}"
                if loop.time() > until:
                    raise
            else:
                self.trouble = ""
                return result
            await asyncio.sleep(pause_s)
            pause_s = min(_MOST_S, 2 * pause_s)
