"""Document numbers that systems gave to things: learned from their receipts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Column, Index, String, Table, Text, and_, func, select

from mombus.journal.deliveries import IS_OUTCOME, Outcome, deliveries, targets
from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

OVERLAP = timedelta(days=1)
"""Numbers are learned one by one beside delivery: one that was passed over is younger than this."""

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
    learned: datetime


class Numbered(NamedTuple):
    """A receipt: `target` gave the `object` under `key` the number `document`."""

    target: str
    object: str
    key: str
    document: str
    at: datetime


def learn(connection: Connection, aliases: Sequence[Learned]) -> None:
    """Keep what was learned; a number that was used before now means the newer thing."""
    upsert(connection, learned_aliases, [alias._asdict() for alias in aliases])


def unlearned(connection: Connection) -> list[Numbered]:
    """Receipts whose numbers weren't learned, oldest first: those since OVERLAP before the newest that was."""
    a, d = learned_aliases.c, deliveries.c
    same = and_(a.system == d.target, a.object == d.object, a.native == d.document)
    statement = (
        select(d.target, d.object, d.key, d.document, d.at)
        .outerjoin_from(deliveries, learned_aliases, same)
        .where(IS_OUTCOME, d.outcome == Outcome.DELIVERED, d.document.is_not(None), d.document != d.key)
        .where(a.native.is_(None))
    )
    newest = connection.execute(select(func.max(a.learned))).scalar()
    if newest is not None:
        statement = statement.where(d.at >= newest - OVERLAP)
    found = (connection.execute(statement.where(d.target == target)) for target in targets(connection))
    return sorted((Numbered(*row) for rows in found for row in rows), key=lambda receipt: receipt.at)


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
