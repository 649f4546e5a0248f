"""The simulated MES between a real broker and a real line: one order from planning to release, every bottle counted."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from asyncua import Client
from patience import PATIENCE_S, until
from ports import free_port

from plant.broker import Broker
from plant.ending import end
from plant.line import PackagingLine
from plant.mes import Mes

ORDER = {"orderNo": "PO-1", "status": "RELEASED", "article": "FG-1000", "qty": "240", "uom": "PC", "step": "0010"}


class Host:
    """What a bus does for the MES: tells it things, hears it, gives its jobs to the line."""

    def __init__(self, client: aiomqtt.Client, line: PackagingLine) -> None:
        self._client, self._line = client, line
        self.heard: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.state: dict[str, Any] = {}
        self._news = asyncio.Condition()

    async def subscribe(self) -> None:
        await self._client.subscribe([("mes/out/+/+", 1), ("mes/reply/+", 1), ("mes/state/+", 1)])

    async def listen(self) -> None:
        async for message in self._client.messages:
            _, kind, *rest = message.topic.value.split("/")
            note = json.loads(bytes(message.payload))
            if kind == "state":
                self.state = note
            else:
                self.heard[rest[0] if kind == "out" else "reply"].append(note)
            if rest[0] == "job_order" and note["status"] == "RELEASED":
                await self._start_job(note)
            async with self._news:
                self._news.notify_all()

    async def _start_job(self, note: dict[str, Any]) -> None:
        async with Client(self._line.url) as client:
            index = await client.get_namespace_index("urn:acme:line1")
            receiver = await client.nodes.objects.get_child([f"{index}:Line1", f"{index}:JobOrderReceiver"])
            method = await receiver.get_child(f"{index}:StoreAndStart")
            from asyncua import ua  # noqa: PLC0415

            quantity = ua.Variant(int(Decimal(note["qty"])), ua.VariantType.UInt32)
            await receiver.call_method(method, note["jobNo"], quantity, note["article"], note["orderNo"])

    async def tell(self, object: str, verb: str, id: str, note: dict[str, Any]) -> dict[str, Any]:
        before = len(self.heard["reply"])
        text = json.dumps({"msgId": id, "replyTo": f"mes/reply/{id}", **note})
        await self._client.publish(f"mes/in/{object}/{verb}", text, qos=1)
        await self.until(lambda: len(self.heard["reply"]) > before)
        return self.heard["reply"][-1]

    async def until(self, condition: Any, within_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(condition)


@pytest.fixture
async def line() -> AsyncIterator[PackagingLine]:
    line = PackagingLine(pace=0)
    await line.start()
    yield line
    await line.stop()


@pytest.fixture
async def plant(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Host, PackagingLine, Broker]]:
    """Broker and MES; the line only where bottles are made, for it takes long to start."""
    broker = Broker(free_port(), tmp_path)
    line = request.getfixturevalue("line") if "line" in request.fixturenames else PackagingLine(port=broker.port)
    await broker.start()
    mes = Mes(broker.url, line.url, pace=0)
    await mes.start()
    await mes.host.all_sent()
    async with aiomqtt.Client("127.0.0.1", broker.port, identifier="host") as client:
        host = Host(client, line)
        await host.subscribe()
        listening = asyncio.create_task(host.listen())
        yield host, line, broker
        await end([listening])
    await mes.stop()
    await broker.close()


def stage(number: str, article: str, qty: int) -> dict[str, Any]:
    return {"movementNo": number, "orderNo": "PO-1", "items": [{"article": article, "qty": str(qty), "to": "LINE1"}]}


async def test_an_order_from_planning_to_release(
    line: PackagingLine, plant: tuple[Host, PackagingLine, Broker]
) -> None:
    host, _, _ = plant
    assert (await host.tell("production_order", "sync", "o1", ORDER))["status"] == "ACCEPTED"
    for number, (article, qty) in enumerate({"BOTTLE-05": 260, "CAP-28": 260, "LABEL-A": 260}.items()):
        await host.tell("inventory_movement", "sync", f"s{number}", stage(f"49/{number}", article, qty))
    assert not host.heard["job_order"], "the line was started before all material was there"
    await host.tell("inventory_movement", "sync", "s9", stage("49/9", "CASE-12", 22))
    await host.until(lambda: host.heard["inspection_order"] and host.heard["maintenance_request"])
    await host.until(lambda: sum(stop["status"] == "REASONED" for stop in host.heard["downtime"]) == 3)

    counts = line.counts()
    confirmations = host.heard["production_response"]
    assert [note["confirmationNo"] for note in confirmations] == ["PO-1-C1", "PO-1-C2"]
    assert [note["final"] for note in confirmations] == [False, True]
    assert 120 <= confirmations[0]["good"] < 240
    assert sum(note["good"] for note in confirmations) == 240 == counts["PACKER1"]["processed"]
    assert sum(note["scrap"] for note in confirmations) == sum(count["defective"] for count in counts.values()) > 0

    used: dict[str, Decimal] = defaultdict(Decimal)
    for note in host.heard["material_consumption"]:
        used[note["article"]] += Decimal(note["qty"])
    filled = counts["FILLER1"]["processed"]
    assert used == {
        "BOTTLE-05": filled, "WATER": filled * Decimal("0.5"), "CAP-28": counts["CAPPER1"]["processed"],
        "LABEL-A": counts["LABELER1"]["processed"], "CASE-12": 20,
    }  # fmt: skip
    stops = [(note["stopNo"], note["status"], note["workCenter"]) for note in host.heard["downtime"]]
    for number in (1, 2, 3):
        of_one = [status for stop, status, equipment in stops if stop == f"PO-1-S{number}" and equipment == "CAPPER1"]
        assert of_one == ["OPEN", "CLOSED", "REASONED"]
    assert host.heard["downtime"][-1]["reason"]["group"] == "mechanical"
    assert [note["requestNo"] for note in host.heard["maintenance_request"]] == ["MR-PO-1"]
    assert [note["status"] for note in host.heard["job_order"]] == ["RELEASED", "RUNNING", "DONE"]

    await host.tell(
        "maintenance_request", "acknowledge", "a1", {"requestNo": "MR-PO-1", "docNo": "5001", "status": "ACCEPTED"}
    )
    result = {"resultNo": "r1", "orderNo": "PO-1", "lot": "PO-1-L1", "characteristic": "Fill", "value": "500"}
    await host.tell("quality_result", "sync", "q1", result)
    await host.tell("release_decision", "sync", "d1", {"decisionNo": "UD-1", "lot": "PO-1-L1", "decision": "FREE"})
    await host.until(lambda: host.state.get("decision") == "FREE")
    assert host.state["good"] == 240
    assert host.state["requests"]["MR-PO-1"]["docNo"] == "5001"
    assert host.state["results"]["Fill"]["value"] == "500"


async def test_what_it_was_told_before_changes_nothing(plant: tuple[Host, PackagingLine, Broker]) -> None:
    host, _, _ = plant
    await host.tell("production_order", "sync", "o1", ORDER)
    first = await host.tell("inventory_movement", "sync", "s1", stage("49/1", "CAP-28", 100))
    again = await host.tell("inventory_movement", "sync", "s1", stage("49/1", "CAP-28", 100))
    assert first == again == {"msgId": "s1", "status": "ACCEPTED", "docNo": "49/1"}
    await host.until(lambda: host.state.get("staged", {}).get("CAP-28") == "100")
    assert (await host.tell("receipt", "get", "s1", {}))["docNo"] == "49/1"
    assert (await host.tell("receipt", "get", "s2", {}))["status"] == "UNKNOWN"


async def test_refuses_with_a_reason(plant: tuple[Host, PackagingLine, Broker]) -> None:
    host, _, _ = plant
    for number, (note, reason) in enumerate((
        (ORDER | {"article": "FG-9"}, "no recipe"),
        (ORDER | {"qty": "many"}, "InvalidOperation"),
        (ORDER | {"status": "CANCELLED"}, "can't be cancelled"),
        ({"status": "RELEASED"}, "orderNo"),
    )):  # fmt: skip
        answer = await host.tell("production_order", "sync", f"x{number}", note)
        assert answer["status"] == "REJECTED"
        assert reason in answer["reason"]


async def test_goes_on_when_the_broker_comes_back(plant: tuple[Host, PackagingLine, Broker]) -> None:
    host, line, broker = plant
    await host.tell("production_order", "sync", "o1", ORDER)
    before = await until(lambda: _equipment(broker))
    await broker.kill()
    await broker.start()
    async with aiomqtt.Client("127.0.0.1", broker.port, identifier="second") as client:
        second = Host(client, line)
        await second.subscribe()
        listening = asyncio.create_task(second.listen())
        answer = await second.tell("production_order", "sync", "o1", ORDER)
        assert answer["docNo"] == "PO-1"
        await end([listening])
    assert await until(lambda: _equipment(broker)) == before


async def _equipment(broker: Broker) -> Any:
    """The retained list of equipment; None while the broker has none, or not yet: it retains behind its answer."""
    with suppress(TimeoutError):
        async with aiomqtt.Client("127.0.0.1", broker.port) as client, asyncio.timeout(1):
            await client.subscribe("mes/out/equipment/sync", 1)
            async for message in client.messages:
                assert message.retain
                return json.loads(bytes(message.payload))
    return None
