"""One target in shards over several hubs: killed, frozen, stopped and added under load, counted in the target."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import httpx
import pytest
from books import Books
from counting_target import CountingTarget
from factory import findable
from load import Load
from patience import PATIENCE_S, until
from proof import Part, Proof
from several_hubs import WAITING, Plant, broker, send_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LANES = 24
SHARDS = 16


@pytest.fixture
async def plant(tmp_path: Path, postgresql: str) -> AsyncIterator[Plant]:
    target = CountingTarget(Books(tmp_path / "erp.db"))
    await target.start()
    async with broker(tmp_path / "nats") as url:
        bus = {"broker": url, "store_user": "postgres", "store": postgresql.replace("postgres:@", "")}
        plant = Plant(tmp_path, bus, {"erp": target}, source=WAITING)
        yield plant
        for hub in plant.hubs:
            hub.signal(signal.SIGKILL)
            await hub.ended()
    await target.stop()


async def shards(plant: Plant) -> list[int]:
    """How many shards all hubs have together, as each of them says."""
    found = []
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        for hub in plant.alive:
            said = (await http.get(f"{hub.url}/api/status")).json()
            found += [row["shards"] for row in said["systems"] if row["name"] == "erp"]
    return found


async def all_had(plant: Plant) -> None:
    """Return once every hub says that together they have all shards."""
    async with asyncio.timeout(120):
        while await shards(plant) != [SHARDS] * len(plant.alive):  # noqa: ASYNC110 - in other processes
            await asyncio.sleep(0.2)


async def more(plant: Plant, many: int) -> None:
    """Return when the target has so many more."""
    before = plant.targets["erp"].books.size()
    await until(lambda: plant.targets["erp"].books.size() >= before + many, 120)


async def test_a_target_in_shards_gets_all_once_and_in_order_whoever_dies(plant: Plant, proof: Proof) -> None:
    declared = {"erp": {**findable(plant.targets["erp"].port), "shards": SHARDS}}
    alone = await plant.add({"erp": findable(plant.targets["erp"].port)})
    sending = Load(plant.url, lanes=LANES, pause_s=0.25)
    enough = asyncio.Event()
    work = asyncio.create_task(send_until(enough, sending))
    await more(plant, LANES)

    first, second = await plant.add(declared), await plant.add(declared)
    plant.remove(alone)
    assert await alone.stop() == 0
    await all_had(plant)
    await more(plant, LANES)

    plant.remove(first)
    first.signal(signal.SIGSTOP)
    await all_had(plant)
    await more(plant, LANES)
    first.signal(signal.SIGCONT)
    plant.alive.append(first)

    third = await plant.add(declared)
    await all_had(plant)
    plant.remove(second)
    await second.kill()
    plant.remove(third)
    assert await third.stop() == 0
    enough.set()
    await work
    seen = await plant.all_right(sending.sent)
    proof(
        Part.HUB,
        fault="of hubs that share one target by its shards one is frozen, one killed, one stopped, two added; at first "
        "the target wasn't in shards",
        load=f"{len(sending.sent)} facts in {LANES} lanes to one target in {SHARDS} shards",
        expected="one document each, in order",
        seen=seen,
    )
