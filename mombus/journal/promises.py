"""How the promises of routes were kept, and what is over its promise now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Integer, case, cast, func, select

from mombus.journal.deliveries import IS_OUTCOME, Outcome, deliveries, targets
from mombus.journal.waiting import waiting

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection


class Done(NamedTuple):
    """What a target took of an object, and how much of it late."""

    number: int
    late: int


class Owed(NamedTuple):
    """What waits for a target of an object, how much of it is over its deadline, and the earliest deadline."""

    number: int
    overdue: int
    deadline: datetime | None


class Late(NamedTuple):
    """A late handover."""

    message_id: str
    at: datetime


def done(connection: Connection, since: datetime) -> dict[tuple[str, str], Done]:
    """What was delivered since then, by (object, target)."""
    d = deliveries.c
    counted = select(d.object, func.count(), func.sum(cast(d.late, Integer)))
    found: dict[tuple[str, str], Done] = {}
    for target in targets(connection):
        rows = connection.execute(counted.where(*_delivered(target, since)).group_by(d.object))
        found.update({(row[0], target): Done(row[1], row[2] or 0) for row in rows})
    return found


def owed(connection: Connection, now: datetime) -> dict[tuple[str, str], Owed]:
    """What waits, by (object, target)."""
    w = waiting.c
    over = func.sum(case((w.deadline < now, 1), else_=0))
    found = connection.execute(
        select(w.object, w.target, func.count(), over, func.min(w.deadline)).group_by(w.object, w.target)
    )
    return {(row[0], row[1]): Owed(row[2], row[3] or 0, row[4]) for row in found}


def newest_late(
    connection: Connection, object: str, target: str, since: datetime, limit: int
) -> tuple[list[Late], int]:  # fmt: skip
    """The newest late handovers since then, and how many there are."""
    d = deliveries.c
    fits = (*_delivered(target, since), d.object == object, d.late.is_(True))
    found = connection.execute(
        select(d.message_id, d.at).where(*fits).order_by(d.at.desc()).limit(limit + 1)
    ).all()  # fmt: skip
    more = len(found) > limit
    number = connection.execute(select(func.count()).where(*fits)).scalar_one() if more else len(found)
    return [Late(*row) for row in found[:limit]], number


def _delivered(target: str, since: datetime) -> list[ColumnElement[bool]]:
    """Said so that it is found by the outcomes' times: of a million a day's are looked at."""
    d = deliveries.c
    return [d.target == target, IS_OUTCOME, d.at >= since, d.outcome == Outcome.DELIVERED]
