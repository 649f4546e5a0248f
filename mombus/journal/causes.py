"""What waits, by cause: a thousand messages that one reason keeps from one target are one line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, literal, select

from mombus.journal.waiting import Wait, Waiting, rows_of, waiting

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

MOST = 2000
"""So many different reasons are looked at, the most frequent first."""
MOST_ALIKE = 50
_OWN = re.compile(r"\S*\d\S*")
"""What is a message's own in a reason: numbers, ids, times."""

w = waiting.c


@dataclass(slots=True, kw_only=True)
class Cause:
    """Messages for one target that wait for one reason; what differs in numbers and ids only is one reason.

    `id` is the same as long as it lasts. `reason` is the most frequent of `reasons`; `due` when the first is tried
    again, `late` how many are, `lanes` how many lanes they are in, `objects` how many there are of each data object,
    `first` the first of them.
    """

    id: str
    target: str
    kind: Wait
    reason: str
    count: int = 0
    oldest: datetime
    due: datetime | None = None
    late: int = 0
    lanes: int = 0
    objects: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, None] = field(default_factory=dict)
    first: list[Waiting] = field(default_factory=list)


def causes(connection: Connection, now: datetime, *, target: str | None = None, shown: int, each: int) -> list[Cause]:
    """Why messages wait, the largest number first; the `shown` first of them with `each` of their messages.

    What only waits behind others is one cause for each target.
    """
    found: dict[tuple[str, str, str], Cause] = {}
    for row in connection.execute(_reasons(now, target)).mappings():
        key = (row["target"], row["kind"], _OWN.sub("…", row["why"]))
        cause = found.setdefault(key, Cause(
            id=_id(key), target=row["target"], kind=Wait(row["kind"]), reason=row["why"], oldest=row["oldest"]
        ))  # fmt: skip
        _add(cause, row["object"], row["why"], row["number"], row["late"], row["lanes"])
        cause.oldest = min(cause.oldest, row["oldest"])
        cause.due = min((due for due in (cause.due, row["due"]) if due), default=None)
    ordered = sorted(found.values(), key=lambda cause: (cause.kind is Wait.BEHIND, -cause.count))
    for cause in ordered[:shown]:
        cause.first = _first(connection, cause, each)
    return ordered


def _id(key: tuple[str, str, str]) -> str:
    return sha256("\0".join(key).encode()).hexdigest()[:12]


def _add(cause: Cause, object: str, reason: str, number: int, late: int, lanes: int) -> None:  # noqa: PLR0917
    cause.count += number
    cause.late += int(late)
    cause.lanes += lanes
    cause.objects[object] = cause.objects.get(object, 0) + number
    cause.reasons[reason] = None


def _reasons(now: datetime, target: str | None) -> Any:
    why = case((w.kind == Wait.BEHIND, literal("")), else_=w.reason).label("why")
    each = select(w.target, w.kind, w.object, w.since, w.due, w.deadline, w.lanes, why)
    if target is not None:
        each = each.where(w.target == target)
    e = each.subquery().c
    return (
        select(
            e.target, e.kind, e.why, e.object, func.count().label("number"), func.min(e.since).label("oldest"),
            func.min(e.due).label("due"), func.sum(case((e.deadline < now, 1), else_=0)).label("late"),
            func.count(e.lanes.distinct()).label("lanes"),
        )
        .group_by(e.target, e.kind, e.why, e.object)
        .order_by(func.count().desc(), func.min(e.since), e.target, e.why)
        .limit(MOST)
    )  # fmt: skip


def _first(connection: Connection, cause: Cause, each: int) -> list[Waiting]:
    chosen = [w.target == cause.target, w.kind == cause.kind]
    if cause.kind is not Wait.BEHIND:
        chosen.append(w.reason.in_(list(cause.reasons)[:MOST_ALIKE]))
    return rows_of(connection, *chosen, limit=each)
