"""Which messages a target gets: newest revisions, `when`, `map`, where a route starts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from delivery_plant import FACT, ORDER, fact, hub, mes, order
from patience import until

from connectors.connector import Accept, Effect, MappingError, RetryableError
from mombus.delivery.target import Rule, State
from mombus.journal.waiting import Wait

BUSY = RetryableError("busy", 0.5)


async def test_an_older_revision_is_superseded_however_late_it_comes(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(order("PO-1", 2))
        await running.until_state("PO-1", State.DELIVERED)
        await bus.publish(order("PO-1", 1))
        await running.until_state("PO-1", State.SUPERSEDED)
        await bus.publish(order("PO-1", 3))
        await running.until_state("PO-1", State.DELIVERED, times=2)
        assert sink.ledger.rows() == [("PO-1", 2), ("PO-1", 3)]


async def test_older_revisions_are_known_after_a_restart(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(order("PO-1", 5))
        await running.until_state("PO-1", State.DELIVERED)
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(order("PO-1", 4))
        await running.until_state("PO-1", State.SUPERSEDED)
        assert sink.ledger.rows() == [("PO-1", 5)]


async def test_only_the_newest_of_what_queues_up_is_sent(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        sink.free.clear()
        await bus.publish(order("PO-1", 1))
        await until(lambda: sink.open)
        for revision in range(2, 10):
            await bus.publish(order("PO-1", revision))
        newest = running.delivery._inboxes["mes"].hand.newest
        await until(lambda: newest["production_order", "PO-1"].revision == 9)
        sink.free.set()
        await running.until(lambda: ("PO-1", 9) in sink.ledger.rows())
        await running.until_state("PO-1", State.SUPERSEDED, times=7)
        assert sink.ledger.rows() == [("PO-1", 1), ("PO-1", 9)]


async def test_a_state_does_not_overtake_the_fact_before_it(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        sink.trouble = lambda m, attempt: RetryableError("busy") if m.revision == 1 and attempt == 1 else None
        await bus.publish(order("PO-1", 1))
        await bus.publish(fact("R-1", "PO-1"))
        await bus.publish(order("PO-1", 2))
        await running.until(lambda: ("PO-1", 2) in sink.ledger.rows())
        assert sink.ledger.got() == ["PO-1", "R-1", "PO-1"]


async def test_a_new_revision_frees_a_parked_one(bus, journal_path, sink):
    sink.trouble = lambda m, _attempt: MappingError("no end time") if m.revision == 1 else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(order("PO-1", 1))
        await running.until_state("PO-1", State.PARKED)
        await bus.publish(order("PO-1", 2))
        await running.until_state("PO-1", State.DELIVERED)
        assert sink.ledger.rows() == [("PO-1", 2)]
        assert await running.delivery.waiting() == []


async def test_facts_never_supersede(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        sink.delay_s = 0.05
        for revision in (1, 2, 3):
            await bus.publish(fact("R-1", revision=revision))
        await running.until_state("R-1", State.DELIVERED, times=3)
        assert sink.ledger.rows() == [("R-1", 1), ("R-1", 2), ("R-1", 3)]


async def test_when_decides_entry_then_every_later_revision_comes(bus, journal_path, sink):
    rule = Rule(object="production_order", when=lambda view: view["body"].get("description") == "revision 2")
    async with hub(bus, journal_path, mes(sink, rule)) as running:
        await bus.publish(order("PO-1", 1))
        await running.until_state("PO-1", State.FILTERED)
        await bus.publish(order("PO-1", 2))
        await running.until_state("PO-1", State.DELIVERED)
    async with hub(bus, journal_path, mes(sink, rule)) as running:
        await bus.publish(order("PO-2", 3))
        await bus.publish(order("PO-1", 3))
        await running.until_state("PO-1", State.DELIVERED)
        assert sink.ledger.rows() == [("PO-1", 2), ("PO-1", 3)]


async def test_a_when_that_fails_is_seen_not_guessed(bus, journal_path, sink):
    def broken(_view):
        raise ValueError("position 5: no such function")

    async with hub(bus, journal_path, mes(sink, Rule(object="production_order", when=broken))) as running:
        await bus.publish(order("PO-1", 1))
        await running.until_state("PO-1", State.PARKED)
        (row,) = await running.delivery.waiting(kind=Wait.PARKED)
        assert row.reason == "when: position 5: no such function"


async def test_map_changes_the_body_and_its_mistakes_are_parked(bus, journal_path, sink):
    def shorter(view):
        body = view["body"]
        return {**body, "description": "short"} if view["key"] == "PO-1" else {**body, "colour": "red"}

    async with hub(bus, journal_path, mes(sink, Rule(object="production_order", map=shorter))) as running:
        await bus.publish(order("PO-1", 1))
        await bus.publish(order("PO-2", 1))
        await running.until_state("PO-1", State.DELIVERED)
        await running.until_state("PO-2", State.PARKED)
        ((content,),) = sink.ledger.rows("content")
        assert b'"description":"short"' in content
        (row,) = await running.delivery.waiting()
        assert row.reason.startswith("map: ")
        assert "colour" in row.reason


async def test_a_snapshot_brings_the_latest_of_each_state_and_no_old_facts(bus, journal_path, sink):
    for n in range(4):
        await bus.publish(order(f"PO-{n % 2}", n + 1))
    await bus.publish(fact("R-old"))
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-new"))
        await running.until(lambda: {("PO-0", 3), ("PO-1", 4)} <= set(sink.ledger.rows()))
        await running.until_state("R-new", State.DELIVERED)
        assert "R-old" not in sink.ledger.got()


async def test_start_now_brings_nothing_old(bus, journal_path, sink):
    await bus.publish(order("PO-old", 1))
    async with hub(bus, journal_path, mes(sink, Rule(object="production_order", start="now"))) as running:
        await bus.publish(order("PO-new", 1))
        await running.until_state("PO-new", State.DELIVERED)
        assert sink.ledger.got() == ["PO-new"]


async def test_start_at_a_time_brings_what_was_stored_since(bus, journal_path, sink):
    await bus.publish(fact("R-before"))
    await asyncio.sleep(0.02)
    then = datetime.now(UTC)
    await asyncio.sleep(0.02)
    await bus.publish(fact("R-since"))
    async with hub(bus, journal_path, mes(sink, Rule(object="production_response", start=then))) as running:
        await running.until_state("R-since", State.DELIVERED)
        assert sink.ledger.got() == ["R-since"]


async def test_a_route_added_later_brings_its_history_and_nothing_twice(bus, journal_path, sink):
    sink.accepts = {ORDER: Accept(Effect.BLIND), FACT: Accept(Effect.BLIND)}
    facts_only = Rule(object="production_response")
    async with hub(bus, journal_path, mes(sink, facts_only)) as running:
        await bus.publish(order("PO-1", 1))
        await bus.publish(fact("R-1", "PO-9"))
        await running.until_state("R-1", State.DELIVERED)
    async with hub(bus, journal_path, mes(sink, facts_only, Rule(object="production_order"))) as running:
        await running.until_state("PO-1", State.DELIVERED)
        await bus.publish(fact("R-2", "PO-9"))
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.got() == ["R-1", "PO-1", "R-2"]


async def test_an_older_revision_in_another_lane_never_overwrites_a_newer(bus, journal_path, sink):
    """A handling unit may change its lot, and with it its lane, between two revisions."""
    newer = ("PO-1", 2)
    sink.trouble = lambda m, _attempt: None if newer in (*sink.ledger.rows(), (m.key, m.revision)) else BUSY
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(order("PO-1", 1, lanes=("order:A",)))
        await running.until_state("PO-1", State.RETRYING)
        await bus.publish(order("PO-1", 2, lanes=("order:B",)))
        await running.until_state("PO-1", State.SUPERSEDED)
        assert sink.ledger.rows() == [("PO-1", 2)]
        assert await running.delivery.waiting() == []


async def test_old_revisions_that_keep_coming_are_all_superseded(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        sink.delay_s = 0.3
        for revision in (5, 4, 3, 2):
            await bus.publish(order("PO-1", revision))
        await running.until_state("PO-1", State.SUPERSEDED, times=3)
        await running.until_state("PO-1", State.DELIVERED)
        assert sink.ledger.rows() == [("PO-1", 5)]
