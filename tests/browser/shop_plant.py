"""A hub between an office that says orders and two shops that count what they get, one of which refuses some."""

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
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

TOKEN = "the-office's-token"
SECRET = "the-shop's-own-secret"
ORDER = '{"id": ref, "operations_type": "Production", "segment_requirement": [{"id": "10"}]}'


class Shop:
    """Counts the orders it gets; those in `closed` it refuses."""

    def __init__(self) -> None:
        self.got: Counter[str] = Counter()
        self.closed: set[str] = set()
        self.server = Served(
            Starlette(routes=[Route("/", lambda _: Response("{}")), Route("/orders", self._take, methods=["POST"])])
        )

    async def _take(self, request: Request) -> Response:
        id = (await request.json())["id"]
        if id in self.closed:
            return Response("no recipe", 422)
        self.got[id] += 1
        return Response(status_code=201)


class ShopPlant:
    """The running hub and its systems."""

    def __init__(self, hub: Hub, shop: Shop, store: Shop) -> None:
        self.hub, self.shop, self.store = hub, shop, store
        self.url = hub.url
        self.http = httpx.AsyncClient(base_url=hub.url, trust_env=False, timeout=60)

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

    async def waiting(self, id: str) -> str | None:
        """Why an order waits for the shop, None if it doesn't."""
        page = await self.get("/api/waiting", target="shop", lane=id)
        return next((row["kind"] for row in page["rows"]), None)


@asynccontextmanager
async def shop_plant(folder: Path) -> AsyncIterator[ShopPlant]:
    """Everything, running."""
    shop, store = Shop(), Shop()
    for one in (shop, store):
        await one.server.start()
    (folder / "routes.yaml").write_text(json.dumps(_config(shop.server.url, store.server.url, folder)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_TOKEN", SECRET)
        loaded = load([folder / "routes.yaml"])
    assert loaded.config, loaded.findings
    try:
        async with open_hub(loaded.config) as hub:
            running = asyncio.create_task(hub.run())
            plant = ShopPlant(hub, shop, store)
            yield plant
            await plant.http.aclose()
            assert not running.done(), "the hub has ended by itself"
            running.cancel()
    finally:
        for one in (shop, store):
            await one.server.stop()


def _config(shop: str, store: str, folder: Path) -> dict[str, Any]:
    says = {"object": "production_order", "occurred": "at", "body": ORDER}
    writes = [
        {
            "object": "production_order", "url": "/orders", "body": '{"id": body.id}',
            "idempotency_header": "idempotency-key",
        }
    ]  # fmt: skip
    return {
        "version": 1, "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
        "bus": {"folder": str(folder / "hub")}, "http": {"port": 0},
        "systems": {
            "office": {
                "connector": "rest", "url": shop, "listen": "/in/office", "door": {"tokens": [token_hash(TOKEN)]},
                "pushed": {"items": "docs", "says": [says]},
            },
            "shop": {"connector": "rest", "url": shop, "token": "${secret:SHOP_TOKEN}", "writes": writes},
            "store": {"connector": "rest", "url": store, "writes": writes},
        },
        "objects": {"production_order": {"owner": "office", "process_owner": "planning@acme.example"}},
        "routes": [{"object": "production_order", "to": ["shop", "store"]}],
    }  # fmt: skip
