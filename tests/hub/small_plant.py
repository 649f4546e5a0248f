"""A hub with a real system behind each of its doors, and clients that speak to it as those systems do."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
import httpx
import nats
from asyncua import Client, ua
from nats.js.errors import NotFoundError
from patience import PATIENCE_S
from ports import free_port
from small_documents import confirmation, decision, enveloped, order, schedule
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from connectors.door import token_hash
from mombus.bus.commands import command_subject
from mombus.config.loader import load
from mombus.desk.kept import KeptItems
from mombus.desk.waiting import Waits
from mombus.hub import note
from mombus.hub.hub import Hub, open_hub
from plant.broker import Broker
from plant.erp import Erp
from plant.erp.soap import fault
from plant.line import PackagingLine
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from nats.aio.client import Client as Nats
    from starlette.requests import Request

TOKEN = "the-ledger's-token"
BENCH = "urn:acme:bench"
PLAIN = {"Content-Type": "application/xml"}
SOAP = {"Content-Type": "text/xml", "SOAPAction": '""'}
JSON = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
MAX_BYTES = 4_000_000
DECISION = (
    '$merge([{"id": ref, "material_lot_id": lot, "disposition": "UnRestricted", "decided": decided},'
    ' $exists(more) ? more : {}])'
)  # fmt: skip
SIGNALS = """
namespace: urn:acme:bench
equipment:
  FILLER1:
    path: /Objects/Bench
    signals:
      - {signal: number, node: Number, object: process_value, unit: MLT}
      - {signal: array, node: Array, object: process_value}
"""
EQUIPMENT = "id,parent,level\nLYON,,Site\nLINE1,LYON,ProductionLine\nFILLER1,LINE1,WorkUnit\n"


def config_of(urls: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """The hub's configuration: orders and confirmations go to the ledger, decisions to the ERP."""
    says = {"object": "release_decision", "occurred": "decided", "body": DECISION}
    ledger = {
        "connector": "rest", "url": urls["ledger"], "listen": "/in/ledger", "poll_s": 0.1,
        "door": {"tokens": [token_hash(TOKEN)], "max_bytes": MAX_BYTES}, "pushed": {"items": "docs", "says": [says]},
        "reads": [{"name": "docs", "url": "/docs", "items": "docs", "says": [says]}],
        "writes": [
            {"object": name, "url": "/entries", "body": '{"id": body.id}', "idempotency_header": "idempotency-key"}
            for name in ("production_order", "production_response")
        ],
    }  # fmt: skip
    return {
        "version": 1,
        "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris", "equipment": "equipment.csv"},
        "bus": {"folder": str(folder / "hub")},
        "http": {"port": 0},
        "systems": {
            "erp": {"connector": "erp.b2mml", "url": urls["erp"], "door": {"max_bytes": MAX_BYTES}},
            "crm": {"connector": "erp.b2mml", "url": urls["crm"], "listen": "/in/crm"},
            "mes": {"connector": "mes.mqtt", "url": urls["mes"]},
            "line1": {
                "connector": "plc.opcua", "url": urls["line1"], "signals": "signals.yaml", "flush_ms": 20,
                "publishing_interval_ms": 50,
            },
            "ledger": ledger,
        },
        "objects": {
            "production_order": {"owner": "erp"}, "production_response": {"owner": "mes"},
            "release_decision": {"owner": "ledger"}, "process_value": {"owner": "line1"},
            "job_order": {"owner": "mes", "kept_for": "the journey of a job"},
        },
        "routes": [
            {"object": "production_order", "to": "ledger"}, {"object": "production_response", "to": "ledger"},
            {"object": "release_decision", "to": "erp"},
        ],
    }  # fmt: skip


class FaultyErp(Erp):
    """The ERP; while `faulty` it answers with a SOAP fault and status 200. `heard` is all it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.faulty = False
        self.heard: list[bytes] = []

    async def _soap(self, request: Request) -> Response:
        self.heard.append(await request.body())
        if self.faulty:
            return Response(fault("Client", "the period is closed"), 200, media_type="text/xml")
        return await super()._soap(request)


class Ledger:
    """A JSON system: `listing` is what its list says, `entries` the ids it was sent, `asked` the paths of its WSDLs."""

    def __init__(self) -> None:
        self.listing = b'{"docs": []}'
        self.entries: list[str] = []
        self.asked: list[str] = []
        self.server = Served(
            Starlette(
                routes=[
                    Route("/", lambda _: Response("{}")),
                    Route("/docs", lambda _: Response(self.listing, media_type="application/json")),
                    Route("/entries", self._enter, methods=["POST"]),
                    Route("/{path:path}", self._ask),
                ]
            )
        )

    async def _enter(self, request: Request) -> Response:
        self.entries.append((await request.json())["id"])
        return Response(status_code=201)

    async def _ask(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return Response(status_code=404)


async def until(condition: Callable[[], Any], what: str) -> None:
    async def asked() -> Any:
        return condition()

    assert await eventually(asked), f"not within {PATIENCE_S} s: {what}"


async def eventually(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The first answer that isn't empty, or the last one when there is none in time."""
    end = time.monotonic() + PATIENCE_S
    while True:
        answer = await ask()
        if answer or time.monotonic() > end:
            return answer
        await asyncio.sleep(0.01)


class SmallPlant:
    """The running hub and those who speak to it."""

    def __init__(self, hub: Hub, erp: FaultyErp, ledger: Ledger, clients: Any) -> None:
        self.hub, self.desk, self.erp, self.ledger = hub, hub.desk, erp, ledger
        self.folder = hub.config.bus.folder
        self.http: httpx.AsyncClient = clients[0]
        self.mqtt: aiomqtt.Client = clients[1]
        self.bench: Client = clients[2]
        self.nats: Nats = clients[3]
        self._seen: set[str] = set()
        self._number = 0

    async def trouble(self, words: str) -> str:
        """What a person should look at, once it says `words`."""

        async def found() -> list[str]:
            return [line for line in (await self.desk.status())["trouble"] if words in line]

        lines = await eventually(found)
        assert lines, (words, (await self.desk.status())["trouble"], (await self.desk.waiting.page(Waits()))["rows"])
        return lines[0]

    def new_id(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}-{self._number}"

    async def kept(self, count: int = 1) -> list[Mapping[str, Any]]:
        """What the hub keeps since this was asked last, once it is `count` items."""

        async def news() -> list[Mapping[str, Any]]:
            rows = await self._unseen()
            return rows if len(rows) >= count else []

        rows = await eventually(news) if count else await self._unseen()
        self._seen.update(row["id"] for row in rows)
        assert len(rows) == count, [(row["system"], row["place"], row["reason"]) for row in rows]
        return rows

    async def _unseen(self) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = await self.desk.kept.page(KeptItems(after=after, limit=200))
            rows, after = [*rows, *page["rows"]], page["next"]
        return [row for row in rows if row["id"] not in self._seen]

    async def command(self, name: str, body: bytes = b"{}") -> Mapping[str, Any]:
        reply = await self.nats.request(command_subject("lyon", name), body, timeout=PATIENCE_S)
        return json.loads(reply.data)

    async def post(self, path: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return await self.http.post(f"{self.hub.url}{path}", content=content, headers=dict(headers))

    async def publish(self, payload: bytes, object_: str = "production_response", verb: str = "sync") -> None:
        await self.mqtt.publish(f"mes/out/{object_}/{verb}", payload, qos=1)

    async def write(self, node: str, value: Any, **data: Any) -> None:
        space = await self.bench.get_namespace_index(BENCH)
        found = await self.bench.nodes.objects.get_child([f"{space}:Bench", f"{space}:{node}"])
        variant = ua.Variant(value, ua.VariantType.Double, is_array=isinstance(value, list))
        data = {"SourceTimestamp": datetime.now(UTC)} | data
        await found.write_attribute(ua.AttributeIds.Value, ua.DataValue(variant, **data))

    async def reading(self, wanted: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """The newest reading of `number` on the bus, once it is as wanted."""

        async def found() -> list[Mapping[str, Any]]:
            with suppress(NotFoundError):
                js = self.nats.jetstream(timeout=PATIENCE_S)
                stored = await js.get_last_msg("SIGNALS", "sig.lyon.process_value.>")
                readings = json.loads(stored.data or b"{}")["reading"]
                return [one for one in readings if one["signal"] == "number" and wanted(one)]
            return []

        readings = await eventually(found)
        assert readings, "no such reading"
        return readings[-1]

    async def order_by_soap(self) -> None:
        id = self.new_id("PO")
        await self._order(id, enveloped(schedule(order(id))), SOAP)

    async def order_by_post(self) -> None:
        id = self.new_id("PO")
        await self._order(id, schedule(order(id)), PLAIN)

    async def _order(self, id: str, content: bytes, headers: Mapping[str, str]) -> None:
        answer = await self.post("/in/erp", content, headers)
        assert (answer.status_code, b'actionCode="Accepted"' in answer.content) == (200, True), answer.text
        await until(lambda: id in self.ledger.entries, f"{id} at the ledger")

    async def decision_by_webhook(self) -> None:
        id = self.new_id("UD")
        answer = await self.post("/in/ledger", json.dumps({"docs": [decision(id)]}).encode(), JSON)
        assert (answer.status_code, answer.json()["accepted"]) == (202, [id])
        await until(lambda: any(f">{id}<".encode() in heard for heard in self.erp.heard), f"{id} at the ERP")

    async def decision_by_poll(self) -> None:
        id = self.new_id("UD")
        self.ledger.listing = json.dumps({"docs": [decision(id)]}).encode()
        await until(lambda: any(f">{id}<".encode() in heard for heard in self.erp.heard), f"{id} at the ERP")

    async def confirmation_by_mqtt(self) -> None:
        id = self.new_id("C")
        await self.publish(json.dumps(confirmation(id)).encode())
        await until(lambda: id in self.ledger.entries, f"{id} at the ledger")

    async def value_by_opcua(self) -> None:
        self._number += 1
        value = float(self._number) + 0.5
        await self.write("Number", value)
        await self.reading(lambda reading: reading.get("value") == str(value))


@asynccontextmanager
async def small_plant(folder: Path) -> AsyncIterator[SmallPlant]:
    """Everything, running."""
    async with AsyncExitStack() as stack:
        broker, line, erp, ledger = Broker(free_port()), PackagingLine(pace=1), FaultyErp(), Ledger()
        for system, end in ((broker, broker.close), (line, line.stop), (erp, erp.stop)):
            await system.start()
            stack.push_async_callback(end)
        await ledger.server.start()
        stack.push_async_callback(ledger.server.stop)
        await _bench(line)
        wsdl = Served(Starlette(routes=[Route("/crm", _importing(ledger.server.url))]))
        await wsdl.start()
        stack.push_async_callback(wsdl.stop)
        urls = {
            "erp": erp.url, "mes": broker.url, "line1": line.url, "ledger": ledger.server.url,
            "crm": f"{wsdl.url}/crm?wsdl",
        }  # fmt: skip
        (folder / "equipment.csv").write_text(EQUIPMENT)
        (folder / "signals.yaml").write_text(SIGNALS)
        (folder / "routes.yaml").write_text(json.dumps(config_of(urls, folder)))
        loaded = load([folder / "routes.yaml"])
        assert loaded.config, loaded.findings
        hub = await stack.enter_async_context(open_hub(loaded.config))
        clients = (
            await stack.enter_async_context(httpx.AsyncClient(trust_env=False)),
            await stack.enter_async_context(aiomqtt.Client("127.0.0.1", broker.port)),
            await stack.enter_async_context(Client(line.url, timeout=PATIENCE_S, watchdog_intervall=PATIENCE_S)),
            await nats.connect(note.find(folder / "hub").broker),
        )
        stack.push_async_callback(clients[3].close)
        plant = SmallPlant(hub, erp, ledger, clients)
        await _listening(plant)
        running = asyncio.create_task(hub.run())
        yield plant
        assert not running.done(), "the hub has ended by itself"
        running.cancel()


async def _bench(line: PackagingLine) -> None:
    """Two writable nodes beside the line's own."""
    assert line.server
    namespace = await line.server.register_namespace(BENCH)
    parent = await line.server.nodes.objects.add_object(namespace, "Bench")
    number = await parent.add_variable(namespace, "Number", 0.0, ua.VariantType.Double)
    array = await parent.add_variable(namespace, "Array", ua.Variant([0.0], ua.VariantType.Double, is_array=True))
    for node in (number, array):
        await node.set_writable()


def _importing(elsewhere: str) -> Callable[[Request], Response]:
    """A WSDL that imports a schema from another host's inside."""

    def answer(request: Request) -> Response:
        return Response(
            '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:crm"><types>'
            '<schema xmlns="http://www.w3.org/2001/XMLSchema"><import namespace="urn:x" '
            f'schemaLocation="{elsewhere}/latest/meta-data"/></schema></types></definitions>',
            media_type="text/xml",
        )

    return answer


async def _listening(plant: SmallPlant) -> None:
    """Every system is connected, but the one whose WSDL is forbidden."""

    async def connected() -> bool:
        rows = {row["name"]: row["health"] for row in (await plant.desk.status())["systems"]}
        return rows == {"erp": "ok", "mes": "ok", "line1": "ok", "ledger": "ok", "crm": "halted"}

    assert await eventually(connected)
