"""What the journal says of messages: how they ended at each target, and what waits. It is the same from any hub."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from sqlalchemy import select

from mombus.journal.deliveries import CHUNK, IS_OUTCOME, deliveries
from mombus.journal.deliveries import targets as read_for
from mombus.journal.waiting import Wait, waiting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

d, w = deliveries.c, waiting.c

NOT_SENT = "not sent yet"
"""Read for a target, and not given to it: it is away, or the turn of this is about to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What became of one message at one target: how it ended, or why it waits.

    `state` is an outcome or a wait; `at` when it ended, or since when it waits. `level` is how far the target has it,
    `document` its number there; `due` is when it is tried again. A second effect that a person wanted has an id of its
    own, `message_id`, made of the message's.
    """

    message_id: str
    target: str
    state: str
    at: datetime
    attempts: int
    late: bool = False
    level: str | None = None
    document: str | None = None
    reason: str | None = None
    due: datetime | None = None


def arrivals(connection: Connection, ids: Sequence[str]) -> list[Arrival]:
    """What became of these messages. What still waits for its posting is there twice: delivered, and waiting."""
    known = read_for(connection)
    found: list[Arrival] = []
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        ended = select(
            d.message_id, d.target, d.outcome.label("state"), d.at, d.attempts, d.late, d.level, d.document, d.reason
        ).where(d.target.in_(known), d.message_id.in_(part), IS_OUTCOME)  # fmt: skip
        held = select(w.message_id, w.target, w.kind.label("state"), w.since.label("at"), w.attempts, w.reason, w.due)
        for statement in (ended, held.where(w.target.in_(known), w.message_id.in_(part))):
            found += [Arrival(**row) for row in connection.execute(statement).mappings()]
    return sorted(found, key=lambda one: (one.target, one.at))


def with_unsent(came: Sequence[Arrival], unsent: Iterable[Arrival]) -> list[Arrival]:
    """`came`, and what was in hand shortly before and isn't among it: that may have come to something meanwhile."""
    known = {(one.message_id, one.target) for one in came}
    return [*came, *(one for one in unsent if (one.message_id, one.target) not in known)]


def second_effects(connection: Connection, id: str) -> list[str]:
    """The ids of the second effects of a message, at whatever target."""
    found: set[str] = set()
    for target in read_for(connection):
        for table in (deliveries, waiting):
            own = table.c.message_id
            begins = (own > f"{id}:", own < f"{id};")
            found.update(connection.execute(select(own).where(table.c.target == target, *begins)).scalars())
    return sorted(found)


def that_wait(
    connection: Connection, *, targets: Collection[str], kinds: Iterable[Wait], attempts: int, before: int, limit: int
) -> list[int]:
    """The newest sequences, below `before`, of messages that wait for one of these reasons at one of these targets.

    What a replay brought waits at the place where it came; its message is where it was in history.
    """
    everything = set(kinds) == set(Wait)
    tried = [w.attempts >= attempts] if attempts else []
    found: set[int] = set()
    for target, kind in product(targets or read_for(connection), (None,) if everything else tuple(kinds)):
        chosen = [w.target == target, *tried, *([] if kind is None else [w.kind == kind])]
        for place, which in ((w.seq, w.history == 0), (w.history, w.history > 0)):
            newest = select(place).where(place < before, which, *chosen).order_by(place.desc()).limit(limit)
            found.update(connection.execute(newest).scalars())
    return sorted(found, reverse=True)[:limit]
