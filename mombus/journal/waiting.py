"""The waiting room: messages that can't be written now, whole, each with its reason and with what releases it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)

from canonical.wire import CLAIM, from_headers
from mombus.journal.databases import begins
from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

    from canonical.message import Message


class Wait(StrEnum):
    """Why a message waits."""

    BEHIND = "behind"
    """Something before it in its lane waits."""
    RETRYING = "retrying"
    """The target said: not now."""
    REFERENCE = "awaiting reference"
    """It names a thing that nobody has stated yet."""
    ALIAS = "awaiting alias"
    """The target's id for something it names isn't known yet."""
    POSTING = "awaiting posting"
    """The target has it, but not as far as the route promises. Nothing waits behind it."""
    AFTER = "awaiting another"
    """Something must be posted at the target first; what another shard has is looked for at its due time."""
    STOCK = "awaiting stock"
    """The target has too little of a material: what brings it releases this, or time, or in the end a person."""
    PARKED = "parked"
    """It can't work: a person decides."""
    IN_DOUBT = "in doubt"
    """It may or may not have taken effect: a person looks."""
    HELD = "held"
    """A person holds it."""
    REPLAYED = "replayed"
    """A replay put it there: it goes when its turn in its lanes comes."""

    @property
    def by_time(self) -> bool:
        """True if it is tried again at its due time."""
        return self in _BY_TIME


_BY_TIME = frozenset({Wait.RETRYING, Wait.REFERENCE, Wait.ALIAS, Wait.POSTING, Wait.STOCK, Wait.AFTER})

waiting = Table(
    "waiting", metadata,
    Column("target", String(32), primary_key=True),
    Column("message_id", String(200), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("object", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("revision", BigInteger),
    Column("lanes", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Instant),
    Column("deadline", Instant),
    Column("waived", Boolean, nullable=False),
    Column("missing_object", String(64)),
    Column("missing_id", Text),
    Column("replay", String(40)),
    Column("history", BigInteger, nullable=False),
    Column("headers", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("waiting_order", "target", "seq", "history"),
    Index("waiting_kind", "target", "kind", "seq", "history"),
    Index("waiting_missing", "target", "missing_object", "missing_id"),
    Index("waiting_replay", "replay", "target"),
    Index(
        "waiting_beginning", "target", "message_id", postgresql_ops={"message_id": "varchar_pattern_ops"}
    ).ddl_if(dialect="postgresql"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One waiting message, as pages and commands see it.

    `due` is when it is tried again, if time releases it; `deadline` when the route's promise ends;
    `missing` the (object, id) whose arrival releases it; `waived`: a person let it pass the reference check.
    `replay` is the replay that put it there, `history` its sequence in the stream then; a message of no replay has 0.
    """

    target: str
    message_id: str
    seq: int
    object: str
    key: str
    revision: int | None
    lanes: tuple[str, ...]
    kind: Wait
    reason: str
    since: datetime
    attempts: int
    due: datetime | None
    deadline: datetime | None
    waived: bool
    missing: tuple[str, str] | None
    replay: str | None = None
    history: int = 0

    def late(self, now: datetime) -> bool:
        """True once the route's promise is broken."""
        return self.deadline is not None and now > self.deadline


_LIGHT = [column for column in waiting.c if column.name not in {"headers", "content"}]


def put(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Move messages into the waiting room, or change the rows of those that are there."""
    upsert(connection, waiting, rows)


def change(connection: Connection, target: str, message_id: str, **values: Any) -> None:
    """Change what a waiting message waits for."""
    w = waiting.c
    connection.execute(update(waiting).where(w.target == target, w.message_id == message_id).values(**values))


def take(connection: Connection, target: str, ids: Sequence[str]) -> None:
    """Take messages out: they are dealt with."""
    w = waiting.c
    for start in range(0, len(ids), 400):
        part = list(ids[start : start + 400])
        connection.execute(delete(waiting).where(w.target == target, w.message_id.in_(part)))


def messages(connection: Connection, target: str, ids: Sequence[str]) -> dict[str, Message]:
    """The waiting messages themselves, by id."""
    w = waiting.c
    rows = connection.execute(
        select(w.message_id, w.headers, w.content).where(w.target == target, w.message_id.in_(list(ids)))
    )
    return {row[0]: from_headers(json.loads(row[1]), row[2]) for row in rows}


def beginning(connection: Connection, target: str, start: str, limit: int) -> list[str]:
    """The ids of what waits for a target that begin like that, in order."""
    w = waiting.c
    fits = (w.target == target, begins(connection, w.message_id, start))
    return list(connection.execute(select(w.message_id).where(*fits).order_by(w.message_id).limit(limit)).scalars())


def claims(connection: Connection) -> set[str]:
    """The bodies, kept apart, that what waits refers to."""
    headers = connection.execute(select(waiting.c.headers).where(waiting.c.headers.contains(f'"{CLAIM}"'))).scalars()
    return {json.loads(text)[CLAIM] for text in headers}


def missing(connection: Connection, target: str, object: str, id: str) -> list[str]:
    """The messages that wait for `object` `id` to become known."""
    w = waiting.c
    statement = select(w.message_id).where(w.target == target, w.missing_object == object, w.missing_id == id)
    return [row[0] for row in connection.execute(statement)]


def rows(
    connection: Connection, *, target: str | None = None, kind: Wait | None = None, lane: str | None = None,
    limit: int | None = None,
) -> list[Waiting]:  # fmt: skip
    """What waits, in the order it came, those of a lane if one is given."""
    chosen: list[ColumnElement[bool]] = []
    if target is not None:
        chosen.append(waiting.c.target == target)
    if kind is not None:
        chosen.append(waiting.c.kind == kind)
    if lane is not None:
        chosen.append(waiting.c.lanes.contains(json.dumps(lane), autoescape=True))
    return rows_of(connection, *chosen, limit=limit)


def rows_of(connection: Connection, *chosen: ColumnElement[bool], limit: int | None = None) -> list[Waiting]:
    """What waits of what is chosen, in the order it came."""
    statement = light().where(*chosen).order_by(waiting.c.target, waiting.c.seq, waiting.c.history)
    return read(connection, statement.limit(limit))


def light() -> Select[Any]:
    """Selects waiting messages without their bodies."""
    return select(*_LIGHT)


def read(connection: Connection, statement: Select[Any]) -> list[Waiting]:
    """What a statement of `light` finds."""
    return [_row(row) for row in connection.execute(statement).mappings()]


def summary(connection: Connection, target: str) -> list[tuple[Wait, int, datetime]]:
    """How many wait for each reason, and since when the oldest."""
    w = waiting.c
    statement = select(w.kind, func.count(), func.min(w.since)).where(w.target == target).group_by(w.kind)
    return [(Wait(row[0]), row[1], row[2]) for row in connection.execute(statement)]


def one(connection: Connection, target: str, message_id: str) -> Waiting | None:
    """The row of one message, None if it doesn't wait."""
    w = waiting.c
    row = connection.execute(select(*_LIGHT).where(w.target == target, w.message_id == message_id)).mappings().first()
    return None if row is None else _row(row)


def _row(row: Any) -> Waiting:
    missing = (row["missing_object"], row["missing_id"]) if row["missing_object"] else None
    return Waiting(
        target=row["target"], message_id=row["message_id"], seq=row["seq"], object=row["object"], key=row["key"],
        revision=row["revision"], lanes=tuple(json.loads(row["lanes"])), kind=Wait(row["kind"]), reason=row["reason"],
        since=row["since"], attempts=row["attempts"], due=row["due"], deadline=row["deadline"], waived=row["waived"],
        missing=missing, replay=row["replay"], history=row["history"],
    )  # fmt: skip
