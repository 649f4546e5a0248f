"""What comes for a target that is away is read and told, and goes in its order once the target is back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from delivery_plant import QUICK, fact, hub, mes, order
from patience import until

from mombus.delivery.lanes import Entry
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


def _entries(running) -> list[Entry]:
    return list(running.delivery._inboxes["mes"].hand.entries.values())
