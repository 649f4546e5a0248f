"""The ERP connector under the contract suite: the simulated ERP on loopback, behind a relay that can lose answers."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

import httpx
from erp_facts import ORDER, produced
from patience import PATIENCE_S
from ports import free_port
from relay import Relay

from connectors.connector import Connector, Surroundings
from connectors.contract import ConnectorContract, Harness, SinkContract
from connectors.erp.connector import ErpB2mml, ErpB2mmlConfig
from plant.erp import Erp

if TYPE_CHECKING:
    from pathlib import Path

    from canonical.message import Message

NOWHERE = Surroundings("erp", "lyon", ZoneInfo("Europe/Paris"), owns=frozenset({"production_order", "material"}))


class ErpHarness(Harness):
    """One ERP with one released order."""

    def __init__(self) -> None:
        self.erp, self.relay = Erp(free_port()), Relay()
        self._ids = count(1)

    async def start(self) -> None:
        await self.erp.start()
        await self.erp.release(ORDER)
        self.relay.upstream = self.erp.port
        await self.relay.start()

    async def stop(self) -> None:
        await self.relay.stop()
        await self.erp.stop()

    async def kill(self) -> None:
        await self.relay.stop()
        await self.erp.stop()

    async def restart(self) -> None:
        await self.erp.start()
        await self.relay.start()

    def connector(self) -> Connector:
        url = f"http://127.0.0.1:{self.relay.port}/erp?wsdl"
        return ErpB2mml(ErpB2mmlConfig(connector="erp.b2mml", url=url, timeout_s=PATIENCE_S), NOWHERE)

    def good(self, count: int) -> list[Message]:
        return [produced(f"C-{next(self._ids)}") for _ in range(count)]

    def bad(self) -> Message:
        return produced(f"C-{next(self._ids)}", order="PO-1")

    async def effects(self, message: Message) -> int:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{self.erp.port}/numbers/{ORDER}")
        assert answer.json()["duplicates"] == sum(c - 1 for c in self._counts().values())
        return self._counts()[message.key]

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for posting in self.erp.books.postings:
            counts[posting.reference] = counts.get(posting.reference, 0) + 1
        return counts

    async def swallow_next_reply(self) -> None:
        self.relay.swallow = True


class TestErp(SinkContract, ConnectorContract):
    exempt: ClassVar[dict[str, str]] = {
        "test_recognises_a_message_it_had": "this ERP posts what it is told, however often: the hub reads back first"
    }

    def make_harness(self, tmp_path: Path) -> Harness:
        return ErpHarness()
