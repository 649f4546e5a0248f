"""What the journal has of a target that isn't there any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from mombus.journal import deliveries, waiting
from mombus.journal.deliveries import Outcome, starts
from mombus.journal.inboxes import system_of
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


def skip_waiting(connection: Connection, target: str, *, now: datetime, why: str) -> int:
    """Take everything that waits for a target out of the waiting room as skipped; returns how many there were.

    What the target has, and only its document is awaited, stays delivered.
    """
    rows = waiting.rows(connection, target=target)
    deliveries.record(connection, [
        {"target": target, "message_id": row.message_id, "seq": row.seq, "object": row.object, "key": row.key,
         "outcome": Outcome.SKIPPED, "reason": why, "late": row.late(now), "at": now}
        for row in rows if row.kind is not Wait.POSTING
    ])  # fmt: skip
    waiting.take(connection, target, [row.message_id for row in rows])
    return len(rows)


def forget_beginnings(connection: Connection, target: str) -> None:
    """Forget where its routes began: declared again, they begin anew."""
    inboxes = [name for name in connection.execute(select(starts.c.inbox).distinct()).scalars()
               if system_of(name) == target]  # fmt: skip
    connection.execute(delete(starts).where(starts.c.inbox.in_(inboxes)))
