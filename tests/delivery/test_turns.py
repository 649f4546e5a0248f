"""What goes when: not in a closed window, not faster than the rate, not beside its like, not before its forerunner."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from delivery_plant import FACT, ORDER, QUICK, fact, hub, mes, order
from patience import until

from connectors.connector import Accept, Effect, Level, MappingError, NotConnected
from mombus.config.closing import Closing
from mombus.delivery.commands import Command
from mombus.delivery.target import Condition, Rule, State
from mombus.journal.waiting import Wait

RULES = (Rule(object="production_order"), Rule(object="production_response"))


class Together:
    """Notes which messages of a sink are being written at once."""

    def __init__(self, sink) -> None:
        self.now: list[str] = []
        self.met: set[frozenset[str]] = set()
        self._write = sink.write
        sink.write = self.write

    async def write(self, messages):
        self.now += [message.key for message in messages]
        self.met |= {frozenset((one, two)) for one in self.now for two in self.now if one != two}
        try:
            return await self._write(messages)
        finally:
            for message in messages:
                self.now.remove(message.key)


async def test_a_closed_target_is_not_written_to_and_its_deadlines_go_on(bus, journal_path, sink):
    opens = datetime.now(UTC) + timedelta(days=1)
    closed = [Closing(opens, "Sun 02:00-04:00")]
    rule = Rule(object="production_response", within_s=0.01)
    target = mes(sink, rule, closed=lambda _now: closed[0])
    async with hub(bus, journal_path, target) as running:
        await running.delivery._inboxes["mes"]._reading.opened.wait()  # it may be closed before
        await bus.publish(fact("R-1"))
        await running.until_condition(Condition.CLOSED)

        async def late() -> bool:
            return (await running.status()).late == 1

        await until(late)
        status = await running.status()
        assert status.reason == f"closed until {opens.isoformat(timespec='minutes')} (Sun 02:00-04:00)"
        assert [(one.object, one.late) for one in status.unsent] == [("production_response", 1)]
        assert sink.ledger.got() == []
        assert await running.delivery.waiting() == [], "it stays in hand: no row is needed for it"
    closed[0] = None
    async with hub(bus, journal_path, target) as running:
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["R-1"]


async def test_a_target_that_opens_gets_what_was_kept_back(bus, journal_path, sink):
    opens = datetime.now(UTC) + timedelta(seconds=0.5)
    target = mes(sink, *RULES, closed=lambda now: Closing(opens, "today") if now < opens else None)
    async with hub(bus, journal_path, target) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        assert datetime.now(UTC) >= opens
        await running.until_condition(Condition.RUNNING)


async def test_no_more_than_the_rate_is_written(bus, journal_path, sink):
    sink.accepts = {FACT: Accept(Effect.IDEMPOTENT, batch=10, concurrency=4)}
    async with hub(bus, journal_path, mes(sink, RULES[1], rate_per_s=20.0)) as running:
        started = time.monotonic()
        await bus.publish_batch([fact(f"R-{n}", f"PO-{n}") for n in range(30)])
        await running.until_state("R-29", State.DELIVERED)
        await running.until(lambda: len(sink.ledger.got()) == 30)
        assert time.monotonic() - started >= 10 / 20, "after what one second allows, no faster than the rate"


async def test_two_messages_that_name_one_material_are_never_written_at_once_and_others_are(bus, journal_path, sink):
    sink.accepts = {
        FACT: Accept(Effect.FINDABLE, concurrency=4, serialise_by=frozenset({"production_order"})),
        ORDER: Accept(Effect.FINDABLE),
    }
    sink.delay_s = 0.05
    together = Together(sink)
    async with hub(bus, journal_path, mes(sink, *RULES)) as running:
        await running.halt("so that all are ready at once")
        await bus.publish_batch([
            fact(f"{one}-{n}", one, lanes=(f"line:{one}{n}",)) for one in ("A", "B") for n in range(3)
        ])  # fmt: skip
        running.delivery.resume("mes")
        await running.until(lambda: len(sink.ledger.got()) == 6)
    pairs = {tuple(sorted(key[0] for key in pair)) for pair in together.met}
    assert pairs == {("A", "B")}, "those of one order one after the other, those of two orders side by side"


async def test_keys_are_locked_for_the_system_as_well_and_several_lock_nothing_up(bus, journal_path, sink):
    sink.accepts = {FACT: Accept(Effect.FINDABLE, concurrency=8)}
    sink.trouble = lambda m, attempt: MappingError("bad") if m.key == "R-3" else None
    both = frozenset({"production_order", "equipment"})
    async with hub(bus, journal_path, mes(sink, RULES[1], serialise_by=both)) as running:
        await bus.publish_batch([fact(f"R-{n}", f"PO-{n % 3}", lanes=(f"l:{n}",)) for n in range(12)])
        await running.until(lambda: len(sink.ledger.got()) == 11)
        await running.until_state("R-3", State.PARKED)
        assert [key for key in sink.ledger.got() if int(key[2:]) % 3 == 1] == ["R-1", "R-4", "R-7", "R-10"]


async def test_a_lock_is_given_back_when_the_target_is_gone(bus, journal_path, sink):
    sink.accepts = {FACT: Accept(Effect.FINDABLE, concurrency=4)}
    sink.trouble = lambda _m, attempt: NotConnected("gone") if attempt == 1 else None
    target = mes(sink, RULES[1], serialise_by=frozenset({"production_order"}))
    async with hub(bus, journal_path, target) as running:
        await bus.publish_batch([fact(f"R-{n}", lanes=(f"l:{n}",)) for n in range(3)])
        await running.until(lambda: len(sink.ledger.got()) == 3)


async def test_two_revisions_of_one_thing_in_different_lanes_are_not_in_flight_at_once(bus, journal_path, sink):
    sink.accepts = {ORDER: Accept(Effect.FINDABLE, concurrency=4)}
    sink.delay_s = 0.05
    async with hub(bus, journal_path, mes(sink, RULES[0])) as running:
        await running.halt("so that both are ready at once")
        older, newer = order(revision=1, lanes=("line:1",)), order(revision=2, lanes=("line:2",))
        await bus.publish_batch([older, newer])
        running.delivery.resume("mes")
        await running.until_state("PO-1", State.DELIVERED)
        await running.until(lambda: len([h for h in running.hops if h.key == "PO-1"]) >= 2)
    assert sink.most_open == 1
    assert sink.ledger.rows()[-1] == ("PO-1", 2)


AFTER = (
    Rule(object="production_order", effect=Level.POSTED),
    Rule(object="production_response", after=frozenset({"production_order"})),
)


def in_lane(n: int, lane: str = "PO-1"):
    return order(f"PO-{n}", lanes=(f"order:{lane}",))


async def test_what_comes_after_another_waits_until_that_is_posted(bus, journal_path, sink):
    sink.level = Level.ACCEPTED
    async with hub(bus, journal_path, mes(sink, *AFTER)) as running:
        await bus.publish(in_lane(1))
        await bus.publish(fact("R-1"))
        await bus.publish(fact("R-2"))
        await bus.publish(fact("R-9", "PO-9"))
        await running.until_state("R-9", State.DELIVERED)
        await running.until_state("R-2", State.WAITING)
        rows = {row.key: row for row in await running.delivery.waiting()}
        assert rows["R-1"].kind is Wait.AFTER
        assert rows["R-1"].reason == "after production_order PO-1, which isn't posted yet"
        assert rows["R-2"].kind is Wait.BEHIND
    async with hub(bus, journal_path, mes(sink, *AFTER)) as running:
        await running.until(lambda: running.states("R-1").count(State.WAITING) == 1)
        assert sink.ledger.got() == ["PO-1", "R-9"]
        sink.level = Level.POSTED
        await running.until_state("R-2", State.DELIVERED)
        assert sink.ledger.got() == ["PO-1", "R-9", "R-1", "R-2"]


async def test_a_person_lets_it_go_before_its_forerunner_or_ends_that(bus, journal_path, sink):
    sink.level = Level.ACCEPTED
    seldom = replace(QUICK, first_s=60, most_s=60)
    async with hub(bus, journal_path, mes(sink, *AFTER), patience=seldom) as running:
        for n in (1, 2):
            await bus.publish(in_lane(n, f"PO-{n}"))
            await bus.publish(fact(f"R-{n}", f"PO-{n}"))
            await running.until_state(f"R-{n}", State.WAITING)
        rows = {row.key: row.message_id for row in await running.delivery.waiting()}
        await running.delivery.do(Command.RELEASE, "mes", rows["R-1"], who="ada", why="it may")
        await running.until_state("R-1", State.DELIVERED)
        done = await running.delivery.do(Command.SENT, "mes", rows["PO-2"], who="ada", why="seen", document="7")
        assert done.ok, done.text
        await running.until_state("R-2", State.DELIVERED)
