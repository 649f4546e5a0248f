"""A system that speaks NATS itself, with a whole hub: an ordinary client that says, asks, is told, and goes away."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import nats
import pytest
from hub_plant import Asker, Owner, config, order, until, wire
from nats.errors import Error
from own_broker import broker
from patience import PATIENCE_S

from connectors.protocols.nats import NatsConfig
from mombus.config.model import Bus, Route
from mombus.desk.journey import JOURNEY, Number
from mombus.hub.hub import open_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from mombus.config.model import Config


class Plant:
    """The broker, an ERP, an MES that gets materials, and the system's own client."""

    def __init__(self, folder: Path, url: str, client: Client) -> None:
        self.folder, self.url, self.client = folder, url, client
        self.mes = Asker()
        self.mes.accepts = {o._replace(object="material"): a for o, a in Asker.accepts.items()}  # type: ignore[misc]
        self.told: list[Msg] = []

    @property
    def config(self) -> Config:
        board = NatsConfig(
            connector="nats", url=self.url, says=("material", "production_order/get"),
            takes=("production_order", "production_order/show"),
        )  # fmt: skip
        routes = (
            Route(object="production_order", to=("board",), start="snapshot"), Route(object="material", to=("mes",)),
        )  # fmt: skip
        owns = {"production_order": "erp", "material": "board"}
        return config(
            self.folder / "hub", "erp", "mes", board=board, owns=owns, bus=Bus(broker=self.url), routes=routes
        )

    async def take(self, *subjects: str) -> list[Any]:
        """Take what it is told, each with a number of its own."""

        async def took(message: Msg) -> None:
            self.told.append(message)
            await message.respond(json.dumps({"status": "accepted", "document": f"B-{len(self.told)}"}).encode())

        return [await self.client.subscribe(subject, cb=took) for subject in subjects]

    async def say(self, id: str) -> dict[str, Any]:
        """Say a material."""
        return await self.ask("board.say.material.sync", json.dumps({"id": id}).encode())

    async def ask(self, subject: str, content: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Until it is answered, and taken."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(Error, TimeoutError):
                    said = json.loads((await self.client.request(subject, content, timeout=5, headers=headers)).data)
                    if said["status"] != "later":
                        return said
                await asyncio.sleep(0.05)


@asynccontextmanager
async def plant(folder: Path, monkeypatch: pytest.MonkeyPatch, erp: Any) -> AsyncIterator[Plant]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(folder / "nats"))
        client = await nats.connect(url)
        stack.push_async_callback(client.close)
        running = Plant(folder, url, client)
        wire(monkeypatch, {"erp": erp, "mes": running.mes})
        yield running


async def test_what_it_asks_an_owner_for_comes_to_it(tmp_path, monkeypatch):
    async with plant(tmp_path, monkeypatch, Owner()) as here:
        await here.take("board.take.>")
        async with open_hub(here.config):
            asked = await here.ask("board.say.production_order.get", b"", {"ce-subject": "PO-2"})
            assert asked["status"] == "stored"
            await until(lambda: any(got.subject == "board.take.production_order.show" for got in here.told))
    (shown,) = [got for got in here.told if got.subject.endswith(".show")]
    assert json.loads(shown.data)["id"] == "PO-2"
    assert shown.headers["ce-correlation"] == asked["id"]


async def test_what_is_for_it_waits_in_order_while_it_is_away(tmp_path, monkeypatch):
    erp = Asker()
    async with plant(tmp_path, monkeypatch, erp) as here, open_hub(here.config) as hub:
        for number in range(3):
            assert (await erp.say(order("PO-1", f"version {number}"))).accepted
        await until(lambda: down(hub))
        await here.take("board.take.>")
        await until(lambda: here.told and b"version 2" in here.told[-1].data)
        await until(lambda: known(hub, f"B-{len(here.told)}"))
    revisions = [int(got.headers["ce-revision"]) for got in here.told]
    assert revisions == sorted(set(revisions))


async def down(hub: Any) -> bool:
    rows = (await hub.desk.status())["systems"]
    return any("nobody answers on board.take" in json.dumps(row) for row in rows if row["name"] == "board")


async def known(hub: Any, document: str) -> bool:
    return document in json.dumps(await hub.desk.ask(JOURNEY, Number(number="PO-1")), default=str)


async def test_what_it_says_while_the_hub_stops_and_starts_has_one_effect(tmp_path, monkeypatch):
    async with plant(tmp_path, monkeypatch, Asker()) as here:
        saying = asyncio.create_task(here.say("M-0"))
        async with open_hub(here.config):
            assert (await saying)["status"] == "stored"
            again = asyncio.create_task(here.say("M-0"))
        async with open_hub(here.config):
            assert (await again)["status"] == "stored"
            assert (await here.say("M-1"))["status"] == "stored"
            await until(lambda: "M-1" in [got.key for got in here.mes.got])
    assert [got.key for got in here.mes.got] == ["M-0", "M-1"]
