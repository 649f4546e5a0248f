"""PostgreSQL below several hubs is killed and frozen under load, counted in the targets."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from books import Books
from counting_target import CountingTarget
from database_server import DatabaseServer
from factory import until
from load import Load
from proof import Part, Proof
from several_hubs import Plant, broker, send_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LANES = 10
AWAY_S = 7.0
"""Longer than a lease: the hubs must give up what they have, and take it again."""


@pytest.fixture
async def server() -> AsyncIterator[DatabaseServer]:
    server = await asyncio.to_thread(DatabaseServer)
    yield server
    server.signal(signal.SIGCONT)
    await server.close()


@pytest.fixture
async def plant(tmp_path: Path, server: DatabaseServer) -> AsyncIterator[Plant]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(tmp_path / "nats"))
        targets = {}
        for name in ("erp", "wms"):
            targets[name] = CountingTarget(Books(tmp_path / f"{name}.db"))
            await targets[name].start()
            stack.push_async_callback(targets[name].stop)
        bus = {"broker": url, "store_user": "postgres", "store": server.url.replace("postgres:@", "")}
        plant = Plant(tmp_path, bus, targets)
        yield plant
        for hub in plant.hubs:
            hub.signal(signal.SIGKILL)
            await hub.ended()


async def more(plant: Plant) -> None:
    """Return when every target has got something new."""
    before = {name: target.books.size() for name, target in plant.targets.items()}
    await until(lambda: all(target.books.size() > before[name] for name, target in plant.targets.items()), 90)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_hubs_whose_database_goes_away_lose_and_repeat_nothing(
    plant: Plant, server: DatabaseServer, how: str, proof: Proof
) -> None:
    times = 3 if proof.full else 1
    for _ in range(2):
        await plant.add()
    await plant.shared_out(2)
    enough, sending = asyncio.Event(), Load(lambda: plant.hubs[0].url, lanes=LANES, pause_s=0.25)
    work = asyncio.create_task(send_until(enough, sending))
    await more(plant)
    for _ in range(times):
        if how == "killed":
            await server.kill()
            await server.start()
        else:
            server.signal(signal.SIGSTOP)
            await asyncio.sleep(AWAY_S)
            server.signal(signal.SIGCONT)
        await more(plant)
    enough.set()
    await work
    seen = await plant.all_right(sending.sent)
    fault = "SIGKILL of all of PostgreSQL, started again" if how == "killed" else f"PostgreSQL frozen for {AWAY_S:g} s"
    proof(
        Part.HUB, fault=f"{fault}, {times} times, below two hubs",
        load=f"{len(sending.sent)} facts in {LANES} lanes to each of {len(plant.targets)} targets",
        expected="waited for, then goes on by itself: one document each, in order", seen=seen,
    )  # fmt: skip
