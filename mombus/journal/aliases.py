"""Document numbers that systems gave to things: learned from their receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Column, Index, String, Table, Text, select

from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

learned_aliases = Table(
    "learned_aliases", metadata,
    Column("system", String(32), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("native", Text, primary_key=True),
    Column("canonical", Text, nullable=False),
    Column("learned", Instant, nullable=False),
    Index("learned_canonical", "system", "object", "canonical"),
)  # fmt: skip


class Learned(NamedTuple):
    """`system` calls the `object` that is `canonical` here `native`."""

    system: str
    object: str
    native: str
    canonical: str


def learn(connection: Connection, aliases: Sequence[Learned], now: datetime) -> None:
    """Keep what was learned; a number that was used before now means the newer thing."""
    upsert(connection, learned_aliases, [{**alias._asdict(), "learned": now} for alias in aliases])


def canonical(connection: Connection, system: str, object: str, native: str) -> str | None:
    """What the system's number stands for."""
    a = learned_aliases.c
    return connection.execute(
        select(a.canonical).where(a.system == system, a.object == object, a.native == native)
    ).scalar()


def documents(connection: Connection, system: str, object: str, canonical: str) -> list[str]:
    """The numbers a system gave to one thing, the newest first."""
    a = learned_aliases.c
    return list(connection.execute(
        select(a.native).where(a.system == system, a.object == object, a.canonical == canonical)
        .order_by(a.learned.desc())
    ).scalars())  # fmt: skip


def taught(connection: Connection) -> set[tuple[str, str]]:
    """(system, object) of everything that was learned."""
    a = learned_aliases.c
    return {(row[0], row[1]) for row in connection.execute(select(a.system, a.object).distinct())}
