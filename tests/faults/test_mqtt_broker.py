"""The plant's MQTT broker is killed and restarted under load in both directions, counted in the ERP and in the MES."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import load
import pytest
from books import Books
from counting_target import CountingTarget
from factory import counted, findable, running, until
from proof import Part, Proof
from several_hubs import send_until

from plant.broker import Broker
from plant.host_link import HostLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from factory import HubProcess

LANES = [f"PO-{lane:03}" for lane in range(10)]
MOVES = {
    "object": "inventory_movement",
    "occurred": "at",
    "body": '{"id": id, "operations_request_id": lane, "segment_response": [{"id": "1", "operations_request_id": lane,'
    ' "material_actual": [{"id": "1", "material_definition_id": "CAP-28", "material_use": "Consumed",'
    ' "quantity": {"value": "1", "unit_of_measure": "H87"}}]}]}',
}


class Mes:
    """The MES behind its broker: confirms what was made, takes movements of stock. `sent` are its confirmations."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.broker = Broker(folder=folder, unacknowledged=1)
        self.books = Books(folder / "mes.db")
        self.link = HostLink(self.broker.url, self._take)
        self.sent: list[str] = []
        self._round = 0

    def _take(self, _object: str, _verb: str, document: dict[str, Any]) -> str:
        return str(self.books.add(document["movementNo"], document["orderNo"]))

    def confirm(self) -> None:
        """One confirmation for each order."""
        self._round += 1
        now = datetime.now(UTC)
        for order in LANES:
            number = f"{order}-{self._round:05}"
            self.link.post("production_response", "sync", {
                "msgId": f"m-{number}", "ts": now, "confirmationNo": number, "orderNo": order, "final": False,
                "workCenter": "LINE1", "article": "FG-1000", "good": 1, "uom": "PC", "startAt": now, "endAt": now,
            })  # fmt: skip
            self.sent.append(number)


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


async def confirming(plant: Mes, enough: asyncio.Event) -> None:
    while not enough.is_set():
        plant.confirm()
        await asyncio.sleep(0.1)


async def struck(plant: Mes, hub: HubProcess, end: Callable[[], Awaitable[None]]) -> None:
    """The broker ends and begins again; what it has sent a frozen hub isn't acknowledged then."""
    hub.signal(signal.SIGSTOP)
    before = len(plant.sent)
    await until(lambda: len(plant.sent) > before + 5 * len(LANES))
    ending = asyncio.create_task(end())
    hub.signal(signal.SIGCONT)
    await ending
    await plant.broker.start()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_an_mqtt_broker_that_restarts_loses_and_repeats_nothing(tmp_path: Path, how: str, proof: Proof) -> None:
    restarts = 6 if proof.full else 2
    erp = CountingTarget(Books(tmp_path / "books.db"))
    await erp.start()
    async with mes(tmp_path / "mes") as plant:
        sections = {
            "systems": {
                "mes": {"connector": "mes.mqtt", "url": plant.broker.url, "reply_timeout_s": 2.0},
                "wms": load.system(MOVES, "wms"), "erp": findable(erp.port),
            },
            "objects": {"production_response": {"owner": "mes"}, "inventory_movement": {"owner": "wms"}},
            "routes": [
                {"object": "production_response", "to": "erp"}, {"object": "inventory_movement", "to": "mes"},
            ],
        }  # fmt: skip
        async with running(tmp_path, {}, **sections) as hub:
            enough, moving = asyncio.Event(), load.Load(lambda: hub.url, lanes=len(LANES), pause_s=0.1, system="wms")
            work = [asyncio.create_task(one) for one in (confirming(plant, enough), send_until(enough, moving))]
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
