"""Reads from the journal into the index how handovers ended.

The journal knows it anyway, of all its hubs, and keeps it; so there is nothing to queue here, and nothing to lose. A
hop only tells from which moment on there is something to read. Nobody is told here what other hubs write: with a shared
journal it is looked for every few seconds. After a stop, or with a new index, reading goes on where it stood.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import String, func, select, type_coerce

from mombus.index.selection import LONGEST
from mombus.index.tables import messages, read_outcomes
from mombus.journal import deliveries as outcomes
from mombus.journal.databases import away
from mombus.journal.deliveries import IS_OUTCOME, deliveries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from mombus.journal.journal import Journal

AT_ONCE = 2000
"""Outcomes that are read together; more where so many have one time."""
GATHER_S = 0.5
"""How long is waited for more to read after the first hop."""
LOOK_S = 2.0
"""How often it is looked for what other hubs wrote."""
AGAIN_S = 1.0
MARGIN = timedelta(seconds=60)
"""How long before where it stood reading goes on after a stop: an outcome's time is a little before its commit."""
OVERLAP = timedelta(seconds=10)
"""The same for what other hubs write, whose clocks may differ."""

_FIRST = ""
"""Before every time."""

log = structlog.get_logger()


class Outcomes:
    """Keeps one index's `hops` as the journal has them. With `shared`, other hubs write to the journal too."""

    def __init__(self, index: Journal, journal: Journal, *, shared: bool) -> None:
        self._index = index
        self._journal = journal
        self._shared = shared
        self._since: dict[str, str] = {}
        """From when on there is something to read, for each target."""
        self._news = asyncio.Event()

    def ended(self, target: str, at: datetime) -> None:
        """A handover to a target ended then: the journal has that."""
        said = at.astimezone(UTC).isoformat(timespec="microseconds")
        if said < self._since.get(target, "~"):
            self._since[target] = said
        self._news.set()

    async def run(self) -> None:
        """Read for ever; what can't be read or written now is read again."""
        await self._begin()
        while True:
            try:
                async with asyncio.timeout(LOOK_S if self._shared else None):
                    await self._news.wait()
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass
            self._news.clear()
            try:
                await self.read()
            except Exception as error:  # noqa: BLE001 - tried again
                _later(error)
                await asyncio.sleep(AGAIN_S)
                self._news.set()

    async def read(self) -> None:
        """Read what there is."""
        if self._shared:
            await self._look_back(OVERLAP)
        since, self._since = self._since, {}
        try:
            for target in sorted(since):
                left = await self._read(target, since[target])
                if left is None:
                    del since[target]
                else:
                    since[target] = left
        finally:
            for target, at in since.items():
                self._since[target] = min(at, self._since.get(target, at))
        if since:
            await asyncio.sleep(AGAIN_S)
            self._news.set()

    async def _begin(self) -> None:
        while True:
            try:
                await self._look_back(MARGIN)
            except Exception as error:  # noqa: BLE001 - tried again
                _later(error)
                await asyncio.sleep(AGAIN_S)
            else:
                self._news.set()
                return

    async def _look_back(self, span: timedelta) -> None:
        """Read on where it stood for every target, and so much before."""
        stood = await self._index.read(_stood)
        for target in await self._journal.read(outcomes.targets):
            at = _before(stood[target], span) if target in stood else _FIRST
            self._since[target] = min(at, self._since.get(target, at))

    async def _read(self, target: str, since: str) -> str | None:
        """Read a target's outcomes; from when on some are left whose messages aren't indexed yet, None if none are."""
        most = AT_ONCE
        while True:
            rows = await self._journal.read(partial(_ended, target=target, since=since, limit=most))
            last = await self._index.read(_last)
            known = [row for row in rows if row["seq"] <= last]
            left = min((str(row["at"]) for row in rows if row["seq"] > last), default=None)
            if known:
                await self._index.write(partial(_store, target=target, rows=known, left=left))
            if left is not None:
                return left
            if len(rows) < most:
                return None
            most = AT_ONCE if rows[-1]["at"] > since else 2 * most
            since = rows[-1]["at"]


def _later(error: Exception) -> None:
    said = "outcomes can't be indexed now; they stay in the journal"
    if reason := away(error):
        log.warning(said, reason=reason)
    else:
        log.error(said, exc_info=error)


def _before(at: str, span: timedelta) -> str:
    return (datetime.fromisoformat(at) - span).isoformat(timespec="microseconds")


def _stood(connection: Connection) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(select(read_outcomes.c.target, read_outcomes.c.at))}


def _last(connection: Connection) -> int:
    return connection.execute(select(func.max(messages.c.seq))).scalar() or 0


def _ended(connection: Connection, target: str, since: str, limit: int) -> Sequence[dict[str, Any]]:
    """The first outcomes of a target since then."""
    d = deliveries.c
    at = type_coerce(d.at, String)
    statement = (
        select(d.message_id, d.seq, d.outcome, d.attempts, d.document, at.label("at"))
        .where(d.target == target, IS_OUTCOME, at >= since)
        .order_by(at)
    )
    return [dict(row) for row in connection.execute(statement.limit(limit)).mappings()]


_HOP = (
    "INSERT INTO hops (seq, target, state, attempts) SELECT seq, ?, ?, ? FROM messages WHERE id = ? "
    "ON CONFLICT (seq, target) DO UPDATE SET state = excluded.state, attempts = excluded.attempts"
)
_DOCUMENT = (
    "INSERT INTO refs (object, value, seq) SELECT 'document', ?, seq FROM messages WHERE id = ? ON CONFLICT DO NOTHING"
)

_STOOD = (
    "INSERT INTO read_outcomes (target, at) VALUES (?, ?) ON CONFLICT (target) DO UPDATE SET at = max(at, excluded.at)"
)


def _store(connection: Connection, target: str, rows: Sequence[dict[str, Any]], left: str | None) -> None:
    """A second effect (see `second_id`) is one of its message; what isn't in the index any more is passed over.

    Where it stands isn't after what is `left` for later, so that a stop doesn't lose that.
    """
    named = [(row, row["message_id"].partition(":")[0]) for row in rows]
    connection.exec_driver_sql(_HOP, [(target, row["outcome"], row["attempts"], id) for row, id in named])
    documents = [(row["document"][:LONGEST], id) for row, id in named if row["document"]]
    if documents:
        connection.exec_driver_sql(_DOCUMENT, documents)
    connection.exec_driver_sql(_STOOD, (target, left or max(row["at"] for row in rows)))
