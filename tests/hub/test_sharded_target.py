"""A target in shards, two hubs: any of them answers for all of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hub_plant import Asker, order
from patience import until
from two_hubs import Strict, asked, skip, two_hubs

from canonical.subjects import PARTITIONS
from mombus.hub.hub import Hub

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
    async with two_hubs(tmp_path, monkeypatch, postgresql, erp, mes, shards=PARTITIONS) as (hubs, bus, _):
        await until(lambda: all(map(shards, hubs)) and sum(map(shards, hubs)) == PARTITIONS)
        for number in range(ORDERS):
            await erp.say(order(f"PO-{number}"))

        async def parked() -> list[dict[str, Any]]:
            return (await asked(bus, "waiting"))["result"]["rows"]

        async def count(expected: int) -> bool:
            return len(await parked()) == expected

        await until(lambda: count(ORDERS))
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

        await until(all_told)

        mes.mended = True
        choice = {"command": "retry", "target": "mes", "who": "ada", "why": "mended"}
        assert (await asked(bus, "bulk_begin", choice))["result"]["total"] == ORDERS - 6
        await until(lambda: count(0))
        assert len({message.key for message in mes.got}) == len(mes.got) == ORDERS - 6

        assert (await asked(bus, "replay_begin", wish))["result"]["targets"] == ["mes"]

        async def done() -> bool:
            (one,) = (await asked(bus, "replay_list"))["result"]
            return one["progress"] == "done" and one["judged"] == ORDERS

        await until(done)
        assert len({message.key for message in mes.got}) == len(mes.got) == ORDERS, "what was skipped was never sent"
        assert (await asked(bus, "resume", {"system": "mes", "who": "ada", "why": "checked"}))["result"]["ok"]
