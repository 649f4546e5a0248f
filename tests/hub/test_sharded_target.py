"""A target in shards, two hubs: any of them answers for all of it."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from hub_plant import Asker, config, order, wire
from own_broker import broker
from patience import until
from test_sharing import Strict, asked, skip

from canonical.subjects import PARTITIONS
from mombus.bus.connection import connect
from mombus.config.model import Bus, Route
from mombus.hub.hub import Hub, open_hub

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ORDERS = 24


class Mended(Strict):
    """Refuses everything until it is mended."""

    mended = False

    async def write(self, messages: Any) -> Any:
        return await (Asker if self.mended else Strict).write(self, messages)


def shards(hub: Hub) -> int:
    return sum(hub.desk.neighbours.has(f"mes:{shard}") for shard in range(PARTITIONS))


async def test_any_hub_answers_for_all_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: str) -> None:
    erp, mes = Asker(), Mended()
    wire(monkeypatch, {"erp": erp, "mes": mes})
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
            systems = {**settings.systems, "mes": settings.systems["mes"].model_copy(update={"shards": PARTITIONS})}
            hubs.append(await stack.enter_async_context(open_hub(settings.model_copy(update={"systems": systems}))))
        await until(lambda: all(map(shards, hubs)) and sum(map(shards, hubs)) == PARTITIONS, 60)
        for number in range(ORDERS):
            await erp.say(order(f"PO-{number}"))

        async def parked() -> list[dict[str, Any]]:
            return (await asked(bus, "waiting"))["result"]

        async def count(expected: int) -> bool:
            return len(await parked()) == expected

        await until(lambda: count(ORDERS), 60)
        (row,) = [row for row in (await asked(bus, "status"))["result"]["systems"] if row["name"] == "mes"]
        assert (row["shards"], row["waiting"]) == (PARTITIONS, {"parked": ORDERS})
        ids = [row["id"] for row in await parked()]
        for id in ids[:6]:
            assert await asked(bus, "do", skip(id)) == {"result": {"ok": True, "text": "skipped"}}
        wish = {"selection": {"object": ["production_order"]}, "to": ["mes"], "who": "ada", "why": "checked"}
        names = [hub.desk.neighbours.hub for hub in hubs]

        async def looked_at() -> list[dict[str, Any]]:
            opened = (await asked(bus, "replay_preview", {**wish}))["result"]
            desk = hubs[names.index(opened["hub"])].desk
            return await desk.replays.answer("replay_rows", {"preview": opened["preview"]})

        async def all_told() -> bool:
            """Of the shards of both hubs; what was read is noted within seconds."""
            rows = await looked_at()
            assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)
            return Counter(row["fate"] for row in rows) == {"tried again": ORDERS - 6, "sent": 6}

        await until(all_told, 60)

        mes.mended = True
        choice = {"command": "retry", "target": "mes", "who": "ada", "why": "mended"}
        assert (await asked(bus, "bulk_begin", choice))["result"]["total"] == ORDERS - 6
        await until(lambda: count(0), 60)
        assert len({message.key for message in mes.got}) == len(mes.got) == ORDERS - 6

        assert (await asked(bus, "replay_begin", wish))["result"]["targets"] == ["mes"]

        async def done() -> bool:
            (one,) = (await asked(bus, "replay_list"))["result"]
            return one["progress"] == "done" and one["judged"] == ORDERS

        await until(done, 60)
        assert len({message.key for message in mes.got}) == len(mes.got) == ORDERS, "what was skipped was never sent"
        assert (await asked(bus, "resume", {"system": "mes", "who": "ada", "why": "checked"}))["result"]["ok"]
