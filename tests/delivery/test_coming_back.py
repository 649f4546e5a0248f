"""What comes back from the waiting room: no more than there is room for, and nothing that a person keeps."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

from delivery_plant import FACT, Ledger, Sink, fact, hub, mes, order
from patience import until

from canonical.wire import to_headers
from connectors.connector import Accept, Effect, MappingError
from mombus.delivery.commands import Command
from mombus.delivery.hand import Hand
from mombus.delivery.lanes import Entry
from mombus.delivery.target import State
from mombus.journal import waiting
from mombus.journal.journal import Journal
from mombus.journal.waiting import Wait


async def test_what_is_held_stays_though_it_was_to_be_tried_when_its_target_goes_on(bus, journal_path, sink):
    sink.trouble = lambda m, attempt: MappingError("bad") if m.key == "PO-1" and attempt == 1 else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(order("PO-1"))
        await running.until_state("PO-1", State.PARKED)
        (row,) = await running.delivery.waiting()
        await running.halt("the line is being cleaned")
        assert (await running.delivery.do(Command.RETRY, "mes", row.message_id, who="ada", why="mended")).ok
        assert (await running.delivery.do(Command.HOLD, "mes", row.message_id, who="bob", why="not yet")).ok
        running.delivery.resume("mes")
        await bus.publish(order("PO-2"))
        await running.until_state("PO-2", State.DELIVERED)
        (row,) = await running.delivery.waiting()
        assert (row.key, row.kind) == ("PO-1", Wait.HELD)
        assert sink.ledger.got() == ["PO-2"]
        assert (await running.delivery.do(Command.RELEASE, "mes", row.message_id, who="bob", why="now")).ok
        await running.until_state("PO-1", State.DELIVERED)
        assert await running.delivery.waiting() == []


async def test_no_more_comes_back_than_there_is_room_for(bus, journal_path, sink, monkeypatch):
    """A target that was away for days has a hundred thousand waiting: their bodies aren't all in memory at once."""
    monkeypatch.setattr("mombus.delivery.loading.MOST_BYTES", 1)
    monkeypatch.setattr("mombus.delivery.loading.LOAD", 5)
    await retrying(journal_path, [fact(f"R-{n}", f"PO-{n}") for n in range(60)])
    slow = SlowSink(sink.ledger)
    async with hub(bus, journal_path, mes(slow)) as running:
        await until(lambda: slow.held == 5)
        entries = running.delivery._inboxes["mes"].hand.entries.values()
        assert sum(entry.message is not None for entry in entries) == 5
        slow.go.set()
        await running.until(lambda: [hop.state for hop in running.hops].count(State.DELIVERED) == 60)
        hand = running.delivery._inboxes["mes"].hand
        assert (hand.loaded, hand.entries) == (0, {})
    assert sorted(sink.ledger.got()) == sorted(f"R-{n}" for n in range(60))


def test_the_room_of_what_comes_back_twice_is_taken_once_and_given_back():
    hand, message = Hand(lambda: 0.0), fact("R-1")
    entry = Entry(id=message.id, seq=1, object=message.object, key=message.key, lanes=message.lanes)
    hand.load(entry, message)
    once = hand.loaded
    hand.load(entry, message)
    assert (hand.loaded, entry.message) == (once, message)
    hand.unload(entry)
    assert (hand.loaded, entry.message) == (0, None)


class SlowSink(Sink):
    """Holds what it gets until it may go."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger, {FACT: Accept(Effect.FINDABLE, batch=100, concurrency=10)})
        self.go = asyncio.Event()
        self.held = 0

    async def write(self, messages):
        self.held += len(messages)
        await self.go.wait()
        return await super().write(messages)


async def retrying(journal_path, messages) -> None:
    """Messages that wait for `mes`, and whose time has come."""
    now = datetime.now(UTC)
    same = {
        "target": "mes", "object": "production_response", "revision": None, "kind": Wait.RETRYING, "reason": "busy",
        "since": now, "attempts": 1, "due": now, "deadline": None, "waived": False, "missing_object": None,
        "missing_id": None, "replay": None, "history": 0,
    }  # fmt: skip
    rows = [
        {**same, "message_id": message.id, "seq": seq, "key": message.key, "lanes": json.dumps(message.lanes),
         "headers": json.dumps(to_headers(message)), "content": message.content}
        for seq, message in enumerate(messages)
    ]  # fmt: skip
    journal = await Journal.open(f"sqlite:///{journal_path}")
    await journal.write(lambda connection: waiting.put(connection, rows))
    await journal.close()
