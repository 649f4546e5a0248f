"""The journal: one writer that groups what comes together into one commit, on SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mombus.journal.databases import alone, away, in_words, open_engines, passes, to_mend, undone
from mombus.journal.side import Side
from mombus.journal.stalled import end_stalled
from mombus.journal.tables import metadata
from mombus.journal.versions import OtherVersionError, check

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine, MetaData

T = TypeVar("T")
MAX_GROUP = 500
"""Works that share a commit at most: an fsync for each would be 7k/s, for 500 it is 132k/s."""
AWAY_S = 15.0
"""How long a database server that is away is waited for before who asked is told."""
ASKED_S = 3.0
"""How long a person's question waits for it: who asks is told soon, and asks again."""
SILENT_S = 3.0
"""How long a question to the database may take until people are told."""
_FIRST_S, _MOST_S = 0.1, 1.0

log = structlog.get_logger()


class JournalClosed(RuntimeError):  # noqa: N818 - a fact, not a fault
    """The journal was closed: what was asked for now is not done."""


class Journal:
    """One hub's way to the journal. `write` returns once its work is on disk.

    Writes run one after the other, in the order they were asked for. Reads have a thread of their own and see what is
    committed, so that looking something up never waits for an fsync; what people ask has another, so that it never
    waits for a long list either. A database server that is away is waited for, AWAY_S at most, by a survey ASKED_S.
    """

    def __init__(self, writing: Engine, reading: Engine, surveying: Engine) -> None:
        self._writing = Side(writing, "journal", self._free)
        self._reading = Side(reading, "journal-read")
        self._surveying = Side(surveying, "journal-survey")
        self._pending: list[tuple[Callable[[Connection], Any], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._opened = False
        self._away = ""

    @property
    def _sides(self) -> tuple[Side, Side, Side]:
        return self._writing, self._reading, self._surveying

    @property
    def trouble(self) -> str:
        """What is wrong with the database now, empty when nothing is."""
        silent_s = max(side.unanswered_s for side in self._sides)
        if self._away or silent_s < SILENT_S:
            return self._away
        return f"the journal's database hasn't answered for {silent_s:.0f} s"

    @classmethod
    async def open(cls, url: str, schema: MetaData = metadata) -> Journal:
        """Open the journal at a database URL and make its missing tables, those of `schema`.

        Raises ConnectionError when the database can't be used: at once when only a person can mend that, as
        OtherVersionError when another version of mombus wrote it.
        """
        journal = cls(*open_engines(url))
        try:
            await journal._patiently(journal._writing, journal._make_tables, schema)
        except OtherVersionError:
            await journal.close()
            raise
        except SQLAlchemyError as error:
            await journal.close()
            text = f"the journal's database can't be used: {in_words(error)}"
            advice = to_mend(error)
            raise ConnectionError(f"{text}: {advice}" if advice else text) from error
        journal._opened = True
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
        return await self._look(self._reading, work)

    async def survey(self, work: Callable[[Connection], T], *, patiently: bool = False) -> T:
        """As `read`, for what people ask: it may look at many rows, and delivery's look-ups don't wait for it.

        With `patiently` nobody waits for the answer, and a server that is away is waited for as by `read`.
        """
        return await self._look(self._surveying, work, AWAY_S if patiently else ASKED_S)

    async def close(self) -> None:
        """Finish what was asked for, refuse what comes after, close."""
        self._closed = True
        if self._writer is not None:
            await asyncio.wait([self._writer])
        for side in self._sides:
            await side.close()

    async def _look(self, side: Side, work: Callable[[Connection], T], within_s: float | None = None) -> T:
        if self._closed:
            raise JournalClosed("the journal is closed")

        def run() -> T:
            with side.engine.connect() as connection:
                return work(connection)

        return await self._patiently(side, run, within_s=within_s)

    async def _drain(self) -> None:
        while self._pending:
            group, self._pending = self._pending[:MAX_GROUP], self._pending[MAX_GROUP:]
            try:
                results = await self._patiently(self._writing, self._commit, [work for work, _ in group])
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
            with self._writing.engine.begin() as connection:
                return [work(connection) for work in works]
        except Exception as error:
            if len(works) == 1 or passes(error):
                raise
        return self._commit_apart(works)

    def _commit_apart(self, works: list[Callable[[Connection], Any]]) -> list[Any]:
        """What raises is undone alone. Where all was undone with it, each has a transaction of its own."""
        results: list[Any] = []
        with self._writing.engine.begin() as connection:
            for work in works:
                try:
                    with connection.begin_nested():
                        results.append(work(connection))
                except Exception as error:
                    if passes(error):
                        raise
                    if undone(connection):
                        break
                    results.append(error)
            else:
                return results
        return [self._commit_alone(work) for work in works]

    def _commit_alone(self, work: Callable[[Connection], Any]) -> Any:
        try:
            with self._writing.engine.begin() as connection:
                return work(connection)
        except Exception as error:  # noqa: BLE001 - who asked for it is told
            return error

    async def _free(self) -> None:
        """Free what a hub holds that stands still inside a transaction, while a write waits."""
        try:
            ended = await self._reading.call(self._end_stalled)
        except SQLAlchemyError as error:
            log.debug("can't look who holds up the journal", reason=in_words(error))
        else:
            if ended:
                log.warning("a hub stood still inside a transaction: it was undone", sessions=ended)

    def _end_stalled(self) -> int:
        with self._reading.engine.connect() as connection:
            return end_stalled(connection)

    def _make_tables(self, schema: MetaData) -> None:
        with self._writing.engine.begin() as connection:
            alone(connection)
            check(connection, schema)
            schema.create_all(connection)

    async def _patiently(self, side: Side, call: Callable[..., T], *args: Any, within_s: float | None = None) -> T:
        """Call on one side, again while the database server is away: `within_s`, AWAY_S if that isn't said."""
        loop = asyncio.get_running_loop()
        until, pause_s = loop.time() + (AWAY_S if within_s is None else within_s), _FIRST_S
        while True:
            try:
                result = await side.call(call, *args)
            except Exception as error:
                if not passes(error) or (not self._opened and to_mend(error)):
                    raise
                self._away = away(error)
                if loop.time() > until:
                    raise
            else:
                self._away = ""
                return result
            await asyncio.sleep(pause_s)
            pause_s = min(_MOST_S, 2 * pause_s)
