"""Where each source goes on reading: moved only once everything before it is stored, and by who reads it now alone.

Where several hubs share the journal, each beginning to read a system is a term with a number of its own, taken under
the hub's lease together with the look at the bookmark. From then on no earlier term moves it: a hub that stood still,
or hands over late what it had kept on its disk, can't move it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, String, Table, Text, select, update

from mombus.journal.databases import alone
from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from mombus.journal.leaseholder import Lease

bookmarks = Table(
    "bookmarks", metadata,
    Column("system", String(32), primary_key=True),
    Column("bookmark", Text),
    Column("at", Instant, nullable=False),
    Column("term", BigInteger, nullable=False, server_default="0"),
)  # fmt: skip
"""`term`: the newest one, the only one that may move it. `bookmark` is empty until it was moved first."""


@dataclass(eq=False)
class Term:
    """A hub's turn at reading a system. Without a `lease` it is over: of it is what was kept on disk.

    `number` is 0 before its beginning, and for what nobody reads (what comes to a door). `before` is the number of the
    term before it.
    """

    lease: Lease | None = None
    number: int = 0
    before: int = 0

    @property
    def holds(self) -> bool:
        """True while no other hub can read the system."""
        return self.lease is not None and self.lease.holds

    def begin(self, connection: Connection, system: str, now: datetime) -> tuple[int, int, str | None]:
        """Its number, the one before, and where to go on reading. Raises LeaseLost when another hub reads it now."""
        if self.lease is not None:
            self.lease.check(connection)
        alone(connection)
        b = bookmarks.c
        before = connection.execute(select(b.term, b.bookmark, b.at).where(b.system == system)).first()
        number, mark, at = before or (0, None, now)
        upsert(connection, bookmarks, [{"system": system, "bookmark": mark, "at": at, "term": number + 1}])
        return number + 1, number, mark


def move(connection: Connection, system: str, bookmark: str, now: datetime, term: Term | None = None) -> None:
    """Everything before `bookmark` is stored. A `term` that isn't the newest moves nothing."""
    if term is None:
        upsert(connection, bookmarks, [{"system": system, "bookmark": bookmark, "at": now}])
        return
    b = bookmarks.c
    connection.execute(
        update(bookmarks).where(b.system == system, b.term == term.number).values(bookmark=bookmark, at=now)
    )


def bookmark(connection: Connection, system: str) -> str | None:
    """Where to go on reading; None: from the beginning."""
    return connection.execute(select(bookmarks.c.bookmark).where(bookmarks.c.system == system)).scalar()


def bookmarked(connection: Connection) -> list[str]:
    """The systems that go on from a bookmark."""
    b = bookmarks.c
    return list(connection.execute(select(b.system).where(b.bookmark.is_not(None)).order_by(b.system)).scalars())
