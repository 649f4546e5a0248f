"""How much was said lately, by object and system."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from mombus.index.tables import messages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection


class Said(NamedTuple):
    """So many messages, and when the last of them was stored."""

    number: int
    last: datetime


def said(connection: Connection, since: datetime) -> dict[tuple[str, str], Said]:
    """What was stored since then, by (object, source)."""
    m = messages.c
    found = connection.execute(
        select(m.object, m.source, func.count(), func.max(m.stored))
        .where(m.stored >= since).group_by(m.object, m.source)
    )  # fmt: skip
    return {(row[0], row[1]): Said(row[2], row[3]) for row in found}


def last_said(connection: Connection, object: str, source: str) -> datetime | None:
    """When a system's last message about an object was stored."""
    m = messages.c
    found = select(m.stored).where(m.object == object, m.source == source).order_by(m.seq.desc()).limit(1)
    return connection.execute(found).scalar()


def last_times(connection: Connection, source: str, most: int) -> list[datetime]:
    """When a system's last messages were stored, the oldest first."""
    m = messages.c
    found = select(m.stored).where(m.source == source).order_by(m.seq.desc()).limit(most)
    return [row[0] for row in connection.execute(found)][::-1]


class Known(NamedTuple):
    """A message: when it was stored, and what it is about."""

    stored: datetime
    key: str


def known(connection: Connection, ids: Sequence[str]) -> dict[str, Known]:
    """Messages by id."""
    m = messages.c
    found = connection.execute(select(m.id, m.stored, m.key).where(m.id.in_(ids)))
    return {row[0]: Known(row[1], row[2]) for row in found}
