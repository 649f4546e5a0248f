"""Replays: history that a person sends to a target again, and how far each has got."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, String, Table, Text, func, select, update

from mombus.journal.deliveries import IS_INTENT, deliveries
from mombus.journal.inboxes import inbox_of, shard_of, system_of
from mombus.journal.tables import Instant, metadata
from mombus.journal.upsert import upsert
from mombus.journal.waiting import Wait, take, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection


class Manner(StrEnum):
    """What a replay does about what the target has already."""

    MISSING = "missing"
    """The journal is believed: what was delivered isn't sent."""
    RESTORED = "restored"
    """The target may have lost what it had: that is sent again under its id where the target recognises it, asked for
    first where the target can be asked, and not sent where neither is possible."""
    AGAIN = "again"
    """A second effect is wanted: everything is sent under an id of its own."""


class Progress(StrEnum):
    """How far a replay is."""

    RUNNING = "running"
    DONE = "done"
    """All of it is dealt with, or parked for a person."""
    CANCELLED = "cancelled"


replays = Table(
    "replays", metadata,
    Column("id", String(40), primary_key=True),
    Column("inbox", String(40), primary_key=True),
    Column("selection", Text, nullable=False),
    Column("manner", String(16), nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("begun", Instant, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("fates", Text, nullable=False),
    Column("progress", String(16), nullable=False, index=True),
    Column("ended", Instant),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One replay to one inbox: to a target, or to one of its shards.

    `selection` says what is sent, as JSON. `total` messages up to the stream's sequence `upto` are selected; those up
    to `position` have been dealt with: `fates` counts what became of them.
    """

    id: str
    inbox: str
    selection: str
    manner: Manner
    who: str
    why: str
    begun: datetime
    total: int
    upto: int
    position: int
    fates: Mapping[str, int]
    progress: Progress
    ended: datetime | None = None

    @property
    def target(self) -> str:
        """The target that the inbox is of."""
        return system_of(self.inbox)

    @property
    def runs(self) -> bool:
        """True until it has ended."""
        return self.progress is Progress.RUNNING


def begin(connection: Connection, replay: Replay) -> None:
    """Keep a new replay."""
    row = {column.name: getattr(replay, column.name) for column in replays.c}
    upsert(connection, replays, [row | {"fates": json.dumps(dict(replay.fates))}])


def advance(connection: Connection, id: str, inbox: str, *, position: int, fates: Mapping[str, int]) -> bool:
    """Everything up to `position` is dealt with; False if the replay doesn't run any more, then nothing changes."""
    replay = find(connection, id, inbox)
    if replay is None:
        return False
    counted = Counter(replay.fates) + Counter(fates)
    return _change(connection, id, inbox, position=position, fates=json.dumps(counted))


def end(connection: Connection, id: str, inbox: str, progress: Progress, now: datetime) -> bool:
    """It is over; False if it was before."""
    return _change(connection, id, inbox, progress=progress, ended=now)


def withdraw_cancelled(connection: Connection, inbox: str, has: Callable[[str], bool]) -> int:
    """Take out what cancelled replays brought and wasn't begun, where a kill came before that; returns how many.

    `has` tells the lanes of the inbox: what is in others may be in somebody's hand.
    """
    w, d, target = waiting.c, deliveries.c, system_of(inbox)
    cancelled = select(replays.c.id).where(replays.c.inbox == inbox, replays.c.progress == Progress.CANCELLED)
    begun = select(d.message_id).where(d.target == target, IS_INTENT)
    rows = connection.execute(select(w.message_id, w.lanes).where(
        w.target == target, w.kind.in_([Wait.REPLAYED, Wait.BEHIND]), w.replay.in_(cancelled),
        w.message_id.not_in(begun),
    ))  # fmt: skip
    gone = [row[0] for row in rows if has(json.loads(row[1])[0])]
    take(connection, target, gone)
    return len(gone)


def find(connection: Connection, id: str, inbox: str) -> Replay | None:
    """One replay to one inbox."""
    r = replays.c
    row = connection.execute(select(replays).where(r.id == id, r.inbox == inbox)).mappings().first()
    return None if row is None else _replay(row)


def rows(connection: Connection, *, progress: Progress | None = None, limit: int | None = None) -> list[Replay]:
    """Replays, the newest first."""
    statement = select(replays).order_by(replays.c.begun.desc(), replays.c.id, replays.c.inbox).limit(limit)
    if progress is not None:
        statement = statement.where(replays.c.progress == progress)
    return [_replay(row) for row in connection.execute(statement).mappings()]


def left(connection: Connection, id: str, target: str) -> dict[Wait, int]:
    """How many messages that a replay brought still wait, by reason."""
    w = waiting.c
    statement = select(w.kind, func.count()).where(w.replay == id, w.target == target).group_by(w.kind)
    return {Wait(row[0]): row[1] for row in connection.execute(statement)}


def unbegun(connection: Connection, id: str, inbox: str) -> int:
    """How many messages that a replay brought to one inbox wait for their turn."""
    w, target = waiting.c, system_of(inbox)
    kinds = w.kind.in_([Wait.REPLAYED, Wait.BEHIND])
    lanes = connection.execute(select(w.lanes).where(w.replay == id, w.target == target, kinds)).scalars()
    return sum(inbox in {target, inbox_of(target, shard_of(json.loads(text)[0]))} for text in lanes)


def prune(connection: Connection, before: datetime) -> int:
    """Forget replays that ended before then; returns how many."""
    return connection.execute(replays.delete().where(replays.c.ended < before)).rowcount


def _change(connection: Connection, id: str, inbox: str, **values: Any) -> bool:
    """Change a replay that runs."""
    r = replays.c
    running = (r.id == id, r.inbox == inbox, r.progress == Progress.RUNNING)
    return connection.execute(update(replays).where(*running).values(**values)).rowcount == 1


def _replay(row: Any) -> Replay:
    return Replay(
        **{**row, "manner": Manner(row["manner"]), "progress": Progress(row["progress"]),
           "fates": json.loads(row["fates"])}
    )  # fmt: skip
