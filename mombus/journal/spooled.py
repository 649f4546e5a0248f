"""What the spools of a hub keep, in a database of its own: items as bytes, per system, in the order they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, delete, func, select

from mombus.journal.tables import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

CHUNK = 400

spool_metadata = MetaData()

spooled = Table(
    "spooled", spool_metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("system", String(32), nullable=False),
    Column("since", Instant, nullable=False),
    Column("gap", Boolean, nullable=False),
    Column("bookmark", Text),
    Column("term", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("spooled_order", "system", "number"),
    sqlite_autoincrement=True,
)  # fmt: skip
"""`gap`: the item says what was lost at its place, because nothing more could be kept. `term`: the number of the one in
which it was read, 0 for what nobody reads, or when one hub reads everything."""


place = Table("place", spool_metadata, Column("id", String(64), primary_key=True))
"""What this database is called, wherever it is moved."""


class Kept(NamedTuple):
    """One item of a spool."""

    number: int
    gap: bool
    since: datetime
    content: bytes
    term: int


class Usage(NamedTuple):
    """How much a system's spool holds (bytes, without its gaps), and since when the oldest."""

    items: int
    size: int
    since: datetime | None


def put(
    connection: Connection, system: str, content: bytes, *, since: datetime, bookmark: str | None = None,
    gap: bool = False, term: int = 0,
) -> int:  # fmt: skip
    """Keep an item behind the others of its system; returns its number."""
    done = connection.execute(spooled.insert().values(
        system=system, since=since, gap=gap, bookmark=bookmark, size=0 if gap else len(content), content=content,
        term=term,
    ))  # fmt: skip
    key = done.inserted_primary_key
    return int(key[0]) if key else 0


def rewrite(connection: Connection, number: int, content: bytes) -> None:
    """The gap under that number has grown."""
    connection.execute(spooled.update().where(spooled.c.number == number).values(content=content))


def head(connection: Connection, system: str, *, items: int, size: int, before: int | None) -> list[Kept]:
    """The oldest items, at most `items` and about `size` bytes, at least one; those before a number if it is given."""
    s = spooled.c
    statement = select(s.number, s.size).where(s.system == system).order_by(s.number).limit(items)
    if before is not None:
        statement = statement.where(s.number < before)
    wanted: list[int] = []
    total = 0
    for number, its in connection.execute(statement):
        if wanted and total + its > size:
            break
        wanted.append(number)
        total += its
    rows = connection.execute(
        select(s.number, s.gap, s.since, s.content, s.term).where(s.number.in_(wanted)).order_by(s.number)
    )
    return [Kept(*row) for row in rows]


def take(connection: Connection, numbers: Sequence[int]) -> None:
    """These are stored elsewhere now."""
    for start in range(0, len(numbers), CHUNK):
        connection.execute(delete(spooled).where(spooled.c.number.in_(list(numbers[start : start + CHUNK]))))


def its_place(connection: Connection) -> str:
    """The id of this database, made when there is none."""
    found: str | None = connection.execute(select(place.c.id)).scalar()
    if found is None:
        found = uuid4().hex
        connection.execute(place.insert().values(id=found))
    return found


def usage(connection: Connection, system: str) -> Usage:
    """How much is kept of a system."""
    s = spooled.c
    row = connection.execute(
        select(func.count(), func.coalesce(func.sum(s.size), 0), func.min(s.since)).where(s.system == system)
    ).one()  # fmt: skip
    return Usage(*row)


def last(connection: Connection, system: str) -> Kept | None:
    """The newest item of a system."""
    s = spooled.c
    row = connection.execute(
        select(s.number, s.gap, s.since, s.content, s.term).where(s.system == system).order_by(s.number.desc()).limit(1)
    ).first()  # fmt: skip
    return None if row is None else Kept(*row)


def bookmark(connection: Connection, system: str) -> tuple[str, int] | None:
    """Where the newest item that has a bookmark says to go on reading, and the term in which it was read."""
    s = spooled.c
    statement = select(s.bookmark, s.term).where(s.system == system, s.bookmark.is_not(None)).order_by(s.number.desc())
    row = connection.execute(statement.limit(1)).first()
    return None if row is None else (row[0], row[1])


def adopt(connection: Connection, system: str, term: int) -> None:
    """What was read in an earlier term is of this one: nobody has read the system in between."""
    s = spooled.c
    connection.execute(spooled.update().where(s.system == system, s.bookmark.is_not(None)).values(term=term))
