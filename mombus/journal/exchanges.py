"""What was exchanged with the targets, in a database of its own: bounded by age and size, no handover needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)

from mombus.journal.tables import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

exchanges_metadata = MetaData()

exchanges = Table(
    "exchanges", exchanges_metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("asked", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("took_s", Float, nullable=False),
    Column("how", Text, nullable=False),
    Column("status", Text),
    Column("trouble", Text),
    Column("request", LargeBinary, nullable=False),
    Column("request_size", Integer, nullable=False),
    Column("request_type", Text, nullable=False),
    Column("response", LargeBinary),
    Column("response_size", Integer, nullable=False),
    Column("response_type", Text),
    Column("bytes", Integer, nullable=False),
)  # fmt: skip
"""Texts are compressed; `bytes` is what one takes here, about. Numbers grow in time."""

exchanged_for = Table(
    "exchanged_for", exchanges_metadata,
    Column("message_id", String(200), primary_key=True),
    Column("target", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Index("exchanged_for_number", "number"),
)  # fmt: skip
"""Which messages an exchange was for, and which attempt of each."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How much there is: bytes, and the number of the newest; 0 where there is none."""

    bytes: int
    last: int


def keep(connection: Connection, rows: Sequence[dict[str, Any]], messages: Sequence[dict[str, Any]]) -> None:
    """Add exchanges, and which messages they were for."""
    connection.execute(insert(exchanges), list(rows))
    connection.execute(insert(exchanged_for), list(messages))


def kept(connection: Connection) -> Kept:
    """How much there is; looks at every row."""
    e = exchanges.c
    bytes, last = connection.execute(select(func.coalesce(func.sum(e.bytes), 0), func.max(e.number))).one()
    return Kept(bytes, last or 0)


def make_room(connection: Connection, *, bytes: int, before: datetime, most: int) -> tuple[int, bool]:
    """Drop the oldest until about `bytes` are free, and what is older than `before`; at most so many rows.

    Returns how many bytes are free now, and whether there is more to drop.
    """
    e = exchanges.c
    oldest = connection.execute(select(e.number, e.bytes, e.at).order_by(e.number).limit(most)).all()
    freed, last = 0, None
    for row in oldest:
        if freed >= bytes and row.at >= before:
            break
        freed, last = freed + row.bytes, row.number
    if last is not None:
        for table in (exchanges, exchanged_for):
            connection.execute(delete(table).where(table.c.number <= last))
    return freed, bool(oldest) and last == oldest[-1].number and len(oldest) == most


def of_message(connection: Connection, message_id: str, targets: Sequence[str], most: int) -> list[Any]:
    """The last exchanges for a message with each of these targets, at most so many, in their order."""
    e, f = exchanges.c, exchanged_for.c
    found: list[Any] = []
    for target in targets:
        mine = select(exchanges, f.target, f.attempt).where(
            e.number == f.number, f.message_id == message_id, f.target == target
        )
        rows = connection.execute(mine.order_by(e.number.desc()).limit(most)).all()
        found += reversed(rows)
    return found


def count(connection: Connection, message_id: str, target: str) -> int:
    """How many exchanges there were for a message with a target."""
    f = exchanged_for.c
    statement = select(func.count()).where(f.message_id == message_id, f.target == target)
    return connection.execute(statement).scalar_one()
