"""What an MES confirmed too much of and took back, from its own words over MQTT to the books of ERP and warehouse."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import aiomqtt
import httpx
from patience import until
from ports import free_port

from mombus.config.loader import load
from mombus.hub.hub import open_hub
from plant.broker import Broker
from plant.erp import Erp
from plant.wms import Wms

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-03-02T06:00:00+01:00"


def declared(folder: Path, broker: Broker, erp: Erp, wms: Wms) -> Path:
    file = folder / "routes.yaml"
    file.write_text(json.dumps({
        "version": 1, "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
        "bus": {"folder": str(folder / "hub")}, "http": {"port": 0},
        "systems": {
            "mes": {"connector": "mes.mqtt", "url": broker.url},
            "erp": {"connector": "erp.b2mml", "url": erp.url, "serialise_by": "material", "rate": "100/s"},
            "wms": {"connector": "wms.rest", "url": wms.url, "poll_s": 0.3},
        },
        "objects": {name: {"owner": "mes"} for name in ("production_response", "material_consumption")},
        "routes": [
            {"object": "production_response", "to": "erp", "effect": "posted"},
            {"object": "material_consumption", "to": "erp", "effect": "posted", "after": "production_response"},
            {"object": "production_response", "to": "wms"},
        ],
        "aliases": {"wms": {"material": {"30005": "FG-1000"}}},
    }))  # fmt: skip
    return file


def confirmation(number: str, good: int, **more: str) -> tuple[str, dict]:
    return "production_response", {
        "msgId": number, "ts": AT, "confirmationNo": number, "orderNo": "PO-1", "final": False, "good": good,
        "workCenter": "LINE1", "article": "FG-1000", "lot": "PO-1-L1", "uom": "PC", "startAt": AT, "endAt": AT, **more,
    }  # fmt: skip


def usage(number: str, quantity: int, **more: str) -> tuple[str, dict]:
    return "material_consumption", {
        "msgId": f"{number}/1", "ts": AT, "confirmationNo": number, "line": 1, "orderNo": "PO-1", "article": "CAP-28",
        "qty": quantity, "uom": "PC", "at": AT, **more,
    }  # fmt: skip


@asynccontextmanager
async def running(file: Path):
    loaded = load([file])
    assert loaded.config, loaded.findings
    async with open_hub(loaded.config) as hub:

        async def connected() -> bool:
            return all(row["health"] == "ok" for row in (await hub.desk.status())["systems"])

        await until(connected)
        work = asyncio.create_task(hub.run())
        yield hub
        work.cancel()


async def test_the_totals_of_erp_and_warehouse_are_right_after_a_reversal(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        broker, erp, wms = Broker(free_port()), Erp(), Wms(pace=0.05)
        for system, end in ((broker, broker.close), (erp, erp.stop), (wms, wms.stop)):
            await system.start()
            stack.push_async_callback(end)
        erp.books.release("PO-1", Decimal(240))
        mes = await stack.enter_async_context(aiomqtt.Client("127.0.0.1", broker.port))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        file = declared(tmp_path, broker, erp, wms)

        async def says(*notes: tuple[str, dict]) -> None:
            for object_, note in notes:
                await mes.publish(f"mes/out/{object_}/sync", json.dumps(note), qos=1)

        async def expected() -> dict[str, int]:
            rows = (await http.get(f"{wms.url}/asn/list/")).json()["results"]
            return {row["asn_code"]: row["goods_qty"] for row in rows}

        async with running(file):
            await says(confirmation("C-1", 120), usage("C-1", 120))
            await until(lambda: erp.numbers("PO-1")["documents"] == 2)
        async with running(file):
            await says(confirmation("C-1R", 120, reverses="C-1"), usage("C-1R", 120, reverses="C-1"))
            await says(confirmation("C-1B", 110), usage("C-1B", 110))
            await until(lambda: erp.numbers("PO-1")["documents"] == 6)

            async def cancelled() -> bool:
                return await expected() == {"C-1": 0, "C-1B": 110}

            await until(cancelled)
        numbers = erp.numbers("PO-1")
        assert (numbers["good"], numbers["consumption"], numbers["duplicates"]) == ("110", {"CAP-28": "110"}, 0)
