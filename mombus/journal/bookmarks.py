"""Where each source goes on reading: moved only once everything before it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, String, Table, Text, select

from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

bookmarks = Table(
    "bookmarks", metadata,
    Column("system", String(32), primary_key=True),
    Column("bookmark", Text, nullable=False),
    Column("at", Instant, nullable=False),
)  # fmt: skip


def move(connection: Connection, system: str, bookmark: str, now: datetime) -> None:
    """Everything before `bookmark` is stored."""
    upsert(connection, bookmarks, [{"system": system, "bookmark": bookmark, "at": now}])


def bookmark(connection: Connection, system: str) -> str | None:
    """Where to go on reading; None: from the beginning."""
    return connection.execute(select(bookmarks.c.bookmark).where(bookmarks.c.system == system)).scalar()
