"""The plant's MQTT broker is killed and restarted under load in both directions, counted in the ERP and in the MES."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from books import Books
from counting_target import CountingTarget
from factory import counted, findable, running, until
from load import Load
from mes_behind_mqtt import LANES, Mes
from numbers_of_a_machine import heard
from proof import Part, Proof
from several_hubs import send_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from factory import HubProcess


@asynccontextmanager
async def mes(folder: Path) -> AsyncIterator[Mes]:
    running = Mes(folder)
    await running.broker.start()
    await running.link.start()
    try:
        yield running
    finally:
        await running.link.stop()
        await running.broker.close()


async def struck(plant: Mes, hub: HubProcess, end: Callable[[], Awaitable[None]]) -> None:
    """The broker ends and begins again; what it has sent a frozen hub isn't acknowledged then."""
    hub.signal(signal.SIGSTOP)
    before = len(plant.sent)
    await until(lambda: len(plant.sent) > before + 5 * len(LANES))
    ending = asyncio.create_task(end())
    hub.signal(signal.SIGCONT)
    await ending
    await plant.broker.start()


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_an_mqtt_broker_that_restarts_loses_and_repeats_nothing(tmp_path: Path, how: str, proof: Proof) -> None:
    restarts = 6 if proof.full else 2
    erp = CountingTarget(Books(tmp_path / "books.db"))
    await erp.start()
    async with mes(tmp_path / "mes") as plant, running(tmp_path, {}, **plant.sections(findable(erp.port))) as hub:
        await heard(hub.url, "mes")
        enough, moving = asyncio.Event(), Load(lambda: hub.url, lanes=len(LANES), pause_s=0.1, system="wms")
        work = [asyncio.create_task(one) for one in (plant.confirm_until(enough), send_until(enough, moving))]
        for _ in range(restarts):
            least = erp.books.size() + 20, plant.books.size() + 20
            await until(lambda least=least: erp.books.size() >= least[0] and plant.books.size() >= least[1])
            await struck(plant, hub, plant.broker.kill if how == "kill" else plant.broker.stop)
        enough.set()
        await asyncio.gather(*work)
        await plant.link.all_sent()
        there = await counted(erp.books, plant.sent)
        here = await counted(plant.books, moving.sent)
    await erp.stop()
    assert there.right, ("from the MES", there, there.lost[:5], there.twice[:5], there.disordered[:5])
    assert here.right, ("to the MES", here, here.lost[:5], here.twice[:5], here.disordered[:5])
    word = {"kill": "SIGKILL", "stop": "a clean restart"}[how]
    proof(
        Part.SOURCE, fault=f"{word} of the plant's MQTT broker {restarts} times; nats-server, `max_ack_pending: 1`",
        load=f"{len(plant.sent)} confirmations of an MES, {len(moving.sent)} movements of stock to it, "
        f"{len(LANES)} lanes each",
        expected="both directions: nothing confirmed lost, nothing twice, in order",
        seen=f"from the MES: {there}; to the MES: {here}; {plant.link.repeated} asked again and answered the same",
    )  # fmt: skip
