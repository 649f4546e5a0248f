"""Choosing among what waits, and seeing it grouped: a thousand messages with one cause are one line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import case, func, select, tuple_

from mombus.journal.waiting import Wait, Waiting, light, read, waiting

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Select

w = waiting.c

Place: TypeAlias = tuple[str, int, int, str]
"""Where a waiting message is among all: target, its sequence, that of its replay, id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which waiting messages: those to which everything that is given applies.

    `reason` is a part of the reason, in whatever case; `before`: those that have waited since before then.
    """

    target: str | None = None
    kinds: tuple[Wait, ...] = ()
    reason: str | None = None
    object: str | None = None
    lane: str | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Waiting messages of one object for one target, of one kind: how many, since when the oldest, how many are late.

    `reason` is one of `reasons` different ones, `key` the key of one of them.
    """

    target: str
    object: str
    kind: Wait
    count: int
    oldest: datetime
    late: int
    reasons: int
    reason: str
    key: str


def ids(connection: Connection, selection: Selection) -> list[tuple[str, str]]:
    """(target, message id) of those that are chosen, in the order they came."""
    statement = select(w.target, w.message_id).order_by(w.target, w.seq)
    return [(row[0], row[1]) for row in connection.execute(_chosen(statement, selection))]


def rows(connection: Connection, selection: Selection, after: Place | None, limit: int) -> list[Waiting]:
    """What is chosen after a place, in the order it came."""
    place = (w.target, w.seq, w.history, w.message_id)
    statement = _chosen(light(), selection).order_by(*place).limit(limit)
    return read(connection, statement if after is None else statement.where(tuple_(*place) > tuple_(*after)))


def place_of(row: Waiting) -> Place:
    """Where it is."""
    return row.target, row.seq, row.history, row.message_id


def groups(connection: Connection, selection: Selection, now: datetime) -> list[Group]:
    """What is chosen, grouped; the largest first."""
    late = func.sum(case((w.deadline < now, 1), else_=0))
    statement = select(
        w.target, w.object, w.kind, func.count(), func.min(w.since), late, func.count(w.reason.distinct()),
        func.min(w.reason), func.min(w.key),
    ).group_by(w.target, w.object, w.kind).order_by(func.count().desc(), w.target, w.object)  # fmt: skip
    return [
        Group(
            target=row[0], object=row[1], kind=Wait(row[2]), count=row[3], oldest=row[4], late=int(row[5]),
            reasons=row[6], reason=row[7], key=row[8],
        )
        for row in connection.execute(_chosen(statement, selection))
    ]  # fmt: skip


def _chosen(statement: Select[Any], selection: Selection) -> Select[Any]:
    if selection.target is not None:
        statement = statement.where(w.target == selection.target)
    if selection.kinds:
        statement = statement.where(w.kind.in_(selection.kinds))
    if selection.reason is not None:
        statement = statement.where(func.lower(w.reason).contains(selection.reason.lower(), autoescape=True))
    if selection.object is not None:
        statement = statement.where(w.object == selection.object)
    if selection.lane is not None:
        statement = statement.where(w.lanes.contains(json.dumps(selection.lane), autoescape=True))
    if selection.before is not None:
        statement = statement.where(w.since < selection.before)
    return statement
