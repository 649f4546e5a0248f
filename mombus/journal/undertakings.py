"""What a person decided and the hub has begun outside of the journal: there until how it ended is written down.

What has its effect in the journal alone is in one transaction with its note. What the broker has to store isn't: after
a kill in between it is gone on with from here, as everything that is undertaken may be done once more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Column, String, Table, Text, delete, select, update

from mombus.journal.databases import storable
from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

undertakings = Table(
    "undertakings", metadata,
    Column("id", String(200), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("since", Instant, nullable=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Undertaking:
    """One of them. `id` is that of what it is about, `said` what is needed to go on with it, `since` when it began."""

    id: str
    kind: str
    who: str
    why: str
    said: Mapping[str, str]
    since: datetime


def begin(connection: Connection, undertaking: Undertaking) -> None:
    """From here on it is gone on with until it has ended. About the same thing there is one at a time."""
    upsert(connection, undertakings, [{
        "id": undertaking.id, "kind": undertaking.kind, "who": storable(undertaking.who),
        "why": storable(undertaking.why), "said": json.dumps(undertaking.said), "since": undertaking.since,
    }])  # fmt: skip


def end(connection: Connection, id: str) -> bool:
    """How it ended is written down now; False if it was before."""
    return connection.execute(delete(undertakings).where(undertakings.c.id == id)).rowcount == 1


def is_under_way(connection: Connection, id: str) -> bool:
    """True until it has ended."""
    return connection.execute(select(undertakings.c.id).where(undertakings.c.id == id)).first() is not None


def take_up(connection: Connection, *, before: datetime, now: datetime) -> list[Undertaking]:
    """Those that were begun before then and haven't ended, the oldest first; they begin anew: nobody else gets them."""
    u = undertakings.c
    left = connection.execute(select(undertakings).where(u.since < before).order_by(u.since)).mappings().all()
    renewed = update(undertakings).values(since=now)
    return [
        Undertaking(**{**row, "said": json.loads(row["said"])})
        for row in left
        if connection.execute(renewed.where(u.id == row["id"], u.since == row["since"])).rowcount == 1
    ]
