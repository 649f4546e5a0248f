"""What one shift hands over to the next: a note about a flow or a cause, shown until it is dealt with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Index, String, Table, Text, delete, insert, select, update

from mombus.journal.databases import storable
from mombus.journal.tables import Instant, metadata

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

notes = Table(
    "notes", metadata,
    Column("id", String(32), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("to", Text, nullable=False),
    Column("target", String(32)),
    Column("object", String(64)),
    Column("cause", String(32)),
    Column("about", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("taken_by", Text),
    Column("taken", Instant),
    Column("closed_by", Text),
    Column("closed", Instant),
    Column("how", Text),
    Index("notes_open", "closed", "at"),
)  # fmt: skip
n = notes.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """`who` hands something over: `to` a person or shift, or to whoever comes (empty).

    It is about what `target` gets, about an `object`, about a `cause` (its id), in words `about`.
    """

    id: str
    at: datetime
    who: str
    to: str
    target: str | None
    object: str | None
    cause: str | None
    about: str
    text: str
    taken_by: str | None = None
    taken: datetime | None = None
    closed_by: str | None = None
    closed: datetime | None = None
    how: str | None = None


def add(connection: Connection, note: Note) -> bool:
    """Keep it. False when it is kept already: the commit took effect though its answer was lost."""
    if find(connection, note.id) is not None:
        return False
    said = {name: storable(value) if isinstance(value, str) else value for name, value in asdict(note).items()}
    connection.execute(insert(notes).values(said))
    return True


def take(connection: Connection, id: str, *, who: str, now: datetime) -> bool:
    """Somebody takes it over, also from who did before; False once it is closed."""
    return bool(connection.execute(_open(id).values(taken_by=storable(who), taken=now)).rowcount)


def close(connection: Connection, id: str, *, who: str, how: str, now: datetime) -> bool:
    """It is dealt with; False when it was before."""
    return bool(connection.execute(_open(id).values(closed_by=storable(who), how=storable(how), closed=now)).rowcount)


def find(connection: Connection, id: str) -> Note | None:
    """The note with that id."""
    row = connection.execute(select(notes).where(n.id == id)).mappings().first()
    return None if row is None else Note(**row)


def rows(connection: Connection, *, closed: bool = False, limit: int) -> list[Note]:
    """The open notes, or those that are closed; the newest first."""
    chosen = select(notes).where(n.closed.is_not(None) if closed else n.closed.is_(None))
    return [Note(**row) for row in connection.execute(chosen.order_by(n.at.desc(), n.id).limit(limit)).mappings()]


def prune(connection: Connection, before: datetime) -> int:
    """Forget what was closed before then; returns how many."""
    return connection.execute(delete(notes).where(n.closed < before)).rowcount


def _open(id: str) -> Any:
    return update(notes).where(n.id == id, n.closed.is_(None))
