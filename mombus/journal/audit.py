"""The audit trail: what people did, who, when and why. Rows are only ever added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Column, Integer, String, Table, Text, insert, select

from mombus.journal.tables import Instant, metadata

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

audit = Table(
    "audit", metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("target", String(32)),
    Column("message_id", String(200)),
    Column("why", Text, nullable=False),
    Column("result", Text, nullable=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing a person did. `result` says what it changed."""

    at: datetime
    who: str
    action: str
    target: str | None
    message_id: str | None
    why: str
    result: str


def note(connection: Connection, deed: Deed) -> None:
    """Add a deed."""
    connection.execute(
        insert(audit).values(
            at=deed.at, who=deed.who, action=deed.action, target=deed.target, message_id=deed.message_id,
            why=deed.why, result=deed.result,
        )
    )  # fmt: skip


def deeds(connection: Connection, *, message_id: str | None = None, limit: int = 200) -> list[Deed]:
    """The newest deeds, newest first, those about one message if it is given."""
    a = audit.c
    statement = select(a.at, a.who, a.action, a.target, a.message_id, a.why, a.result).order_by(a.number.desc())
    if message_id is not None:
        statement = statement.where(a.message_id == message_id)
    return [Deed(**row) for row in connection.execute(statement.limit(limit)).mappings()]
