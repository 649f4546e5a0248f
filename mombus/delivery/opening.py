"""Where an inbox begins: the journal's position, the beginnings of new routes, and what waited at the stop."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from canonical.objects import Kind, data_object
from connectors.connector import Offer
from mombus.delivery.arrivals import Beginning
from mombus.delivery.lanes import Entry, Phase
from mombus.delivery.reader import STREAM, OtherStream
from mombus.delivery.routing import Routing
from mombus.journal import deliveries, sharding, waiting
from mombus.journal.deliveries import starts
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from mombus.delivery.reader import Reader
    from mombus.delivery.target import Rule, Target
    from mombus.journal.journal import Journal


async def note_beginnings(journal: Journal, reader: Reader, targets: Sequence[Target]) -> None:
    """Note where the targets' new routes begin, before anything is read: what is stored from now on reaches them.

    For hubs that share a journal, where the target's inbox may open later, in another hub. Of a target whose number of
    shards changed it is noted for the inboxes that it had: those it has now go on from there. Raises OtherStream.
    """
    last, created = await reader.facts()

    def work(connection: Connection) -> None:
        _check_stream(connection, created)
        for target in targets:
            had = sharding.noted(connection, target.system)
            for inbox in [target.inbox] if not had or target.inbox in had else sorted(had):
                _note(connection, inbox, Routing(target).beginnings(), last)

    await journal.write(work)


ADOPTED = "*"
"""Noted by who adopted a stream whose journal was lost: where every route of the target goes on that isn't noted."""


async def open_reading(
    journal: Journal, reader: Reader, target: Target, routing: Routing
) -> tuple[dict[str, Beginning], int]:
    """Note new routes and return every route's beginning and the sequence to read after.

    A route that is gone is forgotten: declared again, it begins anew. Raises OtherStream when the
    stream isn't the one the journal's sequences belong to.
    """
    last, created = await reader.facts()
    inbox = target.inbox

    def work(connection: Connection) -> tuple[dict[str, Beginning], int]:
        _check_stream(connection, created)
        sharding.arrange(connection, target.system, target.inboxes)
        wanted = routing.beginnings()
        _note(connection, inbox, wanted, last)
        settled = deliveries.position(connection, inbox)
        known, fresh = _known(connection, inbox)
        begin = _begin(wanted, known, fresh, settled)
        after = min([begin[name].from_seq - 1 for name in fresh & set(wanted)] + _settled(settled))
        _remember(connection, inbox, begin, gone=set(known) - set(begin) - fresh)
        deliveries.settle(connection, inbox, after)
        return begin, after

    return await journal.write(work)


async def waiting_entries(journal: Journal, target: Target, now: datetime) -> tuple[list[Entry], set[str]]:
    """What waits for a target, as entries without their bodies, and the messages whose write had begun."""
    rows, intents = await journal.read(
        lambda connection: (
            waiting.rows(connection, target=target.system), deliveries.open_intents(connection, target.system)
        )
    )  # fmt: skip
    loop_now = asyncio.get_running_loop().time()
    mine = [row for row in rows if target.has(row.lanes[0])]
    return [_entry(row, row.message_id in intents, now, loop_now) for row in mine], intents


def _entry(row: waiting.Waiting, open: bool, now: datetime, loop_now: float) -> Entry:
    due = None if row.due is None else loop_now + max(0.0, (row.due - now).total_seconds())
    return Entry(
        id=row.message_id, seq=row.seq, object=row.object, key=row.key, lanes=row.lanes, revision=row.revision,
        roomed=True, phase=Phase.STORED, kind=row.kind, due=due, attempts=row.attempts, since=row.since,
        deadline=row.deadline, waived=row.waived, open=open, missing=row.missing, offer=Offer(row.object),
        replay=row.replay, history=row.history,
    )  # fmt: skip


def _check_stream(connection: Connection, created: datetime) -> None:
    other = deliveries.same_stream(connection, STREAM, created)
    if other is not None:
        raise OtherStream(_other_stream(other, created))


def _note(connection: Connection, inbox: str, wanted: Mapping[str, Rule], last: int) -> None:
    """Note the beginnings that aren't noted yet; they are fresh until the inbox has opened with them."""
    known, _ = _known(connection, inbox)
    adopted = known.get(ADOPTED)
    begin = {name: adopted or _beginning(rule, last) for name, rule in wanted.items() if name not in known}
    upsert(connection, starts, [
        {"inbox": inbox, "what": name, "from_seq": b.from_seq, "from_time": b.from_time, "fresh": True}
        for name, b in begin.items()
    ])  # fmt: skip


def _begin(
    wanted: Mapping[str, Rule], known: Mapping[str, Beginning], fresh: set[str], settled: int | None
) -> dict[str, Beginning]:
    """The beginnings: a new route's as it was noted, an old one's no further back than what is settled."""
    done = settled or 0
    return {
        name: known[name] if name in fresh
        else Beginning(max(known[name].from_seq, done + 1), known[name].from_time)
        for name in wanted
    }  # fmt: skip


def _beginning(rule: Rule, last: int) -> Beginning:
    if isinstance(rule.start, datetime):
        return Beginning(1, rule.start)
    if rule.start == "snapshot" and data_object(rule.object).kind is Kind.STATE:
        return Beginning(1, None)
    return Beginning(last + 1, None)


def _settled(settled: int | None) -> list[int]:
    return [] if settled is None else [settled]


def _known(connection: Connection, inbox: str) -> tuple[dict[str, Beginning], set[str]]:
    """What is noted, and which of it is fresh."""
    s = starts.c
    rows = connection.execute(select(s.what, s.from_seq, s.from_time, s.fresh).where(s.inbox == inbox)).all()
    return {row[0]: Beginning(row[1], row[2]) for row in rows}, {row[0] for row in rows if row[3]}


def _remember(connection: Connection, inbox: str, begin: Mapping[str, Beginning], gone: set[str]) -> None:
    rows = [
        {"inbox": inbox, "what": name, "from_seq": b.from_seq, "from_time": b.from_time, "fresh": False}
        for name, b in begin.items()
    ]
    upsert(connection, starts, rows)
    for name in gone:
        connection.execute(delete(starts).where(starts.c.inbox == inbox, starts.c.what == name))


def _other_stream(known: datetime, found: datetime) -> str:
    return (
        f"the broker's stream {STREAM} was created {found.isoformat()}, the journal belongs to one of "
        f"{known.isoformat()}: the broker's store was replaced or wiped. Restore the broker's store, or start with a "
        "new journal if you accept that what was in flight is unknown"
    )
