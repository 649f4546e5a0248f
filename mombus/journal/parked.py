"""What came in and could not become a message on the bus, kept whole with its reason until a person acts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text, delete, func, select, true, update

from canonical.wire import from_headers, to_headers
from mombus.journal.databases import alone, begins
from mombus.journal.tables import Instant, metadata

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, RowMapping, Select

    from canonical.message import Message


class Parked(StrEnum):
    """Why it is kept here."""

    FAULT = "fault"
    """A part of a document that can't be read."""
    ALIAS = "alias"
    """It names something by an id that isn't in the system's table."""
    BEHIND = "behind"
    """Something before it in its lane waits for an alias."""
    REFUSED = "refused"
    """The system may not say that, or contradicts what was said before."""
    TOO_LARGE = "too large"
    """Its body is over `bus: largest_body_bytes`."""


parked = Table(
    "parked", metadata,
    Column("id", String(64), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("system", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("place", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("headers", Text),
    Column("content", LargeBinary, nullable=False),
    Column("raw", String(64)),
    Column("missing_object", String(64)),
    Column("missing_id", Text),
    Column("since", Instant, nullable=False),
    Column("closed", Instant),
    Column("how", Text),
    Index("parked_open", "closed", "system", "number"),
    Index("parked_number", "number"),
    Index("parked_beginning", "id", postgresql_ops={"id": "varchar_pattern_ops"}).ddl_if(dialect="postgresql"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedItem:
    """One kept thing. `content` is the fault's bytes, or the body of `message` as the system said it.

    `place` says where it stood in its document, or which message it is; `missing` the (object, native id) it waits for.
    `raw` is the id of the document that a fault is a part of, as it is kept in RAW.
    """

    id: str
    system: str
    kind: Parked
    place: str
    reason: str
    message: Message | None
    content: bytes
    missing: tuple[str, str] | None
    since: datetime
    closed: datetime | None = None
    how: str | None = None
    raw: str | None = None


def keep(connection: Connection, item: ParkedItem, *, anew: bool = False) -> bool:
    """Keep it; False when it is kept already: an item that is read again changes nothing, not even once closed.

    `anew`: the same may be said again and mean something then, as a state that is what it was before. It is kept again
    once closed, and comes after what else is kept from the same place.
    """
    p = parked.c
    alone(connection)
    known = connection.execute(select(p.number, p.closed).where(p.id == item.id)).first()
    if known is not None and (not anew or (known.closed is None and _is_last(connection, item, known.number))):
        return False
    number = (connection.execute(select(func.max(p.number))).scalar() or 0) + 1
    missing_object, missing_id = item.missing or (None, None)
    values = {
        "number": number, "kind": item.kind, "reason": item.reason, "missing_object": missing_object,
        "missing_id": missing_id, "since": item.since, "closed": None, "how": None,
    }  # fmt: skip
    if known is not None:
        connection.execute(update(parked).where(p.id == item.id).values(**values))
        return known.closed is not None
    connection.execute(parked.insert().values(
        id=item.id, system=item.system, place=item.place, content=item.content, raw=item.raw,
        headers=json.dumps(to_headers(item.message)) if item.message else None, **values,
    ))  # fmt: skip
    return True


def _is_last(connection: Connection, item: ParkedItem, number: int) -> bool:
    p = parked.c
    later = (p.system == item.system, p.place == item.place, p.number > number, p.closed.is_(None))
    return connection.execute(select(p.id).where(*later).limit(1)).first() is None


def rows(
    connection: Connection, *, system: str | None = None, kinds: tuple[Parked, ...] = (), closed: bool = False,
    limit: int | None = None,
) -> list[ParkedItem]:  # fmt: skip
    """What is kept, in the order it came."""
    p = parked.c
    statement = select(parked).where(p.closed.is_not(None) if closed else p.closed.is_(None))
    statement = statement.order_by(p.number).limit(limit)
    if system is not None:
        statement = statement.where(p.system == system)
    if kinds:
        statement = statement.where(p.kind.in_(kinds))
    return [_row(row) for row in connection.execute(statement).mappings()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """One kept thing to look at: `start` is the beginning of its content, `size` the bytes of all of it.

    `number` is its place in the order they came.
    """

    id: str
    number: int
    system: str
    kind: Parked
    place: str
    reason: str
    start: bytes
    size: int
    since: datetime


def glimpses(
    connection: Connection, *, limit: int, start_bytes: int, id: str | None = None, system: str | None = None,
    kind: str | None = None, reason: str | None = None, before: datetime | None = None, after: int = 0,
) -> list[Glimpse]:  # fmt: skip
    """What is chosen of what is kept after a number, in the order it came, without reading all of it.

    (The start of nothing is NULL in SQLite.)
    """
    p = parked.c
    start = func.substr(p.content, 1, start_bytes, type_=LargeBinary).label("start")
    size = func.length(p.content).label("size")
    columns = (p.id, p.number, p.system, p.kind, p.place, p.reason, start, size, p.since)
    statement = select(*columns).where(p.number > after).order_by(p.number).limit(limit)
    if id is not None:
        statement = statement.where(p.id == id)
    found = connection.execute(_chosen(statement, system, kind, reason, before)).mappings()
    return [Glimpse(**{**row, "kind": Parked(row["kind"]), "start": bytes(row["start"] or b"")}) for row in found]


def beginning(connection: Connection, start: str, limit: int) -> list[str]:
    """The ids of what is kept that begin like that, in order."""
    is_open = parked.c.closed.is_(None) == true()  # so said, SQLite doesn't go through all that is open instead
    statement = select(parked.c.id).where(begins(connection, parked.c.id, start), is_open)
    return list(connection.execute(statement.order_by(parked.c.id).limit(limit)).scalars())


def systems(connection: Connection) -> set[str]:
    """The systems of which something is kept."""
    p = parked.c
    return set(connection.execute(select(p.system).where(p.closed.is_(None)).distinct()).scalars())


def refused_statements(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """Open messages that were refused to a system, the newest: system and place (verb, object and key)."""
    p = parked.c
    fits = (p.kind == Parked.REFUSED, p.closed.is_(None), p.headers.is_not(None))
    rows = connection.execute(select(p.system, p.place).where(*fits).order_by(p.number.desc()).limit(limit))
    return [(row[0], row[1]) for row in rows]


def count(connection: Connection) -> int:
    """How much is kept."""
    return connection.execute(select(func.count()).where(parked.c.closed.is_(None))).scalar_one()


def groups(
    connection: Connection, *, system: str | None, kind: str | None, reason: str | None, before: datetime | None
) -> list[tuple[str, str, int, str]]:
    """What is chosen of what is kept: system, kind, how many, and one of the reasons."""
    p = parked.c
    statement = select(p.system, p.kind, func.count(), func.min(p.reason)).group_by(p.system, p.kind)
    found = connection.execute(_chosen(statement, system, kind, reason, before).order_by(p.system, p.kind))
    return [(row[0], row[1], row[2], row[3]) for row in found]


def chosen(
    connection: Connection, *, system: str | None, kind: str | None, reason: str | None, before: datetime | None
) -> list[str]:
    """The ids of what is chosen of what is kept, in the order it came."""
    statement = _chosen(select(parked.c.id), system, kind, reason, before).order_by(parked.c.number)
    return list(connection.execute(statement).scalars())


def _chosen(
    statement: Select[Any], system: str | None, kind: str | None, reason: str | None, before: datetime | None
) -> Select[Any]:
    p = parked.c
    statement = statement.where(p.closed.is_(None))
    if system is not None:
        statement = statement.where(p.system == system)
    if kind is not None:
        statement = statement.where(p.kind == kind)
    if reason is not None:
        statement = statement.where(func.lower(p.reason).contains(reason.lower(), autoescape=True))
    return statement if before is None else statement.where(p.since < before)


def find(connection: Connection, id: str) -> ParkedItem | None:
    """The kept thing with that id."""
    row = connection.execute(select(parked).where(parked.c.id == id)).mappings().first()
    return None if row is None else _row(row)


def fault_documents(connection: Connection) -> list[tuple[str, str]]:
    """System and id of the documents whose parts are kept as faults, in the order they came."""
    p = parked.c
    statement = (
        select(p.system, p.raw).where(p.closed.is_(None), p.kind == Parked.FAULT, p.raw.is_not(None))
        .group_by(p.system, p.raw).order_by(func.min(p.number))
    )  # fmt: skip
    return [(row[0], row[1]) for row in connection.execute(statement)]


def faults_of(connection: Connection, raw: str) -> list[ParkedItem]:
    """The kept faults of one document."""
    p = parked.c
    statement = select(parked).where(p.raw == raw, p.closed.is_(None), p.kind == Parked.FAULT).order_by(p.number)
    return [_row(row) for row in connection.execute(statement).mappings()]


def change(connection: Connection, id: str, *, kind: Parked, reason: str, missing: tuple[str, str] | None) -> None:
    """It was tried again and waits for something else now."""
    missing_object, missing_id = missing or (None, None)
    connection.execute(update(parked).where(parked.c.id == id).values(
        kind=kind, reason=reason, missing_object=missing_object, missing_id=missing_id
    ))  # fmt: skip


def close(connection: Connection, id: str, *, how: str, now: datetime) -> bool:
    """It is dealt with; False when it was before."""
    p = parked.c
    done = connection.execute(
        update(parked).where(p.id == id, p.closed.is_(None)).values(closed=now, how=how)
    )  # fmt: skip
    return done.rowcount == 1


def prune(connection: Connection, before: datetime) -> int:
    """Forget what was closed before then; returns how many. What is open stays."""
    return connection.execute(delete(parked).where(parked.c.closed < before)).rowcount


def _row(row: RowMapping) -> ParkedItem:
    message = from_headers(json.loads(row["headers"]), row["content"]) if row["headers"] else None
    missing = (row["missing_object"], row["missing_id"]) if row["missing_object"] else None
    return ParkedItem(
        id=row["id"], system=row["system"], kind=Parked(row["kind"]), place=row["place"], reason=row["reason"],
        message=message, content=row["content"], missing=missing, since=row["since"], closed=row["closed"],
        how=row["how"], raw=row["raw"],
    )  # fmt: skip
