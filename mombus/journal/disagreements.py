"""Disagreements: where a system that isn't the owner states something else than the owner does, since when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text, delete, func, insert, select, update

from mombus.journal.databases import alone
from mombus.journal.tables import Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, RowMapping

disagreements = Table(
    "disagreements", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("object", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("system", String(32), nullable=False),
    Column("owner", String(32), nullable=False),
    Column("said", LargeBinary, nullable=False),
    Column("owner_says", LargeBinary),
    Column("fields", Text, nullable=False),
    Column("message_id", String(200), nullable=False),
    Column("since", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Column("closed", Instant),
    Column("how", Text),
    Index("disagreements_open", "closed", "object", "key"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """`system` states `said` (a body as canonical JSON, empty: deleted), the owner states `owner_says`.

    `owner_says` is None when the owner has said nothing about that key. `fields` are the dotted paths that differ,
    `message_id` is what the system said last, `how` tells what closed it.
    """

    id: int
    object: str
    key: str
    system: str
    owner: str
    said: bytes
    owner_says: bytes | None
    fields: tuple[str, ...]
    message_id: str
    since: datetime
    last_seen: datetime
    times: int
    closed: datetime | None
    how: str | None


def note(
    connection: Connection, *, object: str, key: str, system: str, owner: str, said: bytes, owner_says: bytes | None,
    fields: Sequence[str], message_id: str, now: datetime,
) -> None:  # fmt: skip
    """Open a disagreement, or renew the open one of that system about that key: `since` stays."""
    d = disagreements.c
    values = {
        "owner": owner, "said": said, "owner_says": owner_says, "fields": json.dumps(list(fields)),
        "message_id": message_id, "last_seen": now,
    }  # fmt: skip
    alone(connection)
    renewed = connection.execute(
        update(disagreements)
        .where(d.closed.is_(None), d.object == object, d.key == key, d.system == system)
        .values(**values, times=d.times + 1)
    )
    if renewed.rowcount == 0:
        connection.execute(
            insert(disagreements).values(object=object, key=key, system=system, since=now, times=1, **values)
        )


def close(connection: Connection, object: str, key: str, *, how: str, now: datetime, system: str | None = None) -> int:
    """Close the open ones about that key, of one system or of all; returns how many there were."""
    d = disagreements.c
    statement = update(disagreements).where(d.closed.is_(None), d.object == object, d.key == key)
    if system is not None:
        statement = statement.where(d.system == system)
    return connection.execute(statement.values(closed=now, how=how)).rowcount


def owner_said(connection: Connection, object: str, key: str, content: bytes, *, now: datetime) -> int:
    """The owner states something new: who said that before agrees now. Returns how many remain open."""
    left = 0
    for row in rows(connection, object=object, key=key):
        if row.said == content:
            close(connection, object, key, system=row.system, how="the owner changed to that value", now=now)
        else:
            left += 1
            fields = json.dumps(list(differing(row.said, content)))
            connection.execute(
                update(disagreements).where(disagreements.c.id == row.id).values(owner_says=content, fields=fields)
            )
    return left


def rows(
    connection: Connection, *, object: str | None = None, key: str | None = None, closed: bool = False,
    limit: int | None = None,
) -> list[Disagreement]:  # fmt: skip
    """Open disagreements (with `closed` the others), the oldest first."""
    d = disagreements.c
    statement = select(disagreements).order_by(d.since, d.id).limit(limit)
    statement = statement.where(d.closed.is_not(None) if closed else d.closed.is_(None))
    if object is not None:
        statement = statement.where(d.object == object)
    if key is not None:
        statement = statement.where(d.key == key)
    return [_row(row) for row in connection.execute(statement).mappings()]


def count(connection: Connection) -> int:
    """How many are open."""
    return connection.execute(select(func.count()).where(disagreements.c.closed.is_(None))).scalar_one()


def count_by_object(connection: Connection) -> dict[str, int]:
    """How many are open, by data object."""
    d = disagreements.c
    found = connection.execute(select(d.object, func.count()).where(d.closed.is_(None)).group_by(d.object))
    return {row[0]: row[1] for row in found}


def prune(connection: Connection, before: datetime) -> int:
    """Forget what was closed before then; returns how many. What is open stays."""
    return connection.execute(delete(disagreements).where(disagreements.c.closed < before)).rowcount


def open_keys(connection: Connection) -> set[tuple[str, str]]:
    """(object, key) of everything that is disagreed about."""
    d = disagreements.c
    return {(row[0], row[1]) for row in connection.execute(select(d.object, d.key).where(d.closed.is_(None)))}


def differing(one: bytes, other: bytes | None, limit: int = 20) -> tuple[str, ...]:
    """The dotted paths at which two bodies differ, at most `limit`; empty text stands for a deleted thing."""
    if not one or not other:
        return ()
    found: list[str] = []
    _compare(json.loads(one), json.loads(other), "", found)
    return tuple(found[:limit])


def _compare(one: object, other: object, path: str, found: list[str]) -> None:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            _compare(one.get(name), other.get(name), f"{path}.{name}" if path else name, found)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            _compare(left, right, f"{path}.{number}", found)
    elif one != other:
        found.append(path)


def _row(row: RowMapping) -> Disagreement:
    return Disagreement(**{**row, "fields": tuple(json.loads(row["fields"]))})
