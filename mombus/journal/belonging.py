"""To which broker's streams the journal belongs: a name of its own, a mark that both remember, how far MOM had got."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from sqlalchemy import BigInteger, Column, String, Table, select

from mombus.journal.tables import metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection

belonging = Table(
    "belonging", metadata,
    Column("bus", String(8), primary_key=True),
    Column("journal", String(32), nullable=False),
    Column("mark", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
)  # fmt: skip
"""One row. The mark grows, first here, then on the broker: the one with the smaller mark is the older copy."""


class Mark(NamedTuple):
    """The journal's name, its mark, and the last sequence of MOM that it saw."""

    journal: str
    mark: int
    last_seq: int


def mark(connection: Connection) -> Mark | None:
    """The journal's mark, None for one that belongs to no broker yet."""
    b = belonging.c
    row = connection.execute(select(b.journal, b.mark, b.last_seq).where(b.bus == "bus")).first()
    return None if row is None else Mark(*row)


def advance(connection: Connection, last_seq: int) -> Mark:
    """The next mark."""
    before = mark(connection)
    name, number, seen = before or (uuid4().hex, 0, 0)
    return _write(connection, Mark(name, number + 1, max(seen, last_seq)))


def adopt(connection: Connection, above: int, last_seq: int) -> Mark:
    """The journal belongs to another state of the broker from now on, under a new name: older copies of it don't."""
    before = mark(connection)
    return _write(connection, Mark(uuid4().hex, max(above, before.mark if before else 0) + 1, last_seq))


def _write(connection: Connection, mark: Mark) -> Mark:
    upsert(connection, belonging, [{"bus": "bus", **mark._asdict()}])
    return mark
