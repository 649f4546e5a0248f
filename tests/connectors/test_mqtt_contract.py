"""The MES connector against the contract suite: a real broker that can be killed, and the MES's own host link."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from ports import free_port

from canonical.isa95.operations import MaterialRequirement, OperationsRequest, SegmentRequirement
from canonical.message import Message
from canonical.quantity import Quantity
from connectors.connector import Surroundings
from connectors.contract import ConnectorContract, Harness, SinkContract, SourceContract
from connectors.mes.mqtt import MesMqtt, MesMqttConfig
from plant.broker import Broker
from plant.host_link import HostLink, Refusal

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def order(id: str) -> Message:
    made = MaterialRequirement(
        id="1", material_definition_id="FG-1000", material_use="Produced",
        quantity=Quantity(value="240", unit_of_measure="H87"),
    )  # fmt: skip
    body = OperationsRequest(id=id, segment_requirement=(SegmentRequirement(id="0010", material_requirement=(made,)),))
    return Message.of("production_order", body, source="erp", site="lyon", occurred=NOW, recorded=NOW, revision=1)


def confirmation(number: str, order: str = "PO-4711") -> dict[str, Any]:
    return {
        "msgId": f"m-{number}", "ts": NOW, "confirmationNo": number, "orderNo": order, "final": False,
        "workCenter": "LINE1", "article": "FG-1000", "good": 120, "uom": "PC", "startAt": NOW, "endAt": NOW,
    }  # fmt: skip


class MesHarness(Harness):
    tells_gaps: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        self.broker = Broker(free_port(), folder)
        self.link = HostLink(self.broker.url, self._take)
        self.done: Counter[str] = Counter()
        self._said = 0
        self._ordered = 0

    def _take(self, object: str, verb: str, document: dict[str, Any]) -> str | None:
        if document["orderNo"].startswith("BAD"):
            raise Refusal("no such article")
        self.done[document["msgId"]] += 1
        return f"N-{self.done.total()}"

    async def start(self) -> None:
        await self.broker.start()
        await self.link.start()

    async def stop(self) -> None:
        await self.link.stop()
        await self.broker.close()

    async def kill(self) -> None:
        await self.broker.kill()

    async def restart(self) -> None:
        await self.broker.start()

    def connector(self) -> MesMqtt:
        config = MesMqttConfig(connector="mes.mqtt", url=self.broker.url, keepalive_s=2, reply_timeout_s=4)
        return MesMqtt(config, Surroundings("mes", "lyon", ZoneInfo("Europe/Paris")))

    async def say(self, count: int) -> list[str]:
        numbers = [f"C{self._said + number}" for number in range(count)]
        self._said += count
        for number in numbers:
            self.link.post("production_response", "sync", confirmation(number))
        await self.link.all_sent()
        return numbers

    async def say_badly(self) -> None:
        self.link.post_raw("mes/out/production_response/sync", '{"a": 1, "a": NaN}')

    def good(self, count: int) -> list[Message]:
        self._ordered += count
        return [order(f"PO-{self._ordered - number}") for number in range(count)]

    def bad(self) -> Message:
        return order("BAD-1")

    async def effects(self, message: Message) -> int:
        return self.done[message.id]

    async def swallow_next_reply(self) -> None:
        self.link.swallow_replies = 1


class TestMesMqtt(SourceContract, SinkContract, ConnectorContract):
    def make_harness(self, tmp_path: Path) -> Harness:
        return MesHarness(tmp_path)
