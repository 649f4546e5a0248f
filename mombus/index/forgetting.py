"""Takes out of the index what the stream doesn't keep any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from mombus.index import texts
from mombus.index.tables import hops, messages, refs

if TYPE_CHECKING:
    from sqlalchemy import Connection


def forget(connection: Connection, first: int, limit: int) -> bool:
    """Forget messages before the sequence `first`, those of at most `limit` sequences; True if more are left."""
    oldest = [connection.execute(select(func.min(table.c.seq))).scalar() for table in (messages, refs, hops)]
    begin = min((seq for seq in oldest if seq is not None), default=first)
    end = min(first, begin + limit)
    for table in (messages, refs, hops):
        connection.execute(delete(table).where(table.c.seq < end))
    texts.forget(connection, end)
    return end < first
