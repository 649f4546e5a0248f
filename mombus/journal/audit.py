"""The audit trail: what people did, who, when and why, and what was refused to them. Rows are only ever added.

Each row holds the hash of the row before it and the SHA-256 over that hash and its own content, so that no row can be
changed, removed or put in without breaking the chain after it (mombus/journal/chain.py looks for that). The numbers
have no holes. Who can write to the database can still cut off the newest rows, or write all of them anew: only a head
that was noted elsewhere tells that; the broker remembers one (mombus/hub/store/trail.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Column, Integer, String, Table, Text, event, insert, select

from mombus.journal.databases import alone, storable
from mombus.journal.tables import Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

START = "0" * 64
"""What the first row has as the hash of the row before it."""

audit = Table(
    "audit", metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("message_id", Text),
    Column("why", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)  # fmt: skip

_SQLITE = "CREATE TRIGGER audit_{0} BEFORE {0} ON audit BEGIN SELECT RAISE(ABORT, 'rows of the audit trail stay'); END"
_SQLITE_NEXT = (
    "CREATE TRIGGER audit_insert BEFORE INSERT ON audit "
    "WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit) "
    "BEGIN SELECT RAISE(ABORT, 'rows of the audit trail are added at its end'); END"
)
_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'rows of the audit trail stay'; END $$",
    "CREATE TRIGGER audit_rows BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stays()",
    "CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()",
)
_GUARDS = {"sqlite": (_SQLITE.format("UPDATE"), _SQLITE.format("DELETE"), _SQLITE_NEXT), "postgresql": _POSTGRESQL}


@event.listens_for(audit, "after_create")
def _guard(_table: Table, connection: Connection, **_: Any) -> None:
    """Let the database itself refuse what the trail never does."""
    for statement in _GUARDS[connection.dialect.name]:
        connection.exec_driver_sql(statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing a person did, or wanted to. `result` says what it changed, or why it was not done."""

    at: datetime
    who: str
    action: str
    target: str | None
    message_id: str | None
    why: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Deed):
    """A deed in the trail: its number, and the hash that seals it and everything before."""

    number: int
    hash: str


class Head(NamedTuple):
    """A row of the trail by its number and the hash that seals it and everything before."""

    number: int
    hash: str


def heads(connection: Connection, at: int) -> tuple[Head | None, Head | None]:
    """The newest row, and the one with the number `at`; None for what isn't there."""
    rows = select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    newest, there = (connection.execute(one).first() for one in (rows, rows.where(audit.c.number == at)))
    return (Head(*newest) if newest else None), (Head(*there) if there else None)


def note(connection: Connection, deed: Deed) -> None:
    """Add a deed, in the transaction of what it changed."""
    alone(connection)
    last = connection.execute(select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)).first()
    number, previous = (last.number + 1, last.hash) if last else (1, START)
    row = {name: storable(said) if isinstance(said, str) else said for name, said in asdict(deed).items()}
    said = row | {"number": number, "at": deed.at.astimezone(UTC).isoformat(timespec="microseconds")}
    connection.execute(
        insert(audit).values(row | {"number": number, "previous": previous, "hash": seal(previous, said)})
    )


def seal(previous: str, row: dict[str, Any]) -> str:
    """The hash of a row: SHA-256, in hex, over the one before it and the row's content, each in its column's order."""
    content = [row[name] for name in ("number", "at", "who", "action", "target", "message_id", "why", "result")]
    said = json.dumps([previous, *content], ensure_ascii=True, separators=(",", ":"), default=repr)
    return sha256(said.encode()).hexdigest()


def deeds(
    connection: Connection, *, who: str | None = None, action: str | None = None, target: str | None = None,
    message_id: str | None = None, before: int | None = None, limit: int = 200,
) -> Sequence[Noted]:  # fmt: skip
    """The newest deeds, newest first; those alone that fit what is given, with numbers smaller than `before`."""
    statement = select(*(column for column in audit.c if column.name != "previous")).order_by(audit.c.number.desc())
    for name, wanted in (("who", who), ("action", action), ("target", target), ("message_id", message_id)):
        if wanted is not None:
            statement = statement.where(audit.c[name] == storable(wanted))
    if before is not None:
        statement = statement.where(audit.c.number < before)
    return [Noted(**row) for row in connection.execute(statement.limit(limit)).mappings()]


def of_accounts(connection: Connection, since: datetime, limit: int) -> Sequence[Noted]:
    """The newest refusals to accounts since then, at most `limit`."""
    columns = (column for column in audit.c if column.name != "previous")
    fits = (audit.c.who.startswith("account "), audit.c.at >= since)
    found = connection.execute(select(*columns).where(*fits).order_by(audit.c.number.desc()).limit(limit))
    return [Noted(**row) for row in found.mappings()]
