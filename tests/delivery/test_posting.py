"""What a target took isn't done before its document is there: it is asked, and a person sees what went wrong."""

from __future__ import annotations

from delivery_plant import QUICK, fact, hub, mes
from patience import until

from connectors.connector import Level
from mombus.delivery.commands import Command
from mombus.delivery.target import Patience, Rule, State
from mombus.journal import deliveries
from mombus.journal.waiting import Wait

POSTED = Rule(object="production_response", effect=Level.POSTED, within_s=60)


async def waits(running, kind):
    return [row.key for row in await running.delivery.waiting(kind=kind)]


async def test_a_document_that_is_refused_later_goes_to_a_person_who_may_send_it_again(bus, journal_path, sink):
    sink.level = Level.ACCEPTED
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        sink.refused["R-1"] = "the period is closed"
        await running.until_state("R-1", State.PARKED)
        (row,) = await running.delivery.waiting()
        assert (row.kind, row.reason) == (Wait.PARKED, "refused after it was taken: the period is closed")
        await bus.publish(fact("R-2"))
        await running.until_state("R-2", State.WAITING)
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        sink.refused.clear()
        sink.level = Level.POSTED
        assert (await running.status()).waiting == {Wait.PARKED: 1, Wait.BEHIND: 1}
        await running.delivery.do(Command.RETRY, "mes", row.message_id, who="ada", why="the period is open again")
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.got() == ["R-1", "R-1", "R-2"], "sent again, because it had no effect"


async def test_what_the_target_took_and_forgot_is_never_sent_again_by_itself(bus, journal_path, sink):
    sink.level = Level.ACCEPTED
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        sink.forgotten.add("R-1")
        await running.until_state("R-1", State.IN_DOUBT)
    async with hub(bus, journal_path, mes(sink, POSTED)) as running:
        (row,) = await running.delivery.waiting()
        assert row.kind is Wait.IN_DOUBT
        assert "doesn't know it any more" in row.reason
        assert sink.ledger.got() == ["R-1"]
        done = await running.delivery.do(
            Command.SENT, "mes", row.message_id, who="ada", why="it is there", document="4711"
        )
        assert done.ok
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["R-1"]


async def test_a_broken_promise_is_seen_when_its_time_is_over_not_when_it_is_asked_the_next_time(
    bus, journal_path, sink
):
    sink.level = Level.ACCEPTED
    slow = Patience(first_s=3600, most_s=3600, idle_s=0.1)
    rule = Rule(object="production_response", effect=Level.POSTED, within_s=0.5)
    async with hub(bus, journal_path, mes(sink, rule), patience=slow) as running:
        await bus.publish(fact("R-1"))
        await running.until(lambda: any(hop.late for hop in running.hops))
        assert await waits(running, Wait.POSTING) == ["R-1"]


async def test_the_position_moves_on_what_is_none_of_the_targets(bus, journal_path, sink):
    rule = Rule(object="production_response", when=lambda _seen: False)
    async with hub(bus, journal_path, mes(sink, rule), patience=QUICK) as running:
        await bus.publish_batch([fact(f"R-{n}") for n in range(3)])
        last = (await bus.js.stream_info("MOM")).state.last_seq

        async def noted() -> bool:
            return await running.delivery._journal.read(lambda c: deliveries.position(c, "mes")) == last

        await until(noted)
