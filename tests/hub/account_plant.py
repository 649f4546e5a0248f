"""A hub on a broker with accounts, as `mombus broker-config` writes it, and clients that connect as any of them."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import nats
from hub_plant import Asker, config, wire
from nats_server import nats_server
from patience import until

from canonical.isa95.resources import MaterialDefinition
from canonical.message import Message
from connectors.protocols.nats import NatsConfig
from mombus.bus.accounts import HUB, WEB, accounts
from mombus.bus.broker_files import Proof, credentials_file, write_broker
from mombus.bus.login import login
from mombus.config.model import Bus, Route
from mombus.desk.audit import Wanted as Deeds
from mombus.hub import refusals
from mombus.hub.hub import open_hub
from mombus.hub.parts import Parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    import pytest
    from nats.aio.client import Client

    from mombus.config.model import Config
    from mombus.hub.hub import Hub

NATIVE = "wms-native"
"""The account of a system that speaks NATS itself, and owns materials here; its connector has the account `wms`."""
OTHER = "crm"
"""A connector in a process of its own, that owns nothing."""


class AccountPlant:
    """The running hub, its systems, and the broker."""

    def __init__(self, folder: Path, proof: Proof, url: str, systems: Mapping[str, Asker]) -> None:
        self.folder = folder
        self.proof = proof
        self.url = url
        self.erp, self.mes, self.crm = systems["erp"], systems["mes"], systems["crm"]
        self.hub: Hub
        self.admin: Client

    def credentials(self, account: str) -> Path:
        return self.folder / "broker" / credentials_file(account, self.proof)

    @asynccontextmanager
    async def client(self, account: str) -> AsyncIterator[Client]:
        """A connection of that account."""

        async def quiet(_error: Exception) -> None:
            """Refusals are looked for where they must show."""

        client = await nats.connect(self.url, error_cb=quiet, **login(None, self.credentials(account)))
        try:
            yield client
        finally:
            await client.close()

    async def store(self) -> dict[str, Any]:
        """Everything that an attack must not change: streams, consumers, and what is on whose subjects.

        The hub makes and drops consumers without a durable name itself, at its own times: they aren't here.
        """
        js = self.admin.jetstream()
        infos = {info.config.name: info for info in await js.streams_info()}
        mom = await js.stream_info("MOM", subjects_filter="mom.>")
        return {
            "streams": sorted(str(name) for name in infos),
            "consumers": sorted([
                str(info.config.durable_name)
                for name in infos
                for info in await js.consumers_info(str(name))
                if info.config.durable_name
            ]),
            "subjects": dict(mom.state.subjects or {}),
            "dead": infos["DEAD"].state.messages, "raw": infos["RAW"].state.messages,
            "signals": infos["SIGNALS"].state.messages,
        }  # fmt: skip

    async def audited(self, account: str, words: str) -> Mapping[str, Any]:
        """The entry of the audit trail about what that account tried."""
        found: list[Mapping[str, Any]] = []

        async def noted() -> bool:
            deeds = await self.hub.desk.audit.deeds(Deeds(who=f"account {account}"))  # type: ignore[union-attr]
            found[:] = [deed for deed in deeds if words in f"{deed['action']} {deed['why']}"]
            return bool(found)

        await until(noted, 8)
        return found[0]


def material(id: str, *, source: str = "wms", **more: Any) -> Message:
    from hub_plant import NOW  # noqa: PLC0415

    return Message.of(
        "material", MaterialDefinition(id=id, description="a cap"), source=source, site="lyon", occurred=NOW,
        recorded=NOW, revision=1, **more,
    )  # fmt: skip


def plant_config(folder: Path, bus: Bus, credentials: Path | None = None) -> Config:
    """The ERP owns orders, the warehouse materials; the MES gets both, the warehouse orders."""
    wms = NatsConfig(
        connector="nats", url="nats://here" if bus.broker == "embedded" else bus.broker,
        credentials=str(credentials or "wms"), says=("material", "production_order"), takes=("production_order",),
        answers=("material",),
    )  # fmt: skip
    routes = (
        Route(object="production_order", to=("mes", "wms"), start="snapshot"),
        Route(object="material", to=("mes",), start="snapshot"),
    )
    owns = {"production_order": "erp", "material": "wms"}
    return config(folder, "erp", "mes", "crm", wms=wms, owns=owns, bus=bus, routes=routes)


@asynccontextmanager
async def account_plant(folder: Path, monkeypatch: pytest.MonkeyPatch, proof: Proof) -> AsyncIterator[AccountPlant]:
    """Everything running: the hub without connectors, all systems but `crm` in parts with accounts of their own."""
    monkeypatch.setattr(refusals, "EVERY_S", 0.02)
    systems = {name: Asker() for name in ("erp", "mes", "crm")}
    systems["mes"].accepts = {**Asker.accepts, **{o._replace(object="material"): a for o, a in Asker.accepts.items()}}  # type: ignore[misc]
    wire(monkeypatch, systems)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(folder / "broker", plant_config(folder, Bus()), proof))
        plant = AccountPlant(folder, proof, url, systems)

        def part(name: str, account: str, parts: Parts) -> Any:
            bus = Bus(broker=url, credentials=plant.credentials(account))
            settings = plant_config(folder / name, bus, plant.credentials("wms"))
            return open_hub(settings, parts=parts)

        plant.admin = await stack.enter_async_context(plant.client(HUB))
        plant.hub = await stack.enter_async_context(part("hub", HUB, Parts(frozenset(), delivery=True, web=False)))
        for system in ("erp", "mes", "wms"):
            parts = Parts(frozenset({system}), delivery=False, web=False)
            await stack.enter_async_context(part(system, system, parts))
        await stack.enter_async_context(part("web", WEB, Parts(frozenset(), delivery=False, web=True)))
        yield plant


@asynccontextmanager
async def broker(folder: Path, settings: Config, proof: Proof) -> AsyncIterator[str]:
    """nats-server with exactly the generated configuration, on a free port."""
    found = accounts(settings)
    write_broker(folder, found, proof, listen="127.0.0.1:-1", store=folder / "js", tls=False)
    async with nats_server(folder / "nats.conf") as url:
        yield url
