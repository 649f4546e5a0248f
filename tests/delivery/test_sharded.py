"""One target in shards: what holds across them, and what a change of their number must not break."""

from __future__ import annotations

import pytest
from delivery_plant import FACT, Ledger, Sink, after, fact, hub, mes, until

from canonical.subjects import PARTITIONS
from connectors.connector import Accept, Effect, OutcomeUnknown, Rejected
from mombus.delivery import reading
from mombus.delivery.commands import Command
from mombus.delivery.target import Rule, State
from mombus.journal.inboxes import shard_of
from mombus.journal.waiting import Wait

FACTS = Rule(object="production_response")


def shards(sink: Sink, **more):
    return [mes(sink, FACTS, shard=shard, **more) for shard in range(PARTITIONS)]


def orders(number: int) -> list[str]:
    """Orders whose lanes are in different shards, each in the one of its place."""
    found: dict[int, str] = {}
    for n in range(1000):
        found.setdefault(shard_of(f"order:PO-{n}"), f"PO-{n}")
    return [found[shard] for shard in range(number)]


@pytest.mark.parametrize(("effect", "most"), [(Effect.FINDABLE, 3), (Effect.BLIND, 1)])
async def test_all_shards_together_keep_the_connectors_limit(bus, journal_path, sink, effect, most):
    sink.accepts = {FACT: Accept(effect, concurrency=3)}
    sink.delay_s = 0.02
    async with hub(bus, journal_path, *shards(sink)):
        for n in range(2):
            await bus.publish_batch([fact(f"{order}-{n}", order) for order in orders(PARTITIONS)])
        await until(lambda: len(sink.ledger.got()) == 2 * PARTITIONS)
        assert sink.most_open == most


async def test_a_reversal_waits_for_what_is_parked_in_another_shard(bus, journal_path, sink):
    here, there = orders(2)
    sink.trouble = lambda message, attempt: Rejected("closed") if message.key == "R-1" and attempt == 1 else None
    original = fact("R-1", here)
    async with hub(bus, journal_path, *shards(sink)) as running:
        await bus.publish(original)
        await running.until_state("R-1", State.PARKED)
        await bus.publish(fact("R-2", there, reverses=original.id))
        await running.until_state("R-2", State.WAITING, times=6)
        rows = {row.key: row for row in await running.delivery.waiting()}
        assert rows["R-2"].kind is Wait.AFTER
        assert rows["R-2"].attempts == 0, "however often it was looked at"
        await running.delivery.do(Command.RETRY, "mes", original.id, who="ada", why="open again")
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.rows("key, document") == [("R-1", None), ("R-2", "DOC-R-1")]


async def test_a_reversal_waits_for_what_another_shard_has_not_read(bus, journal_path, sink):
    here, there = orders(2)
    original = fact("R-1", here)
    async with hub(bus, journal_path, *shards(sink)) as running:
        await running.halt("it is slow", "mes:0")
        await bus.publish(original)
        await bus.publish(fact("R-2", there, reverses=original.id))
        await running.until_state("R-2", State.WAITING)
        (row,) = await running.delivery.waiting()
        assert row.kind is Wait.AFTER
        running.delivery._inboxes["mes:0"].resume()
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.rows("key, document") == [("R-1", None), ("R-2", "DOC-R-1")]


async def test_a_reversal_of_what_never_was_goes_to_a_person_when_all_shards_have_passed(
    bus, journal_path, sink, monkeypatch
):
    monkeypatch.setattr(reading, "IDLE_S", 0.1)
    async with hub(bus, journal_path, *shards(sink)) as running:
        await bus.publish(fact("R-2", orders(1)[0], reverses="never-said"))
        await running.until_state("R-2", State.PARKED)
        assert sink.ledger.got() == []


async def test_another_number_of_shards_loses_nothing_and_repeats_nothing(bus, journal_path, tmp_path):
    """Parked, behind, in doubt at the stop, unread: all of it goes on in the new shards, in order, and back again."""
    lanes = orders(5)
    sink = Sink(Ledger(tmp_path / "mes.db"))
    sent: list[str] = []

    async def say(round: int) -> None:
        facts = [fact(f"{order}-{round}", order) for order in lanes]
        await bus.publish_batch(facts)
        sent.extend(one.key for one in facts)

    def trouble(message, attempt):
        if message.key == f"{lanes[0]}-0" and attempt == 1:
            return Rejected("the period is closed")
        lost = message.key.startswith(tuple(lanes[1:3])) and attempt == 1
        return after(OutcomeUnknown("cut")) if lost and message.key.startswith(lanes[1]) else (
            OutcomeUnknown("cut") if lost else None
        )  # fmt: skip

    sink.trouble = trouble
    numbers = [1, PARTITIONS, 1, PARTITIONS]
    for round, number in enumerate(numbers):
        targets = [mes(sink, FACTS)] if number == 1 else shards(sink)
        async with hub(bus, journal_path, *targets) as running:
            await say(round)
            await running.until_state(f"{lanes[4]}-{round}", State.DELIVERED)
            await until(lambda: sink.tries.get(fact(f"{lanes[3]}-{round}", lanes[3]).id))  # noqa: B023
        await say(10 + round)
    async with hub(bus, journal_path, mes(sink, FACTS)) as running:
        (parked,) = await running.delivery.waiting(kind=Wait.PARKED)
        await running.delivery.do(Command.RETRY, "mes", parked.message_id, who="ada", why="open again")
        await until(lambda: len(sink.ledger.got()) >= len(sent))
        await until(lambda: nothing_waits(running))
    got = sink.ledger.got()
    assert sorted(got) == sorted(sent)
    assert [[key for key in got if key.startswith(f"{lane}-")] for lane in lanes] == [
        [key for key in sent if key.startswith(f"{lane}-")] for lane in lanes
    ]


async def nothing_waits(running) -> bool:
    return not await running.delivery.waiting()
