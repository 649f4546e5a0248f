"""Another number of shards for a target: where its inboxes go on, so that nothing is lost and nothing comes twice.

Outcomes, revisions and what waits are the target's, whatever inbox a lane is in; only how far is read, where routes
begin and how far replays are is an inbox's. All new inboxes go on where the furthest behind of the old ones is: what
of it is done meets the outcomes. Done in the transaction that opens an inbox, under its lease, while nobody can have
a lease for another number of shards.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from mombus.journal.databases import alone
from mombus.journal.deliveries import positions, starts
from mombus.journal.inboxes import system_of
from mombus.journal.replays import replays
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def noted(connection: Connection, system: str) -> set[str]:
    """The inboxes of a target that the journal knows."""
    found: set[str] = set()
    for table in (positions, starts):
        names = connection.execute(select(table.c.inbox).where(_of(table, system))).scalars()
        found.update(name for name in names if system_of(name) == system)
    return found


def arrange(connection: Connection, system: str, inboxes: Sequence[str]) -> None:
    """Let a target's `inboxes` go on from what was noted for others."""
    alone(connection)
    others = noted(connection, system) - set(inboxes)
    if not others:
        return
    if furthest := _positions(connection, others):
        upsert(connection, positions, [{"inbox": inbox, "seq": min(furthest)} for inbox in inboxes])
    begun = _starts(connection, others)
    upsert(connection, starts, [{**row, "inbox": inbox} for inbox in inboxes for row in begun])
    _replays(connection, others, inboxes)
    for table in (positions, starts, replays):
        connection.execute(delete(table).where(table.c.inbox.in_(others)))


def _of(table: Table, system: str) -> Any:
    return (table.c.inbox == system) | table.c.inbox.startswith(f"{system}:", autoescape=True)


def _positions(connection: Connection, inboxes: set[str]) -> list[int]:
    return list(connection.execute(select(positions.c.seq).where(positions.c.inbox.in_(inboxes))).scalars())


def _starts(connection: Connection, inboxes: set[str]) -> list[dict[str, Any]]:
    """Where each route begins: at the first of the beginnings, and fresh if one inbox hasn't read for it yet.

    One that is fresh begins where it was noted; the others may have gone on from there.
    """
    s = starts.c
    rows = connection.execute(
        select(s.what, s.from_seq, s.from_time, s.fresh).where(s.inbox.in_(inboxes)).order_by(s.from_seq.desc())
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows.mappings():
        before = found.get(row["what"])
        found[row["what"]] = {**row, "fresh": row["fresh"] or bool(before and before["fresh"])}
    return list(found.values())


def _replays(connection: Connection, inboxes: set[str], new: Sequence[str]) -> None:
    """Each replay goes on where the furthest behind of its inboxes is; one counts what became of the messages."""
    rows = connection.execute(select(replays).where(replays.c.inbox.in_(inboxes))).mappings().all()
    for id in {row["id"] for row in rows}:
        mine = [row for row in rows if row["id"] == id]
        last = min(mine, key=lambda row: (row["ended"] is not None, row["position"]))
        fates = sum((Counter(json.loads(row["fates"])) for row in mine), Counter[str]())
        upsert(connection, replays, [
            {**last, "inbox": inbox, "fates": json.dumps({} if number else fates)} for number, inbox in enumerate(new)
        ])  # fmt: skip
