"""Two hubs that share a broker and a journal: `erp` owns orders, `mes` gets them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from hub_plant import Asker, config, wire
from own_broker import broker

from connectors.connector import PermanentError
from mombus.bus.commands import command_subject
from mombus.bus.connection import Bus as Connection
from mombus.bus.connection import connect
from mombus.config.model import Bus, Route
from mombus.hub.hub import Hub, open_hub
from mombus.hub.several.sharing import HOUSE
from mombus.journal import leaseholder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

LASTING_S = 120.0
"""How long a lease is good that isn't renewed: a machine that stands still for seconds upsets nothing."""


class Strict(Asker):
    """Refuses everything."""

    async def write(self, messages: Any) -> list[PermanentError]:
        return [PermanentError("not in this plant") for _ in messages]


class Both(NamedTuple):
    """The hubs, a connection to their broker, and what is open with them."""

    hubs: list[Hub]
    bus: Connection
    stack: AsyncExitStack


@asynccontextmanager
async def two_hubs(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: str,
    erp: Asker,
    mes: Asker,
    *,
    shards: int = 1,
    lasting_s: float = LASTING_S,
) -> AsyncIterator[Both]:
    """Both, with `mes` in so many shards."""
    wire(monkeypatch, {"erp": erp, "mes": mes})
    monkeypatch.setattr(leaseholder, "TTL_S", lasting_s)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(folder / "nats"))
        bus = await stack.enter_async_context(connect(url))
        hubs = []
        for name in ("a", "b"):
            settings = config(
                folder, "erp", "mes", owns={"production_order": "erp"},
                bus=Bus(broker=url, store=store, folder=folder / name),
                routes=(Route(object="production_order", to=("mes",), start="snapshot"),),
            )  # fmt: skip
            systems = {**settings.systems, "mes": settings.systems["mes"].model_copy(update={"shards": shards})}
            hubs.append(await stack.enter_async_context(open_hub(settings.model_copy(update={"systems": systems}))))
        yield Both(hubs, bus, stack)


async def asked(bus: Connection, name: str, question: dict[str, str] | None = None, hub: str | None = None) -> Any:
    """What the hubs, or one of them, answer to a command."""
    reply = await bus.client.request(
        command_subject("lyon", name, hub), json.dumps(question or {}).encode(), timeout=45
    )
    return json.loads(reply.data)


def skip(id: str) -> dict[str, str]:
    """The command to skip a message that waits for mes."""
    return {"command": "skip", "target": "mes", "id": id, "why": "checked", "who": "ada"}


def held(hub: Hub) -> list[str]:
    """What a hub has of the plant's duties, while nothing is in shards."""
    return [name for name in ("erp", "mes", HOUSE) if hub.desk.neighbours.has(name)]
