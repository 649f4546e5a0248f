"""Nothing unforeseen makes a target, or a lane, stand still for good without anybody being told."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace

from delivery_plant import QUICK, fact, hub, mes, order
from patience import PATIENCE_S, until

from connectors.connector import MappingError, RetryableError
from mombus.delivery import pull
from mombus.delivery.commands import Command
from mombus.delivery.delivery import Delivery
from mombus.delivery.reader import ReadingLost
from mombus.delivery.target import Missing, Rule, State
from mombus.journal.journal import Journal
from mombus.journal.waiting import Wait


async def test_a_target_comes_back_though_connecting_failed_in_an_unforeseen_way(bus, journal_path, sink):
    sink.up = False

    async def connect() -> None:
        sink.connects += 1
        if sink.connects == 1:
            raise RuntimeError("event loop of the client is gone")
        sink.up = True

    async with hub(bus, journal_path, mes(sink, connect=connect)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
    assert sink.connects == 2


async def test_a_write_that_the_client_cancels_by_itself_has_an_unknown_outcome(bus, journal_path, sink):
    def cancelled(_message, attempt):
        return asyncio.CancelledError() if attempt == 1 else None

    sink.trouble = cancelled
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        assert running.states("R-1")[:-1] == [State.RETRYING] * len(sink.finds), "it was read back until it was calm"
    assert sink.ledger.got() == ["R-1"]


async def test_a_damaged_row_of_the_waiting_room_stops_no_other_lane(bus, journal_path, sink):
    sink.trouble = lambda message, _attempt: MappingError("bad") if message.key == "R-1" else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1", "PO-1"))
        await running.until_state("R-1", State.PARKED)
        with closing(sqlite3.connect(journal_path, isolation_level=None)) as db:
            db.execute("UPDATE waiting SET headers = '{}'")
        (entry,) = running.delivery._inboxes["mes"].hand.entries.values()
        entry.kind = Wait.RETRYING
        running.delivery._inboxes["mes"].hand.turn(entry)
        running.delivery._inboxes["mes"].waking.nudge()
        await running.until(lambda: any(hop.state is State.ALARM for hop in running.hops))
        await bus.publish(fact("R-2", "PO-2"))
        await running.until_state("R-2", State.DELIVERED)


async def test_a_fault_of_our_own_in_giving_turns_is_told_and_ends_nothing(bus, journal_path, sink, monkeypatch):
    monkeypatch.setattr("mombus.delivery.turns.AGAIN_S", 0.02)
    looks = 0

    def closed(_now):
        nonlocal looks
        looks += 1
        if looks <= 2:
            raise LookupError("no such weekday")

    async with hub(bus, journal_path, mes(sink, closed=closed)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        assert any("no such weekday" in hop.reason for hop in running.hops if hop.state is State.ALARM)


async def test_an_old_revision_behind_a_message_that_is_parked_with_it_does_not_wait_as_well(bus, journal_path, sink):
    """Both come in one batch: the outcome of the old one is its end."""

    def when(seen):
        if seen["object"] == "production_response":
            raise ValueError("no such field")
        return True

    rules = (Rule(object="production_order"), Rule(object="production_response", when=when))
    async with hub(bus, journal_path, mes(sink, *rules)) as running:
        await bus.publish(order(revision=2))
        await running.until_state("PO-1", State.DELIVERED)
        await running.halt("so that both come in one batch")
        old = order(revision=1, source="planner")
        await bus.publish_batch([fact("R-1"), old])
        running.delivery.resume("mes")
        await running.until_state("PO-1", State.SUPERSEDED)
        await running.until_state("R-1", State.PARKED)
        assert [(row.key, row.kind) for row in await running.delivery.waiting()] == [("R-1", Wait.PARKED)]


async def test_attempts_count_from_when_nothing_was_missing_any_more(bus, journal_path, sink):
    looks = 0

    async def prepare(_system, message):
        nonlocal looks
        looks += 1
        return Missing("alias", "material", "FG-1000") if looks <= QUICK.attempts + 1 else message

    sink.trouble = lambda _message, attempt: RetryableError("busy") if attempt == 1 else None
    async with hub(bus, journal_path, mes(sink), prepare=prepare) as running:
        await bus.publish(fact("R-1"))
        await running.until(lambda: running.states("R-1")[-1:] in ([State.DELIVERED], [State.PARKED]))
        assert running.states("R-1")[-2:] == [State.RETRYING, State.DELIVERED]


async def test_a_newer_revision_does_not_end_what_a_person_holds(bus, journal_path, sink):
    poisoned = True
    sink.trouble = lambda _message, _attempt: MappingError("bad") if poisoned else None
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(order(revision=1))
        await running.until_state("PO-1", State.PARKED)
        (row,) = await running.delivery.waiting()
        await running.delivery.do(Command.HOLD, "mes", row.message_id, who="ada", why="the line is being cleaned")
        poisoned = False
        await bus.publish(order(revision=2))
        await running.until(lambda: len(running.states("PO-1")) == 2)
        assert running.states("PO-1") == [State.PARKED, State.WAITING]
        assert [row.kind for row in await running.delivery.waiting()] == [Wait.HELD, Wait.BEHIND]
        await running.delivery.do(Command.RELEASE, "mes", row.message_id, who="ada", why="clean")
        await running.until(lambda: ("PO-1", 2) in sink.ledger.rows())


async def test_reading_that_is_lost_again_and_again_is_no_hot_loop(bus, journal_path, sink, monkeypatch):
    async with hub(bus, journal_path, mes(sink), patience=replace(QUICK, first_s=0.2, most_s=0.2)) as running:
        opens = 0
        reader = running.delivery._inboxes["mes"]._reading._reader
        really = reader.open

        async def opened(subject: str, after: int) -> None:
            nonlocal opens
            opens += 1
            await really(subject, after)

        async def lost(_most: int) -> list:
            raise ReadingLost("deliveries 1 to 0 didn't arrive")

        monkeypatch.setattr(reader, "open", opened)
        monkeypatch.setattr(reader, "fetch", lost)
        await until(lambda: opens > 0)
        await asyncio.sleep(0.5)
        assert opens <= 7
        monkeypatch.undo()
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)


async def test_without_a_target_delivery_runs_on_until_drained(bus, journal_path):
    journal = await Journal.open(f"sqlite:///{journal_path}")
    delivery = Delivery(js=bus.js, journal=journal, site="lyon", targets=[], publish=bus.publish)
    run = asyncio.create_task(delivery.run())
    done, _ = await asyncio.wait({run}, timeout=0.1)
    assert not done, "a hub without targets must not end"
    delivery.drain()
    await asyncio.wait_for(run, PATIENCE_S)
    await journal.close()


async def test_a_lost_request_for_messages_is_no_sign_that_everything_was_read(bus, journal_path, sink, monkeypatch):
    """What waits, and replays, go only once what was in hand at the stop has come again."""
    monkeypatch.setattr(pull, "LATE_S", 0.1)
    ask, lost = pull.Pull._ask, asyncio.Event()
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1", "PO-1"))
        await running.until_state("R-1", State.DELIVERED)

    async def lose(self, most, idle_s):
        if not lost.is_set():
            lost.set()
            self._outstanding = most
            return
        await ask(self, most, idle_s)

    monkeypatch.setattr(pull.Pull, "_ask", lose)
    await bus.publish(fact("R-3", "PO-1"))
    async with hub(bus, journal_path, mes(sink)) as running:
        hand = running.delivery._inboxes["mes"].hand
        await until(lambda: hand.caught_up)
        assert lost.is_set() and hand.read >= (await bus.js.stream_info("MOM")).state.last_seq
        await running.until_state("R-3", State.DELIVERED)
