"""How one message stands at each target: its outcome, or why it waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from canonical.wire import from_headers
from mombus.journal.deliveries import IS_OUTCOME, Outcome, deliveries, entered
from mombus.journal.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from canonical.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`state` is an outcome or the reason of a wait; `attempts` and `due` are of what waits."""

    state: str
    at: datetime
    reason: str | None = None
    level: str | None = None
    document: str | None = None
    late: bool = False
    attempts: int | None = None
    due: datetime | None = None


class Ended(NamedTuple):
    """How the last message of an object ended at a target, and when."""

    outcome: Outcome
    at: datetime
    reason: str | None


def last_ended(connection: Connection, target: str, most: int) -> dict[str, Ended]:
    """By object how the last one ended at a target, as far as it is among the `most` that ended last there."""
    d = deliveries.c
    newest = select(d.object, d.outcome, d.at, d.reason).where(d.target == target, IS_OUTCOME)
    found: dict[str, Ended] = {}
    for row in connection.execute(newest.order_by(d.at.desc()).limit(most)):
        found.setdefault(row.object, Ended(Outcome(row.outcome), row.at, row.reason))
    return found


def standings(connection: Connection, targets: Sequence[str], message_id: str) -> dict[str, Standing]:
    """How a message stands at these targets, those that know of it. What waits is told before what was."""
    d, w = deliveries.c, waiting.c
    done = select(d.target, d.outcome, d.at, d.reason, d.level, d.document, d.late).where(
        d.target.in_(targets), d.message_id == message_id
    )
    found = {
        row.target: Standing(
            state="being written" if row.outcome == Outcome.INTENT else row.outcome, at=row.at, reason=row.reason,
            level=row.level, document=row.document, late=row.late,
        )
        for row in connection.execute(done)
    }  # fmt: skip
    waits = select(w.target, w.kind, w.since, w.reason, w.attempts, w.due).where(
        w.target.in_(targets), w.message_id == message_id
    )
    for row in connection.execute(waits):
        before = found.get(row.target)
        found[row.target] = Standing(
            state=row.kind, at=row.since, reason=row.reason, attempts=row.attempts, due=row.due,
            level=before.level if before else None, document=before.document if before else None,
        )  # fmt: skip
    return found


def has_entered(connection: Connection, targets: Sequence[str], object: str, key: str) -> set[str]:
    """The targets that get every later revision of a thing, since it passed a `when` of theirs."""
    e = entered.c
    rows = connection.execute(select(e.target).where(e.target.in_(targets), e.object == object, e.key == key))
    return {row[0] for row in rows}


def waits_somewhere(connection: Connection, targets: Sequence[str], message_id: str) -> Message | None:
    """A message as it waits at one of these targets: also when the bus doesn't keep it any more."""
    w = waiting.c
    row = connection.execute(
        select(w.headers, w.content).where(w.target.in_(targets), w.message_id == message_id).limit(1)
    ).first()
    return None if row is None else from_headers(json.loads(row[0]), row[1])
