"""Breaking off ends what it is to end, at whatever point it comes, also when a client swallows a cancellation."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from delivery_plant import QUICK, fact, mes
from patience import until

from connectors.connector import Level
from mombus.delivery import breaking
from mombus.delivery.breaking import break_off
from mombus.delivery.delivery import Delivery
from mombus.delivery.reader import Reader
from mombus.delivery.target import Rule
from mombus.delivery.waking import Waking
from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONG_S = 30.0


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(breaking, "AGAIN_S", 0.05)


@pytest.fixture
async def delivering(bus, journal_path, sink):
    """A delivery that always has something to do: what owes its posting is asked for again and again."""
    sink.level = Level.ACCEPTED
    journal = await Journal.open(f"sqlite:///{journal_path}")
    owing = mes(sink, Rule(object="production_response", effect=Level.POSTED, within_s=3600))

    @asynccontextmanager
    async def begin() -> AsyncIterator[tuple[Delivery, asyncio.Task]]:
        delivery = Delivery(
            js=bus.js, journal=journal, site="lyon", targets=[owing], publish=bus.publish, patience=QUICK
        )
        running = asyncio.create_task(delivery.run())
        yield delivery, running
        assert (await asyncio.wait({running}, timeout=LONG_S))[0], "it doesn't end"
        await delivery.close()

    yield begin
    await journal.close()


async def passes(number: int) -> None:
    """Let the event loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_waking_is_broken_off_in_the_moment_it_is_nudged():
    for before in range(4):
        for between in range(4):
            waking = Waking()
            waiting = asyncio.create_task(waking.wait(60))
            await passes(before)
            waking.nudge()
            await passes(between)
            if not waiting.done():
                waiting.cancel()
                await asyncio.wait({waiting})
                assert waiting.cancelled(), f"{before} passes before the nudge, {between} between"


async def test_delivery_ends_wherever_it_is_broken_off_with_its_bell_ringing(bus, delivering, sink):
    for steps in range(20):
        async with delivering() as (delivery, running):
            await delivery.opened()
            await bus.publish(fact(f"R-{steps}", f"PO-{steps}"))
            asked = len(sink.finds)
            await until(lambda asked=asked: len(sink.finds) > asked)
            await passes(steps)
            (inbox,) = delivery._inboxes.values()
            running.cancel()
            for _ in range(40):
                inbox.waking.nudge()
                await passes(1)


async def test_delivery_ends_when_the_brokers_client_swallows_a_cancellation(delivering, monkeypatch):
    fetch, swallowed = Reader.fetch, []

    async def deaf(reader: Reader, most: int):
        try:
            return await fetch(reader, most)
        except asyncio.CancelledError:
            if swallowed:
                raise
            swallowed.append(most)
            return []

    monkeypatch.setattr(Reader, "fetch", deaf)
    async with delivering() as (delivery, running):
        (inbox,) = delivery._inboxes.values()
        await until(lambda: inbox._reading._reader._pull and inbox._reading._reader._pull._outstanding)
        running.cancel()
    assert swallowed


async def test_who_is_broken_off_while_breaking_off_finishes_that_first():
    ended, going_on = [], asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await going_on.wait()
            ended.append("work")

    async def its_owner() -> None:
        working = asyncio.create_task(work())
        try:
            await asyncio.Event().wait()
        finally:
            await break_off(working, again_s=LONG_S)
            ended.append("owner")

    owner = asyncio.create_task(its_owner())
    await passes(2)
    breaking_off = asyncio.create_task(break_off(owner))
    await asyncio.sleep(0.2)
    assert not breaking_off.done()
    going_on.set()
    assert await breaking_off == set()
    assert ended == ["work"]
    assert owner.cancelled()


async def test_what_does_not_end_in_time_is_named():
    going_on = asyncio.Event()

    async def deaf() -> None:
        while not going_on.is_set():
            try:
                await going_on.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(deaf())
    await passes(1)
    assert await break_off(task, within_s=0.2) == {task}
    going_on.set()
    await asyncio.wait({task}, timeout=LONG_S)
    assert await break_off(task) == set()
