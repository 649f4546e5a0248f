"""The spool of one system: on disk, for what can neither be stored on the bus now nor be said again later.

It stands before an intake and is asked the same way. An item whose system can wait (it has a `settle`) waits. Any
other is kept here when the intake can't take it, and counts as taken once that is on disk (group commit with an fsync).
While anything is kept everything else of the system queues behind it, so that the order stays. `run` hands over to the
intake what is kept, in order, as soon as it takes things again.

A kill loses nothing: an item leaves the disk only after the intake has taken it. It repeats nothing either: what was
handed over and not yet taken from the disk is handed over again, the same bytes, and intake is deterministic, so that
the same ids and contents come of it. The broker drops them as known, targets meet them in the journal. A state that the
bus counts the revisions of leaves the disk before the next item: handed over again it is the newest word, an echo.

What doesn't fit is lost, counted, and told by one gap, which is kept where the lost things would have stood.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from canonical.message import Message
from canonical.objects import CATALOGUE, Kind
from connectors.connector import Fault, Gap, Item, Outcome, RetryableError
from mombus.bus.calls.framing import Failure
from mombus.bus.errors import BusError
from mombus.bus.items import ItemError, pack, unpack
from mombus.bus.losses import Losses
from mombus.journal import spooled
from mombus.journal.bookmarks import Term

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mombus.journal.journal import Journal

    Accept = Callable[[Item, Term | None], Awaitable[Sequence[Outcome]]]
    Bookmark = Callable[[Term | None], Awaitable[str | None]]

PATIENCE_S = 3.0
"""How long the intake may take for an item before that is kept here."""
FIRST_S, MOST_S = 0.2, 5.0
AT_ONCE, AT_ONCE_BYTES = 64, 8 * 1024**2
"""What is read from the disk in one go."""
KEPT = "kept on disk until the bus stores again"
CANNOT = (BusError, RetryableError, SQLAlchemyError, TimeoutError, Failure)
"""How an intake says that it can't take anything now. A Failure is told by another process: nobody knows more here."""
GIVE_UP = 10
"""How often an item fails in another process until it is kept for a person, so that what is behind it goes on."""

log = structlog.get_logger()


class Lost(BusError):  # noqa: N818 - what it says
    """The spool is full: the item is lost, and counted in a gap. Handing it over again counts it twice."""


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How much of a system is kept on disk, why, and what was lost because no more could be."""

    system: str
    items: int
    size: int
    limit: int
    since: datetime | None
    reason: str
    lost: Gap | None

    def said(self) -> dict[str, Any]:
        """As plain data: sizes in bytes, times as text."""
        lost = self.lost and {
            "count": self.lost.lost, "since": self.lost.since.isoformat(), "reason": self.lost.reason
        }  # fmt: skip
        return {
            "system": self.system, "items": self.items, "bytes": self.size, "limit": int(self.limit),
            "since": self.since.isoformat() if self.since else None, "reason": self.reason, "lost": lost,
        }  # fmt: skip


class Spool:
    """The spool of one system, with room for `limit` bytes; 0: nothing is kept, everything waits.

    `accept` and `bookmark` are the intake's; `full` says why nothing more may be kept on this disk, None while it may.
    """

    def __init__(
        self, system: str, journal: Journal, *, accept: Accept, bookmark: Bookmark, limit: int,
        full: Callable[[], str | None] = lambda: None, patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self._system = system
        self._journal = journal
        self._accept = accept
        self._bookmark = bookmark
        self._limit = limit
        self._full = full
        self._patience_s = patience_s
        self._items = 0
        self._size = 0
        self._since: datetime | None = None
        self._losses: Losses | None = None
        self._term: Term | None = None
        self._reason = ""
        self._failures = (0, 0)
        self._turn = asyncio.Lock()
        self._empty = asyncio.Event()
        self._filled = asyncio.Event()

    async def open(self) -> None:
        """See what an earlier run has left; called once, before anything else."""
        usage = await self._journal.read(lambda c: spooled.usage(c, self._system))
        newest = await self._journal.read(lambda c: spooled.last(c, self._system))
        self._items, self._size, self._since = usage
        if newest is not None and newest.gap:
            self._losses = Losses.kept(newest.number, newest.content)
        self._reason = "left by an earlier run" if self._items else ""
        self._mark()

    @property
    def state(self) -> SpoolState:
        """How it is."""
        lost = self._losses.gap if self._losses else None
        return SpoolState(self._system, self._items, self._size, self._limit, self._since, self._reason, lost)

    async def bookmark(self, term: Term | None = None) -> str | None:
        """Where the source goes on reading: after what is kept here, else as the intake says.

        What was kept in an earlier `term` counts only if nobody else has read the system since.
        """
        said = await self._bookmark(term)
        if term is not None:
            self._term = term
        kept = await self._journal.write(lambda c: spooled.bookmark(c, self._system)) if self._items else None
        if kept is None:
            return said
        if term is None:
            return kept[0]
        if kept[1] < term.before:
            log.info("another hub has read on", system=self._system, kept=self._items)
            return said
        await self._journal.write(lambda c: spooled.adopt(c, self._system, term.number))
        return kept[0]

    async def accept(self, item: Item, term: Term | None = None) -> Sequence[Outcome]:
        """Take an item: on to the intake, or to the disk. Returns once it is safe, with one outcome per message.

        `term` is the one in which it was read, where several hubs read. Raises what the intake raises for an item that
        has a `settle`; Lost when an item without could not be kept.
        """
        if item.settle is not None or not self._limit:
            await self._empty.wait()
            return await self._accept(item, term)
        if self._empty.is_set():
            try:
                async with asyncio.timeout(self._patience_s):
                    return await self._accept(item, term)
            except CANNOT as error:
                self._reason = "the bus stores nothing now" if isinstance(error, TimeoutError) else _line(error)
                log.warning("kept on disk", system=self._system, reason=self._reason)
        await asyncio.shield(
            self._keep(item, term)
        )  # whoever is cancelled: what is counted is on disk, and the other way round
        return [_kept(one) for one in item.messages]

    async def run(self) -> None:
        """Hand over what is kept, for ever."""
        pause_s = FIRST_S
        while True:
            await self._filled.wait()
            try:
                await self._hand_over()
                pause_s = FIRST_S
            except Exception as error:  # noqa: BLE001 - whatever it is, what is kept stays kept and is tried again
                self._reason = _line(error)
                log.warning("spool waits", system=self._system, reason=self._reason, again_in_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(MOST_S, pause_s * 2)

    async def _keep(self, item: Item, term: Term | None) -> None:
        """Keep an item behind the others. Raises Lost."""
        content = pack(item)
        async with self._turn:
            reason = self._no_room(len(content)) or await self._put(item, content, term)
            if reason is not None:
                await self._lose(item, reason)

    def _no_room(self, size: int) -> str | None:
        if self._size + size > self._limit:
            return f"its spool of {self._limit} bytes is full"
        return self._full()

    async def _put(self, item: Item, content: bytes, term: Term | None) -> str | None:
        """Write it, behind the gap that ends with it; why that failed, if it did."""
        self._count(1, len(content))
        try:
            if self._losses is not None and self._losses.number is None:
                await self._write_gap(self._losses)
            await self._journal.write(lambda c: spooled.put(
                c, self._system, content, since=datetime.now(UTC), bookmark=item.bookmark,
                term=term.number if term else 0,
            ))  # fmt: skip
        except SQLAlchemyError as error:
            self._count(-1, -len(content))
            return _line(error)
        self._losses = None
        return None

    async def _lose(self, item: Item, reason: str) -> None:
        """Count an item as lost. Raises Lost, always."""
        now = datetime.now(UTC)
        if self._losses is None:
            log.error("values are being lost", system=self._system, reason=reason)
            self._losses = Losses.of(item, reason, now)
        else:
            self._losses = self._losses.and_of(item, now)
        try:
            await self._write_gap(self._losses)
        except SQLAlchemyError as error:
            log.error("the gap can't be kept yet", system=self._system, reason=_line(error))
        self._mark()
        raise Lost(f"{self._system}: {reason}; what it says now is lost, and counted")

    async def _write_gap(self, losses: Losses) -> None:
        """Keep what was lost so far at its place: behind everything that was kept before."""
        if losses.number is not None:
            number = losses.number
            await self._journal.write(lambda c: spooled.rewrite(c, number, losses.content))
            return
        number = await self._journal.write(lambda c: spooled.put(
            c, self._system, losses.content, since=losses.gap.since, gap=True
        ))  # fmt: skip
        self._losses = replace(losses, number=number)
        self._count(1, 0)

    async def _hand_over(self) -> None:
        """Give the intake the oldest items; what it took leaves the disk, also when the next one fails.

        What the bus counts the versions of leaves at once: said again after a later one, it would be a change back.
        """
        rows, left, taken = await self._oldest(), 0, 0
        try:
            for row in rows:
                item = self._item(row)
                try:
                    await self._accept(item, self._term_of(row))
                except Failure as failed:
                    await self._failed(row, item, failed)
                taken += 1
                if _is_counted(item):
                    await self._leave(rows[left:taken])
                    left = taken
        finally:
            await self._leave(rows[left:taken])

    async def _failed(self, row: spooled.Kept, item: Item, failed: Failure) -> None:
        """It failed again: it is kept as a fault when it has too often. Raises Failure until then."""
        number, times = self._failures
        self._failures = (row.number, times + 1 if number == row.number else 1)
        if self._failures[1] < GIVE_UP:
            raise failed
        fault = Fault("spool", f"the hub failed to take it in {GIVE_UP} times: {failed.text}", row.content)
        await self._accept(Item(faults=(fault,), bookmark=item.bookmark), self._term_of(row))

    def _term_of(self, row: spooled.Kept) -> Term:
        """The one in which it was read: it may go on, or be over."""
        mine = self._term
        return mine if mine is not None and mine.number == row.term else Term(number=row.term)

    async def _leave(self, rows: Sequence[spooled.Kept]) -> None:
        await self._journal.write(lambda c: spooled.take(c, [row.number for row in rows]))
        if rows:
            self._since = rows[-1].since
        self._count(-len(rows), -sum(len(row.content) for row in rows if not row.gap))

    async def _oldest(self) -> list[spooled.Kept]:
        """The oldest items. A gap that still grows ends when its turn has come."""
        async with self._turn:
            if self._losses is not None and self._losses.number is None:
                await self._write_gap(self._losses)
        growing = self._losses.number if self._losses else None
        rows = await self._head(growing)
        if rows or growing is None:
            return rows
        async with self._turn:
            self._losses = None
            return await self._head(None)

    async def _head(self, before: int | None) -> list[spooled.Kept]:
        """Read by the writer's turn: what is being written now is seen."""
        return await self._journal.write(lambda c: spooled.head(
            c, self._system, items=AT_ONCE, size=AT_ONCE_BYTES, before=before
        ))  # fmt: skip

    def _item(self, row: spooled.Kept) -> Item:
        try:
            return unpack(row.content)
        except ItemError as error:
            return Item(faults=(Fault("spool", f"it can't be read back: {error}", row.content),))

    def _count(self, items: int, size: int) -> None:
        self._items += items
        self._size += size
        self._since = self._since or datetime.now(UTC)
        self._mark()

    def _mark(self) -> None:
        """Something is kept, or a gap is still to be: then everything goes by way of the disk."""
        if self._items or (self._losses is not None and self._losses.number is None):
            self._empty.clear()
            self._filled.set()
        else:
            self._empty.set()
            self._filled.clear()
            self._since = None


def _is_counted(item: Item) -> bool:
    """True if it states what has no revision of its own."""
    return any(
        isinstance(one, Message)
        and one.revision is None
        and (row := CATALOGUE.get(one.object)) is not None
        and row.kind is Kind.STATE
        for one in item.messages
    )


def _kept(one: Message | Gap) -> Outcome:
    id, key = (one.what, one.what) if isinstance(one, Gap) else (one.id, one.key)
    return Outcome(id, key, accepted=True, reason=KEPT)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
