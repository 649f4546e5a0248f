"""One message, one effect: order, concurrency, retries, poison, doubt."""

from __future__ import annotations

from delivery_plant import FACT, NOW, ORDER, Ledger, Sink, after, fact, hub, letters, mes, order, target
from patience import until
from proof import Part

from canonical.wire import MESSAGE_ID, to_headers
from connectors.connector import Accept, Effect, Halted, MappingError, OutcomeUnknown, Rejected, RetryableError
from mombus.delivery.commands import Command
from mombus.delivery.target import Condition, Rule, State
from mombus.journal.waiting import Wait


async def test_what_is_published_takes_effect_once(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(order("PO-1"))
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["PO-1", "R-1"]
        hop = next(hop for hop in running.hops if hop.key == "PO-1")
        assert hop.document == "DOC-PO-1"
        assert hop.delay_s is not None
        assert 0 <= hop.delay_s < 60


async def test_a_target_gets_nothing_it_said_itself(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1", source="mes"))
        await running.until_state("R-1", State.FILTERED)
        assert sink.ledger.got() == []


async def test_order_within_a_lane_concurrency_across(bus, journal_path, sink):
    sink.accepts = {FACT: Accept(Effect.IDEMPOTENT, concurrency=4)}
    sink.delay_s = 0.005
    async with hub(bus, journal_path, mes(sink)) as running:
        for n in range(10):
            for lane in "ABCDEF":
                await bus.publish(fact(f"{lane}-{n:02}", f"PO-{lane}"))
        await running.until(lambda: len(running.hops) >= 60)
        for lane in "ABCDEF":
            assert [key for key in sink.ledger.got() if key[0] == lane] == [f"{lane}-{n:02}" for n in range(10)]
        assert 2 <= sink.most_open <= 4


async def test_a_batch_holds_one_message_of_a_lane(bus, journal_path, sink):
    sink.accepts = {FACT: Accept(Effect.IDEMPOTENT, batch=50)}
    for n in range(5):
        for lane in range(20):
            await bus.publish(fact(f"{lane}-{n}", f"PO-{lane}"))
    from_then = Rule(object="production_response", start=NOW)
    async with hub(bus, journal_path, mes(sink, from_then)) as running:
        await running.until(lambda: len(running.hops) >= 100)
    assert max(sink.batches) > 1
    for lane in range(20):
        assert [k for k in sink.ledger.got() if k.startswith(f"{lane}-")] == [f"{lane}-{n}" for n in range(5)]


async def test_blind_targets_get_one_at_a_time(bus, journal_path, sink):
    sink.accepts = {FACT: Accept(Effect.BLIND, batch=50, concurrency=8)}
    sink.delay_s = 0.002
    async with hub(bus, journal_path, mes(sink)) as running:
        for n in range(12):
            await bus.publish(fact(f"R-{n}", f"PO-{n}"))
        await running.until(lambda: len(running.hops) >= 12)
    assert sink.most_open == 1
    assert set(sink.batches) == {1}


async def test_not_now_is_tried_again_and_what_follows_waits_behind(bus, journal_path, sink):
    sink.trouble = lambda m, attempt: RetryableError("busy") if m.key == "A-1" and attempt < 3 else None
    async with hub(bus, journal_path, mes(sink)) as running:
        for key in ("A-1", "A-2", "A-3"):
            await bus.publish(fact(key, "PO-A"))
        await bus.publish(fact("B-1", "PO-B"))
        await running.until_state("A-3", State.DELIVERED)
        await running.until_state("B-1", State.DELIVERED)
        a_lane = [key for key in sink.ledger.got() if key[0] == "A"]
        assert a_lane == ["A-1", "A-2", "A-3"]
        assert running.states("A-1").count(State.RETRYING) == 2
        assert await running.delivery.waiting() == []


async def test_retry_after_is_honoured(bus, journal_path, sink):
    sink.trouble = lambda _m, attempt: RetryableError("busy", 0.4) if attempt == 1 else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        retried, delivered = (hop.at for hop in running.hops)
        assert (delivered - retried).total_seconds() >= 0.39


async def test_a_poisoned_lane_stops_no_other_and_replays_in_order(bus, journal_path, sink):
    poisoned = True
    sink.trouble = lambda m, _attempt: MappingError("no such unit") if poisoned and m.key == "A-1" else None
    async with hub(bus, journal_path, mes(sink)) as running:
        for n in range(1, 6):
            await bus.publish(fact(f"A-{n}", "PO-A"))
            await bus.publish(fact(f"B-{n}", "PO-B"))
        await running.until_state("B-5", State.DELIVERED)
        await running.until_state("A-1", State.PARKED)
        await running.until_state("A-5", State.WAITING)
        waiting = await running.delivery.waiting(lane="order:PO-A")
        assert [row.key for row in waiting] == [f"A-{n}" for n in range(1, 6)]
        assert [row.kind for row in waiting] == [Wait.PARKED] + [Wait.BEHIND] * 4
        assert waiting[0].reason == "no such unit"
        poisoned = False
        done = await running.delivery.do(
            Command.RELEASE, "mes", waiting[0].message_id, who="ada", why="unit added in the target"
        )
        assert done.ok
        await running.until_state("A-5", State.DELIVERED)
        assert [key for key in sink.ledger.got() if key[0] == "A"] == [f"A-{n}" for n in range(1, 6)]


async def test_tried_too_often_is_parked(bus, journal_path, sink, proof):
    sink.trouble = lambda _m, _attempt: RetryableError("HTTP 500")
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.PARKED)
        (row,) = await running.delivery.waiting()
        assert row.reason == "tried 4 times: HTTP 500"
        assert row.attempts == 4
    proof(
        Part.TARGET,
        fault="500 every time",
        load="1 fact, 4 tries allowed",
        expected="delayed retries, then parked for a person with the reason",
        seen=f"{sum(sink.tries.values())} tries, then parked: {row.reason}",
    )


async def test_one_dead_letter_per_parking(bus, journal_path, sink):
    sink.trouble = lambda _m, _attempt: Rejected("closed period")
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.PARKED)
        (row,) = await running.delivery.waiting()
        await running.delivery.do(Command.RETRY, "mes", row.message_id, who="ada", why="try")
        await running.until_state("R-1", State.PARKED, times=2)
        await until(lambda: letters(bus, 2))
        letter = await bus.js.get_last_msg("DEAD", "dead.lyon.mes.>")
        assert letter.headers["mombus-reason"] == "closed period"


async def test_a_lost_answer_is_read_back(bus, journal_path, sink):
    sink.trouble = lambda _m, attempt: after(OutcomeUnknown("connection reset")) if attempt == 1 else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["R-1"]
        assert len(sink.finds) == 1


async def test_a_lost_request_is_sent_again_after_reading_back(bus, journal_path, sink):
    sink.trouble = lambda _m, attempt: OutcomeUnknown("connection reset") if attempt == 1 else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["R-1"]
        assert len(sink.finds) >= 2, "as long as it may still come, being absent proves nothing"


async def test_what_takes_effect_long_after_its_call_ended_is_not_written_again(bus, journal_path, sink):
    late = []
    sink.trouble = lambda message, _attempt: late.append(message) or OutcomeUnknown("timed out")
    async with hub(bus, journal_path, mes(sink, calm_s=60.0)) as running:
        await bus.publish_batch([fact("R-1"), fact("R-2"), fact("other", "PO-2")])
        await until(lambda: len(set(sink.finds)) == 2)
    async with hub(bus, journal_path, mes(sink, calm_s=60.0)) as running:
        asked = len(sink.finds)
        await until(lambda: len(sink.finds) >= asked + 2)
        (mine,) = [message for message in late if message.key == "R-1"]
        sink.ledger.add(mine)
        await running.until_state("R-1", State.DELIVERED)
        assert (sink.tries[mine.id], sink.ledger.got()) == (1, ["R-1"])


async def test_only_the_lane_waits_for_calm(bus, journal_path, sink):
    sink.trouble = lambda message, _attempt: OutcomeUnknown("timed out") if message.key == "R-1" else None
    async with hub(bus, journal_path, mes(sink, calm_s=60.0)) as running:
        await bus.publish_batch([fact("R-1"), fact("R-2")])
        await running.until_state("R-1", State.RETRYING)
        await bus.publish(fact("other", "PO-2"))
        await running.until_state("other", State.DELIVERED)
        assert sink.ledger.got() == ["other"]


async def test_a_target_that_hangs_is_read_back(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink, write_timeout_s=0.1)) as running:
        sink.delay_s = 30
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.RETRYING)
        sink.delay_s = 0
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["R-1"]
        assert "took longer than 0.1 s" in running.hops[0].reason


async def test_in_doubt_waits_for_a_person(bus, journal_path, sink):
    sink.accepts = {FACT: Accept(Effect.BLIND)}
    sink.trouble = lambda m, attempt: OutcomeUnknown("reset") if attempt == 1 and m.key != "C-1" else None
    async with hub(bus, journal_path, mes(sink)) as running:
        for key, lane in (("A-1", "PO-A"), ("A-2", "PO-A"), ("B-1", "PO-B"), ("C-1", "PO-C")):
            await bus.publish(fact(key, lane))
        await running.until_state("C-1", State.DELIVERED)
        await running.until_state("B-1", State.IN_DOUBT)
        doubts = {row.key: row.message_id for row in await running.delivery.waiting(kind=Wait.IN_DOUBT)}
        assert set(doubts) == {"A-1", "B-1"}
        refused = await running.delivery.do(Command.RETRY, "mes", doubts["A-1"], who="ada", why="hurry")
        assert not refused.ok
        assert "look in the target" in refused.text
        await running.delivery.do(Command.SENT, "mes", doubts["A-1"], who="ada", why="seen", document="4711")
        await running.delivery.do(Command.NOT_SENT, "mes", doubts["B-1"], who="ada", why="not there")
        await running.until_state("B-1", State.DELIVERED)
        await running.until_state("A-2", State.IN_DOUBT)
        assert sink.ledger.got() == ["C-1", "B-1"]
        again = await running.delivery.do(Command.SENT, "mes", doubts["A-1"], who="ada", why="seen", document="4711")
        assert not again.ok


async def test_unexpected_errors_park_with_type_and_text(bus, journal_path, sink):
    sink.trouble = lambda m, _attempt: KeyError("unit") if m.key == "A-1" else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("A-1", "PO-A"))
        await bus.publish(fact("B-1", "PO-B"))
        await running.until_state("B-1", State.DELIVERED)
        await running.until_state("A-1", State.PARKED)
        (row,) = await running.delivery.waiting()
        assert row.reason == "unexpected KeyError: 'unit'"


async def test_a_target_without_connection_loses_nothing_and_stops_no_other(bus, journal_path, sink, tmp_path):
    other = Sink(Ledger(tmp_path / "wms.db"))
    async with hub(bus, journal_path, mes(sink), target("wms", other)) as running:
        sink.up = False
        for n in range(5):
            await bus.publish(fact(f"R-{n}", f"PO-{n % 2}"))
        await running.until_state("R-4", State.DELIVERED, "wms")
        await running.until_condition(Condition.RECONNECTING)
        assert (await running.status()).reason == "nobody answers"
        assert sink.ledger.got() == []
        sink.up = True
        await running.until_state("R-4", State.DELIVERED)
        await running.until_state("R-3", State.DELIVERED)
        assert sorted(sink.ledger.got()) == other.ledger.got() == [f"R-{n}" for n in range(5)]
        assert running.states("R-0") == [State.DELIVERED]


async def test_halted_waits_for_a_person(bus, journal_path, sink):
    refused = True
    sink.trouble = lambda _m, _attempt: Halted("the token has expired") if refused else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_condition(Condition.HALTED)
        await running.until(lambda: any(hop.state is State.ALARM for hop in running.hops))
        assert (await running.status()).reason == "the token has expired"
        refused = False
        running.delivery.resume("mes")
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["R-1"]


async def test_what_the_connector_does_not_take_is_parked(bus, journal_path, sink):
    sink.accepts = {ORDER: Accept(Effect.FINDABLE)}
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.PARKED)
        assert running.hops[-1].reason == "the connector takes no sync of production_response"


async def test_the_same_message_again_meets_the_journal(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        message = fact("R-1")
        await bus.publish(message)
        await running.until_state("R-1", State.DELIVERED)
        headers = {name: value for name, value in to_headers(message).items() if name != MESSAGE_ID}
        await bus.js.publish(message.subject, message.content, headers=headers)
        await bus.publish(fact("R-2"))
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.got() == ["R-1", "R-2"]
