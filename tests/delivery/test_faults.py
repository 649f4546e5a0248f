"""What must not be lost or doubled when something is killed, deleted or wiped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from delivery_plant import FACT, ORDER, QUICK, Ledger, fact, hub, letters, mes
from killed_hub import KINDS, PATIENCE, targets
from patience import until
from proof import Part

from connectors.connector import Accept, Effect
from mombus.bus.streams import Limits, ensure_streams
from mombus.delivery.commands import Command
from mombus.delivery.reader import OtherStream
from mombus.delivery.target import Condition, State
from mombus.journal.waiting import Wait

HUB = Path(__file__).with_name("killed_hub.py")
LANES = 12
EACH = 3
KILLS = 7


@contextlib.asynccontextmanager
async def hub_process(url: str, folder: Path):
    log = (folder / "hub.log").open("ab")
    process = await asyncio.create_subprocess_exec(sys.executable, str(HUB), url, str(folder), stdout=log, stderr=log)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        log.close()


def outcomes(folder: Path) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(folder / "journal.db", timeout=20)) as db:
        try:
            return dict(db.execute("SELECT target, count(*) FROM deliveries WHERE outcome<>'intent' GROUP BY target"))
        except sqlite3.OperationalError:
            return {}


async def test_a_killed_hub_loses_nothing_and_doubles_nothing(broker, bus, tmp_path, proof):
    """Kills at random moments; then every effect is counted, in order within each lane."""
    spread = random.Random(20260302)  # noqa: S311
    total = LANES * (EACH * KILLS + KILLS - 1)
    async with hub_process(broker.url, tmp_path):
        await until(lambda: all_read(bus))
    killed_at_work = 0
    for kill in range(KILLS):
        for n in range(EACH):
            await bus.publish_batch([fact(f"{lane}-{kill}{n}", f"PO-{lane}") for lane in range(LANES)])
        if kill:
            await bus.publish_batch([undo(lane, kill - 1) for lane in range(LANES)])
        before = outcomes(tmp_path)
        async with hub_process(broker.url, tmp_path) as process:
            await until(lambda: outcomes(tmp_path) != before)  # noqa: B023 - awaited at once
            await asyncio.sleep(spread.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
            await process.wait()
        killed_at_work += min(outcomes(tmp_path).values()) < LANES * (EACH * (kill + 1) + kill)
    assert killed_at_work > KILLS // 2, "the kills came too late to prove anything"
    doubted = await finish(bus, tmp_path, total)
    cancelled_at_all = 0
    for name in KINDS:
        books = Ledger(tmp_path / f"{name}.db")
        keys = books.got()
        assert len(keys) == len(set(keys)), f"{name} got something twice"
        cancelled = skipped(tmp_path, name)
        pairs = {f"undo-{key}" for key in cancelled if not key.startswith("undo")}
        assert {key for key in cancelled if key.startswith("undo")} == pairs, f"{name}: {cancelled}"
        assert len(keys) == total - len(cancelled), f"{name} lost something"
        assert cancelled.isdisjoint(keys)
        cancelled_at_all += len(cancelled)
        for lane in range(LANES):
            mine = [key for key in keys if key.startswith(f"{lane}-")]
            assert mine == sorted(mine), f"{name}: lane {lane} out of order"
        undone = {key: document for key, document in books.rows("key, document") if key.startswith("undo")}
        if name != "blind":
            assert all(document == f"DOC-{key[5:]}" for key, document in undone.items()), f"{name}: {undone}"
    assert doubted <= KILLS, "at most one message per kill may be in doubt at the blind target"
    proof(
        Part.HUB,
        fault=f"SIGKILL of the hub {KILLS} times, before and after the target's call",
        load=f"{total} facts and reversals in {LANES} lanes to {len(KINDS)} targets",
        expected="one effect each, in order per lane; at a blind target at most one per kill in doubt",
        seen=f"all {total} at each of {', '.join(KINDS)}, {cancelled_at_all} ended unsent with their reversal; "
        f"none twice, none out of order; {doubted} in doubt",
    )


def skipped(folder: Path, target: str) -> set[str]:
    """What ended without being sent: facts that were reversed while they waited, and their reversals."""
    with contextlib.closing(sqlite3.connect(folder / "journal.db", timeout=20)) as db:
        rows = db.execute("SELECT key FROM deliveries WHERE target=? AND outcome='skipped'", (target,))
        return {row[0] for row in rows}


def undo(lane: int, kill: int):
    """The reversal of the first fact of a lane that came before a kill."""
    original = f"{lane}-{kill}0"
    return fact(f"undo-{original}", f"PO-{lane}", reverses=fact(original).id)


async def all_read(bus) -> bool:
    return len(await bus.js.consumers_info("MOM")) == len(KINDS)


async def finish(bus, folder: Path, total: int) -> int:
    """Let a last hub finish; a person looks up what is in doubt in the blind target's books. Returns how many were."""
    doubted = 0
    async with hub(bus, folder / "journal.db", *targets(folder, 0), patience=PATIENCE) as running:

        async def all_done() -> bool:
            nonlocal doubted
            for row in await running.delivery.waiting(kind=Wait.IN_DOUBT):
                assert row.target == "blind"
                doubted += 1
                seen = Ledger(folder / "blind.db").has(row.message_id)
                command = Command.SENT if seen else Command.NOT_SENT
                await running.delivery.do(command, "blind", row.message_id, who="ada", why="looked it up")
            everything = all(outcomes(folder).get(name, 0) == total for name in KINDS)
            return everything and await running.delivery.waiting() == []

        await until(all_done)
    return doubted


async def test_a_killed_broker_is_waited_for(broker, bus, journal_path, sink, proof):
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        for n in range(2, 12):
            await bus.publish(fact(f"R-{n:02}"))
        os.kill(broker.pid, signal.SIGKILL)
        await bus.publish(fact("R-99"))
        await running.until_state("R-99", State.DELIVERED)
        keys = sink.ledger.got()
        assert sorted(keys[1:]) == keys[1:]
        assert len(keys) == len(set(keys)) == 12
    proof(
        Part.BROKER,
        fault="SIGKILL of the broker under a reading hub",
        load="12 facts of one lane",
        expected="one effect each, in order",
        seen=f"{len(set(keys))} effects, {len(keys) - len(set(keys))} twice",
    )


async def test_a_deleted_consumer_is_made_again_from_the_journals_position(bus, journal_path, sink, proof):
    sink.accepts = {ORDER: Accept(Effect.BLIND), FACT: Accept(Effect.BLIND)}
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        await bus.js.delete_consumer("MOM", "to-mes")
        await bus.publish(fact("R-2"))
        await running.until_state("R-2", State.DELIVERED)
        assert any(hop.state is State.ALARM and "reading lost" in hop.reason for hop in running.hops)
        assert sink.ledger.got() == ["R-1", "R-2"]
    proof(
        Part.BROKER,
        fault="the target's durable consumer is deleted",
        load="2 facts to a blind target",
        expected="an alarm, no hot loop, one effect each",
        seen=f"1 alarm, {len(sink.ledger.got())} effects of 2",
    )


async def test_another_stream_is_refused_with_what_to_do(bus, journal_path, sink, proof):
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
    await bus.js.delete_stream("MOM")
    await ensure_streams(bus.js, Limits())
    with pytest.raises(OtherStream, match="Restore the broker's store, or start with a new"):
        async with hub(bus, journal_path, mes(sink)):
            pass
    proof(
        Part.BROKER,
        fault="the stream is deleted and made anew under the journal",
        load="1 fact delivered before",
        expected="the hub refuses to start and says what to do",
        seen="refused: restore the store, or a new journal",
    )


async def test_what_no_message_can_be_made_of_stops_nobody(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.js.publish("mom.lyon.production_response.sync.line.order:PO-1._", b"123", headers={"x": "y"})
        await bus.publish(fact("R-1"))
        await running.until_state("R-1", State.DELIVERED)
        await until(lambda: letters(bus, 1))
        letter = await bus.js.get_last_msg("DEAD", "dead.lyon.mes.unreadable")
        assert "header 'ce-type' is missing" in letter.headers["mombus-reason"]


async def test_draining_finishes_what_is_being_written(bus, journal_path, sink):
    async with hub(bus, journal_path, mes(sink)) as running:
        sink.delay_s = 0.2
        await bus.publish(fact("R-1"))
        await until(lambda: sink.open)
        running.delivery.drain()
        await running.until_condition(Condition.STOPPED)
        assert sink.ledger.got() == ["R-1"]
        assert running.states("R-1") == [State.DELIVERED]


async def test_draining_does_not_wait_for_what_may_come(bus, journal_path, sink):
    """What comes later is there after the next start."""
    hours = replace(QUICK, idle_s=3600)
    async with hub(bus, journal_path, mes(sink), patience=hours) as running:
        await running.delivery.opened()
        running.delivery.drain()
        await running.until_condition(Condition.STOPPED)
        await bus.publish(fact("R-1"))
    assert not sink.ledger.got()
    async with hub(bus, journal_path, mes(sink), patience=hours) as running:
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["R-1"]


async def test_draining_does_not_wait_for_a_target_that_is_away(bus, journal_path, sink):
    sink.up = False
    async with hub(bus, journal_path, mes(sink)) as running:
        await bus.publish(fact("R-1"))
        await running.until_condition(Condition.RECONNECTING)
        running.delivery.drain()
        await running.until_condition(Condition.STOPPED)
    sink.up = True
    async with hub(bus, journal_path, mes(sink)) as running:
        await running.until_state("R-1", State.DELIVERED)
        assert sink.ledger.got() == ["R-1"]
