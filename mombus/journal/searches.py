"""Saved searches: what people look for often, each by its name, for themselves or for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Boolean, Column, String, Table, Text, delete, func, or_, select

from mombus.journal.databases import alone
from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

MOST = 200
"""Searches that one person may keep, and that one is shown."""
LONGEST = 3000
"""Bytes of one: all that are shown go into one answer of the broker."""

saved_searches = Table(
    "saved_searches", metadata,
    Column("owner", String(250), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("search", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("changed", Instant, nullable=False),
)  # fmt: skip


class TooManySearchesError(ValueError):
    """The person keeps MOST already, or this one is over LONGEST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One saved search: its owner's, seen by everybody if `shared`. `search` is JSON."""

    owner: str
    name: str
    search: str
    shared: bool
    changed: datetime


def save(connection: Connection, saved: Saved) -> None:
    """Keep a search, in place of the owner's of that name. Raises TooManySearchesError."""
    s = saved_searches.c
    size = len(saved.search.encode())
    if size > LONGEST:
        raise TooManySearchesError(f"a search of {size} bytes is too long: {LONGEST} are kept")
    alone(connection)
    others = select(func.count()).where(s.owner == saved.owner, s.name != saved.name)
    if (connection.execute(others).scalar() or 0) >= MOST:
        raise TooManySearchesError(f"{saved.owner} keeps {MOST} searches already: delete one that isn't used any more")
    upsert(connection, saved_searches, [{column.name: getattr(saved, column.name) for column in s}])


def searches(connection: Connection, owner: str) -> list[Saved]:
    """A person's own, then what others share, each by name; MOST in all."""
    s = saved_searches.c
    statement = select(saved_searches).where(or_(s.owner == owner, s.shared.is_(True)))
    ordered = statement.order_by((s.owner == owner).desc(), s.name, s.owner)
    return [Saved(**row) for row in connection.execute(ordered.limit(MOST)).mappings()]


def drop(connection: Connection, owner: str, name: str) -> bool:
    """Forget one of a person's own; False if there is none of that name."""
    s = saved_searches.c
    return connection.execute(delete(saved_searches).where(s.owner == owner, s.name == name)).rowcount == 1
