"""What comes for a target that is away is read and told, and goes in its order once the target is back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from delivery_plant import FACT, ORDER, QUICK, fact, hub, mes, order
from patience import until

from mombus.delivery.hand import GONE_BEFORE, Hand
from mombus.delivery.lanes import Entry, Phase
from mombus.delivery.standing import Standing
from mombus.delivery.target import Condition, Rule, State
from mombus.delivery.verdict import Stop


async def test_what_a_target_lacks_is_known_while_it_is_away(bus, journal_path, sink):
    rules = (Rule(object="production_order"), Rule(object="production_response", within_s=0.001))
    sink.up = False
    async with hub(bus, journal_path, mes(sink, *rules)) as running:
        await bus.publish_batch([fact(f"R-{n}", f"PO-{n % 3}") for n in range(5)])
        await bus.publish(order("PO-9"))
        await running.until_condition(Condition.RECONNECTING)

        async def all_read() -> bool:
            return (await running.status()).in_hand == 6

        await until(all_read)
        facts, orders = (await running.status()).unsent
        assert (facts.object, facts.count, facts.late, facts.lanes_total) == ("production_response", 5, 5, 3)
        assert (orders.object, orders.count, orders.late, orders.lanes) == ("production_order", 1, 0, ("order:PO-9",))
        assert facts.since < datetime.now(UTC)
        (held,) = (entry for entry in _entries(running) if entry.key == "R-4")
        (told,) = running.delivery.unsent([held.id, "another"])
        assert (told.target, told.reason) == ("mes", "mes is reconnecting: nobody answers")
        sink.up = True
        await running.until_state("PO-9", State.DELIVERED)
        for number in range(5):
            await running.until_state(f"R-{number}", State.DELIVERED)
        status = await running.status()
        assert (status.in_hand, status.lag, status.unsent) == (0, 0, ())
    assert sorted(sink.ledger.got()) == ["PO-9", *(f"R-{n}" for n in range(5))]


async def test_a_target_that_is_away_is_tried_at_once_by_one_who_resumes_it_and_not_written_to_before(
    bus, journal_path, sink
):
    sink.up = False
    async with hub(bus, journal_path, mes(sink), patience=replace(QUICK, first_s=60.0, most_s=60.0)) as running:
        await bus.publish(fact("R-1"))
        await running.until_condition(Condition.RECONNECTING)
        running.delivery.resume("mes")
        standing = running.delivery._inboxes["mes"].standing
        assert (standing.condition, standing.going.is_set()) == (Condition.RECONNECTING, False)
        await until(lambda: sink.connects == 1)
        sink.up = True
        running.delivery.resume("mes")
        await running.until_state("R-1", State.DELIVERED)
        assert sink.connects == 2


async def test_more_than_fits_in_hand_is_counted_while_the_target_is_away(bus, journal_path, sink):
    sink.up = False
    async with hub(bus, journal_path, mes(sink), patience=replace(QUICK, window=8)) as running:
        await bus.publish_batch([fact(f"R-{n}") for n in range(30)])

        async def all_counted() -> bool:
            status = await running.status()
            return status.lag > 0 and status.lag + status.in_hand == 30

        await until(all_counted)
        sink.up = True
        await running.until_state("R-29", State.DELIVERED)
    assert sink.ledger.got() == [f"R-{n}" for n in range(30)]


async def test_in_hand_are_no_more_bytes_than_a_target_may_hold(bus, journal_path, sink, monkeypatch):
    monkeypatch.setattr("mombus.delivery.reading.MOST_BYTES", 1)
    sink.up = False
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-0"))
        await until(running.status, good=lambda status: status.in_hand == 1)
        await bus.publish_batch([fact(f"R-{n}") for n in range(1, 6)])
        await until(running.status, good=lambda status: (status.in_hand, status.lag) == (1, 5))
        sink.up = True
        await running.until_state("R-5", State.DELIVERED)
        assert _hand(running).size == 0
    assert sink.ledger.got() == [f"R-{n}" for n in range(6)]


def test_what_is_replaced_while_a_target_is_away_does_not_pile_up():
    hand = Hand(lambda: 0.0)
    first = Entry(id="R-1", seq=1, object="production_response", key="R-1", lanes=("order:PO-1",), offer=FACT)
    alone = replaced = None
    hand.add(first)
    hand.turn(first)
    for n in range(2, 10 * GONE_BEFORE):
        for key in ("PO-1", "PO-2"):
            newer = Entry(
                id=f"{key}-{n}", seq=n, object="production_order", key=key, lanes=(f"order:{key}",), revision=n,
                offer=ORDER,
            )  # fmt: skip
            older = hand.newest.get(newer.thing)
            hand.add(newer)
            if older is not None:
                hand.drop(older)
            hand.turn(newer)
            alone, replaced = newer, older
    assert [len(queue) <= GONE_BEFORE for queue in hand.ready.values()] == [True, True]
    assert (hand.ready[FACT][0], hand.ready[ORDER][-1]) == (first, alone)
    assert replaced.phase is Phase.GONE
    assert len(hand.entries) == 3


@pytest.mark.parametrize("person", [True, False])
async def test_trouble_with_the_broker_does_not_hide_that_a_target_is_away(person, sink):
    async def nobody() -> None:
        raise ConnectionError("nobody answers")

    standing = Standing(
        mes(sink, connect=nobody), patience=QUICK, clock=lambda: datetime.now(UTC), alarm=lambda _: None,
        nudge=lambda: None,
    )  # fmt: skip
    standing.stop(Stop("no such user" if person else "nobody answers", person=person))
    expected = Condition.HALTED if person else Condition.RECONNECTING
    await until(lambda: standing.condition is expected)
    standing.failing("the broker is away")
    standing.failing(None)
    assert standing.condition is expected
    await standing.leave()


async def test_a_target_that_is_left_and_stops_only_then_is_not_sought_again(sink):
    standing = Standing(
        mes(sink), patience=QUICK, clock=lambda: datetime.now(UTC), alarm=lambda _: None, nudge=lambda: None
    )  # fmt: skip
    await standing.leave()
    standing.stop(Stop("nobody answers", person=False))
    assert standing._reconnecting is None, "else it would be written to again while it is handed over"


def _entries(running) -> list[Entry]:
    return list(_hand(running).entries.values())


def _hand(running) -> Hand:
    return running.delivery._inboxes["mes"].hand
