"""The way on when journal and broker don't belong together: the journal adopts the broker's streams as they are.

Nothing is sent again that may have been sent, as far as the broker still tells. Where it has the targets' readers, they
say what was settled: reading goes on behind that, and what was in hand there counts as begun. It is read back in
targets that can be asked, sent under its old id to those that know it, and in doubt everywhere else. Where the broker
has no reader of a target, reading goes on with what comes from now on.

What only the lost copy knew is gone: what waited in a lost journal, what was said after a lost broker's backup.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import delete, update

from mombus.bus.streams import MOM
from mombus.delivery.opening import ADOPTED
from mombus.hub.store.belonging import Found, difference, known, leave, look
from mombus.hub.store.trail import remember
from mombus.journal import audit, belonging, deliveries
from mombus.journal.audit import Deed
from mombus.journal.deliveries import Outcome, positions, starts, streams
from mombus.journal.inboxes import system_of
from mombus.journal.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.js import JetStreamContext
    from nats.js.api import ConsumerInfo
    from sqlalchemy import Connection

    from canonical.message import Message
    from mombus.bus.connection import Bus
    from mombus.journal.journal import Journal

DURABLE = "to-"
MOST_IN_HAND = 5000


@dataclass(frozen=True, slots=True)
class Place:
    """Where an inbox's reading goes on: after `seq`; `in_hand` had begun there, by sequence."""

    inbox: str
    seq: int
    in_hand: tuple[tuple[int, Message], ...] = ()

    def __str__(self) -> str:
        begun = f", {len(self.in_hand)} messages there may have taken effect" if self.in_hand else ""
        return f"{self.inbox}: reading goes on after {self.seq}{begun}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What adopting would do. `wrong` is why it is needed, None if it isn't."""

    wrong: str | None
    found: Found
    places: tuple[Place, ...]


async def plan(bus: Bus, journal: Journal, site: str) -> Plan:
    """What is wrong, and where each target's reading would go on. Raises NotOurs when MOM or LATEST is gone."""
    found = await look(bus.js, site)
    mine, created = await journal.read(known)
    settled = await journal.read(lambda c: {name: deliveries.position(c, name) or 0 for name in deliveries.inboxes(c)})
    same = created in {None, found.created} and (mine is None or found.last_seq >= mine.last_seq)
    readers = {one.name.removeprefix(DURABLE): one for one in await _readers(bus.js)} if same else {}
    places = [
        await _place(bus, target, settled.get(target, 0), readers.get(target), found.last_seq, fresh=mine is None)
        for target in sorted({*settled, *readers})
    ]
    return Plan(difference(mine, created, found), found, tuple(places))


async def adopt(bus: Bus, journal: Journal, site: str, plan: Plan, *, who: str | None, why: str) -> None:
    """Do what the plan says; audited."""
    above = plan.found.left.mark if plan.found.left else 0
    deed = Deed(
        at=datetime.now(UTC), who=who or getpass.getuser(), action="adopt", target=None, message_id=None, why=why,
        result="; ".join([plan.wrong or "nothing was wrong", *map(str, plan.places)]),
    )  # fmt: skip

    def work(connection: Connection) -> belonging.Mark:
        connection.execute(delete(streams).where(streams.c.name == MOM))
        deliveries.same_stream(connection, MOM, plan.found.created)
        for place in plan.places:
            _go_on(connection, place)
        audit.note(connection, deed)
        return belonging.adopt(connection, above, plan.found.last_seq)

    await leave(bus.js, site, await journal.write(work))
    newest, _ = await journal.read(partial(audit.heads, at=0))
    if newest is not None:
        await remember(bus.js, site, newest)


async def _readers(js: JetStreamContext) -> Sequence[ConsumerInfo]:
    found: list[ConsumerInfo] = []
    while page := await js.consumers_info(MOM, offset=len(found)):
        found += page
    return [one for one in found if one.config.durable_name and one.name.startswith(DURABLE)]


async def _place(
    bus: Bus, inbox: str, known: int, reader: ConsumerInfo | None, last: int, *, fresh: bool
) -> Place:  # fmt: skip
    """A journal that knows more than the reader goes on by itself; positions beyond the stream's end go back to it."""
    if reader is None:
        return Place(inbox, last if fresh else min(known, last))
    floor = (reader.ack_floor.stream_seq or 0) if reader.ack_floor else 0
    reached = (reader.delivered.stream_seq or 0) if reader.delivered else 0
    after = min(max(known, floor), last)
    in_hand = [
        (seq, message)
        for seq in range(after + 1, min(reached, last, after + MOST_IN_HAND) + 1)
        if (message := await bus.at(MOM, seq)) is not None
    ]
    return Place(inbox, after, tuple(in_hand))


def _go_on(connection: Connection, place: Place) -> None:
    upsert(connection, positions, [{"inbox": place.inbox, "seq": place.seq}])
    begins = starts.c
    connection.execute(
        update(starts).where(begins.inbox == place.inbox, begins.from_seq > place.seq + 1)
        .values(from_seq=place.seq + 1)
    )  # fmt: skip
    upsert(connection, starts, [
        {"inbox": place.inbox, "what": ADOPTED, "from_seq": place.seq + 1, "from_time": None, "fresh": False}
    ])  # fmt: skip
    now, target = datetime.now(UTC), system_of(place.inbox)
    done = deliveries.look_up(connection, target, [message.id for _, message in place.in_hand], (), ()).done
    rows = [
        {"target": target, "message_id": message.id, "seq": seq, "object": message.object, "key": message.key,
         "outcome": Outcome.INTENT, "late": False, "at": now, "replied": True}
        for seq, message in place.in_hand
        if message.id not in done
    ]  # fmt: skip
    if rows:
        deliveries.intend(connection, target, rows)
