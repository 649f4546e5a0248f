"""A hub between an office that says orders and shops that count what they get.

`shop` refuses some, `store` takes all, `till` can't tell an order that comes twice from two and doesn't always answer.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from connectors.door import token_hash
from mombus.config.loader import load
from mombus.hub.hub import Hub, open_hub
from plant.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from starlette.requests import Request

TOKEN = "the-office's-token"
SECRET = "the-shop's-own-secret"
MATERIAL = '{"id": ref, "description": name}'
ORDER = '{"id": ref, "operations_type": "Production", "segment_requirement": [{"id": "10"}]}'

ORDERS = {"object": "production_order", "to": ["shop", "store", "till"]}


class Shop:
    """Counts the orders it gets. Those in `closed` it refuses, of those in `unsure` it doesn't say whether it has them.

    While it is `locked` no credential opens it.
    """

    def __init__(self) -> None:
        self.got: Counter[str] = Counter()
        self.closed: set[str] = set()
        self.unsure: set[str] = set()
        self.locked = False
        self.server = Served(
            Starlette(routes=[Route("/", lambda _: Response("{}")), Route("/orders", self._take, methods=["POST"])])
        )

    async def _take(self, request: Request) -> Response:
        id = (await request.json())["id"]
        if self.locked:
            return Response("who are you?", 401)
        if id in self.unsure:
            return Response("something broke", 502)
        if id in self.closed:
            return Response("no recipe", 422)
        self.got[id] += 1
        return Response(status_code=201)


class ShopPlant:
    """The running hub and its systems."""

    def __init__(self, hub: Hub, shop: Shop, store: Shop, till: Shop) -> None:
        self.hub, self.shop, self.store, self.till = hub, shop, store, till
        self.url = hub.url
        self.http = httpx.AsyncClient(base_url=hub.url, trust_env=False)

    async def say(self, *ids: str, refused: bool = False) -> None:
        """The office says orders; the shop refuses them if so."""
        if refused:
            self.shop.closed.update(ids)
        docs = [{"ref": id, "at": "2026-03-02T06:00:00Z"} for id in ids]
        await self.push({"docs": docs})

    async def push(self, content: Any) -> httpx.Response:
        """The office says this."""
        return await self.http.post("/in/office", json=content, headers={"authorization": f"Bearer {TOKEN}"})

    async def get(self, path: str, **asked: str) -> Any:
        """What the API answers."""
        answer = await self.http.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def waiting(self, id: str, target: str = "shop") -> str | None:
        """Why an order waits for the shop, or another, None if it doesn't."""
        page = await self.get("/api/waiting", target=target, lane=id)
        return next((row["kind"] for row in page["rows"]), None)


@asynccontextmanager
async def shop_plant(folder: Path, **more: Any) -> AsyncIterator[ShopPlant]:
    """Everything, running; `more` is declared besides, instead of what is of that name."""
    shops = {"shop": Shop(), "store": Shop(), "till": Shop()}
    for one in shops.values():
        await one.server.start()
    urls = {name: one.server.url for name, one in shops.items()}
    (folder / "routes.yaml").write_text(json.dumps(_config(urls, folder) | more))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_TOKEN", SECRET)
        loaded = load([folder / "routes.yaml"])
    assert loaded.config, loaded.findings
    try:
        async with open_hub(loaded.config) as hub:
            running = asyncio.create_task(hub.run())
            plant = ShopPlant(hub, **shops)
            yield plant
            await plant.http.aclose()
            assert not running.done(), "the hub has ended by itself"
            running.cancel()
    finally:
        for one in shops.values():
            await one.server.stop()


def _config(urls: Mapping[str, str], folder: Path) -> dict[str, Any]:
    orders = {"object": "production_order", "when": "$exists(name) = false", "occurred": "at", "body": ORDER}
    materials = {"object": "material", "when": "$exists(name)", "occurred": "at", "body": MATERIAL}
    blind = {"object": "production_order", "url": "/orders", "body": '{"id": body.id}'}
    order = blind | {"idempotency_header": "idempotency-key"}
    material = order | {"object": "material"}
    return {
        "version": 1, "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
        "bus": {"folder": str(folder / "hub")}, "http": {"port": 0},
        "systems": {
            "office": {
                "connector": "rest", "url": urls["shop"], "listen": "/in/office",
                "door": {"tokens": [token_hash(TOKEN)]},
                "pushed": {"items": "docs", "says": [orders, materials]},
            },
            "shop": {
                "connector": "rest", "url": urls["shop"], "token": "${secret:SHOP_TOKEN}", "writes": [order, material],
            },
            "store": {"connector": "rest", "url": urls["store"], "writes": [order]},
            "till": {"connector": "rest", "url": urls["till"], "writes": [blind]},
        },
        "objects": {"production_order": {"owner": "office", "process_owner": "planning@acme.example"}},
        "routes": [ORDERS],
    }  # fmt: skip
