"""Bulk actions: what a person decided about many things at once, each with what it got.

What is chosen is written down when the action begins, so that what comes to wait later isn't touched, and each result
is written in the transaction that does the thing: after a kill the action goes on with those that have none yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    select,
    update,
)

from mombus.journal.tables import Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

SAID = 500
"""Characters of a result."""


class Bulk(StrEnum):
    """How a bulk action is."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


actions = Table(
    "bulk_actions", metadata,
    Column("id", String(32), primary_key=True),
    Column("command", String(16), nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("selection", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("begun", Instant, nullable=False),
    Column("ended", Instant),
)  # fmt: skip

chosen = Table(
    "bulk_chosen", metadata,
    Column("action", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("target", String(32)),
    Column("subject", String(200), nullable=False),
    Column("ok", Boolean),
    Column("result", Text),
    Index("bulk_left", "action", "ok", "number"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One bulk action. `selection` says in words what was chosen."""

    id: str
    command: str
    who: str
    why: str
    selection: str
    state: Bulk
    begun: datetime
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """One of the things chosen: a message that waits for a target, or a kept item (no target). `ok` None: not yet."""

    number: int
    target: str | None
    subject: str
    ok: bool | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an action is: of `total` things `done` were changed and `refused` couldn't be."""

    total: int
    done: int
    refused: int


def begin(connection: Connection, action: Action, things: Sequence[tuple[str | None, str]]) -> bool:
    """Write an action down with what was chosen, (target, subject) in the order it is to be done.

    False when it was written down before: the commit took effect though its answer was lost.
    """
    if find(connection, action.id) is not None:
        return False
    a = action
    connection.execute(insert(actions).values(
        id=a.id, command=a.command, who=a.who, why=a.why, selection=a.selection, state=a.state, begun=a.begun
    ))  # fmt: skip
    rows = [{"action": a.id, "number": n, "target": target, "subject": one} for n, (target, one) in enumerate(things)]
    if rows:
        connection.execute(insert(chosen), rows)
    return True


def left(
    connection: Connection, action: str, limit: int, targets: Collection[str | None] | None = None, after: int = -1
) -> list[Chosen]:
    """The next things of an action, `after` one, that have no result, those for `targets` if they are given."""
    c = chosen.c
    mine = (c.action == action, c.ok.is_(None), c.number > after)
    statement = select(c.number, c.target, c.subject).where(*mine).order_by(c.number)
    if targets is not None:
        named = c.target.in_([target for target in targets if target is not None])
        statement = statement.where(named | c.target.is_(None) if None in targets else named)
    return [Chosen(*row) for row in connection.execute(statement.limit(limit))]


def mark(connection: Connection, action: str, number: int, *, ok: bool, result: str) -> None:
    """What one thing got."""
    c = chosen.c
    connection.execute(
        update(chosen).where(c.action == action, c.number == number).values(ok=ok, result=result[:SAID])
    )  # fmt: skip


def end(connection: Connection, action: str, state: Bulk, now: datetime) -> bool:
    """It is over; False when it was before."""
    a = actions.c
    changed = connection.execute(
        update(actions).where(a.id == action, a.state == Bulk.RUNNING).values(state=state, ended=now)
    )  # fmt: skip
    return changed.rowcount == 1


def find(connection: Connection, action: str) -> Action | None:
    """The action with that id."""
    row = connection.execute(select(actions).where(actions.c.id == action)).mappings().first()
    return None if row is None else _action(row)


def rows(connection: Connection, *, state: Bulk | None = None, limit: int = 50) -> list[Action]:
    """The newest actions, newest first."""
    statement = select(actions).order_by(actions.c.begun.desc()).limit(limit)
    if state is not None:
        statement = statement.where(actions.c.state == state)
    return [_action(row) for row in connection.execute(statement).mappings()]


def progress(connection: Connection, action: str) -> Progress:
    """How far it is."""
    c = chosen.c
    done, refused = (func.sum(case((c.ok.is_(value), 1), else_=0)) for value in (True, False))
    row = connection.execute(select(func.count(), done, refused).where(c.action == action)).one()
    return Progress(row[0], int(row[1] or 0), int(row[2] or 0))


def results(connection: Connection, action: str, limit: int) -> list[Chosen]:
    """What each got: those that were refused first, those that are still to be done last."""
    c = chosen.c
    statement = (
        select(c.number, c.target, c.subject, c.ok, c.result).where(c.action == action)
        .order_by(c.ok.asc().nulls_last(), c.number).limit(limit)
    )  # fmt: skip
    return [Chosen(*row) for row in connection.execute(statement)]


def prune(connection: Connection, before: datetime) -> int:
    """Forget actions that ended before then, with what each thing got; returns how many."""
    old = select(actions.c.id).where(actions.c.ended < before)
    connection.execute(delete(chosen).where(chosen.c.action.in_(old)))
    return connection.execute(delete(actions).where(actions.c.ended < before)).rowcount


def _action(row: Any) -> Action:
    return Action(**{**row, "state": Bulk(row["state"])})
