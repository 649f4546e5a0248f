"""What is to be put away of systems that go: noted before a change of the configuration, done after it.

Whoever is killed in between finds it here at the next start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Boolean, Column, String, Table, Text, delete, select

from mombus.journal.tables import metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

clearing = Table(
    "clearing", metadata,
    Column("target", String(32), primary_key=True),
    Column("forget", Boolean, nullable=False),
    Column("skip", Boolean, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
)  # fmt: skip


class ToClear(NamedTuple):
    """A system that goes. `forget` where its routes began; `skip` what waits for it, as `who` decided."""

    target: str
    forget: bool
    skip: bool
    who: str
    why: str


def note(connection: Connection, all: Collection[ToClear]) -> None:
    """Remember them, in place of what was noted of the same systems."""
    upsert(connection, clearing, [one._asdict() for one in all])


def rows(connection: Connection) -> list[ToClear]:
    """What hasn't been done yet."""
    return [ToClear(*row) for row in connection.execute(select(clearing).order_by(clearing.c.target))]


def done(connection: Connection, noted: Collection[ToClear]) -> None:
    """These have been done, or are not to be done any more; what was noted since of the same systems stays."""
    for one in noted:
        connection.execute(delete(clearing).where(*(clearing.c[name] == said for name, said in one._asdict().items())))
