"""Hubs that share a journal answer for one another: any of them may be told what a person decided."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from hub_plant import Asker, config, order, wire
from own_broker import broker
from patience import until

from connectors.connector import PermanentError
from mombus.bus.commands import command_subject
from mombus.bus.connection import Bus as Connection
from mombus.bus.connection import connect
from mombus.config.model import Bus, Route
from mombus.hub.hub import Hub, open_hub
from mombus.hub.several.sharing import HOUSE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class Strict(Asker):
    """Refuses everything."""

    async def write(self, messages: Any) -> list[PermanentError]:
        return [PermanentError("not in this plant") for _ in messages]


async def asked(bus: Connection, name: str, question: dict[str, str] | None = None, hub: str | None = None) -> Any:
    reply = await bus.client.request(
        command_subject("lyon", name, hub), json.dumps(question or {}).encode(), timeout=20
    )
    return json.loads(reply.data)


def skip(id: str) -> dict[str, str]:
    return {"command": "skip", "target": "mes", "id": id, "why": "checked", "who": "ada"}


def held(hub: Hub) -> list[str]:
    return [name for name in ("erp", "mes", HOUSE) if hub.desk.neighbours.has(name)]


async def test_a_command_finds_the_hub_that_has_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: str
) -> None:
    erp = Asker()
    wire(monkeypatch, {"erp": erp, "mes": Strict()})
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(broker(tmp_path / "nats"))
        bus = await stack.enter_async_context(connect(url))
        hubs = []
        for name in ("a", "b"):
            settings = config(
                tmp_path, "erp", "mes", owns={"production_order": "erp"},
                bus=Bus(broker=url, store=postgresql, folder=tmp_path / name),
                routes=(Route(object="production_order", to=("mes",), start="snapshot"),),
            )  # fmt: skip
            hubs.append(await stack.enter_async_context(open_hub(settings)))
        await until(lambda: sorted(len(held(hub)) for hub in hubs) == [1, 2], 30)
        for number in range(6):
            await erp.say(order(f"PO-{number}"))

        async def parked() -> list[dict[str, Any]]:
            rows = (await asked(bus, "waiting"))["result"]
            return rows if len(rows) == 6 else []

        await until(parked, 30)
        (other,) = [hub.desk.neighbours.hub for hub in hubs if "mes" not in held(hub)]
        ids = [row["id"] for row in await parked()]
        assert "another hub has 'mes'" in (await asked(bus, "do", skip(ids[0]), hub=other))["error"]
        for id in ids:
            assert await asked(bus, "do", skip(id)) == {"result": {"ok": True, "text": "skipped"}}
        rows = {row["name"]: row for row in (await asked(bus, "own", hub=other))["result"]["systems"]}
        assert (rows["mes"]["health"], rows["mes"]["reason"]) == ("elsewhere", "another hub has it")
        rows = {row["name"]: row for row in (await asked(bus, "status"))["result"]["systems"]}
        assert {row["health"] for row in rows.values()} == {"ok"}
